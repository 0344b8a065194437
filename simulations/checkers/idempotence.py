"""
Asking again with the same key gives the same answer, and giving back twice is no error.

Does not know what others hold.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.checkers.base import Address, Questions, shown
from simulations.checkers.uniqueness import Holder
from simulations.facts import Asked, Emptied, Fact, Forgot, Given, Refused

ALLOWED = frozenset({"not-ready", "overloaded"})
"""Why a request to take back may be refused: the daemon could not do anything at all."""


class Idempotence:
    """Invariant 10."""

    name = "idempotence"

    def __init__(self) -> None:
        self._questions = Questions()
        self._answers: dict[Holder, tuple[Address, ...]] = {}
        """What each key was last told, as long as nobody has asked to take it back."""
        self._durable: set[Holder] = set()

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        asked = self._questions.hear(fact)
        match fact:
            case Asked(give=False):
                self._answers.pop((fact.machine, fact.key), None)
            case Given() if asked is not None:
                yield from self._judge(asked, fact)
            case Refused() if asked is not None and not asked.give and fact.reason not in ALLOWED:
                yield f"{asked.machine} refused to take back what {asked.key} holds: {fact.detail}"
            case Emptied():
                self._forget(fact.machine, keep_durable=True)
            case Forgot():
                self._forget(fact.machine, keep_durable=False)
            case _:
                pass

    def _judge(self, asked: Asked, given: Given) -> Iterator[str]:
        holder = asked.machine, asked.key
        if any(not one.give and (one.machine, one.key) == holder for one in self._questions):
            return
        before = self._answers.get(holder)
        self._answers[holder] = given.addresses
        if asked.durable:
            self._durable.add(holder)
        if before is not None and before != given.addresses:
            told = ", ".join(map(shown, given.addresses))
            first = ", ".join(map(shown, before))
            yield f"{asked.machine} told {asked.key} that it has {first}, and when asked again {told}"

    def _forget(self, machine: str, *, keep_durable: bool) -> None:
        for holder in [one for one in self._answers if one[0] == machine]:
            if not (keep_durable and holder in self._durable):
                del self._answers[holder]
                self._durable.discard(holder)
