"""Requests that wait."""

from __future__ import annotations

import math

from ring.address import Family
from weaveipam.allocation.donors import Goal
from weaveipam.allocation.pending import Pending, Waiting
from weaveipam.allocation.pools import Part
from weaveipam.protocol.requests import Allocate
from weaveipam.protocol.values import RingId

GOAL = Goal(Part("blue", RingId("default", Family.V4)), (), 1)


def test_keeps_the_order_of_arrival_and_the_earliest_deadline() -> None:
    """First come, first retried; a request that is added again keeps its place."""
    pending = Pending()
    waits = [Waiting(number, Allocate(f"k{number}"), deadline) for number, deadline in ((3, 9.0), (1, 5.0))]
    for one in (*waits, waits[0]):
        pending.add(one)

    assert [3, 1] == [one.request_id for one in pending]
    assert 5.0 == pending.wake_at


def test_dropped_waits_no_longer() -> None:
    """Dropping one ends its wait; dropping it again does nothing."""
    pending = Pending()
    one = Waiting(1, Allocate("k"), 5.0, GOAL)
    pending.add(one)
    assert pending.awaits(GOAL)
    dropped = pending.drop(1), pending.drop(1)

    assert (one, None) == dropped
    assert one not in pending
    assert not pending.awaits(GOAL)
    assert math.inf == pending.wake_at


def test_found_by_key_and_network() -> None:
    """Two requests of one key are both found; another network's is not."""
    pending = Pending()
    for number, network in ((1, "default"), (2, "default"), (3, "other")):
        pending.add(Waiting(number, Allocate("k", network), 5.0))

    assert [1, 2] == [one.request_id for one in pending.of_key("default", "k")]
