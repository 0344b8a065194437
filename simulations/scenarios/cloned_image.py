"""A machine image is copied with its data directory, so that two daemons believe to be the same one."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 4
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A third before, then both are asked at once; later the copy is switched off, and all others go on."""
    original = stage.names[0]
    stage.load(adds_per_s=2.0, hold_s=10.0, at=stage.names)
    stage.run(stage.seconds / 3)
    copy = stage.clone(original)
    count = min(stage.pool_size // 8, 32)
    stage.claim(
        "the original serves half of those who ask both", stage.burst(2 * count, [original, copy]) == count
    )
    stage.run(stage.seconds / 6)
    stage.claim("the copy serves nobody", not stage.burst(count, [copy]))
    stage.claim("the original serves", serve(stage, [original]))
    stage.scrap(copy)
    stage.run(stage.seconds / 6)
    stage.claim("all serve", serve(stage, [one for one in stage.names if one != copy]))
    stage.run(stage.seconds / 6)
