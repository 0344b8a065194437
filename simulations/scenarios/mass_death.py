"""Two thirds of the daemons die at once; the survivors go on serving, and half of the dead come back."""

from __future__ import annotations

from simulations.asking import share
from simulations.stage import Stage

NODES = 9
MINUTES = 1.0
POOL = "10.32.0.0/22"


def play(stage: Stage) -> None:
    """A fifth whole, two fifths with a third, a fifth with two thirds, and the rest with all."""
    survivors, returning, late = (stage.names[part::3] for part in range(3))
    count = share(stage) * len(survivors)
    stage.load(adds_per_s=1.0, hold_s=5.0)
    stage.run(stage.seconds / 5)
    stage.kill(*returning, *late)
    stage.claim("the survivors serve at once", stage.burst(count, survivors) == count)
    stage.run(stage.seconds * 2 / 5)
    stage.claim("and still do when they know the others dead", stage.burst(count, survivors) == count)
    stage.start(*returning)
    stage.run(stage.seconds / 5)
    stage.start(*late)
    stage.run(stage.seconds / 5)
