"""
What every transport does, real or simulated: one suite over a factory; then what only the real one has.

A network is something that stations can be opened on.  Another one joins the suite by another parameter of
the fixture `network`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator
from random import Random
from typing import Protocol

import pytest

from simulations import network as simulated
from simulations.timeline import Timeline
from weaveipam.daemon import transport as module
from weaveipam.daemon.driver import Inbox
from weaveipam.daemon.resolve import Lookup, system_lookup
from weaveipam.daemon.transport import Transport
from weaveipam.errors import ConfigError
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX, STREAM_BYTES_MAX, Channel, Send
from weaveipam.protocol.values import Endpoint

PATIENCE_S = 10.0
BOTH = pytest.mark.parametrize("channel", list(Channel))


class Station(Protocol):
    """One transport on a network, and what has arrived at it."""

    @property
    def endpoint(self) -> Endpoint:
        """Where others reach it."""
        ...

    def send(self, target: Endpoint, packet: bytes, channel: Channel) -> None:
        """Send through its transport."""
        ...

    async def next(self) -> tuple[bytes, Endpoint]:
        """The next packet that arrives, and its source."""
        ...

    async def close(self) -> None:
        """Close its transport; it can be called twice."""
        ...


class Network(Protocol):
    """Where stations are opened."""

    async def station(self) -> Station:
        """One more, closed with the network if not before."""
        ...

    def nobody(self) -> Endpoint:
        """An endpoint at which nobody listens."""
        ...


class _LoopbackStation:
    def __init__(self) -> None:
        self.received: asyncio.Queue[tuple[bytes, Endpoint]] = asyncio.Queue()
        self.transport: Transport

    @property
    def endpoint(self) -> Endpoint:
        return self.transport.bound

    def send(self, target: Endpoint, packet: bytes, channel: Channel) -> None:
        self.transport.send(Send(target, packet, channel))

    async def next(self) -> tuple[bytes, Endpoint]:
        return await asyncio.wait_for(self.received.get(), PATIENCE_S)

    async def close(self) -> None:
        await self.transport.close()


class _Loopback:
    """Real sockets on one loopback address."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.stations: list[_LoopbackStation] = []

    async def station(self, port: int = 0, lookup: Lookup = system_lookup) -> _LoopbackStation:
        station = _LoopbackStation()
        station.transport = await Transport.open(
            Endpoint(self.host, port),
            lambda packet, source: station.received.put_nowait((packet, source)),
            lookup=lookup,
        )
        self.stations.append(station)
        return station

    def nobody(self) -> Endpoint:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((self.host, 0))
            return Endpoint(self.host, sock.getsockname()[1])

    async def close(self) -> None:
        for station in self.stations:
            await station.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}


