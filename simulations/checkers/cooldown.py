"""
A released address rests before somebody else gets it, as long as others are free.

Does not know clocks that run wrong: whoever sets up the run allows for them.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.checkers.base import Address, Questions, shown
from simulations.facts import Fact, Given, Taken

FREE_ENOUGH = 4
"""Free addresses at the daemon itself that leave no excuse for giving away one that rests."""


class Cooldown:
    """What the operator was promised about `cooldown`."""

    name = "cooldown"

    def __init__(self, cooldown_s: float) -> None:
        self._cooldown_s = cooldown_s
        self._questions = Questions()
        self._rested: dict[Address, float] = {}
        """When each address was last given back."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        asked = self._questions.hear(fact)
        match fact:
            case Taken():
                self._rested.update(dict.fromkeys(fact.addresses, fact.when))
            case Given() if asked is not None:
                for address in fact.addresses:
                    since = self._rested.get(address)
                    if since is None or (fact.free_before or 0) <= FREE_ENOUGH:
                        continue
                    # An answer may be one that the key was given before.
                    if since <= asked.when and fact.when < since + self._cooldown_s:
                        yield (
                            f"{shown(address)} was given to {asked.key} at {asked.machine} "
                            f"{fact.when - since:.3f} s after its release, with {fact.free_before} free"
                        )
            case _:
                pass
