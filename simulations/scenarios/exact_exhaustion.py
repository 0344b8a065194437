"""As many requests as addresses, over all nodes: every address is handed out, and one more is refused."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 7
MINUTES = 1.0


def play(stage: Stage) -> None:
    """Twice, the second time with addresses that were given back a moment ago."""
    names, size = stage.names, stage.pool_size
    stage.run(stage.seconds / 4)
    for _ in range(2):
        stage.claim(f"all {size} addresses are handed out", stage.burst(size, names) == size)
        stage.claim("one more is refused everywhere", stage.burst(len(names), names) == 0)
        stage.run(stage.seconds / 8)
        stage.release()
        stage.run(stage.seconds / 4)
