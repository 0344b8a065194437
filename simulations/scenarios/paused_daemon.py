"""One daemon after the other stands still for a while, as under a debugger or a busy hypervisor."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 5
MINUTES = 1.5
PAUSES = 3


def play(stage: Stage) -> None:
    """A tenth before, three pauses each longer than the one before it, and a third to recover."""
    names = stage.names
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 10)
    for number, name in enumerate(names[:PAUSES], start=1):
        others = [one for one in names if one != name]
        stage.pause(name)
        stage.run(stage.seconds * number / 20)
        stage.claim(f"the others serve without {name}", serve(stage, others))
        stage.resume(name)
        stage.run(stage.seconds / 10)
    stage.claim("all serve again", serve(stage, names))
    stage.run(stage.seconds * 3 / 10)
