"""Rows of bars above the lanes."""

from __future__ import annotations

from collections.abc import Callable

from simulations.outcome import Mark, Outcome
from simulations.report.bars import BARS_MAX, ROWS_MAX, bar_rows, css_class, draw_bars, height_of
from simulations.report.scene import Scene


def cut(at: float, until: float) -> Mark:
    """One of many."""
    return Mark("cut", at, until, ("a", "b"), "a | b")


def test_bars_of_one_row_do_not_overlap() -> None:
    """Overlapping cuts are below each other; the next takes the first row that is free."""
    bars = bar_rows([cut(0, 10), cut(5, 8), cut(8, 12), cut(20, 30)], 60)["network"]
    assert [(bar.at, bar.row) for bar in bars] == [(0, 0), (5, 1), (8, 1), (20, 0)]


def test_rows_are_bounded() -> None:
    """However many cuts there are at once."""
    rows = bar_rows([cut(number / 100, 50) for number in range(100)], 60)
    assert max(bar.row for bar in rows["network"]) == ROWS_MAX - 1


def test_a_flapping_link_is_drawn_in_bounded_space() -> None:
    """A thousand cuts become bars that say how many they stand for, and no time of trouble is lost."""
    flaps = [cut(number, number + 0.5) for number in range(1000)]
    bars = bar_rows(flaps, 1000)["network"]
    assert len(bars) <= BARS_MAX
    assert "and" in bars[0].text
    assert all(any(bar.at <= flap.at and (flap.until or 0) <= bar.until for bar in bars) for flap in flaps)


def test_moments_are_flags_with_room_until_the_next() -> None:
    """Phases and loads without an end are no bars; of two at one time the later counts."""
    marks = [
        Mark("phase", 0.0, None, (), "all is healed"),
        Mark("phase", 0.0, None, (), "agreed"),
        Mark("phase", 30.0, 40.0, (), "quiet"),
        Mark("load", 5.0, None, (), "2 each second"),
    ]
    rows = bar_rows(marks, 60.0)
    assert [(bar.text, bar.until, bar.lasts) for bar in rows["phase"]] == [
        ("agreed", 30.0, False),
        ("quiet", 40.0, True),
    ]
    assert [(bar.until, bar.lasts) for bar in rows["load"]] == [(60.0, False)]
    assert list(rows) == ["phase", "load"]


def test_marks_of_single_machines_are_no_bars() -> None:
    """They have their lanes; what lasts and names nobody stands with the hosts."""
    rows = bar_rows([Mark("disk", 1, 2, ("a",), "full"), Mark("clock", 1, 2, (), "all clocks run fast")], 60)
    assert {name: [bar.text for bar in bars] for name, bars in rows.items()} == {
        "hosts": ["all clocks run fast"]
    }


def test_bars_show_their_text_and_tell_their_time(make_outcome: Callable[..., Outcome]) -> None:
    """Every bar has its words, escaped, and under the pointer when it was and for how long."""
    scene = Scene.of(make_outcome(), "r0")
    rows = bar_rows([Mark("cut", 10, 20, ("a",), "a <| b"), Mark("phase", 1, None, (), "go")], 60)
    drawn, names = draw_bars(rows, scene, 0)
    assert "a &lt;| b\n10.00 s to 20.00 s (10 s)" in drawn
    assert "bar phase flag" in drawn
    assert "network" in names
    assert height_of(rows) > 0
    assert css_class("power cut<") == "power-cut-"
