"""Streams over real sockets on loopback, on both event loops; misbehaving peers are plain sockets."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest

from weaveipam.daemon.streams import LENGTH_BYTES, StreamLimits, Streams
from weaveipam.protocol.effects import STREAM_BYTES_MAX
from weaveipam.protocol.values import Endpoint

PATIENCE_S = 10.0
BRIEF_S = 0.05


def _frame(packet: bytes) -> bytes:
    return len(packet).to_bytes(LENGTH_BYTES, "big") + packet


def _listener() -> socket.socket:
    """A plain listening socket, independent of the code under test."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    sock.setblocking(False)
    return sock


async def _received(sock: socket.socket, size_bytes: int) -> bytes:
    """So many bytes, or fewer if the connection ends before."""
    loop = asyncio.get_running_loop()
    sock.setblocking(False)
    found = b""
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < size_bytes:
            try:
                piece = await loop.sock_recv(sock, size_bytes - len(found))
            except ConnectionResetError:
                return found
            if not piece:
                return found
            found += piece
    return found


async def _accepted(listener: socket.socket) -> socket.socket:
    async with asyncio.timeout(PATIENCE_S):
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
    return connection


class _Node:
    """One `Streams` on loopback, what it has received, and its counters."""

    def __init__(self, limits: StreamLimits, host: str = "127.0.0.1", port: int = 0) -> None:
        self.received: asyncio.Queue[tuple[bytes, Endpoint]] = asyncio.Queue()
        self.counters: Counter[str] = Counter()
        self.limits = limits
        self.host = host
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, port))
        self.address: tuple[str, int] = self.sock.getsockname()
        self.streams: Streams
        self.on_packet: Callable[[], None] = lambda: None

    def deliver(self, packet: bytes, source: Endpoint) -> None:
        self.received.put_nowait((packet, source))
        self.on_packet()

    async def open(self) -> _Node:
        self.streams = await Streams.open(
            self.sock,
            self.deliver,
            self.counters,
            limits=self.limits,
            local_host=self.host,
        )
        return self

    async def next(self) -> bytes:
        packet, _ = await asyncio.wait_for(self.received.get(), PATIENCE_S)
        return packet

    async def counted(self, name: str, count: int) -> None:
        """Wait, loop by loop, until a counter has come so far."""
        async with asyncio.timeout(PATIENCE_S):
            while self.counters[name] < count:  # noqa: ASYNC110 - counters know of no event
                await asyncio.sleep(0)

    async def call(self, sent: bytes, host: str = "127.0.0.1") -> socket.socket:
        """A plain connection from some host to this node, with these bytes sent into it."""
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.bind((host, 0))
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, self.address)
        await loop.sock_sendall(connection, sent)
        return connection


class _Cluster:
    """Opens nodes and closes them all at the end."""

    def __init__(self) -> None:
        self.nodes: list[_Node] = []

    async def node(self, limits: StreamLimits | None = None, host: str = "127.0.0.1", port: int = 0) -> _Node:
        node = await _Node(limits or StreamLimits(), host, port).open()
        self.nodes.append(node)
        return node


