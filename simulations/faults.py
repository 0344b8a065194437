"""
What can go wrong, each kind by a name: a seed draws which of them there are and how strong they are.

Each draws from a generator of its own, named by the seed and the fault, so that leaving one out changes
nothing about the others.  Does not know what is right, nor when the trouble is over for good.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

from simulations.machine import Machine
from simulations.network import Quality
from simulations.poolwork import NETWORK_ENDS, RINGS, STOCK, drawn_change
from simulations.releases import RELEASES, Release
from simulations.trouble import Restorable, Trouble
from simulations.views import is_ready, pools_of
from simulations.world import World
from weaveipam.protocol.keyring import Key, KeyRing
from weaveipam.protocol.records import Noted
from weaveipam.protocol.requests import ChangeNetwork, GetKeyring, Keyring
from weaveipam.protocol.values import DEFAULT_NETWORK

LEFT_MIN = 2
"""Machines that are never lost."""
WITNESSES_MIN = 2
"""Daemons that must know what another one gave for a snapshot of its disk to be restored."""
PATIENCE_S = 120.0
"""How long daemons then wait for a member before they serve alone: as those should who restore snapshots."""
CALM_S = 10.0
"""How long nobody is cut off then."""
AGAIN_S = 0.2
"""Seconds until it is tried again if things are not so."""


class Fault(NamedTuple):
    """One kind of trouble."""

    chance: float
    """That a run has it."""
    begin: Callable[[Trouble, Random], str]
    """Sets it going from now on, until the trouble is over; returns its strength as text."""


# The network


def _loss(trouble: Trouble, rng: Random) -> str:
    chance = rng.choice((0.01, 0.05, 0.2, 0.4))
    _worsen(trouble, loss=chance)
    return f"{chance:.0%} of datagrams"


def _delay(trouble: Trouble, rng: Random) -> str:
    delay_s, jitter_s = rng.choice(((0.002, 0.001), (0.02, 0.01), (0.1, 0.05)))
    _worsen(trouble, delay_s=delay_s, jitter_s=jitter_s)
    return f"{1000 * delay_s:g} ms and {1000 * jitter_s:g} ms of jitter"


def _late(trouble: Trouble, rng: Random) -> str:
    chance, late_s = rng.choice((0.02, 0.2)), rng.choice((0.5, 5.0))
    _worsen(trouble, late=chance, late_s=late_s)
    return f"{chance:.0%} of datagrams, by up to {late_s:g} s"


def _duplicate(trouble: Trouble, rng: Random) -> str:
    chance = rng.choice((0.02, 0.3))
    _worsen(trouble, duplicate=chance)
    return f"{chance:.0%} of datagrams"


def _corrupt(trouble: Trouble, rng: Random) -> str:
    chance = rng.choice((0.001, 0.02))
    _worsen(trouble, corrupt=chance)
    return f"{chance:.1%} of datagrams"


def _reset(trouble: Trouble, rng: Random) -> str:
    chance = rng.choice((0.02, 0.3))
    _worsen(trouble, reset=chance)
    return f"{chance:.0%} of packets on streams"


def _narrow(trouble: Trouble, rng: Random) -> str:
    bytes_per_s = rng.choice((2_000.0, 20_000.0, 200_000.0))
    _worsen(trouble, bytes_per_s=bytes_per_s)
    return f"{bytes_per_s / 1000:g} kB/s on every link"


def _worsen(trouble: Trouble, **what: Any) -> None:
    network = trouble.world.network
    network.quality = replace(network.quality, **what)


def _partition(trouble: Trouble, rng: Random) -> str:
    apart_s, pause_s = rng.choice((0.5, 3.0, 10.0)), rng.choice((1.0, 5.0))
    kinds = (_halves, _isolate, _one_way, _partial)
    flaps = rng.random() < 1 / 4
    world = trouble.world

    def cut() -> None:
        if world.network.is_cut or world.now < trouble.calm_until:
            return
        names = list(world.machines)
        rng.shuffle(names)
        seconds = rng.uniform(0.1, 0.5) if flaps else rng.expovariate(1 / apart_s)
        text = rng.choice(kinds)(world, names)
        trouble.observer.mark("cut", text, names, seconds)
        world.timeline.after(seconds, world.network.heal)

    trouble.every(0.3 if flaps else apart_s + pause_s, rng, cut)
    return "flapping" if flaps else f"for {apart_s:g} s, every {apart_s + pause_s:g} s"


def _halves(world: World, names: list[str]) -> str:
    one, other = names[: len(names) // 2], names[len(names) // 2 :]
    world.network.cut(one, other)
    world.network.cut(other, one)
    return f"{', '.join(sorted(one))} from the others"


def _isolate(world: World, names: list[str]) -> str:
    world.network.cut(names[:1], names[1:])
    world.network.cut(names[1:], names[:1])
    return f"{names[0]} from all others"


def _one_way(world: World, names: list[str]) -> str:
    one, other = names[: len(names) // 2], names[len(names) // 2 :]
    world.network.cut(one, other)
    return f"one way, from {', '.join(sorted(one))} to the others"


def _partial(world: World, names: list[str]) -> str:
    one, other = names[:1], names[1 : 1 + len(names) // 2]
    world.network.cut(one, other)
    world.network.cut(other, one)
    return f"{names[0]} from {', '.join(sorted(other))}, but from nobody else"


def _slow_link(trouble: Trouble, rng: Random) -> str:
    machine = rng.choice(list(trouble.world.machines.values()))
    quality = Quality(delay_s=rng.choice((0.05, 0.5)), loss=rng.choice((0.0, 0.3)), jitter_s=0.01)
    trouble.world.network.impair([machine.name], quality)
    return f"{machine.name}: {1000 * quality.delay_s:g} ms, {quality.loss:.0%} lost"


# Clocks


def _drift(trouble: Trouble, rng: Random) -> str:
    most = rng.choice((1e-4, 0.01, 0.05))
    for machine in trouble.world.machines.values():
        machine.clock.drift(1 + rng.uniform(-most, most))
    return f"up to {most:.2%} fast or slow"


def _clock_jump(trouble: Trouble, rng: Random) -> str:
    mean_s, most_s = rng.choice((5.0, 20.0)), rng.choice((0.5, 5.0, 60.0))

    def jump(machine: Machine) -> None:
        machine.clock.jump(rng.uniform(0.0, most_s))
        # Forward: one that goes back before a disk is lost keeps the next life out until somebody helps.
        machine.clock.set_wall(rng.uniform(0.0, most_s))
        trouble.count("clock-jump")
        trouble.observer.mark("clock", f"the clock of {machine.name} jumps", [machine.name])
        machine.touch()

    trouble.strike(mean_s, rng, jump)
    return f"by up to {most_s:g} s, every {mean_s:g} s"


# Machines


def _crash(trouble: Trouble, rng: Random) -> str:
    mean_s = rng.choice((1.0, 5.0, 15.0))

    def crash(machine: Machine) -> None:
        trouble.observer.mark("crash", f"kill -9 at {machine.name}", [machine.name])
        machine.kill()

    trouble.strike(mean_s, rng, crash)
    return f"every {mean_s:g} s"


def _stop(trouble: Trouble, rng: Random) -> str:
    mean_s = rng.choice((5.0, 15.0))

    def stop(machine: Machine) -> None:
        trouble.observer.mark("stop", f"{machine.name} is stopped", [machine.name])
        machine.stop()

    trouble.strike(mean_s, rng, stop)
    return f"every {mean_s:g} s"


def _mortality(trouble: Trouble, rng: Random) -> str:
    chance = rng.choice((0.0003, 0.001, 0.005))
    for machine in trouble.world.machines.values():
        machine.mortality = chance
    return f"{chance:.2%} before each effect"


def _power_cut(trouble: Trouble, rng: Random) -> str:
    mean_s, everybody = rng.choice((5.0, 20.0)), rng.random() < 1 / 3

    def cut(machine: Machine) -> None:
        off = list(trouble.world.machines.values()) if everybody else [machine]
        off = [one for one in off if one.name not in trouble.gone]
        trouble.observer.mark("power-cut", "no power", [one.name for one in off])
        trouble.cut_power(off)
        for one in off:
            trouble.world.timeline.after(rng.expovariate(1 / trouble.downtime_s), trouble.settle_down, one)

    trouble.strike(mean_s, rng, cut)
    return f"{'of all' if everybody else 'of one'}, every {mean_s:g} s"


def _pause(trouble: Trouble, rng: Random) -> str:
    mean_s, long_s = rng.choice((2.0, 10.0)), rng.choice((0.3, 3.0, 15.0))

    def pause(machine: Machine) -> None:
        seconds = rng.expovariate(1 / long_s)
        trouble.observer.mark("pause", f"{machine.name} is stopped for a while", [machine.name], seconds)
        machine.pause()
        trouble.world.timeline.after(seconds, machine.resume)

    trouble.strike(mean_s, rng, pause)
    return f"for {long_s:g} s, every {mean_s:g} s"


def _upgrade(trouble: Trouble, rng: Random) -> str:
    mean_s, world = rng.choice((3.0, 10.0)), trouble.world
    world.layout = replace(world.layout, wire=RELEASES["older"])  # in force from the next start on
    for machine in world.machines.values():
        machine.settings = replace(machine.settings, wire=RELEASES["older"])

    def change(machine: Machine) -> None:
        release: Release = "newer" if machine.settings.wire is RELEASES["older"] else "older"
        trouble.observer.mark("stop", f"{machine.name} gets the {release} release", [machine.name])
        machine.stop()
        machine.settings = replace(machine.settings, wire=RELEASES[release])

    trouble.strike(mean_s, rng, change)
    return f"or downgrade, of one every {mean_s:g} s"


def _remove(trouble: Trouble, rng: Random) -> str:
    mean_s, delay_s = rng.choice((3.0, 10.0)), rng.choice((0.1, 2.0, 8.0))
    world = trouble.world
    most = rng.randint(1, 3)

    def lose(machine: Machine) -> None:
        left = [one for one in world.machines.values() if one.name not in trouble.gone]
        others = [one for one in left if one is not machine and one.name not in trouble.seeds[:1]]
        if not trouble.all_served or machine.name in trouble.seeds[:1] or len(trouble.gone) >= most:
            return
        lost = [machine, *rng.sample(others, min(len(others), int(rng.random() < 1 / 4)))]
        if len(left) - len(lost) < LEFT_MIN:
            return
        names = [one.name for one in lost]
        trouble.observer.mark("crash", f"{', '.join(names)} is lost", names)
        trouble.count("lost")
        trouble.lose(lost)
        if rng.random() < 1 / 3:
            trouble.come_back(machine, rng)
        for _ in range(1 + (rng.random() < 1 / 3)):
            told = names if rng.random() < 1 / 2 else [rng.choice(names)]
            world.timeline.after(rng.expovariate(1 / delay_s), remove, told)

    def remove(names: list[str]) -> None:
        if not trouble.gone.issuperset(names):
            return
        up = [one.name for one in world.running() if one.name not in trouble.gone]
        if up:
            trouble.remove(names, rng.choice(up), rng, force=rng.random() < 1 / 5)

    trouble.strike(mean_s, rng, lose)
    return f"{most} at most, one every {mean_s:g} s, after {delay_s:g} s"


def _leave(trouble: Trouble, rng: Random) -> str:
    mean_s, long_s, regret = rng.choice((5.0, 15.0)), rng.choice((0.3, 3.0)), rng.choice((0.0, 0.0, 0.3))

    def leave(machine: Machine) -> None:
        if not trouble.all_served or machine.name in trouble.clients.cordoned:
            return
        trouble.observer.mark("stop", f"{machine.name} is to leave", [machine.name])
        trouble.tell_to_leave(machine)
        if rng.random() < regret:
            trouble.world.timeline.after(rng.expovariate(1 / long_s), trouble.tell_to_stay, machine)

    trouble.strike(mean_s, rng, leave)
    return f"one every {mean_s:g} s; {regret:.0%} are told to stay, {long_s:g} s later"


def _slow_machine(trouble: Trouble, rng: Random) -> str:
    machine = rng.choice(list(trouble.world.machines.values()))
    machine.work_s = rng.choice((0.001, 0.02))
    return f"{machine.name} takes {1000 * machine.work_s:g} ms for each batch"


def _join(trouble: Trouble, rng: Random) -> str:
    most, mean_s = rng.randint(1, 4), rng.choice((3.0, 10.0))
    world = trouble.world
    left = [most]

    def join() -> None:
        if not left[0]:
            return
        left[0] -= 1
        name = f"n{len(world.machines) + 1}"
        trouble.observer.mark("join", f"{name} joins", [name])
        machine = world.add(name, trouble.seeds)
        pattern = world.machines[trouble.seeds[0]]
        machine.mortality, machine.stepwise = pattern.mortality, pattern.stepwise
        machine.start()

    trouble.every(mean_s, rng, join)
    return f"{most}, one every {mean_s:g} s"


def _rekey(trouble: Trouble, rng: Random) -> str:
    mean_s = rng.choice((0.1, 1.0))
    world = trouble.world
    steps: list[KeyRing] = []

    def step() -> None:
        """One more daemon does as is told; once all do, the next thing is told."""
        if not steps:
            old, new = world.keyring.used, Key(rng.randbytes(16))
            steps.extend((KeyRing((old, new)), KeyRing((new, old)), KeyRing((new,))))
        late = [one for one in world.machines.values() if one.settings.keyring != steps[0]]
        if late:
            world.set_keys(late[0], steps[0])
        elif all(not one.running or _uses(world, one, steps[0]) for one in world.machines.values()):
            world.keyring = steps.pop(0)
            if not steps:
                trouble.count("rekeyed")
                trouble.observer.mark("phase", f"all use key {world.keyring.used.id}")

    trouble.every(mean_s, rng, step)
    return f"at a daemon every {mean_s:g} s"


def _uses(world: World, machine: Machine, ring: KeyRing) -> bool:
    """Whether a daemon shows these keys."""
    if not world.serving(machine):
        return False
    shown = machine.show(GetKeyring())
    return isinstance(shown, Keyring) and [one.id for one in shown.keys] == [key.id for key in ring.keys]


# Disks


def _disk_loss(trouble: Trouble, rng: Random) -> str:
    mean_s, damaged = rng.choice((5.0, 15.0)), rng.random() < 1 / 2

    def lose(machine: Machine) -> None:
        if machine.name == trouble.seeds[0] or not trouble.all_served:
            return
        trouble.observer.mark("disk", f"the disk of {machine.name} is lost", [machine.name])
        machine.kill()
        if damaged:
            machine.disk.damage()
        else:
            machine.disk.wipe()
        trouble.world.forgot(machine)

    trouble.strike(mean_s, rng, lose)
    return f"{'damaged' if damaged else 'replaced'}, every {mean_s:g} s"


def _disk_full(trouble: Trouble, rng: Random) -> str:
    mean_s, long_s = rng.choice((5.0, 15.0)), rng.choice((0.5, 5.0))

    def fill(machine: Machine) -> None:
        machine.disk.fill()
        seconds = rng.expovariate(1 / long_s)
        trouble.observer.mark("disk", f"the disk of {machine.name} is full", [machine.name], seconds)
        trouble.world.timeline.after(seconds, machine.disk.free)

    trouble.strike(mean_s, rng, fill)
    return f"for {long_s:g} s, every {mean_s:g} s"


def _slow_disk(trouble: Trouble, rng: Random) -> str:
    slowness = rng.choice((5.0, 50.0, 300.0))
    for machine in trouble.world.machines.values():
        machine.disk.slowness = slowness
    return f"{slowness:g} times as slow as usual"


def _is_witnessed(world: World, machine: Machine) -> bool:
    """Whether others who are there know of all that a daemon gave to its clients."""
    key = Noted(machine.life, 0).record_key
    mine = machine.disk.snapshot().records.get(key)
    others = [one for one in world.running() if one is not machine]
    knowing = sum(one.disk.snapshot().records.get(key) == mine for one in others)
    return not machine.unmarked and knowing >= WITNESSES_MIN


def _roll_back(trouble: Trouble, rng: Random) -> str:
    mean_s, old_s = rng.choice((5.0, 15.0)), rng.choice((1.0, 5.0))
    world = trouble.world
    # What was told to nobody, or is asked of nobody, cannot be found out: see `weaveipam.allocation.marks`.
    world.allocation = replace(world.allocation, sync_wait_s=PATIENCE_S)
    for machine in world.machines.values():
        machine.settings = replace(machine.settings, allocation=world.allocation)

    def remember(machine: Machine) -> None:
        if machine.name != trouble.seeds[0] and trouble.all_served:
            then = trouble.snapshot(machine)
            trouble.world.timeline.after(rng.expovariate(1 / old_s), restore, machine, then)

    def restore(machine: Machine, then: Restorable) -> None:
        if trouble.over or machine.name in trouble.gone:
            return
        if world.network.is_cut or not machine.running or not _is_witnessed(world, machine):
            world.timeline.after(AGAIN_S, restore, machine, then)
        else:
            trouble.calm_until = world.now + CALM_S
            trouble.observer.mark("disk", f"{machine.name} is restored from a snapshot", [machine.name])
            trouble.roll_back(machine, then)

    trouble.strike(mean_s, rng, remember)
    return f"by {old_s:g} s, every {mean_s:g} s"


# Operators


def _pools(trouble: Trouble, rng: Random) -> str:
    mean_s = rng.choice((1.0, 3.0, 8.0))
    world = trouble.world
    world.rings = tuple(sorted({*world.rings, *RINGS}))

    def change() -> None:
        """One change, or at two members two of one pool that cannot both be made."""
        askable = [one for one in world.running() if world.serving(one) and is_ready(one)]
        if not askable:
            return
        name = ""
        for machine in rng.sample(askable, min(len(askable), 1 + (rng.random() < 1 / 4))):
            policies = bool(world.layout.node_labels)
            wanted = drawn_change(pools_of(machine), rng, name=name, policies=policies)
            name = wanted.name
            trouble.change_pool(machine, wanted)
        if rng.random() < NETWORK_ENDS:
            network = rng.choice([one for one in STOCK if one != DEFAULT_NETWORK])
            trouble.change_network(rng.choice(askable), ChangeNetwork(network, exists=False))

    trouble.every(mean_s, rng, change)
    return f"one every {mean_s:g} s"


FAULTS: dict[str, Fault] = {
    "loss": Fault(0.4, _loss),
    "delay": Fault(0.3, _delay),
    "late": Fault(0.3, _late),
    "duplicate": Fault(0.3, _duplicate),
    "corrupt": Fault(0.15, _corrupt),
    "reset": Fault(0.2, _reset),
    "narrow": Fault(0.1, _narrow),
    "partition": Fault(0.5, _partition),
    "slow-link": Fault(0.2, _slow_link),
    "drift": Fault(0.3, _drift),
    "clock-jump": Fault(0.15, _clock_jump),
    "crash": Fault(0.5, _crash),
    "stop": Fault(0.2, _stop),
    "upgrade": Fault(0.2, _upgrade),
    "mortality": Fault(0.3, _mortality),
    "power-cut": Fault(0.25, _power_cut),
    "pause": Fault(0.3, _pause),
    "leave": Fault(0.3, _leave),
    "slow-machine": Fault(0.2, _slow_machine),
    "join": Fault(0.4, _join),
    "remove": Fault(0.35, _remove),
    "rekey": Fault(0.2, _rekey),
    "disk-loss": Fault(0.2, _disk_loss),
    "disk-full": Fault(0.15, _disk_full),
    "slow-disk": Fault(0.2, _slow_disk),
    "roll-back": Fault(0.1, _roll_back),
    "pools": Fault(0.25, _pools),
}
"""Every kind of trouble, in the order in which they are set going."""


def draw(seed: str, only: Sequence[str] | None) -> list[str]:
    """The names of the faults that a run has, of those in `only` if given."""
    drawn = [name for name, fault in FAULTS.items() if Random(f"{seed}/draw/{name}").random() < fault.chance]
    return [name for name in drawn if only is None or name in only]


def begin(names: Sequence[str], trouble: Trouble, seed: str) -> dict[str, str]:
    """Set those faults going; their strengths by name."""
    return {name: FAULTS[name].begin(trouble, Random(f"{seed}/fault/{name}")) for name in names}


def end(trouble: Trouble) -> None:
    """Everything is whole again: links, clocks that run right, disks; who is down stays down."""
    world = trouble.world
    world.network.heal()
    world.network.quality = Quality()
    world.network.impair(list(world.machines), None)
    for machine in world.machines.values():
        machine.clock.drift(1.0)
        machine.mortality = machine.work_s = 0.0
        machine.disk.slowness = 1.0
        machine.disk.free()
        if machine.paused:
            machine.resume()
        trouble.tell_to_stay(machine)
