"""Series from samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from simulations.outcome import Chart, Outcome
from simulations.report.readings import (
    Line,
    Readings,
    Spread,
    course,
    of_running,
    peaks,
    picked,
    rates,
    sending,
)


@pytest.fixture
def chart(make_outcome: Callable[..., Outcome]) -> Chart:
    """Of a run of a minute."""
    made = make_outcome().chart
    assert made is not None
    return made


def test_rates_are_growth_each_second(chart: Chart) -> None:
    """Between samples, never below zero, and the last goes on as the one before."""
    samples = [replace(chart.samples[0], at=at) for at in (0.0, 2.0, 3.0)]
    assert rates([0, 10, 4], samples) == [5.0, 0.0, 0.0]
    assert rates([3], samples[:1]) == [0.0]
    assert rates([], []) == []


def test_peaks_survive_thinning(chart: Chart) -> None:
    """However few samples are picked, the most that any of them saw is among the peaks."""
    few = picked(chart, 5)
    values = peaks(chart, few, "opinions")
    assert len(few) == len(values) == 5
    assert max(values) == max(sample.opinions for sample in chart.samples)


def test_only_running_nodes_count_as_senders(chart: Chart) -> None:
    """A node that is down at either end of a span is not a node that sends nothing."""
    before, after = (
        replace(chart.samples[0], at=at, running=running, sent_bytes=sent)
        for at, running, sent in ((0.0, (True, True, False), (0, 0, 0)), (2.0, (True, True, True), (8, 4)))
    )
    two = replace(chart, machines=("a", "b", "c"))
    assert sending(two, [before, after]) == Spread([2.0, 2.0], [3.0, 3.0], [4.0, 4.0])
    assert of_running(before, (5, 6, 7)) == [5, 6]


def test_what_is_told_is_short(chart: Chart) -> None:
    """Numbers for the page have two digits behind the point at most, and whole ones none."""
    readings = Readings()
    readings.clock("full", chart.samples[:2])
    readings.add("x", "full", [Line("used", [1.0, 1 / 3], "/s")])
    assert readings.document() == {
        "clocks": {"full": [0, 1]},
        "plots": {"x": {"clock": "full", "lines": [["used", "/s", [1, 0.33]]]}},
    }


def test_a_course_says_where_a_line_goes() -> None:
    """Its first and last value, and how far it went."""
    assert course("Used", [1, 9000, 4]) == "Used: 1 at first, 4 at the end, from 1 to 9,000."
    assert course("Used", []) == "No Used."
