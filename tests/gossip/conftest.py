"""Several gossips in virtual time, on a network that delays, loses and cuts off really encoded packets."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

import pytest

from ring.ring import Peer
from weaveipam.gossip.gossip import Digest, Effect, Gossip, Repair
from weaveipam.gossip.settings import GossipSettings
from weaveipam.protocol import codec
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX, Report
from weaveipam.protocol.messages import Ack, Header, Message, Nack, Ownership, Ping, PingRequest, Rumour, Tell
from weaveipam.protocol.values import Endpoint, MemberState

CLUSTER = b"cluster1"


def endpoint_of(name: str) -> Endpoint:
    """Where the host of that name listens."""
    return Endpoint(f"{name}.example", 6783)


@dataclass
class Host:
    """One machine, with a daemon of whom only the gossip is real."""

    gossip: Gossip
    known: dict[Ownership, float] = field(default_factory=dict)
    """What it has learned, and when."""
    running: bool = True
    deaf_until: float = 0.0
    """What arrives before waits until then, while its timers run."""
    stalled_until: float = 0.0
    """What arrives, and what is due, before waits until then."""
    reports: list[tuple[float, Report]] = field(default_factory=list)
    repairs: list[tuple[float, Repair]] = field(default_factory=list)

    def digest(self) -> Digest:
        """Of what it has learned."""
        return Digest(sum(hash(one) for one in self.known) % (1 << 64))


@dataclass
class Packet:
    """One datagram under way."""

    sent_at: float
    source: Endpoint
    target: Endpoint
    data: bytes
    messages: tuple[Message, ...]


class Network:
    """Hosts by name, and the packets between them."""

    def __init__(
        self,
        seed: int = 1,
        *,
        loss: float = 0.0,
        preset: str = "lan",
        delay_s: float = 0.001,
        streams: bool = True,
    ) -> None:
        self.now = 1000.0
        self.rng = Random(seed)
        self.loss = loss
        self.delay_s = delay_s
        self.streams = streams
        self.settings = GossipSettings.preset(preset)
        self.hosts: dict[str, Host] = {}
        self.sent: list[Packet] = []
        self._at: dict[Endpoint, str] = {}
        self._sides: dict[str, int] = {}
        self._queue: list[tuple[float, int, str, Packet | None]] = []
        self._ticks = itertools.count()

    def start(self, name: str, incarnation: int = 1, *, contact: str | None = None, at: str = "") -> Gossip:
        """Start a daemon; it exchanges tables with its contact, as an exchange on joining would."""
        endpoint = endpoint_of(at or name)
        gossip = Gossip(Peer(name, incarnation), endpoint, self.settings, Random(self.rng.random()), self.now)
        host = Host(gossip)
        self.hosts[at or name] = host
        self._at[endpoint] = at or name
        if contact is not None:
            self.exchange(at or name, contact)
        self._arm(at or name)
        return gossip

    def cluster(self, count: int) -> list[str]:
        """Start so many daemons that all know each other already; their names."""
        names = [f"n{index:03}" for index in range(count)]
        for name in names:
            self.start(name)
        for name, other in itertools.permutations(names, 2):
            rumour = self.hosts[other].gossip.members.me.rumour()
            self._hear(name, self._header(other), (rumour,))
        return names

    def exchange(self, one: str, other: str) -> None:
        """Both tell each other all that they believe, on a stream."""
        for source, target in ((one, other), (other, one)):
            self._hear(target, self._header(source), self.hosts[source].gossip.members.rumours())

    def kill(self, name: str) -> None:
        """The daemon stops for good."""
        self.hosts[name].running = False

    def leave(self, name: str) -> None:
        """The daemon says good-bye, and stops."""
        host = self.hosts[name]
        self._perform(name, host.gossip.leave(self.now))
        host.running = False

    def push(self, name: str, message: Ownership) -> None:
        """The daemon states something new."""
        host = self.hosts[name]
        host.known[message] = self.now
        host.gossip.push(message)
        self._arm(name)

    def slow(self, name: str, seconds: float, *, deaf: bool = False) -> None:
        """The daemon stands still from now on for so long; a deaf one only hears nothing till then."""
        host = self.hosts[name]
        if deaf:
            host.deaf_until = self.now + seconds
        else:
            host.stalled_until = self.now + seconds

    def split(self, *sides: Iterable[str]) -> None:
        """From now on only hosts of one side reach each other; those of none are all on another one."""
        self._sides = {name: number for number, side in enumerate(sides, 1) for name in side}

    def heal(self) -> None:
        """Everybody reaches everybody again."""
        self._sides = {}

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> float:
        """Let time pass, at most until something holds (looked at ten times a second); the seconds passed."""
        start, end, look = self.now, self.now + seconds, self.now
        while self._queue and self._queue[0][0] <= end:
            at, _, name, packet = heapq.heappop(self._queue)
            if until is not None and at >= look:
                look = at + 0.1
                if until():
                    return self.now - start
            self.now = max(self.now, at)
            late_until = self._late_until(name, packet)
            if late_until > self.now:
                heapq.heappush(self._queue, (late_until, next(self._ticks), name, packet))
            elif packet is not None:
                self._deliver(packet)
            elif self.hosts[name].running and self.hosts[name].gossip.wake_at <= self.now:
                host = self.hosts[name]
                self._perform(name, host.gossip.wake(host.digest(), self.now))
        self.now = end
        return seconds

    def states(self, name: str) -> dict[str, MemberState]:
        """What all other running daemons that know one believe of it, by their names."""
        believed = {}
        for other, host in self.hosts.items():
            member = host.gossip.members.get(name)
            if other != name and host.running and member is not None:
                believed[other] = member.state
        return believed

    def everybody(self, state: MemberState, of: Iterable[str]) -> bool:
        """Whether all running daemons hold that state of all of these."""
        running = [name for name, host in self.hosts.items() if host.running]
        return all(
            list(self.states(name).values()) == [state] * (len(running) - (name in running)) for name in of
        )

    def reported(self, event: str) -> list[tuple[str, Report]]:
        """Who has reported that."""
        return [
            (name, report)
            for name, host in self.hosts.items()
            for _, report in host.reports
            if report.event == event
        ]

    def _late_until(self, name: str, packet: Packet | None) -> float:
        """Until when a wake-up of that host, or the packet, has to wait for a slow host."""
        host = self.hosts[name if packet is None else self._at.get(packet.target, name)]
        return host.stalled_until if packet is None else max(host.stalled_until, host.deaf_until)

    def _arm(self, name: str) -> None:
        wake_at = max(self.now, self.hosts[name].gossip.wake_at)
        heapq.heappush(self._queue, (wake_at, next(self._ticks), name, None))

    def _header(self, name: str) -> Header:
        me = self.hosts[name].gossip.members.me
        return Header(CLUSTER, me.peer, me.endpoint)

    def _perform(self, name: str, effects: Iterable[Effect]) -> None:
        host = self.hosts[name]
        for effect in effects:
            if isinstance(effect, Tell):
                self._send(name, effect)
            elif isinstance(effect, Repair):
                host.repairs.append((self.now, effect))
            else:
                assert isinstance(effect, Report), "no life ends here"
                host.reports.append((self.now, effect))
        self._arm(name)

    def _send(self, name: str, tell: Tell) -> None:
        room = DATAGRAM_BYTES_MAX - len(codec.encode_packet(self._header(name), (tell.message,)))
        rides = () if tell.stream else self.hosts[name].gossip.piggyback(room)
        messages = (tell.message, *rides)
        data = codec.encode_packet(self._header(name), messages)
        assert len(data) <= DATAGRAM_BYTES_MAX
        packet = Packet(self.now, endpoint_of(name), tell.target, data, messages)
        self.sent.append(packet)
        if self.streams if tell.stream else self.rng.random() >= self.loss:
            arrival = self.now + self.delay_s * (0.5 + self.rng.random())
            heapq.heappush(self._queue, (arrival, next(self._ticks), name, packet))

    def _deliver(self, packet: Packet) -> None:
        source, name = self._at[packet.source], self._at.get(packet.target)
        if name is None or not self.hosts[name].running:
            return
        if self._sides.get(source) != self._sides.get(name):
            return
        header, messages = codec.decode_packet(packet.data)
        self._perform(name, self.hosts[name].gossip.heard(header, self.now))
        self._hear(name, header, messages)

    def _hear(self, name: str, header: Header, messages: Iterable[Message]) -> None:
        host = self.hosts[name]
        for message in messages:
            if isinstance(message, Ping | Ack | PingRequest | Nack | Rumour):
                self._perform(name, host.gossip.receive(header, message, host.digest(), self.now))
            elif isinstance(message, Ownership) and message not in host.known:
                self.push(name, message)


@pytest.fixture
def make_network() -> Callable[..., Network]:
    """How to make a network."""
    return Network
