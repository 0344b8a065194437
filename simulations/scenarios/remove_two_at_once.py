"""Two operators remove two dead daemons at the same moment, at two members, one of them both."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 6
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth whole, a fifth with two dead, the removals, and the rest without them."""
    one, other, *left = stage.names
    stage.load(adds_per_s=2.0, hold_s=10.0, at=left)
    stage.run(stage.seconds / 5)
    stage.lose(one, other)
    stage.run(stage.seconds / 5)
    stage.remove([one, other], left[0], 0.0)
    stage.remove([other], left[-1], 0.0)
    wait_s = stage.seconds / 5
    done = stage.remove([one, other], left[0], wait_s), stage.remove([other], left[-1], wait_s)
    stage.claim("both are done", all(done))
    stage.run(stage.seconds / 5)
    stage.start(one, other)
    stage.run(stage.seconds * 2 / 5)
