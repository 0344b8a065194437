"""
What was acknowledged is remembered: whoever gives back an address finds what it was given.

Not so after a machine's disk was lost, nor for pods' addresses after the host lost its power: then the pods
are gone as well.  A daemon that leaves hands over what is durable, and does not leave while a pod has
something.
Does not know what others hold.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.checkers.base import shown
from simulations.checkers.told import Holder, Told
from simulations.facts import Departed, Fact, Forgot, Moved, Observed, Taken


class Durability:
    """Invariant 7, and 10 as far as releases go."""

    name = "durability"

    def __init__(self) -> None:
        self._told = Told()
        self._adrift: list[Holder] = []
        """Keys whose daemon has left, and which have not been found elsewhere since."""
        self._forgetful = False

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        question = self._told.hear(fact)
        match fact:
            case Departed():
                yield from self._leave(fact)
            case Moved():
                self._adrift = [one for one in self._adrift if one != (fact.machine, fact.key)]
            case Forgot():
                self._forgetful = True
            case Observed(settled=True) if not self._forgetful and not fact.gone:
                for machine, key in self._adrift:
                    if self._told.held((machine, key)) is not None:
                        yield f"{machine} has left, and nobody else has what {key} holds"
            case _:
                pass
        if not isinstance(fact, Taken) or question is None or question.crossed or question.held is None:
            return
        for address in question.held.addresses:
            if address not in fact.addresses:
                yield (
                    f"{question.asked.machine} had given {shown(address)} to {question.asked.key}, "
                    "and found nothing of it when it was given back"
                )

    def _leave(self, departed: Departed) -> Iterator[str]:
        """Pods' addresses keep a daemon from leaving; what is durable must be somewhere in the end."""
        for holder in self._told.holders(departed.machine):
            held = self._told.held(holder)
            if held is not None and held.durable:
                self._adrift.append(holder)
            else:
                yield f"{departed.machine} has left while {holder[1]} held an address there"
