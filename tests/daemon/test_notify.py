"""Notifications, received by a real datagram socket in systemd's place."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from weaveipam.daemon.notify import Notifier

PATIENCE_S = 10.0


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket in systemd's place, and its name as in the environment."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@weaveipam-test-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:] if name.startswith("@") else name)
        sock.settimeout(PATIENCE_S)
        yield sock, name


def test_each_notification_is_one_line(listening: tuple[socket.socket, str]) -> None:
    """Systemd gets readiness, status and stopping as sd_notify(3) writes them; a status stays one line."""
    sock, name = listening
    notifier = Notifier({"NOTIFY_SOCKET": name})

    notifier.ready()
    notifier.status("3 members,\n READY=1 nothing pending")
    notifier.stopping()

    assert [b"READY=1", b"STATUS=3 members, READY=1 nothing pending", b"STOPPING=1"] == [
        sock.recv(1000) for _ in range(3)
    ]


@pytest.mark.parametrize("pid", [{}, {"WATCHDOG_PID": str(os.getpid())}])
async def test_the_watchdog_is_fed_by_the_loop(
    listening: tuple[socket.socket, str], pid: dict[str, str]
) -> None:
    """Within each watchdog time the event loop gives several signs of life, until it is cancelled."""
    sock, name = listening
    sock.setblocking(False)
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000", **pid})
    loop = asyncio.get_running_loop()

    feeding = asyncio.ensure_future(notifier.feed_watchdog())
    begun = loop.time()
    async with asyncio.timeout(PATIENCE_S):
        signs = [await loop.sock_recv(sock, 100) for _ in range(4)]

    assert [b"WATCHDOG=1"] * 4 == signs
    assert loop.time() - begun >= 0.025
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "30000", "WATCHDOG_PID": "1"},
    ],
)
async def test_without_a_watchdog_there_is_nothing_to_feed(environ: dict[str, str]) -> None:
    """With no watchdog time, a senseless one, or one for another process, feeding ends at once."""
    notifier = Notifier(environ)

    await asyncio.wait_for(notifier.feed_watchdog(), PATIENCE_S)

    assert notifier.watchdog_s is None


@pytest.mark.parametrize("address", ["", "/nonexistent/notify", "@nobody-listens-here", "x" * 500])
def test_nobody_listening_is_no_error(address: str) -> None:
    """A daemon that nobody supervises, or whose supervisor has gone, goes on."""
    Notifier({"NOTIFY_SOCKET": address}).ready()


def test_a_supervisor_that_does_not_read_holds_nobody_up(listening: tuple[socket.socket, str]) -> None:
    """When the socket is full further notifications are lost, not waited for."""
    sock, name = listening
    notifier = Notifier({"NOTIFY_SOCKET": name})

    for number in range(2000):
        notifier.status(str(number))

    assert sock.recv(100) == b"STATUS=0"
