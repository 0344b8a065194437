"""What pools come to, whatever order they are in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ring.address import Family, Range, parse_range
from simulations.pools import domains_of, hulls_of, is_mixed, pools_at, rings_of, shown_pools, size_of
from simulations.simulated import SimulatedStage
from weaveipam.config.pools import parse_pool
from weaveipam.protocol.values import RingId

V4, V6 = RingId("default", Family.V4), RingId("default", Family.V6)
POOL = parse_pool({"name": "default", "ranges": ["10.32.0.0/26"]})
NEXT = parse_pool({"name": "next", "ranges": ["10.32.0.64/26"]})
FAR = parse_pool({"name": "far", "ranges": ["10.40.0.16-10.40.0.47"]})
MIXED = parse_pool({"name": "mixed", "ranges": ["10.50.0.0/30", "fd00::/126"]})


def span(text: str) -> Range:
    """Of `FIRST-LAST`, or a prefix."""
    return parse_range(text)[1]


def test_pools_of_one_network_share_a_ring() -> None:
    """A ring has what all pools of its network and family have; what touches is one range."""
    domains = domains_of([FAR, NEXT, POOL, MIXED])

    assert domains == {
        V4: (span("10.32.0.0-10.32.0.127"), FAR.ranges[0].range, span("10.50.0.0-10.50.0.3")),
        V6: (span("fd00::-fd00::3"),),
    }
    assert list(domains) == [V4, V6]
    assert list(rings_of([MIXED])) == [V4, V6]


def test_the_hull_of_a_ring_is_that_of_its_pools() -> None:
    """It reaches from the first to the last address of all."""
    first, last = POOL.ranges[0].range.start, FAR.ranges[0].range.stop - 1

    assert hulls_of([FAR, POOL]) == {V4: Range(first, last + 1)}
    assert hulls_of([POOL])[V4].size == 64


def test_pools_are_found_by_their_addresses() -> None:
    """Those that have any of a range of a ring, whatever is set aside there."""
    pools = [FAR, NEXT, POOL, MIXED]

    assert pools_at(pools, (V4, span("10.32.0.63-10.32.0.64"))) == [NEXT, POOL]
    assert pools_at(pools, (V4, span("10.40.0.48"))) == []
    assert pools_at(pools, (V6, span("fd00::1"))) == [MIXED]
    assert pools_at(pools, (RingId("red", Family.V4), span("10.32.0.1"))) == []


def test_a_pool_of_both_families_is_mixed() -> None:
    """One of a single family is not."""
    assert [is_mixed(one) for one in (POOL, FAR, MIXED)] == [False, False, True]


def test_what_is_set_aside_is_not_to_be_had() -> None:
    """Network and broadcast addresses of IPv4, and the first of an IPv6 prefix, are not counted."""
    assert size_of([POOL]) == 62
    assert size_of([POOL, FAR, MIXED]) == 62 + 32 + 2 + 3
    assert size_of([]) == 0


def test_each_address_counts_for_one_pool_only() -> None:
    """What a child has its parent has not, though the ring covers it once; a child sets aside its own."""
    top = parse_pool({"name": "top", "ranges": ["10.0.0.0/24"], "kind": "aggregate"})
    net = parse_pool({"name": "net", "ranges": ["10.0.0.0/26"], "kind": "network"})
    assert size_of([top]) == 256
    assert size_of([top, net]) == 192 + 62
    assert domains_of([top, net]) == domains_of([top])


def test_the_pools_are_those_that_somebody_shows(stage_of: Callable[..., SimulatedStage]) -> None:
    """Of daemons that serve the first one that was asked counts; if none was, things are as before."""
    (view, *_) = stage_of().observer.views().values()
    before = (POOL,)
    views = {"n1": replace(view, serving=False, pools=(FAR,)), "n2": replace(view, pools=(NEXT,))}

    assert shown_pools(views, before) == (NEXT,)
    assert shown_pools({"n1": views["n1"], "n2": replace(view, pools=None)}, before) == before
