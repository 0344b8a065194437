"""Deciding contests, one machine at a time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ring.address import Family, Range
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.donors import Neighbour
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.allocation.settling import Settling
from weaveipam.protocol.effects import Durability, Persist, Reply, Report
from weaveipam.protocol.findings import Resolution
from weaveipam.protocol.messages import Contest, FreeHint, Header, Ownership, Step, Tell
from weaveipam.protocol.records import Frozen, Lent
from weaveipam.protocol.requests import Reason, Refusal, ResolveConflict
from weaveipam.protocol.values import (
    Birth,
    ContestStage,
    Endpoint,
    Loan,
    MemberState,
    Pool,
    PoolRange,
    RingId,
)

LOSER, WINNER = Peer("b", 1), Peer("c", 1)
V4 = RingId("default", Family.V4)
BLUE = Part("blue", V4)
WHAT = Range(4, 8)
BIRTH = Birth(
    bytes(16), (Peer("a", 1),), (Pool("blue", "default", (PoolRange(Family.V4, Range(0, 16), 28),)),)
)
SETTINGS = AllocationSettings.preset("test")


class Nobody:
    """No member at all: what is said is an answer, or nothing."""

    def alive(self) -> Sequence[Neighbour]:
        """None."""
        return ()

    def get(self, _name: str) -> None:
        """None."""

    def state_of(self, _peer: Peer) -> MemberState | None:
        """Not known."""
        return None

    def hints_of(self, _peer: Peer) -> tuple[FreeHint, ...]:
        """None."""
        return ()


class Side:
    """One of the two who claim a range."""

    def __init__(self, me: Peer, other: Peer) -> None:
        self.me, self.other = me, other
        self.holdings = Holdings(me, SETTINGS)
        self.holdings.adopt(BIRTH)
        for owner in (me, other):
            said = Ring.of([Run(WHAT.start, WHAT.stop, Token(0, 1), owner, Peer("a", 1))])
            self.holdings.merge(V4, said)
        self.settling = Settling(me, SETTINGS, Nobody(), self.holdings, self.learn)

    def learn(self, said: Ownership, now: float) -> list[Step]:
        """As an allocator does."""
        theirs = self.holdings.checked(said)
        assert theirs is not None
        change = self.holdings.merge(said.ring, theirs)
        return [*([change.persist] if change.persist else []), *self.holdings.settle(change, now)]

    def hear(self, stage: ContestStage, *leases: Lent, what: Range = WHAT) -> list[Step]:
        """What a word of the other side brings about."""
        runs = tuple(self.holdings.rings[V4].within(what)) if stage is ContestStage.SETTLED else ()
        told = Contest(V4, what, stage, True, runs, leases)
        return self.settling.hear(Header(bytes(8), self.other, Endpoint(self.other.name, 1)), told, 0.0)

    def decide(self, owner: str, what: Range = WHAT) -> list[Step]:
        """What a decision brings about."""
        return self.settling.resolve(1, ResolveConflict(Family.V4, what, owner), 0.0)

    def stages(self) -> list[tuple[Range, ContestStage]]:
        """Where it stands."""
        return [(one.range, one.stage) for one in self.holdings.contests]

    def free(self) -> list[int]:
        """What it could hand out once nothing rests any more."""
        space = self.holdings.pools.stocks[BLUE].space
        space.thaw(float("inf"))
        return [at for one in space.free_ranges() for at in range(one.start, one.stop)]


def told(steps: Sequence[Step]) -> list[Contest]:
    """What is said to the other side."""
    return [one.message for one in steps if isinstance(one, Tell) and isinstance(one.message, Contest)]


@pytest.fixture
def winner() -> Side:
    """The side that owns the range by the order of equal statements."""
    return Side(WINNER, LOSER)


@pytest.fixture
def loser() -> Side:
    """The other one."""
    return Side(LOSER, WINNER)


def test_a_decision_alone_frees_nothing(winner: Side) -> None:
    """Told to keep the range, a side hands out nothing of it before the other one has given it up."""
    persist, reply = winner.decide("c")

    assert isinstance(persist, Persist)
    assert persist.durability is Durability.HOST
    assert isinstance(reply, Reply)
    assert winner.stages() == [(WHAT, ContestStage.KEEPING)]
    assert winner.free() == []
    assert winner.decide("c")[:-1] == []


def test_the_keeper_lends_what_the_giver_has_leased(winner: Side) -> None:
    """What is in use at the giver is not free at the keeper, who writes all of it before it says a word."""
    used = Lent(Loan(V4, Range(5, 6), "web"), LOSER)
    steps = winner.hear(ContestStage.YIELDED, used)
    persist = steps[0]

    assert isinstance(persist, Persist)
    assert persist.durability is Durability.HOST
    assert used in persist.put
    assert [one.kind for one in persist.delete] == ["Frozen"]
    assert winner.free() == [4, 6, 7]
    (run,) = winner.holdings.rings[V4].within(WHAT)
    assert (run.token, run.owner, run.author) == (Token(0, 2), WINNER, WINNER)
    (answer,) = told(steps)
    assert (answer.stage, answer.runs) == (ContestStage.SETTLED, (run,))


def test_whoever_owns_it_by_the_ring_grants_it_when_it_gives_up(winner: Side, loser: Side) -> None:
    """The winner's claim goes to the other side as a grant, on disk together with the giving up."""
    persist = winner.decide("b")[0]
    assert isinstance(persist, Persist)
    assert {type(one) for one in persist.put} == {Frozen, type(persist.put[-1])}
    (run,) = winner.holdings.rings[V4].within(WHAT)
    assert (run.token, run.owner, run.author) == (Token(0, 2), LOSER, WINNER)

    header = Header(bytes(8), WINNER, Endpoint("c", 1))
    change = loser.holdings.merge(V4, Ring.of([run]))
    assert change.gained == (WHAT,)
    assert loser.free() == []  # it has not heard what is leased there
    given = Contest(V4, WHAT, ContestStage.YIELDED, True, (run,), ())
    loser.settling.hear(header, given, 0.0)
    assert loser.free() == [4, 5, 6, 7]


