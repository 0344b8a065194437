"""
Whoever asks a daemon that runs gets an answer in time, and once all is settled the right one.

Does not know why an answer may be late.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from simulations.checkers.base import CLIENTS_OWN, Questions
from simulations.facts import Fact, Observed, Refused

ANSWER_S = 30.0
"""
Seconds within which every request is answered by a daemon that runs all the while.

The wait that requests ask for, and as much again for slow disks, slow machines and pauses.
"""
EXCUSES = CLIENTS_OWN | {"exhausted"}
"""Why a request may still be refused that is put when all is settled."""


class Liveness:
    """Progress: the other half of safety."""

    name = "liveness"

    def __init__(self) -> None:
        self._questions = Questions()
        self._settled_at = math.inf
        self._late: set[int] = set()

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        asked = self._questions.hear(fact)
        match fact:
            case Observed():
                yield from self._look(fact)
                if fact.settled:
                    self._settled_at = min(self._settled_at, fact.when)
            case Refused() if asked is not None and asked.when >= self._settled_at:
                if fact.reason not in EXCUSES:
                    yield f"all is settled, and {asked.machine} refuses {asked.key}: {fact.detail}"
            case _:
                pass

    def _look(self, observed: Observed) -> Iterator[str]:
        for one in self._questions:
            if one.when + ANSWER_S >= observed.when:
                break  # and so were all that were asked later
            view = observed.views.get(one.machine)
            if one.request not in self._late and view is not None and view.life == one.life:
                self._late.add(one.request)
                yield f"{one.machine} has not answered {one.key} for {observed.when - one.when:.1f} s"
