"""
The composition root: one daemon, put together from its parts and run until it is told to stop.

Does not know command lines, nor what the parts do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Literal

from cni.plugin import Plugin
from cni.server import CniServer
from cni.spool import Spool
from ring.ring import Peer
from weaveipam.allocation.nextlife import LIFE_RANDOM_BITS
from weaveipam.api.http import application, serve
from weaveipam.cli.sockets import listen_tcp, listen_unix, reachable, unlink_unix
from weaveipam.config.config import Config
from weaveipam.daemon.driver import Driver, Inbox
from weaveipam.daemon.keyring import Keeper, KeyringFile
from weaveipam.daemon.lock import DaemonLock
from weaveipam.daemon.metrics import Metrics, Sources
from weaveipam.daemon.notify import Notifier
from weaveipam.daemon.reloading import Reloader
from weaveipam.daemon.report import Reporter
from weaveipam.daemon.store import Opened, Store
from weaveipam.daemon.transport import Transport
from weaveipam.errors import ConfigError, WeaveipamError
from weaveipam.gossip.seal import SESSION_BYTES
from weaveipam.node import Node, Settings
from weaveipam.protocol.effects import Durability, Level, Persist, Report, Restart
from weaveipam.protocol.keyring import PLAIN, UNSEALED, KeyRing
from weaveipam.protocol.records import Identity, Record
from weaveipam.protocol.requests import Refusal

STORE_NAME = "weaveipam.db"
SPOOL_NAME = "spool"
"""Of the directory beside the sockets where the CNI program leaves deletions while no daemon runs."""
TOKEN_NAME = "http.token"  # noqa: S105 - of the file
READY_EVENT = "ready"
"""What the node reports when it begins to serve."""


def run(config: Config, read: Callable[[], Config]) -> None:
    """
    Runs a daemon until SIGTERM or SIGINT.

    Args:
        config: What it was told.
        read: What it is told when it is to reload; ConfigError has a line for each thing that is wrong.

    Raises:
        ConfigError: it cannot run as it was told; nothing is changed.
        StorageError: the disk failed; it has stopped.
        WeaveipamError: it has stopped for a fault of its own.
    """
    style: Literal["json", "console"] = "json" if config.log_format == "json" else "console"
    reporter = Reporter(style, Level[config.log_level.upper()], sys.stderr)
    reporter.bind(node=config.name)
    with (
        DaemonLock.acquire(config.data_dir, config.socket.parent, config.name),
        asyncio.Runner(loop_factory=_loop_factory(config)) as runner,
    ):
        runner.run(_run(config, read, reporter))


def _loop_factory(config: Config) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if not config.uvloop:
        return None
    try:
        import uvloop  # noqa: PLC0415 - may not be there
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(config: Config, read: Callable[[], Config], reporter: Reporter) -> None:
    """One daemon, from its store to its last packet; parts end in the reverse order of their beginning."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reporter(_fault(context)))
    told_to_stop, told_to_reload = asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, told_to_reload.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    notifier = Notifier(os.environ)
    keyring = None if config.keyring is None else KeyringFile(config.keyring)
    ring = UNSEALED if keyring is None else keyring.read()
    async with contextlib.AsyncExitStack() as stack:
        opened = Store.open(config.data_dir / STORE_NAME)
        stack.callback(opened.store.close)
        me = _identity(config, opened, reporter)
        inbox = Inbox()
        transport = await Transport.open(config.bind, inbox.deliver)
        stack.push_async_callback(transport.close)
        endpoint = config.advertise or reachable(transport.bound, config.join)

        def rebuild(restart: Restart) -> Node:
            records = opened.store.read()
            life = _identity_in(records)
            assert life is not None, "whoever ends a life has written the next one"
            settings = reloader.running.settings(endpoint)
            return _node(life, settings, restart.keyring, records, loop.time())

        node = _node(me, config.settings(endpoint), ring, opened.records, loop.time())
        driver = Driver(node, opened.store, transport, _announcing(reporter, notifier), inbox, rebuild)
        reporter(Report(Level.INFO, "starting", (("life", str(me)), ("endpoint", str(endpoint)))))
        _warn_of_open_packets(ring, reporter)
        metrics = Metrics(driver.ask, Sources(driver, transport, reporter))
        keeper = Keeper(keyring, driver.ask)
        reloader = Reloader(config, read, driver.ask, keeper, reporter)
        reloader.on_change = partial(_follow, reporter)
        await _open_doors(stack, reloader, metrics, keeper, reporter)
        # Behind open doors, where requests wait: who cannot serve joins no cluster, and who is ready serves.
        driving = loop.create_task(driver.run(), name="driver")
        stack.push_async_callback(_finish, driver, driving)
        reloading = loop.create_task(_reload_when_told(reloader, told_to_reload), name="reload")
        stack.callback(reloading.cancel)
        watchdog = loop.create_task(notifier.feed_watchdog(), name="watchdog")
        stack.callback(watchdog.cancel)
        stopping = loop.create_task(told_to_stop.wait(), name="signals")
        stack.callback(stopping.cancel)
        await asyncio.wait((driving, stopping), return_when=asyncio.FIRST_COMPLETED)
        notifier.stopping()
        reporter(Report(Level.INFO, "stopping"))
        # Before the doors close: whoever waits is told, instead of being waited for.
        await _finish(driver, driving)
    reporter.flush()
    _raise_fault(driving.exception(), reporter)


