"""A canary, then two batches: hosts are drained, their daemons stopped, and started anew (same version)."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 6
MINUTES = 2.0


def play(stage: Stage) -> None:
    """Half of the time for the canary, nearly all the rest for two batches."""
    canary, *rest = stage.names
    batches = ([canary], rest[: len(rest) // 2], rest[len(rest) // 2 :])
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 10)
    for batch, tenths in zip(batches, (4, 2, 2), strict=True):
        turn_s = stage.seconds * tenths / 10
        staying = [name for name in stage.names if name not in batch]
        stage.load(adds_per_s=2.0, hold_s=10.0, at=staying)
        stage.release(batch)
        stage.stop(*batch)
        stage.run(turn_s / 4)
        stage.claim("who is not upgraded serves", serve(stage, staying))
        stage.start(*batch)
        stage.load(adds_per_s=2.0, hold_s=10.0)
        stage.run(turn_s * 3 / 4)
        stage.claim("who was upgraded serves", serve(stage, batch))
    stage.run(stage.seconds / 10)
