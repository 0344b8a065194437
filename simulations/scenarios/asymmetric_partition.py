"""Packets pass one way only between two halves; then only the other way; then both."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 6
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth whole, a quarter one way, a quarter the other way, and the rest to heal."""
    names = stage.names
    left, right = names[: len(names) // 2], names[len(names) // 2 :]
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 5)
    stage.cut(left, right)
    stage.run(stage.seconds / 4)
    stage.heal()
    stage.cut(right, left)
    stage.run(stage.seconds / 4)
    stage.heal()
    stage.run(stage.seconds * 3 / 10)
