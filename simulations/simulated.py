"""
The stage in virtual time: scenarios and the swarm play on it, and its clusters are judged at the end.

Does not know any scenario, nor how outcomes are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from random import Random

from ring.address import Range
from simulations import faults
from simulations.checkers.bounded import quiet_s
from simulations.checkers.convergence import disagreements
from simulations.checkers.court import Court
from simulations.clients import HANDED, OVER, Client, Clients, Habits
from simulations.machine import Machine
from simulations.network import Quality
from simulations.observer import Observer
from simulations.policies import exactly
from simulations.pools import is_mixed, size_of
from simulations.releases import RELEASES, Release
from simulations.seasoned import season
from simulations.stage import UNOPENED
from simulations.trouble import Restorable, Trouble
from simulations.world import World
from weaveipam.protocol.findings import Conflicts
from weaveipam.protocol.keyring import Key, KeyRing
from weaveipam.protocol.requests import GetConflicts, ResolveConflict
from weaveipam.protocol.values import Pool, RingId

LEAVE_MAX_S = 60.0
"""How long a daemon of a whole cluster may take to leave."""
ANSWERS_S = 30.0
"""How long a burst waits for its answers."""
SLICE_S = 1.0
"""Virtual seconds between two looks at whether something has come about."""
DRAIN_MAX = 4096
"""Addresses that are asked for, at the end, to see whether all can be had."""
FORMED_MAX = 500
"""Machines up to which a cluster forms as the run begins; a larger one was formed long ago."""
ASKERS_MAX = 8
"""Daemons that are asked for them."""
SETTLE_ROUNDS = 150.0
"""
Rounds of probes within which a healed cluster agrees.

