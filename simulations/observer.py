"""
Looks at a world at regular times: states what everybody shows, takes samples, measures disagreement.

Disagreement is when daemons that reach each other hold different rings.
Changes nothing: questions to daemons are not part of the run.  Does not know what is right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ring.address import Range, format_address
from ring.ring import Peer, Run
from simulations.facts import Observed, View
from simulations.machine import Machine
from simulations.outcome import BAND_CELLS, Chart, Mark, Sample
from simulations.pools import hulls_of
from simulations.views import runs_of, view_of
from simulations.world import World

SMALL = 12
"""Machines up to which rings are compared whenever ownership may have changed."""
MACHINES_PER_S = 10
"""Of a larger world, those looked at in each virtual second on average."""
COMPARE_S, COMPARE_S_MAX = 0.005, 0.5
"""Seconds until rings that differ are compared again, at first and at most."""
SAMPLES_MAX = 600
"""Of one chart."""
NOBODY = -1


class Observer:
    """Everything that is measured of a run as it goes."""

    def __init__(self, world: World, seconds: float) -> None:
        self.world = world
        self.marks: list[Mark] = []
        self.spells: list[float] = []
        """Seconds of every spell of disagreement that has ended."""
        self.runs_max = 0
        """Of the largest ring, ever."""
        self.runs_final = 0
        """Of the largest ring, when all was settled."""
        self._latest: dict[str, View] = {}
        self._seconds = seconds
        self._quick, self._interval_s, self._sample_s = True, 1.0, 1.0
        self._comparing = False
        self._sampled_at = -math.inf
        self._samples: list[Sample] = []
        self._owners: dict[Peer, int] = {}
        self._reach: dict[str, frozenset[str]] = {}
        self._spell_since: float | None = None
        self._hulls = hulls_of(world.layout.pools)

    def start(self) -> None:
        """Look from now on, the more rarely the more machines there are."""
        many = len(self.world.machines)
        self._quick = many <= SMALL
        self._interval_s = 1.0 if self._quick else many / MACHINES_PER_S
        self._sample_s = max(self._interval_s, self._seconds / SAMPLES_MAX)
        self.world.on_ownership = self.ownership_changed
        self._look()

    def observe(self, *, settled: bool = False, gone: frozenset[str] = frozenset()) -> dict[str, View]:
        """State what everybody shows now, and return it."""
        views = self.views()
        reach = self._reach_now()
        held = {name: reach[name] & self._reach.get(name, frozenset()) for name in reach}
        self._reach = reach
        self.world.hear(Observed(self.world.now, views, settled, gone, held))
        if settled:
            self.runs_final = _runs_of(views)
        return views

    def views(self) -> dict[str, View]:
        """What every daemon shows that can be asked now."""
        world = self.world
        return {name: view_of(one, world.rings) for name, one in world.machines.items() if world.serving(one)}

    def mark(self, kind: str, text: str, machines: Sequence[str] = (), seconds: float | None = None) -> None:
        """Note something for the chart that happens now, and lasts so long."""
        now = self.world.now
        if kind == "cut":  # it may be over before the next look
            self._reach = {}
        self.marks.append(Mark(kind, now, None if seconds is None else now + seconds, tuple(machines), text))

    def chart(self) -> Chart:
        """What there is to draw."""
        lives: dict[str, int] = {}
        owners = []
        for peer in self._owners:
            lives[peer.name] = lives.get(peer.name, 0) + 1
            owners.append(peer.name if lives[peer.name] == 1 else f"{peer.name}'{lives[peer.name]}")
        hulls = {
            str(
                ring
            ): f"{format_address(ring.family, hull.start)} {format_address(ring.family, hull.stop - 1)}"
            for ring, hull in self._hulls.items()
        }
        return Chart(
            tuple(self.world.machines),
            tuple(owners),
            hulls,
            tuple(_padded(self._samples, len(self.world.machines))),
            tuple(self.marks),
            tuple(self.spells),
        )

    # Looking

    def _look(self) -> None:
        views = self.observe()
        if self.world.now >= self._sampled_at + self._sample_s:
            self._sampled_at = self.world.now
            self._samples.append(self._sample(views))
        if not self._comparing:
            self._comparing = True
            self._compare(COMPARE_S if self._quick else self._interval_s)
        self.world.timeline.after(self._interval_s, self._look)

    def _sample(self, views: Mapping[str, View]) -> Sample:
        world = self.world
        self._latest |= views
        # A daemon that is busy with its disk just now shows what it showed before.
        shown = [
            self._latest.get(name) if one.running and not one.paused else None
            for name, one in world.machines.items()
        ]
        views = {view.life.name: view for view in shown if view is not None}
        rings = [view.rings for view in views.values() if view.serving]
        best = max(rings, key=lambda one: sum(map(len, one.values())), default={})
        runs = _runs_of(views)
        self.runs_max = max(self.runs_max, runs)
        return Sample(
            at=world.now,
            running=tuple(view is not None and view.serving for view in shown),
            free=tuple(0 if view is None else sum(view.free.values()) for view in shown),
            used=tuple(0 if view is None else sum(view.used.values()) for view in shown),
            sent_bytes=tuple(world.network.sent_bytes.get(name, 0) for name in world.machines),
            bands={str(ring): self._band(hull, best.get(ring, ())) for ring, hull in self._hulls.items()},
            opinions=len({tuple(one.items()) for one in rings}),
            runs=runs,
            given=world.given_count,
            refused=sum(world.failures.values()),
        )

    def _band(self, hull: Range, runs: Sequence[Run]) -> tuple[int, ...]:
        cells = []
        upcoming = iter(runs)
        run = next(upcoming, None)
        for cell in range(BAND_CELLS):
            middle = hull.start + (2 * cell + 1) * hull.size // (2 * BAND_CELLS)
            while run is not None and run.stop <= middle:
                run = next(upcoming, None)
            if run is None or middle < run.start:
                cells.append(NOBODY)
            else:
                cells.append(self._owners.setdefault(run.owner, len(self._owners)))
        return tuple(cells)

    def _reach_now(self) -> dict[str, frozenset[str]]:
        """By machine, those with which it could exchange packets now, both ways, if they ran."""
        world = self.world
        names = [one.name for one in world.running()]
        if not world.network.is_cut:
            everybody = frozenset(names)
            return dict.fromkeys(names, everybody)
        reaches = world.network.reaches
        return {
            one: frozenset(other for other in names if reaches(one, other) and reaches(other, one))
            for one in names
        }

    def ownership_changed(self) -> None:
        """Compare rings from now on, until they are the same."""
        if self._quick and not self._comparing:
            self._comparing = True
            self._compare(COMPARE_S)

    def _compare(self, again_s: float) -> None:
        """Note when a spell of disagreement begins and when it ends; look ever more rarely while it lasts."""
        now = self.world.now
        self._comparing = not self.agree()
        if self._comparing:
            self._spell_since = now if self._spell_since is None else self._spell_since
            self.world.timeline.after(again_s, self._compare, max(again_s, min(1.2 * again_s, COMPARE_S_MAX)))
        elif self._spell_since is not None:
            self.spells.append(now - self._spell_since)
            self._spell_since = None

    def agree(self) -> bool:
        """Whether all daemons that reach each other hold the same rings, as far as they can be asked."""
        world = self.world
        machines = [one for one in world.running() if world.serving(one)]
        held = {one.name: self._rings(one) for one in machines}
        if len(set(held.values())) <= 1:
            return True
        if not world.network.is_cut:
            return False
        reach = self._reach_now()
        return all(
            held[one] == held[other] for one in held for other in held if one < other and other in reach[one]
        )

    def _rings(self, machine: Machine) -> tuple[tuple[Run, ...], ...]:
        return tuple(runs_of(machine, ring) for ring in self.world.rings)


def _runs_of(views: Mapping[str, View]) -> int:
    """How many runs the largest ring has."""
    rings = (runs for view in views.values() if view.serving for runs in view.rings.values())
    return max(map(len, rings), default=0)


def _padded(samples: Sequence[Sample], machines_count: int) -> list[Sample]:
    """Samples with a place for every machine, also for those that came later."""
    padded = []
    for one in samples:
        missing = machines_count - len(one.running)
        none = (0,) * missing
        padded.append(
            Sample(
                one.at,
                one.running + (False,) * missing,
                one.free + none,
                one.used + none,
                one.sent_bytes + none,
                one.bands,
                one.opinions,
                one.runs,
                one.given,
                one.refused,
            )
        )
    return padded
