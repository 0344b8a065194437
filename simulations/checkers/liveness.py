"""
Whoever asks a daemon that runs gets an answer in time, and once all is settled the right one.

Does not know why an answer may be late.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.checkers.base import Questions
from simulations.facts import Fact, Observed, Refused

ANSWER_S = 30.0
"""
Seconds within which every request is answered by a daemon that runs all the while.

The wait that requests ask for, and as much again for slow disks, slow machines and pauses.
"""


class Liveness:
    """Progress: the other half of safety."""

    name = "liveness"

    def __init__(self) -> None:
        self._questions = Questions()
        self._settled = False
        self._late: set[int] = set()

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        asked = self._questions.hear(fact)
        match fact:
            case Observed():
                self._settled = self._settled or fact.settled
                for one in self._questions:
                    view = fact.views.get(one.machine)
                    late = one.when + ANSWER_S < fact.when and one.request not in self._late
                    if late and view is not None and view.life == one.life:
                        self._late.add(one.request)
                        yield f"{one.machine} has not answered {one.key} for {fact.when - one.when:.1f} s"
            case Refused() if asked is not None and self._settled and fact.reason != "exhausted":
                yield f"all is settled, and {asked.machine} refuses {asked.key}: {fact.detail}"
            case _:
                pass
