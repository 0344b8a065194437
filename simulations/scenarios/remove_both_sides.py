"""Both sides of a split remove the same dead daemon, and each other: at most one side may succeed."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 5
MINUTES = 1.0
UNTIL = "needs `weaveipam peer remove`, which does not exist yet"


def play(stage: Stage) -> None:
    """A fifth whole, two fifths apart, where the removals belong, and the rest to heal."""
    dead, *names = stage.names
    left, right = names[: len(names) // 2], names[len(names) // 2 :]
    stage.load(adds_per_s=2.0, hold_s=10.0, at=names)
    stage.run(stage.seconds / 5)
    stage.kill(dead)
    stage.split(left, right, [dead])
    # Here left[0] is to remove the dead one and the right side, and right[0] the dead one and the left side.
    stage.run(stage.seconds * 2 / 5)
    stage.heal()
    stage.run(stage.seconds / 5)
    stage.start(dead)
    stage.run(stage.seconds / 5)
