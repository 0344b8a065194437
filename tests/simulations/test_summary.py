"""What people read of outcomes."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest

from simulations.many import attempt, failed
from simulations.outcome import Outcome, Violation
from simulations.plan import Plan
from simulations.summary import VIOLATIONS_MAX, of_many, of_one


@pytest.fixture
def held(doubles: ModuleType) -> Outcome:
    """A run that held."""
    return attempt(Plan(seed=1), doubles.hold)


@pytest.fixture
def broken(doubles: ModuleType) -> Outcome:
    """A run that did not."""
    return attempt(Plan(seed=5), doubles.fifth_fails)


def test_one_has_the_main_numbers(held: Outcome) -> None:
    """Verdict, sizes, answers, traffic, what was drawn and reached, and the hash, in this order."""
    lines = of_one(held)

    assert "held: swarm, seed 1, 9 nodes, 2 min in 0.5 s, 1,000 events" == lines[0]
    text = " ".join(" ".join(lines).split())
    numbers = [
        "allocations 10, 2 refused (exhausted 2)",
        "gossip 1.23 kB/s by each node",
        "convergence p50 0.1 s, p99 0.2 s, max 0.3 s",
        "ring 12 runs at most, 9 at the end",
        "drawn corrupt strong; crash strong",
        "reached 1 of 2: torn 1",
        "trace hash-1",
    ]
    places = [text.find(one) for one in numbers]
    assert -1 not in places, text
    assert sorted(places) == places


def test_what_is_not_there_has_no_line(held: Outcome) -> None:
    """A run without convergence, faults or landmarks says nothing of them."""
    bare = replace(held, convergence_seconds={}, faults={}, reached={})

    assert ["allocations", "gossip", "ring", "trace"] == [line.split()[0] for line in of_one(bare)[1:]]


def test_what_could_not_be_done_is_said(held: Outcome) -> None:
    """What a stage had no means for stands among the numbers, each a sentence."""
    text = "\n".join(of_one(replace(held, unavailable=("no netem here", "no second network"))))

    assert "no netem here" in text
    assert "no second network" in text


def test_a_failure_has_all_that_replays_it(broken: Outcome) -> None:
    """Seed, commit, command, each violation with its time, and the events before the first."""
    text = "\n".join(of_one(replace(broken, commit="abc123")))

    assert text.startswith("FAILED by uniqueness: swarm, seed 5")
    assert "seed 5 failed, commit abc123" in text
    assert "\n  python -m simulations run --seed 5\n" in text
    assert "  1.50 s  uniqueness: 10.0.0.1 was given twice" in text
    assert text.endswith("  1.0 n1 crash")


def test_not_all_violations_are_printed(broken: Outcome) -> None:
    """Of a thousand violations the first are printed, and the others counted."""
    violations = tuple(Violation("coverage", float(number), f"number {number}") for number in range(1000))

    text = "\n".join(of_one(replace(broken, violations=violations)))

    assert f"number {VIOLATIONS_MAX - 1}\n" in text
    assert f"number {VIOLATIONS_MAX}\n" not in text
    assert f"and {1000 - VIOLATIONS_MAX} more" in text


def test_many_are_summed(held: Outcome) -> None:
    """Counts are sums, and a situation that no seed reached is named with what that means."""
    lines = of_many(
        [held, replace(held, seed=2), replace(held, seed=3, reached={"torn": 4, "refuted": 0})], 60
    )

    assert "held: 3 runs, 6 min in 60 s, 3,000 events" == lines[0]
    text = " ".join(" ".join(lines).split())
    assert "allocations 30, 6 refused (exhausted 6)" in text
    assert "reached 1 of 2: torn 6" in text
    assert "never reached refuted - these seeds prove nothing about them" in text
    assert "crash 3" in text


def test_all_reached_has_no_warning(held: Outcome) -> None:
    """Where every situation came about, nothing is called unproved."""
    assert "never" not in "\n".join(of_many([replace(held, reached={"torn": 1})], 1))


def test_many_with_failures(held: Outcome, broken: Outcome) -> None:
    """One failure is told in full, the others have the line that replays them and what they failed by."""
    other = failed(Plan(seed=7, nodes=4), "no memory")

    lines = of_many([held, broken, other], 60)

    assert lines[0].startswith("FAILED: 2 of 3 runs")
    assert "seed 5 failed, commit " in "\n".join(lines)
    assert "  python -m simulations run --seed 7 --nodes 4  # simulator" == lines[-1]
    assert "failed by uniqueness 1, simulator 1" in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("columns", [20, 80, 400])
def test_rows_fit_the_screen(held: Outcome, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """No row of numbers is wider than the screen, or than what is read with ease."""
    monkeypatch.setenv("COLUMNS", str(columns))
    reached = {f"situation-{number}": number for number in range(100)}

    assert max(len(line) for line in of_one(replace(held, reached=reached))) <= min(max(columns, 60), 110)
