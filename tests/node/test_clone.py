"""Two daemons from one disk, or one that has moved: never two that give away the same addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ring.address import Family
from weaveipam.protocol.requests import Allocate, Allocated
from weaveipam.protocol.values import Endpoint, Pool, RingId

V4 = RingId("default", Family.V4)
NAMES = ("a", "b", "c", "d")


@pytest.fixture
def world(cluster: Callable[..., Any], make_pool: Callable[..., Pool]) -> Any:
    """Four daemons that serve, with something allocated at each."""
    made = cluster(3)
    for name in NAMES[:3]:
        made.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("blue", "10.0.0.0/24"),))
    made.run(3)
    made.add("d", join="a")
    made.run(5)
    for name in NAMES:
        made.allocate(name, f"first-{name}")
    return made


def copy(world: Any, name: str, to: str) -> None:
    """Another host whose disk is a copy of that one's, and which starts its daemon."""
    host = world.hosts[name]
    settings = replace(host.settings, endpoint=Endpoint(to, 1))
    world.hosts[to] = type(host)(settings, host.peer, dict(host.disk))
    world.start(to)


def given(world: Any, *names: str) -> list[int]:
    """All that the daemons give when each is asked for ten addresses at the same time."""
    keys = [f"{name}-{n}-{world.now}" for n in range(10) for name in names]
    numbers = [world.ask(key[0], Allocate(key, wait_s=3.0)) for key in keys]
    world.run(6)
    answers = [world.answers[one] for one in numbers]
    return [one.allocation.addresses[0].range.start for one in answers if isinstance(one, Allocated)]


def test_a_copy_of_a_running_daemon_serves_nothing(world: Any) -> None:
    """Both are told; the copy begins another life, which waits for the name; the original goes on."""
    life = world.hosts["a"].peer
    copy(world, "a", "e")
    addresses = given(world, "a", "e")

    assert len(addresses) == len(set(addresses)) == 10
    assert "next-life" in world.events("e")
    assert "clone" in world.events("a")
    assert world.hosts["a"].peer == life != world.hosts["e"].peer
    assert not world.status("e").ready
    assert "give this daemon another --name" in world.status("e").why_not_ready
    assert world.status("a").ready
    assert all(world.states(name)["a"].name == "ALIVE" for name in NAMES)


def test_the_copy_takes_the_name_when_it_is_free(world: Any) -> None:
    """Once the original is dead to all the copy serves, as another life, which owns nothing of the first."""
    copy(world, "a", "e")
    world.run(5)
    world.crash("a")
    world.run(60)
    addresses = given(world, "e")

    assert world.status("e").ready
    assert len(addresses) == 10
    assert "two-owners" not in world.events()
    owners = {run.owner for run in world.ring("b", V4).runs}
    assert {world.hosts["a"].peer, world.hosts["e"].peer} <= owners


def test_a_daemon_that_moved_goes_on(world: Any) -> None:
    """Who comes back at another endpoint serves as who it was, once nothing answers at the old one."""
    life = world.hosts["a"].peer
    world.crash("a")
    copy(world, "a", "e")
    world.run(1)
    assert not world.status("e").ready
    world.run(40)

    assert world.status("e").ready
    assert world.hosts["e"].peer == life
    assert world.events("e").isdisjoint({"next-life", "serving-alone"})
    assert len(given(world, "e")) == 10


def test_copies_that_both_served_both_end(world: Any) -> None:
    """A copy that served in a partition, and its original: neither goes on, and no more is given twice."""
    life = world.hosts["a"].peer
    copy(world, "a", "e")
    world.cut = {"e"}
    world.run(30)
    assert world.status("e").ready
    before = given(world, "a", "e")
    world.cut = set()
    world.run(20)
    after = given(world, "a", "e", "b")

    assert life not in {world.hosts["a"].peer, world.hosts["e"].peer}
    assert {"next-life"} <= world.events("a") & world.events("e")
    assert len(after) == len(set(after))
    assert set(after).isdisjoint(before)


def test_who_is_cut_off_after_it_was_denied_waits(world: Any) -> None:
    """A copy that heard of its original and then of nobody does not serve alone."""
    world.drop = lambda name, send: name == "a" and send.target.host in "bcd"  # so that no call is answered
    copy(world, "a", "e")
    world.run(0.3)
    world.cut = {"e"}
    world.run(60)

    assert not world.status("e").ready
    world.cut, world.drop = set(), lambda _name, _send: False
    addresses = given(world, "a", "e")
    assert len(addresses) == len(set(addresses)) == 10
