"""One daemon is killed again and again, sooner than it can settle, while its clients keep asking."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 4
MINUTES = 1.0
CRASHES = 10


def play(stage: Stage) -> None:
    """Six tenths of the time for the crashes, more of it up than down; then quiet."""
    victim = stage.names[0]
    turn_s = stage.seconds * 6 / 10 / CRASHES
    stage.load(adds_per_s=2.0, hold_s=5.0)
    stage.run(stage.seconds / 10)
    for _ in range(CRASHES):
        stage.kill(victim)
        stage.run(turn_s / 3)
        stage.start(victim)
        stage.run(turn_s * 2 / 3)
    stage.claim("it serves once it is left alone", serve(stage, [victim]))
    stage.run(stage.seconds * 3 / 10)
