"""
What pools say of who gets which of their addresses, and what clients of such pools ask for.

Does not know when anybody asks, nor what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple

from ring.address import Family, Range, subtract, union
from weaveipam.config.ranges import limited
from weaveipam.protocol.requests import NOBODY, Allocate, Allocated, Answer, Refusal, Subject, Want
from weaveipam.protocol.selectors import parse_selector
from weaveipam.protocol.values import DEFAULT_NETWORK, Pool, PoolRange, Preallocation

CHANCE = 1 / 3
"""Of a run that its pools have policies."""
NAMES = ("vm1", "vm2", "vm3", "vm4")
"""For whom pools keep addresses."""
KEPT_PART = 8
"""Of the addresses of a range at most this part is reserved, and as many are pre-allocated."""
COOLDOWNS_S = (0, 1, 3)
"""No longer than any preset's, so that what is released has rested when those have passed."""
NODE_LIMITS = (3, 8, 20)
Labels = tuple[tuple[str, str], ...]


def drawn_node_labels(rng: Random) -> tuple[Labels, ...]:
    """Labels of the first daemon, of the second and so on, round and round."""
    zones = rng.choice(("ab", "aab", "abc"))
    return tuple((("zone", zone),) for zone in zones)


def drawn_policies(pool: Pool, rng: Random) -> Pool:
    """The same addresses, with rules on who gets them."""
    ranges = tuple(_reserving(one, rng) if rng.random() < 1 / 2 else one for one in pool.ranges)
    limit = None
    if rng.random() < 1 / 6:
        limit = max(1, max(one.range.size for one in ranges) * 3 // 4)
        ranges = limited(ranges, limit)
    return replace(
        pool,
        ranges=ranges,
        limit=limit,
        labels=(("tier", rng.choice(("gold", "silver"))),) if rng.random() < 2 / 3 else (),
        manual=rng.random() < 1 / 6,
        node_selector=_selector(rng, "zone=a", "zone in (a,b)", "zone!=b"),
        namespace_selector=_selector(rng, "team=red", "team"),
        pod_selector=_selector(rng, "app=web", "app!=db"),
        cooldown_s=rng.choice(COOLDOWNS_S) if rng.random() < 1 / 3 else None,
        node_limit=rng.choice(NODE_LIMITS) if rng.random() < 1 / 4 else None,
        preallocations=_preallocations(ranges, rng) if rng.random() < 1 / 2 else (),
    )


def trimmed(pool: Pool) -> Pool:
    """The same after its ranges have changed: only addresses that it hands out are kept for anybody."""
    ranges = tuple(replace(one, reserved=subtract(_meeting(one), one.excluded)) for one in pool.ranges)
    kept = tuple(
        one
        for one in pool.preallocations
        if any(one.family is each.family and one.address in free for each in ranges for free in _free(each))
    )
    return replace(pool, ranges=ranges, preallocations=kept)


def _meeting(one: PoolRange) -> Iterator[Range]:
    return (both for each in one.reserved if (both := each.meet(one.range)))


def _free(one: PoolRange) -> tuple[Range, ...]:
    return subtract((one.range,), one.excluded)


def _reserving(one: PoolRange, rng: Random) -> PoolRange:
    """With one or two stretches that are reserved, where there is room."""
    found: list[Range] = []
    most = sum(free.size for free in _free(one)) // KEPT_PART // 2
    for _ in range(rng.randint(1, 2) if most else 0):
        free = rng.choice(_free(one))
        start = rng.randrange(free.start, free.stop)
        found.append(Range(start, min(free.stop, start + rng.randint(1, min(3, most)))))
    return replace(one, reserved=union(found))


def _preallocations(ranges: Sequence[PoolRange], rng: Random) -> tuple[Preallocation, ...]:
    """For one to three names, of one range, where there is room; some of what is reserved, perhaps."""
    one = rng.choice(ranges)
    addresses = [address for free in _free(one) for address in range(free.start, free.stop)]
    most = min(3, len(addresses) // KEPT_PART)
    names = rng.sample(NAMES, rng.randint(1, most)) if most else []
    chosen = rng.sample(addresses, len(names))
    return tuple(sorted(map(Preallocation, names, [one.family] * len(names), chosen)))


def _selector(rng: Random, *texts: str) -> str:
    return str(parse_selector(rng.choice(texts))) if rng.random() < 1 / 5 else ""


class Wish(NamedTuple):
    """What a client asks for beside its key."""

    network: str = DEFAULT_NETWORK
    wants: tuple[Want, ...] = ()
    name: str = ""
    subject: Subject = NOBODY


def drawn_wish(pools: Sequence[Pool], rng: Random) -> Wish:
    """What somebody may want who sees these pools, at least one; not all of it can be had."""
    pool = rng.choice(pools)
    named = (pool.name,) if rng.random() < 1 / 2 else ()
    wish = rng.choice(WISHES)(pool, named, rng)
    return wish._replace(network=pool.network, subject=_subject(rng))


def _subject(rng: Random) -> Subject:
    app, team = rng.choice(("", "web", "db")), rng.choice(("", "red", "blue"))
    return Subject(
        namespace="x",
        labels=(("app", app),) if app else (),
        namespace_labels=(("team", team),) if team else (),
    )


def _any(_pool: Pool, named: tuple[str, ...], rng: Random) -> Wish:
    """Whatever serves who asks."""
    return Wish(wants=() if rng.random() < 1 / 4 else (Want(pools=named, fallback=bool(named)),))


def _selected(_pool: Pool, _named: tuple[str, ...], rng: Random) -> Wish:
    """By labels of pools."""
    return Wish(wants=(Want(selector=rng.choice(("tier=gold", "tier=silver", "tier"))),))


def _named(pool: Pool, named: tuple[str, ...], rng: Random) -> Wish:
    """What is kept for a name, if anything is; else any."""
    names = [one.name for one in pool.preallocations] or NAMES
    return Wish(wants=(Want(pools=named),), name=rng.choice(names))


def _by_index(pool: Pool, _named: tuple[str, ...], rng: Random) -> Wish:
    """A number, at times of what is set aside, kept for another, or not there."""
    family = pool.ranges[0].family
    count = sum(one.range.size for one in pool.ranges if one.family is family)
    return Wish(wants=(Want(family, pools=(pool.name,), index=rng.randint(0, count)),))


def _exact(pool: Pool, named: tuple[str, ...], rng: Random) -> Wish:
    """One address, kept for somebody or reserved if any is; in the name that may have it, or in another."""
    names = _names(pool)
    kept = [(one.family, each) for one in pool.ranges for each in one.reserved]
    kept += [(family, Range(address, address + 1)) for family, address in names]
    family, what = rng.choice(kept or [(one.family, one.range) for one in pool.ranges])
    address = rng.randrange(what.start, what.stop)
    name = names.get((family, address), "") if rng.random() < 2 / 3 else rng.choice(NAMES)
    return Wish(wants=(Want(family, named, (Range(address, address + 1),)),), name=name)


WISHES: tuple[Callable[[Pool, tuple[str, ...], Random], Wish], ...] = (
    _any,
    _any,
    _selected,
    _named,
    _named,
    _by_index,
    _exact,
    _exact,
)
"""Kinds of what is asked for."""


def _names(pool: Pool) -> dict[tuple[Family, int], str]:
    return {(one.family, one.address): one.name for one in pool.preallocations}


def exactly(pool: Pool) -> Iterator[Wish]:
    """Each address that a pool keeps, as whoever may have it asks for it."""
    names = _names(pool)
    kept = {*names}
    for one in pool.ranges:
        kept.update(
            (one.family, address) for each in one.reserved for address in range(each.start, each.stop)
        )
    for family, address in sorted(kept):
        want = Want(family, (pool.name,), (Range(address, address + 1),))
        yield Wish(pool.network, (want,), names.get((family, address), ""))


def told_by(request: Allocate, answer: Answer | None, pools: Iterable[Pool]) -> Iterator[str]:
    """The landmarks of an answer to a client, where there are these pools."""
    if isinstance(answer, Refusal) and "node_limit" in answer.detail:
        yield "node-limited"
    if not isinstance(answer, Allocated):
        return
    known = {pool.name: pool for pool in pools}
    held = answer.allocation.addresses
    for want, one in zip(request.wants or (Want(),) * len(held), held, strict=False):
        pool = known.get(one.pool)
        if one.pool not in want.pools:
            yield "given-fallback" if want.pools else "given-selected"
        if pool is not None and request.name in {
            each.name
            for each in pool.preallocations
            if each.family is one.family and each.address in one.range
        }:
            yield "given-by-name"
        if pool is not None and any(
            each.meet(one.range) for few in pool.ranges if few.family is one.family for each in few.reserved
        ):
            yield "given-reserved"
