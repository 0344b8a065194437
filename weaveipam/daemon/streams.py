"""
Packets too big for a datagram, over TCP, one way: each side sends on connections that it opened itself.

On the wire each packet follows its length, 4 bytes in network order.  A connection is kept and reused, and
when it breaks the packets in it are lost whole.  Trouble of the network is weather: counted, never raised.
Does not know what packets mean, nor names.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from weaveipam.protocol.effects import STREAM_BYTES_MAX
from weaveipam.protocol.values import Endpoint

COUNTERS = (
    "packets.in.stream",
    "packets.out.stream",
    "bytes.in.stream",
    "bytes.out.stream",
    "dropped.stream-oversize",
    "dropped.stream-queue-full",
    "dropped.stream-unreachable",
    "dropped.stream-broken",
    "connections.in",
    "connections.out",
    "closed.garbage",
    "closed.slow",
    "closed.crowded",
)
"""
Names in the counters.

`dropped` counts packets that were not sent; `closed` counts connections from peers that this side ended:
for a wrong length, for a packet that took too long, for want of room.
"""

LENGTH_BYTES = 4
"""In front of each packet: its length, 1 to STREAM_BYTES_MAX, in network order."""
READ_AHEAD_BYTES = 1 << 18
"""Bytes that asyncio keeps of a connection that nobody reads; big packets are read in pieces of this size."""

assert STREAM_BYTES_MAX < 1 << 8 * LENGTH_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """How much, how many and how long; the defaults are for daemons."""

    connect_s: float = 3.0
    """Seconds to connect: two lost SYNs (1 s and 2 s later).  The packets that wait are dropped then."""
    packet_s: float = 30.0
    """Seconds that one packet may take from its first byte to its last, on either side; 4 MiB at 140 KB/s."""
    idle_s: float = 60.0
    """
    Seconds after which the opener closes a connection that carried nothing.

    The other side waits twice as long, so that it only ever closes what a vanished peer has left behind.
    """
    outgoing_max: int = 64
    """Connections opened; at 65 the one longest unused is closed."""
    incoming_max: int = 128
    """Connections accepted; at 129 the one longest idle is closed, or the new one if all are busy."""
    queue_max: int = 32
    """Packets that wait for one peer; at 33 the oldest is dropped."""
    queue_bytes_max: int = STREAM_BYTES_MAX
    """Bytes of those packets; the newest packet is always kept."""
    outgoing_bytes_max: int = 4 * STREAM_BYTES_MAX
    """Bytes of the packets that wait for all peers together; the one that would exceed it is dropped."""
    incoming_bytes_max: int = 4 * STREAM_BYTES_MAX
    """Bytes of all packets that are being received; the connection that would exceed it is closed."""
    incoming_host_max: int = 32
    """Connections accepted from one host; of `incoming_max`, as which it is treated."""
    incoming_host_bytes_max: int = STREAM_BYTES_MAX
    """Bytes of `incoming_bytes_max` that one host may take up."""
    close_s: float = 1.0
    """Seconds to send what is queued when closing."""


class _Outgoing:
    """The connection to one peer, and the packets that wait for it."""

    def __init__(
        self,
        address: tuple[str, int],
        local_host: str | None,
        limits: StreamLimits,
        counters: Counter[str],
    ) -> None:
        self._address = address
        self._local = (local_host, 0) if local_host is not None else None
        self._limits = limits
        self._counters = counters
        self._queue: deque[bytes] = deque()
        self.queue_bytes = 0
        """Of the packets that wait; nothing is taken off it once this has ended."""
        self._something_to_send = asyncio.Event()
        self._last = False
        self.busy = False
        """Has a packet to send, or is sending it."""
        self.ended = False
        """Sends nothing any more: what is offered now would be lost unseen."""
        self.task = asyncio.get_running_loop().create_task(self._run(), name=f"stream to {address}")

    def offer(self, packet: bytes) -> None:
        self._queue.append(packet)
        self.queue_bytes += len(packet)
        self.busy = True
        limits = self._limits
        while len(self._queue) > 1 and (
            len(self._queue) > limits.queue_max or self.queue_bytes > limits.queue_bytes_max
        ):
            self.queue_bytes -= len(self._queue.popleft())
            self._counters["dropped.stream-queue-full"] += 1
        self._something_to_send.set()

    def finish(self) -> None:
        """End when what is queued has been sent."""
        self._last = True
        self._something_to_send.set()

    async def _run(self) -> None:
        stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        trouble = "dropped.stream-unreachable"
        in_flight_count = 0
        try:
            while await self._wait_for_packet():
                if stream is not None and _is_over(*stream):
                    stream[1].transport.abort()
                    stream = None
                if stream is None:
                    trouble = "dropped.stream-unreachable"
                    stream = await self._connect()
                    trouble = "dropped.stream-broken"
                packet = self._queue.popleft()
                self.queue_bytes -= len(packet)
                in_flight_count = 1
                await self._write(stream[1], packet)
                in_flight_count = 0
        except OSError:  # a TimeoutError is one
            self._counters[trouble] += len(self._queue) + in_flight_count
        except asyncio.CancelledError:
            self._counters["dropped.stream-broken"] += len(self._queue) + in_flight_count
            raise
        finally:
            self.ended = True
            if stream is not None:
                # Unsent bytes of a packet that failed are worth nothing; after a good end there are none.
                stream[1].transport.abort()
                with contextlib.suppress(OSError):
                    await stream[1].wait_closed()

    async def _wait_for_packet(self) -> bool:
        """Whether there is one; False after an idle time, or at once when this is to finish."""
        if not self._queue and not self._last:
            self.busy = False
            self._something_to_send.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.idle_s):
                    await self._something_to_send.wait()
        return bool(self._queue)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._address
        async with asyncio.timeout(self._limits.connect_s):
            reader, writer = await asyncio.open_connection(host, port, local_addr=self._local)
        # Draining then means that the kernel has all of it, and the time limit covers the whole packet.
        writer.transport.set_write_buffer_limits(high=0)
        # Else a peer that lost its power is sent to for many minutes before the connection counts as broken.
        with contextlib.suppress(OSError):
            writer.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self._limits.packet_s * 1000)
            )
        self._counters["connections.out"] += 1
        return reader, writer

    async def _write(self, writer: asyncio.StreamWriter, packet: bytes) -> None:
        async with asyncio.timeout(self._limits.packet_s):
            # Not `writelines`: in CPython 3.12 and 3.13.0 it never makes `drain` wait.
            writer.write(len(packet).to_bytes(LENGTH_BYTES, "big") + packet)
            await writer.drain()
        self._counters["packets.out.stream"] += 1
        self._counters["bytes.out.stream"] += len(packet)


def _is_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether the peer has closed or broken the connection; known without sending anything into it."""
    return reader.at_eof() or reader.exception() is not None or writer.is_closing()


