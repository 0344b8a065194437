"""
One run, from its plan to its outcome.

Does not know how plans are made, nor how outcomes are shown.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from types import ModuleType

from simulations import faults, landmarks, policies, scenarios
from simulations.checkers.cooldown import DRIFT_MARGIN
from simulations.checkers.court import Court, all_checkers
from simulations.clients import Habits
from simulations.machine import Machine, NodeError
from simulations.outcome import Outcome, percentiles
from simulations.plan import SWARM, Plan
from simulations.releases import RELEASES
from simulations.removal import Attendant
from simulations.simulated import SimulatedStage
from simulations.sources import commit
from simulations.views import is_ready, members_of
from simulations.world import Layout, World
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.config.pools import parse_pools
from weaveipam.protocol.codec import WIRE
from weaveipam.protocol.keyring import UNSEALED, Key, KeyRing
from weaveipam.protocol.values import Pool

CLOCKS = frozenset({"clock-jump"})
"""Faults after which nobody can say how long an address has rested."""
QUICK_MAX = 12
"""Machines up to which a run may have the quick preset, for few daemons; more have that of a network."""
STEPWISE = 0.3
"""Chance of a machine to perform one effect after the other."""
SEALED = 0.5
"""Chance of a run whose packets are sealed."""
AGREEING = 0.25
"""Chance of a run whose daemons agree on the birth of their cluster, if none of them loses its disk."""
FORGETTING = frozenset({"disk-loss", "roll-back"})
"""Faults after which a daemon does not know any more what it has promised."""
CHOOSY = (0.2, 0.6)
"""Chances of a client, where pools have policies, to ask in the ways that those are for."""
CORES = 0.4
"""Chance of a run to end with a part of its machines."""
REMOVED_CORES = 0.5
"""Chance of such a run to have the others removed then."""
WAITING = frozenset({"roll-back", "pools"})
"""Faults after which those who are left wait for those who are gone, for good and with reason."""
CORE = "core"
"""In place of a fault's name: at the end only some machines are healed, and the others are gone for good."""


def run(plan: Plan, watch: Callable[[float], None] = lambda _part: None) -> Outcome:
    """
    What comes of a plan; equal for equal plans, but for the seconds that it took.

    Args:
        plan: What to run.
        watch: Told now and then which part is done, 0 to 1.

    Raises:
        KeyError: no such scenario.
    """
    began = time.monotonic()
    if plan.scenario == SWARM:
        stage, strengths = _swarm(plan, watch)
    else:
        stage, strengths = _scenario(plan, watch)
    return _outcome(plan, stage, strengths, time.monotonic() - began)


def pools_of(tables: Sequence[tuple[str, str]]) -> tuple[Pool, ...]:
    """Pools of names and ranges (`10.32.0.0/24`, or several joined by commas), as an operator's are made."""
    problems: list[str] = []
    named = [{"name": name, "ranges": ranges.split(",")} for name, ranges in tables]
    pools = parse_pools("pool", named, problems)
    assert not problems, problems
    return pools


def _scenario(plan: Plan, watch: Callable[[float], None]) -> tuple[SimulatedStage, dict[str, str]]:
    scenario: ModuleType = scenarios.load(plan.scenario)
    nodes = plan.nodes or scenario.NODES
    seconds = 60 * (plan.minutes or scenario.MINUTES)
    preset = _preset(nodes, getattr(scenario, "PRESET", "test"))
    ring = getattr(scenario, "KEYRING", None) or _keyring(f"{plan.seed}/{plan.scenario}")
    pools = pools_of([("default", scenarios.pool(scenario))])
    wire = RELEASES[scenario.RELEASE] if hasattr(scenario, "RELEASE") else WIRE
    layout = Layout(
        pools=pools,
        preset=preset,
        probe_interval_s=getattr(scenario, "PROBE_INTERVAL_S", 0.0),
        wire=wire,
        keyring=ring,
        consensus=getattr(scenario, "CONSENSUS", False),
    )
    stage = _stage(f"{plan.seed}/{plan.scenario}", layout, seconds, watch, cooldown_s=_cooldown_s(preset))
    guarded(stage, lambda: _play(stage, scenario, nodes))
    return stage, {"seal": _seal(layout)}


def _play(stage: SimulatedStage, scenario: ModuleType, nodes: int) -> None:
    stage.form(nodes, wait=getattr(scenario, "FORMED", True))
    scenario.play(stage)
    stage.judge()


