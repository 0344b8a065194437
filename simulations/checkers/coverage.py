"""
No address is lost: when all is settled, every address of the pools has one owner, and it knows.

Does not know what is allocated.
"""

from __future__ import annotations

from collections.abc import Iterator

from ring.address import Range, format_range, union
from ring.invariants import violations
from simulations.facts import Began, Fact, Observed, View
from weaveipam.protocol.values import RingId


class Coverage:
    """Invariant 3."""

    name = "coverage"

    def __init__(self) -> None:
        self._domains: dict[RingId, tuple[Range, ...]] = {}

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        match fact:
            case Began():
                spans: dict[RingId, list[Range]] = {}
                for pool in fact.pools:
                    for one in pool.ranges:
                        spans.setdefault(RingId(pool.network, one.family), []).append(one.range)
                self._domains = {ring: tuple(union(ranges)) for ring, ranges in spans.items()}
            case Observed(settled=True):
                for machine, view in fact.views.items():
                    if view.serving:
                        yield from self._judge(machine, view, fact)
            case _:
                pass

    def _judge(self, machine: str, view: View, observed: Observed) -> Iterator[str]:
        for ring, domain in self._domains.items():
            runs = view.rings.get(ring, ())
            yield from (f"{machine}, ring {ring}: {one}" for one in violations(runs, domain))
            for run in runs:
                owner = observed.views.get(run.owner.name)
                if owner is None or owner.life != run.owner or not owner.serving:
                    continue  # it is down, or that life is over: nobody else has it, and nobody can ask
                if not any(
                    theirs.owner == run.owner and theirs.start <= run.start and run.stop <= theirs.stop
                    for theirs in owner.rings.get(ring, ())
                ):
                    text = format_range(ring.family, Range(run.start, run.stop))
                    yield f"{machine} believes that {text} is {run.owner.name}'s, who does not know of it"
