"""
Joining neighbouring runs of this node's own, a while after it has gained some.

Not at once, as more may come, and everybody is told of each join.
Does not know how runs come and go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from ring.address import Range, subtract
from ring.changes import coalesce
from ring.ring import Peer, Ring, Run
from weaveipam.protocol.values import RingId


class Joins:
    """Where runs of one node may have become neighbours, and since when."""

    def __init__(self, me: Peer, pause_s: float, restatable: Callable[[Run], bool]) -> None:
        """`restatable` says whether this node may state a run anew."""
        self._me = me
        self._pause_s = pause_s
        self._restatable = restatable
        self._due: dict[tuple[RingId, Range], float] = {}

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when the first of them is due."""
        return min(self._due.values()) if self._due else math.inf

    def expect(self, ring: RingId, gained: Range, now: float) -> None:
        """Something was gained."""
        self._due.setdefault((ring, gained), now + self._pause_s)

    def restore(self, ring: RingId, held: Ring, what: Range, now: float) -> None:
        """A run is this node's since it started, and may have been gained just before."""
        if self._neighbourhood(held, what) != what:
            self.expect(ring, what, now)

    def take_due(self, now: float) -> list[tuple[RingId, Range]]:
        """What was gained long enough ago; it is not due again."""
        due = [key for key, at in self._due.items() if at <= now]
        for key in due:
            del self._due[key]
        return due

    def joined(self, held: Ring, what: Range, contested: Iterable[Range]) -> Ring:
        """
        The statements that make one run of a range and what is around it, as far as can be.

        Args:
            held: The ring as this node knows it.
            what: Of its own.
            contested: What two own; raised only by who is to keep it, once the other one has given it up.
        """
        clear = subtract([self._neighbourhood(held, what)], contested)
        return Ring.of(run for one in clear for run in coalesce(held, self._me, one))

    def _neighbourhood(self, held: Ring, what: Range) -> Range:
        start, stop = what.start, what.stop
        while start > 0 and (run := held.at(start - 1)) and self._restatable(run):
            start = run.start
        while (run := held.at(stop)) and self._restatable(run):
            stop = run.stop
        return Range(start, stop)
