"""
The join of two rings.

Does not know whose ring is whose: both are values, and neither is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ring.address import Range
from ring.ring import Ring, Run, joined


class Conflict(NamedTuple):
    """Two statements on the same addresses with one token and two owners: never by the rules."""

    mine: Run
    theirs: Run
    """The same addresses as `mine`."""


class Merged(NamedTuple):
    """What came of a merge."""

    ring: Ring
    won: tuple[Run, ...]
    """What `theirs` said beyond `mine`: sorted, disjoint, clipped to where it won."""
    conflicts: tuple[Conflict, ...]
    """Sorted by address."""
    gone: tuple[Run, ...]
    """Runs of `mine` that the merged ring has no longer."""
    fresh: tuple[Run, ...]
    """Runs of the merged ring that `mine` had not."""


def merge(mine: Ring, theirs: Ring) -> Merged:
    """
    The least ring that knows everything both rings know.

    Address by address the higher (generation, epoch) wins.  Equal tokens are ordered by owner and author, so
    that the join is total; where the owners differ it is a conflict besides.

    Invariant: commutative, associative, idempotent, monotone; as to the ring.

    Cost: linear in the runs of `theirs` that are not in chunks shared with `mine`, each with a look-up in
        `mine` and, where it wins, a copy of the chunks it touches.

    Source: our own.  Differs from Weave Net's ring merge: that one joins token by token, may refuse, and
        never removes a token.

    >>> from ring.ring import Peer, Token
    >>> a, b = Peer("a", 1), Peer("b", 1)
    >>> mine = Ring.of([Run(0, 8, Token(0, 1), a, a)])
    >>> theirs = Ring.of([Run(4, 6, Token(0, 2), b, a), Run(6, 10, Token(0, 0), b, b)])
    >>> [(run.start, run.stop, run.owner.name) for run in merge(mine, theirs).ring]
    [(0, 4, 'a'), (4, 6, 'b'), (6, 8, 'a'), (8, 10, 'b')]
    """
    conflicts: list[Conflict] = []
    won = joined(_wins(mine, theirs, conflicts))
    if not won:
        return Merged(mine, (), tuple(conflicts), (), ())
    if not mine:
        return Merged(theirs, won, (), (), won)
    laid = mine.overlaid(won)
    return Merged(laid.ring, won, tuple(conflicts), laid.gone, laid.fresh)


def _wins(mine: Ring, theirs: Ring, conflicts: list[Conflict]) -> Iterator[Run]:
    """The pieces of `theirs` that win over `mine`, in order."""
    shared = {id(chunk) for chunk in mine.chunks}
    for chunk in theirs.chunks:
        if id(chunk) in shared:
            continue
        for run in chunk.runs:
            start = run.start
            for old in mine.within(Range(run.start, run.stop)):
                if start < old.start:
                    yield run.clipped(start, old.start)
                start = old.stop
                if old[2:] == run[2:]:
                    continue
                new = run.clipped(old.start, old.stop)
                if old.token == run.token and old.owner != run.owner:
                    conflicts.append(Conflict(old, new))
                if new[2:] > old[2:]:
                    yield new
            if start < run.stop:
                yield run.clipped(start, run.stop)
