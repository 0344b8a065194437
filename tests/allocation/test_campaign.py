"""One attempt to decide, from its proposer's side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from zlib import crc32

import pytest

from ring.address import Family, Range
from ring.ring import TOTALS, Peer, Ring, Run, Token
from weaveipam.allocation.campaign import USES_MAX, Campaign, Wanted, answered
from weaveipam.allocation.ledger import Ledger
from weaveipam.protocol.decisions import Ballot, Charter, Decree, Removal, Span, Statements, Vote
from weaveipam.protocol.rollcalls import Promise, Use
from weaveipam.protocol.values import Birth, Pool, PoolRange, RingId

A, B, C, D, X, Y = (Peer(name, 1) for name in "abcdxy")
RING = RingId("default", Family.V4)
BIRTH = Birth(bytes(16), (A, B, X), ())
SPLIT = (Run(0, 8, Token(0, 0), A, A), Run(8, 16, Token(0, 0), B, B), Run(16, 24, Token(0, 0), X, X))
REMOVE_X = Wanted(victims=frozenset({X}))


def weigh(told: Statements) -> int:
    """Not keyed, but different for different runs."""
    return sum(crc32(repr(run).encode()) for run in told.runs) % TOTALS


def ring(*said: Run, split: Iterable[Run] = SPLIT) -> dict[RingId, Ring]:
    """The first split, where nothing else was said."""
    cut = [piece for run in split for piece in without(run, said)]
    return {RING: Ring.of([*cut, *said])}


def without(run: Run, said: Iterable[Run]) -> list[Run]:
    """The pieces of a run beside others."""
    pieces = [run]
    for other in said:
        pieces = [
            one.clipped(start, stop)
            for one in pieces
            for start, stop in (
                (one.start, min(one.stop, other.start)),
                (max(one.start, other.stop), one.stop),
            )
            if start < stop
        ]
    return pieces


def begun(known: dict[RingId, Ring] | None = None, wanted: Wanted = REMOVE_X) -> Campaign:
    """A's first ballot; its own answer has come."""
    known = ring() if known is None else known
    campaign = Campaign.begin(Ledger.begin(A, BIRTH), known, wanted, 1)
    return told_by(campaign, A, known)


def told_by(
    campaign: Campaign, member: Peer, known: dict[RingId, Ring], vote: Vote | None = None
) -> Campaign:
    """After a member's promise."""
    asked = campaign.prepare(weigh)
    ledger, declined = Ledger.begin(member, BIRTH).promise(asked, ())
    assert declined is None
    return campaign.heard(member, answered(replace(ledger, vote=vote), known, asked, weigh))


def decree(campaign: Campaign, known: dict[RingId, Ring] | None = None) -> Decree:
    """What is proposed."""
    found = campaign.decided(ring() if known is None else known).decree
    assert found is not None
    return found


def owners(found: Decree) -> dict[int, str]:
    """By address, of all that a decree says."""
    return {
        one: run.owner.name
        for said in found.statements
        for run in said.runs
        for one in range(run.start, run.stop)
    }


def test_everybody_who_is_not_fenced_is_needed() -> None:
    """Whoever is on the proposer's roster, or on that of anybody who answers."""
    one = begun()
    assert {A, B} == one.needed
    assert {B} == one.awaited
    asked = one.prepare(weigh)
    promise = Promise(1, asked.ballot, 1, True, (), None, (A, B, D, X))
    one = one.heard(B, promise)

    assert {A, B, D} == one.needed
    assert {D} == one.awaited
    assert not one.agreed()


def test_answers_to_something_else_do_not_count() -> None:
    """Neither those to another ballot, nor to an earlier question, nor once the decree is made."""
    one = begun()
    good = answered(Ledger.begin(B, BIRTH), ring(), one.prepare(weigh), weigh)

    for other in (replace(good, number=2), replace(good, ballot=Ballot(1, 9, A)), replace(good, asked=2)):
        assert one is one.heard(B, other)
    assert one.heard(B, good).agreed()
    done = one.heard(B, good).decided(ring())
    assert done is done.heard(B, good)


def test_what_victims_own_is_taken() -> None:
    """Each of their addresses gets an heir, in the generation of the decision; others are left alone."""
    found = decree(told_by(begun(), B, ring()))

    assert {*range(16, 24)} == owners(found).keys()
    assert {"a", "b"}.issuperset(owners(found).values())
    assert {Token(1, 0)} == {run.token for said in found.statements for run in said.runs}
    assert (X,) == found.victims


