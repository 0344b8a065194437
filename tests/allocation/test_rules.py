"""Each rule by itself; what goes wrong without it is in the tests of the explorer."""

from __future__ import annotations

import pytest

from ring.address import Family, Range
from ring.ring import Peer, Run, Token
from weaveipam.allocation.rules import RULES
from weaveipam.protocol.decisions import Ballot, Decree, Span, Vote
from weaveipam.protocol.values import RingId

A, B, C, D = (Peer(name, 1) for name in "abcd")


def vote(ballot: Ballot) -> Vote:
    """For a decree that removes as many as the ballot has rounds, to tell them apart."""
    return Vote(ballot, Decree((D,) * ballot.round, (), (A,)))


def test_r1_the_highest_ballot_that_was_accepted_is_proposed_again() -> None:
    """Of votes the one with the highest ballot goes on; without votes something new is proposed."""
    low, high, more = vote(Ballot(1, 2, A)), vote(Ballot(1, 2, B)), vote(Ballot(2, 1, A))

    assert high == RULES.proposed([low, high, low])
    assert more == RULES.proposed([more, high])
    assert RULES.proposed([]) is None


def test_r2_nothing_is_believed_that_the_fenced_say_or_undecided_decrees() -> None:
    """It is the author that counts, not the owner nor who passes it on; and the generation is known."""
    run = Run(0, 4, Token(1, 7), A, B)

    assert RULES.refuses(run, {B})
    assert not RULES.refuses(run, {A})
    assert RULES.believes(run, {A}, 1)
    assert not RULES.believes(run, {B}, 1)
    assert not RULES.believes(run, (), 0), "of a decision that is not known here"


def test_r2_nothing_is_granted_to_the_fenced() -> None:
    """Who is fenced is served no more."""
    assert not RULES.serves(A, {A})
    assert RULES.serves(B, {A})


def test_r3_more_fenced_are_another_ballot() -> None:
    """A ballot is the same only while nobody else is fenced."""
    assert RULES.same_ballot({A, B}, {A})
    assert not RULES.same_ballot({A}, {A, B})


def test_r4_nobody_is_passed_over() -> None:
    """One who is missing is missed, and others do not make up for that."""
    assert RULES.enough({A, B}, {A, B, C})
    assert not RULES.enough({A, B}, {A, C, D})


@pytest.mark.parametrize(
    ("fenced", "affirmed"), [((), True), ((A,), True), ((A, B), True), ((A, B, C), False)]
)
def test_r4_half_of_the_electors_know_everybody(fenced: tuple[Peer, ...], affirmed: bool) -> None:
    """A majority of four has one in every half; of fewer electors some newcomer may be unknown."""
    assert affirmed == RULES.affirmed(fenced, (A, B, C, D))


def test_r5_a_decree_is_in_force_when_it_is_decided() -> None:
    """Acceptance alone changes nothing."""
    assert RULES.installs(complete=True)
    assert not RULES.installs(complete=False)


def test_r6_who_is_fenced_stops() -> None:
    """Only its own life counts, not another of its name."""
    assert RULES.stops(A, {A, B})
    assert not RULES.stops(A, {Peer("a", 2)})


def test_r7_who_was_heard_is_not_gone() -> None:
    """A member objects if it has heard one of the fenced, unless it is forced."""
    assert RULES.objects({A}, forced=False)
    assert not RULES.objects({A}, forced=True)
    assert not RULES.objects((), forced=False)


def test_what_is_in_use_stays_a_pools() -> None:
    """And shows that nothing was decided by which it would not."""
    assert RULES.gives_up(in_use=False)
    assert not RULES.gives_up(in_use=True)
    assert RULES.disproved(in_use=True)
    assert not RULES.disproved(in_use=False)


def test_all_keep_back_what_is_given_up() -> None:
    """All of that, and no other addresses; and while a ballot lasts no call lets anything go."""
    some, more = (Span(RingId("default", Family.V4), (Range(0, stop),)) for stop in (4, 8))

    assert RULES.same_vacated((some,), (some,))
    assert not RULES.same_vacated((some,), (more,))
    assert not RULES.same_vacated((), (some,))
    assert RULES.keeps_back(same_ballot=True)
    assert not RULES.keeps_back(same_ballot=False)


def test_nobody_is_enrolled_between_acceptance_and_decision() -> None:
    """An elector with a vote waits."""
    assert RULES.enrols(None)
    assert not RULES.enrols(vote(Ballot(0, 1, A)))


def test_an_answer_stands_while_the_roster_does() -> None:
    """Who has enrolled somebody since it promised does not accept."""
    assert RULES.answer_stands(enrolled=False)
    assert not RULES.answer_stands(enrolled=True)


def test_a_majority_of_the_electors_admits() -> None:
    """Half of them are not enough, and others do not count."""
    assert RULES.admitted((A, B, C), (A, B))
    assert not RULES.admitted((A, B, C), (A, D))
    assert not RULES.admitted((A, B), (A,))
    assert RULES.admitted((A,), (A,))
