"""
All checkers together: they hear every fact, and what they find is written down with the time.

Does not know any property.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simulations.checkers.base import Checker
from simulations.checkers.bounded import Bounded
from simulations.checkers.convergence import Convergence
from simulations.checkers.cooldown import Cooldown
from simulations.checkers.coverage import Coverage
from simulations.checkers.durability import Durability
from simulations.checkers.fenced import Fenced
from simulations.checkers.idempotence import Idempotence
from simulations.checkers.liveness import Liveness
from simulations.checkers.local import Local
from simulations.checkers.ownership import Ownership
from simulations.checkers.policies import Policies
from simulations.checkers.pools import Pools
from simulations.checkers.terms import Terms
from simulations.checkers.uniqueness import Uniqueness
from simulations.checkers.work import Work
from simulations.facts import Fact
from simulations.outcome import Violation

VIOLATIONS_MAX = 50
"""Written down; what comes after the first few is mostly their consequence."""


def all_checkers(cooldown_s: float) -> list[Checker]:
    """Every checker; `cooldown_s` is what addresses must rest at least, 0 if no clock can be trusted."""
    return [
        Uniqueness(),
        Ownership(),
        Coverage(),
        Local(),
        Work(),
        Durability(),
        Convergence(),
        Fenced(),
        Pools(),
        Policies(),
        Bounded(),
        Idempotence(),
        Terms(),
        Cooldown(cooldown_s),
        Liveness(),
    ]


class Court:
    """Hears facts in order."""

    def __init__(self, checkers: Sequence[Checker]) -> None:
        self.violations: list[Violation] = []
        self.on_first: Callable[[], None] = lambda: None
        """Called when the first violation is found."""
        self._checkers = checkers
        self._said: set[tuple[str, str]] = set()

    def hear(self, fact: Fact) -> None:
        """Let every checker judge one more fact."""
        for checker in self._checkers:
            for text in checker.hear(fact):
                self.accuse(checker.name, fact.when, text)

    def accuse(self, checker: str, when: float, text: str) -> None:
        """Write down a violation, once."""
        if (checker, text) in self._said or len(self.violations) >= VIOLATIONS_MAX:
            return
        self._said.add((checker, text))
        if not self.violations:
            self.on_first()
        self.violations.append(Violation(checker, when, text))
