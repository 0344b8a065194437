"""Asking those below for something lower: whom, what for, and when that is over."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from ring.address import Family, Range
from ring.ring import Peer, Run, Token
from weaveipam.allocation.descents import DIRECT_MAX, Descents
from weaveipam.allocation.donors import Goal, Search
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.owners import Owners
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import FreeHint, Grant, Need, PieceFindings, SpaceRequest
from weaveipam.protocol.values import Birth, Endpoint, MemberState, Order, Pool, PoolRange, RingId

V4 = RingId("default", Family.V4)
BLUE = Part("blue", V4)
ANY = Goal(BLUE, (), 1)
SETTINGS = AllocationSettings()
POOL = Pool("blue", "default", (PoolRange(Family.V4, Range(0, 64), 26),), order=Order.SEQUENTIAL)


@dataclass(frozen=True)
class Member:
    """Another peer."""

    peer: Peer
    present: bool = True

    @property
    def endpoint(self) -> Endpoint:
        """Its address is its name."""
        return Endpoint(self.peer.name, 1)


@dataclass
class Members:
    """Who is there."""

    those: dict[str, Member] = field(default_factory=dict)

    def alive(self) -> list[Member]:
        """All of them."""
        return list(self.those.values())

    def get(self, name: str) -> Member | None:
        """One of them."""
        return self.those.get(name)

    def state_of(self, _peer: Peer) -> MemberState | None:
        """Not known."""
        return None

    def hints_of(self, _peer: Peer) -> tuple[FreeHint, ...]:
        """Nobody says anything."""
        return ()


class World:
    """A node named z, which has the highest addresses of a pool; the others share what is below."""

    def __init__(self, others: str, order: Order = Order.SEQUENTIAL) -> None:
        me, peers = Peer("z", 1), tuple(Peer(name, 1) for name in others)
        self.members = Members({one.name: Member(one) for one in peers})
        self.holdings = Holdings(me, SETTINGS)
        self.holdings.adopt(Birth(bytes(16), (*peers, me), (replace(POOL, order=order),)))
        owners = Owners(me, SETTINGS, self.members, self.holdings)
        self.descents = Descents(SETTINGS, Random(1), self.members, owners, self.holdings)

    def step(self, goal: Goal = ANY, now: float = 0.0) -> dict[str, SpaceRequest] | None:
        """Who is asked what; None when it is over."""
        asked = self.descents.step(goal, now)
        if asked is None:
            return None
        requests = {one.target.host: one.message for one in asked}
        return {name: one for name, one in requests.items() if isinstance(one, SpaceRequest)}

    def refuse(self, asked: dict[str, SpaceRequest], name: str) -> None:
        """One that was asked has nothing."""
        assert self.descents.refused(asked[name].request, Peer(name, 1)) == ANY

    def grant(self, asked: dict[str, SpaceRequest], name: str, address: int) -> None:
        """One that was asked gives an address, which is here by now."""
        peer = Peer(name, 1)
        what = Range(address, address + 1)
        self.holdings.pools.gain(V4, what)
        runs = (Run(what.start, what.stop, Token(0, 1), Peer("z", 1), peer),)
        told = Grant(1, asked[name].request, V4, runs)
        assert self.descents.granted(told, peer) == ANY


@pytest.mark.parametrize("others", ["a", "ab"])
def test_few_are_asked_one_after_the_other(others: str) -> None:
    """Each for anything below what is here; when all have none this is the lowest."""
    world = World(others)
    first = world.descents.here(ANY)
    assert first is not None
    assert len(others) <= DIRECT_MAX
    assert not world.descents.is_next(ANY, 0)

    for name in others:
        asked = world.step()
        assert asked is not None
        assert [name] == list(asked)
        assert (Need.FREE, (Range(0, first.start),)) == (asked[name].need, asked[name].within)
        assert world.step() == {}
        world.refuse(asked, name)
    assert world.step() is None
    assert world.descents.is_next(ANY, first.start)


def test_what_came_is_the_bound_for_the_next() -> None:
    """Who has given something is not asked again, and others only if they own what is lower."""
    world = World("ab")
    asked = world.step()
    assert asked is not None
    world.grant(asked, "a", 9)

    assert world.step() is None
    assert world.descents.here(ANY) == Range(9, 10)


def test_many_are_asked_at_once_what_they_would_give() -> None:
    """Then the one with the lowest is to give it; the others, who have nothing lower, keep what they have."""
    world = World("abcd")
    looked = world.step()
    assert looked is not None
    assert list("abcd") == list(looked)
    assert {Need.LOOK} == {one.need for one in looked.values()}
    world.refuse(looked, "a")
    for name, start in (("b", 20), ("c", 30)):
        found = PieceFindings(looked[name].request, (Range(start, start + 1),))
        assert world.descents.found(found, Peer(name, 1)) == ANY
        assert world.step() == {}
    world.refuse(looked, "d")

    asked = world.step()
    assert asked is not None
    assert ["b"] == list(asked)
    assert asked["b"].need is Need.FREE
    world.grant(asked, "b", 21)  # what it had told of is gone by now
    assert world.step() is None


def test_who_has_lost_what_it_told_of_is_not_waited_for() -> None:
    """If the lowest is gone, and what comes in its place is above another's, that one is asked as well."""
    world = World("abcd")
    looked = world.step()
    assert looked is not None
    for name, start in zip("abcd", (3, 20, 30, 40), strict=True):
        world.descents.found(PieceFindings(looked[name].request, (Range(start, start + 1),)), Peer(name, 1))

    asked = world.step()
    assert asked is not None
    assert ["a"] == list(asked)
    world.refuse(asked, "a")
    asked = world.step()
    assert asked is not None
    assert ["b"] == list(asked)
    world.grant(asked, "b", 35)
    asked = world.step()
    assert asked is not None
    assert ["c"] == list(asked)


