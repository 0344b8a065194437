"""
How a newcomer gets onto the roster: it asks every elector, until a majority of them has enrolled it.

Does not know what it may do then.
"""

from __future__ import annotations

import math

from ring.ring import Peer
from weaveipam.allocation.donors import Neighbours, as_life, shown
from weaveipam.allocation.ledger import Ledger
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import Tell
from weaveipam.protocol.rollcalls import Enrol, Enrolled


class Admission:
    """One newcomer's way in; does nothing once it is admitted."""

    def __init__(self, settings: AllocationSettings, neighbours: Neighbours) -> None:
        self._settings = settings
        self._neighbours = neighbours
        self._number = -1
        """Decisions made when those below enrolled it: each may change the electors."""
        self.enrolled_by: frozenset[Peer] = frozenset()
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

    def why(self, ledger: Ledger) -> str:
        """What it waits for, in a sentence."""
        lives = sorted(ledger.electors - self.enrolled_by)
        missing = ", ".join(shown(one, self._neighbours) for one in lives)
        return f"waiting for a majority of the electors to admit this daemon; not heard yet: {missing}"

    def _count_anew(self, ledger: Ledger) -> None:
        if self._number != ledger.charter.number:
            self._number, self.enrolled_by = ledger.charter.number, frozenset()
