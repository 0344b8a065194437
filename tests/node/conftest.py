"""A small cluster of real nodes in virtual time, on a network that loses, delays and doubles packets."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from ring.address import parse_cidr
from ring.ring import Peer
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.gossip.settings import GossipSettings
from weaveipam.node import Node, Settings
from weaveipam.protocol import codec
from weaveipam.protocol.effects import Channel, Effect, Persist, Reply, Report, Restart, Send, Stop
from weaveipam.protocol.keyring import UNSEALED, KeyRing
from weaveipam.protocol.records import Identity, RecordKey
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    Answer,
    GetMembers,
    GetRing,
    GetStatus,
    Members,
    Request,
    RingView,
    Status,
)
from weaveipam.protocol.values import (
    Allocation,
    Endpoint,
    MemberState,
    Pool,
    PoolRange,
    RingId,
)

DELAY_S = 0.001
LATE_S = 2.0
"""Of a packet that other packets overtake, at most."""
WAKES_MAX = 500
"""At one moment; more is a timer that is due for ever."""


def pool(name: str, cidr: str, network: str = "default") -> Pool:
    """A pool of one CIDR with nothing set aside."""
    family, what, length = parse_cidr(cidr)
    return Pool(name, network, (PoolRange(family, what, length),))


@dataclass
class Host:
    """One machine: a disk that survives, and perhaps a running node."""

    settings: Settings
    peer: Peer
    disk: dict[RecordKey, bytes] = field(default_factory=dict)
    node: Node | None = None


class Cluster:
    """Hosts by name, virtual time, and everything that was answered or reported."""

    def __init__(self, seed: int = 1, *, loss: float = 0.0, keyring: KeyRing = UNSEALED) -> None:
        self.now = 100.0
        self.ended: set[str] = set()
        """Whose daemon has ended of itself."""
        self.rng = Random(seed)
        self.loss = loss
        self.keyring = keyring
        """That daemons are started with."""
        self.late = 0.0
        """The chance that a packet is late."""
        self.hosts: dict[str, Host] = {}
        self.cut: set[str] = set()
        self.answers: dict[int, Answer] = {}
        self.reports: list[tuple[str, Report]] = []
        self.sent: list[tuple[str, Send]] = []
        self.drop: Callable[[str, Send], bool] = lambda _name, _send: False
        self.dies: Callable[[str], bool] = lambda _name: False
        """Whether a daemon crashes before its next effect."""
        self._queue: list[tuple[float, int, str, bytes, Endpoint]] = []
        self._count = 0
        self._starts = 0

    def add(
        self,
        name: str,
        *,
        seeds: str = "",
        consensus: int = 0,
        join: str = "",
        pools: tuple[Pool, ...] = (),
    ) -> None:
        """Start a daemon with an empty disk; `seeds` and `join` are names joined by commas."""
        settings = Settings(
            endpoint=Endpoint(name, 1),
            join=tuple(Endpoint(one, 1) for one in join.split(",") if one),
            seeds=tuple(sorted(one for one in seeds.split(",") if one)),
            consensus=consensus,
            pools=pools,
            gossip=GossipSettings.preset("test"),
            allocation=AllocationSettings.preset("test"),
            keyring=self.keyring,
        )
        host = Host(settings, Peer(name, 1))
        self.hosts[name] = host
        self.start(name)

    def start(self, name: str) -> None:
        """Start (again) from what the disk holds."""
        host = self.hosts[name]
        records = [codec.decode_record(data) for data in host.disk.values()]
        host.peer = next((one.peer for one in records if isinstance(one, Identity)), host.peer)
        self._starts += 1
        settings = replace(host.settings, session=self._starts.to_bytes(8, "little"))
        host.node = Node.restore(host.peer, settings, Random(self.rng.random()), records, self.now)

    def crash(self, name: str) -> None:
        """The daemon is gone; its disk is not."""
        self.hosts[name].node = None

    def lose_disk(self, name: str) -> None:
        """The daemon and its disk are gone; what starts next is another life."""
        host = self.hosts[name]
        host.node, host.disk = None, {}
        host.peer = Peer(name, host.peer.incarnation + 1)

    def ask(self, name: str, request: Request, wait_s: float = 0.0) -> int:
        """Put a request to a daemon and let time pass; returns its number, see `answers`."""
        node = self.hosts[name].node
        assert node is not None
        self._count += 1
        number = self._count
        self._perform(name, node.request(number, request, self.now))
        self.run(wait_s)
        return number

    def answer(self, name: str, request: Request, wait_s: float = 10.0) -> Answer:
        """The answer to a request, waited for if need be."""
        number = self.ask(name, request)
        until = self.now + wait_s
        while number not in self.answers and self.now < until:
            self.run(0.05)
        return self.answers[number]

    def allocate(self, name: str, key: str, request: Allocate | None = None) -> Allocation:
        """What a key is given; anything but an allocation fails the test."""
        answer = self.answer(name, request or Allocate(key))
        assert isinstance(answer, Allocated), answer
        return answer.allocation

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        until = self.now + seconds
        wakes: Counter[tuple[str, float]] = Counter()
        while True:
            due = [
                (max(host.node.wake_at, self.now), name)
                for name, host in self.hosts.items()
                if host.node is not None
            ]
            timer_at, timer = min(due, default=(until + 1, ""))
            if self._queue and self._queue[0][0] <= min(timer_at, until):
                at, _, name, packet, source = heapq.heappop(self._queue)
                self.now = max(self.now, at)
                node = self.hosts[name].node
                if node is not None:
                    self._perform(name, node.receive(packet, source, self.now))
            elif timer_at <= until:
                self.now = timer_at
                node = self.hosts[timer].node
                assert node is not None
                wakes[timer, self.now] += 1
                assert wakes[timer, self.now] < WAKES_MAX, f"{timer} wakes for ever at {self.now}"
                self._perform(timer, node.wake(self.now))
            else:
                self.now = until
                return

    def status(self, name: str) -> Status:
        """How a daemon is."""
        answer = self.answer(name, GetStatus())
        assert isinstance(answer, Status)
        return answer

    def ring(self, name: str, ring: RingId) -> RingView:
        """The runs that a daemon holds."""
        answer = self.answer(name, GetRing(ring))
        assert isinstance(answer, RingView), answer
        return answer

    def states(self, name: str) -> dict[str, MemberState]:
        """Who is how, as one daemon sees it."""
        answer = self.answer(name, GetMembers())
        assert isinstance(answer, Members)
        return {one.peer.name: one.state for one in answer.members}

    def events(self, name: str = "") -> set[str]:
        """The names of what was reported, by one daemon or by any."""
        return {report.event for who, report in self.reports if name in ("", who)}

    def _perform(self, name: str, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if self.dies(name):
                self.crash(name)
                return
            match effect:
                case Persist():
                    self._commit(name, effect)
                case Reply():
                    assert effect.request_id not in self.answers, "a request is answered once"
                    self.answers[effect.request_id] = effect.answer
                case Report():
                    self.reports.append((name, effect))
                case Restart():
                    self.start(name)
                case Send():
                    self._send(name, effect)
                case Stop():
                    self.ended.add(name)
                    self.crash(name)
                    return

    def _commit(self, name: str, persist: Persist) -> None:
        for record in persist.put:
            self.hosts[name].disk[record.record_key] = codec.encode_record(record)
        for key in persist.delete:
            self.hosts[name].disk.pop(key, None)

    def _send(self, name: str, send: Send) -> None:
        self.sent.append((name, send))
        target = send.target.host
        lost = self.rng.random() < self.loss and send.channel is Channel.DATAGRAM
        apart = (name in self.cut) != (target in self.cut)
        if target not in self.hosts or lost or apart or self.drop(name, send):
            return
        copies = 2 if self.loss and self.rng.random() < self.loss else 1
        for _ in range(copies):
            self._count += 1
            at = self.now + DELAY_S * (0.5 + self.rng.random())
            if self.late and self.rng.random() < self.late:
                at += LATE_S * self.rng.random()
            heapq.heappush(self._queue, (at, self._count, target, send.packet, Endpoint(name, 1)))


@pytest.fixture
def cluster() -> Callable[..., Cluster]:
    """How to make a cluster."""
    return Cluster


@pytest.fixture
def make_pool() -> Callable[..., Pool]:
    """How to make a pool of one CIDR."""
    return pool


@pytest.fixture
def three(cluster: Callable[..., Cluster]) -> Cluster:
    """Daemons a, b and c, which have formed a cluster and share the 256 addresses of pool p."""
    it = cluster()
    for name in "abc":
        it.add(name, seeds="a,b,c", join="a,b,c", pools=(pool("p", "10.0.0.0/24"),))
    it.run(5)
    return it
