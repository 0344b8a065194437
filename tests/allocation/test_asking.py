"""Questions to owners are repeated, and end once: answered, given up, or forgotten."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.asking import STRAYS_MAX, Asking
from weaveipam.allocation.donors import Goal
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import FreeHint, PieceRequest, PieceSurvey
from weaveipam.protocol.values import Endpoint, MemberState, RingId

YOU, THEY = Peer("you", 1), Peer("they", 1)
V4 = RingId("default", Family.V4)
GOAL, OTHER = Goal(Part("blue", V4), (), 32), Goal(Part("red", V4), (), 32)
SETTINGS = AllocationSettings()


@dataclass(frozen=True)
class Member:
    """Another peer."""

    peer: Peer
    present: bool = True

    @property
    def endpoint(self) -> Endpoint:
        """Its address is its name."""
        return Endpoint(self.peer.name, 1)


@dataclass
class Members:
    """Who is there."""

    those: dict[str, Member] = field(default_factory=dict)

    def alive(self) -> list[Member]:
        """All of them."""
        return list(self.those.values())

    def get(self, name: str) -> Member | None:
        """One of them."""
        return self.those.get(name)

    def state_of(self, _peer: Peer) -> MemberState | None:
        """Not known."""
        return None

    def hints_of(self, peer: Peer) -> tuple[FreeHint, ...]:
        """Nobody says anything."""
        assert peer.name in self.those
        return ()


@pytest.fixture
def members() -> Members:
    """Only one is there."""
    return Members({"you": Member(YOU)})


@pytest.fixture
def asking(members: Members) -> Asking:
    """Nobody was asked yet."""
    return Asking(SETTINGS, members)


def request(number: int) -> PieceRequest:
    """For some piece."""
    return PieceRequest(number, "blue", V4, Range(0, 4))


def test_an_answer_ends_a_question(asking: Asking) -> None:
    """Only the one who was asked answers, and once."""
    (told,) = asking.ask(GOAL, YOU, request(7), 1.0)
    assert told.target == Endpoint("you", 1)
    assert asking.awaits(GOAL)
    assert not asking.awaits(OTHER)
    assert asking.answered(7, THEY) is None
    assert asking.answered(8, YOU) is None
    question = asking.answered(7, YOU)

    assert question is not None
    assert question.goal == GOAL
    assert asking.answered(7, YOU) is None
    assert not asking.awaits(GOAL)
    assert math.inf == asking.wake_at


def test_who_is_not_there_is_not_asked(asking: Asking, members: Members) -> None:
    """Neither one that is unknown, nor one that seems dead, nor another life of who is there."""
    members.those["they"] = Member(THEY, present=False)
    for peer in (Peer("nobody", 1), THEY, Peer("you", 2)):
        assert asking.ask(GOAL, peer, request(7), 1.0) == []
    assert not asking.awaits(GOAL)


def test_silence_is_answered_by_repeats_and_then_given_up(asking: Asking) -> None:
    """A question is repeated as it is, at intervals; then it is over, and its answer comes too late."""
    first = asking.ask(GOAL, YOU, request(7), 1.0)
    for _ in range(SETTINGS.donor_tries - 1):
        again, over = asking.late(asking.wake_at)
        assert (again, over) == (first, [])
    again, over = asking.late(asking.wake_at)

    assert again == []
    assert [one.peer for one in over] == [YOU]
    assert asking.answered(7, YOU) is None


def test_who_is_gone_is_given_up_at_once(asking: Asking, members: Members) -> None:
    """There is nobody to repeat it to."""
    asking.ask(GOAL, YOU, request(7), 1.0)
    members.those.clear()
    again, over = asking.late(asking.wake_at)

    assert (again, len(over)) == ([], 1)


def test_a_late_grant_is_known_as_such(asking: Asking) -> None:
    """The number of a request that was given up is remembered until somebody asks, of a survey it is not."""
    asking.ask(GOAL, YOU, request(7), 1.0)
    asking.ask(OTHER, YOU, request(8), 1.0)
    asking.ask(GOAL, YOU, PieceSurvey(9, "blue", V4, (Range(0, 4),)), 1.0)
    asking.forget(GOAL)

    assert not asking.awaits(GOAL)
    assert asking.awaits(OTHER)
    assert [asking.strayed(number) for number in (7, 7, 8, 9)] == [True, False, False, False]


def test_few_late_grants_are_remembered(asking: Asking) -> None:
    """The oldest are forgotten first."""
    for number in range(STRAYS_MAX + 1):
        asking.ask(GOAL, YOU, request(number), 1.0)
    asking.forget(GOAL)

    assert not asking.strayed(0)
    assert asking.strayed(1)
