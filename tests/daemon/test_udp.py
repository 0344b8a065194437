"""Datagrams over real sockets on loopback, on both event loops: every hazard of the library below, closed."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from weaveipam.daemon import udp
from weaveipam.daemon.udp import Datagrams
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX
from weaveipam.protocol.values import Endpoint

PATIENCE_S = 10.0
IP_RECVERR = 11
"""From linux/in.h: makes the kernel hand ICMP errors to an unconnected socket.  The daemon never sets it."""

# uvloop 0.23 dies of a segmentation fault when a socket with IP_RECVERR, which it does not set, has an error.
ICMP_ON_ASYNCIO = pytest.mark.asyncio(loop_factories=["asyncio"])


class _Node:
    """One `Datagrams` on loopback, what it has received, and its counters."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[tuple[bytes, Endpoint]] = asyncio.Queue()
        self.counters: Counter[str] = Counter()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.sock.getsockname()
        self.datagrams: Datagrams

    def deliver(self, packet: bytes, source: Endpoint) -> None:
        self.received.put_nowait((packet, source))

    async def open(self) -> _Node:
        self.datagrams = await Datagrams.open(self.sock, self.deliver, self.counters)
        return self

    async def next(self) -> bytes:
        packet, _ = await asyncio.wait_for(self.received.get(), PATIENCE_S)
        return packet


@pytest.fixture
async def node() -> AsyncIterator[_Node]:
    """Datagrams under test, closed at the end."""
    opened = await _Node().open()
    yield opened
    await opened.datagrams.close()


@pytest.fixture
def crowd() -> Iterator[Sequence[socket.socket]]:
    """Plain sockets on many loopback addresses, none of which has to send much."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(50)]
        for number, sock in enumerate(socks):
            sock.bind((f"127.0.1.{1 + number}", 0))
        yield socks


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """A plain socket on loopback, independent of the code under test."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(PATIENCE_S)
        yield sock


async def test_a_datagram_arrives_with_its_source(node: _Node) -> None:
    """What one side sends is what the other receives, together with where to answer."""
    other = await _Node().open()

    node.datagrams.send(b"hello", other.address)

    assert (b"hello", Endpoint(*node.address)) == await asyncio.wait_for(other.received.get(), PATIENCE_S)
    await other.datagrams.close()


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (("255.255.255.255", 9), "EACCES"),  # broadcast, which the socket may not
        (("8.8.8.8", 9), "EINVAL"),  # off the host, from a socket bound to loopback
    ],
)
async def test_a_failed_send_does_not_cost_the_next_peer_its_datagram(
    node: _Node, peer: socket.socket, bad: tuple[str, int], name: str
) -> None:
    """Between any number of sends that the kernel refuses, every datagram to a healthy peer is sent, once."""
    for number in range(20):
        node.datagrams.send(b"refused", bad)
        node.datagrams.send(b"%d" % number, peer.getsockname())
    await node.datagrams.close()

    assert [b"%d" % number for number in range(20)] == [peer.recv(64) for _ in range(20)]
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(64)
    assert node.counters[f"errors.{name}"] >= 20
    assert node.counters["packets.out.datagram"] == 20


async def test_stored_errors_do_not_cost_the_next_peer_its_datagram(node: _Node, peer: socket.socket) -> None:
    """However many errors the library has stored to raise later, the next datagram is sent, once."""
    peer.sendto(b"hello", node.address)
    await node.next()  # the receiver waits for the next datagram now, and does not see the errors first
    for _ in range(5):
        node.datagrams._stream._excq.put_nowait(OSError(errno.EPERM, "blocked"))  # type: ignore[attr-defined] # theirs

    node.datagrams.send(b"healthy", peer.getsockname())

    peer.setblocking(False)
    received = asyncio.get_running_loop().sock_recv(peer, 64)
    assert await asyncio.wait_for(received, PATIENCE_S) == b"healthy"
    assert node.counters["errors.EPERM"] == 5
    assert node.counters["packets.out.datagram"] == 1


@ICMP_ON_ASYNCIO
async def test_an_icmp_error_does_not_cost_the_next_peer_its_datagram(peer: socket.socket) -> None:
    """When the kernel answers a send with an earlier peer's ICMP error, the datagram is sent again."""
    node = _Node()
    node.sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    await node.open()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = closed.getsockname()

    for number in range(20):
        node.datagrams.send(b"refused", nobody)
        node.datagrams.send(b"%d" % number, peer.getsockname())
    await node.datagrams.close()

    assert [b"%d" % number for number in range(20)] == [peer.recv(64) for _ in range(20)]
    assert node.counters["errors.ECONNREFUSED"] > 0


@ICMP_ON_ASYNCIO
async def test_an_error_while_receiving_is_weather(peer: socket.socket) -> None:
    """An ICMP error that nobody sends after is counted and the next datagram is received."""
    node = _Node()
    node.sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    await node.open()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = closed.getsockname()

    for _ in range(3):
        node.datagrams.send(b"refused", nobody)
        peer.sendto(b"ping", node.address)
        assert await node.next() == b"ping"

    await node.datagrams.close()
    assert node.counters["errors.ECONNREFUSED"] > 0


