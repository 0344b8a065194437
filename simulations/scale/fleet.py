"""
A large cluster that is as it is long after it was formed, with nothing watched but what is measured.

As `simulations.seasoned`, for thousands: every node starts with the roster in its table and the rings on its
disk, and says nothing of it; all disks share one copy.  There are no checkers, and no trace.
Does not know what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from random import Random

from ring.ring import Peer, Run, Token
from simulations.disk import Disk, Opened, commit_s
from simulations.machine import Machine
from simulations.network import Quality
from simulations.scale.counting import CountingNetwork
from simulations.scale.policies import Policy
from simulations.timeline import Timeline
from simulations.trace import Trace
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.config.pools import parse_pools
from weaveipam.gossip.gossip import Gossip
from weaveipam.gossip.seal import SESSION_BYTES, Seal
from weaveipam.gossip.settings import GossipSettings
from weaveipam.node import Node, Settings
from weaveipam.protocol import codec
from weaveipam.protocol.decisions import ELECTORS_MAX, Charter
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.keyring import UNSEALED, Key, KeyRing
from weaveipam.protocol.messages import Header, Message, Ownership, Rumour
from weaveipam.protocol.records import (
    Acquaintance,
    Admitted,
    Born,
    Chartered,
    Identity,
    OnRoster,
    Owned,
    Record,
)
from weaveipam.protocol.requests import GetRing, RingView
from weaveipam.protocol.values import Birth, Endpoint, MemberState, Pool, RingId

PRESET = "lan"
RANGES = "10.0.0.0/8"
FIRST_HOST = int(IPv4Address("172.16.0.1"))
FIRST_LOOPBACK_HOST = int(IPv4Address("127.1.0.1"))
PORT = 6783
FORMED_MS = 1_700_000_000_000
"""When the first node began to live, in milliseconds since 1970; a second before the next one."""
KEYRING = KeyRing((Key(b"sixteen bytes..."),))
ACQUAINTANCES = 4
"""Other nodes that a disk remembers when its node starts again."""
FOREIGN_RUN_ADDRESSES = 64
FOREIGN_OWNERS = 1000
"""Lives that are gone, and to which the runs belong that are there beside one for each node."""
SETTLE_S = 12.0
"""Virtual seconds from the start until every node has said what it says at a start."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Which cluster to make."""

    nodes: int
    runs_count: int = 0
    """In the ring, at least one for each node."""
    policy: str = "ours"
    """How its nodes gossip: a name in `simulations.scale.policies`."""
    loopback: bool = False
    """Whether its endpoints are addresses that every Linux machine has; packets are not sealed then."""
    joiners: int = 0
    """How many more nodes a measurement starts."""


class _Silence(Trace):
    """Takes note of nothing."""

    def note(self, machine: str, event: str, detail: object = "") -> None:
        """Nothing."""


class _ThinDisk(Disk):
    """
    A disk on which commits take as long as on any, and leave nothing.

    Every start finds the same records; enough for measurements in which nothing that was said before a
    restart is asked for after it.
    """

    def __init__(self, rng: Random, common: Sequence[Record], own: Sequence[Record]) -> None:
        super().__init__(rng)
        self.common = common
        """What all hold."""
        self.own = own
        """What this one holds beside it."""

    def open(self) -> Opened:
        """The store, for one process."""
        self._open = True
        return Opened((*self.common, *self.own), "", torn=False)

    def begin(self, persists: Sequence[Persist]) -> float:
        """How many seconds the commit takes."""
        durability = max((persist.durability for persist in persists), default=Durability.PROCESS)
        self._begun = ((), durability)
        return commit_s(durability, self._rng, self.slowness)

    def finish(self) -> None:
        """The commit is done."""
        self._begun = None


