"""A configuration that is taken over while a daemon runs, with a double for the node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ring.ring import Peer
from weaveipam.config.config import Config, load
from weaveipam.config.pools import parse_pool
from weaveipam.daemon.keyring import Keeper, KeyringFile
from weaveipam.daemon.reloading import PoolOutcome, Reloaded, Reloader
from weaveipam.errors import ConfigError
from weaveipam.protocol.effects import Report
from weaveipam.protocol.keyring import Key, KeyRing
from weaveipam.protocol.requests import (
    Answer,
    ChangeNetwork,
    ChangePool,
    GetKeyring,
    GetPools,
    GetStatus,
    Keyring,
    KeyView,
    NetworkChanged,
    PoolChanged,
    Pools,
    PoolUse,
    Reason,
    Refusal,
    Request,
    SetJoin,
    SetKeyring,
    Status,
)
from weaveipam.protocol.values import Pool

PEER = Peer("n1", 1)
OLD, NEW = Key(bytes(range(16))), Key(bytes(range(32)))
P = {"name": "p", "ranges": ["10.0.0.0/24"]}


@dataclass
class Node:
    """Has pools, keys and nobody to agree with; refuses pools called `no`, and `late` when it has waited."""

    pools: dict[str, Pool] = field(default_factory=dict)
    formed: bool = True
    ring: KeyRing = field(default_factory=lambda: KeyRing((OLD,)))
    asked: list[Request] = field(default_factory=list)

    async def ask(self, request: Request) -> Answer:
        """An answer, a moment later."""
        await asyncio.sleep(0)
        match request:
            case GetStatus() | SetJoin():
                self.asked += [request] if isinstance(request, SetJoin) else []
                cluster = "1" * 16 if self.formed else ""
                return Status(PEER, self.formed, "ready", "", cluster, 1, 1, (), 0, 0, (), "1")
            case GetPools():
                return Pools(tuple(PoolUse(one, 256, 256, 0, 0, 0) for one in self.pools.values()))
            case GetKeyring():
                return Keyring(tuple(KeyView(key.id, used=False, members=()) for key in self.ring.keys))
            case SetKeyring():
                self.ring = request.ring
                return await self.ask(GetKeyring())
            case ChangeNetwork():
                self.asked.append(request)
                return NetworkChanged(request.name, request.exists)
            case ChangePool(name="late" | "no"):
                await asyncio.sleep(request.wait_s + 0.05 if request.name == "late" else 0)
                return Refusal(Reason.NOT_READY, "not done: waiting for b")
            case ChangePool(wanted=Pool() as wanted):
                self.asked.append(request)
                self.pools[request.name] = wanted
                return PoolChanged(wanted)
        raise AssertionError(request)


class Place:
    """A reloader that reads what `said` holds, and all that it tells."""

    def __init__(self, directory: Path, **said: object) -> None:
        self.node = Node()
        self.keys = directory / "keys"
        KeyringFile(self.keys).write(self.node.ring)
        self.said: dict[str, Any] = {"keyring": str(self.keys), **said}
        self.reports: list[Report] = []
        keeper = Keeper(KeyringFile(self.keys), self.node.ask)
        self.reloader = Reloader(self.read(), self.read, self.node.ask, keeper, self.reports.append)

    def read(self) -> Config:
        """What is said now."""
        return load(self.said, {}, None, host_name="host")

    def told(self) -> list[tuple[str, dict[str, str | int]]]:
        """Events and their fields."""
        return [(one.event, dict(one.fields)) for one in self.reports]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A daemon with one pool in force."""
    made = Place(tmp_path)
    made.node.pools["p"] = parse_pool(P)
    return made


async def test_what_can_be_taken_over_is(place: Place) -> None:
    """Options, keys and pools; what needs a restart is named; and all of it is in one line of the log."""
    changed: list[Config] = []
    place.reloader.on_change = changed.append
    place.said |= {"join": ("b:1",), "log_level": "debug", "preset": "wan"}
    place.said["pool"] = [{**P, "manual": True}, {"name": "no", "ranges": ["10.1.0.0/24"]}]
    KeyringFile(place.keys).write(KeyRing((NEW, OLD)))

    done = await place.reloader.reload()

    refused = PoolOutcome("no", "refused", "not-ready: not done: waiting for b")
    assert (
        Reloaded(("join", "log_level", "keyring"), ("preset",), (refused, PoolOutcome("p", "changed")))
        == done
    )
    assert [place.reloader.running] == changed
    running = place.reloader.running
    assert ("debug", "lan", place.read().join) == (running.log_level, running.preset, running.join)
    assert KeyRing((NEW, OLD)) == place.node.ring
    assert [SetJoin(running.join)] == place.node.asked[:1]
    assert ("preset",) == place.reloader.restart
    line = {"applied": "join,log_level,keyring", "restart": "preset", "changed": "p", "refused": "no"}
    assert [("pool-not-reloaded", {"pool": "no", "why": refused.detail}), ("reloaded", line)] == place.told()


