"""
Ranges of rings with something noted at each, found by the addresses that they share with another.

Does not know what is noted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Generic, TypeVar

from simulations.checkers.base import Address
from weaveipam.protocol.values import RingId

Noted = TypeVar("Noted")


class Spans(Generic[Noted]):
    """Ranges may overlap and repeat; to find them is quick as long as all are of about the same size."""

    def __init__(self) -> None:
        self._sorted: dict[RingId, list[tuple[int, int, Noted]]] = {}
        """By first address, and equal ones in the order in which they came."""
        self._size_max = 1

    def put(self, address: Address, noted: Noted) -> None:
        """Note something at a range."""
        ring, span = address
        entries = self._sorted.setdefault(ring, [])
        entries.insert(bisect_left(entries, span.start + 1, key=_start), (span.start, span.stop, noted))
        self._size_max = max(self._size_max, span.size)

    def remove(self, address: Address, noted: Noted) -> None:
        """Undo a `put` of the same."""
        ring, span = address
        entries = self._sorted[ring]
        first = bisect_left(entries, span.start, key=_start)
        del entries[entries.index((span.start, span.stop, noted), first)]

    def meeting(self, address: Address) -> Iterator[Noted]:
        """What is noted at ranges that share an address with this one, by their first addresses."""
        ring, span = address
        entries = self._sorted.get(ring, [])
        first = bisect_left(entries, span.start - self._size_max + 1, key=_start)
        for _, stop, noted in entries[first : bisect_left(entries, span.stop, key=_start)]:
            if span.start < stop:
                yield noted


def _start(entry: tuple[int, int, object]) -> int:
    return entry[0]
