"""
Runs that a test can predict, in a module that other processes can import by the name `doubles`.

What becomes of a plan is written in its seed and its sizes.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from simulations.outcome import Outcome, Violation
from simulations.plan import Plan

FAULTS = ("corrupt", "crash", "delay", "drift", "join", "loss", "pause", "stop")
NEEDED = {"crash", "loss"}
NODES, SECONDS = 9, 120.0


def ignore(_share: float) -> None:
    """Nobody watches."""


def outcome_of(plan: Plan, *violations: Violation) -> Outcome:
    """As large as the plan says, by default with everything."""
    faults = FAULTS if plan.faults is None else plan.faults
    return Outcome(
        seed=plan.seed,
        scenario=plan.scenario,
        nodes=plan.nodes or NODES,
        virtual_seconds=SECONDS if plan.minutes is None else plan.minutes * 60,
        wall_seconds=0.5,
        events=1000,
        violations=violations,
        trace_hash=f"hash-{plan.seed}",
        allocations=10,
        failures_by_reason={"exhausted": 2},
        gossip_bytes_per_node_per_second=1234.5,
        convergence_seconds={"p50": 0.1, "p99": 0.2, "max": 0.3},
        ring_runs_max=12,
        ring_runs_final=9,
        reached={"torn": plan.seed % 2, "refuted": 0},
        faults=dict.fromkeys(faults, "strong"),
        tail=("1.0 n1 crash",) if violations else (),
    )


def hold(plan: Plan, watch: Callable[[float], None] = ignore) -> Outcome:
    """Nothing is ever wrong."""
    watch(0.5)
    return outcome_of(plan)


def fifth_fails(plan: Plan, watch: Callable[[float], None] = ignore) -> Outcome:
    """Every fifth seed violates uniqueness."""
    watch(0.5)
    if plan.seed % 5:
        return outcome_of(plan)
    return outcome_of(plan, Violation("uniqueness", 1.5, "10.0.0.1 was given twice"))


def troubles(plan: Plan, watch: Callable[[float], None] = ignore) -> Outcome:
    """Seed 2 raises, seed 3 is killed, seed 4 ends its process; the others hold."""
    watch(0.5)
    match plan.seed:
        case 2:
            raise KeyError("something that is not there")
        case 3:
            os.kill(os.getpid(), signal.SIGKILL)
        case 4:
            os._exit(7)
    return outcome_of(plan)


def needs_much(plan: Plan, watch: Callable[[float], None] = ignore) -> Outcome:
    """Fails if it has the NEEDED faults, three nodes, and ten seconds; a smaller run fails in another way."""
    watch(0.5)
    outcome = outcome_of(plan)
    if not set(outcome.faults) >= NEEDED:
        return outcome
    if outcome.nodes < 3 or outcome.virtual_seconds < 10:
        return outcome_of(plan, Violation("coverage", 1.0, "another defect, of small runs"))
    return outcome_of(plan, Violation("uniqueness", 1.5, "10.0.0.1 was given twice"))


def slowly(plan: Plan, watch: Callable[[float], None] = ignore) -> Outcome:
    """Seed 1 holds; the others say that they have begun, by a file in $DOUBLES, and never end."""
    watch(0.5)
    if plan.seed != 1:
        Path(os.environ["DOUBLES"], str(os.getpid())).touch()
        signal.pause()
    return outcome_of(plan)