def test_who_is_silent_is_passed_over() -> None:
    """It is asked a few times; who is not there is asked nothing."""
    world = World("ab")
    del world.members.those["b"]
    now = 0.0
    assert world.step(now=now)
    for _ in range(SETTINGS.donor_tries - 1):
        now = world.descents.wake_at
        assert len(world.descents.repeat(now)) == 1
        assert world.descents.due() == []
    assert world.descents.repeat(world.descents.wake_at) == []

    assert world.descents.due() == [ANY]
    assert world.descents.wake_at == -math.inf
    assert world.step(now=now) is None
    world.descents.end(ANY)
    assert (0, math.inf) == (len(world.descents), world.descents.wake_at)


def test_only_what_is_sought_is_asked_for() -> None:
    """Of some ranges what is below the lowest block that is free here; with none here all of them."""
    world = World("a")  # has 0 to 31
    within = (Range(40, 44), Range(2, 6), Range(28, 37))
    goal = Goal(BLUE, within, 4)
    asked = world.step(goal)
    assert asked is not None
    assert (4, (Range(2, 6), Range(28, 32))) == (asked["a"].size, asked["a"].within)

    world.descents.end(goal)
    world.holdings.pools.freeze(V4, Range(32, 44))
    asked = world.step(goal)
    assert asked is not None
    assert within == asked["a"].within


def test_an_answer_to_no_question_is_none() -> None:
    """What others were asked, what was forgotten, and pools that are gone: nothing follows."""
    world = World("ab")
    asked = world.step()
    assert asked is not None
    assert world.descents.refused(asked["a"].request, Peer("b", 1)) is None
    world.holdings.set_pools((), (), 0.0)
    world.descents.follow_pools()

    assert len(world.descents) == 0
    assert world.descents.refused(asked["a"].request, Peer("a", 1)) is None


def test_other_pools_ask_nobody() -> None:
    """In a pool in no sequence whatever is free here is the next, and nothing lower is wanted."""
    world = World("ab", Order.SPREAD)
    assert world.descents.is_next(ANY, 0)
    assert not world.descents.wanted(ANY, None)

    world = World("ab")
    assert world.descents.wanted(ANY, None)
    assert world.descents.wanted(ANY, Search(ANY, Need.FREE))
    assert not world.descents.wanted(ANY, Search(ANY, Need.COOLING, failed=True))
