"""A removal has to wait for a daemon that is cut off, while others join and one restarts; then it is done."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 5
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth whole, a fifth with one dead and one cut off, a fifth with newcomers, and the rest healed."""
    victim, late, *others = stage.names
    stage.load(adds_per_s=2.0, hold_s=10.0, at=[late, *others])
    stage.run(stage.seconds / 5)
    stage.lose(victim)
    stage.split([late], others)
    stage.run(stage.seconds / 5)
    stage.claim("it waits for the one that is cut off", not stage.remove([victim], others[0], 0.0))
    fresh = stage.join(2)
    stage.run(stage.seconds / 10)
    stage.kill(others[-1])
    stage.run(stage.seconds / 20)
    stage.start(others[-1])
    stage.run(stage.seconds / 20)
    stage.heal()
    done = stage.remove([victim], others[0], stage.seconds / 5)
    stage.claim("it is done once that one is back", done)
    stage.run(stage.seconds / 5)
    stage.claim("newcomers serve", serve(stage, fresh))
    stage.run(stage.seconds / 5)