def _node(me: Peer, settings: Settings, ring: KeyRing, records: Sequence[Record], now: float) -> Node:
    """The node that a store remembers, with a session that nobody had before, as every start needs one."""
    settings = replace(settings, keyring=ring, session=secrets.token_bytes(SESSION_BYTES))
    return Node.restore(me, settings, Random(secrets.randbits(256)), records, now)


def _raise_fault(error: BaseException | None, reporter: Reporter) -> None:
    """Raise what ended the driver, if it was not told to stop; a fault of ours as a sentence."""
    if isinstance(error, WeaveipamError):
        raise error
    if error is not None:
        reporter(_fault({"message": "the driver has failed", "exception": error}))
        raise WeaveipamError("the daemon had to stop for a fault of its own; its log has the details")


async def _finish(driver: Driver, driving: asyncio.Task[None]) -> None:
    """Let the driver work off what it has; how it ended is read from its task."""
    driver.stop()
    await asyncio.wait((driving,))


async def _open_doors(
    stack: contextlib.AsyncExitStack, reloader: Reloader, metrics: Metrics, keeper: Keeper, reporter: Reporter
) -> None:
    """Serve clients, until the stack ends."""
    config = reloader.running
    spool = Spool(config.socket.with_name(SPOOL_NAME), reporter)
    try:
        cni = await CniServer.start(config.cni_socket, Plugin(metrics.ask), spool, reporter)
    except OSError as error:
        what = "" if error.filename is None else f" ({error.filename})"
        raise ConfigError(f"cannot listen on {config.cni_socket}: {error.strerror}{what}") from error
    stack.push_async_callback(cni.close)
    listening = listen_unix(config.socket)
    stack.callback(unlink_unix, config.socket, listening.inode)
    api = await serve(application(metrics.ask, metrics.exposition, keeper, reloader), [listening.socket])
    stack.push_async_callback(api.cleanup)
    if config.http is not None:
        token = _token(config.data_dir / TOKEN_NAME)
        door = application(
            metrics.ask,
            metrics.exposition,
            reloader=reloader,
            token=token,
            public=lambda: reloader.running.http_public,
        )
        public = await serve(door, [listen_tcp(config.http)])
        stack.push_async_callback(public.cleanup)


