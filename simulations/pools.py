"""
What pools come to: the rings over them, the addresses of each, and how many there are to be had.

Does not know who owns an address, nor how pools are written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ring.address import Range, subtract, union
from simulations.facts import View
from weaveipam.allocation.nest import nest
from weaveipam.protocol.values import Pool, RingId


def domains_of(pools: Iterable[Pool]) -> dict[RingId, tuple[Range, ...]]:
    """What each ring over those pools covers, in as few ranges as can be, sorted; the rings sorted, too."""
    ranges: dict[RingId, list[Range]] = {}
    for pool in pools:
        for one in pool.ranges:
            ranges.setdefault(RingId(pool.network, one.family), []).append(one.range)
    return {ring: union(ranges[ring]) for ring in sorted(ranges)}


def rings_of(pools: Iterable[Pool]) -> tuple[RingId, ...]:
    """The rings over those pools, sorted."""
    return tuple(domains_of(pools))


def hulls_of(pools: Iterable[Pool]) -> dict[RingId, Range]:
    """The range from the first to the last address of each ring over those pools, by ring, sorted."""
    return {ring: Range(domain[0].start, domain[-1].stop) for ring, domain in domains_of(pools).items()}


def shown_pools(views: Mapping[str, View], before: tuple[Pool, ...]) -> tuple[Pool, ...]:
    """The pools that there are, by the first daemon of these that serves; those before if none shows any."""
    shown = (view.pools for view in views.values() if view.serving and view.pools is not None)
    return next(shown, before)


def pools_at(pools: Iterable[Pool], address: tuple[RingId, Range]) -> list[Pool]:
    """Those that have some of a range of a ring, in their order."""
    ring, held = address
    return [
        pool
        for pool in pools
        if any(RingId(pool.network, one.family) == ring and one.range.meet(held) for one in pool.ranges)
    ]


def is_mixed(pool: Pool) -> bool:
    """Whether it has addresses of both families: daemons count those together, and clients want one."""
    return len({one.family for one in pool.ranges}) > 1


def size_of(pools: Iterable[Pool]) -> int:
    """How many addresses all those pools can give: without what is set aside, and each of one pool only."""
    pools = tuple(pools)
    lying = nest(pools)
    ranges = ((pool, one) for pool in pools for one in pool.ranges)
    return sum(free.size for pool, one in ranges for free in subtract(lying.left(pool, one), one.excluded))
