"""Many runs at once: every plan has its outcome, whatever becomes of the process that runs it."""

from __future__ import annotations

import json
import multiprocessing
from types import ModuleType

import pytest

from simulations.many import SIMULATOR, attempt, failed, run_all
from simulations.outcome import Outcome
from simulations.plan import Plan


def plans(*seeds: int) -> list[Plan]:
    """A plan for each seed."""
    return [Plan(seed=seed) for seed in seeds]


@pytest.mark.slow
def test_every_plan_has_its_outcome(doubles: ModuleType) -> None:
    """Each seed comes back once, and says what it says in a process of its own."""
    outcomes = list(run_all(plans(*range(1, 12)), doubles.fifth_fails, jobs=2))

    assert list(range(1, 12)) == sorted(one.seed for one in outcomes)
    assert [5, 10] == sorted(one.seed for one in outcomes if not one.held)


@pytest.mark.slow
def test_outcomes_are_those_of_this_process(doubles: ModuleType) -> None:
    """Where a plan is run makes no difference to its outcome."""
    [there] = run_all(plans(5), doubles.fifth_fails, jobs=1)

    assert attempt(Plan(seed=5), doubles.fifth_fails) == there


@pytest.mark.slow
def test_trouble_of_one_run_is_its_own(doubles: ModuleType) -> None:
    """An exception, a process that is killed and one that ends are failed outcomes that say which it was."""
    outcomes = {one.seed: one for one in run_all(plans(1, 2, 3, 4, 5, 6), doubles.troubles, jobs=2)}

    assert [1, 2, 3, 4, 5, 6] == sorted(outcomes)
    assert [2, 3, 4] == sorted(seed for seed, one in outcomes.items() if not one.held)
    texts = {seed: one.violations[0].text for seed, one in outcomes.items() if not one.held}
    assert "raised KeyError: 'something that is not there'" in texts[2]
    assert "killed with signal 9" in texts[3]
    assert "ended with status 7" in texts[4]
    assert "python -m simulations run --seed 3" == outcomes[3].replay


@pytest.mark.slow
def test_leaving_early_leaves_no_process(doubles: ModuleType) -> None:
    """Who stops listening after the first outcome leaves no process behind."""
    before = set(multiprocessing.active_children())
    results = run_all(plans(*range(1, 9)), doubles.hold, jobs=2)
    first = next(results)

    results.close()

    assert first.held
    assert before == set(multiprocessing.active_children())


def test_an_exception_is_an_outcome_with_its_stack(doubles: ModuleType) -> None:
    """A simulator that raises fails by SIMULATOR, and the events before it are the stack."""
    outcome = attempt(Plan(seed=2, nodes=4), doubles.troubles)

    assert [SIMULATOR] == [one.checker for one in outcome.violations]
    assert "KeyError" in outcome.tail[-1]
    assert 4 == outcome.nodes


def test_an_outcome_always_says_how_to_replay_it(doubles: ModuleType) -> None:
    """The command of the plan is filled in where the run gave none."""
    outcome: Outcome = attempt(Plan(seed=6, faults=()), doubles.hold)

    assert "python -m simulations run --seed 6 --faults none" == outcome.replay


def test_a_failed_outcome_can_be_shown() -> None:
    """The outcome of a run that has none is a document like any other, with one violation."""
    document = json.loads(json.dumps(failed(Plan(seed=8), "no memory").document()))

    assert [{"checker": SIMULATOR, "at": 0.0, "text": "no memory"}] == document["violations"]
