"""
One member's seat in the roll call: its ledger, kept on disk and in step with its rings.

Does not know who says what to whom.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from ring.ring import Peer
from weaveipam.allocation.bequests import forget_departing
from weaveipam.allocation.campaign import Known, answered
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.ledger import Ledger
from weaveipam.allocation.lending import forget_holder
from weaveipam.allocation.rings import together
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.codec import digest_key, run_digests
from weaveipam.protocol.decisions import Statements
from weaveipam.protocol.effects import Durability, Level, Persist, Report
from weaveipam.protocol.messages import Publish, Step
from weaveipam.protocol.records import Record
from weaveipam.protocol.rollcalls import Prepare, Promise
from weaveipam.protocol.values import Birth

HEARD_MAX = 20_000
"""Lives whose last packet is remembered; several times the daemons of the largest cluster."""


class Seat:
    """What one member remembers of decisions, and what those in force here have done."""

    def __init__(self, me: Peer, settings: AllocationSettings, holdings: Holdings) -> None:
        self.me = me
        self._settings = settings
        self._holdings = holdings
        self._key = b""
        self.ledger = Ledger.begin(me, Birth(b"", (), ()))
        self._gone: frozenset[Peer] = frozenset()
        """Whom decisions have removed, of those that the charter names."""
        self._heard: dict[Peer, float] = {}

    def take(self, birth: Birth, records: Sequence[Record]) -> None:
        """Belong to a cluster, as the disk remembers it."""
        self._key = digest_key(birth)
        self._follow(Ledger.restore(self.me, birth, records))

    @property
    def known(self) -> Known:
        """All rings."""
        return self._holdings.rings.all()

    def keep(self, ledger: Ledger, now: float) -> list[Persist]:
        """Go on with another ledger; to be on disk before anybody hears of it."""
        persist = self._go_on_with(ledger, now)
        return [persist] if persist.put or persist.delete else []

    def complete(self, now: float) -> list[Step]:
        """What was accepted here is decided: in force from now on, at once with what it does to rings."""
        vote = self.ledger.vote
        assert vote is not None, "nothing is complete that was not accepted"
        changed: list[Persist | None] = [self._go_on_with(self.ledger.complete(), now)]
        after: list[Step] = []
        for said in vote.decree.statements:
            change = self._holdings.install(said, now)
            changed.append(change.persist)
            # Not passed on: who does not know of the decision would not believe it, and all others have it.
            after += [one for one in self._holdings.settle(change, now) if not isinstance(one, Publish)]
        names = ",".join(one.name for one in vote.decree.victims)
        fields = (("number", self.ledger.charter.number), ("removed", names))
        ended = [step for one in vote.decree.victims for step in self._forget(one, now)]
        return [together(*changed), *after, *ended, Report(Level.INFO, "decided", fields)]

    def _forget(self, removed: Peer, now: float) -> list[Step]:
        steps = forget_holder(self._holdings, removed, now)
        if removed in self._holdings.departing:
            steps += forget_departing(self._holdings, self.me, removed, now)
        return steps

    def weigh(self, said: Statements) -> int:
        """The sum of the digests of some runs."""
        return sum(map(run_digests(said.ring, self._key), said.runs))

    def hear(self, sender: Peer, now: float) -> None:
        """A packet came from a member."""
        if len(self._heard) >= HEARD_MAX and sender not in self._heard:
            del self._heard[next(iter(self._heard))]
        self._heard[sender] = now

    def heard_lately(self, fenced: Collection[Peer], now: float) -> list[Peer]:
        """Who of some has spoken to this member within `heard_s`, sorted."""
        since = now - self._settings.heard_s
        return sorted(one for one in fenced if self._heard.get(one, -math.inf) > since)

    def answer(self, asked: Prepare) -> Promise:
        """What this member says, which has promised."""
        uses = self._holdings.uses(asked.vacates)
        return answered(self.ledger, self.known, asked, self.weigh, uses)

    def _go_on_with(self, ledger: Ledger, now: float) -> Persist:
        before = self.ledger
        put, delete = ledger.records_since(before)
        persist = Persist(tuple(put), tuple(delete), Durability.HOST)
        self._follow(ledger)
        if (ledger.pools, ledger.withheld) == (before.pools, before.withheld):
            return persist
        return together(persist, self._holdings.set_pools(ledger.pools, ledger.withheld, now))

    def _follow(self, ledger: Ledger) -> None:
        if ledger.charter is not self.ledger.charter:  # mostly it is: an elector follows with each enrolment
            self._gone = frozenset(one.peer for one in ledger.charter.removed)
        self.ledger = ledger
        self._holdings.belief.trust(ledger.closed, self._gone, ledger.charter.number)
