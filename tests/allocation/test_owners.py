"""Who can be asked for what."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.donors import Goal, Search
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.owners import Owners
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import FreeHint, Need
from weaveipam.protocol.values import Birth, Endpoint, MemberState, Pool, PoolRange, RingId

ME, RICH, POOR, NONE = (Peer(name, 1) for name in ("me", "rich", "poor", "none"))
V4 = RingId("default", Family.V4)
BLUE = Part("blue", V4)
BIRTH = Birth(
    bytes(16), (ME, POOR, RICH), (Pool("blue", "default", (PoolRange(Family.V4, Range(0, 48), 26),)),)
)
"""Each of the three has 16 addresses, in this order."""
ANY = Goal(BLUE, (), 1)


@dataclass(frozen=True)
class Member:
    """Another peer."""

    peer: Peer
    present: bool = True

    @property
    def endpoint(self) -> Endpoint:
        """Its address is its name."""
        return Endpoint(self.peer.name, 1)


class Members:
    """All are there, and say what they have."""

    those = tuple(Member(one) for one in (NONE, POOR, RICH))

    def alive(self) -> tuple[Member, ...]:
        """All of them."""
        return self.those

    def get(self, name: str) -> Member | None:
        """One of them."""
        return next((one for one in self.those if one.peer.name == name), None)

    def state_of(self, _peer: Peer) -> MemberState | None:
        """Not known."""
        return None

    def hints_of(self, peer: Peer) -> tuple[FreeHint, ...]:
        """By the name."""
        return (FreeHint("blue", Family.V4, 5 if peer == RICH else 1),)


@pytest.fixture
def owners() -> Owners:
    """As this node sees them."""
    settings = AllocationSettings()
    holdings = Holdings(ME, settings)
    holdings.adopt(BIRTH)
    return Owners(ME, settings, Members(), holdings)


def names(owners: Owners, goal: Goal, need: Need) -> list[str]:
    """Who has some of it."""
    return [one.peer.name for one in owners.of(Search(goal, need))]


def test_only_who_owns_some_is_asked(owners: Owners) -> None:
    """Members are asked for what they own; who owns nothing is not asked at all."""
    assert names(owners, ANY, Need.FREE) == ["poor", "rich"]
    assert names(owners, Goal(BLUE, (Range(40, 41),), 1), Need.FREE) == ["rich"]
    assert names(owners, Goal(BLUE, (Range(0, 4),), 1), Need.FREE) == []


def test_ahead_of_need_only_the_rich_are_asked(owners: Owners) -> None:
    """Who has hardly any left is not asked for some that nobody waits for."""
    assert owners.weights(ANY, Members.those[1:]) == {POOR: 1, RICH: 16}
    assert names(owners, ANY, Need.REFILL) == ["rich"]


def test_a_later_life_was_not_asked(owners: Owners) -> None:
    """Who is silent is asked again only as the very life that was asked."""
    search = Search(ANY, Need.FREE)
    assert owners.again(search) is None
    search.asked = RICH
    assert owners.again(search) == Member(RICH)
    search.asked = Peer("rich", 0)
    assert owners.again(search) is None


def test_who_owns_what_is_below(owners: Owners) -> None:
    """Others with addresses below one, in order of theirs; of no interest is what is not sought."""
    assert owners.below(ANY, math.inf) == [POOR, RICH]
    assert owners.below(ANY, 33) == [POOR, RICH]
    assert owners.below(ANY, 32) == [POOR]
    assert owners.below(ANY, 16) == []
    assert owners.below(Goal(BLUE, (Range(40, 48), Range(31, 34)), 1), 40) == [POOR, RICH]
    assert owners.below(Goal(BLUE, (Range(32, 40),), 1), math.inf) == [RICH]


def test_this_node_is_within_reach(owners: Owners) -> None:
    """Everybody who is there can be reached, and a node reaches itself."""
    assert owners.reachable() == {ME, RICH, POOR, NONE}
    assert owners.moves(ANY) == 1