def _swarm(plan: Plan, watch: Callable[[float], None]) -> tuple[SimulatedStage, dict[str, str]]:
    seed = str(plan.seed)
    rng = Random(f"{seed}/swarm")
    nodes = rng.choice((3, 3, 4, 5, 6, 7, 9))
    preset = rng.choice(("test", "test", "test", "test", "lan"))
    seconds = rng.uniform(30.0, 60.0)
    pools, size = _draw_pools(rng)
    habits = _for_a_time(seed, _draw_habits(rng, size))
    node_labels: tuple[policies.Labels, ...] = ()
    rules = Random(f"{seed}/policies")
    if rules.random() < policies.CHANCE:
        pools = tuple(policies.drawn_policies(pool, rules) for pool in pools)
        node_labels = policies.drawn_node_labels(rules)
        habits = replace(habits, choosy=rules.choice(CHOOSY))
    seconds = seconds if plan.minutes is None else 60 * plan.minutes
    nodes = nodes if plan.nodes is None else plan.nodes
    preset = _preset(nodes, preset)
    drawn = faults.draw(seed, plan.faults)
    layout = Layout(
        pools=pools,
        preset=preset,
        seeds=rng.choice((1, 2, 3, 3)),
        consensus=_agrees(seed, drawn),
        keyring=_keyring(seed),
        node_labels=node_labels,
    )
    cooldown_s = 0.0 if CLOCKS & set(drawn) else DRIFT_MARGIN * _cooldown_s(preset)
    stage = _stage(seed, layout, seconds, watch, cooldown_s=cooldown_s)
    stage.world.sure_part = 0.0 if CLOCKS & set(drawn) else DRIFT_MARGIN
    strengths: dict[str, str] = {}
    guarded(stage, lambda: strengths.update(_live(stage, seed, nodes, drawn, habits, plan)))
    return stage, {
        "preset": preset,
        "first pools": f"{len(pools)} of {size} addresses" + (", with policies" if node_labels else ""),
        "clients": _described(habits),
        "seal": _seal(layout),
        "birth": "by agreement" if layout.consensus else f"by {layout.seeds} seeds",
        **strengths,
    }


def _live(
    stage: SimulatedStage, seed: str, nodes: int, drawn: list[str], habits: Habits, plan: Plan
) -> dict[str, str]:
    """The swarm's story: start amid trouble, live in it, heal, judge."""
    world, trouble = stage.world, stage.trouble
    rng = Random(f"{seed}/life")
    names = [f"n{number + 1}" for number in range(nodes)]
    machines = world.found(names)
    trouble.seeds = tuple(names[: world.layout.seeds])
    trouble.downtime_s = rng.choice((0.3, 2.0, 8.0))
    world.on_end = _caretaker(stage, Random(f"{seed}/caretaker"))
    for machine in machines:
        machine.stepwise = rng.random() < STEPWISE
    stage.observer.start()
    strengths = faults.begin(drawn, trouble, seed)
    for machine in machines:
        world.timeline.at(rng.choice((0.0, 0.0, rng.uniform(0.0, 5.0))), trouble.settle_down, machine)
    stage.clients.load(habits)
    stage.run(stage.seconds)
    cored = (plan.faults is None or CORE in plan.faults) and WAITING.isdisjoint(drawn)
    core = _core(stage, Random(f"{seed}/core")) if cored else None
    removes = "remove" in drawn
    if core is not None:
        removes = removes or Random(f"{seed}/last-word").random() < REMOVED_CORES
        strengths[CORE] = f"only {', '.join(core)} are healed"
        _abandon(stage, core)
    faults.end(trouble)
    if removes:
        _remove_all(stage, Random(f"{seed}/removal"))
    Attendant(trouble, Random(f"{seed}/attendant")).look()
    stage.judge()
    return strengths


def _core(stage: SimulatedStage, rng: Random) -> list[str] | None:
    """Machines that shall go on alone, all of which serve and one of which has met the others; None: all."""
    machines = stage.world.machines
    gone = stage.trouble.gone
    served = [name for name, one in machines.items() if one.running and name not in gone and is_ready(one)]
    if rng.random() >= CORES or not served:
        return None
    first = rng.choice(served)
    met = members_of(machines[first])
    others = [name for name in served if name in met and name != first]
    most = max(0, min(len(others), len(machines) - len(gone) - 2))  # somebody shall be gone
    return sorted([first, *rng.sample(others, rng.randint(0, most))])


def _abandon(stage: SimulatedStage, core: Sequence[str]) -> None:
    lost = [one for name, one in stage.world.machines.items() if name not in {*core, *stage.trouble.gone}]
    stage.trouble.lose(lost)


def _remove_all(stage: SimulatedStage, rng: Random) -> None:
    """Have everybody removed who is lost, so that nothing is out of reach."""
    trouble, machines = stage.trouble, stage.world.machines
    left = [name for name in machines if name not in trouble.gone]
    if trouble.gone:
        trouble.remove(trouble.gone, rng.choice(left), rng)


def _caretaker(stage: SimulatedStage, rng: Random) -> Callable[[Machine, str], None]:
    """Daemons that have ended are started again after a while, as service managers do."""

    def care(machine: Machine, _how: str) -> None:
        delay_s = rng.expovariate(1 / stage.trouble.downtime_s)
        stage.world.timeline.after(delay_s, stage.trouble.settle_down, machine)

    return care


def guarded(stage: SimulatedStage, play: Callable[[], None]) -> None:
    """An exception of a node is a violation, and ends the run; one of the simulator goes on."""
    try:
        play()
    except NodeError as error:
        stage.court.accuse("node", stage.world.now, str(error))


