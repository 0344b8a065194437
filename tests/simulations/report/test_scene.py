"""What the charts of a run share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simulations.outcome import Mark, Outcome, Violation
from simulations.report.scene import Scene, ended


def test_the_axis_has_room_for_everything(make_outcome: Callable[..., Outcome]) -> None:
    """Also for a violation after the end; not for a cut that was to last longer than the run."""
    run = make_outcome(violations=(Violation("late", 75.0, "Late."),))
    assert run.chart is not None
    long_cut = Mark("cut", 50.0, 900.0, ("n1",), "n1 | n2")
    run = replace(run, chart=replace(run.chart, marks=(long_cut,)))
    scene = Scene.of(run, "r0")
    assert scene.axis.end == 75.0
    assert scene.cuts == ((50.0, 75.0),)


def test_cuts_end_when_the_network_is_healed() -> None:
    """A cut without an end, or with a later one, ends with the next healing, which is a cut of nobody."""
    heal = Mark("cut", 30.0, None, (), "healed")
    open_end, later, before = (
        Mark("cut", at, until, ("a",), "") for at, until in ((10.0, None), (20.0, 50.0), (5.0, 8.0))
    )
    after = Mark("slow", 40.0, None, (), "")
    crash = Mark("crash", 12.0, None, ("a",), "")
    marks = ended((open_end, later, before, heal, after, crash), 60.0)
    assert [(mark.kind, mark.at, mark.until) for mark in marks] == [
        ("cut", 10.0, 30.0),
        ("cut", 20.0, 30.0),
        ("cut", 5.0, 8.0),
        ("slow", 40.0, 60.0),
        ("crash", 12.0, None),
    ]


def test_what_touches_is_one(make_outcome: Callable[..., Outcome]) -> None:
    """Overlapping cuts are shaded once; violations on one place of the axis are one line with all numbers."""
    near = (Violation("a", 24.0, ""), Violation("b", 10.0, ""), Violation("c", 24.001, ""))
    scene = Scene.of(make_outcome(violations=near), "r0")
    assert scene.cuts == ((12.0, 30.0),)
    assert scene.violations == ((10.0, (2,)), (24.0, (1, 3)))
    context = scene.context(50)
    assert context.upright.count("<line") == 2
    assert "cut-band" in context.stretched
    assert "cut-edge" in scene.context(50, shaded=False).stretched


def test_a_run_without_a_chart_has_a_scene(make_outcome: Callable[..., Outcome]) -> None:
    """Even one that took no time."""
    scene = Scene.of(replace(make_outcome(), chart=None, virtual_seconds=0.0), "r0")
    assert scene.axis.end > 0
    assert scene.context(10).stretched == ""
