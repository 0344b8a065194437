"""Putting a block together: whom it asks, what it keeps meanwhile, and what becomes of it when it fails."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random

from ring.address import Family, Range
from ring.changes import grant
from ring.ring import Peer
from weaveipam.allocation.assembly import ATTEMPTS_MAX, Assembler
from weaveipam.allocation.donors import Goal, Search
from weaveipam.allocation.giving import Giver
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.leasing import Leasing
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
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
    Step,
    Tell,
)
from weaveipam.protocol.values import Birth, Endpoint, MemberState, Pool, PoolRange, RingId

ME, YOU, THEY = (Peer(name, 1) for name in ("me", "you", "they"))
V4 = RingId("default", Family.V4)
BLUE = Part("blue", V4)
BIRTH = Birth(
    bytes(16), (ME, YOU, THEY), (Pool("blue", "default", (PoolRange(Family.V4, Range(0, 48), 26),)),)
)
GOAL = Goal(BLUE, (), 32)
"""The first of 48 addresses: of 16 each that are mine and yours; what they have is no whole block."""
SETTINGS = AllocationSettings()


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

    those: dict[str, Member] = field(default_factory=lambda: {one.name: Member(one) for one in (THEY, YOU)})

    def alive(self) -> list[Member]:
        """All of them."""
        return [one for _, one in sorted(self.those.items())]

    def get(self, name: str) -> Member | None:
        """One of them."""
        return self.those.get(name)

    def state_of(self, _peer: Peer) -> MemberState | None:
        """Not known."""
        return None

    def hints_of(self, peer: Peer) -> tuple[FreeHint, ...]:
        """Nobody says anything."""
        assert peer.name in self.those
        return ()


class Table:
    """One node's assembler, and what it said last."""

    def __init__(self, gone: frozenset[Peer] = frozenset()) -> None:
        self.now = 0.0
        self.members = Members()
        self.holdings = Holdings(ME, SETTINGS)
        self.holdings.adopt(BIRTH)
        self.holdings.belief.trust(frozenset(), gone, 1)
        self.giver = Giver(ME, SETTINGS, self.members, Random(1), self.holdings)
        self.waits = True
        self.search = Search(GOAL, Need.COOLING, failed=True)
        self.assembler = Assembler(
            ME, SETTINGS, self.members, Random(1), self.giver, self.holdings, lambda _goal: self.waits
        )
        self.told: list[Tell] = []
        self.hear(self.assembler.start(self.search, self.now))

    @property
    def free(self) -> int:
        """Addresses that anybody here could be given."""
        return self.holdings.pools.stocks[BLUE].space.free_count

    @property
    def last(self) -> Tell:
        """What was said last."""
        return self.told[-1]

    def hear(self, steps: list[Step]) -> None:
        """Keep what is said."""
        self.told += [one for one in steps if isinstance(one, Tell)]

    def find(self) -> None:
        """The owner that was asked last finds all of its pieces free."""
        survey = self.last.message
        assert isinstance(survey, PieceSurvey)
        self.hear(self.assembler.found(header(YOU), PieceFindings(survey.request, survey.pieces), self.now))

    def refuse(self) -> None:
        """The owner that was asked for a piece has it no longer."""
        request = self.last.message
        assert isinstance(request, PieceRequest)
        refusal = SpaceRefusal(request.request, Refused.NONE_FREE)
        self.hear(self.assembler.refused(header(YOU), refusal, self.now))

    def give(self, request: PieceRequest) -> None:
        """The piece arrives, and is merged."""
        delta = grant(self.holdings.rings[V4], request.piece, YOU, ME)
        self.holdings.merge(V4, delta)
        told = Grant(7, request.request, V4, tuple(delta))
        self.hear(self.assembler.granted(header(YOU), told, self.now))

    def wake(self) -> None:
        """Time passes until something is due."""
        self.now = self.assembler.wake_at
        self.hear(self.assembler.wake(self.now))


def header(peer: Peer) -> Header:
    """Of what a peer says."""
    return Header(bytes(8), peer, Endpoint(peer.name, 1))


def test_asks_who_has_a_part_and_then_for_the_piece() -> None:
    """Owners of no part are left alone; what is here is kept from others as soon as pieces are collected."""
    table = Table()
    assert [one.target.host for one in table.told] == ["you"]
    assert table.free == 16
    table.find()

    request = table.last.message
    assert isinstance(request, PieceRequest)
    assert request.piece == Range(16, 32)
    assert table.free == 0
    table.give(request)
    assert table.assembler.ended() == [(table.search, True)]
    assert table.free == 32
    taken = Leasing(table.holdings).take(BLUE, 32, (), cooling=False)
    assert taken is not None
    assert taken.range == Range(0, 32)


