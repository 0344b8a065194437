"""
No address is held by two keys at once, by what clients were told.

After a machine's disk is lost its pods live on, and hold what they were given as before.
Does not know who owns what.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.checkers.base import Address, shown
from simulations.checkers.spans import Spans
from simulations.checkers.told import Holder, Told
from simulations.facts import Asked, Emptied, Fact, Forgot, Moved


class Uniqueness:
    """Invariant 1."""

    name = "uniqueness"

    def __init__(self) -> None:
        self._told = Told()
        self._noted: dict[Holder, tuple[Address, ...]] = {}
        """What `_holders` says of each key."""
        self._holders: Spans[Holder] = Spans()

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        if isinstance(fact, Forgot):
            return
        question = self._told.hear(fact)
        for holder in self._told.ended:
            yield from self._update(holder)
        if isinstance(fact, Asked):
            yield from self._update((fact.machine, fact.key))
        elif isinstance(fact, Emptied):
            for holder in [one for one in self._noted if one[0] == fact.machine]:
                yield from self._update(holder)
        elif isinstance(fact, Moved):
            yield from self._update((fact.machine, fact.key))
            yield from self._update((fact.to, fact.key))
        elif question is not None:
            yield from self._update(question.holder)

    def _update(self, holder: Holder) -> Iterator[str]:
        """Note what a key holds now, and find who holds it as well."""
        before, now = self._noted.get(holder, ()), self._told.addresses(holder)
        if before == now:
            return
        for address in before:
            self._holders.remove(address, holder)
        for address in now:
            for other in self._holders.meeting(address):
                yield f"{shown(address)} was given to {_named(holder)}, but {_named(other)} has it"
            self._holders.put(address, holder)
        if now:
            self._noted[holder] = now
        else:
            del self._noted[holder]


def _named(holder: Holder) -> str:
    return f"{holder[1]} at {holder[0]}"
