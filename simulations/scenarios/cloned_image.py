"""A machine image is copied with its data directory, so that two daemons believe to be the same one."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 4
MINUTES = 1.0
UNTIL = "needs daemons that find out that their disk was copied, which do not exist yet"


def play(stage: Stage) -> None:
    """A third before, then the copy runs beside the original and both are asked."""
    original = stage.names[0]
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 3)
    copy = stage.clone(original)
    stage.run(stage.seconds / 6)
    stage.burst(stage.pool_size // 4, [original, copy] if copy else [original])
    stage.run(stage.seconds / 2)
