"""The daemon that takes over a dead one's space dies half-way; another finishes, and nothing is lost."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 5
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth whole, a fifth after a death, the removal and the second death, and the rest without both."""
    victim, taker, *others = stage.names
    stage.load(adds_per_s=2.0, hold_s=10.0, at=others)
    stage.run(stage.seconds / 5)
    stage.lose(victim)
    stage.run(stage.seconds / 5)
    stage.impair([others[-1]], delay_s=stage.seconds / 100)  # so that not all have answered
    stage.remove([victim], taker, 0.0)
    stage.run(stage.seconds / 120)
    stage.lose(taker)
    stage.heal()
    stage.run(stage.seconds / 5)
    done = stage.remove([victim, taker], others[0], stage.seconds / 5)
    stage.claim("another one removes both", done)
    stage.run(stage.seconds / 5)
    stage.start(taker)
    stage.run(stage.seconds / 5)
