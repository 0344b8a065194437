"""The HTTP door to networks, on a real unix socket, with a double for the node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from weaveipam.protocol.requests import Answer, ChangeNetwork, GetNetworks, NetworkChanged, Networks, Request


@dataclass
class Daemon:
    """Remembers what it was asked, and agrees with it."""

    asked: list[Request] = field(default_factory=list)

    async def ask(self, request: Request) -> Answer:
        """Agrees with everything."""
        self.asked.append(request)
        return (
            NetworkChanged(request.name, request.exists)
            if isinstance(request, ChangeNetwork)
            else Networks(())
        )


@pytest.fixture
async def daemon() -> Daemon:
    """One that was asked nothing yet."""
    return Daemon()


@pytest.mark.parametrize(
    ("method", "path", "body", "asked", "answer"),
    [
        ("GET", "/v1/networks", None, GetNetworks(), []),
        (
            "POST",
            "/v1/networks?wait=3",
            {"name": "red"},
            ChangeNetwork("red", exists=True, wait_s=3),
            {"name": "red", "exists": True},
        ),
        (
            "DELETE",
            "/v1/networks/red",
            None,
            ChangeNetwork("red", exists=False),
            {"name": "red", "exists": False},
        ),
    ],
)
async def test_what_is_asked_is_what_was_said(
    daemon: Daemon,
    client: aiohttp.ClientSession,
    method: str,
    path: str,
    body: Any,
    asked: Request,
    answer: Any,
) -> None:
    """A list, a new one, and none of a name any more; each with its wait."""
    async with client.request(method, path, json=body) as replied:
        assert (200, answer) == (replied.status, await replied.json())

    assert [asked] == daemon.asked


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/v1/networks", {"name": "-"}, "name: "),
        ("/v1/networks", {"nam": "red"}, "did you mean name?"),
        ("/v1/networks", [], "expected an object"),
        ("/v1/networks?wait=long", {"name": "red"}, "wait: "),
    ],
)
async def test_what_makes_no_sense_is_refused(
    daemon: Daemon, client: aiohttp.ClientSession, path: str, body: Any, sentence: str
) -> None:
    """The field that is wrong is named, and the node hears nothing of it."""
    async with client.post(path, json=body) as replied:
        assert replied.status == 400
        assert sentence in (await replied.json(content_type=None))["detail"]

    assert daemon.asked == []
