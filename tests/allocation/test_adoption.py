"""Offering foreign addresses to their owners, one machine at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pytest

from ring.address import Family, Range
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.adoption import TOLD_MAX, Adoption
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.leasing import Leasing
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import Adopt, Adopted, FreeHint, Header, LoanQuery, Returned, Step, Tell
from weaveipam.protocol.values import Allocation, Birth, Endpoint, Loan, MemberState, Pool, PoolRange, RingId

A, B = Peer("a", 1), Peer("b", 1)
V4 = RingId("default", Family.V4)
BLUE = Part("blue", V4)
SIZE = 256
BIRTH = Birth(bytes(16), (A, B), (Pool("blue", "default", (PoolRange(Family.V4, Range(0, SIZE), 24),)),))
SETTINGS = AllocationSettings.preset("test")


@dataclass(frozen=True)
class Member:
    """A member that is there."""

    peer: Peer
    present: bool = True

    @property
    def endpoint(self) -> Endpoint:
        """By name."""
        return Endpoint(self.peer.name, 1)


class Members:
    """Two members that are there."""

    def alive(self) -> Sequence[Member]:
        """Both."""
        return [Member(A), Member(B)]

    def get(self, name: str) -> Member | None:
        """By name."""
        return next((one for one in self.alive() if one.peer.name == name), None)

    def state_of(self, _peer: Peer) -> MemberState | None:
        """Not known."""
        return None

    def hints_of(self, _peer: Peer) -> tuple[FreeHint, ...]:
        """None."""
        return ()


class Side:
    """One daemon's holdings and its adoption."""

    def __init__(self, me: Peer) -> None:
        self.me = me
        self.holdings = Holdings(me, SETTINGS)
        self.holdings.adopt(BIRTH)
        self.adoption = Adoption(me, SETTINGS, Members(), Random(1), self.holdings)

    def hear(self, sender: Peer, message: Adopt | Adopted | LoanQuery | Returned, now: float) -> list[Step]:
        """What a message brings about."""
        return self.adoption.hear(Header(bytes(8), sender, Endpoint(sender.name, 1)), message, now)


def told(steps: Sequence[Step]) -> list[object]:
    """The messages among steps."""
    return [one.message for one in steps if isinstance(one, Tell)]


