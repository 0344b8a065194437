"""Every link loses packets, a tenth of them and then a third; who owns what still spreads."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 6
MINUTES = 1.5


def play(stage: Stage) -> None:
    """A fifth sound, two fifths with some loss, a fifth with much, and the rest sound again."""
    names = stage.names
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 5)
    stage.impair(names, loss=0.1)
    stage.run(stage.seconds * 2 / 5)
    stage.claim("all serve with a tenth lost", serve(stage, names))
    stage.impair(names, loss=0.3)
    stage.run(stage.seconds / 5)
    stage.claim("and with a third lost", serve(stage, names))
    stage.heal()
    stage.run(stage.seconds / 5)
