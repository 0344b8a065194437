"""A daemon that must not go on as who it is: what tells it so, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ring.address import Family
from weaveipam.protocol.codec import encode_record
from weaveipam.protocol.records import Identity
from weaveipam.protocol.requests import Allocate, GetAllocations, Reason, Refusal
from weaveipam.protocol.values import MemberState, Pool, RingId

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


def saved(world: Any, name: str) -> dict[Any, bytes]:
    """What a daemon's disk holds now, and whose it is."""
    host = world.hosts[name]
    identity = Identity(host.peer)
    return {identity.record_key: encode_record(identity), **host.disk}


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
    before, was = saved(world, "a"), world.hosts["a"].peer
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


@pytest.mark.parametrize("durable", [False, True])
def test_allocations_of_which_only_others_know(world: Any, durable: bool) -> None:
    """A daemon whose disk has lost an allocation, and nothing else, gives its address to nobody."""
    world.allocate("a", "old")
    world.run(5)
    before = saved(world, "a")
    given = world.allocate("a", "lost", Allocate("lost", durable=durable))
    world.run(2)
    roll_back(world, "a", before)
    world.run(5)
    addresses = {world.allocate("a", f"k{number}").addresses[0].range.start for number in range(30)}

    assert "next-life" in world.events("a")
    assert given.addresses[0].range.start not in addresses


def test_who_waits_is_told(world: Any) -> None:
    """Requests that wait when a life ends are refused as not ready, and later ones find the next life."""
    world.allocate("a", "before")
    world.run(2)
    before = saved(world, "a")
    world.allocate("a", "lost")
    world.run(2)
    roll_back(world, "a", before)
    number = world.ask("a", Allocate("waits", wait_s=5.0))
    world.run(5)
    answer = world.answers[number]

    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.NOT_READY
    assert world.allocate("a", "waits")
    assert "before" in {one.key for one in world.answer("a", GetAllocations()).allocations}


def test_a_life_before_the_last_one_is_not_taken_up_again(world: Any) -> None:
    """A disk of an earlier life goes on as one after the latest, not as one of those that there were."""
    first = saved(world, "a")
    world.allocate("a", "lost")
    world.run(2)
    roll_back(world, "a", first)
    world.run(5)
    second = world.hosts["a"].peer
    roll_back(world, "a", first)
    world.run(5)

    assert world.hosts["a"].peer > second
    assert world.status("a").ready
    assert all(world.states(name)["a"] is MemberState.ALIVE for name in NAMES)


def test_a_plain_restart_is_no_other_life(world: Any) -> None:
    """Who comes back with all that it had goes on as who it was, and asks those who know before it serves."""
    life = world.hosts["a"].peer
    for round_ in range(3):
        for number in range(5):
            world.allocate("a", f"k{round_}-{number}", Allocate(f"k{round_}-{number}", durable=number > 2))
        world.crash("a")
        world.start("a")
        world.run(2)
        assert world.status("a").ready

    assert world.hosts["a"].peer == life
    assert world.events("a").isdisjoint({"next-life", "serving-alone", "clone"})


def test_who_served_alone_learns_it_later(world: Any) -> None:
    """A disk that went back while nobody could be asked is found out as soon as a witness can be."""
    world.allocate("a", "before")
    world.run(2)
    before = saved(world, "a")
    world.allocate("a", "lost")
    world.run(2)
    world.cut = {"a"}
    roll_back(world, "a", before)
    world.run(10)
    assert "serving-alone" in world.events("a")
    assert "next-life" not in world.events("a")
    world.cut = set()
    world.run(20)

    assert "next-life" in world.events("a")
    assert world.status("a").ready


def test_the_wait_before_serving_alone_is_shown(world: Any) -> None:
    """While a daemon waits for members its status says for how long at most."""
    world.cut = {"a"}
    world.crash("a")
    world.start("a")
    world.run(0.5)

    assert not world.status("a").ready
    assert "serves alone in 1.5 s" in world.status("a").why_not_ready
