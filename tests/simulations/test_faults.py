"""Faults are drawn one by one, each does what it says, and all of them end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from simulations import faults
from simulations.faults import FAULTS
from simulations.network import Quality
from simulations.outcome import Mark, Outcome
from simulations.plan import Plan
from simulations.run import run
from simulations.simulated import SimulatedStage

StageOf = Callable[..., SimulatedStage]

REACHED: dict[str, tuple[str, ...]] = {
    "loss": ("datagram.lost",),
    "late": ("datagram.late",),
    "duplicate": ("datagram.duplicated",),
    "corrupt": ("datagram.corrupted", "bad-packet"),
    "reset": ("stream.reset",),
    "partition": ("datagram.cut",),
    "clock-jump": ("clock-jump",),
    "mortality": ("death-before-send",),
    "pause": ("paused",),
    "power-cut": ("lost-commits",),
    "disk-loss": ("second-life",),
    "disk-full": ("storage-error",),
    "rekey": ("rekeyed",),
    "remove": ("lost",),
    "crash": ("restart-with-resting",),
    "stop": ("restart-with-resting",),
    "pools": ("pool-changed", "pool-conflict", "network-changed"),
}
"""What a fault alone makes happen in one of a few short runs, and nothing does without any."""
MARKED = {
    "partition": "cut",
    "crash": "crash",
    "stop": "stop",
    "upgrade": "stop",
    "power-cut": "power-cut",
    "pause": "pause",
    "clock-jump": "clock",
    "join": "join",
    "remove": "crash",
    "disk-loss": "disk",
    "disk-full": "disk",
    "roll-back": "disk",
}
"""Kinds of marks by fault; the others last for the whole run."""
UNFIT = ("roll-back", "upgrade")
"""Faults that break promises, or have to begin before the daemons do."""
TRIES = 12
"""Runs in which a fault has to show."""


def short(seed: int, *names: str) -> Outcome:
    """What comes of a small run with these faults."""
    return run(Plan(seed=seed, faults=names, nodes=3, minutes=0.2))


def drawn_by(name: str) -> list[int]:
    """The first seeds that have a fault."""
    return [seed for seed in range(1, 400) if faults.draw(str(seed), (name,))][:TRIES]


def strengths(stage: SimulatedStage, names: Sequence[str], seed: str) -> dict[str, str]:
    """What a seed makes of these faults."""
    stage.trouble.seeds = ("n1", "n2", "n3")
    return faults.begin(names, stage.trouble, seed)


# Drawing


@pytest.mark.slow
def test_each_fault_is_drawn_as_often_as_it_says() -> None:
    """Over many seeds a fault is there about as often as its chance; each run has its own set."""
    drawn = [faults.draw(str(seed), None) for seed in range(1000)]

    for name, fault in FAULTS.items():
        assert sum(name in one for one in drawn) / 1000 == pytest.approx(fault.chance, abs=0.05)
    assert len(set(map(tuple, drawn))) > 500


def test_only_what_is_named_is_drawn() -> None:
    """Of a list of faults those that the seed has are there, in their own order; of none, none."""
    for seed in map(str, range(100)):
        drawn = faults.draw(seed, None)
        assert faults.draw(seed, tuple(sorted(FAULTS))) == [
            one for one in FAULTS if one in drawn or not FAULTS[one].chance
        ]
        assert faults.draw(seed, ("crash", "loss")) == [one for one in drawn if one in ("crash", "loss")]
        assert faults.draw(seed, ()) == []


@pytest.mark.parametrize("left_out", FAULTS)
def test_leaving_one_out_changes_no_other(stage_of: StageOf, left_out: str) -> None:
    """Without one fault all the others are as strong as they were."""
    some = [one for one in FAULTS if one != left_out]
    all_of_them = strengths(stage_of(), list(FAULTS), "7")

    assert strengths(stage_of(), some, "7") == {one: all_of_them[one] for one in some}


@pytest.mark.slow
def test_a_run_without_one_fault_has_the_others_as_they_were() -> None:
    """Also in whole runs: what is left is as strong, and so are clients and pools."""
    seed = next(one for one in range(1, 100) if len(faults.draw(str(one), None)) == 4)
    names = faults.draw(str(seed), None)
    whole = run(Plan(seed=seed, nodes=3, minutes=0.01, faults=tuple(names)))
    part = run(Plan(seed=seed, nodes=3, minutes=0.01, faults=tuple(names[1:])))

    assert {**whole.faults, names[0]: ""} == {**part.faults, names[0]: ""}


# Doing


def shows(name: str, outcome: Outcome) -> bool:
    """Whether a fault has shown in a run."""
    marks: tuple[Mark, ...] = outcome.chart.marks if outcome.chart is not None else ()
    marked = name not in MARKED or any(one.kind == MARKED[name] for one in marks)
    return marked and all(outcome.reached[one] for one in REACHED.get(name, ()))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*REACHED, *MARKED} - {"roll-back"}))
def test_a_fault_alone_shows(name: str) -> None:
    """Alone it holds, and reaches what only it can reach, in one of the first runs that have it."""
    for seed in drawn_by(name):
        outcome = short(seed, name)
        assert outcome.held, outcome.violations
        assert set(outcome.faults) == {"preset", "first pools", "clients", "seal", "birth", name}
        if shows(name, outcome):
            return
    pytest.fail(f"{name} never showed")


@pytest.mark.slow
def test_without_faults_nothing_goes_wrong() -> None:
    """With no fault nothing is lost, nobody dies, and rings agree within a moment."""
    rare = {one for names in REACHED.values() for one in names}
    rare |= {"member-dead", "stream.lost", "torn", "damaged", "unfinished-kept", "unfinished-lost"}
    rare |= {"serving-alone", "two-owners", "ownership-lost"}
    for seed in range(1, 6):
        outcome = short(seed)
        assert outcome.held, outcome.violations
        assert outcome.allocations > 0
        assert {name for name in rare if outcome.reached[name]} == set()
        assert outcome.convergence_seconds["max"] < 0.5


@pytest.mark.parametrize(
    ("name", "slower"), [("delay", "delay_s"), ("narrow", "bytes_per_s"), ("loss", "loss"), ("late", "late")]
)
def test_the_network_is_as_bad_as_it_says(stage_of: StageOf, name: str, slower: str) -> None:
    """A fault of all links changes one thing of them, to the worse."""
    stage = stage_of()
    usual = stage.world.network.quality
    strengths(stage, [name], "1")
    now = stage.world.network.quality

    assert getattr(now, slower) != getattr(usual, slower)


def test_clocks_disks_and_machines_are_as_bad_as_they_say(stage_of: StageOf) -> None:
    """Clocks differ in pace, disks and a machine are slow, and everybody may die at any effect."""
    stage = stage_of()
    strengths(stage, ["drift", "slow-machine", "slow-disk", "mortality"], "1")
    machines = list(stage.world.machines.values())
    before = [one.clock.read() for one in machines]
    for one in machines:
        one.pause()
    stage.world.timeline.run(stage.world.now + 100.0)

    paces = {round((one.clock.read() - was) / 100.0, 6) for one, was in zip(machines, before, strict=True)}
    assert len(paces) == 3
    assert all(0.94 < pace < 1.06 for pace in paces)
    assert all(one.disk.slowness > 1 and one.mortality > 0 for one in machines)
    assert sum(one.work_s > 0 for one in machines) == 1


# Ending


def test_in_the_end_all_is_whole(stage_of: StageOf) -> None:
    """After the end nothing is cut, slow, paused, full or mortal, and clocks run alike."""
    stage = stage_of()
    world = stage.world
    usual = world.network.quality
    strengths(stage, [one for one in FAULTS if one not in UNFIT], "3")
    world.timeline.run(world.now + 15.0)
    stage.pause(*(one.name for one in world.running()))
    world.network.cut(["n1"], ["n2"])
    faults.end(stage.trouble)
    machines = list(world.machines.values())
    before = [one.clock.read() for one in machines]
    world.timeline.run(world.now + 1.0)

    assert world.network.quality == usual == Quality()
    assert not world.network.is_cut
    assert not any(one.paused or one.mortality or one.work_s for one in machines)
    assert {one.disk.slowness for one in machines} == {1.0}
    assert {round(one.clock.read() - was, 6) for one, was in zip(machines, before, strict=True)} <= {1.0}


def test_nothing_new_goes_wrong_when_it_is_over(stage_of: StageOf) -> None:
    """After its time trouble makes no more marks."""
    stage = stage_of()
    stage.trouble.until = stage.world.now + 10.0
    strengths(stage, [one for one in FAULTS if one not in UNFIT], "5")
    stage.world.timeline.run(stage.trouble.until + 0.001)
    for name in stage.world.machines:
        stage.trouble.gone.add(name)
    count = len(stage.observer.marks)
    assert count > 5

    stage.world.timeline.run(stage.world.now + 60.0)

    assert [one for one in stage.observer.marks[count:] if one.kind != "start"] == []


def test_who_is_gone_stays_down(stage_of: StageOf) -> None:
    """Nobody starts a daemon that is to stay down; all others are started, once."""
    stage = stage_of()
    stage.trouble.gone.add("n1")
    for name in ("n1", "n2"):
        stage.world.machines[name].kill()
        stage.trouble.settle_down(stage.world.machines[name])
        stage.trouble.settle_down(stage.world.machines[name])

    assert [one.name for one in stage.world.running()] == ["n2", "n3"]
