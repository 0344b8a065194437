"""
What all charts of one run share: the time axis, and what they show behind their own lines.

Behind them are the cuts of the network, shaded, and violations, as red lines.
Does not know what the charts show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    marks: tuple[Mark, ...]
    """As `ended` makes them."""
    cuts: tuple[tuple[float, float], ...]
    """When anything was cut, in order and apart; in seconds."""
    violations: tuple[tuple[float, tuple[int, ...]], ...]
    """When something was violated, and the numbers of those violations, from 1; one a place of the axis."""

    @classmethod
    def of(cls, outcome: Outcome, ident: str) -> Scene:
        """The scene of a run, long enough for all that is in it."""
        chart = outcome.chart
        moments = [outcome.virtual_seconds, *(violation.at for violation in outcome.violations)]
        if chart:
            moments += [sample.at for sample in chart.samples[-1:]]
            moments += [mark.at for mark in chart.marks]
        axis = TimeAxis(max(moments) if max(moments) > 0 else 1.0)
        marks = ended(chart.marks if chart else (), axis.end)
        return cls(ident, axis, marks, _together(marks), _places(outcome, axis))

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


def ended(marks: Sequence[Mark], end: float) -> tuple[Mark, ...]:
    """
    The same, but no trouble of the network lasts longer than the network's healing, and none has no end.

    A `cut` that names no machines and has no end is such a healing; it is left out.
    """
    healings = sorted(mark.at for mark in marks if _heals(mark))
    kept = []
    for mark in marks:
        if mark.kind in ("cut", "slow") and not _heals(mark):
            healed = next((at for at in healings if at > mark.at), end)
            until = healed if mark.until is None else min(mark.until, healed)
            kept.append(replace(mark, until=until))
        elif not _heals(mark):
            kept.append(mark)
    return tuple(kept)


def _heals(mark: Mark) -> bool:
    return mark.kind == "cut" and not mark.machines and mark.until is None


def _together(marks: Sequence[Mark]) -> tuple[tuple[float, float], ...]:
    """The times of all cuts, those that touch or overlap as one."""
    times = sorted((mark.at, mark.until) for mark in marks if mark.kind == "cut" and mark.until is not None)
    joined: list[tuple[float, float]] = []
    for begin, end in times:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return tuple(joined)


def _places(outcome: Outcome, axis: TimeAxis) -> tuple[tuple[float, tuple[int, ...]], ...]:
    """Violations that fall on one unit of the axis are one line."""
    numbered = sorted((violation.at, number) for number, violation in enumerate(outcome.violations, 1))
    places = []
    for _, same in groupby(numbered, key=lambda pair: axis.x(pair[0])):
        group = list(same)
        places.append((group[0][0], tuple(number for _, number in group)))
    return tuple(places)
