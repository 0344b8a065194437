"""
Deletions that the shim recorded while the daemon was away, and their replay.

Each is one file with the request as it would have been sent, named `<nanoseconds>-<process>.del` so that
names sort by time; `.tmp` are still being written, `.bad` were set aside.  A file goes once its deletion has
been carried out; a crash in between repeats the deletion, which changes nothing.
Does not know sockets, or which calls come in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cni.framing import REQUEST_BYTES_MAX, Call, FramingError, decode_request
from cni.plugin import Plugin
from weaveipam.daemon import durable
from weaveipam.protocol.effects import Level, Report

DRAFT_AGE_MAX_S = 60.0
"""A draft older than this lost its writer: a shim lives for 10 s at most."""

Tell = Callable[[Report], None]
"""Where reports go."""


class Spool:
    """One directory of deletions; drained by one task at a time."""

    def __init__(self, directory: Path, report: Tell = lambda _: None) -> None:
        self.directory = directory
        self._report = report
        self._done: set[str] = set()
        """Files that were carried out and could not be removed."""
        self.unfinished: frozenset[str] = frozenset()
        """Containers with deletions that the last `drain` could not carry out yet."""

    def waiting(self) -> tuple[Path, ...]:
        """The deletions to carry out, oldest first; a few microseconds when there are none."""
        try:
            names = os.listdir(self.directory)  # noqa: PTH208  # before every call, so as cheap as it gets
        except FileNotFoundError:
            return ()
        found = sorted(name for name in names if name.endswith(".del") and name not in self._done)
        return tuple(self.directory / name for name in found)

    async def drain(self, plugin: Plugin) -> int:
        """
        Carry out what waits, oldest first, and forget each after it succeeded.

        One that cannot be carried out yet stays, and those after it are tried; one that never can is set
        aside and reported.

        Returns:
            How many were carried out.
        """
        carried_out = 0
        unfinished: set[str] = set()
        for path in self.waiting():
            call = self._read(path)
            if call is None:
                continue
            error = await self._replay(plugin, call)
            if error is None:
                self._forget(path)
                carried_out += 1
            elif error:
                self._set_aside(path, error)
            else:
                unfinished.add(call.environ.get("CNI_CONTAINERID", ""))
        self.unfinished = frozenset(unfinished)
        if carried_out:
            self._sync()
            self._report(Report(Level.INFO, "cni-spool-drained", (("deletions", carried_out),)))
        return carried_out

    def tidy(self) -> None:
        """Remove drafts whose writers died; their deletions were never acknowledged."""
        now = time.time()
        with suppress(OSError):
            for draft in self.directory.glob("*.tmp"):
                if now - draft.stat().st_mtime > DRAFT_AGE_MAX_S:
                    draft.unlink()

    def _read(self, path: Path) -> Call | None:
        """The call in a file; None if there is none, and then it was set aside."""
        try:
            return _deletion(path)
        except (OSError, FramingError) as error:
            self._set_aside(path, str(error))
            return None

    async def _replay(self, plugin: Plugin, call: Call) -> str | None:
        """None: carried out.  Empty: not yet.  Else: why it never will be."""
        try:
            reply = await plugin.answer(call)
        except Exception as error:  # noqa: BLE001  # whatever it is, the other deletions are carried out
            self._report(Report(Level.ERROR, "cni-call-failed", (("detail", repr(error)),)))
            return ""
        if reply.status == 0:
            return None
        return "" if reply.again else reply.stdout.decode()

    def _forget(self, path: Path) -> None:
        try:
            path.unlink()
        except OSError as error:
            self._done.add(path.name)
            self._report_bad(path, str(error))

    def _set_aside(self, path: Path, why: str) -> None:
        try:
            path.rename(path.with_suffix(".bad"))
        except OSError as error:
            self._done.add(path.name)
            why = f"{why}; {error}"
        self._report_bad(path, why)

    def _report_bad(self, path: Path, why: str) -> None:
        self._report(Report(Level.ERROR, "cni-spool-bad", (("file", str(path)), ("detail", why))))

    def _sync(self) -> None:
        """Make removals durable, so that no old deletion comes back after later calls were served."""
        durable.sync(self.directory)


def _deletion(path: Path) -> Call:
    """
    The deletion in a file.

    Raises:
        OSError, FramingError: the file is something else.
    """
    if not path.is_file() or path.stat().st_size > REQUEST_BYTES_MAX:
        raise FramingError("not a file of a request's size")
    call = decode_request(path.read_bytes())
    if call.environ.get("CNI_COMMAND") != "DEL":
        raise FramingError("not a deletion")
    return call
