"""
Looks at a world at regular times: states what everybody shows, takes samples, measures disagreement.

Disagreement is when daemons that reach each other hold different rings.
Changes nothing: questions to daemons are not part of the run.  Does not know what is right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ring.ring import Run
from simulations.facts import Observed, View
from simulations.machine import Machine
from simulations.outcome import Chart, Mark
from simulations.pools import shown_pools
from simulations.samples import Samples
from simulations.views import runs_of, view_of
from simulations.world import World

SMALL = 12
"""Machines up to which rings are compared whenever ownership may have changed."""
MACHINES_PER_S = 10
"""Of a larger world, those looked at in each virtual second on average."""
COMPARE_S, COMPARE_S_MAX = 0.005, 0.5
"""Seconds until rings that differ are compared again, at first and at most."""
LOOKS_MAX = 10_000
"""Of one run: in one of a week daemons are asked once a minute."""
SAMPLES_MAX = 600
"""Of one chart."""


class Observer:
    """Everything that is measured of a run as it goes."""

    def __init__(self, world: World, seconds: float) -> None:
        self.world = world
        self.marks: list[Mark] = []
        self.samples = Samples(world.layout.pools)
        self.spells: list[float] = []
        """Seconds of every spell of disagreement that has ended."""
        self._latest: dict[str, View] = {}
        self._seconds = seconds
        self._quick, self._interval_s, self._sample_s = True, 1.0, 1.0
        self._comparing = False
        self._sampled_at = -math.inf
        self._reach: dict[str, frozenset[str]] = {}
        self._spell_since: float | None = None

    def start(self) -> None:
        """Look from now on, the more rarely the more machines there are."""
        many = len(self.world.machines)
        self._quick = many <= SMALL
        often_s = 1.0 if self._quick else many / MACHINES_PER_S
        self._interval_s = max(often_s, self._seconds / LOOKS_MAX)
        self._sample_s = max(self._interval_s, self._seconds / SAMPLES_MAX)
        self.world.on_ownership = self.ownership_changed
        self._look()

    def observe(self, *, settled: bool = False, gone: frozenset[str] = frozenset()) -> dict[str, View]:
        """State what everybody shows now, and return it."""
        views = self.views()
        self.world.pools = shown_pools(views, self.world.pools)
        reach = self._reach_now()
        held = {name: reach[name] & self._reach.get(name, frozenset()) for name in reach}
        self._reach = reach
        self.world.hear(Observed(self.world.now, views, settled, gone, held))
        if settled:
            self.samples.settle(views.values())
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
        return self.samples.chart(self.world.machines, self.marks, self.spells)

    # Looking

    def _look(self) -> None:
        views = self.observe()
        if self.world.now >= self._sampled_at + self._sample_s:
            self._sampled_at = self.world.now
            self._sample(views)
        if not self._comparing:
            self._comparing = True
            self._compare(COMPARE_S if self._quick else self._interval_s)
        self.world.timeline.after(self._interval_s, self._look)

    def _sample(self, views: Mapping[str, View]) -> None:
        world = self.world
        self._latest |= views
        # A daemon that is busy with its disk just now shows what it showed before.
        shown = {
            name: self._latest.get(name) if one.running and not one.paused else None
            for name, one in world.machines.items()
        }
        rings = [view.rings for view in shown.values() if view is not None and view.serving]
        # One is enough: there may be thousands, and they hardly ever differ.
        drawn = max(rings, key=lambda one: sum(map(len, one.values())), default={})
        refused = sum(world.failures.values())
        self.samples.take(world.now, shown, [drawn], world.network.sent_bytes, world.given_count, refused)

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
