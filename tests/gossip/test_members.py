"""Which rumours are believed."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ring.address import Family
from ring.ring import Peer
from weaveipam.gossip.members import GONE_MAX, HINTS_MAX, OVERRIDES, REFUTATIONS_MAX, Age, Members, supersedes
from weaveipam.protocol.messages import FreeHint, Rumour
from weaveipam.protocol.values import Endpoint, MemberState

ALIVE, SUSPECT, DEAD, LEFT = MemberState
HERE = Endpoint("192.0.2.1", 6783)
THERE = Endpoint("192.0.2.2", 6783)
ME = Peer("me", 5)
HIM = Peer("him", 5)

RUMOURS = st.builds(
    Rumour,
    st.builds(Peer, st.sampled_from(["a", "b", "me"]), st.integers(4, 6)),
    st.sampled_from([HERE, THERE]),
    st.sampled_from(MemberState),
    st.integers(0, 2),
)

MODEST = settings(max_examples=50, deadline=None)  # a shared machine may be slow now and then


def table() -> Members:
    """The table of a daemon that has heard nothing."""
    return Members(ME, HERE, 0.0)


@pytest.mark.parametrize(("said", "held"), list(product(MemberState, repeat=2)))
@pytest.mark.parametrize("refutation", [0, 1, 2])
def test_the_table_is_the_order_of_refutation_and_state(
    said: MemberState, held: MemberState, refutation: int
) -> None:
    """Of one life the higher refutation supersedes, and at one refutation the graver state."""
    rumour, other = Rumour(HIM, THERE, said, refutation), Rumour(HIM, THERE, held, 1)

    assert ((refutation, said) > (1, held)) == supersedes(rumour, other)


def test_the_table_is_total() -> None:
    """There is a rule for each pair of states, and none asks for an older rumour."""
    assert set(OVERRIDES) == set(product(MemberState, repeat=2))
    assert set(OVERRIDES.values()) == {Age.SAME, Age.NEWER}


@given(RUMOURS, RUMOURS)
def test_of_two_different_rumours_one_supersedes(one: Rumour, other: Rumour) -> None:
    """Of two rumours about one life exactly one supersedes the other, unless they are equal."""
    other = replace(other, peer=one.peer)

    assert (one != other) == (supersedes(one, other) != supersedes(other, one))


@given(st.lists(RUMOURS, max_size=12).flatmap(lambda told: st.tuples(st.just(told), st.permutations(told))))
@MODEST
def test_the_order_of_arrival_does_not_matter(orders: tuple[list[Rumour], list[Rumour]]) -> None:
    """The same rumours in any order make the same table of the others."""
    tables = []
    for told in orders:
        members = table()
        for rumour in told:
            members.hear(rumour, 1.0)
        tables.append([one.rumour() for one in members.all()])

    assert tables[0] == tables[1]
    assert members.alive_count == len(members.alive())


@given(st.lists(RUMOURS, max_size=12))
@MODEST
def test_no_rumour_is_news_twice(told: list[Rumour]) -> None:
    """Whatever is heard again changes nothing."""
    members = table()
    for rumour in told:
        members.hear(rumour, 1.0)

    assert [None] * len(told) == [members.hear(rumour, 2.0) for rumour in told]


@given(st.lists(RUMOURS, max_size=12))
@MODEST
def test_nothing_said_of_me_sticks(told: list[Rumour]) -> None:
    """A daemon that has not left believes itself alive where it is, above all that was said of this life."""
    members = table()
    for rumour in told:
        members.hear(rumour, 1.0)

    assert (ME, HERE, ALIVE) == (members.me.peer, members.me.endpoint, members.me.state)
    assert not any(supersedes(one, members.me.rumour()) for one in told if one.peer == ME)


def test_a_refutation_is_one_above_what_it_contradicts() -> None:
    """Called suspect, a daemon goes one above that rumour, and does not do so again for the same one."""
    members = table()

    change = members.hear(Rumour(ME, HERE, SUSPECT, 3), 1.0)

    assert change is not None
    assert Rumour(ME, HERE, ALIVE, 4) == change.after.rumour()
    assert members.hear(Rumour(ME, HERE, DEAD, 3), 2.0) is None


def test_an_earlier_process_of_this_life_is_no_contradiction() -> None:
    """A true rumour about this daemon only lifts its refutation to what its last process had reached."""
    members = table()

    members.hear(Rumour(ME, HERE, ALIVE, 3), 1.0)

    assert Rumour(ME, HERE, ALIVE, 3) == members.me.rumour()


def test_having_left_is_not_refuted() -> None:
    """A daemon that has left says so of itself, whatever it is called."""
    members = table()
    members.leave(1.0)

    members.hear(Rumour(ME, HERE, SUSPECT, 2), 2.0)

    assert LEFT is members.me.state


def test_a_later_life_replaces_the_earlier_one() -> None:
    """A higher incarnation takes the name over; the earlier life is dead, and ignored from then on."""
    members = table()
    members.hear(Rumour(HIM, THERE, ALIVE, 7), 1.0)

    members.hear(Rumour(Peer("him", 6), HERE, ALIVE, 0), 2.0)

    assert members.hear(Rumour(HIM, THERE, SUSPECT, 9), 3.0) is None
    assert DEAD is members.state_of(HIM)
    assert ALIVE is members.state_of(Peer("him", 6))
    assert members.state_of(Peer("him", 7)) is None
    assert members.state_of(Peer("unheard", 1)) is None


@given(st.permutations([Rumour(HIM, THERE, LEFT, 0), Rumour(Peer("him", 6), THERE, ALIVE, 0)]))
def test_who_has_left_and_come_back_has_left(told: list[Rumour]) -> None:
    """That an earlier life has left is known although a later one is there, whichever is heard of first."""
    members = table()
    for rumour in told:
        members.hear(rumour, 1.0)

    assert (LEFT, ALIVE) == (members.state_of(HIM), members.state_of(Peer("him", 6)))
    assert DEAD is members.state_of(Peer("him", 4))


def test_hearsay_of_the_gone_is_told_to_nobody() -> None:
    """Who hears only that an unknown member is gone believes it, and tells nobody until it sees it there."""
    members = table()
    change = members.hear(Rumour(HIM, THERE, DEAD, 1), 1.0)

    assert change is not None
    assert not change.after.witnessed
    assert members.rumours() == (members.me.rumour(),)
    assert members.hear(Rumour(HIM, THERE, ALIVE, 1), 2.0) is None

    for state in (ALIVE, LEFT):
        members.hear(Rumour(HIM, THERE, state, 2), 3.0)
        assert Rumour(HIM, THERE, state, 2) in members.rumours()


def test_the_gone_are_forgotten_in_their_order() -> None:
    """Those that died or left by a time are forgotten with their hints; those that came back are not."""
    members = table()
    hints = (FreeHint("default", Family.V4, 9),)
    for at, name in enumerate("abcd"):
        members.hear(Rumour(Peer(name, 1), THERE, ALIVE, 0), at)
        members.note_hints(Peer(name, 1), hints)
        members.hear(Rumour(Peer(name, 1), THERE, LEFT if name == "b" else DEAD, 0), 10.0 + at)
    members.hear(Rumour(Peer("a", 1), THERE, ALIVE, 1), 20.0)
    members.hear(Rumour(Peer("b", 1), THERE, LEFT, 1), 30.0)  # known already, so no later departure

    assert ["c", "d"] == members.dead()
    assert members.forget(10.9) == []
    assert members.forget(12.0) == ["b", "c"]
    assert members.get("b") is None
    assert ["a", "d"] == [one.peer.name for one in members.all()]
    assert members.hints_of(Peer("c", 1)) == ()
    assert members.forget(19.0) == ["d"]
    assert members.forget(1e9) == []


def test_the_memory_of_the_gone_is_bounded() -> None:
    """Of too many that are gone the first are forgotten at once."""
    members = table()
    for index in range(GONE_MAX + 2):
        members.hear(Rumour(Peer(f"n{index}", 1), THERE, DEAD, 0), 1.0)

    assert members.forget(0.0) == ["n0", "n1"]


def test_some_are_drawn_from_those_there() -> None:
    """Random members are different ones that are alive or suspect; all of them if there are not so many."""
    members = table()
    for index, state in enumerate(MemberState):
        for copy in range(3):
            members.hear(Rumour(Peer(f"n{index}{copy}", 1), THERE, state, 0), 1.0)
    drawn = [frozenset(one.peer.name for one in members.some(Random(seed), 2)) for seed in range(30)]

    assert {2} == {len(one) for one in drawn}
    assert frozenset.union(*drawn) == {one.peer.name for one in members.some(Random(1), 9)}
    assert len(members.some(Random(1), 9)) == 6


def test_members_are_sorted_and_the_gone_are_not_alive() -> None:
    """`alive` is the alive and the suspect by name, `all` everybody else too, `rumours` what may be told."""
    members = table()
    for name, state in (("z", ALIVE), ("x", SUSPECT), ("y", DEAD), ("b", LEFT)):
        members.hear(Rumour(Peer(name, 1), THERE, state, 0), 1.0)

    assert ["x", "z"] == [one.peer.name for one in members.alive()]
    assert ["b", "x", "y", "z"] == [one.peer.name for one in members.all()]
    assert ["me", "x", "z"] == [one.peer.name for one in members.rumours()]
    assert {THERE} == members.endpoints()
    assert members.get("me") is members.me
    assert members.get("unheard") is None


def test_since_is_the_last_change_of_state_or_life() -> None:
    """A higher refutation in one state keeps the time of the last change; another state or life does not."""
    members = table()
    seen = []
    for now, peer, state, refutation in (
        (1.0, HIM, ALIVE, 0),
        (2.0, HIM, ALIVE, 1),
        (3.0, HIM, SUSPECT, 1),
        (4.0, HIM, SUSPECT, 2),
        (5.0, Peer("him", 6), SUSPECT, 0),
    ):
        members.hear(Rumour(peer, THERE, state, refutation), now)
        member = members.get("him")
        assert member is not None
        seen.append(member.since)

    assert [1.0, 1.0, 3.0, 3.0, 5.0] == seen


def test_a_refutation_out_of_bounds_is_ignored() -> None:
    """A rumour whose refutation could not be raised within a packet's limits changes nothing."""
    members = table()

    assert members.hear(Rumour(ME, HERE, DEAD, REFUTATIONS_MAX + 1), 1.0) is None
    assert members.hear(Rumour(HIM, HERE, ALIVE, REFUTATIONS_MAX + 1), 1.0) is None
    assert members.all() == ()


def test_hints_are_of_one_life() -> None:
    """What a life could give away is remembered for it alone, and only if it is known."""
    members = table()
    hints = (FreeHint("default", Family.V4, 9),)
    members.note_hints(HIM, hints)

    assert members.hints_of(HIM) == ()

    members.hear(Rumour(HIM, THERE, ALIVE, 0), 1.0)
    members.note_hints(HIM, hints)

    assert hints == members.hints_of(HIM)
    assert members.hints_of(Peer("him", 6)) == ()

    members.hear(Rumour(Peer("him", 6), THERE, ALIVE, 0), 2.0)

    assert members.hints_of(HIM) == ()
    assert members.hints_of(Peer("him", 6)) == ()


def test_hints_are_bounded() -> None:
    """Of more hints than any datagram holds only the first are remembered."""
    members = table()
    members.hear(Rumour(HIM, THERE, ALIVE, 0), 0.0)
    hints = tuple(FreeHint(f"p{number}", Family.V4, 1) for number in range(HINTS_MAX + 5))
    members.note_hints(HIM, hints)

    assert members.hints_of(HIM) == hints[:HINTS_MAX]
