"""
Aligned blocks that no owner has whole, and that several may be able to put together.

Does not know what is free at others, nor how pieces are collected.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from ring.address import Range
from ring.ring import Peer, Ring
from ring.space import Space
from weaveipam.allocation.donors import Goal


class Piece(NamedTuple):
    """Touching addresses of one other owner, within a candidate."""

    what: Range
    owner: Peer


class Candidate(NamedTuple):
    """An aligned block in which owners meet."""

    block: Range
    own: tuple[Range, ...]
    """What of it is this node's."""
    pieces: tuple[Piece, ...]
    """The rest, by address."""


def candidates(
    goal: Goal, ring: Ring, assignable: Sequence[Range], space: Space, me: Peer, there: Container[Peer]
) -> list[Candidate]:
    """
    The blocks of a goal's size that may be free in whole, those first of which the most is here.

    Of equal ones those of fewer owners come first, then those of fewer pieces, then the lower ones.

    Args:
        goal: What is looked for.
        ring: Who owns what.
        assignable: What of the ring can be allocated for this goal's part; sorted, disjoint.
        space: What of that is free here.
        me: This node.
        there: The other members that seem to be there.

    Cost: linear in the runs, not in the addresses.
    """
    found = []
    for block in _meeting(goal, ring, assignable):
        one = _candidate(block, ring, space, me, there)
        if one is not None:
            found.append(one)
    return sorted(found, key=_rank)


def _rank(one: Candidate) -> tuple[int, int, int, int]:
    owners = {piece.owner for piece in one.pieces}
    return -sum(what.size for what in one.own), len(owners), len(one.pieces), one.block.start


def _meeting(goal: Goal, ring: Ring, assignable: Sequence[Range]) -> Iterator[Range]:
    """The aligned blocks in which two owners' addresses touch, in order."""
    for area in assignable:
        last, before = -1, None
        for run in ring.within(area):
            start = run.start // goal.size * goal.size
            touches = before is not None and before.owner != run.owner
            if touches and last < start < run.start:
                last = start
                block = Range(start, start + goal.size)
                if area.covers(block) and (not goal.within or any(one.covers(block) for one in goal.within)):
                    yield block
            before = run


def _candidate(block: Range, ring: Ring, space: Space, me: Peer, there: Container[Peer]) -> Candidate | None:
    """A block by who owns what of it; None if it cannot be free in whole."""
    stretches: list[Piece] = []
    for run in ring.within(block):
        first = run.start
        if stretches and stretches[-1].owner == run.owner and stretches[-1].what.stop == first:
            first = stretches.pop().what.start
        stretches.append(Piece(Range(first, run.stop), run.owner))
    own = tuple(one.what for one in stretches if one.owner == me)
    pieces = tuple(one for one in stretches if one.owner != me)
    if sum(one.what.size for one in stretches) < block.size or any(one.owner not in there for one in pieces):
        return None
    if any(space.free_within(one) < one.size for one in own):
        return None
    return Candidate(block, own, pieces)
