"""Shrinking: what is left is needed, and fails like the run that it came from."""

from __future__ import annotations

from types import ModuleType

import pytest

from simulations.outcome import Outcome
from simulations.plan import Plan
from simulations.shrink import HeldError, shrink


def quiet(_line: str) -> None:
    """Nobody reads it."""


def test_only_what_is_needed_is_left(doubles: ModuleType) -> None:
    """The smallest plan has the two faults, the three nodes and the ten seconds (in steps of three)."""
    smallest = shrink(Plan(seed=1), doubles.needs_much, quiet, faults=doubles.FAULTS)

    assert Plan(seed=1, faults=("crash", "loss"), nodes=3, minutes=0.2) == smallest


def test_another_checker_is_another_failure(doubles: ModuleType) -> None:
    """A smaller run that fails by another checker is not what is looked for."""
    smallest = shrink(Plan(seed=1), doubles.needs_much, quiet, faults=doubles.FAULTS)

    assert ["uniqueness"] == [one.checker for one in doubles.needs_much(smallest).violations]


@pytest.mark.parametrize(
    "plan",
    [
        Plan(seed=1, nodes=3),
        Plan(seed=1, minutes=0.2),
        Plan(seed=1, faults=("crash", "delay", "loss")),
        Plan(seed=1, nodes=4, minutes=0.25, faults=("crash", "loss")),
    ],
)
def test_what_was_said_is_never_exceeded(doubles: ModuleType, plan: Plan) -> None:
    """A plan that is small already is where the search begins, and it ends at the same place."""
    smallest = shrink(plan, doubles.needs_much, quiet, faults=doubles.FAULTS)

    assert Plan(seed=1, faults=("crash", "loss"), nodes=3, minutes=0.2) == smallest


def test_failing_without_anything_needs_nothing(doubles: ModuleType) -> None:
    """A run that always fails shrinks to no fault, one node, and one step of time."""
    smallest = shrink(Plan(seed=5), doubles.fifth_fails, quiet, faults=doubles.FAULTS)

    assert Plan(seed=5, faults=(), nodes=1, minutes=0.05) == smallest


def test_nothing_fails(doubles: ModuleType) -> None:
    """A plan that holds is refused, with the command that shows it."""
    with pytest.raises(HeldError, match="--seed 3"):
        shrink(Plan(seed=3), doubles.hold, quiet, faults=doubles.FAULTS)


@pytest.mark.parametrize("runs_max", [1, 2, 7, 20])
def test_runs_are_bounded(doubles: ModuleType, runs_max: int) -> None:
    """No more runs than allowed are made, no plan twice, and what is returned fails."""
    ran: list[Plan] = []

    def counted(plan: Plan) -> Outcome:
        ran.append(plan)
        outcome: Outcome = doubles.needs_much(plan)
        return outcome

    smallest = shrink(Plan(seed=1), counted, quiet, faults=doubles.FAULTS, runs_max=runs_max)

    assert runs_max == len(ran) == len(set(ran))
    assert "uniqueness" == doubles.needs_much(smallest).violations[0].checker


def test_every_step_is_told(doubles: ModuleType) -> None:
    """The last line that is told names the command of the smallest run."""
    lines: list[str] = []

    smallest = shrink(Plan(seed=1), doubles.needs_much, lines.append, faults=doubles.FAULTS)

    assert smallest.command() in lines[-1]
    assert len(lines) > 3


def test_only_faults_are_left_out(doubles: ModuleType) -> None:
    """What an outcome names as drawn but cannot be left out is not in the plan."""
    smallest = shrink(Plan(seed=1), doubles.needs_much, quiet, faults={"crash", "loss", "pause"})

    assert ("crash", "loss") == smallest.faults
