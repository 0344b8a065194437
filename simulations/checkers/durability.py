"""
What was acknowledged is remembered: whoever gives back an address, or asks again, finds what it was given.

Not so after a machine's disk was lost, nor for pods' addresses after the host lost its power: then the pods
are gone as well.  Does not know what others hold.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.checkers.base import Address, Questions, shown
from simulations.checkers.uniqueness import Holder
from simulations.facts import Asked, Emptied, Fact, Forgot, Given, Taken


class Durability:
    """Invariant 7, and 10 as far as releases go."""

    name = "durability"

    def __init__(self) -> None:
        self._questions = Questions()
        self._held: dict[Holder, tuple[Address, ...]] = {}
        self._durable: set[Holder] = set()
        self._expected: dict[int, tuple[Address, ...]] = {}
        """What a request that takes back must find, by its number."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        asked = self._questions.hear(fact)
        match fact:
            case Asked(give=False):
                held = self._held.pop((fact.machine, fact.key), None)
                if held is not None:
                    self._expected[fact.request] = held
            case Given() if asked is not None:
                holder = asked.machine, asked.key
                if not any(not one.give and (one.machine, one.key) == holder for one in self._questions):
                    self._held[holder] = fact.addresses
                    if asked.durable:
                        self._durable.add(holder)
            case Taken() if asked is not None:
                yield from self._judge(asked, fact)
            case Emptied():
                self._forget(fact.machine, keep_durable=True)
            case Forgot():
                self._forget(fact.machine, keep_durable=False)
            case _:
                pass

    def _judge(self, asked: Asked, taken: Taken) -> Iterator[str]:
        for address in self._expected.pop(asked.request, ()):
            if address not in taken.addresses:
                yield (
                    f"{asked.machine} had given {shown(address)} to {asked.key}, "
                    "and found nothing of it when it was given back"
                )

    def _forget(self, machine: str, *, keep_durable: bool) -> None:
        for holder in [one for one in self._held if one[0] == machine]:
            if not (keep_durable and holder in self._durable):
                del self._held[holder]
                self._durable.discard(holder)
        pending = [one.request for one in self._questions if one.machine == machine]
        for request in pending:
            self._expected.pop(request, None)
