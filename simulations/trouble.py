"""
Everything that faults act on, and what they do to whole hosts.

Does not know which faults there are, nor when they strike.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import NamedTuple

from ring.ring import Peer
from simulations.clients import Client, Clients
from simulations.disk import Snapshot
from simulations.facts import Condemned, Emptied
from simulations.machine import Answered, Machine
from simulations.observer import Observer
from simulations.removal import Removal
from simulations.world import World
from weaveipam.protocol.requests import (
    Answer,
    ChangeNetwork,
    ChangePool,
    GetStatus,
    Leave,
    NetworkChanged,
    PoolChanged,
    Refusal,
    Status,
    Stay,
)
from weaveipam.protocol.values import DEFAULT_NETWORK

LEAVE_S = 0.5
"""Seconds until a daemon that cannot leave yet is told again."""
RETURN_S = 3.0
"""Mean of how long after its removal a lost machine returns, if it does."""
RETURN_WAIT_S = 86_400.0
"""How long its daemon waits for members before it serves alone."""


class Restorable(NamedTuple):
    """A host at an earlier time."""

    disk: Snapshot
    clients: list[Client]


@dataclass(slots=True)
class Trouble:
    """Everything that faults act on."""

    world: World
    clients: Clients
    observer: Observer
    until: float
    """Virtual seconds from which nothing new may go wrong."""
    seeds: Sequence[str] = ()
    """Names of the daemons that form the cluster; the first of them never loses its disk."""
    downtime_s: float = 1.0
    """Mean of how long a daemon that has ended stays down."""
    gone: set[str] = field(default_factory=set)
    """Machines that must not be started again."""
    removed: set[str] = field(default_factory=set)
    """Those of them whose daemons were removed."""
    removals: list[Removal] = field(default_factory=list)
    """Every command to remove some."""
    dark: set[str] = field(default_factory=set)
    """Machines that have lost their power and not started again."""
    calm_until: float = 0.0
    """Virtual seconds until which nobody is cut off."""
    changing: int = 0
    """Changes of pools that operators wait for."""
    retired: set[str] = field(default_factory=set)
    """Machines whose daemon has left, and is not started again."""
    wishes: dict[str, Peer] = field(default_factory=dict)
    """By machine the life that is to leave."""
    counts: dict[str, int] = field(default_factory=dict)
    """Landmarks that only faults can see."""

    @property
    def all_served(self) -> bool:
        """Whether the cluster has formed, and every seed has been part of it."""
        served = {name for name, machine in self.world.machines.items() if machine.reports["ready"]}
        return served.issuperset(self.seeds)

    @property
    def over(self) -> bool:
        """Whether the time of faults has passed."""
        return self.world.now >= self.until

    def every(self, mean_s: float, rng: Random, act: Callable[[], None]) -> None:
        """Do something again and again, at random times, until the trouble is over."""

        def again() -> None:
            if not self.over:
                act()
                self.world.timeline.after(rng.expovariate(1 / mean_s), again)

        self.world.timeline.after(rng.expovariate(1 / mean_s), again)

    def strike(self, mean_s: float, rng: Random, act: Callable[[Machine], None]) -> None:
        """As `every`, to a machine whose daemon runs, drawn anew each time; if none does, to none."""

        def strike_one() -> None:
            up = self.world.running()
            if up:
                act(rng.choice(up))

        self.every(mean_s, rng, strike_one)

    def settle_down(self, machine: Machine) -> None:
        """Start a daemon that has ended, as service managers do, unless it is to stay down."""
        if machine.running or machine.name in self.gone or machine.name in self.retired:
            return
        self.observer.mark("start", f"{machine.name} starts", [machine.name])
        machine.start()
        if machine.running and machine.name in self.dark:
            self.dark.discard(machine.name)
            self.clients.rebooted(machine)

    def cut_power(self, machines: Sequence[Machine], *, for_good: bool = False) -> None:
        """
        All those hosts are off at once, and their pods gone; when they boot their runtimes clean up.

        If for good nobody comes back either who wanted more than pods do.
        """
        if for_good:
            self.clients.follow()  # who holds what one of them has handed over is not lost with it
        for machine in machines:
            self.dark.add(machine.name)
            self.clients.emptied(machine, for_good=for_good)
            self.world.hear(Emptied(self.world.now, machine.name, for_good))
            machine.lose_power()

    def lose(self, machines: Sequence[Machine]) -> None:
        """Those hosts are off, and neither they nor their pods come back as they were."""
        self.gone.update(one.name for one in machines)
        self.cut_power(machines, for_good=True)

    def come_back(self, machine: Machine, rng: Random) -> None:
        """Have a lost machine return some time after its removal, if the trouble is not over by then."""
        if machine.name in self.removed and not self.over:
            self.removed.discard(machine.name)
            self.gone.discard(machine.name)
            self.count("returned")
            # Told to wait for somebody: alone it could not know that it was removed, and would serve.
            allocation = replace(machine.settings.allocation, sync_wait_s=RETURN_WAIT_S)
            machine.settings = replace(machine.settings, allocation=allocation)
            self.settle_down(machine)
        elif not self.over:
            self.world.timeline.after(rng.expovariate(1 / RETURN_S), self.come_back, machine, rng)

    def empty(self, machine: Machine) -> None:
        """End all pods of a host, also those that its daemon's earlier lives gave their addresses."""
        self.cut_power([machine], for_good=True)
        self.settle_down(machine)

    def remove(self, names: Collection[str], at: str, rng: Random, *, force: bool = False) -> Removal:
        """Have lost machines removed, by a command given to one daemon; it goes on until it is done."""
        self.observer.mark("phase", f"{at} is to remove {', '.join(sorted(names))}", [at, *sorted(names)])
        lives = tuple(self.world.machines[name].life for name in sorted(names) if name in self.world.machines)
        self.world.hear(Condemned(self.world.now, lives))
        removal = Removal(self, names, at, rng, force=force)
        self.removals.append(removal)
        removal.ask()
        return removal

    def change_pool(self, machine: Machine, wanted: ChangePool) -> None:
        """Have a pool changed, by a command given to one daemon; its network is created first."""
        network = DEFAULT_NETWORK if wanted.wanted is None else wanted.wanted.network
        if network == DEFAULT_NETWORK:
            self._change_pool(machine, wanted)
            return

        def created(answer: Answer | None) -> None:
            if answer is not None and machine.running:
                self._change_pool(machine, wanted)

        self.change_network(machine, ChangeNetwork(network, exists=True, wait_s=wanted.wait_s), created)

    def change_network(
        self, machine: Machine, wanted: ChangeNetwork, then: Callable[[Answer | None], None] | None = None
    ) -> None:
        """Have a network created or deleted, by a command given to one daemon."""
        self.changing += 1

        def heard(answered: Answered | None) -> None:
            self.changing -= 1
            answer = None if answered is None else answered.answer
            match answer:
                case NetworkChanged():
                    self.count("network-changed")
                case Refusal(reason=reason):
                    self.count(f"network-{reason}")
                case _:
                    pass
            if then is not None:
                then(answer)

        machine.ask(self.world.next_request(), wanted, heard)

    def _change_pool(self, machine: Machine, wanted: ChangePool) -> None:
        self.observer.mark("phase", f"{machine.name} is to change pool {wanted.name}", [machine.name])
        self.changing += 1

        def heard(answer: Answer | None) -> None:
            self.changing -= 1
            match answer:
                case PoolChanged():
                    self.count("pool-changed")
                case Refusal(reason=reason):
                    self.count(f"pool-{reason}")
                case _:
                    pass

        self.world.change(machine, wanted, heard)

    def snapshot(self, machine: Machine) -> Restorable:
        """The host as it is: its disk, and the pods that hold something there."""
        here = [one for one in self.clients.here.values() if one.machine is machine and one.size]
        return Restorable(machine.disk.snapshot(), here)

    def roll_back(self, machine: Machine, then: Restorable, *, apart: bool = False) -> None:
        """
        Make a host what it was, and start its daemon: pods that came after the snapshot never were.

        `apart` states that nobody whom it can reach knows more than its disk does.
        """
        back = [one for one in then.clients if not one.leaving]
        self.cut_power([machine])
        machine.disk.roll_back(then.disk)
        self.world.forgot(machine, older=True, apart=apart)
        for client in back:
            client.leaving = False
            self.clients.here[client.key] = client
        self.settle_down(machine)

    def tell_to_leave(self, machine: Machine) -> None:
        """Drain a host and tell its daemon to leave, again and again until it has, or is told to stay."""
        self.wishes[machine.name] = machine.life
        self._insist(machine)

    def _insist(self, machine: Machine) -> None:
        wished = self.wishes.get(machine.name)
        if wished is None:
            return
        if machine.life != wished:  # it has left, and is back as another
            self.wishes.pop(machine.name)
            self.clients.cordoned.discard(machine.name)
            return
        self.clients.drain(machine)
        if machine.running and not machine.paused:
            machine.ask(self.world.next_request(), Leave(), lambda _answered: None)
        self.world.timeline.after(LEAVE_S, self._insist, machine)

    def tell_to_stay(self, machine: Machine) -> None:
        """Let clients come again, and the daemon stay if it has not left, until it shows that it does."""
        self.wishes.pop(machine.name, None)
        self.clients.cordoned.discard(machine.name)
        if machine.running and not machine.paused:
            machine.ask(self.world.next_request(), Stay(), lambda _answered: None)

    def leaving(self, machine: Machine) -> bool:
        """Whether a daemon shows that it leaves, or shows nothing."""
        if not self.world.serving(machine):
            return True
        status = machine.show(GetStatus())
        return isinstance(status, Status) and status.state in {"leaving", "left"}

    def count(self, landmark: str) -> None:
        """One more of those."""
        self.counts[landmark] = self.counts.get(landmark, 0) + 1
