"""Two thirds of the daemons are gone for good at once; the others serve, and then take over all they had."""

from __future__ import annotations

from simulations.asking import share
from simulations.stage import Stage

NODES = 9
MINUTES = 1.0
POOL = "10.32.0.0/22"


def play(stage: Stage) -> None:
    """A fifth whole, a fifth with a third, the removal of the dead in one command, the rest without them."""
    survivors = stage.names[::3]
    dead = [name for name in stage.names if name not in survivors]
    size, count = stage.pool_size, share(stage) * len(survivors)
    stage.load(adds_per_s=1.0, hold_s=5.0)
    stage.run(stage.seconds / 5)
    stage.lose(*dead)
    stage.claim("the survivors serve at once", stage.burst(count, survivors) == count)
    stage.run(stage.seconds / 5)
    stage.claim("and still do when they know the others dead", stage.burst(count, survivors) == count)
    stage.claim("one command removes all the dead", stage.remove(dead, survivors[0], stage.seconds / 5))
    stage.load(adds_per_s=0.0, hold_s=5.0)
    stage.run(stage.seconds / 5)
    stage.release()
    stage.run(stage.seconds / 5)
    stage.claim(f"the survivors hand out all {size} addresses", stage.burst(size, survivors) == size)
    stage.release()
    stage.run(stage.seconds / 5)
