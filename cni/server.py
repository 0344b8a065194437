"""
The unix socket that shims connect to.

Each connection carries one call and its reply.  Before any call is served, the deletions in the spool are
carried out: a deletion that was spooled is never overtaken by a later ADD of the same container.
Does not know what a call means, except that deletions and additions differ.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cni.codes import CniError, Code
from cni.framing import AGAIN, HEAD, Call, CniReply, FramingError, decode_request, encode_reply, request_size
from cni.netconf import told_version
from cni.plugin import Plugin
from cni.result import failed
from cni.spool import Spool, Tell
from weaveipam.errors import ConfigError
from weaveipam.protocol.effects import Level, Report

BACKLOG = 512
"""Connections that the kernel holds before they are looked at; it may allow fewer (`net.core.somaxconn`)."""

CLOSE_TIMEOUT_S = 1.0
"""Seconds that replies have to leave when the server closes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one server takes upon itself."""

    connections_max: int = 128
    """
    At once; beyond, shims are told to try again.

    A node runs some 110 pods, and a mass start asks for all of them at once.  Each may hold a MiB.
    """
    request_timeout_s: float = 5.0
    """Seconds from a connection to its whole request; the shim sends it at once."""
    answer_timeout_s: float = 9.5
    """Seconds from a whole request to its reply: less than the shim's 10, more than an allocation's 8."""
    drain_interval_s: float = 5.0
    """Seconds between looks into the spool while nothing is asked."""


class CniServer:
    """A socket at a path; made by `start`."""

    def __init__(self, path: Path, plugin: Plugin, spool: Spool, report: Tell, limits: Limits) -> None:
        self._path = path
        self._plugin = plugin
        self._spool = spool
        self._report = report
        self.limits = limits
        self._draining = asyncio.Lock()
        self._connections: set[_Connection] = set()
        self._closing = False
        self._inode: int | None = None
        self._server: asyncio.Server | None = None
        self._drainer: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        path: Path,
        plugin: Plugin,
        spool: Spool,
        report: Tell = lambda _: None,
        limits: Limits = Limits(),
    ) -> CniServer:
        """
        A server that listens, on a socket that only its owner may use (mode 0600).

        Whoever answers the plugin need not run yet: spooled deletions are carried out beside, and calls wait.

        Raises:
            ConfigError: somebody listens there already, or the path is something else than a socket.
            OSError: the directory cannot be made, or the socket not be bound.
        """
        made = cls(path, plugin, spool, report, limits)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        spool.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        listener = _listener(path)
        made._inode = _inode(path)
        loop = asyncio.get_running_loop()
        made._server = await loop.create_unix_server(
            lambda: _Connection(made), sock=listener, backlog=BACKLOG
        )
        made._drainer = asyncio.create_task(made._keep_draining())  # noqa: TID251  # cancelled by close
        return made

    async def close(self) -> None:
        """Accept nothing more, let the calls that run be answered, and remove the socket."""
        self._closing = True
        assert self._server is not None, "start was called"
        assert self._drainer is not None, "as above"
        if _inode(self._path) == self._inode:  # and not a successor's
            self._path.unlink()
        self._server.close()
        self._drainer.cancel()
        for connection in tuple(self._connections):
            connection.close_if_idle()
        tasks = [one.task for one in self._connections if one.task is not None]
        await asyncio.gather(self._drainer, *tasks, return_exceptions=True)
        gone = [connection.gone for connection in self._connections]
        if gone:
            await asyncio.wait(gone, timeout=CLOSE_TIMEOUT_S)

    def admit(self, connection: _Connection) -> bool:
        """Whether there is room for a connection, which then counts until it is dismissed."""
        if self._closing or len(self._connections) >= self.limits.connections_max:
            return False
        self._connections.add(connection)
        return True

    def dismiss(self, connection: _Connection) -> None:
        """A connection that was admitted has gone."""
        self._connections.discard(connection)

    async def reply_to(self, request: bytes) -> bytes:
        """The reply frame to a whole request; `AGAIN` for what shall be spooled or tried again."""
        try:
            call = decode_request(request)
        except FramingError as error:
            self._report(Report(Level.WARNING, "cni-bad-frame", (("detail", str(error)),)))
            return encode_reply(AGAIN, b"")
        reply = await self._answer(call)
        command = call.environ.get("CNI_COMMAND")
        if reply is None or (reply.again and command == "DEL"):
            return encode_reply(AGAIN, b"")
        return encode_reply(reply.status, reply.stdout)

    async def _answer(self, call: Call) -> CniReply | None:
        """The plugin's answer in time, or an error that says to try again; None if an ADD has to wait."""
        try:
            async with asyncio.timeout(self.limits.answer_timeout_s):
                await self._drain()
                container_id = call.environ.get("CNI_CONTAINERID")
                if call.environ.get("CNI_COMMAND") == "ADD" and container_id in self._spool.unfinished:
                    return None
                return await self._plugin.answer(call)
        except TimeoutError:
            problem = f"the daemon had no answer within {self.limits.answer_timeout_s:g} s"
        except Exception as error:  # noqa: BLE001  # this caller gets an answer, and others are served
            self._report(Report(Level.ERROR, "cni-call-failed", (("detail", repr(error)),)))
            problem = "the daemon failed inside; its log says how"
        later = CniError(Code.TRY_LATER, problem, "see `weaveipam status`, then try again")
        return CniReply(1, failed(told_version(call.stdin), later), again=True)

    async def _drain(self) -> None:
        if self._spool.waiting() or self._spool.unfinished:
            async with self._draining:
                await self._spool.drain(self._plugin)

    async def _keep_draining(self) -> None:
        while True:
            try:
                self._spool.tidy()
                await self._drain()
            except Exception as error:  # noqa: BLE001  # the next look may succeed
                self._report(Report(Level.ERROR, "cni-drain-failed", (("detail", repr(error)),)))
            await asyncio.sleep(self.limits.drain_interval_s)


