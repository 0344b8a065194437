"""The frame of every chart: axes, paths, and what stands around them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulations.report.markup import Markup
from simulations.report.plot import (
    WIDTH,
    Area,
    TimeAxis,
    draw,
    round_values,
    scale_for,
    short,
    stairs,
    stairs_between,
    thinned,
)


@pytest.mark.parametrize(
    ("end", "first", "last"),
    [(60.0, "0 s", "60 s"), (600.0, "0:00", "10:00"), (7200.0, "0:00", "2:00:00"), (604800.0, "0 d", "7 d")],
)
def test_ticks_are_round_times_of_the_whole_run(end: float, first: str, last: str) -> None:
    """From a fraction of a second to weeks: a few round times, from the beginning to the end."""
    ticks = TimeAxis(end).ticks
    assert (ticks[0].text, ticks[-1].text) == (first, last)
    assert (ticks[0].share, ticks[-1].share) == (0.0, 1.0)


@given(st.floats(0.01, 1e8))
def test_ticks_are_few_and_inside(end: float) -> None:
    """However long the run."""
    shares = [tick.share for tick in TimeAxis(end).ticks]
    assert 2 <= len(shares) <= 14
    assert all(0 <= share <= 1 + 1e-9 for share in shares)


@given(st.lists(st.floats(0, 1e12), max_size=5))
@example([5e-324])
def test_a_scale_has_room_for_all(values: list[float]) -> None:
    """Its top is no less than any value, and its round values lie on it."""
    scale = scale_for(values, 100)
    assert scale.top >= max(values, default=0)
    assert all(0 <= value <= scale.top * 1.001 for value in round_values(scale))
    assert scale.y(0) == 100
    assert scale.y(scale.top) == 0


def test_stairs_turn_only_where_the_value_changes() -> None:
    """Equal neighbours are one stretch, and the last value holds until the end."""
    assert stairs([(0, 10.0), (5, 10.0), (9, 2.5), (12, 2.5)], 20) == "M0 10H9V2.5H20"
    assert stairs([], 20) == ""
    assert stairs_between([(0, 1.0), (5, 2.0)], [(0, 9.0), (5, 8.0)], 20) == "M0 1H5V2H20V8H5V9H0Z"


@given(st.lists(st.floats(0, 1e6), unique=True).map(sorted), st.integers(1, 50))
def test_thinning_keeps_the_first_and_the_last(times: list[float], most: int) -> None:
    """What is left is in order, within the bound, and all of it if it was few enough."""
    kept = thinned(times, most)
    assert len(kept) <= max(most + 1, 1)
    assert kept == sorted(set(kept))
    if len(times) <= most:
        assert kept == list(range(len(times)))
    else:
        assert (kept[0], kept[-1]) == (0, len(times) - 1)


def test_values_in_the_gutter_are_short() -> None:
    """Thousands and more have a letter."""
    assert [short(0), short(250), short(12_000), short(1.5e6), short(2e9)] == [
        "0",
        "250",
        "12k",
        "1.5M",
        "2G",
    ]


def test_a_chart_says_what_it_shows() -> None:
    """The area is an image with a title and a description; the gutter is for eyes only."""
    area = Area(
        ident="r0-x",
        title="Space <over> time",
        text="Falls & rises.",
        height_px=50,
        ticks=TimeAxis(10).ticks,
        stretched=Markup(f'<path d="M0 0H{WIDTH}"></path>'),
        values=[(50.0, "0")],
        data=(("plot", "x"),),
    )
    root = ET.fromstring(draw(area))  # noqa: S314 - our own markup
    gutter, body = root
    assert root.get("data-plot") == "x"
    assert gutter.get("aria-hidden") == "true"
    assert body.get("aria-labelledby") == "r0-x-t r0-x-d"
    said = {one.tag: one.text for one in body if one.get("id") in {"r0-x-t", "r0-x-d"}}
    assert said == {"title": "Space <over> time", "desc": "Falls & rises."}
