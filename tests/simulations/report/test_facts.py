"""The words of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simulations.outcome import Outcome, Violation
from simulations.report.facts import (
    command,
    failures,
    lists,
    origin,
    reached,
    tail,
    tiles,
    verdict,
    violated,
)


def test_the_verdict_counts() -> None:
    """All held, or how many did not."""
    assert "all invariants held" in verdict(0)
    assert "1 violation<" in verdict(1)
    assert "2,000 violations" in verdict(2000)


def test_states_that_never_came_about_are_shown_as_such() -> None:
    """After those that did, and the sentence above counts both."""
    shown = reached({"b": 3, "never seen": 0, "a": 1})
    assert "2 of 3 came about" in shown
    assert shown.index(">a<") < shown.index(">b<") < shown.index("never seen")
    assert "once" in shown
    assert "3 times" in shown
    assert shown.count('class="never"') == 1
    assert "5 in 2 runs" in reached({"a": 5}, {"a": 2})


def test_every_violation_has_its_row() -> None:
    """With its number, time, checker and sentence, however many there are."""
    many = [Violation(f"checker-{number}", number / 10, f"Sentence {number}.") for number in range(2000)]
    shown = violated(many)
    assert shown is not None
    assert all(f"<td>Sentence {number}.</td>" in shown for number in range(2000))
    assert shown.count("<tr>") == 2001
    assert violated([]) is None


def test_reasons_go_from_the_commonest() -> None:
    """And equals by name."""
    shown = failures({"rare": 1, "often": 9, "also-rare": 1})
    assert shown.index("often") < shown.index("also-rare") < shown.index(">rare")
    assert "Nobody was refused" in failures({"exhausted": 0})


def test_all_facts_are_there(make_outcome: Callable[..., Outcome]) -> None:
    """Faults with their strengths, what could not be done, the command, the commit, and the numbers."""
    run = make_outcome()
    assert "each machine every 40 s" in lists(run)
    assert "netem is not in this kernel" in lists(run)
    assert "python -m simulations run --seed 17" in str(command(run.replay))
    assert run.commit in origin(run)
    assert run.trace_hash in origin(run)
    for shown in ("1.42 s", "48,211 events", "60 s", "612 B/s"):
        assert shown in tiles(run)


def test_what_is_not_there_is_not_shown(make_outcome: Callable[..., Outcome]) -> None:
    """No command, no tail, no faults, no spells, no wall time: sentences or nothing instead."""
    bare = replace(
        make_outcome(), faults={}, unavailable=(), convergence_seconds={}, wall_seconds=0.0, commit=""
    )
    assert command("") is None
    assert tail(()) is None
    assert "a calm run" in lists(bare)
    assert "Could not" not in lists(bare)
    assert "they always agreed" in tiles(bare)
    assert "not known" in origin(bare)
    assert "last 2 events" in str(tail(("a", "b")))