@dataclass(slots=True, eq=False)
class _Incoming:
    writer: asyncio.StreamWriter
    task: asyncio.Task[None] | None
    host: str
    busy: bool = False
    """Inside a packet."""
    claimed_bytes: int = 0
    """Of that packet."""


class Streams:
    """Sends and receives packets on streams; made by `open`, ended by `close`."""

    def __init__(
        self,
        deliver: Callable[[bytes, Endpoint], None],
        counters: Counter[str],
        limits: StreamLimits,
        local_host: str | None,
    ) -> None:
        self._deliver = deliver
        self._counters = counters
        self._limits = limits
        self._local_host = local_host
        self._server: asyncio.Server | None = None
        # Longest unused first.
        self._outgoing: OrderedDict[tuple[str, int], _Outgoing] = OrderedDict()
        # Those too that have ended, or were evicted, and are still closing their socket.
        self._sending: set[asyncio.Task[None]] = set()
        self._incoming: OrderedDict[int, _Incoming] = OrderedDict()
        self._closing = False

    @classmethod
    async def open(
        cls,
        sock: socket.socket,
        deliver: Callable[[bytes, Endpoint], None],
        counters: Counter[str],
        *,
        limits: StreamLimits,
        local_host: str | None,
    ) -> Streams:
        """
        Streams over a bound TCP socket, which is ours to listen on and close from now on.

        Args:
            sock: TCP over IPv4 or IPv6.
            deliver: Called in the event loop with each packet of 1 to STREAM_BYTES_MAX bytes and where it
                came from (its port is not one to answer to).  Must neither block nor raise.
            counters: Where the names in COUNTERS are counted.
            limits: How much, how many and how long.
            local_host: Numeric address that outgoing connections are bound to; None: the kernel chooses.
        """
        streams = cls(deliver, counters, limits, local_host)
        streams._server = await asyncio.start_server(
            streams._serve, sock=sock, limit=READ_AHEAD_BYTES, backlog=limits.incoming_max
        )
        return streams

    def send(self, packet: bytes, address: tuple[str, int]) -> None:
        """
        Queue one packet for a numeric address of the socket's family and a port of 1 to 65535.

        One that is empty or longer than STREAM_BYTES_MAX is counted and dropped.
        """
        if self._closing:
            return
        if not 0 < len(packet) <= STREAM_BYTES_MAX:
            self._counters["dropped.stream-oversize"] += 1
            return
        waiting_bytes = sum(one.queue_bytes for one in self._outgoing.values() if not one.ended)
        if waiting_bytes + len(packet) > self._limits.outgoing_bytes_max:
            self._counters["dropped.stream-queue-full"] += 1
            return
        outgoing = self._outgoing.get(address)
        if outgoing is None or outgoing.ended:
            self._make_room()
            outgoing = _Outgoing(address, self._local_host, self._limits, self._counters)
            self._outgoing[address] = outgoing
            self._sending.add(outgoing.task)
            outgoing.task.add_done_callback(self._sending.discard)
        self._outgoing.move_to_end(address)
        outgoing.offer(packet)

    async def close(self) -> None:
        """Send what is queued (for at most `close_s`), then end every connection and stop listening."""
        self._closing = True
        for one in self._outgoing.values():
            one.finish()
        if sending := set(self._sending):
            _, late = await asyncio.wait(sending, timeout=self._limits.close_s)
            for task in late:
                task.cancel()
            await asyncio.wait(sending)
        if self._server is not None:
            self._server.close()
        # Aborted and not cancelled: the tasks are asyncio's, which trips over cancelled ones before 3.12.
        serving = [one.task for one in self._incoming.values() if one.task is not None]
        for incoming in self._incoming.values():
            incoming.writer.transport.abort()
        if serving:
            await asyncio.wait(serving)
        if self._server is not None:
            await self._server.wait_closed()

    def _make_room(self) -> None:
        """Drop ended connections, and the one longest unused if there are too many."""
        for address in [address for address, one in self._outgoing.items() if one.ended]:
            del self._outgoing[address]
        if len(self._outgoing) >= self._limits.outgoing_max:
            idle = (address for address, one in self._outgoing.items() if not one.busy)
            address = next(idle, next(iter(self._outgoing)))
            self._outgoing.pop(address).task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = (writer.get_extra_info("peername") or ("", 0))[:2]
        incoming = _Incoming(writer, asyncio.current_task(), host)
        number = id(incoming)
        if self._closing or not self._admit(host):
            writer.transport.abort()
            return
        self._incoming[number] = incoming
        self._counters["connections.in"] += 1
        try:
            while (packet := await self._read(reader, incoming)) is not None:
                self._incoming.move_to_end(number)
                self._counters["packets.in.stream"] += 1
                self._counters["bytes.in.stream"] += len(packet)
                self._deliver(packet, Endpoint(host, port))
                # Else a connection full of small packets would be read to its end before anybody else's turn.
                await asyncio.sleep(0)
        except TimeoutError:
            self._counters["closed.slow"] += 1
        except (OSError, EOFError):
            pass  # broken, perhaps in the middle of a packet: lost whole
        finally:
            del self._incoming[number]
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _admit(self, host: str) -> bool:
        """Make room for one more connection of a host; False if all in its way are inside a packet."""
        limits = self._limits
        in_the_way = [one for one in self._incoming.values() if one.host == host]
        if len(in_the_way) < limits.incoming_host_max:
            if len(self._incoming) < limits.incoming_max:
                return True
            in_the_way = list(self._incoming.values())
        self._counters["closed.crowded"] += 1
        # Not those on their way out already: each newcomer needs a place of its own.
        idle = (one for one in in_the_way if not one.busy and not one.writer.transport.is_closing())
        longest_idle = next(idle, None)
        if longest_idle is None:
            return False
        longest_idle.writer.transport.abort()
        return True

    def _claim(self, incoming: _Incoming, size_bytes: int) -> bool:
        """Whether there is room for a packet of a connection, which then takes it up."""
        others = self._incoming.values()
        all_bytes = sum(one.claimed_bytes for one in others)
        host_bytes = sum(one.claimed_bytes for one in others if one.host == incoming.host)
        if all_bytes + size_bytes > self._limits.incoming_bytes_max:
            return False
        if host_bytes + size_bytes > self._limits.incoming_host_bytes_max:
            return False
        incoming.claimed_bytes = size_bytes
        return True

    async def _read(self, reader: asyncio.StreamReader, incoming: _Incoming) -> bytes | None:
        """
        The next packet; None when the connection is over, in good order or for a wrong length.

        Raises:
            TimeoutError: the packet, or the next one, took too long.
            EOFError: the connection ended inside a packet.
            OSError: the connection broke.
        """
        async with asyncio.timeout(2 * self._limits.idle_s):
            first = await reader.read(1)
        if not first:
            return None
        incoming.busy = True
        try:
            async with asyncio.timeout(self._limits.packet_s):
                length = first + await reader.readexactly(LENGTH_BYTES - 1)
                size_bytes = int.from_bytes(length, "big")
                if not 0 < size_bytes <= STREAM_BYTES_MAX:
                    self._counters["closed.garbage"] += 1
                    return None
                if not self._claim(incoming, size_bytes):
                    self._counters["closed.crowded"] += 1
                    return None
                return await reader.readexactly(size_bytes)
        finally:
            incoming.claimed_bytes = 0
            incoming.busy = False
