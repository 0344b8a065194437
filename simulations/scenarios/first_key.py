"""A cluster without a key gets its first one under load, and no packet is refused meanwhile."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage
from weaveipam.protocol.keyring import PLAIN, UNSEALED, Key

NODES = 6
MINUTES = 1.5
FIRST = Key(b"the first key...")
KEYRING = UNSEALED


def play(stage: Stage) -> None:
    """A fifth without, a fifth for each of the three steps, and a fifth with nothing but sealed packets."""
    names = stage.names
    step_s = stage.seconds / 5
    stage.load(adds_per_s=4.0, hold_s=8.0)
    stage.run(step_s)
    for keys in ((PLAIN, FIRST), (FIRST, PLAIN), (FIRST,)):
        for name in names:
            stage.set_keys([name], *keys)
            stage.run(step_s / len(names) / 2)
        stage.run(step_s / 2)
        stage.claim("no packet is refused", stage.unopened() == 0)
    stage.run(step_s)
    stage.claim("all serve, sealed", serve(stage, names))
