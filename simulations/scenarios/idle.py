"""Nobody asks for anything: what it costs merely to be a cluster."""

from __future__ import annotations

from simulations.stage import Stage

NODES = 10
MINUTES = 2.0


def play(stage: Stage) -> None:
    """Let the time pass."""
    stage.run(stage.seconds)