def test_a_range_can_be_decided_in_parts(winner: Side, loser: Side) -> None:
    """Of a contested range some addresses may be one side's and the others the other's."""
    loser.decide("c", Range(4, 6))
    assert loser.stages() == [(Range(4, 6), ContestStage.YIELDED), (Range(6, 8), ContestStage.OPEN)]
    (answer,) = told(winner.hear(ContestStage.YIELDED, what=Range(4, 6)))

    assert winner.stages() == [(Range(6, 8), ContestStage.OPEN)]
    assert winner.free() == [4, 5]
    loser.hear(ContestStage.SETTLED, what=Range(4, 6))
    assert len(loser.stages()) == 2  # nobody has said that it is above both claims
    loser.settling.hear(Header(bytes(8), WINNER, Endpoint("c", 1)), answer, 0.0)
    assert loser.stages() == [(Range(6, 8), ContestStage.OPEN)]


def test_what_was_given_up_is_not_taken_back(loser: Side) -> None:
    """A later decision the other way round changes nothing, and says why."""
    loser.decide("c")
    (reply,) = loser.decide("b")

    assert isinstance(reply, Reply)
    assert isinstance(reply.answer, Resolution)
    assert "has given it up before" in reply.answer.detail
    assert loser.stages() == [(WHAT, ContestStage.YIELDED)]


def test_asked_to_give_up_the_winner_does(winner: Side) -> None:
    """The other side's decision is enough; the word that the range is given up is said at once."""
    steps = winner.hear(ContestStage.KEEPING)

    assert winner.stages() == [(WHAT, ContestStage.YIELDED)]
    assert "conflict-yielded" in [one.event for one in steps if isinstance(one, Report)]


def test_what_nobody_contests_here_is_settled(winner: Side) -> None:
    """A word about a range that is settled here is answered with what the ring says; that is not answered."""
    winner.hear(ContestStage.YIELDED)
    (answer,) = told(winner.hear(ContestStage.YIELDED))

    assert answer.stage is ContestStage.SETTLED
    assert told(winner.hear(ContestStage.SETTLED)) == []


@pytest.mark.parametrize(
    ("what", "owner", "reason"),
    [(Range(0, 2), "b", Reason.NOT_FOUND), (WHAT, "a", Reason.INVALID), (WHAT, "", Reason.INVALID)],
)
def test_what_cannot_be_decided_is_refused(winner: Side, what: Range, owner: str, reason: Reason) -> None:
    """A range that is not contested, and a name that is none of the two."""
    (reply,) = winner.decide(owner, what)

    assert isinstance(reply, Reply)
    assert isinstance(reply.answer, Refusal)
    assert reply.answer.reason is reason


def test_a_third_claim_is_settled_by_itself() -> None:
    """Who keeps a range against one is asked about the other, who has nothing to give up any more."""
    keeper = Side(WINNER, LOSER)
    third = Peer("a", 7)
    keeper.holdings.merge(V4, Ring.of([Run(WHAT.start, WHAT.stop, Token(0, 1), third, Peer("a", 1))]))
    assert len(keeper.stages()) == 2
    keeper.hear(ContestStage.YIELDED)
    assert keeper.free() == []

    header = Header(bytes(8), third, Endpoint("a", 1))
    used = Lent(Loan(V4, Range(5, 6), "web"), third)
    old = (Run(WHAT.start, WHAT.stop, Token(0, 1), WINNER, Peer("a", 1)),)
    for runs, free in ((old, []), (tuple(keeper.holdings.rings[V4].within(WHAT)), [4, 6, 7])):
        keeper.settling.hear(header, Contest(V4, WHAT, ContestStage.SETTLED, False, runs, (used,)), 0.0)
        assert keeper.free() == free
    assert keeper.stages() == []
