"""
How something was spread: agreement over times, bytes over machines.

Does not know what would be good.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from simulations.outcome import Chart
from simulations.report.markup import Markup, el, many
from simulations.report.palette import Palette
from simulations.report.plot import WIDTH, Area, Scale, Tick, draw, percent, scale_for, shape, value_marks
from simulations.report.readings import at
from simulations.report.words import count, duration, noun, size

HEIGHT_PX = 150
BINS_PER_DECADE = 8
LEAST_S = 0.001
"""Shorter times are drawn as this."""
NAMED_COLUMNS_MAX = 16
"""Machines have their names below their columns if there are no more."""
_FACTORS = ((2, (1, 2, 5)), (4, (1, 3)))
"""By how many powers of ten there are at most: by what they are multiplied for ticks."""
GAP = 3
"""Units left free on both sides of a column."""


@dataclass(frozen=True, slots=True)
class LogAxis:
    """Seconds from left to right, in bins that are as many for each power of ten."""

    first: int
    last: int

    @classmethod
    def of(cls, times_s: Sequence[float]) -> LogAxis:
        """An axis for these, half a power of ten at least."""
        first = math.floor(_bins(min(times_s)) + 1e-9)
        last = math.floor(_bins(max(times_s)) + 1e-9) + 1
        return cls(first, max(last, first + BINS_PER_DECADE // 2))

    @property
    def edges(self) -> list[float]:
        """Seconds at which bins begin, and at which the last one ends."""
        return [10 ** (edge / BINS_PER_DECADE) for edge in range(self.first, self.last + 1)]

    def share(self, seconds: float) -> float:
        """Of the axis' length."""
        return min(max((_bins(seconds) - self.first) / (self.last - self.first), 0.0), 1.0)

    def x(self, seconds: float) -> int:
        """In units."""
        return round(WIDTH * self.share(seconds))

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Powers of ten, and some of their multiples if there are few."""
        edges = self.edges
        decades = (self.last - self.first) / BINS_PER_DECADE
        factors = next((some for most, some in _FACTORS if decades <= most), (1,))
        powers = range(math.floor(math.log10(edges[0])), math.ceil(math.log10(edges[-1])) + 1)
        times = [factor * 10.0**power for power in powers for factor in factors]
        inside = [seconds for seconds in times if edges[0] * 0.999 <= seconds <= edges[-1] * 1.001]
        return tuple(Tick(self.share(seconds), duration(seconds)) for seconds in inside)


def _bins(seconds: float) -> float:
    return math.log10(max(seconds, LEAST_S)) * BINS_PER_DECADE


def draw_convergences(times_s: Sequence[float], shares: Mapping[str, float], ident: str) -> Markup:
    """
    Histogram and empirical distribution of how long agreement took.

    Args:
        times_s: Seconds, in any order.
        shares: `p50`, `p99` and `max` of them, in seconds; as in `Outcome.convergence_seconds`.
        ident: Unique in the page.
    """
    spells = noun(len(times_s), "spell of disagreement", "spells of disagreement")
    title = "Time until all agree"
    if not times_s:
        note = el("p", "Daemons that reached each other always held the same rings.", class_="note")
        return el("figure", el("figcaption", el("b", title)), note)
    axis = LogAxis.of(times_s)
    ordered = sorted(max(seconds, LEAST_S) for seconds in times_s)
    bars, scale = _histogram(ordered, axis)
    named = [(name, shares[name]) for name in ("p50", "p99", "max") if name in shares]
    area = Area(
        ident=ident,
        title=title,
        text=f"{spells}; {', '.join(f'{name} {duration(seconds)}' for name, seconds in named)}.",
        height_px=HEIGHT_PX,
        ticks=axis.ticks,
        stretched=many([bars, shape(_distribution(ordered, axis), "line-ecdf")]),
        upright=many(_quantile(name, seconds, axis, row) for row, (name, seconds) in enumerate(named)),
        values=value_marks(scale),
        kind="spread",
    )
    key = el(
        "span",
        el("span", el("i", class_="swatch column"), "spells"),
        el("span", el("i", class_="swatch line-ecdf"), "share of them so far, 0 to 100 %"),
        class_="key",
        aria_hidden="true",
    )
    return el("figure", el("figcaption", el("b", title), " ", el("span", spells), key), draw(area))


def _histogram(ordered: Sequence[float], axis: LogAxis) -> tuple[Markup, Scale]:
    edges = axis.edges
    below = [0, *(bisect_right(ordered, edge * (1 + 1e-9)) for edge in edges[1:])]
    counts = [high - low for low, high in pairwise(below)]
    # Room above, for the names of the quantiles.
    scale = scale_for([max(counts) * 1.3], HEIGHT_PX)
    bars = many(
        _column(
            axis.x(low),
            axis.x(high),
            scale.y(number),
            "column",
            f"{duration(low)} to {duration(high)}\n{count(number)} of {count(len(ordered))}",
        )
        for low, high, number in zip(edges, edges[1:], counts, strict=False)
        if number
    )
    return bars, scale


def _distribution(ordered: Sequence[float], axis: LogAxis) -> str:
    """A path that rises from 0 to all of them."""
    path = [f"M0 {HEIGHT_PX}"]
    x = 0
    for place, seconds in enumerate(ordered, 1):
        here = axis.x(seconds)
        if place == len(ordered) or axis.x(ordered[place]) > here:
            path.append(f"H{here}V{HEIGHT_PX * (1 - place / len(ordered)):.1f}")
            x = here
    return "".join(path) + (f"H{WIDTH}" if x < WIDTH else "")


def _quantile(name: str, seconds: float, axis: LogAxis, row: int) -> Markup:
    share = axis.share(seconds)
    x = percent(share)
    right = share > 0.7  # noqa: PLR2004 - else the name would stand over the edge
    text = el(
        "text",
        f"{name} {duration(seconds)}",
        x=x,
        dx=-5 if right else 5,
        y=12 + 14 * row,
        class_="quantile end" if right else "quantile",
    )
    return many([el("line", x1=x, x2=x, y2=HEIGHT_PX, class_="quantile"), text])


def _column(left: int, right: int, y: float, kind: str, told: str) -> Markup:
    gap = GAP if right - left > 4 * GAP else 0
    path = f"M{left + gap} {HEIGHT_PX}V{y:g}H{right - gap}V{HEIGHT_PX}z"
    return el("path", d=path, class_=kind, data_t=told)


def draw_totals(chart: Chart, palette: Palette, ident: str) -> Markup:
    """Bytes that each machine sent in the whole run, a column each."""
    last = chart.samples[-1].sent_bytes if chart.samples else ()
    totals = [at(last, place) for place in range(len(chart.machines))]
    scale = scale_for(totals, HEIGHT_PX)
    edges = [round(WIDTH * place / max(len(totals), 1)) for place in range(len(totals) + 1)]
    columns = many(
        _column(left, right, scale.y(total), palette.of_machine(name), f"{name}\n{size(total)}")
        for name, total, left, right in zip(chart.machines, totals, edges, edges[1:], strict=False)
    )
    named = len(totals) <= NAMED_COLUMNS_MAX
    names = tuple(
        Tick((place + 0.5) / len(totals), name) for place, name in enumerate(chart.machines) if named
    )
    most = max(zip(totals, chart.machines, strict=True), default=(0, ""))
    area = Area(
        ident=ident,
        title="Bytes sent by machine",
        text=f"{size(sum(totals))} in all; the most, {size(most[0])}, by {most[1]}.",
        height_px=HEIGHT_PX,
        ticks=names,
        stretched=columns,
        values=value_marks(scale),
        kind="spread totals",
    )
    unit = f"in the whole run; {size(sum(totals))} in all"
    return el("figure", el("figcaption", el("b", "Bytes sent by machine"), " ", el("span", unit)), draw(area))
