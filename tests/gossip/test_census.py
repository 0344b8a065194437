"""The members as a table: what is compared, and what is said where it differs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.ring import Peer
from weaveipam.gossip.census import PLACES, Census
from weaveipam.gossip.members import Members
from weaveipam.protocol import codec
from weaveipam.protocol.messages import MemberShare, Rumour
from weaveipam.protocol.values import Endpoint, MemberState

ALIVE, SUSPECT, DEAD, LEFT = MemberState


def digests(peer: Peer, endpoint: Endpoint, refutation: int) -> tuple[int, int]:
    """As a node makes them."""
    place, digest = codec.member_digest(peer, endpoint, refutation, b"key")
    return place % PLACES, digest


class Table:
    """The members as one daemon sees them, and their census."""

    def __init__(self, name: str) -> None:
        self.members = Members(Peer(name, 1), Endpoint(name, 1), 0.0)
        self.census = Census(self.members, digests)

    def hear(self, *rumours: Rumour) -> None:
        """Believe what supersedes."""
        for rumour in rumours:
            change = self.members.hear(rumour, 0.0)
            if change is not None:
                self.census.note(change)

    @property
    def all(self) -> MemberShare:
        """All that there is to share."""
        return self.census.share(0, PLACES)


def said(name: str, state: MemberState = ALIVE, refutation: int = 0, incarnation: int = 1) -> Rumour:
    """A rumour."""
    return Rumour(Peer(name, incarnation), Endpoint(name, 1), state, refutation)


RUMOURS = st.lists(
    st.builds(
        said, st.sampled_from("cdefgh"), st.sampled_from(MemberState), st.integers(0, 2), st.integers(1, 2)
    )
)


@given(RUMOURS)
def test_the_fingerprint_is_that_of_what_is_believed(rumours: list[Rumour]) -> None:
    """Change by change, sums and counts stay those of the members that are there now."""
    table = Table("a")
    table.hear(*rumours)
    fresh = Census(table.members, digests)
    there = [one for one in table.members.all() if one.present]

    assert table.census.fingerprint == fresh.fingerprint == table.census.total(0, PLACES)
    assert table.census.count(0, PLACES) == 1 + len(there)


@given(RUMOURS, RUMOURS)
def test_sharing_all_both_ways_brings_both_to_one_fingerprint(one: list[Rumour], other: list[Rumour]) -> None:
    """Who shares all, and is told and tells what was lacking, sees the same members; the gone stay gone."""
    a, b = Table("a"), Table("b")
    a.hear(*one, said("b"))
    b.hear(*other, said("a"))
    told: MemberShare | None = a.all
    speaker, hearer, messages = a, b, 0
    while told is not None:
        hearer.hear(*told.rumours)
        told = hearer.census.lacking(told)
        speaker, hearer, messages = hearer, speaker, messages + 1

    for knows, suspects in ((a, b), (b, a)):  # as in time those suspected turn out to be dead
        for member in knows.members.all():
            held = suspects.members.get(member.peer.name)
            if member.state is DEAD and held is not None and held.state is SUSPECT:
                suspects.hear(member.rumour())

    assert messages <= 4
    assert a.census.fingerprint == b.census.fingerprint
    assert b.census.lacking(a.all) is None


def test_the_gone_and_the_suspected_make_no_difference() -> None:
    """Deaths that one has forgotten, and suspicions, are nothing to exchange anything for."""
    a, b = Table("a"), Table("b")
    a.hear(said("b"), said("c", SUSPECT), said("d", DEAD), said("e", LEFT))
    b.hear(said("a"), said("c"))

    assert a.census.fingerprint == b.census.fingerprint
    assert {"a", "b", "c"} == {one.peer.name for one in a.all.rumours}


def test_who_believes_the_gone_to_be_there_is_told() -> None:
    """A share that names a member who is dead here is answered with a suspicion, not with a resurrection."""
    a, b = Table("a"), Table("b")
    a.hear(said("b"), said("d", DEAD, refutation=3))
    b.hear(said("a"), said("d", ALIVE, refutation=3))
    a.hear(*b.all.rumours)
    lacking = a.census.lacking(b.all)

    assert lacking is not None
    assert (said("d", SUSPECT, refutation=3),) == lacking.rumours
    assert a.members.state_of(Peer("d", 1)) is DEAD
    assert replace(lacking, rumours=()) == MemberShare(0, PLACES, False, ())


def test_two_who_know_of_a_death_do_not_tell_each_other_for_ever() -> None:
    """A suspicion of one who is dead here is answered with nothing, as no more would be told of it."""
    a = Table("a")
    a.hear(said("d", DEAD, refutation=3))

    assert a.census.lacking(MemberShare(0, PLACES, False, (said("d", SUSPECT, refutation=3),))) is None


def test_parts_are_all_of_it() -> None:
    """Whatever it is cut into, every member is in exactly one part."""
    table = Table("a")
    table.hear(*(said(f"n{number}") for number in range(300)))
    cuts = [0, *table.census.cuts(0, PLACES, 16), PLACES]
    shares = [table.census.share(low, high) for low, high in pairwise(cuts)]

    assert sorted(cuts) == cuts
    assert len(cuts) == 17
    assert sum(len(one.rumours) for one in shares) == 301
    assert {one.peer.name for part in shares for one in part.rumours} >= {"a", "n0", "n299"}
    assert table.census.cuts(5, 6, 16) == []


@pytest.mark.slow
def test_sharing_part_by_part_takes_no_longer_than_all_at_once() -> None:
    """What a part costs follows who is in it, not who is in the cluster."""
    table = Table("a")
    table.hear(*(said(f"n{number}") for number in range(5000)))
    began_s = process_time()
    shares = [table.census.share(place, place + 1) for place in range(PLACES)]

    assert process_time() - began_s < 0.5
    assert sum(len(one.rumours) for one in shares) == 5001
