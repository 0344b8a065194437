"""A daemon stands still until all take it for dead and hand out all they can; then it wakes up unaware."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 5
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth whole, three tenths without the zombie, and the rest with it; nobody else asks meanwhile."""
    zombie, *others = stage.names
    size = stage.pool_size
    stage.run(stage.seconds / 5)
    stage.pause(zombie)
    stage.run(stage.seconds * 3 / 10)
    given = stage.burst(size, others)
    stage.resume(zombie)
    stage.run(stage.seconds / 5)
    given += stage.burst(size - given, [zombie])
    stage.claim("it hands out what the others could not, and nothing else", given == size)
    stage.claim("then there is no more", stage.burst(len(stage.names), stage.names) == 0)
    stage.run(stage.seconds / 10)
    stage.release()
    stage.run(stage.seconds / 5)
