"""What a member calls for though no client asks it to, and who of several does it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.campaign import Wanted
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.housekeeping import LOOKS_OF_ANYBODY, LOOKS_OF_HEIR, Housekeeping
from weaveipam.allocation.seat import Seat
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.gossip.members import Members
from weaveipam.protocol.decisions import Ballot, Removal
from weaveipam.protocol.messages import Rumour
from weaveipam.protocol.rollcalls import Prepare
from weaveipam.protocol.values import Birth, Endpoint, MemberState, Pool, PoolRange

A, B, C, D, DEAD = (Peer(name, 5) for name in ("a", "b", "c", "d", "dead"))
BIRTH = Birth(bytes(16), (A, B, C, DEAD), (Pool("p", "default", (PoolRange(Family.V4, Range(0, 64), 26),)),))


class Desk:
    """One member that sees some others; `D` is no elector."""

    def __init__(self, me: Peer, *there: Peer) -> None:
        self.members = Members(me, Endpoint(me.name, 1), 0.0)
        for one in there:
            self.sees(one)
        holdings = Holdings(me, AllocationSettings())
        holdings.adopt(BIRTH)
        self.seat = Seat(me, AllocationSettings(), holdings)
        self.seat.take(BIRTH, ())
        electors = replace(self.seat.ledger.charter, electors=(A, B, C))
        self.seat.keep(replace(self.seat.ledger, charter=electors, admitted=True), 0.0)
        self.it = Housekeeping(self.seat, self.members)

    def sees(self, one: Peer, state: MemberState = MemberState.ALIVE) -> None:
        """Hear of another one."""
        self.members.hear(Rumour(one, Endpoint(one.name, 1), state, 0), 0.0)

    def promises(self, proposer: Peer, ballot_round: int = 1) -> None:
        """Take part in a removal that somebody has called for."""
        asked = Prepare(1, Ballot(1, ballot_round, proposer), (DEAD,), 1, (), 0)
        ledger, declined = self.seat.ledger.promise(asked, ())
        assert declined is None
        self.seat.keep(ledger, 0.0)

    def looks(self, most: int = 20) -> int:
        """How many looks it takes until it calls for something, and that is only what was begun; 0: none."""
        for number in range(1, most + 1):
            wanted = self.it.look(busy=False)
            if wanted is not None:
                assert Wanted() == wanted
                return number
        return 0


def test_who_called_goes_on() -> None:
    """Who finds its own ballot unfinished calls again, whoever is there, as it would have done before."""
    desk = Desk(D)
    desk.promises(D)

    assert 1 == desk.looks()


@pytest.mark.parametrize(
    ("me", "proposer", "looks"),
    [(A, C, LOOKS_OF_HEIR), (B, C, LOOKS_OF_ANYBODY), (D, C, LOOKS_OF_ANYBODY), (D, DEAD, LOOKS_OF_HEIR)],
)
def test_others_finish_what_one_began(me: Peer, proposer: Peer, looks: int) -> None:
    """The first elector does so soon, anybody else if the proposer is gone, or nothing happens for long."""
    desk = Desk(me, *{A, B, C} - {me})
    desk.promises(proposer)

    assert looks == desk.looks()


def test_nobody_interferes_while_it_goes_on() -> None:
    """With each new ballot the time begins anew, and so it does after nothing was unfinished."""
    desk = Desk(A, B, C)
    for ballot_round in range(1, 4):
        desk.promises(C, ballot_round)
        assert 0 == desk.looks(LOOKS_OF_HEIR - 1)
    desk.seat.keep(replace(desk.seat.ledger, promised=None, closed=frozenset()), 0.0)
    assert 0 == desk.looks()


@pytest.mark.parametrize("me", [A, D])
def test_nobody_calls_while_an_owner_is_away(me: Peer) -> None:
    """It would have to be waited for, by those who want to join, too."""
    desk = Desk(me, *{A, B} - {me})
    desk.promises(DEAD)
    assert 0 == desk.looks()
    desk.sees(C)
    assert 1 == desk.looks()


def test_who_is_busy_or_not_admitted_calls_for_nothing() -> None:
    """It goes on with what it wants, or is asked by nobody itself."""
    desk = Desk(D, A, B, C)
    desk.promises(D)
    assert desk.it.look(busy=True) is None
    desk.seat.keep(replace(desk.seat.ledger, admitted=False), 0.0)
    assert 0 == desk.looks()


def test_the_first_elector_removes_who_has_left() -> None:
    """Once it owns nothing: an owner that says so is not gone yet; others leave it to the first one."""
    gone = Peer("x", 5)
    for me in (A, B):
        desk = Desk(me, *{A, B, C, DEAD} - {me})
        desk.seat.keep(replace(desk.seat.ledger, roster=desk.seat.ledger.roster | {gone}), 0.0)
        desk.sees(gone)
        desk.sees(gone, MemberState.LEFT)
        wanted = desk.it.look(busy=False)
        assert (Wanted(victims=frozenset((gone,))) if me == A else None) == wanted
    desk = Desk(A, B, C)
    desk.sees(DEAD)
    desk.sees(DEAD, MemberState.LEFT)
    assert 0 == desk.looks()


def test_the_next_life_removes_the_one_that_has_left() -> None:
    """Its disk says so; no longer once that is decided, nor as long as the earlier one seems to own any."""
    desk = Desk(D, A, B, C, DEAD)
    desk.it.earlier = Peer("d", 1)
    assert Wanted(victims=frozenset((Peer("d", 1),))) == desk.it.look(busy=False)
    charter = replace(desk.seat.ledger.charter, number=1, removed=(Removal(1, Peer("d", 1)),))
    desk.seat.keep(replace(desk.seat.ledger, charter=charter), 0.0)
    assert 0 == desk.looks()
    desk.it.earlier = DEAD
    assert 0 == desk.looks()


def test_electors_are_chosen_where_some_miss() -> None:
    """Of seven that are there all are to be electors; the first one calls for it at once."""
    desk = Desk(A, B, C, DEAD)
    more = [Peer(name, 5) for name in "xyz"]
    for one in more:
        desk.sees(one)
    desk.seat.keep(replace(desk.seat.ledger, roster=desk.seat.ledger.roster.union(more)), 0.0)

    assert 1 == desk.looks()
