"""
When all is settled, all who run hold the same rings and pools, see each other, and have nothing open.

Does not know how they come to agree, nor how long that may take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simulations.facts import Departed, Fact, Forgot, Observed, Removed, View


class Convergence:
    """Invariant 8."""

    name = "convergence"

    def __init__(self) -> None:
        self._forgetful = False
        """Whether a daemon has lost what it knew, or left: a grant to that life is never acknowledged."""
        self._removed: set[str] = set()
        """Machines whose daemons were removed: nobody repeats grants to them."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        if isinstance(fact, Forgot):
            self._forgetful = True
        if isinstance(fact, Removed):
            self._removed.update(one.name for one in fact.lives)
        if isinstance(fact, Departed):
            self._forgetful = True
        if not isinstance(fact, Observed) or not fact.settled:
            return
        yield from disagreements(fact.views, lost=bool(fact.gone - self._removed) or self._forgetful)


def disagreements(views: Mapping[str, View], *, lost: bool = False) -> Iterator[str]:
    """
    What keeps daemons that should all be well from being in agreement, a sentence each.

    Args:
        views: What they show, by machine.
        lost: Whether grants may stay open, as nobody is left, or remembers, to acknowledge them.
    """
    first = next((name for name, view in views.items() if view.serving), "")
    for name, view in views.items():
        if not view.serving:
            yield f"{name} runs, and does not serve"
        elif view.rings != views[first].rings:
            yield f"{name} holds another ring than {first}"
        elif view.pools != views[first].pools:
            yield f"{name} knows other pools than {first}"
        if view.alive != views.keys():
            missing = sorted(views.keys() - view.alive)
            beyond = sorted(view.alive - views.keys())
            yield f"{name} does not see {missing} alive, and sees {beyond} who are not"
        if view.outgoing and not lost:
            yield f"{name} has {view.outgoing} grants that nobody has acknowledged"