class Host(Machine):
    """A machine whose node's statements and members can be watched."""

    gossip: Gossip
    """Of the latest start."""
    on_owned: Callable[[Host, Owned], None] = staticmethod(lambda _host, _owned: None)
    """Called when a commit with that record is done."""
    delayed: Callable[[], float] = staticmethod(float)
    """Asked for each packet: seconds until it is taken; 0 for at once."""

    def deliver(self, packet: bytes, source: Endpoint) -> None:
        """As of `Machine`, or later."""
        delay_s = self.delayed()
        if delay_s > 0:
            self._timeline.after(delay_s, self._late, packet, source)
        else:
            super().deliver(packet, source)

    def know(self, policy: Policy, roster: Sequence[Rumour]) -> None:
        """Let nodes that start here from now on gossip like that, and know those members from the start."""

        def made(  # those of `Gossip`
            me: Peer,
            endpoint: Endpoint,
            settings: GossipSettings,
            rng: Random,
            now: float,
            *,
            size: Callable[[Message], int],
        ) -> Gossip:
            self.gossip = policy.gossip(me, endpoint, settings, rng, now, size=size)
            for rumour in roster:
                self.gossip.members.hear(rumour, now)
            return self.gossip

        self._restore = partial(policy.node.restore, gossip=made)

    def _late(self, packet: bytes, source: Endpoint) -> None:
        if self.running:
            super().deliver(packet, source)

    def _wrote(self, persists: Sequence[Persist]) -> None:
        for one in persists:
            for record in one.put:
                if type(record) is Owned:
                    self.on_owned(self, record)

    @property
    def ballots(self) -> int:
        """How many its node has called, of those that it remembers."""
        assert isinstance(self.node, Node)
        return self.node._rollcall.proposer._round  # noqa: SLF001 - no operator asks for it

    @property
    def fingerprint(self) -> int:
        """Over all ownership that its node knows; equal where that is equal."""
        assert isinstance(self.node, Node)
        return self.node._holdings.rings.fingerprint  # noqa: SLF001 - asked a thousand times; any question to a node builds a ring

    @property
    def runs_count(self) -> int:
        """Runs of all rings that its node knows."""
        assert isinstance(self.node, Node)
        return sum(len(table.ring) for _, table in self.node._holdings.rings.tables())  # noqa: SLF001 - as above


