"""
What was given for a time is there for all of it: no daemon that serves lets it go before.

The time begins anew whenever the key asks again.  That who asks in time has the same as before, and that
nobody else is given it, others judge.  Left out is what is durable, as it may be handed over to another one.
Does not know how fast clocks run: whoever states the facts allows for that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from simulations.checkers.told import Told
from simulations.facts import Fact, Given, Observed


class Terms:
    """What who asks for something with a time is promised."""

    name = "terms"

    def __init__(self) -> None:
        self._told = Told()
        self._any = False
        """Whether anything was given for a time at all."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        self._told.hear(fact)
        match fact:
            case Given():
                self._any = self._any or fact.held_s is not None
            case Observed() if self._any:
                yield from self._look(fact)
            case _:
                pass

    def _look(self, observed: Observed) -> Iterator[str]:
        for machine, key in self._told.everybody():
            held, view = self._told.held((machine, key)), observed.views.get(machine)
            if held is None or held.durable or held.until == math.inf or view is None or not view.serving:
                continue
            if key not in view.keys:
                yield f"{machine} has let go what {key} holds until {held.until:.3f}"
