"""The HTTP door to changes of pools, on a real unix socket, with a double for the node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from weaveipam.config.pools import parse_pool
from weaveipam.protocol.requests import Answer, ChangePool, GetPools, PoolChanged, Pools, PoolUse, Request

TABLE = {"name": "p", "network": "red", "ranges": ["10.0.0.0/24"], "disabled": True, "labels": {"a": "b"}}
HELD = parse_pool(TABLE)


@dataclass
class Daemon:
    """Has one pool, and remembers what it was asked to change."""

    asked: list[ChangePool] = field(default_factory=list)

    async def ask(self, request: Request) -> Answer:
        """Agrees with everything."""
        if isinstance(request, GetPools):
            return Pools((PoolUse(HELD, 254, 254, 0, 0, 0),))
        assert isinstance(request, ChangePool)
        self.asked.append(request)
        return PoolChanged(request.wanted)


@pytest.fixture
async def daemon() -> Daemon:
    """One that was asked nothing yet."""
    return Daemon()


@pytest.mark.parametrize(
    ("method", "path", "body", "base", "wanted"),
    [
        ("POST", "", {"name": "q", "ranges": ["::1"], "vlan": None}, None, {"name": "q", "ranges": ["::1"]}),
        ("PUT", "/p", {"ranges": ["10.0.1.0/24"]}, HELD, {**TABLE, "ranges": ["10.0.1.0/24"], "labels": {}}),
        ("PUT", "/p?drain=true", {**TABLE, "disabled": False}, HELD, {**TABLE, "disabled": False}),
        ("PATCH", "/p", {"labels": {"c": ""}}, HELD, {**TABLE, "labels": {"a": "b", "c": ""}}),
        ("PATCH", "/p?wait=3", {"name": "p", "labels": None}, HELD, {**TABLE, "labels": {}}),
        ("PATCH", "/p", {"limit": 7, "disabled": False}, HELD, {**TABLE, "limit": 7, "disabled": False}),
        ("POST", "/p/enable", None, HELD, {**TABLE, "disabled": False}),
        ("DELETE", "/p", None, HELD, None),
        ("DELETE", "/q", None, None, None),
    ],
)
async def test_a_request_is_a_change(
    daemon: Daemon,
    client: aiohttp.ClientSession,
    method: str,
    path: str,
    body: Any,
    base: Any,
    wanted: dict[str, Any] | None,
) -> None:
    """Of the pool that there is, so that somebody else's change in between is not undone."""
    async with client.request(method, f"/v1/pools{path}", json=body) as response:
        assert 200 == response.status, await response.text()

    (asked,) = daemon.asked
    assert base == asked.base
    assert (None if wanted is None else parse_pool(wanted)) == asked.wanted
    assert ("drain" in path) == asked.drain
    assert (3.0 if "wait" in path else 8.0) == asked.wait_s


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "", {"name": "q", "ranges": ["x"], "limit": 0}, 400, "limit: expected"),
        ("POST", "", [], 400, "the body: expected an object"),
        ("PUT", "/p", {"name": "q", "ranges": ["10.0.0.0/24"]}, 400, "a pool keeps its name, p"),
        ("PUT", "/q", {"ranges": ["10.0.0.0/24"]}, 404, "there is no pool q"),
        ("PATCH", "/q", {"limit": 7}, 404, "there is no pool q"),
        ("PATCH", "/p", {"limt": 7}, 400, "did you mean limit?"),
        ("PATCH", "/p?drain=1", {"limit": 7}, 400, "drain: expected true or false"),
        ("PATCH", "/p?wait=-1", {"limit": 7}, 400, "wait: expected 0 to 86400 seconds"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    daemon: Daemon,
    client: aiohttp.ClientSession,
    method: str,
    path: str,
    body: Any,
    status: int,
    said: str,
) -> None:
    """With a sentence that names it, and nothing is asked for."""
    async with client.request(method, f"/v1/pools{path}", json=body) as response:
        assert status == response.status
        assert said in (await response.json())["detail"]
    assert [] == daemon.asked
