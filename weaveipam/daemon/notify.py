"""
Tells systemd how the daemon is: ready, stopping, a status line, and a sign of life for its watchdog.

Speaks sd_notify's protocol: lines of `NAME=value` in one datagram to the unix socket `$NOTIFY_SOCKET`.
Does nothing when nobody listens.  Does not know what readiness means.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping


class Notifier:
    """Sends notifications; trouble with the socket is ignored, since systemd itself notices silence."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """
        Where to send, from the environment that systemd made.

        Args:
            environ: `NOTIFY_SOCKET`: a path, or a name after `@` (abstract); absent: nobody listens.
                `WATCHDOG_USEC`: microseconds without a sign of life after which systemd kills the daemon;
                `WATCHDOG_PID`: for which process that holds, absent: this one.
        """
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        usec = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s: float | None = int(usec) / 1e6 if ours and usec.isdecimal() and int(usec) else None
        """Seconds that the watchdog waits for a sign of life; None: there is no watchdog."""

    def ready(self) -> None:
        """The daemon serves."""
        self._send("READY=1")

    def stopping(self) -> None:
        """The daemon is on its way out."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for people, shown by `systemctl status`."""
        self._send("STATUS=" + " ".join(text.split()))

    async def feed_watchdog(self) -> None:
        """Give three signs of life in each watchdog time, until cancelled; without one, return at once."""
        while self.watchdog_s is not None:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 3)

    def _send(self, line: str) -> None:
        if self._address:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto(line.encode(), self._address)