class _SimulatedStation:
    def __init__(self, network: simulated.Network, timeline: Timeline, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.timeline = timeline
        self.received: deque[tuple[bytes, Endpoint]] = deque()
        self.port = network.attach(
            endpoint.host, endpoint, lambda packet, source: self.received.append((packet, source))
        )

    def send(self, target: Endpoint, packet: bytes, channel: Channel) -> None:
        self.port.send(Send(target, packet, channel))

    async def next(self) -> tuple[bytes, Endpoint]:
        until = self.timeline.now + PATIENCE_S
        while not self.received and self.timeline.now < until:
            self.timeline.run(self.timeline.now + 0.001)
        return self.received.popleft()

    async def close(self) -> None:
        self.port.close()


class _Simulated:
    """Simulated machines in virtual time; its datagrams do not overtake each other, as on loopback."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.network = simulated.Network(self.timeline, Random(1), simulated.Quality(jitter_s=0.0))
        self.endpoints = (Endpoint(f"10.0.0.{number}", 6783) for number in range(1, 255))

    async def station(self) -> _SimulatedStation:
        return _SimulatedStation(self.network, self.timeline, self.nobody())

    def nobody(self) -> Endpoint:
        return next(self.endpoints)

    async def close(self) -> None:
        """Nothing of it outlives the test."""


@pytest.fixture(params=["127.0.0.1", "::1", "simulated"])
async def network(request: pytest.FixtureRequest) -> AsyncIterator[Network]:
    """Each network that the suite is passed by."""
    opened = _Simulated() if request.param == "simulated" else _Loopback(request.param)
    yield opened
    await opened.close()


@pytest.fixture
async def loopback() -> AsyncIterator[_Loopback]:
    """Real sockets, for what is not common to all transports."""
    opened = _Loopback("127.0.0.1")
    yield opened
    await opened.close()


# The suite.


@BOTH
async def test_a_packet_arrives(network: Network, channel: Channel) -> None:
    """A packet sent to where a station is bound is what it receives, once."""
    mine, theirs = await network.station(), await network.station()

    mine.send(theirs.endpoint, b"hello", channel)
    mine.send(theirs.endpoint, b"again", channel)

    assert [b"hello", b"again"] == [(await theirs.next())[0], (await theirs.next())[0]]


async def test_a_datagram_can_be_answered_to_its_source(network: Network) -> None:
    """The source of a datagram is the endpoint of who sent it."""
    mine, theirs = await network.station(), await network.station()

    mine.send(theirs.endpoint, b"hello", Channel.DATAGRAM)

    assert (b"hello", mine.endpoint) == await theirs.next()


@BOTH
async def test_a_station_can_send_to_itself(network: Network, channel: Channel) -> None:
    """Nothing is special about one's own endpoint."""
    mine = await network.station()

    mine.send(mine.endpoint, b"hello", channel)

    assert (await mine.next())[0] == b"hello"


@BOTH
async def test_nobody_there_is_no_error(network: Network, channel: Channel) -> None:
    """Sending to where nobody listens loses that packet, and no other."""
    mine, theirs = await network.station(), await network.station()

    for number in range(5):
        mine.send(network.nobody(), b"lost", channel)
        mine.send(theirs.endpoint, b"%d" % number, channel)

    assert [b"%d" % number for number in range(5)] == [(await theirs.next())[0] for _ in range(5)]


@pytest.mark.parametrize(
    ("channel", "size_bytes"), [(Channel.DATAGRAM, DATAGRAM_BYTES_MAX), (Channel.STREAM, 1_000_000)]
)
async def test_big_packets_arrive_whole(network: Network, channel: Channel, size_bytes: int) -> None:
    """A packet as big as its channel carries arrives unchanged."""
    mine, theirs = await network.station(), await network.station()
    packet = bytes(number % 251 for number in range(size_bytes))

    mine.send(theirs.endpoint, packet, channel)

    assert (await theirs.next())[0] == packet


@pytest.mark.parametrize(
    ("channel", "size_bytes"),
    [
        (Channel.DATAGRAM, 0),
        (Channel.STREAM, 0),
        (Channel.DATAGRAM, DATAGRAM_BYTES_MAX + 1),
        (Channel.STREAM, STREAM_BYTES_MAX + 1),
    ],
)
async def test_what_a_channel_does_not_carry_is_lost(
    network: Network, channel: Channel, size_bytes: int
) -> None:
    """An empty packet, and one beyond the bound, is dropped whole; the next one arrives."""
    mine, theirs = await network.station(), await network.station()

    mine.send(theirs.endpoint, bytes(size_bytes), channel)
    mine.send(theirs.endpoint, b"next", channel)

    assert (await theirs.next())[0] == b"next"


@BOTH
@pytest.mark.parametrize(
    "target",
    [
        Endpoint("", 6783),
        Endpoint("h" * 254, 6783),
        Endpoint("no..name", 6783),
        Endpoint("nul\0nul", 6783),
        Endpoint("127.0.0.1", 0),
        Endpoint("127.0.0.1", -1),
        Endpoint("127.0.0.1", 65536),
        Endpoint("::1", 1 << 70),
    ],
    ids=str,
)
async def test_an_impossible_endpoint_is_no_error(
    network: Network, channel: Channel, target: Endpoint
) -> None:
    """Whatever a peer says its endpoint is, sending there breaks nothing for others."""
    mine, theirs = await network.station(), await network.station()

    mine.send(target, b"lost", channel)
    mine.send(theirs.endpoint, b"next", channel)

    assert (await theirs.next())[0] == b"next"


@BOTH
async def test_what_was_sent_before_close_arrives(network: Network, channel: Channel) -> None:
    """Close sends what is queued; after it nothing is sent, and that is no error."""
    mine, theirs = await network.station(), await network.station()

    mine.send(theirs.endpoint, b"last words", channel)
    await mine.close()
    await mine.close()
    mine.send(theirs.endpoint, b"too late", channel)
    third = await network.station()
    third.send(theirs.endpoint, b"others", channel)

    assert [b"last words", b"others"] == [(await theirs.next())[0], (await theirs.next())[0]]


# Only the real one.


async def test_both_channels_have_one_port(loopback: _Loopback) -> None:
    """Port 0 becomes one port, free before for datagrams and for streams, and a real one."""
    mine = await loopback.station()

    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as sock, pytest.raises(OSError, match="in use"):
            sock.bind(mine.endpoint)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
async def test_a_port_in_use_is_the_operators_fault(loopback: _Loopback, kind: socket.SocketKind) -> None:
    """If either channel's port is taken nothing is opened, and the error names the endpoint."""
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}: Address already in use"):
            await loopback.station(port)

    await loopback.station(port)


