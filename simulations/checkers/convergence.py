"""
When all is settled, all who run hold the same rings, byte for byte, see each other, and have nothing open.

Does not know how they come to agree.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.facts import Fact, Forgot, Observed


class Convergence:
    """Invariant 8."""

    name = "convergence"

    def __init__(self) -> None:
        self._forgetful = False
        """Whether a daemon has lost what it knew: a grant to that life is never acknowledged."""
        self._restored = False
        """Whether a daemon went back in time: conflicts are found then, and stay until somebody decides."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        if isinstance(fact, Forgot):
            self._forgetful = True
            self._restored = self._restored or fact.older
        if not isinstance(fact, Observed) or not fact.settled:
            return
        serving = {name: one for name, one in fact.views.items() if one.serving}
        yield from (f"{name} runs, and does not serve" for name in fact.views if name not in serving)
        first = next(iter(serving), "")
        for name, view in serving.items():
            if view.rings != serving[first].rings:
                yield f"{name} holds another ring than {first}"
            if view.alive != serving.keys():
                missing = sorted(serving.keys() - view.alive)
                beyond = sorted(view.alive - serving.keys())
                yield f"{name} does not see {missing} alive, and sees {beyond} who are not"
            if view.outgoing and not fact.gone and not self._forgetful:
                yield f"{name} has {view.outgoing} grants that nobody has acknowledged"
            if view.conflicts and not self._restored:
                yield f"{name} reports conflicts: {'; '.join(view.conflicts)}"
