"""Marks: what others remember of what a daemon gave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ring.ring import Peer
from weaveipam.allocation.marks import LOOK_S, REPEAT_S, WITNESSES, Marks
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.gossip.members import Members
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import End, Header, Mark, Marked, Rumour, Tell
from weaveipam.protocol.records import Noted
from weaveipam.protocol.values import Endpoint, MemberState

ME = Peer("me", 5)
SETTINGS = AllocationSettings(mark_s=1.0)


def header(peer: Peer) -> Header:
    """Of a packet from a peer."""
    return Header(bytes(8), peer, Endpoint(peer.name, 1))


@dataclass
class World:
    """A daemon and its members, all of whom answer when they are told to."""

    names: tuple[str, ...] = ("a", "b", "c", "d", "e")
    me: Peer = ME
    members: Members = field(init=False)
    marks: Marks = field(init=False)

    def __post_init__(self) -> None:
        self.members = Members(self.me, Endpoint("me", 1), 0.0)
        for name in self.names:
            self.hear(name, MemberState.ALIVE)
        self.marks = Marks(self.me, SETTINGS, self.members)

    def hear(self, name: str, state: MemberState) -> None:
        """Something is said of a member."""
        self.members.hear(Rumour(Peer(name, 1), Endpoint(name, 1), state, 0), 0.0)

    def told(self, steps: Iterable[object]) -> set[str]:
        """Who is told a mark."""
        return {step.target.host for step in steps if isinstance(step, Tell) and type(step.message) is Mark}

    def answer(self, name: str, mark: int) -> list[End | Tell]:
        """A member says what it remembers."""
        return self.marks.marked(header(Peer(name, 1)), Marked(self.me, mark), serving=True)


def test_what_is_given_is_noted_once_in_a_while_and_then_told() -> None:
    """However much is given in a second is one mark, on stable storage before it is told."""
    it = World()
    it.marks.gave(10.0)
    it.marks.gave(10.5)
    assert it.marks.wake_at == 11.0
    assert it.marks.wake(10.9) == []
    first, *rest = it.marks.wake(11.0)

    assert isinstance(first, Persist)
    assert (Noted(ME, 1),) == first.put
    assert Durability.HOST is first.durability
    assert WITNESSES == len(it.told(rest)) == len(rest)
    assert it.marks.wake_at > 1e9


def test_who_does_not_answer_is_told_again() -> None:
    """Witnesses that said that they remember are left alone, the others are not."""
    it = World()
    it.marks.gave(0.0)
    first, *others = sorted(it.told(it.marks.wake(1.0)))
    assert it.answer(first, 1) == []
    assert set(others) == it.told(it.marks.wake(1.0 + REPEAT_S))
    for one in others:
        it.answer(one, 1)

    assert it.marks.known
    assert it.marks.wake(1.0 + 2 * REPEAT_S) == []


def test_who_takes_the_place_of_a_witness_is_told() -> None:
    """When a witness is dead another member is made one, though nothing was given since."""
    it = World()
    it.marks.gave(0.0)
    witnesses = it.told(it.marks.wake(1.0))
    for one in witnesses:
        it.answer(one, 1)
    it.marks.wake(1.0 + REPEAT_S)
    it.hear(min(witnesses), MemberState.DEAD)
    fresh = it.told(it.marks.wake(1.0 + REPEAT_S + LOOK_S))

    assert 1 == len(fresh)
    assert fresh.isdisjoint(witnesses)


def test_the_next_process_asks_the_same() -> None:
    """Witnesses follow from names alone, and differ from daemon to daemon."""
    asked = [World(me=Peer(f"n{number}", 1)).marks.ask() for number in range(20)]
    again = [World(me=Peer(f"n{number}", 1)).marks.ask() for number in range(20)]

    assert asked == again
    assert len({frozenset(World().told(one)) for one in asked}) > 3


def test_a_restart_goes_on_from_its_disk() -> None:
    """The own mark is that of this life; those of others are kept."""
    it = World()
    it.marks.restore([Noted(ME, 7), Noted(Peer("a", 1), 3)], 0.0)
    other = World(me=Peer("me", 6))
    other.marks.restore([Noted(ME, 7)], 0.0)

    assert (7, 0) == (it.marks.mark, other.marks.mark)
    assert [Tell(Endpoint("a", 1), Marked(Peer("a", 1), 3))] == it.marks.note(header(Peer("a", 1)), Mark(2))


def test_a_disk_that_went_back_is_found_out() -> None:
    """A higher mark than the own one ends this life; a lower one, and that of another life, does not."""
    it = World()
    it.marks.restore([Noted(ME, 7)], 0.0)

    assert [] == it.answer("a", 7)
    assert [] == it.marks.marked(header(Peer("a", 1)), Marked(Peer("me", 4), 9), serving=False)
    assert [End] == [type(one) for one in it.answer("a", 8)]


def test_what_it_gave_alone_hides_nothing() -> None:
    """Who raised its mark while nobody could be asked is still told that it began with too low a one."""
    it = World()
    it.marks.restore([Noted(ME, 7)], 0.0)
    for now in (1.0, 3.0):
        it.marks.gave(now)
        it.marks.wake(now + 1.0)
    (asked,) = {one.message for one in it.marks.ask()}

    assert Mark(7) == asked
    assert [Tell(Endpoint("a", 1), Mark(9))] == it.answer("a", 7)
    assert [End] == [type(one) for one in it.answer("b", 8)]


def test_another_life_of_a_witness_may_know_all() -> None:
    """A witness that begins another life still remembers what this very process told it, which is no news."""
    it = World()
    it.marks.restore([Noted(ME, 7)], 0.0)
    it.answer("a", 7)
    it.marks.gave(0.0)
    it.marks.wake(1.0)

    assert [] == it.marks.marked(header(Peer("a", 2)), Marked(ME, 8), serving=True)


def test_a_later_life_is_heard_of_before_it_serves() -> None:
    """Who does not serve yet begins a life after the latest that is known; who serves is not outdone."""
    it, later = World(), Peer("me", 9)
    told = Marked(later, 0)

    assert [later] == [
        one.later
        for one in it.marks.marked(header(Peer("a", 1)), told, serving=False)
        if isinstance(one, End)
    ]
    assert [] == it.marks.marked(header(Peer("a", 1)), told, serving=True)


def test_a_witness_remembers_the_highest() -> None:
    """Marks of one life only grow, those of a later life replace them, and an earlier life gets no answer."""
    it, a = World(), Peer("a", 1)
    for mark, known in ((3, 3), (2, 3), (5, 5)):
        *noted, tell = it.marks.note(header(a), Mark(mark))
        assert tell == Tell(Endpoint("a", 1), Marked(a, known))
        assert bool(noted) == (mark == known)
    it.marks.note(header(Peer("a", 2)), Mark(0))

    assert [] == it.marks.note(header(a), Mark(9))
