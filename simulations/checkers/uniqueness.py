"""
No address is held by two keys at once, by what clients were told.

A key holds what it was given from the answer on, until its client asks to take it back: from then on the
address may be another's at any moment.  Does not know who owns what.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from ring.address import Range
from simulations.checkers.base import Address, Questions, shown
from simulations.facts import Asked, Emptied, Fact, Given, Taken
from weaveipam.protocol.values import RingId

Holder = tuple[str, str]
"""Machine and key."""


class Uniqueness:
    """Invariant 1."""

    name = "uniqueness"

    def __init__(self) -> None:
        self._questions = Questions()
        self._held: dict[Holder, list[Address]] = {}
        self._durable: set[Holder] = set()
        self._holders: dict[RingId, list[tuple[int, int, Holder]]] = {}
        """Sorted by first address; disjoint as long as nothing is violated."""
        self._leaving: dict[Holder, int] = {}
        """Requests under way that take back what a key holds."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        asked = self._questions.hear(fact)
        match fact:
            case Asked(give=False):
                holder = fact.machine, fact.key
                self._leaving[holder] = self._leaving.get(holder, 0) + 1
                self._drop(holder)
            case Given() if asked is not None:
                holder = asked.machine, asked.key
                if not self._leaving.get(holder):
                    yield from self._give(holder, asked, fact)
            case Taken() if asked is not None:
                self._left(asked)
            case Emptied():
                for holder in [one for one in self._held if one[0] == fact.machine]:
                    if holder not in self._durable:
                        self._drop(holder)
            case _ if asked is not None and not asked.give:
                self._left(asked)
            case _:
                pass

    def _give(self, holder: Holder, asked: Asked, given: Given) -> Iterator[str]:
        if asked.durable:
            self._durable.add(holder)
        for address in given.addresses:
            ring, span = address
            yield from (
                f"{shown(address)} was given to {_named(holder)}, but {_named(other)} has it"
                for other in self._holders_of(ring, span)
                if other != holder
            )
            if address not in self._held.setdefault(holder, []):
                self._held[holder].append(address)
                insort(self._holders.setdefault(ring, []), (span.start, span.stop, holder))

    def _holders_of(self, ring: RingId, span: Range) -> list[Holder]:
        held = self._holders.get(ring, [])
        first = bisect_left(held, (span.start,))
        if first and held[first - 1][1] > span.start:
            first -= 1
        last = bisect_left(held, (span.stop,))
        return [holder for _, _, holder in held[first:last]]

    def _left(self, asked: Asked) -> None:
        holder = asked.machine, asked.key
        self._leaving[holder] -= 1
        if not self._leaving[holder]:
            del self._leaving[holder]

    def _drop(self, holder: Holder) -> None:
        for ring, span in self._held.pop(holder, ()):
            self._holders[ring].remove((span.start, span.stop, holder))
        self._durable.discard(holder)


def _named(holder: Holder) -> str:
    return f"{holder[1]} at {holder[0]}"
