"""
Many machines on one network in virtual time, and whoever watches them.

The world knows where everything is and states facts about it; it decides nothing.
Does not know faults, clients, scenarios, nor what is right.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from itertools import count
from random import Random

from ring.address import Range
from ring.ring import Peer
from simulations.facts import (
    Asked,
    Began,
    Changed,
    Changing,
    Departed,
    Down,
    Fact,
    Forgot,
    Given,
    Moved,
    Owns,
    Refused,
    Taken,
    Vanished,
)
from simulations.machine import Answered, Machine
from simulations.network import Network, Quality
from simulations.pools import rings_of
from simulations.timeline import Timeline
from simulations.trace import Trace
from simulations.views import addresses_of, free_for, owned_by
from weaveipam.allocation.heard import NOT_TO_FORM, Init
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.gossip.settings import GossipSettings
from weaveipam.node import Settings
from weaveipam.protocol.codec import WIRE, Wire
from weaveipam.protocol.keyring import KEYS_MAX, UNSEALED, KeyRing
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    Answer,
    ChangePool,
    PoolChanged,
    Refusal,
    Release,
    Released,
    Request,
    SetKeyring,
    Want,
)
from weaveipam.protocol.values import Endpoint, Pool, RingId

PORT = 6783
FIRST_HOST = int(IPv4Address("172.16.0.1"))
WATCH_CLOSELY_MAX = 12
"""Machines of a world in which ownership and free space are looked at with every change and request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the cluster is set up."""

    pools: tuple[Pool, ...]
    preset: str = "test"
    """Of gossip and allocation settings."""
    probe_interval_s: float = 0.0
    """Between two rounds of probes, in place of the preset's; 0: as there."""
    seeds: int = 3
    """Daemons that form the cluster; the others join."""
    consensus: bool = False
    """Whether instead all of them form it by agreement, told only how many they are."""
    wire: Wire = WIRE
    """What the release that all begin with can say and hear."""
    keyring: KeyRing = UNSEALED
    """That every daemon starts with."""
    node_labels: tuple[tuple[tuple[str, str], ...], ...] = ()
    """Labels of the first daemon, of the second and so on, round and round; none: they have none."""


Heard = Callable[[Answer | None], None]
"""Called once with the answer to a request; None: there will be none."""


def _block_bits(want: Want) -> int:
    """Two to the power of it is the size of the block that is wanted."""
    if want.prefix_length is None or want.family is None:
        return 0
    return want.family.bits - want.prefix_length


