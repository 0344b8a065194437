"""What an operator wants of pools can be asked for, and is of every kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from simulations.policies import drawn_policies
from simulations.poolwork import NAMES, RINGS, drawn_change
from simulations.run import pools_of
from weaveipam.allocation.nest import nest
from weaveipam.allocation.poolchange import clashes, wanted_for
from weaveipam.config.pools import parse_pool
from weaveipam.config.printing import pool_table
from weaveipam.protocol.decisions import Charter
from weaveipam.protocol.requests import Refusal
from weaveipam.protocol.values import Pool, RingId

FIRST = pools_of([("blue", "10.32.0.0/28")])


def lived(seed: int) -> tuple[Counter[str], tuple[Pool, ...]]:
    """What one operator alone has done with many changes, by kind, and the pools in the end."""
    rng, done = Random(seed), Counter[str]()
    pools = FIRST
    for _ in range(300):
        change = drawn_change(pools, rng)
        base, wanted = change.base, change.wanted
        assert wanted is None or wanted.kind or clashes([wanted]) == []
        outcome = wanted_for(change, Charter(0, (), tuple(pools), (), ("nest", "red")))
        if isinstance(outcome, Refusal):
            done["refused"] += 1
            continue
        others = tuple(pool for pool in pools if pool.name != change.name)
        pools = others if wanted is None else (*others, wanted)
        done["nested"] += len(nest(pools).parents)
        if base is None or wanted is None:
            done["created" if base is None else "deleted"] += 1
        elif base.disabled != wanted.disabled:
            done["switched"] += 1
        elif outcome is not None:
            done["grown"] += bool(outcome.founds)
            done["shrunk"] += bool(outcome.vacates)
    return done, pools


def test_every_kind_of_change_is_drawn() -> None:
    """Pools are made, grow, shrink, are switched, nested, deleted, made again; what cannot be is refused."""
    done, _ = lived(1)

    assert min(done[kind] for kind in ("created", "deleted", "grown", "shrunk", "switched", "refused")) > 5


def test_pools_stay_on_the_rings_that_are_looked_at() -> None:
    """Whatever is made has one of a few names, and lies on a ring that is known from the start."""
    for seed in range(5):
        for pool in lived(seed)[1]:
            assert pool.name in (*NAMES, "blue")
            assert {RingId(pool.network, one.family) for one in pool.ranges} <= {*RINGS}


def test_the_second_of_two_changes_concerns_the_same_pool() -> None:
    """Whoever is told the name of a pool changes that one, or makes it."""
    for name in ("blue", "coral"):
        change = drawn_change(FIRST, Random(3), name=name)
        assert change.name == name
        assert (change.base is None) == (name == "coral")


def test_equal_seeds_want_the_same() -> None:
    """Only the generator decides."""
    assert lived(7) == lived(7)


def test_pools_keep_their_policies() -> None:
    """A pool that is changed keeps for the same what it still has of it; new pools have policies, too."""
    rng, kept, made = Random(5), 0, 0
    for _ in range(200):
        (base,) = (drawn_policies(pool, rng) for pool in FIRST)
        change = drawn_change([base], rng, name=rng.choice(("", "blue")), policies=True)
        if change.wanted is None or change.base is None:
            made += change.wanted is not None and bool(change.wanted.preallocations)
            continue
        kept += bool(change.wanted.preallocations)
        assert replace(change.wanted, ranges=(), preallocations=(), disabled=False) == replace(
            base, ranges=(), preallocations=()
        )
        assert {*change.wanted.preallocations} <= {*base.preallocations}
        text = pool_table(replace(change.wanted, limit=None))
        assert parse_pool(text).preallocations == change.wanted.preallocations

    assert kept > 10
    assert made > 10
