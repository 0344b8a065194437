"""The HTTP door to the configuration, on a real unix socket, with a double for the node."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ring.ring import Peer
from weaveipam.api.http import application, serve
from weaveipam.config.config import Config, load
from weaveipam.config.pools import parse_pool
from weaveipam.daemon.keyring import Keeper
from weaveipam.daemon.reloading import Reloader
from weaveipam.protocol.requests import (
    Answer,
    ChangePool,
    GetPools,
    GetStatus,
    PoolChanged,
    Pools,
    PoolUse,
    Request,
    SetJoin,
    Status,
)

PEER = Peer("n1", 1)
P = {"name": "p", "ranges": ["10.0.0.0/24"]}


@dataclass
class Daemon:
    """A member of a cluster with one pool, and what it is told next."""

    formed: bool = True
    said: dict[str, Any] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)

    async def ask(self, request: Request) -> Answer:
        """Makes every change at once."""
        match request:
            case GetPools():
                return Pools((PoolUse(parse_pool(P), 254, 254, 0, 0, 0),))
            case ChangePool():
                self.waits.append(request.wait_s)
                return PoolChanged(request.wanted)
        assert isinstance(request, GetStatus | SetJoin)
        cluster = "1" * 16 if self.formed else ""
        return Status(PEER, self.formed, "ready", "", cluster, 1, 1, (), 0, 0, (), "1")

    def read(self) -> Config:
        """What is said now."""
        return load(self.said, {"WEAVEIPAM_BIND": "127.0.0.1:1"}, None, host_name="host")


@pytest.fixture
async def daemon() -> Daemon:
    """One that was told nothing but where to listen."""
    return Daemon()


@pytest.fixture
async def client(daemon: Daemon, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody at its door."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "api.sock"))
    reloader = Reloader(daemon.read(), daemon.read, daemon.ask, Keeper(None, daemon.ask), lambda _: None)
    runner = await serve(application(daemon.ask, _metrics, reloader=reloader), [listening])
    connector = aiohttp.UnixConnector(str(tmp_path / "api.sock"))
    async with aiohttp.ClientSession("http://daemon", connector=connector) as session:
        yield session
    await runner.cleanup()


async def _metrics() -> bytes:
    return b""


async def test_what_runs_is_shown(daemon: Daemon, client: aiohttp.ClientSession) -> None:
    """Each option with its value and who said it; pools as they are in force, else as configured."""
    async with client.get("/v1/config") as response:
        shown = await response.json()
    assert {"formed": True, "pools": [P], "restart": []} == {
        key: shown[key] for key in shown if key != "options"
    }
    assert {"value": "127.0.0.1:1", "source": "environment", "where": "$WEAVEIPAM_BIND"} == shown["options"][
        "bind"
    ]
    assert {"value": "host", "source": "default", "where": ""} == shown["options"]["name"]

    daemon.formed = False
    async with client.get("/v1/config") as response:
        shown = await response.json()
    assert (False, []) == (shown["formed"], shown["pools"])


async def test_a_reload_says_what_it_did(daemon: Daemon, client: aiohttp.ClientSession) -> None:
    """And waits for the members as long as it is told to."""
    q = {"name": "q", "ranges": ["10.1.0.0/24"]}
    daemon.said = {"pool": [P, q], "log_level": "debug", "preset": "wan"}
    async with client.post("/v1/reload?wait=3") as response:
        done = await response.json()

    pools = [
        {"name": "p", "outcome": "unchanged", "detail": ""},
        {"name": "q", "outcome": "created", "detail": ""},
    ]
    assert {"applied": ["log_level"], "restart": ["preset"], "pools": pools} == done
    (wait_s,) = daemon.waits
    assert 2 < wait_s <= 3
    async with client.get("/v1/config") as response:
        assert ["preset"] == (await response.json())["restart"]


async def test_a_reload_that_cannot_be_lists_all_that_is_wrong(
    daemon: Daemon, client: aiohttp.ClientSession
) -> None:
    """As one problem with a sentence for each error."""
    daemon.said = {"pool": [{**P, "limit": 0, "order": "x"}], "log_level": "loud"}
    async with client.post("/v1/reload") as response:
        problem = await response.json()

    assert (400, "invalid", 3) == (response.status, problem["type"], len(problem["errors"]))
    assert "; ".join(problem["errors"]) == problem["detail"]
    assert [] == daemon.waits


@pytest.mark.parametrize("wait", ["x", "-1", "nan", "1e9"])
async def test_how_long_to_wait_is_checked(wait: str, client: aiohttp.ClientSession) -> None:
    """It is a number of seconds up to a day."""
    async with client.post(f"/v1/reload?wait={wait}") as response:
        assert 400 == response.status
        assert "wait: expected" in (await response.json())["detail"]