def test_a_grant_that_only_its_heir_knows_of_counts() -> None:
    """What the dead had given away is not taken, and all are told of it."""
    granted = Run(16, 20, Token(0, 1), B, X)
    one = told_by(begun(), B, ring(granted))
    found = decree(one)

    assert one.differs
    assert {"b"} == {owners(found)[address] for address in range(16, 20)}
    assert granted in [run for said in found.statements for run in said.runs]


def test_who_knows_that_the_fenced_own_more_makes_it_ask_again() -> None:
    """Of addresses that the proposer did not ask about everybody must be asked, before anything is taken."""
    granted = Run(8, 12, Token(0, 1), X, B)
    one = told_by(begun(), B, ring(granted))
    assert one.agreed()
    wider = one.wider()
    assert wider is not None

    assert (2, frozenset(), Ballot(1, 1, A)) == (wider.asked, wider.promised, wider.ballot)
    assert (Span(RING, (Range(8, 12), Range(16, 24))),) == wider.spans
    again = told_by(told_by(wider, A, ring()), B, ring(granted))
    assert again.agreed()
    assert again.wider() is None
    assert {*range(8, 12), *range(16, 24)} == owners(decree(again)).keys()


def test_addresses_that_stay_with_somebody_removed_earlier_are_taken_too() -> None:
    """Who came after that removal may not have heard who has got them, and may be all who are left."""
    charter = Charter(3, (B,), (), (Removal(2, Y),))
    known = ring(
        split=(Run(0, 8, Token(0, 0), A, A), Run(8, 16, Token(0, 0), Y, Y), Run(16, 24, Token(0, 0), B, B))
    )
    ledger = replace(Ledger.begin(A, BIRTH), charter=charter, roster=frozenset({A}))
    one = Campaign.begin(ledger, known, Wanted(victims=frozenset({B}), survivors=frozenset("a")), 1)
    asked = one.prepare(weigh)
    one = one.heard(A, answered(ledger, known, asked, weigh))

    assert one.agreed()
    assert one.wider() is None
    assert dict.fromkeys(range(8, 24), "a") == owners(decree(one, known))
    assert (B,) == decree(one, known).victims


def test_what_was_accepted_is_proposed_again() -> None:
    """Whatever is wanted here, and however little it fits what is known by now."""
    vote = Vote(Ballot(1, 1, C), Decree((X,), (), (B,)))
    stale = ring(Run(16, 24, Token(1, 0), B, B))  # a decree of this very number, in force already
    one = told_by(begun(wanted=Wanted(victims=frozenset({X, C}))), B, stale, vote)

    assert vote.decree == decree(one, stale)


def test_a_decision_needs_everybody() -> None:
    """It is complete when all have accepted who were needed."""
    one = told_by(begun(), B, ring()).decided(ring())

    assert not one.accepted_by(A).complete()
    assert one.accepted_by(A).accepted_by(B).complete()
    assert {B} == one.accepted_by(A).awaited


def test_electors_learn_of_everybody() -> None:
    """Who is one now or will be is told the roster; others need not know it."""
    wide = replace(told_by(begun(), B, ring()), needed=frozenset({A, B, C, D}))
    one = wide.decided(ring())
    assert one.decree is not None
    others = {A, B, C, D} - set(one.decree.electors)

    assert {D} == others
    assert (A, B, C, D) == one.accept(A).roster
    assert () == one.accept(D).roster


def test_most_electors_are_replaced_only_if_the_survivors_are_named() -> None:
    """The sentence names those who are known, and then whoever does not fit."""
    ledger = replace(Ledger.begin(A, BIRTH), roster=frozenset({A, C}))
    both = Wanted(victims=frozenset({B, X}))

    def unaffirmed(survivors: frozenset[str] | None) -> str:
        one = Campaign.begin(ledger, ring(), replace(both, survivors=survivors), 1)
        return one.unaffirmed()

    assert "known are a, c" in unaffirmed(None)
    assert "look at c, d" in unaffirmed(frozenset({"a", "d"}))
    assert not unaffirmed(frozenset({"a", "c"}))


def test_electors_are_an_odd_number_of_members() -> None:
    """Those there are stay, and others make them odd, seven at most."""
    many = [Peer(f"m{number:02}", 1) for number in range(20)]
    one = replace(told_by(begun(), B, ring()), needed=frozenset({A, B, *many}))

    assert (A, B, *many[:5]) == decree(one).electors
    assert (A,) == decree(
        replace(one, needed=frozenset({A}), ledger=replace(one.ledger, charter=lone()))
    ).electors


def lone() -> Charter:
    """Of a cluster with one elector."""
    return Charter(0, (A,), ())


