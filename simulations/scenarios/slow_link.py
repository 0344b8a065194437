"""One site is far away and behind a thin line: half a second of delay, then 20 kB/s as well."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 6
MINUTES = 1.5


def play(stage: Stage) -> None:
    """A fifth near, two fifths far, a fifth thin too, and the rest near again."""
    site = stage.names[: max(1, len(stage.names) // 3)]
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 5)
    stage.impair(site, delay_s=0.5)
    stage.run(stage.seconds * 2 / 5)
    stage.claim("the far site serves", serve(stage, site))
    stage.impair(site, delay_s=0.5, bytes_per_s=20_000.0)
    stage.run(stage.seconds / 5)
    stage.claim("behind a thin line too", serve(stage, site))
    stage.heal()
    stage.run(stage.seconds / 5)
