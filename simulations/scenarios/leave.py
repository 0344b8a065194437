"""Daemons leave for good: they hand over all that they own, and only then go."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 5
MINUTES = 1.0
UNTIL = "needs `weaveipam leave`, which does not exist yet"


def play(stage: Stage) -> None:
    """A fifth whole, then all but two are drained and go one after the other, then quiet."""
    *leaving, _, _ = stage.names
    staying = stage.names[-2:]
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 5)
    stage.load(adds_per_s=2.0, hold_s=10.0, at=staying)
    for name in leaving:
        stage.release([name])
        # Here the daemon is to leave, and after that every address can be handed out by those who stay.
        stage.stop(name)
        stage.run(stage.seconds * 3 / 5 / len(leaving))
    stage.run(stage.seconds / 5)
