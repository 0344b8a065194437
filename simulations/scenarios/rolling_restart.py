"""One daemon after the other is stopped and started again, under load; its neighbours serve meanwhile."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 5
MINUTES = 1.5


def play(stage: Stage) -> None:
    """A tenth before, a tenth after, and the same time for each daemon in between, a third of it down."""
    names = stage.names
    turn_s = stage.seconds * 8 / 10 / len(names)
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 10)
    for name, neighbour in zip(names, [*names[1:], names[0]], strict=True):
        stage.stop(name)
        stage.run(turn_s / 3)
        stage.claim(f"{neighbour} serves while {name} is down", serve(stage, [neighbour]))
        stage.start(name)
        stage.run(turn_s * 2 / 3)
    stage.claim("all serve again", serve(stage, names))
    stage.run(stage.seconds / 10)