async def test_an_address_of_the_other_family_is_weather(node: _Node, peer: socket.socket) -> None:
    """An IPv6 address given to an IPv4 socket is counted, and the next datagram is sent."""
    node.datagrams.send(b"lost", ("::1", 9))
    node.datagrams.send(b"sent", peer.getsockname())
    await node.datagrams.close()

    assert peer.recv(64) == b"sent"
    assert node.counters["dropped.datagram-failed"] == 1


async def test_a_flood_does_not_pile_up_inside_the_library(crowd: Sequence[socket.socket]) -> None:
    """However many datagrams wait in the kernel, the library's unbounded queue holds a handful at a time."""
    node = _Node()
    backlog: list[int] = []
    flood = 3000

    def deliver(packet: bytes, source: Endpoint) -> None:
        backlog.append(node.datagrams._stream._recvq.qsize())  # type: ignore[attr-defined] # theirs
        node.deliver(packet, source)

    node.datagrams = await Datagrams.open(node.sock, deliver, node.counters)
    for number in range(flood):
        crowd[number % len(crowd)].sendto(
            b"x" * 100, node.address
        )  # the loop does not run: all of this waits in the kernel

    node.datagrams.refresh_counters()
    lost = node.counters["dropped.kernel"]
    for _ in range(flood - lost):
        await node.next()

    assert max(backlog) <= 64
    assert lost + node.counters["packets.in.datagram"] == flood
    await node.datagrams.close()


async def test_what_the_kernel_drops_is_counted(node: _Node, crowd: Sequence[socket.socket]) -> None:
    """Datagrams that found the kernel's buffer full are counted, so that received and dropped make up all."""
    sent_count = 0
    while node.counters["dropped.kernel"] == 0:
        for number in range(500):
            crowd[number % len(crowd)].sendto(b"x" * 1400, node.address)
        sent_count += 500
        node.datagrams.refresh_counters()

    for _ in range(sent_count - node.counters["dropped.kernel"]):
        await node.next()
    assert node.received.empty()


async def test_the_outbound_queue_drops_the_oldest(node: _Node, peer: socket.socket) -> None:
    """Of more datagrams than the queue holds the oldest are dropped, and counted."""
    for number in range(udp.OUTBOUND_MAX + 10):
        node.datagrams.send(b"%d" % number, peer.getsockname())
    await node.datagrams.close()

    assert peer.recv(64) == b"10"
    assert node.counters["dropped.datagram-queue-full"] == 10
    assert node.counters["packets.out.datagram"] == udp.OUTBOUND_MAX


async def test_empty_and_oversize_datagrams_go_nowhere(node: _Node, peer: socket.socket) -> None:
    """Neither is delivered when received nor sent when asked to; the longest allowed is both."""
    longest = b"y" * DATAGRAM_BYTES_MAX
    for packet in (b"", b"x" * (DATAGRAM_BYTES_MAX + 1), b"x" * 3000, b"x" * 65000, longest):
        peer.sendto(packet, node.address)
        node.datagrams.send(packet, peer.getsockname())

    assert await node.next() == longest
    assert node.received.empty()
    await node.datagrams.close()
    assert peer.recv(4096) == longest
    assert node.counters["dropped.datagram-empty"] == 2
    assert node.counters["dropped.datagram-oversize"] == 6


async def test_asyncio_is_asked_for_small_buffers(node: _Node) -> None:
    """The transport of asyncio reads into a buffer near a datagram's bound, not into 256 KiB."""
    transport = node.datagrams._stream._transport  # type: ignore[attr-defined] # theirs

    if hasattr(asyncio.get_running_loop(), "_selector"):  # asyncio's own
        assert transport.max_size == udp.RECEIVE_BYTES_MAX
    else:
        assert not hasattr(transport, "max_size")


async def test_closing_sends_what_is_queued_and_leaves_nothing_behind(peer: socket.socket) -> None:
    """After close the queue has been sent, the socket is closed, no task is left and nothing complains."""
    node = await _Node().open()
    for number in range(50):
        node.datagrams.send(b"%d" % number, peer.getsockname())

    await node.datagrams.close()
    await node.datagrams.close()
    node.datagrams.send(b"too late", peer.getsockname())

    assert [b"%d" % number for number in range(50)] == [peer.recv(64) for _ in range(50)]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as again:
        again.bind(node.address)  # fails while the old one is open
    del node
    gc.collect()


async def test_the_death_of_the_receiver_is_loud(peer: socket.socket) -> None:
    """A receiver killed by a bug is told at once: the daemon would otherwise be deaf in silence."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[str] = loop.create_future()
    loop.set_exception_handler(lambda _loop, context: told.set_result(context["message"]))
    node = _Node()

    def buggy(_packet: bytes, _source: Endpoint) -> None:
        raise KeyError("a bug")

    node.datagrams = await Datagrams.open(node.sock, buggy, node.counters)
    peer.sendto(b"x", node.address)

    assert await asyncio.wait_for(told, PATIENCE_S) == "udp-receiver has died"
    await node.datagrams.close()