def lost(count: int) -> tuple[Side, Side]:
    """`a` after so many of its addresses, all in use, have become those of `b`."""
    one, two = Side(A), Side(B)
    for number in range(count):
        what = Leasing(one.holdings).take(BLUE, 1, (), cooling=False)
        assert what is not None
        assigned = one.holdings.pools.assigned(V4, what.range)
        Leasing(one.holdings).lease(Allocation(f"k{number}", "default", (assigned,), durable=False))
    taken = Ring.of([Run(0, SIZE // 2, Token(1, 0), B, B)])
    one.holdings.merge(V4, taken)
    two.holdings.merge(V4, taken)
    return one, two


def test_offers_are_coalesced_and_repeated_until_answered() -> None:
    """Hundreds of addresses take a few messages; what is not answered comes again, ever more slowly."""
    one, two = lost(TOLD_MAX + 6)
    assert one.adoption.wake_at == -math.inf
    first = told(one.adoption.wake(0.0))
    assert [len(each.loans) for each in first if isinstance(each, Adopt)] == [TOLD_MAX, 6]
    again_at = one.adoption.wake_at
    again = told(one.adoption.wake(again_at))
    assert again == first
    assert one.adoption.wake_at - again_at > again_at
    for each in again:
        assert isinstance(each, Adopt)
        for answer in told(two.hear(A, each, 1.0)):
            assert isinstance(answer, Adopted)
            one.hear(B, answer, 1.0)

    assert told(one.adoption.wake(one.adoption.wake_at)) == []
    assert one.adoption.wake_at == math.inf


def test_what_moves_elsewhere_hastens_nothing() -> None:
    """News of other addresses does not make offers come sooner; a new owner, or another address, does."""
    one, _ = lost(1)
    assert len(told(one.adoption.wake(0.0))) == 1
    again_at = one.adoption.wake_at
    one.holdings.merge(V4, Ring.of([Run(SIZE - 8, SIZE, Token(1, 0), B, B)]))
    assert told(one.adoption.wake(0.01)) == []
    assert one.adoption.wake_at == again_at

    one.holdings.merge(V4, Ring.of([Run(0, 8, Token(2, 0), Peer("b", 2), A)]))
    one.adoption.wake(0.02)
    assert one.adoption.wake_at == pytest.approx(0.02 + SETTINGS.repeat_s)


def test_the_owner_remembers_before_it_answers() -> None:
    """The loan is on stable storage before the holder hears of it, and a repeat writes nothing."""
    one, two = lost(1)
    (offer,) = told(one.adoption.wake(0.0))
    assert isinstance(offer, Adopt)
    persist, answer = two.hear(A, offer, 0.0)

    assert isinstance(persist, Persist)
    assert persist.durability is Durability.HOST
    assert isinstance(answer, Tell)
    assert two.hear(A, offer, 0.1) == [answer]


def test_what_the_receiver_does_not_own_is_not_adopted() -> None:
    """Whoever is not the owner, by its own knowledge, promises nothing; nor for a life that is over."""
    one, two = lost(1)
    (offer,) = told(one.adoption.wake(0.0))
    assert isinstance(offer, Adopt)

    assert Side(B).hear(A, offer, 0.0) == []
    assert two.hear(Peer("a", 0), offer, 0.0) == []


def test_only_an_answer_to_a_question_ends_a_loan() -> None:
    """A late or unasked word of a release frees nothing; the owner asks then, and that answer counts."""
    one, two = lost(1)
    (offer,) = told(one.adoption.wake(0.0))
    assert isinstance(offer, Adopt)
    two.hear(A, offer, 0.0)
    (loan,) = offer.loans
    assert two.hear(A, Returned(7, (loan,)), 0.1) == []
    assert two.hear(A, Returned(0, (loan,)), 0.1) == []
    (query,) = told(two.adoption.wake(0.1))
    assert isinstance(query, LoanQuery)
    assert told(one.hear(B, query, 0.1)) == [offer]
    (held,) = one.holdings.leases
    Leasing(one.holdings).give_back([held], 0.2)
    assert told(one.adoption.wake(0.2)) == [Returned(0, (loan,))]
    (answer,) = told(one.hear(B, query, 0.2))
    assert isinstance(answer, Returned)
    assert two.hear(Peer("a", 2), answer, 0.3) == []
    (persist,) = two.hear(A, answer, 0.3)

    assert isinstance(persist, Persist)
    assert len(two.holdings.loans) == 0
    assert two.holdings.pools.stocks[BLUE].space.cooling_count == 1


def test_another_key_on_the_same_address_is_told() -> None:
    """Where the owner has given it away already, the holder learns to whom, and when that ends."""
    one, two = lost(1)
    what = Leasing(two.holdings).take(BLUE, 1, [Range(0, 1)], cooling=False)
    assert what is not None
    other = Allocation("mine", "default", (two.holdings.pools.assigned(V4, what.range),), durable=False)
    Leasing(two.holdings).lease(other)
    offer = Adopt((Loan(V4, Range(0, 1), "k0"),))
    (answer,) = told(two.hear(A, offer, 0.0))
    assert isinstance(answer, Adopted)
    reports = one.hear(B, answer, 0.0)
    assert [getattr(report, "event", "") for report in reports] == ["address-in-use-twice"]
    assert one.hear(B, answer, 0.1) == []
    Leasing(two.holdings).give_back([other], 1.0)
    (answer,) = told(two.hear(A, offer, 1.0))
    assert isinstance(answer, Adopted)
    one.hear(B, answer, 1.0)

    assert one.adoption.held_twice() == two.adoption.held_twice() == []
    assert Leasing(two.holdings).take(BLUE, 1, [Range(0, 1)], cooling=True) is None
