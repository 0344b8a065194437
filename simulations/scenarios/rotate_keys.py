"""Every daemon changes its key under load, one after the other, and no packet is refused meanwhile."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage
from weaveipam.protocol.keyring import Key, KeyRing

NODES = 6
MINUTES = 1.5
OLD, NEW = Key(b"the old key.....".ljust(16)), Key(b"and the new one, which is longer")
KEYRING = KeyRing((OLD,))


def play(stage: Stage) -> None:
    """A fifth with the old key, a fifth for each of the three steps, and a fifth with the new one."""
    names = stage.names
    step_s = stage.seconds / 5
    stage.load(adds_per_s=4.0, hold_s=8.0)
    stage.run(step_s)
    for keys in ((OLD, NEW), (NEW, OLD), (NEW,)):
        for name in names:
            stage.set_keys([name], *keys)
            stage.run(step_s / len(names) / 2)
        stage.run(step_s / 4)
        stage.stop(names[-1])
        stage.start(names[-1])
        stage.run(step_s / 4)
        stage.claim("no packet is refused", stage.unopened() == 0)
    stage.run(step_s)
    stage.claim("all serve under the new key", serve(stage, names))