def _stage(
    seed: str, layout: Layout, seconds: float, watch: Callable[[float], None], *, cooldown_s: float
) -> SimulatedStage:
    court = Court(all_checkers(cooldown_s))
    world = World(seed, layout, court.hear)
    court.on_first = world.trace.freeze
    return SimulatedStage(world, court, Random(f"{seed}/stage"), seconds, watch)


def _preset(nodes: int, wanted: str) -> str:
    """The preset for so many daemons: the quick one is for few."""
    return "lan" if wanted == "test" and nodes > QUICK_MAX else wanted


def _keyring(seed: str) -> KeyRing:
    """One key or none: without one the daemons meet doubled packets, which a seal keeps from them."""
    rng = Random(f"{seed}/keyring")
    return KeyRing((Key(rng.randbytes(16)),)) if rng.random() < SEALED else UNSEALED


def _agrees(seed: str, drawn: Sequence[str]) -> bool:
    """Whether daemons agree on the birth; they may only while none loses its disk before it is formed."""
    return Random(f"{seed}/birth").random() < AGREEING and not FORGETTING & set(drawn)


def _seal(layout: Layout) -> str:
    return "none" if layout.keyring == UNSEALED else f"key {layout.keyring.used.id}"


def _cooldown_s(preset: str) -> float:
    return AllocationSettings.preset(preset).cooldown_s


def _draw_pools(rng: Random) -> tuple[tuple[Pool, ...], int]:
    length = rng.choice((24, 25, 26, 27, 28))
    tables = [("blue", f"10.32.0.0/{length}")]
    size = 1 << (32 - length)
    if rng.random() < 1 / 4:
        tables.append(("green", "10.40.0.16-10.40.0.47"))
    if rng.random() < 1 / 4:
        tables.append(("violet", "fd00:1::/122"))
    return pools_of(tables), size


def _draw_habits(rng: Random, size: int) -> Habits:
    hold_s = rng.choice((0.5, 3.0, 20.0))
    occupancy = rng.choice((0.1, 0.5, 0.9, 1.2))
    return Habits(
        adds_per_s=min(15.0, occupancy * size / hold_s),
        hold_s=hold_s,
        repeat=rng.choice((0.0, 0.1, 0.5)),
        vanish=rng.choice((0.0, 0.05, 0.3)),
        cross=rng.choice((0.0, 0.05, 0.3)),
        durable=rng.choice((0.0, 0.2)),
        block=rng.choice((0.0, 0.05, 0.2)),
        wait_s=rng.choice((1.0, 8.0)),
        pair=rng.choice((0.0, 0.0, 0.1)),
    )


def _for_a_time(seed: str, habits: Habits) -> Habits:
    """The same, but that some want what they have for a time; drawn apart from all else."""
    rng = Random(f"{seed}/ttl")
    return replace(habits, ttl=rng.choice((0.0, 0.0, 0.3)), ttl_s=rng.choice((6, 20)))


def _described(habits: Habits) -> str:
    chances = {
        "ask twice": habits.repeat,
        "vanish": habits.vanish,
        "cross": habits.cross,
        "durable": habits.durable,
        "blocks": habits.block,
        "of every pool": habits.pair,
        f"for {habits.ttl_s} s": habits.ttl,
        "choosy": habits.choosy,
    }
    shown = ", ".join(f"{chance:.0%} {name}" for name, chance in chances.items() if chance)
    return f"{habits.adds_per_s:.1f} a second, who stay {habits.hold_s:g} s" + (f"; {shown}" if shown else "")


def _outcome(plan: Plan, stage: SimulatedStage, strengths: Mapping[str, str], wall_s: float) -> Outcome:
    world, observer = stage.world, stage.observer
    sent = sum(world.network.sent_bytes.values())
    nodes = len(world.machines)
    chart = observer.chart()
    return Outcome(
        seed=plan.seed,
        scenario=plan.scenario,
        nodes=nodes,
        virtual_seconds=round(world.now, 3),
        wall_seconds=round(wall_s, 3),
        events=world.timeline.events_count,
        violations=tuple(stage.court.violations),
        trace_hash=world.trace.digest(),
        allocations=world.given_count,
        failures_by_reason=dict(sorted(world.failures.items())),
        gossip_bytes_per_node_per_second=round(sent / max(1, nodes) / max(world.now, 1e-9), 1),
        convergence_seconds=percentiles(observer.spells),
        ring_runs_max=observer.samples.runs_max,
        ring_runs_final=observer.samples.runs_final,
        reached=_reached(stage),
        faults=dict(strengths),
        replay=plan.command(),
        commit=commit(),
        tail=world.trace.tail,
        chart=chart,
    )


def _reached(stage: SimulatedStage) -> dict[str, int]:
    counts: Counter[str] = Counter(stage.trouble.counts)
    counts.update(stage.world.network.counters)
    counts.update(stage.clients.counters)
    counts.update(stage.world.counters)
    for machine in stage.world.machines.values():
        counts.update(machine.reports)
        counts.update(machine.disk.counters)
    counts["exhausted"] = stage.world.failures.get("exhausted", 0)
    return landmarks.reached(counts)
