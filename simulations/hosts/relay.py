"""
A relay for UDP and TCP between daemons on loopback addresses, which can cut one of them off.

Every daemon binds an address of its own and advertises the relay's stand-in for it:

    daemon a  127.x.y.1:6783  -- to b's stand-in -->  relay  127.x.y.102:6783
                                                        | from a's stand-in, 127.x.y.101
                                                        v
                                                      daemon b  127.x.y.2:6783

Who speaks is told by the source address: a daemon sends its datagrams from the socket it bound, and binds its
outgoing connections to the same host.  A packet passes if neither its source nor its target is cut off; no
privilege is needed, since on Linux the whole of 127.0.0.0/8 is the loopback's.
Does not know what it carries.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Self, TypeVar

from simulations.hosts.closable import Closable
from simulations.hosts.place import GOSSIP_PORT, Place

T = TypeVar("T")

_CHUNK_BYTES = 64 << 10
_SUBNET_ATTEMPTS = 20


class _Station:
    """One daemon, as the relay knows it; lives on the relay's loop."""

    def __init__(self, host: str, stand_in: str) -> None:
        self.host = host
        self.stand_in = stand_in
        self.cut = False
        self.datagrams: asyncio.DatagramTransport | None = None
        self.listener: asyncio.Server | None = None
        self.connections: set[asyncio.WriteTransport] = set()
        """Both halves of every connection that it takes part in."""


class _Datagrams(asyncio.DatagramProtocol):
    """Hands what arrives at one stand-in to the relay."""

    def __init__(self, arrived: Callable[[bytes, str], None]) -> None:
        self._arrived = arrived

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._arrived(data, addr[0])

    def error_received(self, exc: Exception) -> None:
        """A daemon that is down answers with ICMP: the loss of a datagram, nothing else."""


class Relay(Closable):
    """
    Runs on a thread of its own from `__enter__` to `__exit__`; its methods may be called from any thread.

    >>> with Relay(["a", "b"]) as relay:
    ...     relay.cut("a")
    ...     relay.heal("a")
    """

    def __init__(self, names: list[str]) -> None:
        """Takes the names of the daemons, at most 100; opens nothing yet."""
        self._names = list(names)
        self._stations: dict[str, _Station] = {}
        self._by_host: dict[str, _Station] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._call(self._open())
        except BaseException:
            self.close()
            raise
        return self

    def place(self, name: str) -> Place:
        """Where this daemon is to bind, and what it is to advertise."""
        station = self._stations[name]
        return Place(f"{station.host}:{GOSSIP_PORT}", f"{station.stand_in}:{GOSSIP_PORT}", None)

    def cut(self, name: str) -> None:
        """Drops all that this daemon sends and all that is sent to it, and breaks its connections."""
        self._call(self._set_cut(self._stations[name], cut=True))

    def heal(self, name: str) -> None:
        """Lets its packets pass again."""
        self._call(self._set_cut(self._stations[name], cut=False))

    def close(self) -> None:
        """Closes every socket and ends the thread; harmless when repeated."""
        if self._loop.is_closed():
            return
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=10)

    async def _open(self) -> None:
        chance = random.Random(os.urandom(8))
        for attempt in range(1, _SUBNET_ATTEMPTS + 1):
            subnet = f"127.{chance.randint(1, 254)}.{chance.randint(0, 254)}"
            try:
                for number, name in enumerate(self._names, 1):
                    station = _Station(f"{subnet}.{number}", f"{subnet}.{number + 100}")
                    self._stations[name] = self._by_host[station.host] = station
                    _refuse_taken(station.host)
                    await self._listen(station)
            except OSError:  # somebody else's relay: take another subnet
                await self._close()
                if attempt == _SUBNET_ATTEMPTS:
                    raise
            else:
                return

    async def _listen(self, station: _Station) -> None:
        local = (station.stand_in, GOSSIP_PORT)
        station.datagrams, _ = await self._loop.create_datagram_endpoint(
            lambda: _Datagrams(partial(self._pass_on, station)), local_addr=local
        )
        station.listener = await asyncio.start_server(partial(self._accept, station), *local)

    async def _close(self) -> None:
        for station in self._stations.values():
            if station.datagrams is not None:
                station.datagrams.close()
            if station.listener is not None:
                station.listener.close()
            _break(station)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close their sockets on the loop's next turn
        self._stations.clear()
        self._by_host.clear()

    async def _set_cut(self, station: _Station, *, cut: bool) -> None:
        station.cut = cut
        if cut:
            _break(station)

    def _pass_on(self, target: _Station, datagram: bytes, host: str) -> None:
        source = self._by_host.get(host)
        if source is None or source.datagrams is None or not _connected(source, target):
            return
        source.datagrams.sendto(datagram, (target.host, GOSSIP_PORT))

    async def _accept(
        self, target: _Station, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._join(target, reader, writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _join(
        self, target: _Station, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        source = self._by_host.get(writer.get_extra_info("peername")[0])
        if source is None or not _connected(source, target):
            return
        with suppress(OSError):  # the target is down: the source finds its connection broken
            inner_reader, inner_writer = await asyncio.open_connection(
                target.host, GOSSIP_PORT, local_addr=(source.stand_in, 0)
            )
            both = {writer.transport, inner_writer.transport}
            source.connections |= both
            target.connections |= both
            try:
                if _connected(source, target):  # may have been cut while we connected
                    await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
            finally:
                inner_writer.transport.abort()
                source.connections -= both
                target.connections -= both


def _connected(source: _Station, target: _Station) -> bool:
    return not (source.cut or target.cut)


def _refuse_taken(host: str) -> None:
    """Raises OSError if a daemon could not listen there."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.bind((host, GOSSIP_PORT))


def _break(station: _Station) -> None:
    for connection in list(station.connections):
        connection.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies until either side ends, and then ends the other."""
    with suppress(OSError):  # a broken connection ends like a closed one
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()
