"""The pool is nearly full and its pods come and go, so that space moves with nearly every request."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 5
MINUTES = 1.0
POOL = "10.32.0.0/26"
HOLD_S = 6.0


def play(stage: Stage) -> None:
    """A fifth at half of the pool, two fifths at nearly all of it, a fifth at more than all, then quiet."""
    for tenths, spans in ((5, 1), (9, 2), (12, 1)):
        stage.load(adds_per_s=stage.pool_size * tenths / 10 / HOLD_S, hold_s=HOLD_S)
        stage.run(stage.seconds * spans / 5)
    stage.load(adds_per_s=0.0, hold_s=HOLD_S)
    stage.release()
    stage.run(stage.seconds / 5)
    size = stage.pool_size
    stage.claim(f"all {size} addresses can be handed out again", stage.burst(size, stage.names) == size)
