"""A plan is the command that does it."""

from __future__ import annotations

import pytest

from simulations.plan import Plan


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(seed=7), "--seed 7"),
        (Plan(seed=7, scenario="idle", nodes=3), "--seed 7 --scenario idle --nodes 3"),
        (Plan(seed=7, minutes=0.25), "--seed 7 --minutes 0.25"),
        (Plan(seed=7, faults=("crash", "loss")), "--seed 7 --faults crash,loss"),
        (Plan(seed=7, faults=()), "--seed 7 --faults none"),
    ],
)
def test_the_command_says_what_differs_from_the_usual(plan: Plan, words: str) -> None:
    """What is as usual is left out."""
    assert plan.command() == f"python -m simulations run {words}"
