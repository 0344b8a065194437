"""
The measurements by name: of which cluster, how often, for how long.

Does not know how a measurement is made, nor how results are kept and shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TypeAlias

from simulations.scale import bulk, live, members, removing, spreading
from simulations.scale.fleet import Fleet, Shape
from simulations.scale.spreading import Readings

SIZES = (10, 100, 1000, 5000)

Run: TypeAlias = Callable[..., Readings]
"""Called with a settled cluster that nobody else uses, the chance it takes, and perhaps seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One measurement; entries by size hold for that many nodes and more, up to the next entry."""

    name: str
    run: Run
    seeds: Mapping[int, int]
    """How many runs, by nodes."""
    policy: str = "ours"
    runs_count: int = 0
    """As of `Shape`."""
    seconds: Mapping[int, float] = field(default_factory=dict)
    """Virtual seconds that `run` is told to take, by nodes; empty: it is told nothing."""
    nodes_max: int = SIZES[-1]
    loopback: bool = False
    """As of `Shape`."""
    founders: int = 0
    """With how many nodes the cluster is made, which all others join; 0: with all."""

    def shape(self, nodes: int) -> Shape:
        """The cluster that it is made with."""
        if self.founders:
            return Shape(self.founders, joiners=nodes - self.founders)
        return Shape(nodes, self.runs_count, self.policy, self.loopback)

    def seeds_count(self, nodes: int) -> int:
        """How many runs with so many nodes; 0 if it is not made with so many."""
        return int(_at(self.seeds, nodes)) if nodes <= self.nodes_max else 0

    def take(self, fleet: Fleet, seed: int) -> Readings:
        """One run."""
        rng = Random(f"{self.name}/{seed}")
        fleet.reseed(f"{self.name}/{seed}/network")
        if not self.seconds:
            return self.run(fleet, rng)
        shape = fleet.shape
        return self.run(fleet, rng, _at(self.seconds, shape.nodes + shape.joiners))


def _at(by_nodes: Mapping[int, float], nodes: int) -> float:
    """The entry of the largest size that is not above."""
    return by_nodes[max(size for size in by_nodes if size <= max(nodes, min(by_nodes)))]


_SPREADS = {0: 5, 1000: 2, 5000: 1}
LOSSES = {"0": 0.0, "5": 0.05, "25": 0.25}
"""Shares of datagrams that are lost while statements spread, by percentage."""
_HOUR_S = 3600.0


def _all() -> tuple[Measurement, ...]:
    once = {0: 5, 1000: 2, 5000: 1}
    ours = [
        *(
            Measurement(name=f"spread-{name}", run=partial(spreading.spread, loss=loss), seeds=_SPREADS)
            for name, loss in LOSSES.items()
        ),
        Measurement(name="idle", run=members.idle, seeds={0: 1}, seconds={0: 120.0, 5000: 60.0}),
        Measurement(name="crash", run=members.crash, seeds={0: 10, 1000: 3, 5000: 1}),
        Measurement(
            name="lossy", run=members.lossy, seeds={0: 1}, seconds={0: _HOUR_S, 1000: 600.0, 5000: 60.0}
        ),
        Measurement(
            name="slowed", run=members.slowed, seeds={0: 1}, seconds={0: _HOUR_S, 1000: 300.0, 5000: 60.0}
        ),
        Measurement(name="mass-restart", run=members.mass_restart, seeds=once),
        Measurement(name="reclaim", run=removing.reclaim, seeds={0: 5, 1000: 2}, nodes_max=1000),
        Measurement(name="reclaim-900", run=removing.reclaim_most, seeds={0: 3, 1000: 1}, nodes_max=1000),
        Measurement(name="split", run=bulk.split, seeds={0: 1}, seconds={0: 600.0, 1000: 60.0, 5000: 30.0}),
        Measurement(name="missed", run=spreading.missed, policy="selective", seeds={0: 20, 1000: 5, 5000: 3}),
    ]
    theirs = [
        *(
            Measurement(
                name=f"memberlist-{name}",
                run=partial(spreading.spread, loss=loss),
                seeds=_SPREADS,
                policy="memberlist",
            )
            for name, loss in LOSSES.items()
        ),
        Measurement(
            name="memberlist-idle",
            run=members.idle,
            seeds={0: 1},
            policy="memberlist",
            # As long as all exchange everything once or more.
            seconds={0: 300.0, 5000: 120.0},
        ),
    ]
    joining = Measurement(name="newcomer", run=bulk.newcomer, seeds=once, runs_count=100_000, nodes_max=1000)
    massed = Measurement(
        name="mass-join",
        run=bulk.mass_join,
        seeds={0: 1},
        seconds={0: 60.0, 1000: 5.0},
        founders=3,
        nodes_max=1000,
    )
    real = Measurement(
        name="daemon", run=live.daemon, seeds={0: 1}, seconds={0: 60.0}, nodes_max=1000, loopback=True
    )
    return (*ours, *theirs, joining, massed, real)


ALL: Mapping[str, Measurement] = {one.name: one for one in _all()}
"""By name; those of one cluster stand together, as it is made once for them."""
