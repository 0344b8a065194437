"""
What one node has found out of the blocks that it might put together: which are free in whole.

Does not know how owners are asked, nor how a block is collected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ring.address import Range
from ring.ring import Peer
from weaveipam.allocation.candidates import Candidate, Piece

WAVE_PIECES = 128
"""Pieces that are asked about at a time; of one candidate always all."""


@dataclass(slots=True, eq=False)
class Survey:
    """Of some candidates, as rings were when it began."""

    queue: list[Candidate] = field(default_factory=list)
    """Not looked at yet, the best first."""
    moves: int = 0
    """How often the ring had changed when candidates were looked for."""
    _wave: list[Candidate] = field(default_factory=list)
    """Being asked about."""
    _free: set[Piece] = field(default_factory=set)
    """Pieces that their owners have called free."""
    _asked: set[Piece] = field(default_factory=set)
    """Pieces that were asked about."""

    def more(self) -> dict[Peer, list[Range]]:
        """The next candidates' pieces that are not asked about yet, by owner; those are judged next."""
        unknown: dict[Peer, list[Range]] = {}
        count = 0
        while self.queue and (not count or count + len(self.queue[0].pieces) <= WAVE_PIECES):
            candidate = self.queue.pop(0)
            self._wave.append(candidate)
            for piece in candidate.pieces:
                if piece not in self._asked:
                    self._asked.add(piece)
                    unknown.setdefault(piece.owner, []).append(piece.what)
                    count += 1
        return unknown

    def told(self, owner: Peer, free: Iterable[Range]) -> None:
        """An owner says which of its pieces are free."""
        self._free.update(Piece(what, owner) for what in free)

    def judge(self) -> tuple[Candidate | None, tuple[Range, int] | None]:
        """
        Of the candidates that were asked about the best that is free, and how near any came.

        Returns:
            The candidate, or None.
            The block of which the most is free, the best of such, and how many addresses; None of none.
        """
        wave, self._wave = self._wave, []
        chosen = next((one for one in wave if self._free.issuperset(one.pieces)), None)
        near = max(((one.block, self._free_of(one)) for one in wave), key=lambda both: both[1], default=None)
        return chosen, near

    def _free_of(self, candidate: Candidate) -> int:
        here = sum(what.size for what in candidate.own)
        return here + sum(piece.what.size for piece in candidate.pieces if piece in self._free)