class World:
    """Everything that is simulated."""

    def __init__(self, seed: str, layout: Layout, hear: Callable[[Fact], None]) -> None:
        self.timeline = Timeline()
        self.trace = Trace(lambda: self.timeline.now)
        self.trace.keyring = layout.keyring
        self.network = Network(self.timeline, Random(f"{seed}/network"), Quality())
        self.layout = layout
        self.keyring = layout.keyring
        """That machines which are added begin with."""
        self.rings = rings_of(layout.pools)
        """All that are looked at."""
        self.pools = layout.pools
        """Those there are, as daemons showed them last."""
        self.machines: dict[str, Machine] = {}
        self.hear = hear
        self.on_end: Callable[[Machine, str], None] = lambda _machine, _how: None
        """Called when a daemon is gone, with the reason."""
        self.on_ownership: Callable[[], None] = lambda: None
        """Called when somebody's ring may have changed."""
        self.forgetful = False
        """Whether a daemon has lost what it knew."""
        self.departed: set[Peer] = set()
        """Lives that have left the cluster."""
        self.sure_part = 1.0
        """Of the time for which something is given: what surely passes before it ends, by whatever clock."""
        self.given_count = 0
        self.counters: Counter[str] = Counter()
        """What came of requests: `waited`, `rested-given`."""
        self.failures: dict[str, int] = {}
        """Requests for addresses that got none, by reason."""
        self._seed = seed
        self._requests = count(1)
        self._shown: dict[str, object] = {}
        self._released: dict[tuple[RingId, Range], float] = {}
        """When addresses were given back last."""
        self.gossip = GossipSettings.preset(layout.preset)
        if layout.probe_interval_s:
            self.gossip = replace(self.gossip, probe_interval_s=layout.probe_interval_s)
        self.allocation = AllocationSettings.preset(layout.preset)
        hear(Began(0.0, layout.pools))

    @property
    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self.timeline.now

    def running(self) -> list[Machine]:
        """Machines whose daemon runs and is not paused, in the order in which they were added."""
        return [one for one in self.machines.values() if one.running and not one.paused]

    def serving(self, machine: Machine) -> bool:
        """Whether its daemon answers clients: it shows something, and what it shows is on its disk."""
        return machine.idle and not machine.paused

    # Machines

    def found(self, names: Sequence[str]) -> list[Machine]:
        """Machines that form the cluster as `Layout` says; none is started."""
        endpoints = {name: self._endpoint(number) for number, name in enumerate(names)}
        if self.layout.consensus:
            join, agreed = tuple(endpoints.values()), Init(consensus=len(names))
            return [self._add(name, endpoints[name], join, agreed) for name in names]
        seeds = tuple(names[: self.layout.seeds])
        join, listed = tuple(endpoints[name] for name in seeds), Init(tuple(sorted(seeds)))
        return [
            self._add(name, endpoints[name], join, listed if name in seeds else NOT_TO_FORM) for name in names
        ]

    def add(self, name: str, join: Sequence[str]) -> Machine:
        """One more machine, not started yet, whose daemon joins by those."""
        endpoints = tuple(self.machines[one].settings.endpoint for one in join)
        return self._add(name, self._endpoint(len(self.machines)), endpoints, NOT_TO_FORM)

    def _endpoint(self, number: int) -> Endpoint:
        return Endpoint(str(IPv4Address(FIRST_HOST + number)), PORT)

    def _add(self, name: str, endpoint: Endpoint, join: tuple[Endpoint, ...], init: Init) -> Machine:
        settings = Settings(
            endpoint=endpoint,
            join=tuple(one for one in join if one != endpoint),
            seeds=init.seeds,
            consensus=init.consensus,
            pools=self.layout.pools if init != NOT_TO_FORM else (),
            gossip=self.gossip,
            allocation=self._allocation(len(self.machines)),
            wire=self.layout.wire,
            keyring=self.keyring,
        )
        return self._watched(
            Machine(name, settings, self.timeline, self.network, self.trace, f"{self._seed}/{name}")
        )

    def _allocation(self, number: int) -> AllocationSettings:
        labels = self.layout.node_labels
        return (
            replace(self.allocation, node_labels=labels[number % len(labels)]) if labels else self.allocation
        )

    def _watched(self, machine: Machine) -> Machine:
        machine.on_ownership = self._owns
        machine.on_end = self._ended
        machine.on_left = self._left
        machine.measure = self._measure
        self.machines[machine.name] = machine
        return machine

    def clone(self, machine: Machine, name: str) -> Machine:
        """Another host, not started yet, whose disk is a copy of that one's, and so its daemon's name."""
        endpoint = self._endpoint(len(self.machines))
        settings = replace(machine.settings, endpoint=endpoint)
        copied = self._watched(
            Machine(name, settings, self.timeline, self.network, self.trace, f"{self._seed}/{name}")
        )
        copied.disk = machine.disk.copy(Random(f"{self._seed}/{name}/disk"))
        return copied

    def set_keys(self, machine: Machine, ring: KeyRing) -> None:
        """Give a machine's daemon another key ring, if it runs, and those that are started there later."""
        machine.settings = replace(machine.settings, keyring=ring)
        known = self.trace.keyring.keys
        fresh = [key for key in ring.keys if key not in known]
        self.trace.keyring = KeyRing((*fresh, *known)[:KEYS_MAX])
        if machine.running:
            machine.ask(self.next_request(), SetKeyring(ring), lambda _answered: None)

    def _ended(self, machine: Machine, how: str) -> None:
        self._shown.pop(machine.name, None)
        self.hear(Down(self.now, machine.name))
        self.on_end(machine, how)

    def _left(self, machine: Machine) -> None:
        if machine.life not in self.departed:
            self.departed.add(machine.life)
            self.hear(Departed(self.now, machine.name, machine.life))

    def _owns(self, machine: Machine) -> None:
        """State what a daemon shows that it owns, if that has changed."""
        self.on_ownership()
        if len(self.machines) > WATCH_CLOSELY_MAX or not self.serving(machine):
            return
        ranges = owned_by(machine, self.rings)
        if ranges is not None and self._shown.get(machine.name) != ranges:
            self._shown[machine.name] = ranges
            self.hear(Owns(self.now, machine.name, machine.life, ranges))

    def _measure(self, machine: Machine, request: Request) -> int | None:
        if not isinstance(request, Allocate) or len(self.machines) > WATCH_CLOSELY_MAX:
            return None
        return free_for(machine, request)

    # Clients

    def ask(self, machine: Machine, request: Allocate | Release, then: Heard) -> int:
        """Put a client's request to a running daemon and state the facts of it; its number."""
        number = self.next_request()
        key = request.key or ""
        give = isinstance(request, Allocate)
        durable, size, wish = False, 1, None
        if isinstance(request, Allocate):
            durable, wish = request.durable, request
            size = max((1 << _block_bits(one) for one in request.wants), default=1)
        labels = machine.settings.allocation.node_labels
        self.hear(Asked(self.now, number, machine.name, machine.life, key, give, durable, size, wish, labels))
        machine.ask(number, request, lambda answered: self._answered(number, give, answered, then))
        return number

    def change(self, machine: Machine, request: ChangePool, then: Heard) -> None:
        """Put an operator's change of a pool to a running daemon and state the facts of it."""
        number = self.next_request()
        self.hear(Changing(self.now, number, request.name, request.wanted))

        def heard(answered: Answered | None) -> None:
            match None if answered is None else answered.answer:
                case PoolChanged(pool):
                    self.hear(Changed(self.now, number, pool))
                case Refusal(reason, detail):
                    self.hear(Refused(self.now, number, str(reason), detail))
                case _:
                    self.hear(Vanished(self.now, number))
            then(None if answered is None else answered.answer)

        machine.ask(number, request, heard)

    def moved(self, machine: Machine, key: str, to: Machine) -> None:
        """State that what a key held at one machine is held at another one."""
        self.hear(Moved(self.now, machine.name, key, to.name))

    def next_request(self) -> int:
        """A number that no request has had."""
        return next(self._requests)

    def cancel(self, machine: Machine, number: int) -> None:
        """The client of a request goes away."""
        machine.cancel(number)
        self.hear(Vanished(self.now, number))

    def forgot(self, machine: Machine, *, older: bool = False, apart: bool = False) -> None:
        """State that a machine's disk is not what it was, or what it was at an earlier time; see `Forgot`."""
        self.forgetful = True
        self.hear(Forgot(self.now, machine.name, older, apart))

    def _answered(self, number: int, give: bool, answered: Answered | None, then: Heard) -> None:
        now = self.now
        if answered is None:
            self.hear(Vanished(now, number))
            self._count_failure("no-answer", give)
            then(None)
            return
        match answered.answer:
            case Allocated(allocation):
                self.given_count += 1
                self.counters["waited"] += not answered.immediate
                addresses = addresses_of(allocation)
                if answered.free_before == 0:
                    self._count_early(addresses)
                held_s = None if allocation.ttl_s is None else self.sure_part * allocation.ttl_s
                free_before = answered.free_before
                self.hear(Given(now, number, addresses, answered.immediate, free_before, held_s))
            case Released(allocations):
                taken = tuple(one for each in allocations for one in addresses_of(each))
                self._released.update(dict.fromkeys(taken, now))
                self.hear(Taken(now, number, taken))
            case Refusal(reason, detail):
                self.hear(Refused(now, number, str(reason), detail, answered.free_before))
                self._count_failure(str(reason), give)
        then(answered.answer)

    def _count_early(self, addresses: Sequence[tuple[RingId, Range]]) -> None:
        """Count an answer that gives what has not rested."""
        rested_s = [self.now - self._released.get(one, -math.inf) for one in addresses]
        self.counters["rested-given"] += any(one < self.allocation.cooldown_s / 2 for one in rested_s)

    def _count_failure(self, reason: str, give: bool) -> None:
        if give:
            self.failures[reason] = self.failures.get(reason, 0) + 1
