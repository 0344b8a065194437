"""What is drawn of pools' policies an operator could have written, and clients ask in every way."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from ring.address import Family, Range
from simulations.policies import (
    NAMES,
    Wish,
    drawn_node_labels,
    drawn_policies,
    drawn_wish,
    exactly,
    told_by,
    trimmed,
)
from simulations.pools import size_of
from simulations.run import pools_of
from weaveipam.config.pools import parse_pool
from weaveipam.config.printing import pool_table
from weaveipam.protocol.requests import Allocate, Allocated, Reason, Refusal, Want
from weaveipam.protocol.values import Allocation, Assigned, Pool

FIRST = pools_of([("blue", "10.32.0.0/26"), ("green", "10.40.0.16-10.40.0.47"), ("violet", "fd00:1::/122")])


def drawn(seed: int) -> tuple[Pool, ...]:
    """The first pools of one run."""
    rng = Random(seed)
    return tuple(drawn_policies(pool, rng) for pool in FIRST)


def test_an_operator_could_have_written_them() -> None:
    """Each pool that is drawn is what its own table says, and equal seeds draw the same."""
    for seed in range(100):
        for pool in drawn(seed):
            assert parse_pool(pool_table(pool)) == pool
        assert drawn(seed) == drawn(seed)


def test_every_policy_is_drawn() -> None:
    """Each is there in some pools, and missing in others; most addresses are for anybody."""
    pools = [pool for seed in range(40) for pool in drawn(seed)]
    for policy in (
        "labels",
        "manual",
        "node_selector",
        "namespace_selector",
        "pod_selector",
        "cooldown_s",
        "limit",
        "node_limit",
        "preallocations",
    ):
        drawn_values = {getattr(pool, policy) for pool in pools}
        assert len(drawn_values) > 1, policy
        assert drawn_values & {None, False, "", ()}, policy
    assert {bool(one.reserved) for pool in pools for one in pool.ranges} == {False, True}
    assert all(len(list(exactly(pool))) <= size_of([pool]) / 3 for pool in pools)


def test_daemons_are_in_zones() -> None:
    """Each is in one of at least two."""
    for seed in range(10):
        labels = drawn_node_labels(Random(seed))
        assert {name for one in labels for name, _ in one} == {"zone"}
        assert len({*labels}) > 1


def test_clients_ask_in_every_way() -> None:
    """By name, label, number, address, in names and without, with pools and without, in one network."""
    rng, pools = Random(1), drawn(3)
    wishes = [drawn_wish(pools, rng) for _ in range(300)]
    wants = [want for wish in wishes for want in wish.wants]

    assert {bool(wish.wants) for wish in wishes} == {False, True}
    assert {wish.name for wish in wishes} == {"", *NAMES}
    assert len({wish.subject for wish in wishes}) == 9
    for asked in ("pools", "selector", "within", "fallback"):
        assert {bool(getattr(want, asked)) for want in wants} == {False, True}, asked
    assert {want.index is None for want in wants} == {False, True}
    assert {wish.network for wish in wishes} == {"default"}


def test_what_is_kept_is_asked_for_one_by_one() -> None:
    """Each reserved or pre-allocated address of a pool, once, in the name that may have it."""
    pool = parse_pool(
        {
            "name": "p",
            "ranges": ["10.0.0.0/28"],
            "reserve": ["10.0.0.8-10.0.0.9"],
            "preallocate": {"vm": "10.0.0.9", "old": "10.0.0.3"},
        }
    )
    base = pool.ranges[0].range.start

    def told(wish: Wish) -> tuple[int, str]:
        (want,) = wish.wants
        (what,) = want.within
        assert want.pools == ("p",)
        assert what.size == 1
        return what.start - base, wish.name

    assert [told(wish) for wish in exactly(pool)] == [(3, "old"), (8, ""), (9, "vm")]


def test_only_what_is_handed_out_is_kept() -> None:
    """Of a pool whose range became smaller, nothing beyond it is reserved or pre-allocated."""
    pool = parse_pool(
        {
            "name": "p",
            "ranges": ["10.0.0.0/28"],
            "reserve": ["10.0.0.8-10.0.0.9"],
            "preallocate": {"vm": "10.0.0.12", "old": "10.0.0.3"},
        }
    )
    (whole,) = pool.ranges
    base = whole.range.start
    less = trimmed(replace(pool, ranges=(replace(whole, range=Range(base, base + 9), excluded=()),)))

    assert less.ranges[0].reserved == (Range(base + 8, base + 9),)
    assert [one.name for one in less.preallocations] == ["old"]
    assert trimmed(pool) == pool


def test_what_an_answer_was_is_told() -> None:
    """By name, reserved, of a pool that was not named, and refused at a daemon's limit."""
    pool = parse_pool(
        {"name": "p", "ranges": ["10.0.0.0/28"], "reserve": ["10.0.0.8"], "preallocate": {"vm": "10.0.0.3"}}
    )
    base, named = pool.ranges[0].range.start, Want(pools=("p",))

    def told(number: int, want: Want, name: str = "") -> list[str]:
        one = Assigned("p", Family.V4, Range(base + number, base + number + 1), 28, None)
        answer = Allocated(Allocation("k", "default", (one,), durable=False))
        return list(told_by(Allocate("k", wants=(want,), name=name), answer, [pool]))

    assert told(1, named) == []
    assert told(3, named, "vm") == ["given-by-name"]
    assert told(8, named, "vm") == ["given-reserved"]
    assert told(1, Want()) == ["given-selected"]
    assert told(1, Want(pools=("q",), fallback=True)) == ["given-fallback"]
    refused = Refusal(
        Reason.EXHAUSTED, "this node may use no more addresses of pool p (2 of 2): its node_limit"
    )
    assert list(told_by(Allocate("k"), refused, [pool])) == ["node-limited"]
    assert list(told_by(Allocate("k"), None, [pool])) == []
