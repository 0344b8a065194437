"""One daemon's link goes down and up again, time after time, too quickly for anybody to be sure."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 5
MINUTES = 1.0
FLAPS = 10


def play(stage: Stage) -> None:
    """A tenth before, six tenths of flapping, down for half of it, and the rest to heal."""
    flapping, *others = stage.names
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 10)
    for _ in range(FLAPS):
        stage.split([flapping], others)
        stage.run(stage.seconds * 3 / 10 / FLAPS)
        stage.heal()
        stage.run(stage.seconds * 3 / 10 / FLAPS)
    stage.claim("it serves after all that", serve(stage, [flapping]))
    stage.run(stage.seconds * 3 / 10)
