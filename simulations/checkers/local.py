"""
A daemon with a free address gives it at once, whatever the network does.

It need not where the request itself is wrong.  Does not know what the network does.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.checkers.base import CLIENTS_OWN, Questions
from simulations.facts import Fact, Given, Refused


class Local:
    """Invariant 5."""

    name = "local"

    def __init__(self) -> None:
        self._questions = Questions()

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        asked = self._questions.hear(fact)
        match fact:
            case Given() if asked is not None and fact.free_before and not fact.immediate:
                yield (
                    f"{asked.machine} had {fact.free_before} free addresses, "
                    f"and yet {asked.key} had to wait {fact.when - asked.when:.3f} s for others"
                )
            case Refused() if asked is not None and asked.give and fact.free_before:
                if fact.reason not in CLIENTS_OWN:
                    yield (
                        f"{asked.machine} had {fact.free_before} free addresses, and refused {asked.key}: "
                        f"{fact.reason}, {fact.detail}"
                    )
            case _:
                pass
