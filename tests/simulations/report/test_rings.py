"""Ownership over time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.outcome import BAND_CELLS, Chart, Outcome, Sample
from simulations.report.palette import Palette
from simulations.report.plot import WIDTH
from simulations.report.rings import NOBODY, Column, columns_of, draw_rings, rectangles
from simulations.report.scene import Scene

STRIPES = st.lists(st.lists(st.integers(-1, 3), min_size=6, max_size=6), max_size=12)


@given(STRIPES, st.sets(st.integers(0, 11)))
def test_rectangles_are_the_cells(stripes: list[list[int]], missing: set[int]) -> None:
    """Each cell of each column lies in exactly one rectangle, its owner's; nobody's, and gaps, in none."""
    columns = [
        Column(place, place + 1, tuple(cells)) for place, cells in enumerate(stripes) if place not in missing
    ]
    painted: dict[tuple[int, int], int] = {}
    for owner, found in rectangles(columns).items():
        for one in found:
            for x in range(one.left, one.right):
                for y in range(one.top, one.bottom):
                    assert painted.setdefault((x, y), owner) == owner
        assert sum(one.size for one in found) == sum(painted[cell] == owner for cell in painted)
    assert painted == {
        (column.left, y): owner
        for column in columns
        for y, owner in enumerate(column.cells)
        if owner != NOBODY
    }


def test_what_does_not_change_is_one_rectangle() -> None:
    """Over any number of columns."""
    columns = [Column(x, x + 1, (0,) * 100 + (1,) * 156) for x in range(500)]
    assert {owner: len(found) for owner, found in rectangles(columns).items()} == {0: 1, 1: 1}


@pytest.fixture
def run(make_outcome: Callable[..., Outcome]) -> Outcome:
    """A minute with two rings."""
    return make_outcome()


def chart_of(run: Outcome) -> Chart:
    """It has one."""
    assert run.chart is not None
    return run.chart


def test_columns_span_the_run(run: Outcome) -> None:
    """From the first sample to the right edge, without a gap; a ring that a sample lacks has one there."""
    chart, scene = chart_of(run), Scene.of(run, "r0")
    ring = min(chart.rings)
    columns = columns_of(chart, ring, scene.axis)
    assert (columns[0].left, columns[-1].right) == (0, WIDTH)
    assert all(a.right == b.left for a, b in pairwise(columns))
    samples = tuple(replace(one, bands={} if 10 <= one.at < 20 else one.bands) for one in chart.samples)
    fewer = columns_of(replace(chart, samples=samples), ring, scene.axis)
    assert len(fewer) == len(columns) - 10


def test_every_ring_and_every_owner_is_drawn(run: Outcome) -> None:
    """A chart with words for each ring, and a key with all owners in the order of machines and lives."""
    chart = chart_of(run)
    drawn = draw_rings(chart, Scene.of(run, "r0"), Palette(chart.machines, chart.owners))
    assert drawn.count("<figure>") == 2
    assert "10.32.0.0 to 10.32.15.255" in drawn
    assert 'data-first="169869312" data-size="4096" data-version="4"' in drawn
    assert "At the end: n" in drawn
    key = drawn[: drawn.index("</div>")]
    assert key.index(">n3<") < key.index(">n3&#x27;2<") < key.index(">n4<")
    assert "pale" in key


def test_rings_that_cannot_be_counted_are_drawn(run: Outcome) -> None:
    """Whatever the text says instead of two addresses, only the addresses are missing."""
    chart = replace(chart_of(run), rings=dict.fromkeys(chart_of(run).rings, "somewhere <else>"))
    drawn = draw_rings(chart, Scene.of(run, "r0"), Palette(chart.machines, chart.owners))
    assert "somewhere &lt;else&gt;" in drawn
    assert "data-first" not in drawn
    assert draw_rings(replace(chart, rings={}), Scene.of(run, "r0"), Palette(chart.machines)) == ""


@pytest.mark.slow
def test_the_worst_ring_is_drawn_in_bounded_space(run: Outcome) -> None:
    """Where every cell changes its owner at every sample, the chart is coarser, not larger."""
    chance = random.Random(1)
    samples: list[Sample] = [
        replace(
            chart_of(run).samples[0],
            at=float(at),
            bands={"r": tuple(chance.randrange(50) for _ in range(BAND_CELLS))},
        )
        for at in range(600)
    ]
    names = tuple(f"n{number}" for number in range(50))
    chart = replace(chart_of(run), machines=names, owners=names, rings={"r": ""}, samples=tuple(samples))
    scene = Scene.of(replace(run, virtual_seconds=600.0, chart=chart), "r0")
    assert len(draw_rings(chart, scene, Palette(names))) < 1_000_000
