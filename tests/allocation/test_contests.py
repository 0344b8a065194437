"""Contested ranges by themselves."""

from __future__ import annotations

import pytest

from ring.address import Family, Range
from ring.merge import Conflict
from ring.ring import Peer, Run, Token
from weaveipam.allocation.contests import Contests, is_over, parted
from weaveipam.protocol.records import Frozen
from weaveipam.protocol.values import ContestStage, RingId

V4 = RingId("default", Family.V4)
ME, OTHER, THIRD = Peer("me", 1), Peer("other", 1), Peer("third", 1)


def run(start: int, stop: int, owner: Peer, epoch: int = 1, generation: int = 0) -> Run:
    """A statement by its owner."""
    return Run(start, stop, Token(generation, epoch), owner, owner)


def frozen(start: int, stop: int, stage: ContestStage = ContestStage.OPEN, other: Peer = OTHER) -> Frozen:
    """A range that two claim."""
    return Frozen(V4, Range(start, stop), run(start, stop, ME), run(start, stop, other), stage)


def test_what_is_known_is_not_found_again() -> None:
    """Of a conflict that overlaps a known one only the rest is new; one with a third is new as a whole."""
    contests = Contests()
    contests.change([frozen(4, 8)], ())
    overlapping = Conflict(run(6, 10, ME), run(6, 10, OTHER))
    third = Conflict(run(4, 8, THIRD), run(4, 8, ME))
    others = Conflict(run(0, 2, OTHER), run(0, 2, THIRD))
    fresh = contests.found(V4, [overlapping, third, others], ME)

    assert fresh == [frozen(8, 10), frozen(4, 8, other=THIRD)]
    contests.change(fresh, ())
    assert contests.ranges(V4) == (Range(4, 10),)
    assert contests.meeting(V4, Range(5, 6), OTHER) == [frozen(4, 8)]
    assert contests.meeting(RingId("blue", Family.V4), Range(5, 6)) == []


def test_both_sides_find_the_same() -> None:
    """Whichever of the two statements wins, each side remembers its own as its own."""
    mine, theirs = run(4, 8, ME), run(4, 8, OTHER)
    found = [Contests().found(V4, [Conflict(*pair)], ME)[0] for pair in ((mine, theirs), (theirs, mine))]

    assert [(one.mine, one.theirs) for one in found] == [(mine, theirs)] * 2


def test_parts_have_the_statements_of_their_addresses() -> None:
    """Splitting a contested range keeps the evidence of every piece."""
    inside, outside = parted(frozen(0, 10), Range(4, 20))

    assert inside == frozen(4, 10)
    assert outside == [frozen(0, 4)]
    assert parted(frozen(0, 4), Range(4, 8)) == (None, [frozen(0, 4)])


@pytest.mark.parametrize(
    ("stage", "said", "over"),
    [
        (ContestStage.OPEN, run(0, 8, OTHER), False),
        (ContestStage.OPEN, run(0, 8, OTHER, epoch=2), True),
        (ContestStage.OPEN, run(0, 8, THIRD, epoch=2), True),
        (ContestStage.OPEN, run(0, 8, ME, epoch=2), False),
        (ContestStage.KEEPING, run(0, 8, ME, epoch=2), False),
        (ContestStage.OPEN, run(0, 8, ME, generation=1), True),
        (ContestStage.YIELDED, run(0, 8, OTHER, epoch=2), True),
        (ContestStage.YIELDED, run(0, 8, OTHER, epoch=2)._replace(author=ME), False),
        (ContestStage.YIELDED, run(0, 8, THIRD, generation=1), True),
    ],
)
def test_what_ends_a_contest(stage: ContestStage, said: Run, over: bool) -> None:
    """A decision does, and the other side's later word; not what it gives to this one without more words."""
    assert is_over(frozen(2, 4, stage), said, ME) is over


def test_an_older_release_left_no_evidence() -> None:
    """A contest without statements is never over by itself."""
    assert not is_over(Frozen(V4, Range(0, 4)), run(0, 4, OTHER, epoch=9), ME)
    assert Frozen(V4, Range(0, 4)).other is None
