"""
What it takes to have other pools than there are: which addresses are new, and which nobody has any more.

Pure.  Does not know who must agree, nor what is in use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from ring.address import Range, format_range, subtract, union
from weaveipam.allocation.campaign import Wanted
from weaveipam.protocol.decisions import Span
from weaveipam.protocol.requests import ChangePool, Reason, Refusal
from weaveipam.protocol.values import Pool, RingId


def clashes(pools: Collection[Pool]) -> list[str]:
    """What keeps these pools from being those of one cluster, a sentence for each thing."""
    names = sorted(pool.name for pool in pools)
    found = [f"there are two pools named {one}" for one, other in pairwise(names) if one == other]
    found += [f"pool {pool.name} has no ranges" for pool in pools if not pool.ranges]
    held = sorted(
        (RingId(pool.network, one.family), one.range, pool.name) for pool in pools for one in pool.ranges
    )
    both: dict[tuple[str, str], str] = {}
    for index, (ring, one, name) in enumerate(held):
        for other_ring, other, other_name in held[index + 1 :]:
            if other_ring != ring or other.start >= one.stop:
                break
            texts = [format_range(ring.family, each) for each in (one, other)]
            both[name, other_name] = (
                f"pools {name} ({texts[0]}) and {other_name} ({texts[1]}) overlap in network {ring.network}"
            )
    return [*found, *both.values()]


def wanted_for(change: ChangePool, pools: Sequence[Pool]) -> Wanted | Refusal | None:
    """
    What is to be decided for a change; a refusal if it cannot be; None if it is so already.

    Args:
        change: What somebody asks for.
        pools: Those there are.
    """
    held = next((pool for pool in pools if pool.name == change.name), None)
    if held == change.wanted:
        return None
    if held != change.base:
        return Refusal(Reason.CONFLICT, _meanwhile(change, held))
    others = [pool for pool in pools if pool.name != change.name]
    after = others if change.wanted is None else [*others, change.wanted]
    problems = clashes(after)
    if problems:
        return Refusal(Reason.CONFLICT, "; ".join(problems))
    if held is not None and change.wanted is not None and held.network != change.wanted.network:
        return Refusal(Reason.INVALID, f"a pool stays in its network; {held.name} is in {held.network}")
    return Wanted(
        put=() if change.wanted is None else (change.wanted,),
        drop=(change.name,) if change.wanted is None else (),
        founds=_beyond(after, pools),
        vacates=(*_beyond(pools, after), *_set_aside(held, change.wanted)),
    )


def _meanwhile(change: ChangePool, held: Pool | None) -> str:
    if held is None:
        return f"there is no pool {change.name}"
    if change.base is None:
        return f"there is another pool {change.name} already"
    return f"pool {change.name} was changed meanwhile; look at it, and say again what it shall be"


def _beyond(pools: Iterable[Pool], others: Iterable[Pool]) -> tuple[Span, ...]:
    """The addresses of some pools that no other has."""
    theirs, its = _ranges(others), _ranges(pools)
    spans = (Span(ring, subtract(its[ring], theirs.get(ring, ()))) for ring in sorted(its))
    return tuple(span for span in spans if span.ranges)


def _set_aside(before: Pool | None, after: Pool | None) -> tuple[Span, ...]:
    """The addresses that a pool has kept, but hands out no more."""
    if before is None or after is None:
        return ()
    spans = []
    for ring, ranges in sorted(_ranges([after], excluded=True).items()):
        was = _ranges([before], excluded=True).get(ring, ())
        kept = _ranges([before]).get(ring, ())
        fresh = [both for one in subtract(ranges, was) for other in kept if (both := one.meet(other))]
        if fresh:
            spans.append(Span(ring, union(fresh)))
    return tuple(spans)


def _ranges(pools: Iterable[Pool], *, excluded: bool = False) -> dict[RingId, tuple[Range, ...]]:
    held: dict[RingId, list[Range]] = {}
    for pool in pools:
        for one in pool.ranges:
            ranges = one.excluded if excluded else (one.range,)
            held.setdefault(RingId(pool.network, one.family), []).extend(ranges)
    return {ring: union(ranges) for ring, ranges in held.items()}
