"""Both sides of a split remove the same dead daemon: neither can alone, both have when they meet again."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 5
MINUTES = 1.0


def play(stage: Stage) -> None:
    """A fifth whole, two fifths apart, a fifth healed, the rest with the dead one back as another life."""
    dead, *names = stage.names
    left, right = names[: len(names) // 2], names[len(names) // 2 :]
    stage.load(adds_per_s=2.0, hold_s=10.0, at=names)
    stage.run(stage.seconds / 5)
    stage.lose(dead)
    stage.split(left, right, [dead])
    stage.run(stage.seconds / 5)
    told = [stage.remove([dead], side[0], 0.0) for side in (left, right)]
    stage.run(stage.seconds / 5)
    told += [stage.remove([dead], side[0], 0.0) for side in (left, right)]
    stage.claim("neither side removes it while they are apart", not any(told))
    stage.heal()
    wait_s = stage.seconds / 5
    done = [stage.remove([dead], side[0], wait_s) for side in (left, right)]
    stage.claim("both have removed it when they have met", all(done))
    stage.run(stage.seconds / 5)
    stage.start(dead)
    stage.run(stage.seconds / 5)
