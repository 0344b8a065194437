"""A week of a small cluster: clients by day and night, restarts, cuts, a power cut, two new hosts."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 3
MINUTES = 7 * 24 * 60.0
PRESET = "wan"
PROBE_INTERVAL_S = 60.0
"""So that a week costs a minute: what matters is how many things happen, and that others notice each."""
DAYS = 7
PODS_A_DAY = 1000
ADDS_PER_S_MAX = 4.0
CUT_S = 1800.0
"""Long enough for each side to take the other for dead."""


def play(stage: Stage) -> None:
    """Every day a restart and a cut; hosts join on the third and fifth, power fails on the sixth."""
    day_s = stage.seconds / DAYS
    adds_per_s = min(PODS_A_DAY / day_s, ADDS_PER_S_MAX)
    for day in range(1, DAYS + 1):
        name = stage.names[day % len(stage.names)]
        stage.load(adds_per_s, hold_s=day_s / 40)
        stage.run(day_s / 4)
        if day in {3, 5}:
            stage.join(1)
        stage.stop(name)
        stage.run(min(60.0, day_s / 20))
        stage.start(name)
        stage.run(day_s / 4)
        others = [one for one in stage.names if one != name]
        stage.split([name], others)
        stage.run(min(CUT_S, day_s / 20))
        sides = [name, others[0]]
        stage.claim(f"both sides of the cut of day {day} serve", serve(stage, sides))
        stage.heal()
        stage.load(adds_per_s / 10, hold_s=day_s / 10)
        if day == DAYS - 1:
            stage.power_cut(*stage.names)
            stage.run(min(600.0, day_s / 20))
            stage.start(*stage.names)
        stage.run(day_s / 2)
