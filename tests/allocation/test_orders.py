"""From wants to what may be taken where."""

from __future__ import annotations

from ring.address import Family, Range
from weaveipam.allocation.orders import Line, resolve, satisfies
from weaveipam.allocation.pools import Part, Pools
from weaveipam.protocol.requests import Allocate, Refusal, Want
from weaveipam.protocol.values import Allocation, Assigned, Pool, PoolRange, RingId

V4, V6 = RingId("default", Family.V4), RingId("default", Family.V6)
POOLS = Pools(
    (
        Pool("blue", "default", (PoolRange(Family.V4, Range(0, 16), 28, None, (Range(0, 1),)),)),
        Pool("six", "default", (PoolRange(Family.V6, Range(0, 1 << 64), 64),)),
    ),
    0,
)
BLUE, SIX = Part("blue", V4), Part("six", V6)


def test_nothing_wanted_means_one_of_each_family() -> None:
    """Without wants a key gets one address of every family the network carries."""
    assert (Line(V4, (BLUE,), (), 1), Line(V6, (SIX,), (), 1)) == resolve(Allocate("k"), POOLS)


def test_no_family_means_the_first_that_the_pools_carry() -> None:
    """IPv4 when there is some, else IPv6."""
    assert (Line(V4, (BLUE,), (), 1),) == resolve(Allocate("k", wants=(Want(),)), POOLS)
    assert (Line(V6, (SIX,), (), 1),) == resolve(Allocate("k", wants=(Want(pools=("six",)),)), POOLS)


def test_an_excluded_address_can_not_be_claimed() -> None:
    """What a pool sets aside is refused, and the sentence says so."""
    want = Want(Family.V4, within=(Range(0, 1),))
    refusal = resolve(Allocate("k", wants=(want,)), POOLS)

    assert isinstance(refusal, Refusal)
    assert "set aside" in refusal.detail


def test_exact_means_no_other_address_will_do() -> None:
    """A single range of the size wanted is exact; two ranges, or a larger one, are a choice."""
    assert Line(V4, (BLUE,), (Range(4, 5),), 1).exact
    assert not Line(V4, (BLUE,), (Range(4, 6),), 1).exact
    assert not Line(V4, (BLUE,), (Range(4, 5), Range(7, 8)), 1).exact


def test_the_same_again_is_satisfied_and_something_else_is_not() -> None:
    """What a key holds answers a repeat only if it is what is asked for."""
    held = Allocation("k", "default", (Assigned("blue", Family.V4, Range(4, 5), 28, None),), durable=False)

    assert satisfies(held, (Line(V4, (BLUE,), (), 1),))
    assert satisfies(held, (Line(V4, (BLUE,), (Range(4, 5),), 1),))
    assert not satisfies(held, (Line(V4, (BLUE,), (Range(5, 6),), 1),))
    assert not satisfies(held, (Line(V4, (BLUE,), (), 2),))
    assert not satisfies(held, (Line(V6, (SIX,), (), 1),))
    assert not satisfies(held, (Line(V4, (BLUE,), (), 1), Line(V6, (SIX,), (), 1)))
