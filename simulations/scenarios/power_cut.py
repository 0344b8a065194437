"""All hosts lose their power at once, with everything that was not on stable storage, and come back."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 5
MINUTES = 1.0


def play(stage: Stage) -> None:
    """Twice: the second time power fails again soon after it has come back."""
    names = stage.names
    stage.load(adds_per_s=5.0, hold_s=5.0)
    stage.run(stage.seconds * 3 / 10)
    stage.power_cut(*names)
    stage.run(stage.seconds / 10)
    stage.start(*names)
    stage.run(stage.seconds / 20)
    stage.power_cut(*names)
    stage.run(stage.seconds / 20)
    stage.start(*names)
    stage.run(stage.seconds * 2 / 10)
    stage.claim("every daemon serves again", serve(stage, names))
    stage.run(stage.seconds * 3 / 10)
