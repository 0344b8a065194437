"""The daemon that takes over a dead one's space dies half-way; another finishes, and nothing is lost."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 5
MINUTES = 1.0
UNTIL = "needs `weaveipam peer remove`, which does not exist yet"


def play(stage: Stage) -> None:
    """A fifth whole, then a death, the removal, the second death, and the rest with the taker back."""
    victim, taker, *others = stage.names
    stage.load(adds_per_s=2.0, hold_s=10.0, at=others)
    stage.run(stage.seconds / 5)
    stage.kill(victim)
    stage.run(stage.seconds / 5)
    # Here the taker is to remove the victim; after its death, others[0] is to remove both.
    stage.kill(taker)
    stage.run(stage.seconds * 3 / 10)
    stage.start(taker)
    stage.run(stage.seconds * 3 / 10)
