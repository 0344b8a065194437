"""
The ring stays small: its size depends on who is there and what is held, not on what has happened.

Does not know how it is kept small.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.facts import Began, Fact, Observed
from weaveipam.protocol.values import RingId


class Bounded:
    """Invariant 9."""

    name = "bounded"

    def __init__(self) -> None:
        self._ranges: dict[RingId, int] = {}
        self._set_aside: dict[RingId, int] = {}

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        match fact:
            case Began():
                for pool in fact.pools:
                    for one in pool.ranges:
                        ring = RingId(pool.network, one.family)
                        self._ranges[ring] = self._ranges.get(ring, 0) + 1
                        self._set_aside[ring] = self._set_aside.get(ring, 0) + len(one.excluded)
            case Observed(settled=True):
                yield from self._judge(fact)
            case _:
                pass

    def _judge(self, observed: Observed) -> Iterator[str]:
        pinned = sum(sum(view.used.values()) for view in observed.views.values())
        for machine, view in observed.views.items():
            for ring, runs in view.rings.items():
                lives = {run.owner for run in runs} | {one.life for one in observed.views.values()}
                ranges = self._ranges.get(ring, 0)
                most = 2 * len(lives) * ranges + pinned + 2 * self._set_aside.get(ring, 0)
                if len(runs) > most:
                    yield (
                        f"{machine} holds {len(runs)} runs of {ring}, where {len(lives)} lives, {ranges} "
                        f"ranges and {pinned} allocations need at most {most}"
                    )