class _Connection(asyncio.Protocol):
    """One shim: its request, the task that answers it, its reply.  If it goes away the task is cancelled."""

    def __init__(self, server: CniServer) -> None:
        self._server = server
        self._request = bytearray()
        self._size: int | None = None
        self._transport: asyncio.Transport
        self._deadline: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A stream socket's; uvloop's transports do not derive from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        if not self._server.admit(self):
            self._transport.write(encode_reply(AGAIN, b""))
            self._transport.close()
            return
        timeout_s = self._server.limits.request_timeout_s
        self._deadline = asyncio.get_running_loop().call_later(timeout_s, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        if self.task is not None or self._transport.is_closing():
            return
        self._request += data
        if self._size is None and len(self._request) >= HEAD.size:
            try:
                self._size = request_size(bytes(self._request[: HEAD.size]))
            except FramingError:
                self._transport.abort()
                return
        if self._size is not None and len(self._request) >= self._size:
            if self._deadline is not None:
                self._deadline.cancel()
            self.task = asyncio.create_task(self._serve(bytes(self._request)))  # noqa: TID251  # held here
            self._request.clear()

    async def _serve(self, request: bytes) -> None:
        self._transport.write(await self._server.reply_to(request))
        self._transport.close()

    def close_if_idle(self) -> None:
        """End a connection that has asked nothing yet."""
        if self.task is None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._server.dismiss(self)
        if self._deadline is not None:
            self._deadline.cancel()
        if self.task is not None:
            self.task.cancel()
        if not self.gone.done():
            self.gone.set_result(None)


def _inode(path: Path) -> int | None:
    """Which file a path names; None for none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _listener(path: Path) -> socket.socket:
    """
    A socket bound to a path, in place of a stale one.

    Raises:
        ConfigError, OSError: as `CniServer.start`.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError(f"{path} is not a socket; choose another path or remove it")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            error = probe.connect_ex(str(path))
        if error in (0, errno.EAGAIN):
            raise ConfigError(f"another program listens on {path}; stop it or choose another path")
        if error not in (errno.ECONNREFUSED, errno.ENOENT):
            raise OSError(error, os.strerror(error), str(path))
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    try:
        # Before it is bound: the kernel makes the file with the mode of the socket (Linux), so that at no
        # moment others may connect.
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(str(path))
        path.chmod(0o600)
    except BaseException:
        listener.close()
        raise
    return listener
