"""A virtual machine is restored, disk and pods, after its daemon gave space away; its peers know better."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 4
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth before the snapshot, then the others take all they can get, then the machine is restored."""
    restored, *others = stage.names
    stage.load(adds_per_s=1.0, hold_s=5.0)
    stage.run(stage.seconds / 5)
    stage.snapshot(restored)
    stage.run(stage.seconds / 10)
    stage.burst(stage.pool_size * 3 // 4, others)
    stage.run(stage.seconds / 10)
    stage.roll_back(restored)
    stage.run(stage.seconds / 5)
    stage.burst(stage.pool_size // 4, [restored])
    stage.run(stage.seconds / 5)
    stage.release(others)
    stage.run(stage.seconds / 5)
    stage.claim("it serves again", serve(stage, [restored]))
