"""A restored machine gives space away for the second time, while all who know better are cut off from it."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 4
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A tenth before the snapshot; the others take all they can get; after as long apart two own the same."""
    restored, *others, ignorant = stage.names
    stage.run(stage.seconds / 10)
    stage.kill(ignorant)
    stage.snapshot(restored)
    stage.burst(stage.pool_size * 3 // 4, others)
    stage.release(others)
    stage.split([restored, ignorant], others)
    stage.roll_back(restored, apart=True)
    stage.start(ignorant)
    stage.run(stage.seconds / 5)
    stage.burst(stage.pool_size // 2, [ignorant])
    stage.heal()
    stage.run(stage.seconds / 5)
    stage.claim("everything else is handed out meanwhile", serve(stage, stage.names))
    stage.resolve()
    stage.run(stage.seconds / 5)
    stage.claim("what was decided is contested no more", stage.contested() == 0)
    stage.release()
    stage.run(stage.seconds * 3 / 10)
    stage.claim("it serves again", serve(stage, stage.names))