@pytest.fixture
async def cluster() -> AsyncIterator[_Cluster]:
    """Where nodes come from; they are closed at the end, and then nothing may be left."""
    opened = _Cluster()
    yield opened
    for node in opened.nodes:
        await node.streams.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    """Closes plain sockets at the end."""
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("size_bytes", [1, 65_535, 65_536, 300_000, 5_000_000])
async def test_a_packet_of_any_size_arrives_whole(cluster: _Cluster, size_bytes: int) -> None:
    """What is sent is received, once and unchanged, from one byte to millions."""
    mine, theirs = await cluster.node(), await cluster.node()
    packet = (b"0123456789" * (size_bytes // 10 + 1))[:size_bytes]

    mine.streams.send(packet, theirs.address)

    assert packet == await theirs.next()
    assert theirs.received.empty()


async def test_packets_share_a_connection_and_keep_their_order(cluster: _Cluster) -> None:
    """Packets to one peer arrive in the order in which they were sent, over one connection."""
    mine, theirs = await cluster.node(), await cluster.node()

    for number in range(10):
        mine.streams.send(b"%d" % number, theirs.address)
    first = [await theirs.next() for _ in range(10)]
    mine.streams.send(b"later", theirs.address)

    assert [b"%d" % number for number in range(10)] == first
    assert await theirs.next() == b"later"
    assert theirs.counters["connections.in"] == 1


async def test_each_side_sends_on_its_own_connection(cluster: _Cluster) -> None:
    """An answer travels on a connection that the answering side has opened."""
    mine, theirs = await cluster.node(), await cluster.node()

    mine.streams.send(b"question", theirs.address)
    assert await theirs.next() == b"question"
    theirs.streams.send(b"answer", mine.address)

    assert await mine.next() == b"answer"
    assert (mine.counters["connections.in"], theirs.counters["connections.in"]) == (1, 1)


async def test_outgoing_connections_come_from_the_bound_host(cluster: _Cluster) -> None:
    """A peer sees the host that this side listens on as the source of its streams."""
    mine, theirs = await cluster.node(host="127.0.0.2"), await cluster.node(host="127.0.0.3")

    mine.streams.send(b"x", theirs.address)

    _, source = await asyncio.wait_for(theirs.received.get(), PATIENCE_S)
    assert source.host == "127.0.0.2"


async def test_a_restarted_peer_gets_the_next_packet(cluster: _Cluster) -> None:
    """A kept connection whose peer has gone is noticed before a packet is lost in it."""
    mine, theirs = await cluster.node(), await cluster.node()
    mine.streams.send(b"before", theirs.address)
    assert await theirs.next() == b"before"

    await theirs.streams.close()
    again = await cluster.node(port=theirs.address[1])
    mine.streams.send(b"after", again.address)

    assert await again.next() == b"after"


async def test_nobody_listening_costs_the_packets_and_nothing_else(cluster: _Cluster) -> None:
    """Packets to a closed port are dropped and counted; other peers, and that one later, are not affected."""
    mine, theirs = await cluster.node(), await cluster.node()
    with _listener() as closed:
        nobody = closed.getsockname()

    for _ in range(3):
        mine.streams.send(b"lost", nobody)
    mine.streams.send(b"sent", theirs.address)
    await mine.counted("dropped.stream-unreachable", 3)
    late = await cluster.node(port=nobody[1])
    mine.streams.send(b"back", nobody)

    assert await theirs.next() == b"sent"
    assert await late.next() == b"back"


async def test_connecting_takes_a_limited_time(cluster: _Cluster, cleanup: ExitStack) -> None:
    """A host that answers nothing to a connection attempt is given up after `connect_s`."""
    mute = cleanup.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    mute.bind(("127.0.0.1", 0))
    mute.listen(0)
    for _ in range(4):  # its queue is full after these, and then the kernel ignores who knocks
        filler = cleanup.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        filler.setblocking(False)
        filler.connect_ex(mute.getsockname())
    mine = await cluster.node(StreamLimits(connect_s=BRIEF_S))

    mine.streams.send(b"x", mute.getsockname())

    await mine.counted("dropped.stream-unreachable", 1)
    assert mine.counters["connections.out"] == 0


@pytest.mark.parametrize("length", [0, STREAM_BYTES_MAX + 1, 0xFFFFFFFF, int.from_bytes(b"GET ", "big")])
async def test_a_wrong_length_ends_the_connection_alone(
    cluster: _Cluster, cleanup: ExitStack, length: int
) -> None:
    """A length of zero or beyond the bound closes that connection at once; others go on."""
    mine, theirs = await cluster.node(), await cluster.node()
    mine.streams.send(b"good", theirs.address)
    assert await theirs.next() == b"good"

    bad = cleanup.enter_context(await theirs.call(length.to_bytes(LENGTH_BYTES, "big") + b"junk"))

    assert await _received(bad, 1) == b""
    assert theirs.counters["closed.garbage"] == 1
    mine.streams.send(b"still good", theirs.address)
    assert await theirs.next() == b"still good"
    assert theirs.counters["connections.in"] == 2


async def test_a_claimed_length_costs_no_memory_but_has_a_bound(
    cluster: _Cluster, cleanup: ExitStack
) -> None:
    """Connections whose packets would together exceed the bound are closed before they send them."""
    theirs = await cluster.node(StreamLimits(incoming_bytes_max=1000))
    first = cleanup.enter_context(await theirs.call((600).to_bytes(LENGTH_BYTES, "big") + b"x"))
    second = cleanup.enter_context(await theirs.call((600).to_bytes(LENGTH_BYTES, "big") + b"x"))

    assert await _received(second, 1) == b""
    assert theirs.counters["closed.crowded"] == 1
    await asyncio.get_running_loop().sock_sendall(first, b"x" * 599 + _frame(b"y" * 1000))
    assert [b"x" * 600, b"y" * 1000] == [await theirs.next(), await theirs.next()]


async def test_one_host_does_not_take_up_all_bytes(cluster: _Cluster, cleanup: ExitStack) -> None:
    """A connection whose host announces more than its share is closed, and another host's is served."""
    theirs = await cluster.node(StreamLimits(incoming_bytes_max=2000, incoming_host_bytes_max=1000))
    announced = (600).to_bytes(LENGTH_BYTES, "big") + b"x"
    first = cleanup.enter_context(await theirs.call(announced))
    second = cleanup.enter_context(await theirs.call(announced))

    assert await _received(second, 1) == b""
    assert theirs.counters["closed.crowded"] == 1
    cleanup.enter_context(await theirs.call(_frame(b"y" * 600), "127.0.0.2"))
    assert await theirs.next() == b"y" * 600
    await asyncio.get_running_loop().sock_sendall(first, b"x" * 599)
    assert await theirs.next() == b"x" * 600


async def test_one_host_does_not_take_up_all_connections(cluster: _Cluster, cleanup: ExitStack) -> None:
    """Beyond its share a host's own connection makes room or the new one is refused; others are let in."""
    theirs = await cluster.node(StreamLimits(incoming_max=4, incoming_host_max=2))
    other = cleanup.enter_context(await theirs.call(_frame(b"other"), "127.0.0.2"))
    assert await theirs.next() == b"other"
    busy = cleanup.enter_context(await theirs.call(_frame(b"1") + _frame(b"packet")[:5]))
    assert await theirs.next() == b"1"
    idle = cleanup.enter_context(await theirs.call(_frame(b"2")))
    assert await theirs.next() == b"2"

    again = cleanup.enter_context(await theirs.call(_frame(b"3") + _frame(b"packet")[:5]))
    assert await theirs.next() == b"3"
    assert await _received(idle, 1) == b""
    refused = cleanup.enter_context(await theirs.call(b""))
    assert await _received(refused, 1) == b""
    assert theirs.counters["closed.crowded"] == 2
    for one, rest in ((other, _frame(b"packet")), (busy, b"acket"), (again, b"acket")):
        await asyncio.get_running_loop().sock_sendall(one, rest)
    assert [b"packet"] * 3 == [await theirs.next() for _ in range(3)]


async def test_a_connection_full_of_packets_waits_its_turn(cluster: _Cluster, cleanup: ExitStack) -> None:
    """Between any two packets of one connection everybody else is heard."""
    theirs = await cluster.node()
    turns = 0
    seen: list[int] = []
    theirs.on_packet = lambda: seen.append(turns)
    cleanup.enter_context(await theirs.call(_frame(b"x") * 500))
    async with asyncio.timeout(PATIENCE_S):
        while len(seen) < 500:
            turns += 1
            await asyncio.sleep(0)

    assert len(set(seen)) == 500


async def test_all_that_waits_is_bounded(cluster: _Cluster, cleanup: ExitStack) -> None:
    """What waits for all peers together is bounded: what would exceed it is dropped and counted."""
    mine = await cluster.node(StreamLimits(outgoing_bytes_max=1000))
    listeners = [cleanup.enter_context(_listener()) for _ in range(3)]
    for listener in listeners:
        mine.streams.send(b"x" * 400, listener.getsockname())
    assert mine.counters["dropped.stream-queue-full"] == 1

    for listener in listeners[:2]:
        connection = cleanup.enter_context(await _accepted(listener))
        assert await _received(connection, 404) == _frame(b"x" * 400)
    mine.streams.send(b"y" * 900, listeners[2].getsockname())
    connection = cleanup.enter_context(await _accepted(listeners[2]))
    assert await _received(connection, 904) == _frame(b"y" * 900)


async def test_a_packet_cut_off_is_lost_whole(cluster: _Cluster) -> None:
    """Of a packet whose connection ends before its last byte nothing is delivered."""
    theirs = await cluster.node()

    (await theirs.call(_frame(b"whole") + _frame(b"cut off")[:-1])).close()
    (await theirs.call(_frame(b"cut off")[:2])).close()
    (await theirs.call(_frame(b"next"))).close()

    assert {b"whole", b"next"} == {await theirs.next(), await theirs.next()}
    await theirs.streams.close()
    assert theirs.received.empty()


@pytest.mark.parametrize("sent", [b"\0", b"\0\0\0\x0aabc"])
async def test_a_packet_takes_a_limited_time(cluster: _Cluster, cleanup: ExitStack, sent: bytes) -> None:
    """A peer that stops in the middle of a packet, or of its length, loses its connection."""
    theirs = await cluster.node(StreamLimits(packet_s=BRIEF_S))

    slow = cleanup.enter_context(await theirs.call(sent))

    assert await _received(slow, 1) == b""
    assert theirs.counters["closed.slow"] == 1


async def test_an_idle_connection_is_closed_by_its_opener(cluster: _Cluster, cleanup: ExitStack) -> None:
    """After `idle_s` without a packet the connection ends, and the next packet opens another."""
    mine = await cluster.node(StreamLimits(idle_s=BRIEF_S))
    listener = cleanup.enter_context(_listener())

    for packet in (b"first", b"second"):
        mine.streams.send(packet, listener.getsockname())
        connection = cleanup.enter_context(await _accepted(listener))
        assert await _received(connection, 1000) == _frame(packet)


async def test_an_idle_caller_is_closed_in_the_end(cluster: _Cluster, cleanup: ExitStack) -> None:
    """A connection that nobody uses does not keep its place for ever."""
    theirs = await cluster.node(StreamLimits(idle_s=BRIEF_S))

    idle = cleanup.enter_context(await theirs.call(b""))

    assert await _received(idle, 1) == b""


async def test_the_outgoing_connection_longest_unused_makes_room(
    cluster: _Cluster, cleanup: ExitStack
) -> None:
    """Beyond `outgoing_max` connections the one longest unused is closed, and no packet is lost by it."""
    mine = await cluster.node(StreamLimits(outgoing_max=2))
    listeners = [cleanup.enter_context(_listener()) for _ in range(3)]
    connections = []
    for listener in listeners[:2]:
        mine.streams.send(b"x", listener.getsockname())
        connections.append(cleanup.enter_context(await _accepted(listener)))
        assert await _received(connections[-1], 5) == _frame(b"x")
    mine.streams.send(b"y", listeners[0].getsockname())
    assert await _received(connections[0], 5) == _frame(b"y")

    mine.streams.send(b"z", listeners[2].getsockname())

    assert await _received(connections[1], 1) == b""
    newest = cleanup.enter_context(await _accepted(listeners[2]))
    assert await _received(newest, 5) == _frame(b"z")
    mine.streams.send(b"w", listeners[0].getsockname())
    assert await _received(connections[0], 5) == _frame(b"w")
    assert mine.counters["dropped.stream-broken"] == 0


async def test_the_caller_longest_idle_makes_room(cluster: _Cluster, cleanup: ExitStack) -> None:
    """Beyond `incoming_max` connections the one longest idle is closed, and the new one is served."""
    theirs = await cluster.node(StreamLimits(incoming_max=2))
    callers = []
    for number in range(3):
        callers.append(cleanup.enter_context(await theirs.call(_frame(b"%d" % number))))
        assert await theirs.next() == b"%d" % number

    assert await _received(callers[0], 1) == b""
    assert theirs.counters["closed.crowded"] == 1
    await asyncio.get_running_loop().sock_sendall(callers[1], _frame(b"still here"))
    assert await theirs.next() == b"still here"


async def test_a_caller_in_the_middle_of_a_packet_is_not_cut_off(
    cluster: _Cluster, cleanup: ExitStack
) -> None:
    """When every connection is busy the new one is refused."""
    theirs = await cluster.node(StreamLimits(incoming_max=1))
    busy = cleanup.enter_context(await theirs.call(_frame(b"before") + _frame(b"packet")[:5]))
    assert await theirs.next() == b"before"

    refused = cleanup.enter_context(await theirs.call(b""))

    assert await _received(refused, 1) == b""
    await asyncio.get_running_loop().sock_sendall(busy, _frame(b"packet")[5:])
    assert await theirs.next() == b"packet"


@pytest.mark.parametrize(
    "limits", [StreamLimits(queue_max=4), StreamLimits(queue_bytes_max=4)], ids=["count", "bytes"]
)
async def test_the_queue_of_a_peer_drops_the_oldest(cluster: _Cluster, limits: StreamLimits) -> None:
    """Of more packets than may wait for a peer, by count or bytes, the oldest are dropped and counted."""
    mine, theirs = await cluster.node(limits), await cluster.node()

    for number in range(10):
        mine.streams.send(b"%d" % number, theirs.address)

    assert [b"6", b"7", b"8", b"9"] == [await theirs.next() for _ in range(4)]
    assert mine.counters["dropped.stream-queue-full"] == 6


async def test_a_peer_that_does_not_read_costs_a_limited_time(cluster: _Cluster, cleanup: ExitStack) -> None:
    """A packet that the peer does not take within `packet_s` is dropped with its connection, and counted."""
    mine = await cluster.node(StreamLimits(packet_s=BRIEF_S))
    listener = cleanup.enter_context(_listener())

    mine.streams.send(b"x" * 20_000_000, listener.getsockname())

    await mine.counted("dropped.stream-broken", 1)
    assert mine.counters["packets.out.stream"] == 0


async def test_empty_and_oversize_packets_go_nowhere(cluster: _Cluster) -> None:
    """Neither is sent; the next packet is."""
    mine, theirs = await cluster.node(), await cluster.node()

    for packet in (b"", bytes(STREAM_BYTES_MAX + 1), b"good"):
        mine.streams.send(packet, theirs.address)

    assert await theirs.next() == b"good"
    assert mine.counters["dropped.stream-oversize"] == 2


async def test_closing_sends_what_is_queued(cluster: _Cluster) -> None:
    """Packets sent just before close arrive; those sent after it do not."""
    mine, theirs = await cluster.node(), await cluster.node()
    mine.streams.send(b"a" * 100_000, theirs.address)
    mine.streams.send(b"b", theirs.address)

    await mine.streams.close()
    await mine.streams.close()
    mine.streams.send(b"too late", theirs.address)

    assert [b"a" * 100_000, b"b"] == [await theirs.next(), await theirs.next()]
    await theirs.streams.close()
    assert theirs.received.empty()


async def test_closing_does_not_wait_for_a_peer_that_does_not_read(
    cluster: _Cluster, cleanup: ExitStack
) -> None:
    """Close gives up after `close_s` what cannot be sent, and counts it."""
    mine = await cluster.node(StreamLimits(close_s=BRIEF_S))
    listener = cleanup.enter_context(_listener())
    mine.streams.send(b"x" * 20_000_000, listener.getsockname())

    await mine.streams.close()

    assert mine.counters["dropped.stream-broken"] == 1
