"""A clean split into two halves, both of which go on allocating; then it heals."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 6
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth of the time whole, two fifths apart, and the rest to heal."""
    names = stage.names
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 5)
    stage.split(names[: len(names) // 2], names[len(names) // 2 :])
    stage.run(stage.seconds * 2 / 5)
    stage.heal()
    stage.run(stage.seconds * 2 / 5)
