"""Daemons restart on both sides of a split, and know only what their disks and their own side tell them."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 6
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth whole, then apart with one restart on each side, by a crash and in good order; then healed."""
    names = stage.names
    left, right = names[: len(names) // 2], names[len(names) // 2 :]
    both = [left[0], right[0]]
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 5)
    stage.split(left, right)
    stage.run(stage.seconds / 5)
    stage.kill(left[0])
    stage.stop(right[0])
    stage.run(stage.seconds / 20)
    stage.start(*both)
    stage.run(stage.seconds * 3 / 20)
    stage.claim("both serve on their own side", serve(stage, both))
    stage.heal()
    stage.run(stage.seconds * 2 / 5)
