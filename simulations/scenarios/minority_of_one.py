"""One daemon is cut off from all others, and goes on serving from its own free space."""

from __future__ import annotations

from simulations.asking import share
from simulations.stage import Stage

NODES = 5
MINUTES = 1.0
POOL = "10.32.0.0/22"


def play(stage: Stage) -> None:
    """A fifth whole, then apart; both sides are asked at once after the cut and again late in it."""
    lone, *others = stage.names
    count = share(stage)
    stage.load(adds_per_s=1.0, hold_s=5.0)
    stage.run(stage.seconds / 5)
    stage.split([lone], others)
    stage.claim("the lone daemon serves as soon as it is cut off", stage.burst(count, [lone]) == count)
    stage.claim("so do the others", stage.burst(count, others) == count)
    stage.run(stage.seconds * 2 / 5)
    stage.claim("it still serves when it takes all others for dead", stage.burst(count, [lone]) == count)
    stage.heal()
    stage.run(stage.seconds * 2 / 5)
