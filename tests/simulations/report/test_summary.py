"""Several runs at a glance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simulations.outcome import Outcome, Violation
from simulations.report.summary import draw_summary, headline


def test_every_run_has_its_row(make_outcome: Callable[..., Outcome]) -> None:
    """In their order, those with violations marked; only those that are shown are links."""
    broken = make_outcome(2, violations=(Violation("unique", 1.0, "Twice."),))
    runs = [make_outcome(1), broken, replace(make_outcome(3), replay="again <3>")]
    shown = draw_summary(runs, ["r0", "r1", None])
    assert shown.count('<tr class="broken">') == 1
    assert 'href="#r0"' in shown
    assert "#r2" not in shown
    assert 'title="again &lt;3&gt;"' in shown
    assert "1 with violations" in shown


def test_rare_states_are_summed_over_all(make_outcome: Callable[..., Outcome]) -> None:
    """With the number of runs that reached them; what no run reached is said to be never reached."""
    one = replace(make_outcome(1), reached={"refutation": 2, "freeze": 0})
    two = replace(make_outcome(2), reached={"refutation": 5, "freeze": 0, "torn": 1})
    shown = draw_summary([one, two], ["r0", "r1"])
    assert "7 in 2 runs" in shown
    assert "1 in 1 run<" in shown
    assert "2 of 3 came about" in shown
    assert shown.count(">never<") == 1


def test_rows_can_be_sorted_by_number(make_outcome: Callable[..., Outcome]) -> None:
    """Cells that show units or nothing carry the number itself."""
    calm = replace(make_outcome(1), convergence_seconds={}, chart=None)
    shown = draw_summary([calm, make_outcome(2)], ["r0", "r1"])
    assert 'data-v="-1"' in shown
    assert 'data-v="612.5"' in shown


def test_the_headline_names_what_was_run(make_outcome: Callable[..., Outcome]) -> None:
    """One seed, a span of seeds, or how many runs of how many scenarios."""
    runs = [make_outcome(seed) for seed in (3, 4, 5)]
    assert headline(runs[:1]) == "swarm, seed 3"
    assert headline(runs) == "swarm, seeds 3 to 5"
    assert headline([runs[0], runs[2]]) == "swarm, 2 runs"
    assert headline([runs[0], replace(runs[0], scenario="idle")]) == "2 scenarios, 2 runs"
