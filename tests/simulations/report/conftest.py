"""Runs that were never run, with everything in them that a report shows."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from simulations.outcome import BAND_CELLS, Chart, Mark, Outcome, Sample, Violation

CELL_ADDRESSES = 16
RINGS = {"10.32.0.0/20": "10.32.0.0 - 10.32.15.255", "fd00:10::/116": "fd00:10:: - fd00:10::fff"}


class _Story:
    """A cluster that is cut in two, loses a machine, gets it back in a second life, and grows."""

    def __init__(self, seed: int, nodes: int, seconds: int) -> None:
        self._random = random.Random(seed)
        self._seconds = seconds
        self.machines = tuple(f"n{place + 1}" for place in range(nodes))
        self._crashed = nodes // 3
        self._paused = nodes - 2
        self._joiner = nodes - 1
        self.owners = (*self.machines, f"{self.machines[self._crashed]}'2")
        first = nodes - 1
        even = [cell * first // BAND_CELLS for cell in range(BAND_CELLS)]
        self._bands = {name: list(even) for name in sorted(RINGS)}
        self._sent = [0] * nodes
        self._used = [0] * nodes
        self._given = self._refused = 0

    def _at(self, share: float) -> float:
        return round(self._seconds * share, 2)

    def _running(self, place: int, at: float) -> bool:
        down = {
            self._crashed: (0.36, 0.47),
            self._paused: (0.55, 0.62),
            self._joiner: (0.0, 0.7),
        }.get(place, (0.0, 0.0))
        return not self._at(down[0]) <= at < self._at(down[1])

    def samples(self) -> tuple[Sample, ...]:
        return tuple(self._sample(float(at)) for at in range(self._seconds + 1))

    def _sample(self, at: float) -> Sample:
        nodes = len(self.machines)
        apart = self._at(0.2) <= at < self._at(0.45)
        self._move(at)
        running = tuple(self._running(place, at) for place in range(nodes))
        owned = [0] * nodes
        for band in self._bands.values():
            for owner in band:
                if owner >= 0:
                    owned[owner % nodes] += CELL_ADDRESSES
        for place, runs in enumerate(running):
            if runs:
                self._sent[place] += self._random.randint(300, 900) * (3 if apart else 1)
                self._used[place] = min(
                    owned[place], max(0, self._used[place] + self._random.randint(-20, 36))
                )
        self._given += self._random.randint(8, 20)
        self._refused += self._random.randint(0, 5) if apart else 0
        return Sample(
            at=at,
            running=running,
            free=tuple(max(o - u, 0) for o, u in zip(owned, self._used, strict=True)),
            used=tuple(self._used),
            sent_bytes=tuple(self._sent),
            bands={name: tuple(band) for name, band in self._bands.items()},
            opinions=self._random.randint(2, 3) if apart else 1 + (self._random.random() < 0.15),
            runs=sum(a != b for a, b in zip(band_of(self._bands), band_of(self._bands)[1:], strict=False))
            + 1,
            given=self._given,
            refused=self._refused,
        )

    def _move(self, at: float) -> None:
        """Now and then a part of somebody's space goes to somebody who needs it."""
        nodes = len(self.machines)
        for band in self._bands.values():
            if self._random.random() < 0.6:
                taker = self._random.choice([place for place in range(nodes) if self._running(place, at)])
                first = self._random.randrange(BAND_CELLS - 12)
                for cell in range(first, first + self._random.randint(2, 12)):
                    band[cell] = taker
            if self._at(0.47) <= at < self._at(0.49):
                band[:] = [nodes if owner == self._crashed else owner for owner in band]
            if self._at(0.49) <= at < self._at(0.51):
                band[40:52] = [-1] * 12
            if self._at(0.51) <= at < self._at(0.53):
                band[40:52] = [1] * 12

    def marks(self) -> tuple[Mark, ...]:
        names, half = self.machines, len(self.machines) // 2
        crashed, paused, joiner = names[self._crashed], names[self._paused], names[self._joiner]
        left, right = ", ".join(names[:half]), ", ".join(names[half:-1])
        at = self._at
        return (
            Mark("phase", 0.0, at(0.8), (), "faults"),
            Mark("phase", at(0.8), None, (), "healed: all must agree"),
            Mark("load", 0.0, None, (), "12 requests/s, held for 10 s"),
            Mark("load", at(0.7), None, (), "30 requests/s, held for 5 s"),
            Mark("cut", at(0.2), at(0.45), names[:-1], f"{left} | {right}"),
            Mark("cut", at(0.4), at(0.5), names[1:3], f"{names[1]} cannot reach {names[2]}"),
            Mark("slow", at(0.6), at(0.72), names[:2], "200 ms more, 5 % lost"),
            Mark("crash", at(0.36), None, (crashed,), "between two effects"),
            Mark("disk", at(0.36), None, (crashed,), "lost: the next life remembers nothing"),
            Mark("disk", at(0.25), at(0.33), names[1:2], "full"),
            Mark("start", at(0.47), None, (crashed,), "a new life"),
            Mark("pause", at(0.55), at(0.62), (paused,), "stopped"),
            Mark("clock", at(0.15), None, names[2:3], "jumps by -3 s"),
            Mark("join", at(0.7), None, (joiner,), "by n1"),
            Mark("stop", at(0.9), None, names[4:5], "in good order"),
            Mark("start", at(0.91), None, names[4:5], "from its disk"),
            Mark("power-cut", at(0.75), None, names[3:4], "and on again at once"),
        )

    def convergences(self) -> tuple[float, ...]:
        return tuple(round(self._random.lognormvariate(-0.6, 0.7), 3) for _ in range(140))


