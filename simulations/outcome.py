"""
What came of one run: the verdict, the measurements, and enough to draw it.

Does not know how it is shown, nor what made it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

BAND_CELLS = 256
"""Cells of one band: a column of the ownership chart."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never be."""

    checker: str
    """
    Name of the checker.

    Or `claim` for what a scenario says of itself, `node` for a node that raised or a daemon that ended by
    itself, `simulator` for a run that could not be finished.
    """
    at: float
    """Virtual seconds (on real hosts: seconds) since the beginning."""
    text: str
    """One sentence."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that was done to the cluster, or that happened in it; a point or a span of time."""

    kind: str
    """
    What kind of thing.

    `crash`, `start`, `stop`, `join`, `power-cut`, `pause`, `cut`, `slow`, `disk`, `clock`, `load` or `phase`.
    """
    at: float
    until: float | None
    """None: a moment."""
    machines: tuple[str, ...]
    """Those concerned; empty: all, or none in particular."""
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The cluster at one moment."""

    at: float
    running: tuple[bool, ...]
    """By machine, as in `Chart.machines`; False: down, paused or not serving."""
    free: tuple[int, ...]
    """Addresses by machine, over all pools."""
    used: tuple[int, ...]
    sent_bytes: tuple[int, ...]
    """By machine since the beginning."""
    bands: dict[str, tuple[int, ...]]
    """By ring: the owner of the address in the middle of each cell, as an index of `owners`; -1: nobody."""
    opinions: int
    """How many different rings the running daemons hold; 1: they agree."""
    runs: int
    """Of the largest ring."""
    given: int
    """Answers that gave an address since the beginning."""
    refused: int
    """Answers that gave none."""


@dataclass(frozen=True, slots=True)
class Chart:
    """What there is to draw."""

    machines: tuple[str, ...]
    owners: tuple[str, ...]
    """Lives that own or owned something, `NAME` or `NAME'2` for the second one and so on."""
    rings: dict[str, str]
    """Rings by name, with their first and last address as text."""
    samples: tuple[Sample, ...]
    marks: tuple[Mark, ...]
    convergences: tuple[float, ...]
    """Seconds of every spell during which daemons that reach each other held different rings."""


def percentiles(seconds: Iterable[float]) -> dict[str, float]:
    """`p50`, `p99` and `max` by nearest rank, to the millisecond; empty for none."""
    ordered = sorted(seconds)
    parts = {"p50": 0.5, "p99": 0.99, "max": 1.0} if ordered else {}
    return {name: round(ordered[math.ceil(len(ordered) * part) - 1], 3) for name, part in parts.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run."""

    seed: int
    scenario: str
    """Its name; `swarm` for faults drawn from the seed alone."""
    nodes: int
    virtual_seconds: float
    wall_seconds: float
    events: int
    violations: tuple[Violation, ...]
    trace_hash: str
    """Equal for equal runs, whatever the machine; of everything that happened, in order."""
    allocations: int
    """Answers that gave an address."""
    failures_by_reason: dict[str, int]
    gossip_bytes_per_node_per_second: float
    convergence_seconds: dict[str, float]
    """The `percentiles` of `Chart.convergences`."""
    ring_runs_max: int
    """Of the largest ring, in any sample."""
    ring_runs_final: int
    """Of the largest ring when all was settled, before the last addresses were asked for; 0: it never was."""
    reached: dict[str, int]
    """Rare situations, by name, and how often each came about; those that never did have 0."""
    faults: dict[str, str]
    """What was drawn from the seed: each fault by name, with its strength as text."""
    unavailable: tuple[str, ...] = ()
    """What was asked for and could not be done here, a sentence each."""
    replay: str = ""
    """The command that does this run again."""
    commit: str = ""
    """Of the sources, if they are in a repository."""
    tail: tuple[str, ...] = ()
    """The last events before the first violation, a line each; empty if there was none."""
    chart: Chart | None = field(default=None, repr=False)

    @property
    def held(self) -> bool:
        """Whether every invariant held."""
        return not self.violations

    def document(self) -> dict[str, Any]:
        """As JSON shows it: everything except what is only for drawing."""
        shown = asdict(replace(self, chart=None))  # first: a chart is large, and would be copied
        del shown["chart"]
        return shown
