"""
What every checker is, and what several of them need.

Does not know any property.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from ring.address import Range, format_range
from simulations.facts import Asked, Fact, Given, Refused, Taken, Vanished
from weaveipam.protocol.values import RingId

Address = tuple[RingId, Range]

CLIENTS_OWN = frozenset({"conflict", "in-use", "invalid", "no-such-pool", "not-found", "not-owner"})
"""Why a request is refused whatever state the daemon is in: it asks for what cannot be."""


class Checker(Protocol):
    """Judges one property by the facts, in order."""

    @property
    def name(self) -> str:
        """As in reports."""
        ...

    def hear(self, fact: Fact) -> Iterable[str]:
        """A sentence for each violation that this fact brings to light."""
        ...


class Questions:
    """The requests that have no answer yet."""

    def __init__(self) -> None:
        self._open: dict[int, Asked] = {}

    def hear(self, fact: Fact) -> Asked | None:
        """The question that a fact answers, or ends without an answer; None for other facts."""
        match fact:
            case Asked():
                self._open[fact.request] = fact
            case Given() | Taken() | Refused() | Vanished():
                return self._open.pop(fact.request, None)
            case _:
                pass
        return None

    def __iter__(self) -> Iterator[Asked]:
        """In the order in which they were asked."""
        return iter(self._open.values())


def shown(address: Address) -> str:
    """A range of a ring as a person reads it."""
    ring, held = address
    return f"{format_range(ring.family, held)} of {ring.network}"