def band_of(bands: dict[str, list[int]]) -> list[int]:
    """That of the first ring."""
    return bands[min(bands)]


def make(
    seed: int = 17, nodes: int = 8, seconds: int = 60, violations: tuple[Violation, ...] = ()
) -> Outcome:
    """A run; equal arguments give equal runs."""
    story = _Story(seed, nodes, seconds)
    samples = story.samples()
    convergences = story.convergences()
    ordered = sorted(convergences)
    return Outcome(
        seed=seed,
        scenario="swarm",
        nodes=nodes,
        virtual_seconds=float(seconds),
        wall_seconds=1.42,
        events=48_211,
        violations=violations,
        trace_hash="6d3f0a41c9e7725be0d8",
        allocations=samples[-1].given,
        failures_by_reason={"not-ready": 7, "exhausted": samples[-1].refused, "overloaded": 1},
        gossip_bytes_per_node_per_second=612.5,
        convergence_seconds={"p50": ordered[69], "p99": ordered[138], "max": ordered[139]},
        ring_runs_max=max(sample.runs for sample in samples),
        ring_runs_final=samples[-1].runs,
        reached={
            "torn write recovered": 2,
            "grant repeated after a crash": 1,
            "refutation": 31,
            "range frozen": 0,
            "store lost": 1,
            "stream reset in a packet": 4,
            "epoch wrapped": 0,
        },
        faults={
            "loss": "4 % of datagrams",
            "delay": "exponential, 20 ms, at least 1 ms",
            "crash": "each machine every 40 s",
            "partition": "two groups, 15 s",
            "disk": "1 in 5 crashes loses it",
            "clock": "drift up to 200 ppm",
        },
        unavailable=("netem is not in this kernel: delay is made by a switch of our own.",),
        replay=f"python -m simulations run --seed {seed}",
        commit="4d2e908c1b",
        tail=tuple(f"{21 + place / 100:.2f} n3 sends 48 bytes to n{place % 8 + 1}" for place in range(40))
        if violations
        else (),
        chart=Chart(
            machines=story.machines,
            owners=story.owners,
            rings=RINGS,
            samples=samples,
            marks=story.marks(),
            convergences=convergences,
        ),
    )


@pytest.fixture
def make_outcome() -> Callable[..., Outcome]:
    """Makes a run: `make_outcome(seed, nodes, seconds, violations)`, all of which may be left out."""
    return make
