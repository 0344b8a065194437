"""
Pools inside of pools: which one is whose parent, and what a parent has left.

Pure.  `protocol.nesting` has the rules; here are pools that keep to them.
Does not know what is free, nor who asks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ring.address import Family, Range, subtract
from weaveipam.protocol.nesting import Kind, Prefix
from weaveipam.protocol.values import Pool, PoolRange


@dataclass(frozen=True, slots=True)
class Nest:
    """How some pools lie in one another."""

    parents: Mapping[str, str]
    """The name of the pool directly above, by that of the pool; none for what is at the top."""
    children: Mapping[str, tuple[Range, ...]]
    """The ranges of the pools directly below, by the name of the pool; sorted, disjoint."""

    def left(self, pool: Pool, one: PoolRange) -> tuple[Range, ...]:
        """What of a range of a pool is its own, and in none of its children."""
        below = self.children.get(pool.name)
        return subtract((one.range,), below) if below else (one.range,)


def nest(pools: Iterable[Pool]) -> Nest:
    """
    How pools lie in one another.

    Invariant: there is nothing that clashes among them.
    Cost: n log n in the pools that have a kind; the others are in none, and none is in them.
    """
    nested = [
        (pool.network, one.family, one.range, pool.name) for pool in pools if pool.kind for one in pool.ranges
    ]
    nested.sort(key=lambda each: (each[0], each[1], each[2].start, -each[2].size, each[3]))
    parents: dict[str, str] = {}
    children: dict[str, list[Range]] = {}
    above: list[tuple[str, Family, Range, str]] = []
    for each in nested:
        network, family, what, name = each
        while above and not (above[-1][:2] == (network, family) and above[-1][2].covers(what)):
            above.pop()
        if above:
            parents[name] = above[-1][3]
            children.setdefault(above[-1][3], []).append(what)
        above.append(each)
    return Nest(parents, {name: tuple(ranges) for name, ranges in children.items()})


def prefix_of(pool: Pool) -> Prefix:
    """
    A pool of a kind as a prefix.

    Raises:
        ValueError: there is no such kind, or it is not one CIDR; says so.
    """
    kinds = ", ".join(Kind)
    if pool.kind not in list(Kind):
        raise ValueError(f"there is no kind {pool.kind}; there are: {kinds}")
    if len(pool.ranges) != 1:
        raise ValueError(
            f"a pool of a kind is one CIDR, and not {len(pool.ranges)} ranges; make several pools"
        )
    (one,) = pool.ranges
    prefix = Prefix(pool.name, Kind(pool.kind), one.family, one.range)
    if prefix.is_address:
        raise ValueError(
            f"{prefix.cidr} is one address, and a pool of a kind is a prefix; leave the kind out"
        )
    return prefix


def prefixes(pools: Collection[Pool], network: str) -> list[Prefix]:
    """The pools of a kind in a network, as prefixes, in their order; but none of a later release's kinds."""
    kinds = list(Kind)
    return [prefix_of(pool) for pool in pools if pool.network == network and pool.kind in kinds]


def moved(before: Collection[Pool], after: Collection[Pool]) -> Iterator[tuple[Pool, PoolRange, Range]]:
    """The addresses that a pool of a kind has before, and has not, or another pool has, after."""
    was, becomes = nest(before), nest(after)
    held = {pool.name: pool for pool in after}
    for pool in before:
        if not pool.kind:
            continue
        now = held.get(pool.name)
        kept = [] if now is None else [what for one in now.ranges for what in becomes.left(now, one)]
        for one in pool.ranges:
            for what in subtract(was.left(pool, one), kept):
                yield pool, one, what
