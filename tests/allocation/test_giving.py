"""What is given to those who ask for pieces, and back to those who gave some."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

import pytest

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.giving import Giver
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.decisions import Span
from weaveipam.protocol.messages import (
    FreeHint,
    Grant,
    Header,
    Need,
    PieceFindings,
    PieceRequest,
    PieceSurvey,
    Refused,
    SpaceRefusal,
    SpaceRequest,
    Step,
    Tell,
)
from weaveipam.protocol.values import Birth, Endpoint, MemberState, Order, Pool, PoolRange, RingId

ME, YOU = Peer("me", 1), Peer("you", 1)
V4 = RingId("default", Family.V4)
POOLS = (Pool("blue", "default", (PoolRange(Family.V4, Range(0, 64), 26),)),)
"""The first 32 addresses are mine, the others yours."""
HEADER = Header(bytes(8), YOU, Endpoint("you", 1))
REQUEST = PieceRequest(7, "blue", V4, Range(8, 16))


@dataclass(frozen=True)
class Member:
    """Another peer."""

    peer: Peer
    endpoint: Endpoint
    present: bool = True


@dataclass
class Members:
    """The one other, if it is there."""

    you: Member | None

    def alive(self) -> list[Member]:
        """All of them."""
        return [] if self.you is None else [self.you]

    def get(self, name: str) -> Member | None:
        """One of them."""
        return self.you if name == "you" else None

    def state_of(self, _peer: Peer) -> MemberState | None:
        """Not known."""
        return None

    def hints_of(self, peer: Peer) -> tuple[FreeHint, ...]:
        """Nobody says anything."""
        assert peer == YOU
        return ()


@pytest.fixture
def members() -> Members:
    """One other is there."""
    return Members(Member(YOU, Endpoint("you", 1)))


@pytest.fixture
def holdings() -> Holdings:
    """What I have."""
    made = Holdings(ME, AllocationSettings())
    made.adopt(Birth(bytes(16), (ME, YOU), POOLS))
    return made


@pytest.fixture
def giver(members: Members, holdings: Holdings) -> Giver:
    """I, who give."""
    return Giver(ME, AllocationSettings(), members, Random(1), holdings)


def told(steps: list[Step]) -> list[object]:
    """What is said."""
    return [one.message for one in steps if isinstance(one, Tell)]


def test_a_piece_is_given_whole(giver: Giver, holdings: Holdings) -> None:
    """Exactly what was asked for, and once."""
    (grant,) = told(giver.give_piece(HEADER, REQUEST, 1.0, serving=True))

    assert isinstance(grant, Grant)
    assert [(run.start, run.stop, run.owner) for run in grant.runs] == [(8, 16, YOU)]
    assert giver.give_piece(HEADER, REQUEST, 1.0, serving=True) == []
    assert sum(stock.owned for stock in holdings.pools.stocks.values()) == 24


@pytest.mark.parametrize("why", ["over", "gone", "other life", "not serving"])
def test_nothing_is_given_to_who_would_not_have_it(
    giver: Giver, members: Members, holdings: Holdings, why: str
) -> None:
    """Who is removed, or dead, or another by now gets no piece, and nothing back."""
    if why == "over":
        holdings.belief.trust(frozenset(), frozenset([YOU]), 1)
    elif why == "gone":
        members.you = None
    elif why == "other life":
        members.you = Member(Peer("you", 2), Endpoint("you", 1))
    steps = giver.give_piece(HEADER, REQUEST, 1.0, serving=why != "not serving")

    assert told(steps) == [SpaceRefusal(7, Refused.NOT_READY)]
    if why != "not serving":
        assert giver.give_unasked(V4, Range(8, 16), YOU, 1.0) == []
    assert sum(stock.owned for stock in holdings.pools.stocks.values()) == 32


def test_what_a_decision_may_take_away_is_no_piece(giver: Giver, holdings: Holdings) -> None:
    """It is found free by no survey, and is not given."""
    holdings.set_pools(POOLS, (Span(V4, (Range(12, 14),)),), 1.0)
    survey = PieceSurvey(6, "blue", V4, (Range(0, 8), Range(8, 16)))

    assert told(giver.survey(HEADER, survey, serving=True)) == [PieceFindings(6, (Range(0, 8),))]
    assert told(giver.give_piece(HEADER, REQUEST, 1.0, serving=True)) == [SpaceRefusal(7, Refused.NONE_FREE)]


def test_the_lowest_is_given_where_it_goes_first(giver: Giver, holdings: Holdings) -> None:
    """No more than is asked for; who only wants to know which it would be is told, and given nothing."""
    holdings.set_pools((replace(POOLS[0], order=Order.SEQUENTIAL),), (), 1.0)
    asked = SpaceRequest(5, "blue", V4, (Range(3, 60),), 2, Need.LOOK)
    assert told(giver.give(HEADER, asked, 1.0, serving=True)) == [PieceFindings(5, (Range(4, 6),))]
    assert sum(stock.owned for stock in holdings.pools.stocks.values()) == 32

    (grant,) = told(giver.give(HEADER, replace(asked, need=Need.FREE), 1.0, serving=True))
    assert isinstance(grant, Grant)
    assert [(run.start, run.stop, run.owner) for run in grant.runs] == [(4, 6, YOU)]
    beyond = replace(asked, request=6, within=(Range(40, 60),))
    assert told(giver.give(HEADER, beyond, 1.0, serving=True)) == [SpaceRefusal(6, Refused.NONE_FREE)]


def test_a_pool_that_is_gone_has_no_pieces(giver: Giver, holdings: Holdings) -> None:
    """Who has not heard of it yet is refused."""
    holdings.set_pools((), (), 1.0)
    survey = PieceSurvey(6, "blue", V4, (Range(0, 8),))

    assert told(giver.survey(HEADER, survey, serving=True)) == [PieceFindings(6, ())]
    assert told(giver.give_piece(HEADER, REQUEST, 1.0, serving=True)) == [SpaceRefusal(7, Refused.NONE_FREE)]
