"""As many requests as addresses at a single node, which collects them; then at another node."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 5
MINUTES = 1.0


def play(stage: Stage) -> None:
    """First one end of the cluster, then the other."""
    size = stage.pool_size
    stage.run(stage.seconds / 4)
    for name in (stage.names[0], stage.names[-1]):
        stage.claim(f"{name} hands out all {size} addresses", stage.burst(size, [name]) == size)
        stage.run(stage.seconds / 8)
        stage.release()
        stage.run(stage.seconds / 4)
