"""
What all charts of one run share: the time axis, and what they show behind their own lines.

Behind them are the cuts of the network, shaded, and violations, as red lines.
Does not know what the charts show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from simulations.outcome import Mark, Outcome
from simulations.report.markup import Markup, el, many
from simulations.report.plot import TimeAxis


@dataclass(frozen=True, slots=True)
class Context:
    """What stands behind a chart; as `plot.Area` takes it."""

    stretched: Markup
    upright: Markup


@dataclass(frozen=True, slots=True)
class Scene:
    """One run's place in the page and in time."""

    ident: str
    """Unique in the page; begins every id of the run."""
    axis: TimeAxis
    cuts: tuple[tuple[float, float], ...]
    """When anything was cut, in order and apart; in seconds."""
    violations: tuple[tuple[float, str], ...]
    """When something was violated, and the numbers of those violations, from 1; one a place of the axis."""

    @classmethod
    def of(cls, outcome: Outcome, ident: str) -> Scene:
        """The scene of a run, long enough for all that is in it."""
        chart = outcome.chart
        marks = chart.marks if chart else ()
        moments = [outcome.virtual_seconds, *(violation.at for violation in outcome.violations)]
        moments += [mark.until if mark.until is not None else mark.at for mark in marks]
        if chart and chart.samples:
            moments.append(chart.samples[-1].at)
        axis = TimeAxis(max(moments) if max(moments) > 0 else 1.0)
        return cls(ident, axis, _together(marks, axis), _places(outcome, axis))

    def context(self, height_px: int, *, shaded: bool = True) -> Context:
        """For a chart of that height; cuts are shaded, or only their edges are drawn."""
        cuts = [(self.axis.x(begin), self.axis.x(end)) for begin, end in self.cuts]
        shape = "M{0} 0H{1}V{2}H{0}z" if shaded else "M{0} 0V{2}M{1} 0V{2}"
        path = "".join(shape.format(left, max(right, left + 1), height_px) for left, right in cuts)
        stretched = Markup()
        if path:
            kind = "cut-band" if shaded else "cut-edge"
            stretched = el("path", d=path, class_=kind, vector_effect="non-scaling-stroke")
        lines = many(
            el("line", x1=self.axis.percent(at), x2=self.axis.percent(at), y2=height_px, class_="violated")
            for at, _ in self.violations
        )
        return Context(stretched, lines)


def _together(marks: Sequence[Mark], axis: TimeAxis) -> tuple[tuple[float, float], ...]:
    """The times of all cuts, those that touch or overlap as one."""
    times = sorted(
        (mark.at, axis.end if mark.until is None else mark.until) for mark in marks if mark.kind == "cut"
    )
    joined: list[tuple[float, float]] = []
    for begin, end in times:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return tuple(joined)


def _places(outcome: Outcome, axis: TimeAxis) -> tuple[tuple[float, str], ...]:
    """Violations that fall on one unit of the axis are one line."""
    numbered = sorted((violation.at, number) for number, violation in enumerate(outcome.violations, 1))
    places = []
    for _, same in groupby(numbered, key=lambda pair: axis.x(pair[0])):
        group = list(same)
        first, last = min(number for _, number in group), max(number for _, number in group)
        places.append((group[0][0], str(first) if first == last else f"{first}-{last}"))
    return tuple(places)
