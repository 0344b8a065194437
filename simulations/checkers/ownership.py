"""
No two running daemons show that they own the same address.

Looked at with every change in a small cluster, and whenever all are observed in a large one; but only once
all is settled after a disk went back in time where nobody knew better: two believe the same until they meet.
Who is to be removed does not count: it may not have heard of it.
Does not know what is allocated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ring.address import Range
from ring.ring import Peer
from simulations.checkers.base import shown
from simulations.facts import Condemned, Down, Fact, Forgot, Observed, Owns, View
from weaveipam.protocol.values import RingId

Ranges = Mapping[RingId, tuple[Range, ...]]


class Ownership:
    """Invariant 2."""

    name = "ownership"

    def __init__(self) -> None:
        self._shown: dict[str, Ranges] = {}
        self._lives: dict[str, Peer] = {}
        """Who has shown them."""
        self._condemned: set[Peer] = set()
        self._apart = False
        """Whether a daemon may believe what was so once."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        match fact:
            case Forgot():
                self._apart = self._apart or fact.apart
            case Condemned():
                self._condemned.update(fact.lives)
                for machine in [one for one in self._shown if self._lives[one] in fact.lives]:
                    del self._shown[machine]
            case Owns() if fact.life not in self._condemned:
                self._shown[fact.machine], self._lives[fact.machine] = fact.ranges, fact.life
                for other, ranges in self._shown.items() if not self._apart else ():
                    if other != fact.machine:
                        yield from _common(fact.machine, fact.ranges, other, ranges)
            case Down():
                self._shown.pop(fact.machine, None)
            case Observed() if fact.settled or not self._apart:
                counting = {name: one for name, one in fact.views.items() if one.life not in self._condemned}
                serving = {name: one for name, one in counting.items() if one.serving}
                yield from _sweep({name: _owned(view) for name, view in serving.items()})
            case _:
                pass


def _owned(view: View) -> Ranges:
    return {
        ring: tuple(Range(run.start, run.stop) for run in runs if run.owner == view.life)
        for ring, runs in view.rings.items()
    }


def _common(one: str, mine: Ranges, other: str, theirs: Ranges) -> Iterator[str]:
    for ring, ranges in mine.items():
        both = sorted([*((span, one) for span in ranges), *((span, other) for span in theirs.get(ring, ()))])
        yield from _overlaps(ring, both)


def _sweep(shown_by: Mapping[str, Ranges]) -> Iterator[str]:
    rings = sorted({ring for ranges in shown_by.values() for ring in ranges})
    for ring in rings:
        everybody = sorted((span, name) for name, ranges in shown_by.items() for span in ranges.get(ring, ()))
        yield from _overlaps(ring, everybody)


def _overlaps(ring: RingId, spans: list[tuple[Range, str]]) -> Iterator[str]:
    """Overlaps among sorted spans; of spans of one daemon there are none."""
    reach, owner = -1, ""
    for span, name in spans:
        if span.start < reach:
            common = Range(span.start, min(reach, span.stop))
            yield f"both {owner} and {name} show that they own {shown((ring, common))}"
        if span.stop > reach:
            reach, owner = span.stop, name
