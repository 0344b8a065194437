"""What one member remembers of decisions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.ledger import Ledger
from weaveipam.protocol.decisions import Ballot, Decree, Span, Vote
from weaveipam.protocol.records import Record, RecordKey
from weaveipam.protocol.rollcalls import Accept, Declined, Objection, Prepare
from weaveipam.protocol.values import Birth, RingId

A, B, C, D, X = (Peer(name, 1) for name in "abcdx")
BIRTH = Birth(bytes(16), (A, B, C, X), ())
LOW, HIGH = Ballot(1, 1, A), Ballot(1, 2, A)
DECREE = Decree((X,), (), (A, B, C))
ME = Ledger.begin(B, BIRTH)
NEWCOMER = Ledger.begin(D, BIRTH)


def prepare(ballot: Ballot, *fenced: Peer, number: int = 1) -> Prepare:
    """A call."""
    return Prepare(number, ballot, fenced, 1, (), 0)


def accept(ballot: Ballot, *roster: Peer, number: int = 1) -> Accept:
    """A call to accept the decree."""
    return Accept(number, ballot, DECREE, roster)


def promised(ledger: Ledger, ballot: Ballot = LOW, *fenced: Peer) -> Ledger:
    """After a promise."""
    after, declined = ledger.promise(prepare(ballot, *(fenced or (X,))), ())
    assert declined is None
    return after


def accepted(ledger: Ledger, *roster: Peer) -> Ledger:
    """After a promise and an acceptance."""
    after, declined = promised(ledger).accept(accept(LOW, *roster))
    assert declined is None
    return after


def why(answer: tuple[Ledger, Declined | None], before: Ledger) -> Objection | None:
    """Why nothing has changed; None if it has not been declined."""
    after, declined = answer
    if declined is None:
        return None
    assert before is after
    return declined.why


def test_the_first_charter_is_the_birth() -> None:
    """The seeds are the electors, are on the roster, and need nobody's leave; others do."""
    assert ME.admitted
    assert {A, B, C, X} == ME.electors
    assert {A, B, C, X} == ME.roster
    assert not NEWCOMER.admitted


# Paxos


def test_of_two_ballots_the_higher_is_promised() -> None:
    """A lower one is declined with the higher; the same one is promised again, as answers get lost."""
    one = promised(ME, HIGH)
    after, declined = one.promise(prepare(LOW, X), ())

    assert one is after
    assert declined == Declined(1, LOW, Objection.BALLOT, HIGH, (X,))
    assert one == promised(one, HIGH)


def test_what_a_ballot_keeps_back_stays_so() -> None:
    """An earlier call of a ballot that arrives again lets nothing go; one of a higher ballot does."""
    some, others = (Span(RingId("default", Family.V4), (Range(at, at + 4),)) for at in (0, 4))
    one = promised(ME, HIGH)
    for call in (replace(prepare(HIGH, X), vacates=(some,)), prepare(HIGH, X)):
        one, declined = one.promise(call, ())
        assert declined is None
        assert (some,) == one.withheld
    more, _ = one.promise(replace(prepare(HIGH, X), vacates=(others,)), ())
    assert (Span(some.ring, (Range(0, 8),)),) == more.withheld
    after, _ = more.promise(replace(prepare(Ballot(1, 3, A), X), vacates=(others,)), ())
    assert (others,) == after.withheld


def test_the_fenced_stay_fenced() -> None:
    """A call that does not know of everybody who is fenced is declined, however high it is."""
    one = promised(ME, LOW, X)

    assert Objection.CLOSED is why(one.promise(prepare(Ballot(1, 9, A), C), ()), one)
    assert {C, X} == promised(one, Ballot(2, 1, A), C, X).closed


def test_who_was_heard_is_named() -> None:
    """A member that has heard one of the fenced objects; an operator may insist."""
    answer = ME.promise(prepare(LOW, X), (X,))

    assert Objection.HEARD is why(answer, ME)
    assert answer[1] is not None
    assert (X,) == answer[1].closed
    after, declined = ME.promise(replace(prepare(LOW, X), forced=(X,)), (X,))
    assert declined is None
    assert {X} == after.closed


def test_only_what_was_promised_last_is_accepted() -> None:
    """Neither a lower ballot nor one that was never promised is, even if it is higher."""
    one = promised(ME, HIGH)

    assert Objection.BALLOT is why(one.accept(accept(LOW)), one)
    assert Objection.BALLOT is why(one.accept(accept(Ballot(2, 1, A))), one)
    assert Objection.BALLOT is why(ME.accept(accept(LOW)), ME)


def test_decisions_are_made_one_after_the_other() -> None:
    """What was decided is not decided again, and the next one waits until this one is known to be made."""
    done = accepted(ME).complete()

    assert Objection.DECIDED is why(done.promise(prepare(HIGH, X), ()), done)
    assert Objection.DECIDED is why(done.accept(accept(LOW)), done)
    one = accepted(ME)
    assert Objection.UNKNOWN is why(one.promise(prepare(HIGH, X, number=2), ()), one)


