"""A sees B and B sees C, but A and C do not see each other; those between must not be confused by it."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 6
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth whole, two fifths with a gap between two thirds, and the rest to heal."""
    left, _, right = (stage.names[part::3] for part in range(3))
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 5)
    stage.cut(left, right)
    stage.cut(right, left)
    stage.run(stage.seconds * 2 / 5)
    stage.heal()
    stage.run(stage.seconds * 2 / 5)
