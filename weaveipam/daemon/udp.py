"""
Datagrams over one UDP socket, on asyncio and uvloop alike.

The only importer of asyncio_dgram, whose hazards end here: its receive queue has no bound, an error of one
send is raised by the next call (and that next send is then not made), an unclosed stream complains at exit.
Trouble of the network is weather: counted by errno, never raised.
Does not know what packets mean, nor names.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable

import asyncio_dgram
from asyncio_dgram.aio import DatagramServer

from weaveipam.daemon.flood import Gate, shut_out
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX
from weaveipam.protocol.values import Endpoint

COUNTERS = (
    "packets.in.datagram",
    "packets.out.datagram",
    "bytes.in.datagram",
    "bytes.out.datagram",
    "dropped.datagram-empty",
    "dropped.datagram-oversize",
    "dropped.datagram-queue-full",
    "dropped.datagram-stalled",
    "dropped.datagram-failed",
    "dropped.datagram-flood",
    "dropped.kernel",
)
"""
Names in the counters, beside `errors.<errno name>` for each trouble met.

`dropped.kernel`: the receive buffer was full, or the source shut out.
"""

RECEIVE_BUFFER_BYTES = 4 << 20
"""Asked of the kernel, which grants at most net.core.rmem_max: some 2,000 datagrams while we are busy."""
RECEIVE_BYTES_MAX = 2048
"""
What asyncio asks for with each datagram, instead of its 256 KiB: receiving gets several times cheaper.

