"""
The ring stays small: its size depends on who is there and what is held, not on what has happened.

Does not know how it is kept small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from simulations.facts import Began, Fact, Observed
from simulations.pools import shown_pools
from weaveipam.allocation.nest import nest
from weaveipam.allocation.refilling import REFILL_DOUBLINGS_MAX
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.values import Pool, RingId

DRIFTS = 5
"""Looks for islands within which all have found their place; two do if no two grants cross each other."""


def quiet_s(settings: AllocationSettings) -> float:
    """
    Seconds without requests after which the ring is small.

    All that was released has rested; who was refused space before that has asked again, and been given some;
    then everybody has looked a few times for islands to give, and joined what was gained.
    """
    refill_s = settings.refill_pause_s * 2.0**REFILL_DOUBLINGS_MAX
    return settings.cooldown_s + refill_s + 2 * DRIFTS * settings.drift_s + 2 * settings.coalesce_s


class Bounded:
    """
    Invariant 9, where some owners are gone for good, too.

    Their runs stay as they are, and may keep others' apart: one more for each.
    """

    name = "bounded"

    def __init__(self) -> None:
        self._pools: tuple[Pool, ...] = ()
        """Of the beginning."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        match fact:
            case Began():
                self._pools = fact.pools
            case Observed(settled=True):
                yield from self._judge(fact)
            case _:
                pass

    def _judge(self, observed: Observed) -> Iterator[str]:
        pools = shown_pools(observed.views, self._pools)
        lying = nest(pools)
        counts = Counter(
            RingId(pool.network, one.family)
            for pool in pools
            for one in pool.ranges
            for _ in lying.left(pool, one)
        )
        lives = {view.life for view in observed.views.values()}
        pinned = sum(sum(view.used.values()) for view in observed.views.values())
        for machine, view in observed.views.items():
            for ring, runs in view.rings.items():
                ranges = counts[ring]
                orphaned = sum(run.owner not in lives for run in runs)
                most = 2 * len(lives) * ranges + pinned + 2 * orphaned
                if len(runs) > most:
                    yield (
                        f"{machine} holds {len(runs)} runs of {ring}, where {len(lives)} members, {ranges} "
                        f"ranges, {pinned} allocations and {orphaned} runs of lives that are over need at "
                        f"most {most}"
                    )