A member that was declared dead is pinged again once in `dead_probe_rounds`, so each side finds the other
within a few times ten rounds, and then repairs follow; the rest is for suspicions under way.
"""


class SimulatedStage:
    """A `Stage` over a `World`."""

    def __init__(
        self, world: World, court: Court, rng: Random, seconds: float, watch: Callable[[float], None]
    ) -> None:
        self.world = world
        self.court = court
        self.clients = Clients(world, rng)
        self.observer = Observer(world, seconds)
        self.trouble = Trouble(world, self.clients, self.observer, seconds)
        self._rng = rng
        self._seconds = seconds
        self._watch = watch
        self._snapshots: dict[str, Restorable] = {}
        self._drained: list[Client] = []

    # What there is

    @property
    def seconds(self) -> float:
        """As `Stage.seconds`."""
        return self._seconds

    @property
    def names(self) -> Sequence[str]:
        """As `Stage.names`."""
        return tuple(self.world.machines)

    @property
    def pool_size(self) -> int:
        """As `Stage.pool_size`."""
        return size_of(self.world.pools)

    def form(self, nodes: int, *, wait: bool = True) -> None:
        """Start the first daemons, and wait until they serve; a violation if they do not in time."""
        machines = self.world.found([f"n{number + 1}" for number in range(nodes)])
        if nodes > FORMED_MAX:
            season(self.world, machines, self._rng)
        else:
            for machine in machines:
                machine.start()
        self.observer.start()
        if wait:
            self.settle()

    def run(self, seconds: float) -> None:
        """As `Stage.run`."""
        until = self.world.now + seconds
        while self.world.now < until:
            self.world.timeline.run(min(until, self.world.now + SLICE_S))
            self._watch(min(1.0, self.world.now / max(self._seconds, 1e-9)))

    # Clients

    def load(self, adds_per_s: float, hold_s: float, at: Sequence[str] = ()) -> None:
        """As `Stage.load`."""
        self.observer.mark("load", f"{adds_per_s:g} ADDs/s, held for {hold_s:g} s", at)
        self.clients.load(Habits(adds_per_s=adds_per_s, hold_s=hold_s), at)

    def burst(self, count: int, at: Sequence[str]) -> int:
        """As `Stage.burst`."""
        self.observer.mark("load", f"{count} ADDs at once", at)
        up = [self.world.machines[name] for name in at if self.world.machines[name].running]
        pools = self.world.pools
        asked = [
            self.clients.add(up[number % len(up)], Habits(), pools[number % len(pools)].name)
            for number in range(count)
            if up
        ]
        self._wait(partial(_told, asked), ANSWERS_S)
        return sum(bool(one.size) for one in asked)

    def release(self, at: Sequence[str] = ()) -> None:
        """As `Stage.release`."""
        for client in list(self.clients.here.values()):
            if not at or client.machine.name in at:
                self.clients.leave(client)
        self.run(SLICE_S)

    # The network

    def split(self, *groups: Sequence[str]) -> None:
        """As `Stage.split`."""
        named = {name for group in groups for name in group}
        alone = [[name] for name in self.names if name not in named]
        parts = [*groups, *alone]
        for number, one in enumerate(parts):
            others = [name for other, part in enumerate(parts) if other != number for name in part]
            self.world.network.cut(one, others)
        text = " | ".join(", ".join(part) for part in parts)
        self.observer.mark("cut", text, [name for part in parts for name in part])

    def cut(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """As `Stage.cut`."""
        self.world.network.cut(sources, targets)
        self.observer.mark("cut", f"{', '.join(sources)} to {', '.join(targets)}", [*sources, *targets])

    def heal(self) -> None:
        """As `Stage.heal`."""
        self.world.network.heal()
        self.world.network.impair(self.names, None)
        self.observer.mark("cut", "healed")

    def impair(
        self, at: Sequence[str], *, delay_s: float = 0.0, loss: float = 0.0, bytes_per_s: float = 0.0
    ) -> None:
        """As `Stage.impair`."""
        quality = Quality(delay_s=delay_s, loss=loss)
        if bytes_per_s:
            quality = Quality(delay_s=delay_s, loss=loss, bytes_per_s=bytes_per_s)
        self.world.network.impair(at, quality)
        self.observer.mark("slow", f"{1000 * delay_s:g} ms, {loss:.0%} lost", at)

    # Machines

    def join(self, count: int) -> Sequence[str]:
        """As `Stage.join`."""
        names = []
        for _ in range(count):
            up = [one.name for one in self.world.running()]
            name = f"n{len(self.world.machines) + 1}"
            self.world.add(name, up[: self.world.layout.seeds]).start()
            names.append(name)
        self.observer.mark("join", f"{count} join", names)
        return names

    def kill(self, *names: str) -> None:
        """As `Stage.kill`."""
        self.observer.mark("crash", "kill -9", names)
        for machine in self._those(names):
            machine.kill()

    def stop(self, *names: str) -> None:
        """As `Stage.stop`."""
        self.observer.mark("stop", "stopped in good order", names)
        for machine in self._those(names):
            machine.stop()

    def start(self, *names: str) -> None:
        """As `Stage.start`."""
        self.observer.mark("start", "started", names)
        self.trouble.gone.difference_update(names)
        for machine in self._those(names):
            if not machine.running:
                self._boot(machine)

    def leave(self, *names: str) -> None:
        """As `Stage.leave`."""
        self.observer.mark("stop", "told to leave", names)
        machines = self._those(names)
        self.trouble.retired.update(names)
        for machine in machines:
            self.trouble.tell_to_leave(machine)
        if not self._wait(lambda: not any(one.running for one in machines), LEAVE_MAX_S):
            still = ", ".join(one.name for one in machines if one.running)
            self.court.accuse("claim", self.world.now, f"{still} did not leave within {LEAVE_MAX_S:g} s")

    def install(self, release: Release, *names: str) -> None:
        """As `Stage.install`."""
        self.observer.mark("start", f"the {release} release is installed", names)
        for machine in self._those(names):
            machine.settings = replace(machine.settings, wire=RELEASES[release])

    def power_cut(self, *names: str) -> None:
        """As `Stage.power_cut`."""
        self.observer.mark("power-cut", "no power", names)
        self.trouble.cut_power(self._those(names))

    def lose(self, *names: str) -> None:
        """As `Stage.lose`."""
        self.observer.mark("crash", "lost for good", names)
        self.trouble.lose(self._those(names))

    def remove(self, names: Sequence[str], at: str, wait_s: float, *, force: bool = False) -> bool:
        """As `Stage.remove`."""
        removal = self.trouble.remove(names, at, self._rng, force=force)
        self._wait(lambda: removal.done, wait_s)
        return removal.done

    def pause(self, *names: str) -> None:
        """As `Stage.pause`."""
        self.observer.mark("pause", "stopped for a while", names)
        for machine in self._those(names):
            machine.pause()

    def resume(self, *names: str) -> None:
        """As `Stage.resume`."""
        self.observer.mark("pause", "goes on", names)
        for machine in self._those(names):
            machine.resume()

    def snapshot(self, name: str) -> None:
        """As `Stage.snapshot`."""
        self.observer.mark("disk", "a snapshot", [name])
        self._snapshots[name] = self.trouble.snapshot(self.world.machines[name])

    def roll_back(self, name: str, *, apart: bool = False) -> None:
        """As `Stage.roll_back`."""
        self.observer.mark("disk", "back to the snapshot", [name])
        self.trouble.roll_back(self.world.machines[name], self._snapshots[name], apart=apart)

    def clone(self, name: str) -> str:
        """As `Stage.clone`."""
        machine = self.world.machines[name]
        copied = f"n{len(self.world.machines) + 1}"
        self.observer.mark("join", f"a copy of {name}", [name, copied])
        self.world.clone(machine, copied).start()
        return copied

    def scrap(self, name: str) -> None:
        """As `Stage.scrap`."""
        self.trouble.gone.add(name)
        self.kill(name)

    # Conflicts

    def contested(self) -> int:
        """As `Stage.contested`."""
        return sum(view.contested for view in self.observer.views().values())

    def resolve(self) -> int:
        """As `Stage.resolve`; which of the two is asked, and which keeps it, is drawn."""
        sides: dict[tuple[RingId, Range], list[str]] = {}
        for machine in self.world.running():
            found = machine.show(GetConflicts()) if machine.idle else None
            for one in found.contested if isinstance(found, Conflicts) else ():
                sides.setdefault((one.ring, one.range), []).append(machine.name)
        self.observer.mark("phase", f"{len(sides)} conflicts are decided")
        for (ring, what), names in sides.items():
            decision = ResolveConflict(ring.family, what, self._rng.choice(names), ring.network)
            asked = self.world.machines[self._rng.choice(names)]
            asked.ask(self.world.next_request(), decision, lambda _answered: None)
        return len(sides)

    # Keys

    def set_keys(self, at: Sequence[str], *keys: Key) -> None:
        """As `Stage.set_keys`."""
        ring = KeyRing(keys)
        self.observer.mark("phase", f"keys {', '.join(key.id for key in keys)}", at)
        for machine in self._those(at):
            self.world.set_keys(machine, ring)

    def unopened(self) -> int:
        """As `Stage.unopened`."""
        return sum(one.reports[event] for one in self.world.machines.values() for event in UNOPENED)

    # Judgement

    def claim(self, text: str, held: object) -> None:
        """As `Stage.claim`."""
        if not held:
            self.court.accuse("claim", self.world.now, text)

    def settle(self) -> None:
        """As `Stage.settle`; the deadline is `SETTLE_ROUNDS` rounds after slow links have drained."""
        faults.end(self.trouble)
        self.observer.mark("cut", "healed")
        for machine in self.world.machines.values():
            if not machine.running:
                self._boot(machine)
        self.observer.mark("phase", "all is healed")
        began = self.world.now
        wait_s = SETTLE_ROUNDS * self.world.gossip.probe_interval_s
        drains_s = max(0.0, self.world.network.drained_at - began)
        if not self._wait(self._agreed, drains_s + wait_s, self.world.gossip.probe_interval_s):
            trouble = "; ".join(self._open_ends()) or "they go on changing"
            self.court.accuse(
                "convergence", self.world.now, f"no agreement within {wait_s:g} s after healing: {trouble}"
            )
        else:
            self.observer.mark("phase", f"agreed after {self.world.now - began:.1f} s")

    def judge(self) -> None:
        """At the end: settle, let all rest, look at everything, and use up all there is."""
        self.clients.stay()
        self.settle()
        self.run(OVER * self.clients.ttl_s_max)  # nobody renews all that there is
        self.run(quiet_s(self.world.allocation))
        # A commit, or a grant, may be under way just now; who does not agree is found below.
        self._wait(self._agreed, ANSWERS_S, self.world.gossip.probe_interval_s)
        self.clients.follow()
        self.observer.observe(settled=True, gone=frozenset(self.trouble.gone))
        if (
            len(self.world.machines) <= FORMED_MAX
        ):  # a larger cluster takes longer for it than for all the rest
            self._drain()

    def _drain(self) -> None:
        """Everything that is free can be had, and nothing is in use that nobody holds."""
        views = {name: view for name, view in self.observer.views().items() if view.serving}
        if not views:
            return
        # Who never heard what it was given may have been given it twice, if the daemon left in between.
        twice = {key for key, one in self.clients.here.items() if one.durable and self.world.departed}
        for name, view in views.items():
            keys = {one.key for one in self.clients.here.values() if one.machine.name == name}
            lost = sorted(view.keys - keys - twice)
            if lost:
                self.court.accuse("durability", self.world.now, f"{name} keeps for nobody: {lost[:5]}")
            gone = sorted(self._holders(name) - view.keys)
            if gone:
                self.court.accuse("durability", self.world.now, f"{name} has forgotten who holds: {gone[:5]}")
        first = next(iter(views.values()))
        used = sum(sum(view.used.values()) for view in views.values())
        fenced = sum(min(view.withheld, view.contested + view.lent) for view in views.values())
        kept = sum(view.reserved for view in views.values())
        expected = first.size - first.unreachable - used - fenced - kept
        if expected > DRAIN_MAX or self.court.violations or not all(map(_is_usable, self.world.pools)):
            return
        given = self._use_up(self._rng.sample(list(views), min(len(views), ASKERS_MAX)))
        if given != expected:
            text = f"{given} of {expected} addresses could be had in the end; {used} are in use"
            self.court.accuse("work", self.world.now, text)
        given = self._use_kept(list(views)) if kept else 0
        if given != kept:
            text = f"{given} of {kept} addresses that are kept could be had by asking for them in the end"
            self.court.accuse("work", self.world.now, text)

    def _holders(self, name: str) -> set[str]:
        """Keys of clients that were given something by the present life of a machine's daemon."""
        return {
            one.key
            for one in self.clients.here.values()
            if one.machine.name == name and one.size and not one.leaving and one.life == one.machine.life
            if not self._may_be_lost(one)
        }

    def _may_be_lost(self, client: Client) -> bool:
        """Whether what a client holds may have been handed over to a machine that is gone since."""
        handed = client.durable and client.machine.reports["space-bequeathed"] > 0
        return handed and HANDED in client.tags and bool(self.trouble.gone)

    def _use_up(self, names: list[str]) -> int:
        """Ask everywhere for more until all say no; how many addresses were given."""
        given = 0
        for pool in self.world.pools:
            asked: list[Client] = []
            while True:
                batch = [
                    self.clients.add(self.world.machines[self._rng.choice(names)], Habits(), pool.name)
                    for _ in range(2 * len(names))
                ]
                self._wait(partial(_told, batch), ANSWERS_S, 0.05)
                asked += batch
                if not any(one.size for one in batch):
                    break
            given += sum(one.size for one in asked)
        return given

    def _use_kept(self, names: list[str]) -> int:
        """Ask for each address that is reserved or pre-allocated, as who may have it; how many were given."""
        asked = [
            self.clients.wish(self.world.machines[self._rng.choice(names)], wish)
            for pool in self.world.pools
            for wish in exactly(pool)
        ]
        self._wait(partial(_told, asked), ANSWERS_S, 0.05)
        return sum(one.size for one in asked)

    def _agreed(self) -> bool:
        return not self._open_ends()

    def _open_ends(self) -> list[str]:
        """What keeps the running daemons from being in agreement."""
        removing = [one.told for one in self.trouble.removals if not one.done]
        if removing:
            return [f"a removal {one}" for one in removing]
        lost = bool(self.trouble.gone - self.trouble.removed) or self.world.forgetful
        if self.trouble.changing and not lost:  # else it may wait for somebody who is no more
            return ["a change of a pool is not decided"]
        away = self.trouble.gone | self.trouble.retired
        wanted = [one for one in self.world.machines.values() if one.name not in away]
        down = [one.name for one in wanted if not one.running]
        if down:
            return [f"{', '.join(down)} down"]
        views = self.observer.views()
        busy = [one.name for one in wanted if one.name not in views]
        if busy:
            return [f"{', '.join(busy)} busy"]
        leaving = [one for one in wanted if self.trouble.leaving(one)]
        for machine in leaving:
            self.trouble.tell_to_stay(machine)
        if leaving:
            return [f"{', '.join(one.name for one in leaving)} leaving"]
        lost = lost or bool(self.world.departed)
        return list(disagreements(views, lost=lost))

    def _boot(self, machine: Machine) -> None:
        self.trouble.settle_down(machine)

    def _those(self, names: Sequence[str]) -> list[Machine]:
        return [self.world.machines[name] for name in names]

    def _wait(self, holds: Callable[[], bool], seconds: float, slice_s: float = 0.2) -> bool:
        """Let time pass until something holds, at most so long; whether it does."""
        until = self.world.now + seconds
        while not holds():
            if self.world.now >= until:
                return False
            self.world.timeline.run(self.world.now + slice_s)
        return True


def _is_usable(pool: Pool) -> bool:
    """Whether all of its addresses can be asked for."""
    return not (is_mixed(pool) or pool.disabled or pool.node_limit is not None)


def _told(clients: Sequence[Client]) -> bool:
    """Whether each has been given something, or gave up."""
    return all(one.size or one.leaving for one in clients)
