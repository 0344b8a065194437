"""
The smallest run that still fails: fewest faults, then fewest nodes, then the shortest time.

Greedy, so what it finds is small, not always the smallest: a run with fewer nodes is another run, and other
things happen in it.  Does not know how a plan is run, nor what faults are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from simulations.many import Runner
from simulations.outcome import Outcome
from simulations.plan import Plan
from simulations.report.words import duration, noun

RUNS_MAX = 200
"""Tries; each takes as long as the run, most of them less."""

STEP_S = 3
"""Times are tried in whole steps: a twentieth of a minute, which a command line shows exactly."""


class HeldError(Exception):
    """There is nothing to shrink: the plan does not fail."""


class _ExhaustedError(Exception):
    """RUNS_MAX runs were made."""


def shrink(
    plan: Plan,
    failing: Runner,
    progress: Callable[[str], None],
    *,
    faults: Collection[str],
    runs_max: int = RUNS_MAX,
) -> Plan:
    """
    A plan of the same seed and scenario that fails by the same checker, and is no larger.

    Args:
        plan: One that fails.
        failing: Runs a plan; equal plans have equal outcomes.
        progress: Told each step, a line of text.
        faults: Of what outcomes name as drawn, that which a plan can leave out.
        runs_max: After so many runs the smallest plan so far is what is returned; at least 1.

    Raises:
        HeldError: the plan does not fail.
    """
    runs = _Runs(failing, runs_max)
    if runs.outcome(plan).held:
        raise HeldError(f"every invariant held in `{plan.command()}`")
    search = _Search(plan, runs, faults, progress)
    try:
        while search.smaller():
            pass
    except _ExhaustedError:
        progress(f"{runs_max} runs were made: enough")
    return search.plan


class _Runs:
    """Outcomes by plan; no plan is run twice, and no more than so many are."""

    def __init__(self, run: Runner, runs_max: int) -> None:
        self._run = run
        self._left = runs_max
        self._outcomes: dict[Plan, Outcome] = {}

    def outcome(self, plan: Plan) -> Outcome:
        if plan not in self._outcomes:
            if not self._left:
                raise _ExhaustedError
            self._left -= 1
            self._outcomes[plan] = self._run(plan)
        return self._outcomes[plan]


class _Search:
    """The smallest failing plan so far, and how to find a smaller one."""

    def __init__(
        self, plan: Plan, runs: _Runs, faults: Collection[str], progress: Callable[[str], None]
    ) -> None:
        self.plan = plan
        self._runs = runs
        self._faults = faults
        self._progress = progress
        first = runs.outcome(plan)
        self._checker = first.violations[0].checker
        progress(f"{self._checker} fails with {self._size(first)}: {plan.command()}")

    def smaller(self) -> bool:
        """Whether a whole round made the plan smaller."""
        before = self.plan
        self._fewer_faults()
        nodes = self._runs.outcome(self.plan).nodes
        self._least(min(nodes, self.plan.nodes or nodes), self._with_nodes)
        seconds = self._runs.outcome(self.plan).virtual_seconds
        said = seconds if self.plan.minutes is None else self.plan.minutes * 60
        self._least(math.ceil(min(seconds, said) / STEP_S), self._with_steps)
        return self.plan != before

    def _fewer_faults(self) -> None:
        """Delta debugging: leave out ever smaller parts of what is left, as long as it goes on failing."""
        left = self._drawn(self._runs.outcome(self.plan))
        if left and self._fails(replace(self.plan, faults=())):
            return
        parts_count = 2
        while len(left) > 1:
            size = math.ceil(len(left) / parts_count)
            parts = [left[begin : begin + size] for begin in range(0, len(left), size)]
            found = next((rest for rest in _rests(parts) if self._fails_with(rest)), None)
            if found is not None:
                left, parts_count = found, max(parts_count - 1, 2)
            elif size == 1:
                return
            else:
                parts_count = min(parts_count * 2, len(left))

    def _fails_with(self, faults: Sequence[str]) -> bool:
        return self._fails(replace(self.plan, faults=tuple(faults)))

    def _with_nodes(self, count: int) -> Plan:
        return replace(self.plan, nodes=count)

    def _with_steps(self, count: int) -> Plan:
        return replace(self.plan, minutes=count * STEP_S / 60)

    def _least(self, high: int, plan_of: Callable[[int], Plan]) -> None:
        """
        Looks for the least number from 1 to `high` that fails; `high` is what the plan has already.

        First by doubling, because small runs are quick, then by halving the gap.  It is the least if all
        above it fail too, else some number above one that passes.
        """
        passing, failing = 0, 1
        while failing < high and not self._fails(plan_of(failing)):
            passing, failing = failing, failing * 2
        failing = min(failing, high)
        while failing - passing > 1:
            middle = (passing + failing) // 2
            if self._fails(plan_of(middle)):
                failing = middle
            else:
                passing = middle

    def _fails(self, plan: Plan) -> bool:
        """Whether it fails by the same checker; if so, it is the smallest from now on."""
        outcome = self._runs.outcome(plan)
        if self._checker not in {violation.checker for violation in outcome.violations}:
            return False
        if plan != self.plan:
            self.plan = plan
            self._progress(f"still with {self._size(outcome)}: {plan.command()}")
        return True

    def _drawn(self, outcome: Outcome) -> list[str]:
        return sorted(name for name in outcome.faults if name in self._faults)

    def _size(self, outcome: Outcome) -> str:
        faults, nodes = noun(len(self._drawn(outcome)), "fault"), noun(outcome.nodes, "node")
        return f"{faults}, {nodes}, {duration(outcome.virtual_seconds)}"


def _rests(parts: Sequence[Sequence[str]]) -> list[list[str]]:
    """Everything but one part, for each part."""
    return [[name for other in parts if other is not part for name in other] for part in parts]
