"""
How a newcomer gets onto the roster: it asks every elector, until a majority of them has enrolled it.

Does not know what it may do then.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from ring.ring import Peer
from weaveipam.allocation.donors import Neighbours, as_life, shown
from weaveipam.allocation.ledger import Ledger
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import Step, Tell
from weaveipam.protocol.rollcalls import Enrol, Enrolled, Postponed


class Admission:
    """One newcomer's way in; does nothing once it is admitted."""

    def __init__(self, settings: AllocationSettings, neighbours: Neighbours) -> None:
        self._settings = settings
        self._neighbours = neighbours
        self._number = -1
        """Decisions made when those below enrolled it: each may change the electors."""
        self.enrolled_by: frozenset[Peer] = frozenset()
        self._postponed: dict[Peer, Postponed] = {}
        """What electors have said since all were asked last; what they said before, if they have not yet."""
        self._silent: set[Peer] = set()
        """Of these electors those that have not answered since."""
        self.wake_at = math.inf
        """Seconds on the monotonic clock: when to ask again."""

    def begin(self, now: float) -> None:
        """Ask from now on."""
        self.wake_at = now

    def wake(self, ledger: Ledger, now: float) -> list[Tell]:
        """Ask those who have not answered."""
        if now < self.wake_at:
            return []
        if ledger.admitted:
            self.wake_at = math.inf
            return []
        self.wake_at = now + self._settings.inquiry_s
        self._count_anew(ledger)
        for elector in self._silent:
            self._postponed.pop(elector, None)
        self._silent = set(self._postponed)
        asked = []
        for elector in sorted(ledger.electors - self.enrolled_by):
            member = as_life(elector, self._neighbours)
            if member is not None:
                asked.append(Tell(member.endpoint, Enrol(ledger.charter.number)))
        return asked

    def enrolled(self, elector: Peer, told: Enrolled, ledger: Ledger) -> None:
        """An elector has this newcomer on its roster."""
        self._count_anew(ledger)
        if told.number == ledger.charter.number:
            self.enrolled_by |= {elector}
            self._postponed.pop(elector, None)

    def postponed(self, elector: Peer, told: Postponed, ledger: Ledger) -> list[Step]:
        """An elector enrols nobody for the time being; there is nothing to do but to say so."""
        self._count_anew(ledger)
        if told.number == ledger.charter.number and elector not in self.enrolled_by:
            self._postponed[elector] = told
            self._silent.discard(elector)
        return []

    def why(self, ledger: Ledger) -> str:
        """What it waits for, in a sentence."""
        lives = ledger.electors - self.enrolled_by
        said = [one for one in sorted(self._postponed) if one in lives]
        parts = ["waiting for a majority of the electors to admit this daemon"]
        if said:
            parts.append(self._why_postponed(said, ledger.charter.number + 1))
        if lives.difference(said):
            parts.append(f"not heard yet: {self._names(lives.difference(said))}")
        return "; ".join(parts)

    def _why_postponed(self, electors: Collection[Peer], number: int) -> str:
        missing = {one for elector in electors for one in self._postponed[elector].missing}
        cannot = f"{self._names(electors)} cannot do so before decision {number} is made"
        if not missing:
            return cannot
        names = self._names(missing)
        return (
            f"{cannot}, which lacks the vote of {names}, not heard there: start again what is only down, and "
            f"remove what is gone for good with weaveipam peer remove {names.replace(',', '')}"
        )

    def _names(self, lives: Collection[Peer]) -> str:
        return ", ".join(shown(one, self._neighbours) for one in sorted(lives))

    def _count_anew(self, ledger: Ledger) -> None:
        if self._number != ledger.charter.number:
            self._number, self.enrolled_by = ledger.charter.number, frozenset()
            self._postponed.clear()