async def _reload_when_told(reloader: Reloader, told: asyncio.Event) -> None:
    """At each signal; what is wrong is in the log, and those that come meanwhile are one more."""
    while True:
        await told.wait()
        told.clear()
        try:
            if isinstance(await reloader.reload(), Refusal):
                told.set()  # another one is not done yet
        except ConfigError:
            pass  # it is in the log
        except Exception as error:  # noqa: BLE001 - a fault of ours must not keep the next one from being heard
            context = {"message": "the configuration was not reloaded", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)


def _follow(reporter: Reporter, running: Config) -> None:
    """Take over what is no part's own."""
    reporter.level = Level[running.log_level.upper()]


def _warn_of_open_packets(ring: KeyRing, reporter: Reporter) -> None:
    """Loudly, at every start: this is what somebody forgets for years."""
    if ring.used == PLAIN:
        detail = (
            "packets are not sealed: whoever can send to this daemon can change who owns which address; "
            "give all daemons the same --keyring FILE, as docs/security.md says"
        )
        reporter(Report(Level.WARNING, "unsealed", (("detail", detail),)))
    elif PLAIN in ring.keys:
        detail = (
            "packets without a seal are taken too: remove `plain` from the key ring once all send sealed ones"
        )
        reporter(Report(Level.WARNING, "unsealed", (("detail", detail),)))


def _announcing(reporter: Reporter, notifier: Notifier) -> Callable[[Report], None]:
    """Reports as ever, and tells systemd when the node says that it serves."""

    def report(one: Report) -> None:
        reporter(one)
        if one.event == READY_EVENT:
            notifier.ready()

    return report


def _identity(config: Config, opened: Opened, reporter: Reporter) -> Peer:
    """Who the store says this daemon is; a new life, on stable storage already, if the store is new."""
    if opened.set_aside is not None:
        detail = (
            "the store was damaged and is kept there; everything in it is forgotten, and nothing is guessed"
        )
        fields = (("kept", str(opened.set_aside)), ("detail", detail))
        reporter(Report(Level.ERROR, "store-set-aside", fields))
    held = _identity_in(opened.records)
    if held is None:
        milliseconds = time.time_ns() // 1_000_000
        drawn = secrets.randbits(LIFE_RANDOM_BITS)
        held = Peer(config.name, milliseconds << LIFE_RANDOM_BITS | drawn)
        opened.store.write([Persist((Identity(held),), (), Durability.HOST)])
        level = Level.INFO if opened.set_aside is None else Level.ERROR
        detail = "there was no store: this daemon begins a new life, with nothing"
        reporter(Report(level, "new-incarnation", (("life", str(held)), ("detail", detail))))
        if (config.name in config.seeds or config.consensus) and not config.pools:
            detail = "no pool is configured: a cluster that begins here has no address to give"
            reporter(Report(Level.WARNING, "no-pools", (("detail", detail),)))
    if held.name != config.name:
        raise ConfigError(
            f"the data directory {config.data_dir} is that of {held.name}, and not of {config.name}: "
            f"say --name {held.name}, or give this one a --data-dir of its own"
        )
    return held


def _identity_in(records: Sequence[Record]) -> Peer | None:
    """Who a store says this daemon is; None if it is new."""
    return next((record.peer for record in records if isinstance(record, Identity)), None)


def _token(path: Path) -> str:
    """
    The secret for HTTP over TCP, which is made if there is none.

    Raises:
        ConfigError: it cannot be read or made.
    """
    try:
        with contextlib.suppress(FileExistsError), open(path, "x", opener=_private) as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        token = path.read_text().strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the token in {path}: {error}") from error
    if not token:
        raise ConfigError(f"the token in {path} is empty: remove the file, and a new one is made")
    return token


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _fault(context: dict[str, Any]) -> Report:
    """What an error that nobody caught says in the log."""
    error = context.get("exception")
    trace = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else ""
    fields = (("detail", str(context.get("message"))), ("error", repr(error)), ("trace", trace))
    return Report(Level.ERROR, "internal-error", fields)
