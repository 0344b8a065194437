"""A cluster doubles in size while its clients keep asking; every newcomer soon serves."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 4
MINUTES = 1.0
WAVES = 2


def play(stage: Stage) -> None:
    """A fifth before, two waves of newcomers, and a fifth after."""
    first = len(stage.names)
    stage.load(adds_per_s=4.0, hold_s=10.0)
    stage.run(stage.seconds / 5)
    for wave in range(WAVES):
        fresh = stage.join(first * (wave + 1) // WAVES - first * wave // WAVES)
        stage.claim("newcomers serve as soon as they are asked", serve(stage, fresh))
        stage.run(stage.seconds * 3 / 10)
    stage.run(stage.seconds / 5)
