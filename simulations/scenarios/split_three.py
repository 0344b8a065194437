"""A clean split into three, all of which go on allocating; first two of them meet again, then all."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 6
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth whole, a fifth in three, a fifth in two, and the rest to heal."""
    first, second, third = (stage.names[part::3] for part in range(3))
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 5)
    stage.split(first, second, third)
    stage.run(stage.seconds / 5)
    stage.heal()
    stage.split([*first, *second], third)
    stage.run(stage.seconds / 5)
    stage.heal()
    stage.run(stage.seconds * 2 / 5)
