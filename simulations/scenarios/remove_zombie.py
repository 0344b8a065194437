"""A daemon stands still, is removed, and wakes up unaware when others have given out all that it owned."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 5
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth whole, a fifth with the zombie, a fifth without, a fifth with its next life, and quiet."""
    zombie, *others = stage.names
    size = stage.pool_size
    stage.run(stage.seconds / 5)
    stage.pause(zombie)
    stage.run(stage.seconds / 5)
    stage.claim("it is removed", stage.remove([zombie], others[0], stage.seconds / 5))
    given = stage.burst(size, others)
    stage.claim("the others hand out all there is", given == size)
    stage.run(stage.seconds / 5)
    stage.resume(zombie)
    stage.run(stage.seconds / 10)
    stage.claim("it has nothing left to hand out", stage.burst(1, [zombie]) == 0)
    stage.release(others)
    stage.run(stage.seconds / 10)
    stage.claim("it serves again, in its next life", serve(stage, [zombie]))
    stage.run(stage.seconds / 5)
