"""Whom and what a node believes."""

from __future__ import annotations

import pytest

from ring.address import Family, Range
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.belief import EPOCH_MAX
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import Ownership
from weaveipam.protocol.values import Birth, Pool, PoolRange, RingId

ME, OTHER = Peer("me", 1), Peer("other", 1)
V4 = RingId("default", Family.V4)
SIZE = 32
BIRTH = Birth(
    bytes(16), (ME, OTHER), (Pool("blue", "default", (PoolRange(Family.V4, Range(0, SIZE), 27, None, ()),)),)
)


@pytest.fixture
def holdings() -> Holdings:
    """Of a node that has heard of nothing but the birth."""
    made = Holdings(ME, AllocationSettings())
    made.adopt(BIRTH)
    return made


def test_statements_that_overlap_are_refused(holdings: Holdings) -> None:
    """What no daemon of ours would say is no ring."""
    runs = (Run(0, 4, Token(0, 1), OTHER, OTHER), Run(2, 6, Token(0, 1), OTHER, OTHER))
    assert holdings.checked(Ownership(V4, runs)) is None


def test_statements_outside_the_pools_are_left_out(holdings: Holdings) -> None:
    """Of addresses of no pool nothing is learned: who tells of them knows of other pools."""
    runs = (Run(0, SIZE + 1, Token(0, 1), OTHER, OTHER),)
    inside = (Run(0, SIZE, Token(0, 1), OTHER, OTHER),)
    assert holdings.checked(Ownership(V4, runs)) == Ring.of(inside)
    assert holdings.checked(Ownership(RingId("other", Family.V4), runs)) == Ring.of(())


def test_decisions_that_are_unknown_are_not_believed(holdings: Holdings) -> None:
    """What a later decision has brought is learned once that decision is in force here."""
    said = Ownership(V4, (Run(0, SIZE, Token(1, 0), OTHER, OTHER),))
    assert holdings.checked(said) == Ring.of(())
    holdings.belief.trust(frozenset(), frozenset(), 1)
    assert holdings.checked(said) == Ring.of(said.runs)


def test_the_fenced_are_not_believed(holdings: Holdings) -> None:
    """Nothing new that somebody says is learned who is fenced, whoever passes it on."""
    said = Ownership(V4, (Run(0, SIZE, Token(0, 1), ME, OTHER),))
    holdings.belief.trust(frozenset((OTHER,)), frozenset(), 0)
    assert holdings.checked(said) == Ring.of(())


def test_nothing_is_given_to_the_fenced_and_the_removed(holdings: Holdings) -> None:
    """Who is fenced, or removed, is over; removed is only who is not fenced any more."""
    belief, removed = holdings.belief, Peer("gone", 1)
    belief.trust(frozenset((OTHER,)), frozenset((removed,)), 1)

    assert [belief.is_over(one) for one in (ME, OTHER, removed)] == [False, True, True]
    assert [belief.is_removed(one) for one in (ME, OTHER, removed)] == [False, False, True]


@pytest.mark.parametrize("epoch", [EPOCH_MAX + 1, (1 << 64) - 1])
def test_an_epoch_near_the_end_is_not_believed(holdings: Holdings, epoch: int) -> None:
    """A statement whose epoch its owner could not raise any more is none of an honest peer."""
    run = Run(4, 8, Token(0, epoch), ME, OTHER)

    assert holdings.checked(Ownership(V4, (run,))) is None
    assert holdings.checked(Ownership(V4, (run._replace(token=Token(0, EPOCH_MAX)),))) is not None