async def test_a_second_daemon_cannot_share_the_port(loopback: _Loopback) -> None:
    """Two transports never listen on the same endpoint, as two datagram sockets could."""
    mine = await loopback.station()

    with pytest.raises(ConfigError, match="Address already in use"):
        await loopback.station(mine.endpoint.port)


@pytest.mark.parametrize("bind", [Endpoint("192.0.2.1", 0), Endpoint("no..name", 0), Endpoint("::1", 70000)])
async def test_a_bad_address_to_listen_on_is_the_operators_fault(bind: Endpoint) -> None:
    """An address that is not this host's, no address, and an impossible port are refused with a sentence."""
    with pytest.raises(ConfigError, match="cannot listen on"):
        await Transport.open(bind, lambda _packet, _source: None)


async def test_a_restart_takes_the_port_at_once(loopback: _Loopback) -> None:
    """Connections of an earlier run do not keep its successor from listening."""
    mine, theirs = await loopback.station(), await loopback.station()
    mine.send(theirs.endpoint, b"x", Channel.STREAM)
    await theirs.next()
    port = theirs.endpoint.port

    await theirs.close()
    again = await loopback.station(port)

    assert again.endpoint.port == port


@BOTH
async def test_names_are_resolved(loopback: _Loopback, channel: Channel) -> None:
    """A packet to a name arrives at the address that the name has."""
    mine = await loopback.station(lookup=lambda _host, _family: ("127.0.0.1",))
    theirs = await loopback.station()

    mine.send(Endpoint("peer.example", theirs.endpoint.port), b"hello", channel)

    assert (await theirs.next())[0] == b"hello"


async def test_what_is_not_sent_is_counted(loopback: _Loopback) -> None:
    """An endpoint that makes no sense, one without an address and one of the other family are counted."""
    mine = await loopback.station()

    mine.send(Endpoint("127.0.0.1", 70000), b"x", Channel.DATAGRAM)
    mine.send(Endpoint("::1", 6783), b"x", Channel.DATAGRAM)
    mine.send(Endpoint("no..name", 6783), b"x", Channel.DATAGRAM)
    async with asyncio.timeout(PATIENCE_S):
        while mine.transport.counters["dropped.unresolved"] < 2:  # noqa: ASYNC110 - counters know of no event
            await asyncio.sleep(0)

    assert mine.transport.counters["dropped.invalid-endpoint"] == 1
    assert set(module.COUNTERS) <= set(mine.transport.counters)


async def test_traffic_is_counted(loopback: _Loopback) -> None:
    """Packets and bytes are counted by direction and channel."""
    mine, theirs = await loopback.station(), await loopback.station()

    mine.send(theirs.endpoint, b"12345", Channel.DATAGRAM)
    mine.send(theirs.endpoint, b"1234567", Channel.STREAM)
    await theirs.next()
    await theirs.next()
    await mine.close()

    for side, station in (("out", mine), ("in", theirs)):
        counters = station.transport.counters
        assert (1, 5) == (counters[f"packets.{side}.datagram"], counters[f"bytes.{side}.datagram"])
        assert (1, 7) == (counters[f"packets.{side}.stream"], counters[f"bytes.{side}.stream"])


async def test_a_flood_that_nobody_reads_stays_bounded() -> None:
    """With nobody to take packets the newest are kept up to the bound, and the rest are counted."""
    inbox = Inbox(packets_max=100)
    deaf = await Transport.open(Endpoint("127.0.0.1", 0), inbox.deliver)
    flood = 2000
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(20)]
        for number, sock in enumerate(crowd):
            sock.bind((f"127.0.1.{1 + number}", 0))
        async with asyncio.timeout(PATIENCE_S):
            for number in range(flood):
                crowd[number % len(crowd)].sendto(b"%d" % number, deaf.bound)
                if number % 50 == 0:
                    await asyncio.sleep(0)
            while len(inbox) + inbox.dropped_count + deaf.counters["dropped.kernel"] < flood:  # noqa: ASYNC110 - see below
                await asyncio.sleep(0)  # counters know of no event

    assert deaf.counters["dropped.kernel"] == 0
    assert [b"%d" % number for number in range(flood - 100, flood)] == [
        packet for packet, _ in inbox.take(1000)
    ]
    assert inbox.dropped_count == flood - 100
    await deaf.close()
