"""From wants to what may be taken where."""

from __future__ import annotations

from ring.address import Family, Range
from weaveipam.allocation.orders import Line, repeated, resolve, satisfies
from weaveipam.allocation.pools import Part, Pools
from weaveipam.protocol.requests import Allocate, Refusal, Want
from weaveipam.protocol.values import Allocation, Assigned, Pool, PoolRange, Preallocation, RingId

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


KEPT = Pools(
    (
        Pool(
            "kept",
            "default",
            (
                PoolRange(Family.V4, Range(16, 20), 32, excluded=(Range(17, 18),)),
                PoolRange(Family.V4, Range(32, 40), 32, reserved=(Range(38, 40),)),
                PoolRange(Family.V6, Range(0, 16), 128),
            ),
            preallocations=(Preallocation("vm", Family.V4, 33),),
        ),
    ),
    0,
)
OPEN, APART = Part("kept", V4), Part("kept", V4, kept=True)


def resolved(want: Want, name: str = "") -> Line:
    """The one line of a request, which is not refused."""
    lines = resolve(Allocate("k", wants=(want,), name=name), KEPT)
    assert not isinstance(lines, Refusal), lines
    (line,) = lines
    return line


def refused(want: Want, name: str = "") -> str:
    """Why a request is refused."""
    refusal = resolve(Allocate("k", wants=(want,), name=name), KEPT)
    assert isinstance(refusal, Refusal)
    return refusal.detail


def test_an_index_counts_over_the_ranges_of_a_pool() -> None:
    """From 0 over the ranges of one family in their order, also where addresses are set aside."""
    assert Line(V4, (OPEN,), (Range(18, 19),), 1) == resolved(Want(index=2))
    assert Line(V4, (OPEN,), (Range(32, 33),), 1) == resolved(Want(index=4))
    assert Line(RingId("default", Family.V6), (Part("kept", V6),), (Range(15, 16),), 1) == resolved(
        Want(Family.V6, index=15)
    )


def test_an_index_that_names_no_address_says_which_do() -> None:
    """One beyond the pool, or one that is set aside, is refused."""
    assert "its IPv4 addresses are 0 to 11" in refused(Want(index=12))
    assert "0.0.0.17 is not in kept, or is set aside there" in refused(Want(index=1))
    assert "goes with no range" in refused(Want(index=1, prefix_length=31))


def test_a_name_gets_what_is_kept_for_it() -> None:
    """Who asks in a name gets its address; for a family of which none is kept, any."""
    assert Line(V4, (APART,), (Range(33, 34),), 1) == resolved(Want(), name="vm")
    assert Line(V6, (Part("kept", V6),), (), 1) == resolved(Want(Family.V6), name="vm")
    assert Line(V4, (OPEN,), (), 1) == resolved(Want(), name="another")


def test_what_is_kept_for_a_name_is_no_other_ones() -> None:
    """Who asks for just that address must ask in the name; whoever does gets it."""
    want = Want(Family.V4, within=(Range(33, 34),))

    assert "kept for vm" in refused(want)
    assert "kept for vm" in refused(want, name="another")
    assert (APART,) == resolved(want, name="vm").parts


def test_a_reserved_address_must_be_asked_for() -> None:
    """One of them alone is found apart from what anybody is given; among others it is not."""
    assert (APART,) == resolved(Want(Family.V4, within=(Range(38, 39),))).parts
    assert (OPEN,) == resolved(Want(Family.V4, within=(Range(32, 40),))).parts


def test_what_is_held_is_asked_for_in_its_family() -> None:
    """A repeat that would do with any family means the one that it was given."""
    held = Allocation("k", "default", (Assigned("kept", Family.V6, Range(4, 5), 128, None),), durable=False)
    request = Allocate("k", wants=(Want(),))

    lines = resolve(repeated(request, held), KEPT)

    assert not isinstance(lines, Refusal)
    assert satisfies(held, lines)
    assert request == repeated(request, Allocation("k", "default", held.addresses * 2, durable=False))