def test_a_decision_ends_what_was_promised_for_it() -> None:
    """Victims are gone from the roster; who is fenced besides stays so for the next one."""
    one, declined = promised(ME, Ballot(2, 1, A), C, X).accept(accept(Ballot(2, 1, A)))
    assert declined is None
    assert (0, 1) == (one.charter.number, one.accepted_number)
    done = one.complete()

    assert (1, 1) == (done.charter.number, done.accepted_number)
    assert {A, B, C} == done.roster
    assert {C} == done.closed
    assert done.promised is None
    assert done.vote is None
    assert [X] == [removal.peer for removal in done.charter.removed]


def test_a_decision_that_was_not_accepted_cannot_be_complete() -> None:
    """Nobody who is not fenced was passed over."""
    with pytest.raises(AssertionError, match="passed over"):
        ME.complete()


# Admission


def test_electors_enrol_newcomers() -> None:
    """Once, and again if it is asked again; others enrol nobody, nor does anybody the fenced."""
    after, there = ME.enrol(D)
    assert there
    assert D in after.roster
    assert (after, True) == after.enrol(D)

    assert (NEWCOMER, False) == NEWCOMER.enrol(C)
    one = promised(ME, LOW, D)
    assert (one, False) == one.enrol(D)


def test_who_has_accepted_enrols_nobody_until_it_is_decided() -> None:
    """The newcomer would be on no roster that the decree was made with; then it may be asked again."""
    one = accepted(ME)

    assert (one, False) == one.enrol(D)
    assert one.complete().enrol(D)[1]


def test_who_has_enrolled_since_it_promised_does_not_accept() -> None:
    """A higher ballot is promised with the new roster; a call that comes again is none."""
    one, there = promised(ME).enrol(D)
    assert there
    assert Objection.ENROLLED is why(one.accept(accept(LOW)), one)

    again = promised(one, LOW)
    assert Objection.ENROLLED is why(again.accept(accept(LOW)), again), (
        "the proposer may have the first answer"
    )
    assert None is why(promised(one, HIGH).accept(accept(HIGH)), one)


def test_electors_are_told_the_whole_roster() -> None:
    """What all electors knew together each knows that accepts."""
    assert {A, B, C, D, X} == accepted(ME, A, B, D).roster
    assert {A, B, C, D} == accepted(ME, A, B, D).complete().roster


def test_who_has_accepted_is_admitted_by_the_decision() -> None:
    """It was on a roster, and is on those of all electors now."""
    assert not accepted(NEWCOMER).admitted
    assert accepted(NEWCOMER).complete().admitted


def test_a_newcomer_begins_where_the_cluster_is() -> None:
    """Of earlier decisions it needs the charter only; who is closed stays so, unless removed."""
    charter = accepted(ME).complete().charter
    one = promised(NEWCOMER, LOW, C, X).adopt(charter)

    assert charter == one.charter
    assert {C} == one.closed
    assert one.promised is None
    assert not one.admitted


# Disk

DOUBLY = promised(ME, Ballot(2, 1, A), C, X)
STATES = {
    "begun": ME,
    "promised": promised(ME),
    "vacates": replace(promised(ME), vacates=(Span(RingId("default", Family.V4), (Range(0, 4),)),)),
    "enrolled": promised(ME).enrol(D)[0],
    "accepted": accepted(ME, A, B, D),
    "decided": accepted(ME, A, B, D).complete(),
    "fenced besides": replace(DOUBLY, vote=Vote(LOW, DECREE)).complete(),
    "admitted": NEWCOMER.admit(),
    "adopted": NEWCOMER.adopt(accepted(ME).complete().charter),
}


def follows(was: Ledger, now: Ledger) -> bool:
    """Whether one member may have been the one and is the other: decisions and admissions stay."""
    return was.me == now.me and was.charter.number <= now.charter.number and was.admitted <= now.admitted


@pytest.mark.parametrize(
    ("before", "after"),
    [(one, other) for one in STATES for other in STATES if follows(STATES[one], STATES[other])],
)
def test_the_disk_remembers_all_of_it(before: str, after: str) -> None:
    """From whatever to whatever of one member, what is put and deleted makes a disk with that ledger."""
    was, is_now = STATES[before], STATES[after]
    disk: dict[RecordKey, Record] = {}
    for one, other in ((Ledger.begin(was.me, BIRTH), was), (was, is_now)):
        put, delete = other.records_since(one)
        for key in delete:
            disk.pop(key, None)
        disk.update((record.record_key, record) for record in put)

    assert is_now == Ledger.restore(is_now.me, BIRTH, disk.values())


def test_what_does_not_change_is_not_written() -> None:
    """The same ledger puts and deletes nothing."""
    assert ([], []) == accepted(ME).records_since(accepted(ME))


def test_another_life_finds_nothing_of_this_one() -> None:
    """What is deleted then leaves the charter alone, and nobody is admitted for a life before."""
    one = accepted(ME, A, B, D)
    put, _ = one.records_since(Ledger.begin(B, BIRTH))
    disk = {record.record_key: record for record in put}
    for key in one.of_this_life():
        disk.pop(key, None)
    later = Ledger.restore(Peer("b", 2), BIRTH, disk.values())

    assert Ledger.begin(Peer("b", 2), BIRTH) == later
    assert not later.admitted
