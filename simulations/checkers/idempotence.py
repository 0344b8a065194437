"""
Asking again with the same key gives the same answer, and giving back twice is no error.

Where pools were changed the same request may be about something else.  Does not know what others hold.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.checkers.base import CLIENTS_OWN, shown
from simulations.checkers.told import Question, Told
from simulations.facts import Changing, Fact, Given, Refused
from weaveipam.protocol.requests import Allocate

ALLOWED = frozenset({"not-ready", "overloaded"})
"""Why any request may be refused: the daemon could not do anything at all."""
ELSEWHERE = "not-owner"
"""Why a daemon may refuse to take something back: it has handed it over, as it was to leave."""


class Idempotence:
    """Invariant 10."""

    name = "idempotence"

    def __init__(self) -> None:
        self._told = Told()
        self._wishes: dict[str, Allocate] = {}
        """What each key was given for last."""
        self._changing = False
        """Whether a pool was ever to be changed."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        self._changing = self._changing or isinstance(fact, Changing)
        question = self._told.hear(fact)
        if question is None:
            return
        match fact:
            case Given() if not question.crossed:
                if question.asked.wish is not None:
                    self._wishes[question.asked.key] = question.asked.wish
                yield from _compared(question, fact)
            case Refused() if fact.reason not in ALLOWED:
                asked = question.asked
                same = asked.wish is not None and self._wishes.get(asked.key) == asked.wish
                yield from _refused(question, fact, same=same and not self._changing)
            case _:
                pass


def _compared(question: Question, given: Given) -> Iterator[str]:
    if question.held is not None and question.held.addresses != given.addresses:
        told = ", ".join(map(shown, given.addresses))
        first = ", ".join(map(shown, question.held.addresses))
        asked = question.asked
        yield f"{asked.machine} told {asked.key} that it has {first}, and when asked again {told}"


def _refused(question: Question, refused: Refused, *, same: bool) -> Iterator[str]:
    """`same`: whether just this was given to the key, so that no fault of its client can be found."""
    asked, held = question.asked, question.held
    if not asked.give:
        if refused.reason != ELSEWHERE:
            yield f"{asked.machine} refused to take back what {asked.key} holds: {refused.detail}"
    elif (
        held is not None
        and held.since <= asked.when
        and not question.crossed
        and (same or refused.reason not in CLIENTS_OWN)
    ):
        has = ", ".join(map(shown, held.addresses))
        yield f"{asked.machine} told {asked.key} that it has {has}, and when asked again: {refused.detail}"
