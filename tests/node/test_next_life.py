"""A daemon that must not go on as who it is: what tells it so, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ring.address import Family
from weaveipam.protocol.requests import Allocate, GetAllocations
from weaveipam.protocol.values import Pool, RingId

V4 = RingId("default", Family.V4)
NAMES = ("a", "b", "c", "d")


def formed(make: Callable[..., Any], make_pool: Callable[..., Pool], **options: Any) -> Any:
    """Four daemons that serve, the last of them joined."""
    world = make(7, **options)
    for name in NAMES[:3]:
        world.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("blue", "10.0.0.0/24"),))
    world.run(3)
    world.add("d", join="a")
    world.run(5)
    assert all(world.status(name).ready for name in NAMES)
    return world


def roll_back(world: Any, name: str, disk: dict[Any, bytes]) -> None:
    """The daemon is gone, and starts again from what its disk held at an earlier time."""
    world.crash(name)
    world.hosts[name].disk = dict(disk)
    world.start(name)


@pytest.fixture
def world(cluster: Callable[..., Any], make_pool: Callable[..., Pool]) -> Any:
    """Four daemons that serve."""
    return formed(cluster, make_pool)


def test_ownership_of_which_only_others_know(world: Any) -> None:
    """A daemon whose disk has lost what it stated of ownership owns nothing of that life from then on."""
    before, was = dict(world.hosts["a"].disk), world.hosts["a"].peer
    given = {world.allocate("d", f"k{number}").addresses[0].range.start for number in range(220)}
    roll_back(world, "a", before)
    world.run(5)
    for number in range(10):
        world.ask("a", Allocate(f"a{number}", wait_s=3.0), 5.0)
    life = world.hosts["a"].peer
    held = world.answer("a", GetAllocations()).allocations

    assert "next-life" in world.events("a")
    assert "two-owners" not in world.events()
    assert life > was
    assert world.status("a").ready
    assert held
    assert given.isdisjoint(one.addresses[0].range.start for one in held)
    assert all(world.ring(name, V4) == world.ring("a", V4) for name in NAMES)


def test_allocations_of_which_only_others_know(world: Any) -> None:
    """A daemon whose disk has lost an allocation, and nothing else, gives its address to nobody."""
    world.allocate("a", "old")
    world.run(5)
    before = dict(world.hosts["a"].disk)
    given = world.allocate("a", "lost", Allocate("lost", durable=True))
    world.run(2)
    roll_back(world, "a", before)
    world.run(5)
    addresses = {world.allocate("a", f"k{number}").addresses[0].range.start for number in range(30)}

    assert "next-life" in world.events("a")
    assert given.addresses[0].range.start not in addresses