Above DATAGRAM_BYTES_MAX, so that a longer datagram, which is cut off here, is still seen to be too long.
uvloop has one buffer for all and ignores it.
"""
OUTBOUND_MAX = 4096
"""Datagrams that wait to be sent; at 4,097 the oldest is dropped: the newest says more about the present."""
SEND_S = 1.0
"""Seconds that one send may wait for the kernel before the next datagram gets its turn."""
CLOSE_S = 1.0
"""Seconds to send what is queued when closing."""

_SO_MEMINFO = 55  # asm-generic/socket.h; the socket module has no name for it
_SK_MEMINFO_DROPS = 8  # linux/sock_diag.h: index of the datagrams that found the buffer full
_SK_MEMINFO_VARS = 9

assert DATAGRAM_BYTES_MAX < RECEIVE_BYTES_MAX


def kernel_drops_count(sock: socket.socket | asyncio.trsock.TransportSocket) -> int:
    """Datagrams for this socket that the kernel has dropped; 0 where it does not say."""
    try:
        info = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * _SK_MEMINFO_VARS)
    except OSError:
        return 0
    assert isinstance(info, bytes)
    values = struct.unpack(f"{len(info) // 4}I", info)
    return int(values[_SK_MEMINFO_DROPS]) if len(values) > _SK_MEMINFO_DROPS else 0


class Datagrams:
    """Sends and receives datagrams; made by `open`, ended by `close`."""

    def __init__(
        self,
        stream: DatagramServer,
        deliver: Callable[[bytes, Endpoint], None],
        counters: Counter[str],
    ) -> None:
        self._stream = stream
        self._deliver = deliver
        self._counters = counters
        self._outbound: deque[tuple[bytes, tuple[str, int]]] = deque()
        self._something_to_send = asyncio.Event()
        self._closing = False
        loop = asyncio.get_running_loop()
        self._gate = Gate(lambda hosts: shut_out(stream.socket, hosts), loop)
        self._receiver = loop.create_task(self._receive(), name="udp-receiver")
        self._sender = loop.create_task(self._transmit(), name="udp-sender")
        for task in (self._receiver, self._sender):
            task.add_done_callback(_complain)

    @classmethod
    async def open(
        cls, sock: socket.socket, deliver: Callable[[bytes, Endpoint], None], counters: Counter[str]
    ) -> Datagrams:
        """
        Datagrams over a bound, unconnected socket, which is ours to close from now on.

        Args:
            sock: UDP over IPv4 or IPv6.
            deliver: Called in the event loop with each datagram of 1 to DATAGRAM_BYTES_MAX bytes and its
                source.  Must neither block nor raise, and bounds what it keeps: that is what keeps
                asyncio_dgram's own queue short, since nothing else delays the one task that empties it.
            counters: Where the names in COUNTERS are counted.
        """
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        stream = await asyncio_dgram.from_socket(sock)
        assert isinstance(stream, DatagramServer), "the socket is connected"
        transport = stream._transport  # type: ignore[attr-defined]  # noqa: SLF001 - no public way to it
        if hasattr(transport, "max_size"):
            transport.max_size = RECEIVE_BYTES_MAX
        return cls(stream, deliver, counters)

    def send(self, packet: bytes, address: tuple[str, int]) -> None:
        """
        Queue one datagram for a numeric address of the socket's family and a port of 1 to 65535.

        One that is empty or longer than DATAGRAM_BYTES_MAX is counted and dropped.
        """
        if self._closing:
            return
        if not 0 < len(packet) <= DATAGRAM_BYTES_MAX:
            self._counters["dropped.datagram-oversize" if packet else "dropped.datagram-empty"] += 1
            return
        if len(self._outbound) >= OUTBOUND_MAX:
            self._outbound.popleft()
            self._counters["dropped.datagram-queue-full"] += 1
        self._outbound.append((packet, address))
        self._something_to_send.set()

    def refresh_counters(self) -> None:
        """Count what is only known by asking: the kernel's drops, and errors of sends that none followed."""
        if not self._closing:
            self._drain_errors()
            self._counters["dropped.kernel"] = kernel_drops_count(self._stream.socket)

    async def close(self) -> None:
        """Send what is queued (for at most CLOSE_S), then end; the socket is closed when this returns."""
        self.refresh_counters()
        self._closing = True
        self._gate.stop()
        self._something_to_send.set()
        await asyncio.wait((self._sender,), timeout=CLOSE_S)
        self._sender.cancel()
        self._stream.close()
        # The stream wakes its receiver when the socket is gone, unless unsent datagrams hold that up.
        await asyncio.wait((self._receiver,), timeout=CLOSE_S)
        self._receiver.cancel()
        await asyncio.wait((self._sender, self._receiver))

    async def _receive(self) -> None:
        """Hand over each datagram as it comes; never waits for anything else, or the queue would grow."""
        while True:
            try:
                packet, address = await self._stream.recv()
            except OSError as error:
                self._count_error(error)
                continue
            except asyncio_dgram.TransportClosed:
                if self._closing:
                    return
                raise
            assert isinstance(address, tuple)
            if not self._gate.admits(address[0]):
                self._counters["dropped.datagram-flood"] += 1
                continue
            if not 0 < len(packet) <= DATAGRAM_BYTES_MAX:
                self._counters["dropped.datagram-oversize" if packet else "dropped.datagram-empty"] += 1
                continue
            self._counters["packets.in.datagram"] += 1
            self._counters["bytes.in.datagram"] += len(packet)
            assert isinstance(address, tuple)
            self._deliver(packet, Endpoint(address[0], address[1]))

    async def _transmit(self) -> None:
        while self._outbound or not self._closing:
            if not self._outbound:
                self._something_to_send.clear()
                await self._something_to_send.wait()
                continue
            packet, address = self._outbound.popleft()
            await self._transmit_one(packet, address)

    async def _transmit_one(self, packet: bytes, address: tuple[str, int]) -> None:
        """Send, once more if an error came up: it may be that of an earlier send, to another peer."""
        for _ in range(2):
            self._drain_errors()
            try:
                # No other task runs between draining, sending and draining again, so what comes up is
                # what the kernel said to this call, and then it has not sent the datagram.
                # Not wait_for: before Python 3.12 that starts a task.
                async with asyncio.timeout(SEND_S):
                    await self._stream.send(packet, address)
            except TimeoutError:
                # The transport holds it and may send it yet; whoever is next must not wait for that.
                self._counters["dropped.datagram-stalled"] += 1
            except (OSError, ValueError) as error:
                # ValueError is how uvloop refuses an address that does not fit the socket.
                self._count_error(error)
                continue
            except asyncio_dgram.TransportClosed:
                self._counters["dropped.datagram-failed"] += 1
            else:
                if self._drain_errors():
                    continue
                self._counters["packets.out.datagram"] += 1
                self._counters["bytes.out.datagram"] += len(packet)
            return
        self._counters["dropped.datagram-failed"] += 1

    def _drain_errors(self) -> bool:
        """Count the errors that the stream has stored to raise from its next call; whether there were any."""
        found = False
        while True:
            try:
                self._stream.exception  # noqa: B018 - this property raises what it finds
            except OSError as error:
                self._count_error(error)
                found = True
            else:
                return found

    def _count_error(self, error: OSError | ValueError) -> None:
        number = error.errno if isinstance(error, OSError) else None
        self._counters[f"errors.{errno.errorcode.get(number or 0, 'other')}"] += 1


def _complain(task: asyncio.Task[None]) -> None:
    """Make the death of a task loud at once: without it the daemon would be deaf or dumb and not say so."""
    with contextlib.suppress(asyncio.CancelledError):
        error = task.exception()
        if error is not None:
            task.get_loop().call_exception_handler(
                {"message": f"{task.get_name()} has died", "exception": error, "task": task}
            )
