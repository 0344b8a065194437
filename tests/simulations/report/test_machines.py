"""The timeline of machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from simulations.outcome import Chart, Mark, Outcome, Violation
from simulations.report.machines import GROUPS_MAX, LANES_MAX, draw_timeline, lanes_of, running_spans
from simulations.report.palette import Palette
from simulations.report.scene import Scene


@pytest.fixture
def chart(make_outcome: Callable[..., Outcome]) -> Chart:
    """Of a run of a minute."""
    made = make_outcome().chart
    assert made is not None
    return made


def test_marks_say_exactly_when_a_machine_was_down(chart: Chart) -> None:
    """The crash at 21.6 s and the start at 28.2 s, not the samples after them, bound the gap."""
    assert running_spans(chart, 2, 60.0) == [(0.0, 21.6), (28.2, 60.0)]
    assert running_spans(chart, 6, 60.0) == [(0.0, 33.0), (37.2, 60.0)]
    assert running_spans(chart, 7, 60.0) == [(42.0, 60.0)]


def test_without_marks_samples_say_it(chart: Chart) -> None:
    """A change that no mark explains is at the first sample that shows it."""
    bare = replace(chart, marks=())
    assert running_spans(bare, 2, 60.0) == [(0.0, 22.0), (29.0, 60.0)]
    assert running_spans(replace(bare, samples=()), 2, 60.0) == []
    assert running_spans(replace(bare, machines=(*chart.machines, "n9")), 8, 60.0) == []


@pytest.mark.parametrize("count", [0, 1, LANES_MAX, LANES_MAX + 1, 1000])
def test_lanes_hold_every_machine_once(count: int) -> None:
    """In order and in bounded height, however many there are."""
    lanes = lanes_of([f"n{number}" for number in range(count)], 10)
    assert [place for lane in lanes for place in lane.members] == list(range(count))
    assert len(lanes) <= max(LANES_MAX, GROUPS_MAX)
    assert all(lane.top >= 10 for lane in lanes)


def test_the_timeline_shows_cuts_violations_and_signs(make_outcome: Callable[..., Outcome]) -> None:
    """All that happened is in the picture, and what can be read of it is in its words."""
    run = make_outcome(violations=(Violation("unique", 24.0, "Twice."),))
    assert run.chart is not None
    drawn = draw_timeline(run.chart, Scene.of(run, "r0"), Palette(run.chart.machines))
    assert "n1, n2, n3, n4 | n5, n6, n7" in drawn
    assert "▼ 1" in drawn
    assert drawn.count('class="violated"') == 1
    assert "cut-band" in drawn
    for kind in ("crash", "start", "join", "disk", "clock", "pause", "stop", "power-cut"):
        assert f"sign {kind}" in drawn
    assert "8 machines" in drawn


def test_many_machines_are_drawn_as_groups(make_outcome: Callable[..., Outcome]) -> None:
    """A lane for several shows how many of them run, and their marks."""
    run = make_outcome(nodes=200, seconds=20)
    assert run.chart is not None
    drawn = draw_timeline(run.chart, Scene.of(run, "r0"), Palette(run.chart.machines))
    assert drawn.count('"crowd"') == 40
    assert "n1 to n5" in drawn
    assert "sign crash" in drawn


def test_an_empty_run_has_an_empty_timeline(make_outcome: Callable[..., Outcome]) -> None:
    """No machines, no samples, no marks: still a picture."""
    run = make_outcome()
    assert run.chart is not None
    nothing = replace(run.chart, machines=(), samples=(), marks=())
    scene = Scene.of(replace(run, chart=nothing), "r0")
    assert "nothing happened" in draw_timeline(nothing, scene, Palette([]))
    lone = replace(nothing, machines=("n1",), marks=(Mark("crash", 1.0, None, ("n1",), ""),))
    assert "sign crash" in draw_timeline(lone, Scene.of(replace(run, chart=lone), "r0"), Palette(["n1"]))
