"""Daemons leave for good: they hand over all that they own, and only then go."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 5
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth whole, then all but two are drained and leave one after the other, then quiet."""
    *leaving, _, _ = stage.names
    staying = stage.names[-2:]
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 5)
    stage.load(adds_per_s=2.0, hold_s=10.0, at=staying)
    for name in leaving:
        stage.leave(name)
        stage.run(stage.seconds * 3 / 5 / len(leaving))
    stage.load(adds_per_s=0.0, hold_s=10.0)
    stage.release()
    stage.run(stage.seconds / 5)
    given = stage.burst(stage.pool_size, staying)
    stage.claim("all of the pool can be had from those who stay", given == stage.pool_size)
    stage.release()
    stage.claim("they serve", serve(stage, staying))