def test_new_addresses_are_founded_by_the_proposer() -> None:
    """They are its own, in the generation of the decision, and nobody had anything to say of them."""
    founds = (Span(RING, (Range(100, 108),)),)
    found = decree(told_by(begun(wanted=Wanted(founds=founds)), B, ring()))

    assert (Statements(RING, (Run(100, 108, Token(1, 0), A, A),)),) == found.statements


def test_what_nobody_knows_the_owner_of_was_owned_by_who_is_gone() -> None:
    """Who has joined since a pool grew may be all who are left; one who knows an owner is asked first."""
    grown = Pool("p", "default", (PoolRange(Family.V4, Range(0, 32), 27),))
    ledger = replace(Ledger.begin(A, BIRTH), charter=Charter(3, (A, B), (grown,)))
    one = Campaign.begin(ledger, ring(), REMOVE_X, 1)
    asked = one.prepare(weigh)
    assert (Span(RING, (Range(16, 32),)),) == asked.spans
    one = one.heard(A, answered(ledger, ring(), asked, weigh))
    knows = ring(Run(24, 28, Token(3, 0), B, C))
    one = one.heard(B, answered(replace(ledger, me=B), knows, asked, weigh))

    assert one.wider() is None
    assert {*range(16, 24), *range(28, 32)} == owners(decree(one)).keys()


def test_nothing_is_missed_where_nobody_is_gone() -> None:
    """Who has not heard yet whose some addresses are may have pools changed nevertheless."""
    pools = (Pool("p", "default", (PoolRange(Family.V4, Range(0, 32), 27),)),)
    ledger = replace(Ledger.begin(A, BIRTH), charter=Charter(3, (A,), pools), roster=frozenset({A}))
    one = Campaign.begin(ledger, ring(), Wanted(drop=("p",)), 1)
    one = one.heard(A, answered(ledger, ring(), one.prepare(weigh), weigh))

    assert () == decree(one).statements


def test_a_vote_that_gives_up_addresses_is_asked_about_and_dropped_if_they_are_in_use() -> None:
    """First all keep them back; then a use proves that the vote was never decided."""
    pools = (Pool("p", "default", (PoolRange(Family.V4, Range(0, 24), 27),)),)
    vote = Vote(Ballot(0, 1, C), Decree((), (), (B,), (), ("p",)))
    everything = (Span(RING, (Range(0, 24),)),)
    ledgers = [replace(Ledger.begin(one, BIRTH), charter=Charter(0, (A, B), pools)) for one in (A, B)]
    one = Campaign.begin(replace(ledgers[0], roster=frozenset({A, B})), ring(), Wanted(), 1)

    def told(campaign: Campaign, *uses: Use) -> Campaign:
        asked = campaign.prepare(weigh)
        for ledger in (replace(ledgers[0], vote=vote), ledgers[1]):
            campaign = campaign.heard(ledger.me, answered(ledger, ring(), asked, weigh, uses))
        return campaign

    bound = told(one).bound()
    assert bound is not None
    assert everything == bound.prepare(weigh).vacates
    unused = told(bound)
    assert unused.bound() is None
    assert unused.unbound() is None
    assert not unused.hindered()
    assert vote.decree == decree(unused)

    used = told(bound, Use("key", RING, Range(0, 1)))
    assert used.hindered()
    free = used.unbound()
    assert free is not None
    again = told(free).bound()
    assert again is not None
    assert () == again.prepare(weigh).vacates
    assert () == decree(told(again)).drop


@pytest.mark.parametrize("same", [True, False])
def test_what_all_know_is_not_told(same: bool) -> None:
    """An answer has statements only where the digests differ."""
    asked = begun().prepare(weigh)
    known = ring() if same else ring(Run(16, 17, Token(0, 5), B, X))
    promise = answered(Ledger.begin(B, BIRTH), known, asked, weigh)

    assert same == promise.same
    assert same == (not promise.statements)


def test_only_electors_tell_a_roster() -> None:
    """The rosters of others may be old."""
    asked = begun().prepare(weigh)

    assert (A, B, X) == answered(Ledger.begin(B, BIRTH), ring(), asked, weigh).roster
    assert () == answered(Ledger.begin(D, BIRTH), ring(), asked, weigh).roster


def test_an_answer_names_some_of_what_is_in_use() -> None:
    """Enough to say why a range is not given up."""
    uses = [Use(f"key {number}", RING, Range(number, number + 1)) for number in range(USES_MAX + 5)]
    promise = answered(Ledger.begin(B, BIRTH), ring(), begun().prepare(weigh), weigh, uses)

    assert tuple(uses[:USES_MAX]) == promise.uses
