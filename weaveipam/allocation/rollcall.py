"""
The roll call: how the members of a cluster decide something, with everybody who is not fenced.

Here is what a member answers to the others; `Ledger` says what, `Seat` keeps it, `Proposer` asks.

Does not know what clients want addresses for, nor how members are found.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from random import Random
from typing import TypeAlias

from ring.ring import Peer
from weaveipam.allocation.admission import Admission
from weaveipam.allocation.donors import Neighbours
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.proposer import Proposer
from weaveipam.allocation.rules import RULES
from weaveipam.allocation.seat import Seat
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.effects import Level, Report
from weaveipam.protocol.messages import End, Header, Step, Tell
from weaveipam.protocol.progress import RollCallView
from weaveipam.protocol.records import Left, Record, RecordKey
from weaveipam.protocol.rollcalls import (
    Accept,
    Accepted,
    CharterShare,
    Closure,
    Decided,
    Declined,
    Enrol,
    Enrolled,
    Objection,
    Postponed,
    Prepare,
    Promise,
)
from weaveipam.protocol.values import Birth, MemberState

Said: TypeAlias = (
    Prepare
    | Promise
    | Declined
    | Accept
    | Accepted
    | Decided
    | CharterShare
    | Closure
    | Enrol
    | Enrolled
    | Postponed
)
"""What members say to each other in a roll call."""

CLOSURE_INTERVAL_S = 1.0
"""Between two answers to those whose life is over."""
MISSING_MAX = 8
"""Lives that a newcomer is told of for which a decision waits."""


class RollCall:
    """One member's part in decisions; begins with `take`."""

    def __init__(
        self,
        me: Peer,
        settings: AllocationSettings,
        neighbours: Neighbours,
        holdings: Holdings,
        rng: Random,
    ) -> None:
        self._me = me
        self._settings = settings
        self._neighbours = neighbours
        self._holdings = holdings
        self.seat = Seat(me, settings, holdings)
        self.admission = Admission(settings, neighbours)
        self.proposer = Proposer(self.seat, settings, neighbours, rng)
        self._told_at = -math.inf
        """When somebody whose life is over was last told so."""
        self._promised_at = -math.inf
        self._looked_at = -math.inf
        self._not_seen: tuple[Peer, ...] = ()
        """Who was missing when a newcomer last wanted to know."""

    def take(self, birth: Birth, records: Sequence[Record], now: float) -> None:
        """Belong to a cluster, as the disk remembers it."""
        self.seat.take(birth, records)
        self.proposer.housekeeping.earlier = next(
            (one.peer for one in records if isinstance(one, Left)), None
        )
        self.proposer.begin(now)
        if not self.seat.ledger.admitted:
            self.admission.begin(now)

    def of_this_life(self) -> tuple[RecordKey, ...]:
        """The records that mean nothing to another life of this daemon."""
        return self.seat.ledger.of_this_life()

    @property
    def admitted(self) -> bool:
        """Whether this member may own space."""
        return self.seat.ledger.admitted

    @property
    def is_bound(self) -> bool:
        """Whether it must not leave yet: it may have accepted a decision, or keeps the roster for all."""
        return self.seat.ledger.vote is not None or self._is_missed()

    def _is_missed(self) -> bool:
        """Whether this member is an elector, and those who stay would be too few to name all members."""
        electors = self.seat.ledger.electors
        gone = {self._me, *self._holdings.departing}
        gone.update(one for one in electors if self._neighbours.state_of(one) is MemberState.LEFT)
        there = any(one.peer in electors - gone for one in self._neighbours.alive())
        return self._me in electors and not (there and RULES.affirmed(gone, electors))

    @property
    def number(self) -> int:
        """Decisions that are known to be complete."""
        return self.seat.ledger.charter.number

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `wake` has something to do."""
        return min(self.proposer.wake_at, self.admission.wake_at)

    def wake(self, now: float) -> list[Step]:
        """Ask to be admitted; ask those again who have not answered."""
        return [*self.admission.wake(self.seat.ledger, now), *self.proposer.wake(now)]

    def view(self) -> RollCallView:
        """How far the decision has got that is wanted here."""
        campaign, wanted = self.proposer.campaign, self.proposer.wanted
        ledger = self.seat.ledger
        fenced = ledger.closed if campaign is None else campaign.fenced
        return RollCallView(
            number=ledger.charter.number,
            busy=self.proposer.busy,
            fenced=tuple(sorted(fenced if wanted is None else fenced | wanted.victims)),
            awaited=self.proposer.awaited,
            agreed=campaign is not None and campaign.decree is not None,
            detail=self.proposer.obstacles,
            electors=ledger.charter.electors,
        )

    def retire(self, now: float) -> list[Step]:
        """Have electors chosen of those who stay, if this member would be missed: it leaves."""
        if self.proposer.busy or not self._is_missed():
            return []
        leaving = frozenset((self._me, *self._holdings.departing))
        staying = self.seat.ledger.roster - leaving
        there = any(one.peer in staying for one in self._neighbours.alive())
        return self.proposer.retire(leaving, now) if there else []

    # What members say

    def heard(self, header: Header, now: float) -> list[Step]:
        """A packet came from a member; one whose life is over is told so."""
        self.seat.hear(header.sender, now)
        if not self._holdings.belief.is_over(header.sender) or now < self._told_at + CLOSURE_INTERVAL_S:
            return []
        self._told_at = now
        return [Tell(header.endpoint, Closure((header.sender,)))]

    def receive(self, header: Header, told: Said, now: float) -> list[Step]:
        """What a member says about decisions."""
        match told:
            case Prepare():
                return self._prepare(header, told, now)
            case Accept():
                return self._accept(header, told, now)
            case Promise():
                return self.proposer.promised(header.sender, told, now)
            case Accepted():
                return self.proposer.accepted(header.sender, told, now)
            case Declined():
                return self.proposer.declined(header, told, now)
            case Enrol():
                return self._enrol(header, told, now)
            case Enrolled():
                return self._enrolled(header.sender, told, now)
            case Postponed():
                return self.admission.postponed(header.sender, told, self.seat.ledger)
            case _:
                return self._catch_up(header, told, now)

    def brought_up_to_date(self, header: Header, number: int) -> list[Tell]:
        """What to tell one who knows of so many decisions before anything else."""
        if number >= self.number:
            return []
        return [Tell(header.endpoint, CharterShare(self.seat.ledger.charter), stream=True)]

    def _catch_up(self, header: Header, told: Decided | CharterShare | Closure, now: float) -> list[Step]:
        match told:
            case Decided():
                return self._hear_number(header, told.number, now)
            case CharterShare():
                return self._hear_charter(header, told, now)
            case Closure():
                return self._stop(header.sender, told.closed)

    def _prepare(self, header: Header, asked: Prepare, now: float) -> list[Step]:
        if RULES.stops(self._me, asked.fenced):
            return self._stop(header.sender, asked.fenced)
        steps: list[Step] = []
        ledger = self.seat.ledger
        if asked.number == ledger.accepted_number + 1 and ledger.vote is not None:
            steps += self._complete(now)  # else nobody would call for the next one
        after, declined = self.seat.ledger.promise(asked, self.seat.heard_lately(asked.fenced, now))
        if declined is not None:
            return [*steps, *self._decline(header, declined)]
        self._promised_at = now
        steps += self.seat.keep(after, now)
        return [*steps, Tell(header.endpoint, self.seat.answer(asked))]

    def _accept(self, header: Header, asked: Accept, now: float) -> list[Step]:
        if RULES.stops(self._me, asked.decree.victims):
            return self._stop(header.sender, asked.decree.victims)
        ledger = self.seat.ledger
        accepted = Tell(header.endpoint, Accepted(asked.number, asked.ballot))
        if ledger.vote is not None and (ledger.accepted_number, ledger.vote.ballot) == (
            asked.number,
            asked.ballot,
        ):
            return [accepted]
        after, declined = ledger.accept(asked)
        if declined is not None:
            return self._decline(header, declined)
        return [*self.seat.keep(after, now), accepted]

    def _decline(self, header: Header, declined: Declined) -> list[Step]:
        steps: list[Step] = [Tell(header.endpoint, declined)]
        if declined.why is Objection.DECIDED:
            steps.append(self._charter_for(header))
        return steps

    def _enrol(self, header: Header, asked: Enrol, now: float) -> list[Step]:
        ledger = self.seat.ledger
        if asked.number < ledger.charter.number:
            return [self._charter_for(header)]
        if self._holdings.belief.is_over(header.sender) or asked.number > ledger.charter.number:
            return []
        if self._me not in ledger.electors:
            return []
        busy = ledger.promised is not None and now < self._promised_at + 2 * self._settings.inquiry_s
        fresh = header.sender not in ledger.roster
        after, enrolled = ledger.enrol(header.sender)
        if not enrolled or (busy and fresh):  # else the ballot would have to begin anew
            return [Tell(header.endpoint, Postponed(asked.number, self._missing(now)))]
        return [*self.seat.keep(after, now), Tell(header.endpoint, Enrolled(asked.number))]

    def _missing(self, now: float) -> tuple[Peer, ...]:
        """Who is not seen of those whose answers a decision needs; looked for once for many who ask."""
        if now < self._looked_at + self._settings.inquiry_s:
            return self._not_seen
        ledger, campaign = self.seat.ledger, self.proposer.campaign
        needed = ledger.roster - ledger.closed if campaign is None else campaign.awaited
        there = {self._me, *(one.peer for one in self._neighbours.alive())}
        self._looked_at, self._not_seen = now, tuple(sorted(needed - there)[:MISSING_MAX])
        return self._not_seen

    def _enrolled(self, elector: Peer, told: Enrolled, now: float) -> list[Step]:
        ledger = self.seat.ledger
        if ledger.admitted:
            return []
        self.admission.enrolled(elector, told, ledger)
        if not RULES.admitted(ledger.electors, self.admission.enrolled_by):
            return []
        return [*self.seat.keep(ledger.admit(), now), Report(Level.INFO, "admitted")]

    def _hear_number(self, header: Header, number: int, now: float) -> list[Step]:
        ledger = self.seat.ledger
        if number < ledger.charter.number:
            return [self._charter_for(header)]
        if number == ledger.accepted_number and ledger.vote is not None:
            return self._complete(now)
        if number > ledger.accepted_number:
            return [Tell(header.endpoint, Decided(ledger.charter.number))]
        return []

    def _hear_charter(self, header: Header, told: CharterShare, now: float) -> list[Step]:
        ledger, charter = self.seat.ledger, told.charter
        if charter.number <= ledger.charter.number:
            return []
        if RULES.stops(self._me, {one.peer for one in charter.removed}):
            return self._stop(header.sender, (self._me,))
        if charter.number == ledger.accepted_number:
            return self._complete(now)
        if not ledger.admitted:
            return [*self.seat.keep(ledger.adopt(charter), now)]
        # All but the fenced accept every decision: it was made without this life, as that was over.
        return self._stop(header.sender, (self._me,))

    def _charter_for(self, header: Header) -> Tell:
        return Tell(header.endpoint, CharterShare(self.seat.ledger.charter))

    def _complete(self, now: float) -> list[Step]:
        return [*self.seat.complete(now), *self.proposer.completed(now)]

    def _stop(self, sender: Peer, closed: Collection[Peer]) -> list[Step]:
        """This life is over, if it is among those that are said to be."""
        if self._me not in closed:
            return []
        return [End(f"it was removed from the cluster, says {sender.name}; what it owned is owned by others")]
