"""A canary, then two batches, are drained, stopped, and started with a newer release; then all go back."""

from __future__ import annotations

from collections.abc import Sequence

from simulations.asking import serve
from simulations.releases import Release
from simulations.stage import Stage

NODES = 6
MINUTES = 4.0
RELEASE: Release = "older"


def play(stage: Stage) -> None:
    """A tenth of the time before, in between and after each; most of the way up is the canary's."""
    canary, *rest = stage.names
    batches = ([canary], rest[: len(rest) // 2], rest[len(rest) // 2 :])
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(stage.seconds / 10)
    for batch, tenths in zip(batches, (2, 1, 1), strict=True):
        _change(stage, "newer", batch, stage.seconds * tenths / 10)
    stage.claim("all serve when all are upgraded", serve(stage, stage.names))
    stage.run(stage.seconds / 10)
    for batch in reversed(batches):
        _change(stage, "older", batch, stage.seconds / 10)
    stage.claim("all serve when all are back", serve(stage, stage.names))
    stage.run(stage.seconds / 10)


def _change(stage: Stage, release: Release, batch: Sequence[str], turn_s: float) -> None:
    """A quarter of the time down, and the rest up again, with clients on all who are; then all must agree."""
    staying = [name for name in stage.names if name not in batch]
    stage.load(adds_per_s=2.0, hold_s=10.0, at=staying)
    stage.release(batch)
    stage.stop(*batch)
    stage.install(release, *batch)
    stage.run(turn_s / 4)
    stage.claim(f"who stays serves while others get the {release} release", serve(stage, staying))
    stage.start(*batch)
    stage.load(adds_per_s=2.0, hold_s=10.0)
    stage.run(turn_s * 3 / 4)
    stage.claim(f"who has the {release} release serves", serve(stage, batch))
    stage.settle()
