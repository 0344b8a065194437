"""Somebody at the door of whatever `daemon` a module of tests has, on a real unix socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from weaveipam.api.http import application, serve


@pytest.fixture
async def client(daemon: Any, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody at its door."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "api.sock"))
    runner = await serve(application(daemon.ask, _metrics), [listening])
    connector = aiohttp.UnixConnector(str(tmp_path / "api.sock"))
    async with aiohttp.ClientSession("http://daemon", connector=connector) as session:
        yield session
    await runner.cleanup()


async def _metrics() -> bytes:
    return b""
