"""Allocations by key and by address."""

from __future__ import annotations

import pytest

from ring.address import Family, Range
from weaveipam.allocation.leases import Leases
from weaveipam.protocol.values import Allocation, Assigned, RingId

V4 = RingId("default", Family.V4)


def allocation(key: str, start: int, size: int = 1, network: str = "default") -> Allocation:
    """An allocation of one range."""
    one = Assigned("blue", Family.V4, Range(start, start + size), 24, None)
    return Allocation(key, network, (one,), durable=False)


def test_found_by_key_and_by_every_address_of_a_block() -> None:
    """A single address and a block are found at their edges, and nothing beside them is."""
    leases = Leases()
    single, block = allocation("one", 7), allocation("net", 8, 8)
    leases.add(single)
    leases.add(block)
    found = [leases.at(V4, address) for address in (6, 7, 8, 15, 16)]

    assert [None, single, block, block, None] == found
    assert block == leases.get("default", "net")
    assert leases.get("other", "net") is None


def test_removed_is_forgotten() -> None:
    """After removal neither key nor address finds anything, and both can be used again."""
    leases = Leases()
    block = allocation("net", 8, 8)
    leases.add(block)
    leases.remove(block)
    leases.add(allocation("other", 8, 8))

    assert leases.get("default", "net") is None
    assert len(leases) == 1


def test_two_networks_do_not_meet() -> None:
    """The same key and address in another network are other things."""
    leases = Leases()
    leases.add(allocation("k", 7))
    leases.add(allocation("k", 7, network="blue"))

    assert len(leases) == 2


def test_an_address_is_never_leased_twice() -> None:
    """Adding an allocation over another's address is a programmer's error."""
    leases = Leases()
    leases.add(allocation("one", 7))

    with pytest.raises(AssertionError):
        leases.add(allocation("two", 7))


def test_lists_are_sorted_and_prefixes_exact() -> None:
    """Iteration and prefix search come in order of keys."""
    leases = Leases()
    for key, start in (("b/2", 2), ("a/1", 1), ("b/1", 3)):
        leases.add(allocation(key, start))

    assert ["a/1", "b/1", "b/2"] == [one.key for one in leases]
    assert ["b/1", "b/2"] == [one.key for one in leases.starting_with("default", "b/")]
    assert ["a/1"] == [one.key for one in leases.within(V4, Range(0, 2))]
