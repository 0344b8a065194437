"""
What was acknowledged is remembered: whoever gives back an address finds what it was given.

Not so after a machine's disk was lost, nor for pods' addresses after the host lost its power: then the pods
are gone as well.  Does not know what others hold.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.checkers.base import shown
from simulations.checkers.told import Told
from simulations.facts import Fact, Taken


class Durability:
    """Invariant 7, and 10 as far as releases go."""

    name = "durability"

    def __init__(self) -> None:
        self._told = Told()

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        question = self._told.hear(fact)
        if not isinstance(fact, Taken) or question is None or question.crossed or question.held is None:
            return
        for address in question.held.addresses:
            if address not in fact.addresses:
                yield (
                    f"{question.asked.machine} had given {shown(address)} to {question.asked.key}, "
                    "and found nothing of it when it was given back"
                )
