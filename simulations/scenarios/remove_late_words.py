"""What a dead daemon had sent arrives long after it was removed by force, and changes nothing."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 5
MINUTES = 1.0
POOL = "10.32.0.0/26"


def play(stage: Stage) -> None:
    """A fifth whole, a fifth with all that the victim says late, its death and removal, the rest without."""
    victim, *others = stage.names
    stage.load(adds_per_s=4.0, hold_s=8.0)
    stage.run(stage.seconds / 5)
    stage.impair([victim], delay_s=stage.seconds / 10)
    stage.run(stage.seconds / 5)
    stage.lose(victim)
    done = stage.remove([victim], others[0], stage.seconds / 20, force=True)
    stage.claim("force does not wait until nobody hears of it any more", done)
    stage.run(stage.seconds / 5)
    stage.heal()
    stage.run(stage.seconds / 5)
    stage.start(victim)
    stage.run(stage.seconds / 5)
