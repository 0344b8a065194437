"""
What was done to the whole cluster, as rows of bars above the lanes of the timeline.

Bars of one row do not overlap while there are rows left.  Does not know what the marks were for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from simulations.outcome import Mark
from simulations.report.markup import Child, Markup, el, many
from simulations.report.plot import WIDTH, percent
from simulations.report.scene import Scene
from simulations.report.words import count, duration, moment

BAR_PX = 18
ROWS_MAX = 6
"""Of one group; further bars are drawn over others."""
BARS_MAX = 240
"""Of one group; if there are more, those close together are drawn as one."""
FLAG_SHARE = 0.16
"""Of the width that is kept free for the text of a moment."""

_GROUPS = {"phase": "phase", "load": "load", "cut": "network", "slow": "network"}
"""Kinds that are bars, and the name of their rows; other kinds that are bars stand in the row `hosts`."""
_ONE_ROW = ("phase", "load")
"""Here the text of a moment has room until the next."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A mark, or several, above the lanes."""

    kind: str
    at: float
    until: float
    """Of a moment: until when its text has room."""
    text: str
    lasts: bool
    """False: a moment, drawn as a flag."""
    row: int = 0


def is_bar(mark: Mark) -> bool:
    """Whether a mark stands above the lanes: it concerns links, clients, or everybody for a while."""
    return mark.kind in _GROUPS or (mark.until is not None and not mark.machines)


def bar_rows(marks: Sequence[Mark], end: float) -> dict[str, list[Bar]]:
    """Bars by the name of their group, in the order in which they are drawn."""
    by_group: dict[str, list[Bar]] = {}
    for mark in sorted(filter(is_bar, marks), key=lambda mark: mark.at):
        until = min(mark.at + FLAG_SHARE * end, end) if mark.until is None else min(mark.until, end)
        bar = Bar(mark.kind, mark.at, until, mark.text, mark.until is not None)
        by_group.setdefault(_GROUPS.get(mark.kind, "hosts"), []).append(bar)
    for name in _ONE_ROW:
        if name in by_group:
            by_group[name] = _after_each_other(by_group[name], end)
    ordered = [name for name in ("phase", "load", "network", "hosts") if name in by_group]
    return {name: _packed(_fewer(by_group[name], end)) for name in ordered}


def _after_each_other(bars: Sequence[Bar], end: float) -> list[Bar]:
    """Moments have room until the next bar; of those at one time the last counts."""
    nexts = [*(bar.at for bar in bars[1:]), end]
    placed = [bar if bar.lasts else replace(bar, until=until) for bar, until in zip(bars, nexts, strict=True)]
    return [bar for bar in placed if bar.until > bar.at] or placed[-1:]


def _fewer(bars: Sequence[Bar], end: float) -> list[Bar]:
    """The same; if they are too many, those close together as one."""
    if len(bars) <= BARS_MAX:
        return list(bars)
    joined: list[list[Bar]] = []
    for bar in bars:
        if joined and bar.at - max(one.until for one in joined[-1]) < end / BARS_MAX:
            joined[-1].append(bar)
        else:
            joined.append([bar])
    return [_one(group) for group in joined]


def _one(group: Sequence[Bar]) -> Bar:
    first, more = group[0], len(group) - 1
    if not more:
        return first
    until = max(bar.until for bar in group)
    return replace(first, until=until, text=f"{first.text}, and {count(more)} more", lasts=True)


def _packed(bars: Sequence[Bar]) -> list[Bar]:
    """Each in the first row that is free, or if none is, in the one that is free first."""
    free: list[float] = []
    placed = []
    for bar in bars:
        row = next((row for row, at in enumerate(free) if at <= bar.at), len(free))
        if row == ROWS_MAX:
            row = free.index(min(free))
        if row == len(free):
            free.append(0.0)
        free[row] = bar.until
        placed.append(replace(bar, row=row))
    return placed


def height_of(rows: dict[str, list[Bar]]) -> int:
    """Pixels that they take."""
    return sum(map(_height, rows.values()))


def _height(bars: Sequence[Bar]) -> int:
    return BAR_PX * (1 + max(bar.row for bar in bars))


def draw_bars(rows: dict[str, list[Bar]], scene: Scene, top: float) -> tuple[Markup, Markup]:
    """The bars from there downwards, and the names of their groups for the gutter."""
    drawn: list[Child] = []
    names: list[Child] = []
    for name, bars in rows.items():
        names.append(el("text", name, y=f"{top + 12:g}"))
        drawn += [_bar(bar, scene, top + bar.row * BAR_PX) for bar in bars]
        top += _height(bars)
    return many(drawn), many(names)


def _bar(bar: Bar, scene: Scene, top: float) -> Markup:
    left, right = scene.axis.x(bar.at), scene.axis.x(bar.until)
    when = moment(bar.at)
    if bar.lasts:
        when += f" to {moment(bar.until)} ({duration(bar.until - bar.at)})"
    return el(
        "svg",
        el("rect", width="100%" if bar.lasts else 2, height=BAR_PX - 3, rx=2 if bar.lasts else None),
        el("rect", width="100%", height=BAR_PX - 3, class_="hit", data_t=f"{bar.text}\n{when}"),
        el("text", bar.text, x=5, y=11),
        x=percent(left / WIDTH),
        y=f"{top:g}",
        width=percent(max(right - left, 4) / WIDTH),
        height=BAR_PX - 3,
        class_=f"bar {css_class(bar.kind)}{'' if bar.lasts else ' flag'}",
    )


def css_class(kind: str) -> str:
    """A mark's kind as the name of a CSS class."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in kind)
