"""Charts of what was counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from simulations.outcome import Chart, Outcome
from simulations.report.measures import POINTS_MAX, Measures
from simulations.report.palette import Palette
from simulations.report.scene import Scene

CHARTS = ("space", "machines", "answers", "opinions", "runs", "traffic")


def measures_of(run: Outcome, chart: Chart) -> Measures:
    """All charts of a run."""
    return Measures(chart, Scene.of(replace(run, chart=chart), "r0"), Palette(chart.machines, chart.owners))


@pytest.fixture
def run(make_outcome: Callable[..., Outcome]) -> Outcome:
    """A minute of eight machines."""
    return make_outcome()


def test_what_is_drawn_can_be_read(run: Outcome) -> None:
    """Every chart has its lines among the readings, as many values as its clock has times."""
    assert run.chart is not None
    measures = measures_of(run, run.chart)
    drawn = "".join(getattr(measures, name)() for name in CHARTS)
    document = measures.readings.document()
    assert {"space", "answers", "opinions", "runs", "traffic", "m0", "m7"} <= document["plots"].keys()
    for name, plot in document["plots"].items():
        assert f'data-plot="{name}"' in drawn
        for _, _, values in plot["lines"]:
            assert len(values) == len(document["clocks"][plot["clock"]])


def test_readings_are_the_samples(run: Outcome) -> None:
    """The sum of what machines use, and allocations each second."""
    assert run.chart is not None
    measures = measures_of(run, run.chart)
    measures.space()
    measures.answers()
    plots = measures.readings.document()["plots"]
    assert plots["space"]["lines"][0][2] == [sum(sample.used) for sample in run.chart.samples]
    given = [sample.given for sample in run.chart.samples]
    assert plots["answers"]["lines"][0][2][:-1] == [b - a for a, b in pairwise(given)]


def test_many_machines_have_one_chart_of_their_spread(make_outcome: Callable[..., Outcome]) -> None:
    """Instead of a small one each."""
    run = make_outcome(nodes=100, seconds=20)
    assert run.chart is not None
    measures = measures_of(run, run.chart)
    measures.machines()
    assert list(measures.readings.document()["plots"]) == ["free"]


def test_long_runs_are_thinned(make_outcome: Callable[..., Outcome]) -> None:
    """To so many points, of which one still shows the moment with the most opinions."""
    run = make_outcome(nodes=4, seconds=60)
    assert run.chart is not None
    many = tuple(replace(run.chart.samples[0], at=float(at)) for at in range(5000))
    peak = replace(many[1234], opinions=9)
    chart = replace(run.chart, samples=(*many[:1234], peak, *many[1235:]))
    measures = measures_of(run, chart)
    measures.opinions()
    document = measures.readings.document()
    assert len(document["clocks"]["full"]) <= POINTS_MAX
    assert max(document["plots"]["opinions"]["lines"][0][2]) == 9


@pytest.mark.parametrize("count", [0, 1, 2])
def test_runs_that_ended_at_once_are_drawn(run: Outcome, count: int) -> None:
    """With no sample, or hardly one."""
    assert run.chart is not None
    measures = measures_of(run, replace(run.chart, samples=run.chart.samples[:count]))
    assert all(getattr(measures, name)() for name in CHARTS)


def test_refusals_go_downwards(run: Outcome) -> None:
    """They have an area of their own if there were any, and none if not."""
    assert run.chart is not None
    calm = tuple(replace(sample, refused=0) for sample in run.chart.samples)
    shape = '<path d="M'
    troubled = measures_of(run, run.chart).answers()
    quiet = measures_of(run, replace(run.chart, samples=calm)).answers()
    assert 'class="area-refused"' in troubled
    assert 'class="area-refused"' not in quiet
    assert quiet.count(shape) == troubled.count(shape) - 1
