"""Histograms."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from simulations.outcome import Outcome
from simulations.report.palette import Palette
from simulations.report.plot import WIDTH
from simulations.report.spreads import LogAxis, draw_convergences, draw_totals


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_every_spell_is_in_a_column(times: list[float]) -> None:
    """The columns count all of them, zero and the longest included."""
    drawn = draw_convergences(times, {}, "x")
    counted = [int(number.replace(",", "")) for number in re.findall(r"\n([\d,]+) of ", drawn)]
    assert sum(counted) == len(times)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_the_axis_holds_every_time(times: list[float]) -> None:
    """In order, from the left edge to the right one."""
    axis = LogAxis.of(times)
    places = [axis.x(seconds) for seconds in sorted(times)]
    assert places == sorted(places)
    assert 0 <= places[0] <= places[-1] <= WIDTH
    assert axis.edges[0] <= max(min(times), 0.001) * 1.001
    assert len(axis.ticks) <= 14


def test_quantiles_are_named() -> None:
    """In the picture and in its words."""
    drawn = draw_convergences([0.1, 0.2, 3.0], {"p50": 0.2, "p99": 3.0, "max": 3.0}, "x")
    assert "p50 0.2 s, p99 3 s, max 3 s." in drawn
    assert drawn.count('class="quantile') == 6
    assert "3 spells of disagreement" in drawn


def test_no_disagreement_is_said() -> None:
    """In a sentence instead of a picture."""
    drawn = draw_convergences([], {}, "x")
    assert "always held the same rings" in drawn
    assert "<svg" not in drawn


def test_totals_name_the_machine_that_sent_most(make_outcome: Callable[..., Outcome]) -> None:
    """A column each, with its name and its bytes; names below them while there is room."""
    run = make_outcome()
    assert run.chart is not None
    last = replace(run.chart.samples[-1], sent_bytes=(1000, 9000, 0, 0, 0, 0, 0))
    chart = replace(run.chart, samples=(last,))
    drawn = draw_totals(chart, Palette(chart.machines), "x")
    assert "10 kB in all; the most, 9 kB, by n2." in drawn
    assert "n2\n9 kB" in drawn
    assert ">n8</text>" in drawn
    empty = replace(chart, machines=(), samples=())
    assert "0 B in all" in draw_totals(empty, Palette([]), "x")
