"""Which of several blocks is free in whole, by what their owners say."""

from __future__ import annotations

from ring.address import Range
from ring.ring import Peer
from weaveipam.allocation.candidates import Candidate, Piece
from weaveipam.allocation.survey import WAVE_PIECES, Survey

A, B = Peer("a", 1), Peer("b", 1)
FIRST = Candidate(Range(0, 4), (Range(0, 2),), (Piece(Range(2, 4), A),))
SECOND = Candidate(Range(4, 8), (Range(4, 5),), (Piece(Range(5, 7), A), Piece(Range(7, 8), B)))
THIRD = Candidate(Range(0, 8), (Range(0, 2), Range(4, 5)), (*FIRST.pieces, *SECOND.pieces))


def test_the_first_that_is_free_in_whole_is_chosen() -> None:
    """Also if others are free as well; what is free of none in whole is not enough."""
    it = Survey([FIRST, SECOND])
    assert {A: [Range(2, 4), Range(5, 7)], B: [Range(7, 8)]} == it.more()
    it.told(A, [Range(2, 4), Range(5, 7)])
    it.told(B, [Range(7, 8)])
    assert (FIRST, (FIRST.block, 4)) == it.judge()

    it = Survey([FIRST, SECOND])
    it.more()
    it.told(B, [Range(7, 8), Range(5, 7)])
    assert (None, (FIRST.block, 2)) == it.judge(), "the pieces of one owner are not another one's"


def test_nothing_is_asked_or_judged_twice() -> None:
    """A piece of two candidates is asked about once, and what was judged is not looked at again."""
    it = Survey([FIRST, SECOND, THIRD])
    asked = it.more()
    assert 3 == sum(map(len, asked.values()))
    it.judge()
    assert ({}, (None, None)) == (it.more(), it.judge())


def test_a_wave_has_a_limit() -> None:
    """Candidates with more pieces than that follow later, but one at least is in each wave."""
    pieces = tuple(Piece(Range(2 * n, 2 * n + 1), A) for n in range(WAVE_PIECES + 1))
    large = Candidate(Range(0, 512), (), pieces)
    it = Survey([FIRST, large, SECOND])
    counts = []
    while it.queue:
        counts.append(sum(map(len, it.more().values())))
        it.judge()

    assert [1, WAVE_PIECES + 1, 2] == counts
