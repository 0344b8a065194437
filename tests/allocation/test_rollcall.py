"""What a member answers to those who call for a decision, and how it keeps up with others."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.rollcall import CLOSURE_INTERVAL_S, RollCall
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.gossip.members import Members
from weaveipam.protocol.decisions import Ballot, Charter, Decree, Removal
from weaveipam.protocol.effects import Persist
from weaveipam.protocol.messages import End, Header, Message, Rumour, Step, Tell
from weaveipam.protocol.rollcalls import (
    Accept,
    Accepted,
    CharterShare,
    Closure,
    Decided,
    Declined,
    Enrol,
    Enrolled,
    Objection,
    Postponed,
    Prepare,
    Promise,
)
from weaveipam.protocol.values import Birth, Endpoint, MemberState, Pool, PoolRange, RingId

ME, B, C, DEAD, NEW = (Peer(name, 1) for name in ("a", "b", "c", "dead", "new"))
RING = RingId("default", Family.V4)
BIRTH = Birth(bytes(16), (ME, B, C, DEAD), (Pool("p", "default", (PoolRange(Family.V4, Range(0, 64), 26),)),))
SETTINGS = AllocationSettings(inquiry_s=1.0, heard_s=5.0)
BALLOT = Ballot(1, 1, B)
PREPARE = Prepare(1, BALLOT, (DEAD,), 1, (), 0)
ACCEPT = Accept(1, BALLOT, Decree((DEAD,), (), (ME, B, C)), ())


def member(me: Peer = ME, *there: Peer) -> RollCall:
    """One that was just bound to the cluster, and sees some others."""
    holdings = Holdings(me, SETTINGS)
    holdings.adopt(BIRTH)
    members = Members(me, Endpoint(me.name, 1), 0.0)
    for one in there:
        members.hear(Rumour(one, Endpoint(one.name, 1), MemberState.ALIVE, 0), 0.0)
    it = RollCall(me, SETTINGS, members, holdings, Random(1))
    it.take(BIRTH, (), 0.0)
    return it


def hear(it: RollCall, message: object, sender: Peer = B, now: float = 100.0) -> list[Step]:
    """What follows from a message."""
    return it.receive(Header(bytes(8), sender, Endpoint(sender.name, 1)), message, now)  # type: ignore[arg-type]  # of some kind


def said(steps: list[Step]) -> list[Message]:
    """What it says."""
    return [one.message for one in steps if isinstance(one, Tell)]


def decided(it: RollCall) -> None:
    """One decision is made with this member."""
    hear(it, PREPARE)
    hear(it, ACCEPT)
    hear(it, Decided(1))


def test_it_promises_once_the_promise_is_on_disk() -> None:
    """The record stands before the answer, which has all that is known of what the fenced own."""
    persist, told = hear(member(), PREPARE)

    assert isinstance(persist, Persist)
    assert isinstance(told, Tell)
    assert isinstance(told.message, Promise)
    assert {DEAD} == {run.owner for one in told.message.statements for run in one.runs}


def test_a_repeated_call_gets_the_same_answer() -> None:
    """A doubled call, and one whose answer was lost, change nothing and are answered again."""
    it = member()
    first = said(hear(it, PREPARE))

    assert [first, []] == [said(steps := hear(it, PREPARE)), [one for one in steps if type(one) is Persist]]


def test_it_accepts_what_it_has_promised_and_nothing_else() -> None:
    """A call that it has not promised is declined, the promised one accepted, again if it is repeated."""
    it = member()
    (declined,) = said(hear(it, ACCEPT))
    assert isinstance(declined, Declined)
    assert Objection.BALLOT is declined.why

    hear(it, PREPARE)
    assert [Accepted(1, BALLOT)] == said(hear(it, ACCEPT)) == said(hear(it, ACCEPT))


def test_it_goes_on_to_the_next_decision() -> None:
    """Who is asked for the second has made the first, whether or not it was told so."""
    it = member()
    hear(it, PREPARE)
    hear(it, ACCEPT)
    (told,) = said(hear(it, Prepare(2, Ballot(0, 1, C), (), 1, (), 0), C))

    assert isinstance(told, Promise)
    assert 1 == it.number


def test_who_is_behind_gets_the_charter() -> None:
    """Who asks for a decision that was made is told so, and what decisions have made of the cluster."""
    it = member()
    decided(it)
    declined, share = said(hear(it, PREPARE, C))

    assert isinstance(declined, Declined)
    assert Objection.DECIDED is declined.why
    assert CharterShare(it.seat.ledger.charter) == share
    assert [share] == said(hear(it, Decided(0), C)) == said(hear(it, Enrol(0), NEW))
    assert [] == said(hear(it, Decided(1), C))


def test_who_lacks_a_decision_asks_for_it() -> None:
    """On hearing of more decisions than it knows it says how many it knows."""
    assert [Decided(0)] == said(hear(member(), Decided(3)))


@pytest.mark.parametrize(
    "message",
    [
        replace(PREPARE, fenced=(ME,)),
        replace(ACCEPT, decree=replace(ACCEPT.decree, victims=(ME,))),
        Closure((ME,)),
        CharterShare(Charter(2, (B, C), BIRTH.pools, (Removal(2, ME),))),
        CharterShare(Charter(2, (B, C), BIRTH.pools)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_whose_life_is_over_stops(message: Message) -> None:
    """Who hears that it is fenced or removed, or that decisions were made without it, knows by whom."""
    it = member()

    (end,) = hear(it, message)
    assert isinstance(end, End)
    assert f"says {B.name}" in end.why


def test_a_closure_of_others_ends_nothing() -> None:
    """It names who is meant."""
    it = member()
    assert [] == hear(it, Closure((C, DEAD)))


def test_whose_life_is_over_is_told_so_when_it_speaks() -> None:
    """Any packet of a fenced one is answered, but not all of many."""
    it = member()
    hear(it, PREPARE)
    header = Header(bytes(8), DEAD, Endpoint("dead", 1))
    soon = 100.0 + CLOSURE_INTERVAL_S / 2

    assert [Closure((DEAD,))] == said(it.heard(header, 100.0))
    assert [] == it.heard(header, soon)
    assert [Closure((DEAD,))] == said(it.heard(header, soon + CLOSURE_INTERVAL_S))


def test_it_objects_to_the_removal_of_whom_it_hears() -> None:
    """For a while after a packet; then no more, and at once if an operator insists."""
    it = member()
    it.heard(Header(bytes(8), DEAD, Endpoint("dead", 1)), 99.0)
    (declined,) = said(hear(it, PREPARE))
    assert isinstance(declined, Declined)
    assert (Objection.HEARD, (DEAD,)) == (declined.why, declined.closed)

    assert [Promise] == [type(one) for one in said(hear(it, replace(PREPARE, forced=(DEAD,))))]
    assert [Promise] == [type(one) for one in said(hear(it, PREPARE, now=104.5))]


def test_an_elector_enrols_and_others_do_not() -> None:
    """The newcomer is on disk before it is told so; asked again, it is told again."""
    persist, told = hear(member(), Enrol(0), NEW)

    assert isinstance(persist, Persist)
    assert isinstance(told, Tell)
    assert Enrolled(0) == told.message
    it = member(NEW)
    assert [] == hear(it, Enrol(0), Peer("newer", 1))


def test_nobody_is_enrolled_amid_a_call() -> None:
    """Shortly after a promise a newcomer waits, as the call would have to begin anew; later it need not."""
    it = member()
    hear(it, PREPARE)

    assert [Postponed(0, (B, C))] == said(hear(it, Enrol(0), NEW))
    assert [Enrolled(0)] == said(hear(it, Enrol(0), NEW, now=103.0))
    (declined,) = said(hear(it, ACCEPT, now=103.0))
    assert isinstance(declined, Declined)
    assert Objection.ENROLLED is declined.why


def test_a_newcomer_is_told_who_is_missing() -> None:
    """Of all who have a say those are named who are not there, of an own call those who have not answered."""
    it = member(ME, C)
    hear(it, PREPARE)
    hear(it, ACCEPT)
    for now in (100.0, 200.0):
        assert [Postponed(0, (B,))] == said(hear(it, Enrol(0), NEW, now=now))
    it = member()
    it.proposer.remove([DEAD], None, 100.0, forced=True)
    asked = it.proposer.campaign
    assert asked is not None
    hear(it, Promise(1, asked.ballot, 1, True, (), None, ()))
    hear(it, replace(PREPARE, ballot=asked.ballot))
    assert [Postponed(0, (C,))] == said(hear(it, Enrol(0), NEW))


def test_the_fenced_are_not_enrolled() -> None:
    """Nor are the removed."""
    it = member()
    hear(it, PREPARE)
    assert [] == hear(it, Enrol(0), DEAD, now=200.0)
    hear(it, ACCEPT)
    hear(it, Decided(1))
    assert [] == hear(it, Enrol(1), DEAD, now=200.0)


def test_a_newcomer_is_admitted_by_a_majority() -> None:
    """Of four electors three; the admission is on disk."""
    it = member(NEW)
    assert not it.admitted
    for elector in (ME, B):
        hear(it, Enrolled(0), elector)
        assert not it.admitted
    steps = hear(it, Enrolled(0), C)

    assert it.admitted
    assert isinstance(steps[0], Persist)


def test_a_newcomer_begins_where_the_cluster_is() -> None:
    """What was decided before it came it takes over as it is, without having voted."""
    it = member(NEW)
    charter = Charter(3, (B, C), BIRTH.pools, (Removal(3, DEAD),))
    hear(it, CharterShare(charter))

    assert charter == it.seat.ledger.charter


def test_an_older_charter_says_nothing() -> None:
    """It may be late, or meant for an earlier life."""
    it = member()
    decided(it)

    assert [] == hear(it, CharterShare(Charter(0, (ME, B, C, DEAD), BIRTH.pools)))


def test_who_syncs_is_brought_up_to_date_first() -> None:
    """Who knows of fewer decisions is told the charter; who knows as many, nothing."""
    it = member()
    decided(it)
    header = Header(bytes(8), C, Endpoint("c", 1))

    assert [CharterShare(it.seat.ledger.charter)] == [one.message for one in it.brought_up_to_date(header, 0)]
    assert [] == it.brought_up_to_date(header, 1)


def test_the_view_shows_what_is_fenced() -> None:
    """Also at members that only promised, and until it is decided."""
    it = member()
    hear(it, PREPARE)
    view = it.view()
    assert ((DEAD,), False, 0) == (view.fenced, view.busy, view.number)

    hear(it, ACCEPT)
    hear(it, Decided(1))
    view = it.view()
    assert ((), 1) == (view.fenced, view.number)
