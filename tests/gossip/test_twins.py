"""Two processes that are one daemon."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from ring.ring import Peer
from weaveipam.gossip.members import Members
from weaveipam.gossip.twins import CASES_MAX, Twins
from weaveipam.protocol.effects import Report
from weaveipam.protocol.messages import Call, Elsewhere, End, Header, Here, Rumour, Step, Tell
from weaveipam.protocol.values import Endpoint, MemberState

A, LATER = Peer("a", 1), Peer("a", 2)
HOME, AWAY, THIRD = Endpoint("home", 1), Endpoint("away", 1), Endpoint("third", 1)


def header(life: Peer, endpoint: Endpoint) -> Header:
    """Of a packet."""
    return Header(bytes(8), life, endpoint)


@dataclass
class Process:
    """One process, and what it is told."""

    life: Peer
    endpoint: Endpoint
    number: int
    serving: bool = True
    twins: Twins = field(init=False)
    members: Members = field(init=False)

    def __post_init__(self) -> None:
        self.members = Members(self.life, self.endpoint, 0.0)
        self.twins = Twins(self.members, Random(self.number))
        self.twins.process = self.number
        self.twins.serving = self.serving

    @property
    def header(self) -> Header:
        """Of its packets."""
        return header(self.life, self.endpoint)

    def hear(self, other: Process, message: object, now: float = 1.0) -> list[Step]:
        """It gets a message of another process."""
        assert isinstance(message, Call | Here | Elsewhere)
        return self.twins.receive(other.header, message, now)


def member() -> Process:
    """A member that sees life `A` at home."""
    made = Process(Peer("m", 1), THIRD, 99)
    made.members.hear(Rumour(A, HOME, MemberState.ALIVE, 0), 0.0)
    return made


def deny(at: Process, asker: Process) -> dict[Endpoint, object]:
    """What a member says to whom when a process asks to be let in."""
    rival = at.twins.rival(asker.header)
    assert rival is not None
    steps = at.twins.deny(asker.header, rival, asker.number, serves=asker.serving)
    return {one.target: one.message for one in steps}


def told(steps: list[Step]) -> dict[Endpoint, object]:
    """Messages by whom they are for."""
    return {one.target: one.message for one in steps if isinstance(one, Tell)}


def proved(original: Process, copy: Process) -> tuple[list[Step], list[Step]]:
    """What both do once a member has let them prove that they are two."""
    at = member()
    said = deny(at, copy)
    copy.hear(at, said[copy.endpoint])
    here = told(original.hear(at, said[original.endpoint]))[THIRD]
    both = told(at.hear(original, here))
    back = both.get(original.endpoint)
    return original.hear(at, back) if back else [], copy.hear(at, both[copy.endpoint])


@pytest.mark.parametrize(
    ("original_serves", "copy_serves", "original_ends", "copy_ends"),
    [(True, False, False, True), (True, True, True, True), (False, False, False, True)],
)
def test_who_ends(
    original_serves: bool,
    copy_serves: bool,
    original_ends: bool,
    copy_ends: bool,
) -> None:
    """The copy ends; the original does if both have served, as neither knows what the other gave."""
    original, copy = Process(A, HOME, 1, original_serves), Process(A, AWAY, 2, copy_serves)
    here, there = proved(original, copy)

    assert original_ends == any(isinstance(one, End) for one in here)
    assert copy_ends == any(isinstance(one, End) for one in there)
    reported = [one.event for one in here if isinstance(one, Report)]
    assert (["clone"] if original_serves and not copy_serves else []) == reported


def test_a_daemon_that_moved_is_not_accused() -> None:
    """While nothing answers where it was it waits, and says what for."""
    at, moved = member(), Process(A, AWAY, 2, serving=False)
    said = deny(at, moved)

    assert moved.hear(at, said[AWAY]) == []
    assert moved.twins.denied_until > 1e9
    assert "home:1" in moved.twins.why
    at.members.hear(Rumour(A, HOME, MemberState.DEAD, 0), 2.0)
    assert at.twins.rival(moved.header) is None
    moved.twins.admitted(at.header)
    assert moved.twins.denied_until < 0


def test_another_life_waits_for_the_name() -> None:
    """A later life does not push out one that is there; it goes on waiting, and reports that once."""
    original, later = Process(A, HOME, 1), Process(LATER, AWAY, 2, serving=False)
    here, there = proved(original, later)

    assert not any(isinstance(one, End) for one in (*here, *there))
    for told in (here, there):
        assert ["name-in-use"] == [one.event for one in told if isinstance(one, Report)]
    assert 1.0 < later.twins.denied_until < 100.0


def test_late_answers_prove_nothing() -> None:
    """What another process was to be told, or answers a call of another one, ends nobody."""
    copy = Process(A, AWAY, 2)
    stale = Elsewhere(7, A, HOME, proved=True, serves=True)

    assert copy.hear(member(), stale) == []
    assert copy.twins.receive(header(A, HOME), Here(5, 1, serves=True), 1.0) == []


def test_two_that_serve_call_each_other() -> None:
    """One that hears of itself elsewhere calls there; the answer of another process is proof."""
    original, copy = Process(A, HOME, 1), Process(A, AWAY, 2)
    (call,) = original.twins.elsewhere(AWAY, 1.0)
    assert original.twins.elsewhere(AWAY, 1.5) == []
    here = told(copy.hear(original, call.message))[HOME]

    assert [End] == [type(one) for one in original.hear(copy, here)]
    assert [] == Process(A, HOME, 3, serving=False).twins.elsewhere(AWAY, 9.0)


def test_its_own_echo_proves_nothing() -> None:
    """A packet that comes back to whoever sent it, from another address, is no other process."""
    original = Process(A, HOME, 1)
    (call,) = original.twins.elsewhere(AWAY, 1.0)
    here = told(original.hear(original, call.message))[HOME]

    assert original.hear(original, here) == []


def test_calls_are_forgotten() -> None:
    """However many ask, a member remembers only the latest calls."""
    at, copy = member(), Process(A, AWAY, 2)
    first = deny(at, copy)[HOME]
    for _ in range(CASES_MAX):
        deny(at, copy)
    assert isinstance(first, Call)

    assert [] == at.hear(Process(A, HOME, 1), Here(first.call, 1, serves=True))
