"""A cluster that is said to have been formed long ago is one: all serve, agree, and know each other."""

from __future__ import annotations

from random import Random

import pytest

from ring.address import Range
from ring.invariants import violations
from simulations.facts import Fact
from simulations.run import pools_of
from simulations.seasoned import season
from simulations.views import runs_of, view_of
from simulations.world import Layout, World
from weaveipam.protocol.keyring import UNSEALED, Key, KeyRing
from weaveipam.protocol.requests import Allocate, Allocated, Answer

NAMES = [f"n{number}" for number in range(1, 13)]


@pytest.fixture(params=[UNSEALED, KeyRing((Key(bytes(16)),))], ids=["open", "sealed"])
def world(request: pytest.FixtureRequest) -> World:
    """Twelve machines on two pools, one of which has fewer addresses than there are machines."""
    facts: list[Fact] = []
    pools = pools_of([("blue", "10.32.0.0/24"), ("violet", "fd00::/125")])
    layout = Layout(pools=pools, keyring=request.param)
    made = World("seasoned", layout, facts.append)
    season(made, made.found(NAMES), Random(1))
    made.timeline.run(1.0)
    return made


def test_all_serve_at_once_and_see_each_other(world: World) -> None:
    """After a second every daemon serves, sees all others alive, and holds the same rings."""
    views = [view_of(one, world.rings) for one in world.machines.values()]

    assert all(view.serving and view.alive == set(NAMES) for view in views)
    assert all(view.rings == views[0].rings for view in views)


def test_all_addresses_have_an_owner(world: World) -> None:
    """The rings cover the pools, and every machine has its share of the larger one."""
    v4, v6 = world.rings
    runs = runs_of(world.machines["n1"], v4)

    assert violations(runs, [Range(0x0A200000, 0x0A200100)]) == []
    assert {run.owner.name for run in runs} == set(NAMES)
    assert sum(run.stop - run.start for run in runs_of(world.machines["n1"], v6)) == 8


def test_clients_are_served(world: World) -> None:
    """Whoever asks is given an address from the daemon's own share."""
    heard: list[Answer | None] = []
    for number, machine in enumerate(world.machines.values()):
        world.ask(machine, Allocate(f"k{number}", wants=()), heard.append)
    world.timeline.run(5.0)

    # Each wants one of both families, and of violet's eight the first is set aside.
    assert sum(isinstance(one, Allocated) for one in heard) == 7


def test_restarts_find_the_others(world: World) -> None:
    """A daemon that is killed comes back from its disk, and finds its cluster by what it has there."""
    machine = world.machines["n5"]
    machine.kill()
    world.timeline.run(3.0)
    machine.start()
    world.timeline.run(6.0)

    view = view_of(machine, world.rings)
    assert view.serving
    assert view.alive == set(NAMES)
