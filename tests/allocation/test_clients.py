"""What clients are answered, what is looked for on their behalf, and what is wanted ahead of need."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import pytest

from ring.address import Family, Range
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.assembly import Assembler
from weaveipam.allocation.clients import Clients
from weaveipam.allocation.descents import Descents
from weaveipam.allocation.donors import Goal, Searches
from weaveipam.allocation.giving import Giver
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.leaving import Leaver
from weaveipam.allocation.marks import Marks
from weaveipam.allocation.owners import Owners
from weaveipam.allocation.pending import Pending
from weaveipam.allocation.pools import Part
from weaveipam.allocation.refilling import REFILL_DOUBLINGS_MAX, Refills
from weaveipam.allocation.seeking import Seeker
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.allocation.standing import Standing
from weaveipam.protocol.effects import Reply
from weaveipam.protocol.messages import (
    FreeHint,
    Header,
    Need,
    Refused,
    SpaceRefusal,
    SpaceRequest,
    Step,
    Tell,
)
from weaveipam.protocol.requests import Allocate, Allocated, Collect, Reason, Refusal, Release, Released, Want
from weaveipam.protocol.values import Birth, Endpoint, MemberState, Pool, PoolRange, RingId

ME, YOU = Peer("me", 1), Peer("you", 1)
V4 = RingId("default", Family.V4)
BLUE = Part("blue", V4)
BIRTH = Birth(bytes(16), (ME, YOU), (Pool("blue", "default", (PoolRange(Family.V4, Range(0, 4), 30),)),))
"""Two addresses are mine."""
HEADER = Header(bytes(8), YOU, Endpoint("you", 1))
SETTINGS = AllocationSettings(watermark_min=1, pending_max=2)
ANY = Goal(BLUE, (), 1)


@dataclass(frozen=True)
class Member:
    """The other peer."""

    peer: Peer = YOU
    present: bool = True

    @property
    def endpoint(self) -> Endpoint:
        """Its address is its name."""
        return HEADER.endpoint


class Members:
    """The other one is there, and has plenty."""

    def alive(self) -> tuple[Member, ...]:
        """The one."""
        return (Member(),)

    def get(self, name: str) -> Member | None:
        """The one."""
        return Member() if name == "you" else None

    def state_of(self, _peer: Peer) -> MemberState | None:
        """Not known."""
        return None

    def hints_of(self, peer: Peer) -> tuple[FreeHint, ...]:
        """Much is free."""
        assert peer == YOU
        return (FreeHint("blue", Family.V4, 9),)


class World:
    """One node that serves two clients, or that waits to."""

    def __init__(self) -> None:
        members, rng = Members(), Random(1)
        self.holdings = Holdings(ME, SETTINGS)
        self.holdings.adopt(BIRTH)
        self.standing = Standing(serving=True, admitted=True)
        self.giver = Giver(ME, SETTINGS, members, rng, self.holdings)
        leaver = Leaver(ME, SETTINGS, members, rng, self.holdings, self.giver, self.standing)
        self.refills = Refills(SETTINGS, rng, self.holdings, self.giver, leaver, self.standing)
        self.pending = Pending()
        owners = Owners(ME, SETTINGS, members, self.holdings)
        self.seeker = Seeker(
            Searches(SETTINGS, rng),
            owners,
            Descents(SETTINGS, rng, members, owners, self.holdings),
            Assembler(ME, SETTINGS, members, rng, self.giver, self.holdings, self.pending.awaits),
            self.refills,
            self.pending,
            self.retry,
        )
        marks = Marks(ME, SETTINGS, members)
        self.clients = Clients(
            SETTINGS, self.holdings, self.pending, self.seeker, self.giver, marks, self.standing
        )

    def retry(self, goal: Goal | None, now: float) -> list[Step]:
        """Whoever waits is tried again."""
        return self.clients.retry(goal, now)

    def allocate(self, number: int, wait_s: float = 5.0) -> list[Step]:
        """A key asks for any address."""
        return self.clients.allocate(number, Allocate(f"k{number}", wait_s=wait_s), 0.0)

    def refuse(self, steps: list[Step], now: float = 0.0) -> list[Step]:
        """The other one has nothing to give, whatever it is asked."""
        said: list[Step] = list(steps)
        while requests := [one.message for one in steps if isinstance(one, Tell)]:
            (asked,) = requests
            assert isinstance(asked, SpaceRequest)
            refusal = SpaceRefusal(asked.request, Refused.NONE_FREE)
            steps = self.seeker.refused(HEADER, refusal, now)
            said += steps
        return said


@pytest.fixture
def world() -> World:
    """A node that serves, and may ask."""
    return World()


def answers(steps: list[Step]) -> list[object]:
    """What clients are told."""
    return [one.answer for one in steps if isinstance(one, Reply)]


def needs(steps: list[Step]) -> list[Need]:
    """For what the other one is asked."""
    return [
        one.message.need for one in steps if isinstance(one, Tell) and isinstance(one.message, SpaceRequest)
    ]


def test_what_is_here_is_given_at_once_and_again(world: World) -> None:
    """A key has its address without anybody being asked, and the same one if it asks again."""
    (first,) = answers(world.allocate(1))
    (again,) = answers(world.clients.allocate(9, Allocate("k1"), 0.0))

    assert isinstance(first, Allocated)
    assert first == again
    assert world.clients.release(3, Release("k1"), 0.0)[-1] == Reply(3, Released((first.allocation,)))


def test_one_waits_while_the_others_are_asked(world: World) -> None:
    """Where nothing is free a client waits for a search, and all who want the same for one."""
    for number in (1, 2):
        world.allocate(number)
    steps = [*world.allocate(3), *world.allocate(4)]

    assert answers(steps) == []
    assert len(world.pending) == 2
    assert len(world.seeker) == 1
    (refused,) = answers(world.allocate(5))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.OVERLOADED


def test_who_finds_nothing_is_told_so(world: World) -> None:
    """When the last owner has said no, to a wish for resting addresses too, the client is refused."""
    for number in (1, 2):
        world.allocate(number)
    steps = world.refuse(world.allocate(3))

    assert needs(steps)[-2:] == [Need.FREE, Need.COOLING]
    (refused,) = answers(steps)
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.EXHAUSTED
    assert len(world.pending) == 0


def test_who_waits_has_what_is_given_back(world: World) -> None:
    """A released address goes to who waits, if nobody had another one: it rests as long as there is hope."""
    for number in (1, 2, 3):
        world.allocate(number)
    steps = world.clients.collect(7, Collect("k1", ()), 0.0)
    assert len(answers(steps)) == 1
    assert len(world.pending) == 1
    assert world.seeker.is_last_resort(ANY) is False

    goal = world.seeker.get(ANY)
    assert goal is not None
    refusal = SpaceRefusal(goal.request, Refused.NONE_FREE)
    steps = world.refuse(world.seeker.refused(HEADER, refusal, 0.0))
    assert [type(one) for one in answers(steps)] == [Allocated]


def test_who_waits_too_long_is_refused(world: World) -> None:
    """At the deadline a client has its answer; a client that went away has none."""
    world.standing.serving = False
    assert world.allocate(1, wait_s=1.0) == []
    assert world.allocate(2, wait_s=1.0) == []
    world.clients.cancel(2)

    assert world.clients.wake(0.9) == []
    (refused,) = answers(world.clients.wake(1.0))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.NOT_READY


def test_nobody_is_asked_before_this_node_is_admitted(world: World) -> None:
    """Who needs some waits until space may be asked for, and then it is."""
    world.standing.admitted = False
    for number in (1, 2):
        world.allocate(number)
    assert world.allocate(3) == []
    world.standing.admitted = True

    assert needs(world.clients.retry(None, 0.0)) == [Need.FREE]
    assert answers(world.clients.refuse_waiting("because")) == [Refusal(Reason.NOT_READY, "because")]


def test_a_node_that_runs_low_asks_ahead_of_need(world: World) -> None:
    """With its last address gone more is asked for, and again after a pause that doubles a few times."""
    steps = [*world.allocate(1), *world.allocate(2)]
    assert needs(steps) == [Need.REFILL]
    now = 0.0
    pauses: list[float] = []
    for _ in range(REFILL_DOUBLINGS_MAX + 2):
        world.refuse(steps, now)
        pauses.append(world.refills.wake_at - now)
        now = world.refills.wake_at
        assert world.seeker.refill(BLUE, math.nextafter(now, 0.0)) == []
        steps = world.seeker.refill(BLUE, now)
        assert needs(steps) == [Need.REFILL]

    for doublings, pause_s in enumerate(pauses):
        longest_s = SETTINGS.refill_pause_s * 2 ** min(doublings, REFILL_DOUBLINGS_MAX)
        assert longest_s / 2 <= pause_s <= longest_s


def test_who_has_given_away_wants_nothing_in_its_place(world: World) -> None:
    """After a gift no refill is wanted before some of what is left is used."""
    world.holdings.give_away(V4, Range(0, 2), YOU)
    world.giver.be_content(V4, Range(0, 2))
    assert world.seeker.refill(BLUE, 0.0) == []

    assert needs(world.seeker.used(BLUE, 0.0)) == [Need.REFILL]


def test_what_is_in_no_pool_any_more_is_not_sought(world: World) -> None:
    """With other pools the searches for those that are gone end, and nothing of them is wanted."""
    for number in (1, 2, 3):
        world.allocate(number)
    world.holdings.set_pools((), (), 0.0)

    assert world.seeker.follow_pools(world.holdings.pools, 0.0) == []
    assert len(world.seeker) == 0
    assert world.seeker.wake_at == math.inf


def test_a_pool_whose_owners_are_not_known_yet_is_not_exhausted(world: World) -> None:
    """Who hears of a pool before it hears who owns it waits for that, and then asks."""
    ring = RingId("default", Family.V6)
    green = Pool("green", "default", (PoolRange(Family.V6, Range(0, 4), 126),))
    world.holdings.set_pools((*BIRTH.pools, green), (), 0.0)
    steps = world.clients.allocate(1, Allocate("k", wants=(Want(pools=("green",)),)), 0.0)
    assert [] == steps
    world.holdings.merge(ring, Ring.of([Run(0, 4, Token(1, 0), YOU, YOU)]))
    asked = world.seeker.wake(1.0)

    (request,) = [one.message for one in asked if isinstance(one, Tell)]
    assert isinstance(request, SpaceRequest)
    assert request.pool == "green"