async def test_the_same_again_changes_nothing(place: Place) -> None:
    """Twice at once is as good as once."""
    place.said |= {"pool": [P, {"name": "q", "ranges": ["10.1.0.0/24"]}], "log_level": "error"}

    first, second = await asyncio.gather(place.reloader.reload(), place.reloader.reload())

    assert isinstance(first, Reloaded)
    assert isinstance(second, Reloaded)
    assert (PoolOutcome("p", "unchanged"), PoolOutcome("q", "created")) == first.pools
    assert (PoolOutcome("p", "unchanged"), PoolOutcome("q", "unchanged")) == second.pools
    assert (("log_level",), ()) == (first.applied, second.applied)


async def test_a_new_pool_brings_its_network_along(place: Place) -> None:
    """A network that is named first by a pool of the file is made before it."""
    place.said["pool"] = [P, {"name": "q", "ranges": ["10.1.0.0/24"], "network": "red"}]

    done = await place.reloader.reload()

    assert isinstance(done, Reloaded)
    assert (PoolOutcome("p", "unchanged"), PoolOutcome("q", "created")) == done.pools
    asked = [one for one in place.node.asked if isinstance(one, ChangeNetwork | ChangePool)]
    assert ["red", "q"] == [one.name for one in asked]


async def test_pools_share_the_time_that_there_is(place: Place) -> None:
    """Once it is over the others are not tried, and the same again goes on with them."""
    place.said["pool"] = [
        {"name": name, "ranges": [f"10.{at}.0.0/24"]} for at, name in enumerate(("late", "z"))
    ]
    del place.node.pools["p"]

    done = await place.reloader.reload(0.01)

    assert isinstance(done, Reloaded)
    assert ["late", "z"] == [one.name for one in done.pools if one.outcome == "refused"]
    assert "reload again" in done.pools[1].detail
    assert ["late", "z"] == [one.name for one in place.reloader.running.pools]


async def test_a_reload_waits_for_its_turn_and_no_longer(place: Place) -> None:
    """Behind another one that waits for the members; then it is refused, and the other one goes on."""
    place.said["pool"] = [{"name": "late", "ranges": ["10.1.0.0/24"]}]

    first, second = await asyncio.gather(place.reloader.reload(0.3), place.reloader.reload(0.01))

    assert isinstance(first, Reloaded)
    assert isinstance(second, Refusal)
    assert "another reload" in second.detail
    assert isinstance(await place.reloader.reload(0), Reloaded)


async def test_pools_that_are_not_said_stay(place: Place) -> None:
    """And are named."""
    assert Reloaded((), (), (PoolOutcome("p", "unlisted"),)) == await place.reloader.reload()
    assert {"p"} == set(place.node.pools)


async def test_pools_wait_for_a_cluster(place: Place) -> None:
    """Without one nothing is asked for, and a restart is what they need."""
    place.node.formed = False
    place.said["pool"] = [P]

    assert Reloaded((), ("pool",), ()) == await place.reloader.reload()
    assert await place.reloader.pools_in_force() is None


def _nonsense(place: Place) -> None:
    place.said |= {"preset": "x", "log_level": "loud", "join": ("b:1",)}


def _no_keys(place: Place) -> None:
    place.keys.write_text("nonsense")
    place.said["join"] = ("b:1",)


@pytest.mark.parametrize(("spoil", "count"), [(_nonsense, 2), (_no_keys, 1)])
async def test_if_anything_is_wrong_nothing_is_changed(
    place: Place, spoil: Callable[[Place], None], count: int
) -> None:
    """All that is wrong is told at once, to who asks and in the log."""
    before = place.reloader.running
    place.said["pool"] = [{**P, "manual": True}]
    spoil(place)

    with pytest.raises(ConfigError) as refused:
        await place.reloader.reload()

    assert count == len(str(refused.value).splitlines())
    assert before is place.reloader.running
    assert ([], {"p": parse_pool(P)}) == (place.node.asked, place.node.pools)
    ((event, fields),) = place.told()
    assert ("reload-refused", count) == (event, fields["problems"])
    assert str(refused.value).replace("\n", "; ") == fields["detail"]
