"""All hosts power on at once while the network comes up late; each serves alone from what it owned."""

from __future__ import annotations

from simulations.asking import share
from simulations.stage import Stage

NODES = 5
MINUTES = 1.0
POOL = "10.32.0.0/22"


def play(stage: Stage) -> None:
    """A fifth before, a tenth without power, three tenths without a network, and the rest to heal."""
    names = stage.names
    count = share(stage) * len(names)
    stage.load(adds_per_s=1.0, hold_s=5.0)
    stage.run(stage.seconds / 5)
    stage.power_cut(*names)
    stage.split()
    stage.run(stage.seconds / 10)
    stage.start(*names)
    stage.run(stage.seconds * 3 / 10)
    stage.claim("each daemon serves alone", stage.burst(count, names) == count)
    stage.heal()
    stage.run(stage.seconds * 2 / 5)
