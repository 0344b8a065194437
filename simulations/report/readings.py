"""
Series of numbers from a run, and the document from which the page tells them under the pointer.

Does not know how they are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from simulations.outcome import Chart, Sample
from simulations.report.plot import thinned
from simulations.report.words import count


class Line(NamedTuple):
    """Values over time, by sample; each holds until the next."""

    label: str
    values: Sequence[float]
    unit: str = ""
    """`bytes/s`, or what stands behind a number."""


class Spread(NamedTuple):
    """Least, median and most of several values, by sample."""

    least: list[float]
    middle: list[float]
    most: list[float]

    @classmethod
    def of(cls, rows: Sequence[Sequence[float]]) -> Spread:
        """One row of values for each sample; 0 where a row is empty."""
        full = [row or (0,) for row in rows]
        return cls([min(row) for row in full], [median(row) for row in full], [max(row) for row in full])

    def lines(self, unit: str = "") -> list[Line]:
        """From the most to the least."""
        return [
            Line("most", self.most, unit),
            Line("median", self.middle, unit),
            Line("least", self.least, unit),
        ]


@dataclass(slots=True)
class Readings:
    """Times, and lines by chart."""

    clocks: dict[str, list[float]] = field(default_factory=dict)
    plots: dict[str, dict[str, Any]] = field(default_factory=dict)

    def clock(self, name: str, samples: Sequence[Sample]) -> None:
        """The moments of these samples, for the lines that name this clock."""
        self.clocks[name] = [_rounded(sample.at) for sample in samples]

    def add(self, plot: str, clock: str, lines: Sequence[Line]) -> None:
        """The lines of one chart, over the times of that clock."""
        told = [[line.label, line.unit, [_rounded(value) for value in line.values]] for line in lines]
        self.plots[plot] = {"clock": clock, "lines": told}

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"clocks": self.clocks, "plots": self.plots}


def picked(chart: Chart, most: int) -> list[Sample]:
    """The samples of a run, or if they are more, so many of them, evenly in time."""
    return [chart.samples[index] for index in thinned([sample.at for sample in chart.samples], most - 1)]


def peaks(chart: Chart, samples: Sequence[Sample], of: str) -> list[float]:
    """The most that a number of the samples reached from each of these on until before the next."""
    most: list[float] = []
    place = -1
    for sample in chart.samples:
        if place + 1 < len(samples) and sample is samples[place + 1]:
            place += 1
            most.append(0.0)
        if most:
            most[-1] = max(most[-1], float(getattr(sample, of)))
    return most


def rates(totals: Sequence[float], samples: Sequence[Sample]) -> list[float]:
    """By how much totals grew each second, until the next sample; the last as the one before."""
    grown = [
        max(later - earlier, 0) / (after.at - before.at) if after.at > before.at else 0.0
        for earlier, later, before, after in zip(totals, totals[1:], samples, samples[1:], strict=False)
    ]
    return [*grown, *(grown[-1:] or [0.0])][: len(totals)]


def sending(chart: Chart, samples: Sequence[Sample]) -> Spread:
    """Bytes each second of nodes that ran both at a sample and at the next; the last as the one before."""
    rows = []
    for before, after in pairwise(samples):
        passed = after.at - before.at
        rows.append(
            [
                max(at(after.sent_bytes, place) - at(before.sent_bytes, place), 0) / passed
                for place in range(len(chart.machines))
                if passed > 0 and at(before.running, place) and at(after.running, place)
            ]
        )
    rows += rows[-1:] or [[]]
    return Spread.of(rows[: len(samples)])


def of_running(sample: Sample, values: Sequence[int]) -> list[int]:
    """Those of the machines that run."""
    return [value for value, runs in zip(values, sample.running, strict=False) if runs]


def at(values: Sequence[int], place: int) -> int:
    """That of one machine; 0 before there was such a machine."""
    return values[place] if place < len(values) else 0


def course(label: str, values: Sequence[float]) -> str:
    """Where a line begins, how far it goes, and where it ends."""
    if not values:
        return f"No {label}."
    first, last = count(values[0]), count(values[-1])
    return f"{label}: {first} at first, {last} at the end, from {count(min(values))} to {count(max(values))}."


def _rounded(value: float) -> float:
    """Digits enough for people."""
    rounded = round(value, 2)
    return int(rounded) if rounded == int(rounded) else rounded
