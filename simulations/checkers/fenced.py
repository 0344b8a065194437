"""
Only what is in question is withheld, and only where it can be in question.

Two owners of one address come about only where a disk went back in time; from then on it is fenced until
somebody decides.  Whatever else an owner withholds is in use at another daemon, which says so.
Does not know how owners and holders learn of each other.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.facts import Changing, Fact, Forgot, Observed


class Fenced:
    """Judges when all is settled."""

    name = "fenced"

    def __init__(self) -> None:
        self._forgetful = False
        """Whether a daemon has lost what it knew: nobody may be there to adopt, or to hold what is lent."""
        self._restored = False
        """Whether a daemon went back in time."""
        self._changing = False
        """Whether pools are changed: that waits for those who are gone, and keeps addresses back."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        if isinstance(fact, Forgot):
            self._forgetful = True
            self._restored = self._restored or fact.older
        self._changing = self._changing or isinstance(fact, Changing)
        if not isinstance(fact, Observed) or not fact.settled:
            return
        waits = self._changing and bool(fact.gone or self._forgetful)
        for name, view in fact.views.items():
            said = f": {'; '.join(view.conflicts)}" if view.conflicts else ""
            if (view.contested or view.twice) and not self._restored:
                yield f"{name} has {view.contested} contested addresses, and {view.twice} in use twice{said}"
            if view.withheld > view.contested + view.lent and not waits:
                yield (
                    f"{name} withholds {view.withheld} addresses, but only {view.contested} are contested "
                    f"and {view.lent} lent{said}"
                )
            if view.unadopted and not (fact.gone or self._forgetful):
                yield f"{name} has {view.unadopted} foreign addresses that nobody keeps for their users{said}"
        lent = sum(view.lent for view in fact.views.values())
        adopted = sum(view.foreign - view.unadopted for view in fact.views.values())
        if lent != adopted and not (fact.gone or self._forgetful):
            yield f"{lent} addresses are lent, and {adopted} are held that their owners keep for their users"
