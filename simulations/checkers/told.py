"""
What each key was told that it holds, as long as that is certain.

A key holds what it was given from the answer on, until its client asks to take it back; if that is refused,
nothing has changed.  What was given for a time is held for that time since it was asked for; afterwards it
may be held or not.  Where requests cross, what is known first need not have happened first: such answers say
nothing.  Does not know what the answers should be.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass

from simulations.checkers.base import Address
from simulations.facts import Asked, Emptied, Fact, Forgot, Given, Moved, Refused, Taken, Vanished

Holder = tuple[str, str]
"""Machine and key."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a key holds."""

    addresses: tuple[Address, ...]
    durable: bool
    since: float
    """When it was told so last, in seconds."""
    until: float = math.inf
    """Until when that is certain; infinity: until it gives it back."""


@dataclass(slots=True, eq=False)
class Question:
    """A request, and what is known of its key."""

    asked: Asked
    held: Held | None = None
    """What the key held for certain: before the answer, or if it takes back, when it was asked."""
    crossed: bool = False
    """
    Whether its answer may tell of what is over.

    Another request of the key that takes back was open meanwhile, or its machine has lost something.
    """

    @property
    def holder(self) -> Holder:
        """Whom it is about."""
        return self.asked.machine, self.asked.key


class Told:
    """Follows the requests of all keys."""

    def __init__(self) -> None:
        self._open: dict[int, Question] = {}
        self._of: dict[Holder, list[Question]] = {}
        """The open ones again, by whom they are about."""
        self._held: dict[Holder, Held] = {}
        self._ends: list[tuple[float, Holder]] = []
        """A heap: when what is held may not be held any more, unless that is later by now."""
        self.ended: list[Holder] = []
        """Of whom nothing is certain any more since the last fact, as their time is over."""

    def addresses(self, holder: Holder) -> tuple[Address, ...]:
        """What a key holds for certain."""
        held = self._held.get(holder)
        return () if held is None else held.addresses

    def hear(self, fact: Fact) -> Question | None:
        """Take note of a fact; the question that it answers, or ends without an answer."""
        self._end(fact.when)
        match fact:
            case Asked():
                self._ask(fact)
            case Given() | Taken() | Refused() | Vanished():
                return self._close(fact)
            case Emptied() | Forgot():
                self._lose(fact)
            case Moved():
                self._move((fact.machine, fact.key), (fact.to, fact.key))
            case _:
                pass
        return None

    def _end(self, now: float) -> None:
        """Be certain no more of what may have ended."""
        self.ended.clear()
        while self._ends and self._ends[0][0] <= now:
            _, holder = heapq.heappop(self._ends)
            held = self._held.get(holder)
            if held is not None and held.until <= now:
                del self._held[holder]
                self.ended.append(holder)

    def _hold(self, holder: Holder, held: Held) -> None:
        self._held[holder] = held
        if held.until < math.inf:
            heapq.heappush(self._ends, (held.until, holder))

    def _move(self, before: Holder, after: Holder) -> None:
        """What a key holds it holds at another machine; what it asked before may be answered as if not."""
        for question in (*self._of.get(before, ()), *self._of.get(after, ())):
            question.crossed = True
        held = self._held.pop(before, None)
        if held is not None:
            self._hold(after, held)

    def _ask(self, asked: Asked) -> None:
        question = Question(asked)
        others = self._of.setdefault(question.holder, [])
        question.crossed = any(not one.asked.give for one in others)
        if not asked.give:
            question.held = self._held.pop(question.holder, None)
            for one in others:
                one.crossed = True
        others.append(question)
        self._open[asked.request] = question

    def _close(self, fact: Given | Taken | Refused | Vanished) -> Question | None:
        question = self._open.pop(fact.request, None)
        if question is None:
            return None
        holder, asked = question.holder, question.asked
        self._of[holder].remove(question)
        if not self._of[holder]:
            del self._of[holder]
        if asked.give:
            question.held = self._held.get(holder)
        elif question.held is not None and question.held.until <= fact.when:
            question.held = None
        if question.crossed:
            return question
        if isinstance(fact, Given):
            durable = asked.durable or (question.held is not None and question.held.durable)
            until = math.inf if fact.held_s is None else asked.when + fact.held_s
            self._hold(holder, Held(fact.addresses, durable, fact.when, until))
        elif isinstance(fact, Refused) and not asked.give and question.held is not None:
            self._hold(holder, question.held)
        return question

    def _lose(self, fact: Emptied | Forgot) -> None:
        for question in self._open.values():
            if question.asked.machine == fact.machine:
                question.crossed = True
        for holder in list(self.holders(fact.machine)):
            if isinstance(fact, Forgot) or fact.for_good or not self._held[holder].durable:
                del self._held[holder]

    def everybody(self) -> Iterator[Holder]:
        """Who holds something for certain, in the order in which they were told first."""
        return iter(tuple(self._held))

    def held(self, holder: Holder) -> Held | None:
        """What a key holds for certain, and since when."""
        return self._held.get(holder)

    def holders(self, machine: str) -> Iterator[Holder]:
        """Who holds something at a machine, in the order in which they were told first."""
        return (one for one in self._held if one[0] == machine)
