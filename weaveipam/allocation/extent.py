"""
The addresses of pools, and which of them are new, or are given up, where other pools take their place.

Pure.  Does not know who wants that, nor what is in use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ring.address import Range, subtract, union
from ring.ring import EMPTY, Ring
from weaveipam.allocation.nest import Nest, moved, nest
from weaveipam.protocol.decisions import Span
from weaveipam.protocol.values import Pool, RingId


def founded(before: Collection[Pool], after: Collection[Pool]) -> tuple[Span, ...]:
    """The addresses that belong to a pool for the first time; one span for each ring, sorted."""
    return _spans(_beyond(after, before))


def given_up(before: Collection[Pool], after: Collection[Pool]) -> tuple[Span, ...]:
    """
    The addresses that belong to no pool any more, or are to be handed out no more; as `founded`.

    Those too that pass between a pool of a kind and one that lies in it: who uses them has them of the first.
    """
    gone = _beyond(before, after)
    for pool, one, what in moved(before, after):
        ring = RingId(pool.network, one.family)
        gone[ring] = union((*gone.get(ring, ()), what))
    held, was = {pool.name: pool for pool in before}, nest(before)
    for pool in after:
        for ring, ranges in _set_aside(held.get(pool.name), pool, was).items():
            gone[ring] = union((*gone.get(ring, ()), *ranges))
    return _spans(gone)


def unsaid(pools: Collection[Pool], known: Mapping[RingId, Ring]) -> tuple[Span, ...]:
    """The addresses of pools that some rings say nothing of; as `founded`.  Cost: linear in their runs."""
    return _spans(
        {
            ring: subtract(ranges, (Range(run.start, run.stop) for run in known.get(ring, EMPTY)))
            for ring, ranges in _ranges(pools).items()
        }
    )


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """All these addresses, as `founded`."""
    ranges: dict[RingId, tuple[Range, ...]] = {}
    for one in spans:
        ranges[one.ring] = union((*ranges.get(one.ring, ()), *one.ranges))
    return _spans(ranges)


def _spans(ranges: dict[RingId, tuple[Range, ...]]) -> tuple[Span, ...]:
    return tuple(Span(ring, ranges[ring]) for ring in sorted(ranges) if ranges[ring])


def _beyond(pools: Iterable[Pool], others: Iterable[Pool]) -> dict[RingId, tuple[Range, ...]]:
    """The addresses of some pools that no other has."""
    theirs, its = _ranges(others), _ranges(pools)
    return {ring: subtract(ranges, theirs.get(ring, ())) for ring, ranges in its.items()}


def _set_aside(before: Pool | None, after: Pool, was: Nest) -> dict[RingId, list[Range]]:
    """The addresses that a pool has kept, and are its own, but it hands out no more."""
    if before is None or before == after:
        return {}
    excluded = _ranges([before], excluded=True)
    kept: dict[RingId, list[Range]] = {}
    for one in before.ranges:
        kept.setdefault(RingId(before.network, one.family), []).extend(was.left(before, one))
    return {
        ring: [
            both
            for one in subtract(ranges, excluded.get(ring, ()))
            for other in kept.get(ring, ())
            if (both := one.meet(other))
        ]
        for ring, ranges in _ranges([after], excluded=True).items()
    }


def _ranges(pools: Iterable[Pool], *, excluded: bool = False) -> dict[RingId, tuple[Range, ...]]:
    held: dict[RingId, list[Range]] = {}
    for pool in pools:
        for one in pool.ranges:
            ranges = one.excluded if excluded else (one.range,)
            held.setdefault(RingId(pool.network, one.family), []).extend(ranges)
    return {ring: union(ranges) for ring, ranges in held.items()}