def test_a_refusal_frees_what_was_kept_and_is_not_the_end() -> None:
    """After a pause owners are asked again, some times, with longer and longer pauses; then it has failed."""
    table = Table()
    pauses = []
    for _ in range(ATTEMPTS_MAX):
        assert not table.assembler.ended()
        table.find()
        table.refuse()
        assert table.free == 16
        if table.assembler.wake_at < math.inf:
            pauses.append(table.assembler.wake_at - table.now)
            table.wake()

    assert table.assembler.ended() == [(table.search, False)]
    assert len(pauses) == ATTEMPTS_MAX - 1
    assert pauses[-1] > 4 * pauses[0] > 0
    assert table.search.near == (Range(0, 32), 32)


def test_nothing_free_is_the_end() -> None:
    """When the owners have nothing free of any candidate, and no space moved, it has failed at once."""
    table = Table()
    survey = table.last.message
    assert isinstance(survey, PieceSurvey)
    table.hear(table.assembler.found(header(YOU), PieceFindings(survey.request, ()), table.now))

    assert table.assembler.ended() == [(table.search, False)]
    assert table.search.near == (Range(0, 32), 16)


def test_a_silent_owner_is_asked_a_few_times_and_named() -> None:
    """Silence is no refusal: the search says whose answer it lacks."""
    table = Table()
    while table.assembler.wake_at < math.inf:
        table.wake()

    assert len(table.told) == SETTINGS.donor_tries
    assert table.search.silent == [YOU]
    assert table.assembler.ended() == [(table.search, False)]


def test_a_late_grant_goes_back() -> None:
    """A piece that was given up, and comes all the same, is granted to its giver at once."""
    table = Table()
    table.find()
    request = table.last.message
    assert isinstance(request, PieceRequest)
    for _ in range(SETTINGS.donor_tries):
        table.wake()
    table.give(request)

    given = table.last.message
    assert isinstance(given, Grant)
    assert table.last.target.host == "you"
    assert [(run.start, run.stop, run.owner) for run in given.runs] == [(16, 32, YOU)]
    assert table.free == 16


def test_nobody_waits_any_more() -> None:
    """When the client has gone, what was kept is free again, and nobody is asked for more."""
    table = Table()
    table.find()
    count = len(table.told)
    table.waits = False
    table.wake()

    assert table.free == 16
    assert math.inf == table.assembler.wake_at
    assert len(table.told) == count + 1  # once more, as its answer was late


def test_other_pools_make_it_begin_anew() -> None:
    """All is given back, and after a pause owners are asked again, of the pool as it is now."""
    table = Table()
    table.find()
    request = table.last.message
    assert isinstance(request, PieceRequest)
    table.holdings.set_pools(BIRTH.pools, (), table.now)
    table.hear(table.assembler.follow_pools(table.now))

    stock = table.holdings.pools.stocks[BLUE]
    assert (stock.space.free_count, stock.used) == (16, 0)
    assert not table.assembler.ended()
    table.give(request)
    assert isinstance(table.last.message, Grant), "what comes now goes back"
    table.wake()
    table.find()
    request = table.last.message
    assert isinstance(request, PieceRequest)
    table.give(request)
    assert table.assembler.ended() == [(table.search, True)]
    assert (table.free, stock.used) == (32, 0)


def test_a_pool_that_is_gone_ends_it() -> None:
    """Nobody is asked for more, and nothing is kept."""
    table = Table()
    table.find()
    count = len(table.told)
    table.holdings.set_pools((), (), table.now)
    table.hear(table.assembler.follow_pools(table.now))
    table.hear(table.assembler.wake(1000.0))

    assert math.inf == table.assembler.wake_at
    assert len(table.told) == count


def test_who_is_removed_has_no_part() -> None:
    """Blocks in which a removed life owns something are no candidates, though it seems to be there."""
    table = Table(gone=frozenset([YOU]))

    assert table.told == []
    assert table.assembler.ended() == [(table.search, False)]


def test_what_is_lost_meanwhile_is_not_free_again() -> None:
    """When another turns out to own some of what was kept, only the rest is put back."""
    table = Table()
    table.find()
    ring = table.holdings.rings[V4]
    table.holdings.merge(V4, grant(ring, Range(0, 4), ME, THEY))
    table.refuse()

    stock = table.holdings.pools.stocks[BLUE]
    assert (stock.space.free_count, stock.owned, stock.used) == (12, 12, 0)
