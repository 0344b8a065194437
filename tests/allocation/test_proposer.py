"""Who wants something decided, against members who answer as they are told to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.campaign import answered
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.ledger import Ledger
from weaveipam.allocation.proposer import LAPSE, REPEAT_DOUBLINGS_MAX, Proposer
from weaveipam.allocation.seat import Seat
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.gossip.members import Members
from weaveipam.protocol.decisions import Ballot
from weaveipam.protocol.messages import Header, Ping, Rumour, Step, Tell
from weaveipam.protocol.rollcalls import Accept, Accepted, Decided, Declined, Objection, Prepare
from weaveipam.protocol.values import Birth, Endpoint, MemberState, Pool, PoolRange, RingId

ME, B, C, DEAD = Peer("a", 1), Peer("b", 1), Peer("c", 1), Peer("dead", 1)
RING = RingId("default", Family.V4)
BIRTH = Birth(
    bytes(16),
    (ME, B, C, DEAD),
    (Pool("p", "default", (PoolRange(Family.V4, Range(0, 64), 26),)),),
)
SETTINGS = AllocationSettings(repeat_s=1.0, rollcall_s=100.0, heard_s=5.0)


def header(peer: Peer) -> Header:
    """Of a packet of a member."""
    return Header(bytes(8), peer, Endpoint(peer.name, 1))


class Desk:
    """A proposer, and members whose ledgers answer when a test has them do so."""

    def __init__(self) -> None:
        members = self.members = Members(ME, Endpoint("a", 1), 0.0)
        for one in (B, C, DEAD):
            members.hear(Rumour(one, Endpoint(one.name, 1), MemberState.ALIVE, 0), 0.0)
        holdings = Holdings(ME, SETTINGS)
        holdings.adopt(BIRTH)
        self.seat = Seat(ME, SETTINGS, holdings)
        self.seat.take(BIRTH, ())
        self.it = Proposer(self.seat, SETTINGS, members, Random(1))
        self.it.begin(0.0)
        self.ledgers = {one: Ledger.begin(one, BIRTH) for one in (B, C)}

    def remove(self, now: float = 0.0, *victims: Peer, forced: bool = False) -> list[Step]:
        """Have somebody removed."""
        for one in victims or (DEAD,):
            self.members.hear(Rumour(one, Endpoint(one.name, 1), MemberState.DEAD, 0), now)
        return self.it.remove(victims or (DEAD,), None, now, forced=forced)

    def promises(self, member: Peer, asked: Prepare, now: float = 0.0) -> list[Step]:
        """One member promises; what follows."""
        self.ledgers[member], declined = self.ledgers[member].promise(asked, ())
        if declined is not None:
            return self.it.declined(header(member), declined, now)
        told = answered(self.ledgers[member], self.seat.known, asked, self.seat.weigh)
        return self.it.promised(member, told, now)

    def accepts(self, member: Peer, asked: Accept, now: float = 0.0) -> list[Step]:
        """One member accepts; what follows."""
        self.ledgers[member], declined = self.ledgers[member].accept(asked)
        if declined is not None:
            return self.it.declined(header(member), declined, now)
        return self.it.accepted(member, Accepted(asked.number, asked.ballot), now)


def said(steps: Sequence[Step], kind: type) -> dict[str, object]:
    """The messages of a kind, by whom they are for."""
    return {
        one.target.host: one.message
        for one in steps
        if isinstance(one, Tell) and isinstance(one.message, kind)
    }


def call(steps: Sequence[Step]) -> Prepare:
    """The call for promises that all get."""
    (asked,) = set(said(steps, Prepare).values())
    assert isinstance(asked, Prepare)
    return asked


def decree(steps: Sequence[Step], member: Peer) -> Accept:
    """What a member is asked to accept."""
    asked = said(steps, Accept)[member.name]
    assert isinstance(asked, Accept)
    return asked


def test_all_but_the_fenced_are_asked_twice_and_told_once() -> None:
    """First for promises, once all have come for acceptance, and once all have accepted it is decided."""
    desk = Desk()
    steps = desk.remove()
    assert {"b", "c"} == said(steps, Prepare).keys()
    asked = call(steps)
    assert [] == desk.promises(B, asked)
    steps = desk.promises(C, asked)
    assert {"b", "c"} == said(steps, Accept).keys()
    assert [] == desk.accepts(B, decree(steps, B))
    done = desk.accepts(C, decree(steps, C))

    assert {"b": Decided(1), "c": Decided(1)} == said(done, Decided)
    assert desk.it.wanted is None
    assert 1 == desk.seat.ledger.charter.number
    assert DEAD not in {run.owner for run in desk.seat.known[RING]}


def test_a_repeated_wish_begins_nothing_new() -> None:
    """Asking how far it is does not start another ballot; naming one more does."""
    desk = Desk()
    first = call(desk.remove())

    assert [] == desk.remove(1.0)
    more = call(desk.remove(1.0, C))
    assert (DEAD,) == first.fenced
    assert (C, DEAD) == more.fenced
    assert more.ballot > first.ballot


def test_those_who_do_not_answer_are_asked_again_ever_more_rarely() -> None:
    """Only they are, and pauses double up to a bound."""
    desk = Desk()
    asked = call(desk.remove())
    desk.promises(B, asked)
    pauses, now = [], 0.0
    for _ in range(REPEAT_DOUBLINGS_MAX + 3):
        pauses.append(desk.it.wake_at - now)
        now = desk.it.wake_at
        assert {"c": asked} == said(desk.it.wake(now), Prepare)

    assert [1.0, 2.0, 4.0, 8.0, 8.0, 8.0] == pauses


def test_it_does_not_begin_while_it_has_heard_the_victim_itself() -> None:
    """The proposer is a member like any other; after a while it tries again, and goes on."""
    desk = Desk()
    desk.seat.hear(DEAD, 0.0)
    assert [] == desk.remove(1.0)
    assert "a has heard from dead" in desk.it.obstacles
    assert 1.0 < desk.it.wake_at < 10.0

    assert {"b", "c"} == said(desk.it.wake(20.0), Prepare).keys()
    assert "" == desk.it.obstacles


def test_it_does_not_begin_while_the_victim_seems_to_be_there() -> None:
    """Who is said to be alive is pinged; if it does not answer for a while, the removal begins."""
    desk = Desk()
    steps = desk.it.remove([DEAD], None, 0.0, forced=False)
    assert {"dead"} == said(steps, Ping).keys()
    assert "a makes sure" in desk.it.obstacles
    now = 0.0
    while not said(steps, Prepare):
        now = desk.it.wake_at
        steps = desk.it.wake(now)
    assert SETTINGS.heard_s <= now < 3 * SETTINGS.heard_s


def test_it_does_not_begin_while_the_victim_answers() -> None:
    """As long as it does so it is pinged, and a wish that nobody repeats lapses."""
    desk = Desk()
    desk.it.remove([DEAD], None, 0.0, forced=False)
    now = 0.0
    while desk.it.wanted is not None:
        now = desk.it.wake_at
        desk.seat.hear(DEAD, now)
        steps = desk.it.wake(now)
        assert {} == said(steps, Prepare)
        assert {"dead"} == said(steps, Ping).keys() or desk.it.wanted is None
    assert LAPSE * SETTINGS.heard_s <= now < 4 * SETTINGS.heard_s


def test_an_operator_may_insist() -> None:
    """What was wanted before is forced from then on, though the victim was heard."""
    desk = Desk()
    desk.seat.hear(DEAD, 0.0)
    desk.remove(1.0)

    assert (DEAD,) == call(desk.remove(1.0, forced=True)).forced


def test_who_insists_on_one_has_not_insisted_on_another() -> None:
    """A second operator's victim is not forced because the first one's is."""
    desk = Desk()
    desk.remove(forced=True)
    more = call(desk.remove(1.0, C))

    assert ((C, DEAD), (DEAD,)) == (more.fenced, more.forced)


def test_others_who_are_fenced_join_the_ballot() -> None:
    """When a member knows of more that are over, a new ballot has them all, and does without them."""
    desk = Desk()
    asked = call(desk.remove())
    objection = Declined(1, asked.ballot, Objection.CLOSED, None, (C, DEAD))
    more = call(desk.it.declined(header(B), objection, 0.0))

    assert (C, DEAD) == more.fenced
    assert 2 == more.ballot.fenced


def test_an_objection_to_another_ballot_is_late() -> None:
    """It changes nothing."""
    desk = Desk()
    asked = call(desk.remove())
    late = Declined(1, asked.ballot._replace(round=9), Objection.CLOSED, None, (C,))

    assert [] == desk.it.declined(header(B), late, 0.0)
    assert "" == desk.it.obstacles


def test_after_a_higher_ballot_it_begins_above_that() -> None:
    """Not at once, so that two who propose do not overtake each other for ever."""
    desk = Desk()
    asked = call(desk.remove())
    higher = Ballot(1, 7, B)
    assert [] == desk.it.declined(
        header(B), Declined(1, asked.ballot, Objection.BALLOT, higher, (DEAD,)), 0.0
    )
    assert "b takes part in another call" in desk.it.obstacles

    later = desk.it.wake_at
    assert 0.0 < later
    assert call(desk.it.wake(later)).ballot > higher


def test_what_another_has_had_accepted_is_proposed_again() -> None:
    """A decree that any member has accepted is carried on, whoever made it and whatever is wanted here."""
    desk = Desk()
    other = Desk()
    asked = call(other.remove())
    other.promises(B, asked)
    steps = other.promises(C, asked)
    other.accepts(B, decree(steps, B))
    desk.ledgers = other.ledgers
    first = call(desk.remove())
    steps = [*desk.promises(B, first), *desk.promises(C, first)]
    while not said(steps, Accept):  # its ballot was not above the other's
        again = call(desk.it.wake(desk.it.wake_at))
        steps = [*desk.promises(B, again), *desk.promises(C, again)]

    vote = desk.ledgers[B].vote
    assert vote is not None
    assert vote.decree == decree(steps, C).decree


def test_unfinished_business_is_finished_by_the_first_elector() -> None:
    """Who is first among the electors goes on with what it has promised to another one that is gone."""
    desk = Desk()
    promised, _ = desk.seat.ledger.promise(Prepare(1, Ballot(1, 1, DEAD), (DEAD,), 1, (), 0), ())
    desk.seat.keep(promised, 0.0)
    asked: dict[str, object] = {}
    now = 0.0
    while not asked and now < 10 * SETTINGS.rollcall_s:
        now = desk.it.wake_at
        asked = said(desk.it.wake(now), Prepare)

    assert {"b", "c"} == asked.keys()


def test_what_nobody_asked_for_is_left_to_another_one() -> None:
    """Of two that finish the same of themselves one goes on; what an operator wants is called for again."""
    for asked_for in (False, True):
        desk = Desk()
        promised, _ = desk.seat.ledger.promise(Prepare(1, Ballot(1, 1, ME), (DEAD,), 1, (), 0), ())
        desk.seat.keep(promised, 0.0)
        asked = call(desk.it.wake(desk.it.wake_at))
        if asked_for:
            desk.remove(200.0)
            assert desk.it.campaign is not None
            asked = desk.it.campaign.prepare(desk.seat.weigh)
        higher = asked.ballot._replace(round=asked.ballot.round + 1, proposer=B)
        desk.it.declined(header(B), Declined(1, asked.ballot, Objection.BALLOT, higher, (DEAD,)), 200.0)
        assert asked_for == desk.it.busy


def test_what_nobody_asked_for_is_called_for_again() -> None:
    """Whom somebody has enrolled meanwhile must be asked too, and nobody else calls."""
    desk = Desk()
    promised, _ = desk.seat.ledger.promise(Prepare(1, Ballot(1, 1, ME), (DEAD,), 1, (), 0), ())
    desk.seat.keep(promised, 0.0)
    asked = call(desk.it.wake(desk.it.wake_at))
    desk.it.declined(header(B), Declined(1, asked.ballot, Objection.ENROLLED, asked.ballot, (DEAD,)), 200.0)

    assert desk.it.busy
    assert call(desk.it.wake(desk.it.wake_at)).ballot > asked.ballot


def test_what_nobody_asked_for_is_not_left_to_the_dead() -> None:
    """Who has called with a higher ballot and is gone does not finish it."""
    desk = Desk()
    promised, _ = desk.seat.ledger.promise(Prepare(1, Ballot(1, 1, ME), (DEAD,), 1, (), 0), ())
    desk.seat.keep(promised, 0.0)
    desk.members.hear(Rumour(C, Endpoint("c", 1), MemberState.DEAD, 0), 0.0)
    asked = call(desk.it.wake(desk.it.wake_at))
    higher = asked.ballot._replace(round=9, proposer=C)
    desk.it.declined(header(B), Declined(1, asked.ballot, Objection.BALLOT, higher, (DEAD,)), 200.0)

    assert call(desk.it.wake(desk.it.wake_at)).ballot > higher


def test_a_removed_life_is_no_survivor() -> None:
    """
    Whom a decision has removed is asked for nothing, though an operator names it and it seems to be there.

    What it has accepted may never have been decided, and it takes a call for the next decision as word that
    it was.
    """
    desk = Desk()
    asked = call(desk.remove())
    desk.promises(B, asked)
    steps = desk.promises(C, asked)
    desk.accepts(B, decree(steps, B))
    desk.accepts(C, decree(steps, C))
    desk.members.hear(Rumour(DEAD, Endpoint("dead", 1), MemberState.ALIVE, 1), 0.0)
    steps = desk.it.remove((C,), frozenset(("b", "dead")), 1.0, forced=True)

    assert {"b"} == said(steps, Prepare).keys()


def test_it_rests_once_all_is_done() -> None:
    """Nothing but the look at electors is due when nothing is wanted."""
    desk = Desk()
    asked = call(desk.remove())
    desk.promises(B, asked)
    steps = desk.promises(C, asked)
    desk.accepts(B, decree(steps, B))
    desk.accepts(C, decree(steps, C))

    assert SETTINGS.rollcall_s <= desk.it.wake_at < math.inf
