"""A thousand pods start at once on one node, which owns a fraction of that."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 8
MINUTES = 1.0
POOL = "10.32.0.0/21"
PODS = 1000


def play(stage: Stage) -> None:
    """A third of the time for the cluster to form, then the pods, then quiet."""
    stage.run(stage.seconds / 3)
    wanted = min(PODS, stage.pool_size)
    stage.claim(f"each of {wanted} pods has an address", stage.burst(wanted, stage.names[:1]) == wanted)
    stage.run(stage.seconds * 2 / 3)