class Fleet:
    """
    Many hosts on one network in virtual time, each with a node that serves and knows all others.

    Args:
        shape: How many, and with what.
        policy: How its nodes gossip.
        seed: Of everything.
    """

    def __init__(self, shape: Shape, policy: Policy, seed: str) -> None:
        self.shape = shape
        self.timeline = Timeline()
        self._rng = Random(f"{seed}/network")
        self.network = CountingNetwork(self.timeline, self._rng, Quality())
        self.hosts: dict[str, Host] = {}
        self._trace = _Silence(lambda: 0.0)
        self._seed = seed
        self._policy = policy
        self._seal = Seal(UNSEALED if shape.loopback else KEYRING, bytes(SESSION_BYTES))
        self._epochs: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._lives = [Peer(f"node-{number:04}", _incarnation(number)) for number in range(shape.nodes)]
        self._birth = Birth(Random(seed).randbytes(16), (self._lives[0],), _pools())
        self.ring = RingId(self._birth.pools[0].network, self._birth.pools[0].ranges[0].family)
        self._stop = self._birth.pools[0].ranges[0].range.stop
        self._season()

    def _season(self) -> None:
        """Start all hosts, and let them settle."""
        endpoints = [self._endpoint(number) for number in range(len(self._lives))]
        roster = [
            Rumour(life, endpoint, MemberState.ALIVE, 0)
            for life, endpoint in zip(self._lives, endpoints, strict=True)
        ]
        owned = [Owned(self.ring, run) for run in self._runs()]
        met = [Acquaintance(one.peer, one.endpoint) for one in roster]
        charter = Charter(1, tuple(self._lives[:ELECTORS_MAX]), self._birth.pools)
        common: Sequence[Record] = (Born(self._birth), Chartered(charter), Admitted(1), *owned)
        enrolled = [OnRoster(life) for life in self._lives]
        rng = Random(f"{self._seed}/fleet")
        for life, endpoint in zip(self._lives, endpoints, strict=True):
            host = self._host(life.name, endpoint, ())
            own: list[Record] = [Identity(life), *(enrolled if life in charter.electors else ())]
            disk = _ThinDisk(Random(rng.random()), common, (*own, *met))
            host.disk = disk
            host.know(self._policy, roster)
            host.start()
            host.know(self._policy, ())
            disk.own = (*own, *rng.sample(met, min(ACQUAINTANCES, len(met))))
        self.run(SETTLE_S)

    def _host(self, name: str, endpoint: Endpoint, join: tuple[Endpoint, ...]) -> Host:
        settings = Settings(
            endpoint=endpoint,
            join=join,
            gossip=GossipSettings.preset(PRESET),
            keyring=self._seal.ring,
            allocation=AllocationSettings.preset(PRESET),
        )
        host = Host(name, settings, self.timeline, self.network, self._trace, f"{self._seed}/{name}")
        self.hosts[name] = host
        return host

    def _endpoint(self, number: int) -> Endpoint:
        first = FIRST_LOOPBACK_HOST if self.shape.loopback else FIRST_HOST
        return Endpoint(str(IPv4Address(first + number)), PORT)

    def _runs(self) -> Iterator[Run]:
        """A share for each node; and from the middle on small runs of owners that are gone."""
        (one,) = self._birth.pools[0].ranges
        whole, count = one.range, len(self._lives)
        foreign = max(0, self.shape.runs_count - count)
        size = whole.size // 2 // count
        for number, life in enumerate(self._lives):
            start = whole.start + number * size
            self._numbers[life.name] = number
            self._epochs[life.name] = 1
            yield Run(start, start + size, Token(0, 1), life, life)
        gone = [Peer(f"gone-{number:04}", _incarnation(number)) for number in range(FOREIGN_OWNERS)]
        for number in range(foreign):
            start = whole.start + whole.size // 2 + number * FOREIGN_RUN_ADDRESSES
            owner = gone[number % FOREIGN_OWNERS]
            yield Run(
                start, start + FOREIGN_RUN_ADDRESSES, Token(0, 1 + number // FOREIGN_OWNERS), owner, owner
            )

    # What measurements do

    @property
    def now(self) -> float:
        """Virtual seconds since the start."""
        return self.timeline.now

    def run(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        self.timeline.run(self.timeline.now + seconds)

    def run_until(self, done: Callable[[], bool], within_s: float, step_s: float = 0.01) -> bool:
        """Let time pass until it is so, looking every step; False if it never was."""
        until = self.now + within_s
        while not done():
            if self.now >= until:
                return False
            self.run(step_s)
        return True

    def reseed(self, seed: str) -> None:
        """Let the network's chance, and with it all that follows, be another from now on."""
        self._rng.seed(seed)

    def runs(self, host: Host) -> tuple[Run, ...]:
        """Of the ring, as a node knows it."""
        answer = host.show(GetRing(self.ring))
        assert isinstance(answer, RingView)
        return answer.runs

    def running(self) -> list[Host]:
        """Hosts whose node runs, in order."""
        return [host for host in self.hosts.values() if host.running]

    def packet(self, peer: Peer, endpoint: Endpoint, messages: Sequence[Message]) -> bytes:
        """As a member of the cluster sends it."""
        header = Header(codec.cluster_id(self._birth), peer, endpoint)
        return self._seal.seal(codec.encode_content(header, messages), stream=False)

    def state(self, host: Host) -> tuple[int, int]:
        """
        Let a node spread a new statement, now; the start of the run that it is about, and its epoch.

        It is of one that is gone, as of its own a node believes nothing that it does not know.  It is told so
        by another member, and learns, remembers and spreads it as it would what it says itself.
        """
        name = host.name
        self._epochs[name] += 1
        start = self._stop - (1 + self._numbers[name]) * FOREIGN_RUN_ADDRESSES
        gone = Peer(f"late-{name}", 1)
        run = Run(start, start + FOREIGN_RUN_ADDRESSES, Token(0, self._epochs[name]), gone, gone)
        teller = next(one for one in self.hosts.values() if one is not host)
        endpoint = teller.settings.endpoint
        host.deliver(self.packet(teller.life, endpoint, (Ownership(self.ring, (run,)),)), endpoint)
        return run.start, run.token.epoch

    def newcomer(self) -> Host:
        """One more host, not started, whose node joins by the first three."""
        number = len(self.hosts)
        join = tuple(host.settings.endpoint for host in [*self.hosts.values()][:3])
        host = self._host(f"node-{number:04}", self._endpoint(number), join)
        host.know(self._policy, ())
        return host


def _incarnation(number: int) -> int:
    """As `weaveipam` makes them: milliseconds, and 20 bits that are drawn."""
    return FORMED_MS + 1000 * number << 20 | Random(number).getrandbits(20)


def _pools() -> tuple[Pool, ...]:
    problems: list[str] = []
    pools = parse_pools("pool", [{"name": "default", "ranges": [RANGES]}], problems)
    assert not problems, problems
    return pools
