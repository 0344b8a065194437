"""Equal plans make equal runs, whatever else the process has done; and runs end as plans say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from simulations import faults
from simulations.landmarks import LANDMARKS
from simulations.machine import NodeError
from simulations.outcome import Violation
from simulations.plan import Plan
from simulations.run import CORE, guarded, pools_of, run
from simulations.simulated import SimulatedStage

StageOf = Callable[..., SimulatedStage]

PLANS = (
    Plan(seed=2, nodes=4, minutes=0.3),
    Plan(seed=19, nodes=4, minutes=0.2),
    Plan(seed=28, minutes=0.1),
    Plan(seed=1, scenario="split-two", nodes=4, minutes=0.2),
    Plan(seed=1, scenario="power-cut", nodes=3, minutes=0.2),
)
"""Brutal ones and scenarios; together they lose power, disks and packets, cut links and jump."""

PROGRAM = """
import json, sys
from simulations.plan import Plan
from simulations.run import run
for text in sys.argv[1:]:
    document = run(Plan(**json.loads(text))).document()
    del document["wall_seconds"]
    print(json.dumps(document))
"""


def documents(plans: tuple[Plan, ...], hash_seed: int) -> list[str]:
    """What comes of plans in a process of its own, in this order, as text."""
    texts = [
        json.dumps({"seed": one.seed, "scenario": one.scenario, "nodes": one.nodes, "minutes": one.minutes})
        for one in plans
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *texts],
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.slow
def test_equal_plans_make_equal_runs() -> None:
    """In two processes that hash otherwise, in either order, all that comes of a plan is the same."""
    forwards = documents(PLANS, 1)
    backwards = documents(PLANS[::-1], 2)[::-1]

    assert len(forwards) == len(PLANS)
    for one, other in zip(forwards, backwards, strict=True):
        assert json.loads(one) == json.loads(other)
        assert one == other, "the order within it differs"
    assert len({json.loads(one)["trace_hash"] for one in forwards}) == len(PLANS)


@pytest.mark.slow
def test_another_plan_is_another_run() -> None:
    """Seed, scenario, nodes, time and faults each change what happens."""
    plans = [
        Plan(seed=3, nodes=3, minutes=0.02, faults=()),
        Plan(seed=4, nodes=3, minutes=0.02, faults=()),
        Plan(seed=3, nodes=4, minutes=0.02, faults=()),
        Plan(seed=3, nodes=3, minutes=0.04, faults=()),
        Plan(seed=3, nodes=3, minutes=0.02, faults=("loss",)),
        Plan(seed=3, nodes=3, minutes=0.02, scenario="idle"),
    ]

    assert len({run(one).trace_hash for one in plans}) == len(plans)


@pytest.mark.slow
def test_an_outcome_says_what_was_run() -> None:
    """Its plan, how to run it again, what was drawn, every landmark, and the chart."""
    shares: list[float] = []
    plan = Plan(seed=3, nodes=3, minutes=0.05, faults=("loss", "stop"))
    outcome = run(plan, shares.append)

    assert (outcome.seed, outcome.scenario, outcome.nodes) == (3, "swarm", 3)
    assert outcome.replay == plan.command()
    assert set(outcome.faults) == {
        "preset",
        "first pools",
        "clients",
        "seal",
        "birth",
        *faults.draw("3", ("loss", "stop")),
    }
    assert set(outcome.reached) == set(LANDMARKS)
    assert outcome.held
    assert outcome.tail == ()
    assert outcome.virtual_seconds > 3.0
    assert outcome.events > 0
    assert outcome.chart is not None
    assert outcome.chart.machines == ("n1", "n2", "n3")
    assert outcome.ring_runs_max >= outcome.ring_runs_final > 0
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_scenario_that_is_not_there_is_no_run() -> None:
    """Nobody guesses which one was meant."""
    with pytest.raises(LookupError):
        run(Plan(seed=1, scenario="no-such-thing"))


@pytest.mark.slow
def test_a_core_goes_on_alone() -> None:
    """In some runs only a part of the machines is healed; it serves, holds, and the others stay down."""
    sizes = set()
    for seed in (2, 6):
        outcome = run(Plan(seed=seed, nodes=4, minutes=0.1, faults=(CORE,)))
        assert outcome.held, outcome.violations
        assert outcome.chart is not None
        running = outcome.chart.samples[-1].running
        if CORE not in outcome.faults:
            assert all(running)
            continue
        healed = outcome.faults[CORE].removeprefix("only ").removesuffix(" are healed").split(", ")
        assert running == tuple(name in healed for name in outcome.chart.machines)
        sizes.add(len(healed))

    assert sizes == {1, 2}


@pytest.mark.slow
def test_no_core_where_it_is_not_wanted() -> None:
    """A plan that names its faults has a core only if it names it."""
    assert all(
        CORE not in run(Plan(seed=one, nodes=3, minutes=0.02, faults=())).faults for one in range(1, 5)
    )


def test_a_bug_of_a_node_is_a_violation(stage_of: StageOf) -> None:
    """What a node should never do is found at the time at which it did it."""
    stage = stage_of(nodes=0)

    def fail() -> None:
        stage.run(2.0)
        raise NodeError("n1 wants to be woken for ever")

    guarded(stage, fail)

    assert stage.court.violations == [Violation("node", 2.0, "n1 wants to be woken for ever")]


def test_a_bug_of_the_simulator_is_not(stage_of: StageOf) -> None:
    """What the simulator itself does wrong is nobody's violation."""

    def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError):
        guarded(stage_of(nodes=0), fail)


def test_pools_are_made_as_an_operators_are() -> None:
    """Ranges of several kinds, in the order given; the ends of a v4 prefix are left out."""
    one, other = pools_of([("blue", "10.0.0.0/30"), ("green", "10.1.0.5-10.1.0.9,fd00::/126")])

    assert [one.name, other.name] == ["blue", "green"]
    assert [each.range.size for each in other.ranges] == [5, 4]
    assert sum(each.size for each in one.ranges[0].excluded) == 2
