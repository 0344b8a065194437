"""
The allocator: the machines that answer clients and peers from what this node owns, and what passes between.

Whatever comes in is given to the one that it is for; what follows from it for the others is done here, in an
order that all rely on: what is on disk first, then the peers that wait for it, then the clients.

Does not know how members are found, how messages travel, or how a cluster begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from ring.address import Range, format_range
from ring.ring import Peer
from weaveipam.allocation.adoption import Adoption
from weaveipam.allocation.assembly import Assembler
from weaveipam.allocation.bequests import is_whole, is_withheld, parts_of, take_in
from weaveipam.allocation.clients import Clients
from weaveipam.allocation.descents import Descents
from weaveipam.allocation.donors import Goal, Neighbours, Searches
from weaveipam.allocation.giving import Giver, persisted
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.leaving import WHY_LEAVING, Leaver
from weaveipam.allocation.marks import Marks
from weaveipam.allocation.nextlife import forgotten
from weaveipam.allocation.owners import Owners
from weaveipam.allocation.pending import Pending
from weaveipam.allocation.refilling import Refills
from weaveipam.allocation.rings import Change
from weaveipam.allocation.seeking import Seeker
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.allocation.settling import Settling
from weaveipam.allocation.standing import Standing
from weaveipam.protocol.effects import Level, Reply, Report
from weaveipam.protocol.messages import (
    Adopt,
    Adopted,
    End,
    FreeHint,
    Grant,
    GrantAck,
    Header,
    LoanQuery,
    Ownership,
    PieceFindings,
    PieceRequest,
    PieceSurvey,
    Returned,
    SpaceRefusal,
    SpaceRequest,
    Step,
    Tell,
)
from weaveipam.protocol.records import Noted, Outgoing, Record, RecordKey
from weaveipam.protocol.requests import Allocate, Collect, Leave, Release, Stay
from weaveipam.protocol.values import Birth, Pool


class Allocator:
    """One node's allocations and its share of the rings."""

    def __init__(self, me: Peer, settings: AllocationSettings, neighbours: Neighbours, rng: Random) -> None:
        self._me = me
        self._neighbours = neighbours
        self.holdings = Holdings(me, settings)
        self.standing = Standing()
        self.pending = Pending()
        self.giver = Giver(me, settings, neighbours, rng, self.holdings)
        self.marks = Marks(me, settings, neighbours)
        self.adoption = Adoption(me, settings, neighbours, rng, self.holdings)
        self.settling = Settling(me, settings, neighbours, self.holdings, self.learn)
        self.leaver = Leaver(me, settings, neighbours, rng, self.holdings, self.giver, self.standing)
        owners = Owners(me, settings, neighbours, self.holdings)
        self._seeker = Seeker(
            Searches(settings, rng),
            owners,
            Descents(settings, rng, neighbours, owners, self.holdings),
            Assembler(me, settings, neighbours, rng, self.giver, self.holdings, self.pending.awaits),
            Refills(settings, rng, self.holdings, self.giver, self.leaver, self.standing),
            self.pending,
            self._retry,
        )
        self._clients = Clients(
            settings, self.holdings, self.pending, self._seeker, self.giver, self.marks, self.standing
        )

    @property
    def serving(self) -> bool:
        """Whether allocations are answered; before, they wait."""
        return self.standing.serving

    def restore(
        self, birth: Birth, pools: Iterable[Pool], records: Sequence[Record], now: float
    ) -> list[Step]:
        """Take over what the disk remembers; grants that were under way are repeated."""
        self.giver.grants.restore((record for record in records if isinstance(record, Outgoing)), now)
        self.leaver.restore(records, now)
        self.marks.restore((record for record in records if isinstance(record, Noted)), now)
        return self.holdings.restore(birth, pools, records, now)

    def serve(self, now: float) -> list[Step]:
        """Answer allocations from now on."""
        self.standing.serving = True
        self.giver.arm(now)
        if self.holdings.leases:  # the process before may have had no time to note the last of them
            self.marks.gave(now)
        self.adoption.begin(now)
        self.settling.begin(now)
        noted = self.holdings.note_rests()
        steps: list[Step] = [] if noted is None else [noted]
        return [*steps, *self._retry(None, now), *self._refill_all(now)]

    def admit(self, now: float) -> list[Step]:
        """Ask for space from now on."""
        self.standing.admitted = True
        return [*self._retry(None, now), *self._refill_all(now)] if self.serving else []

    def follow_pools(self, now: float) -> list[Step]:
        """There are other pools: nothing is sought for those that are gone, and who waits may find some."""
        steps = self._seeker.follow_pools(self.holdings.pools, now)
        self.giver.arm(now)
        return [*steps, *self._retry(None, now), *self._refill_all(now)] if self.serving else steps

    def of_this_life(self) -> tuple[RecordKey, ...]:
        """The records that mean nothing to another life of this daemon."""
        ours = (*self.holdings.of_this_life(), *self.giver.grants.keys(), *self.marks.of_this_life())
        return (*ours, *self.leaver.of_this_life())

    # The clients' side

    def allocate(self, request_id: int, request: Allocate, now: float) -> list[Step]:
        """Answer an allocation at once, or let it wait for space."""
        steps = self.leaver.wanted()
        refusal = self.leaver.refuses(request.network, request.key)
        if refusal is not None:
            return [*steps, Reply(request_id, refusal)]
        return [*steps, *self._clients.allocate(request_id, request, now)]

    def release(self, request_id: int, request: Release, now: float) -> list[Step]:
        """Give back what a key or an address holds."""
        handed = None if request.key is None else self.leaver.handed(request.network, request.key)
        if handed is not None:
            return [Reply(request_id, handed)]
        return self._clients.release(request_id, request, now)

    def collect(self, request_id: int, request: Collect, now: float) -> list[Step]:
        """Give back everything of a prefix that is not to be kept."""
        return self._clients.collect(request_id, request, now)

    def leave(self, request_id: int, request: Leave | Stay, now: float) -> list[Step]:
        """Give away everything, and end; waiting requests are refused.  Or do not leave after all."""
        if isinstance(request, Stay):
            return [*self.leaver.stay(request_id), *(self._refill_all(now) if self.serving else ())]
        steps = self.leaver.leave(request_id, now)
        return [*steps, *(self._clients.refuse_waiting(WHY_LEAVING) if self.leaver.leaving else ())]

    def cancel(self, request_id: int) -> list[Step]:
        """The client has gone; what it was given already stays given."""
        return self._clients.cancel(request_id)

    def refuse_all(self, detail: str) -> list[Reply]:
        """Nobody waits any longer: this node will answer nothing more."""
        return self._clients.refuse_all(detail)

    def _retry(self, goal: Goal | None, now: float) -> list[Step]:
        return self._clients.retry(goal, now)

    def _refill_all(self, now: float) -> list[Step]:
        return [step for part in self.holdings.pools.stocks for step in self._seeker.refill(part, now)]

    # The peers' side

    def learn(self, ownership: Ownership, now: float) -> list[Step]:
        """Merge statements; what is new here is passed on."""
        if self.holdings.rings.knows(ownership):
            return []
        theirs = self.holdings.checked(ownership)
        if theirs is None:
            return [Report(Level.WARNING, "bad-statement", (("ring", str(ownership.ring)),))]
        change = self.holdings.merge(ownership.ring, theirs)
        unknown = forgotten(self._me, change)
        if unknown is not None:
            text = format_range(ownership.ring.family, Range(unknown.start, unknown.stop))
            return [End(f"members know what this daemon once said of {text}, and its own store does not")]
        return [*persisted(change), *self._settle(change, now)]

    def _settle(self, change: Change, now: float) -> list[Step]:
        steps = self.holdings.settle(change, now)
        if change.frozen:
            self.settling.begin(now)
        if change.gained or change.lost:
            self.giver.arm(now)
        return [*steps, *self._clients.help(change, now)]

    def give(self, header: Header, asked: SpaceRequest, now: float) -> list[Step]:
        """Grant space to a peer that asks, or say no."""
        steps = self.giver.give(header, asked, now, serving=self.serving)
        if header.sender in self.holdings.departing:
            steps += self.leaver.remind(header)
        return steps

    def granted(self, header: Header, told: Grant, now: float) -> list[Step]:
        """
        Own what a peer gave, once it is on disk; a repeat is acknowledged again and changes nothing.

        Who leaves gives it on; who has left does not answer, as nobody would have it.
        """
        if self.leaver.left:
            return []
        parts = parts_of(told)
        theirs = [self.holdings.checked(one) for one in parts]
        if None in theirs or any(run.owner != self._me for one in parts for run in one.runs):
            # Meant for an earlier life: true, but not this one's to acknowledge.
            return [step for one in parts for step in self.learn(one, now)]
        if not is_whole(parts, theirs) or is_withheld(self.holdings, told):
            return []  # not to be believed, or not yet: it comes again
        changes = [
            self.holdings.merge(one.ring, ring) for one, ring in zip(parts, theirs, strict=True) if ring
        ]
        steps = [step for change in changes for step in persisted(change)]
        steps += take_in(self.holdings, self._me, told, header.sender.name, changes, now)
        if told.leases or told.lent:
            self.marks.gave(now)
            self.adoption.begin(now)
        steps.append(Tell(header.endpoint, GrantAck(told.grant)))
        goal, kept = self._seeker.granted(header, told, now)
        steps += kept
        steps += [step for change in changes for step in self._settle(change, now)]
        steps += self._seeker.assembled(now)
        if goal is not None:
            steps += self._retry(goal, now)
            if goal.part in self.holdings.pools.stocks:
                steps += self._seeker.refill(goal.part, now)
        elif header.sender in self.holdings.departing and self.serving:
            steps += self._retry(None, now)
        self._seeker.end_grant()
        return [*steps, *self.leaver.go_on(now)]

    def acknowledged(self, header: Header, told: GrantAck, now: float) -> list[Step]:
        """A grant arrived."""
        steps: list[Step] = [*self.giver.grants.acknowledged(told.grant, header.sender)]
        return [*steps, *self.leaver.acknowledged(header, now)]

    def hear_of_loans(
        self, header: Header, told: Adopt | Adopted | LoanQuery | Returned, now: float
    ) -> list[Step]:
        """What a peer says of foreign addresses; what is kept for it from now on must not be forgotten."""
        kept = len(self.holdings.loans)
        steps = self.adoption.hear(header, told, now)
        if len(self.holdings.loans) > kept:
            self.marks.gave(now)
        return steps

    def hear_of_piece(
        self, header: Header, told: PieceSurvey | PieceFindings | PieceRequest, now: float
    ) -> list[Step]:
        """A peer that puts a block together asks, or the owner of a piece answers."""
        match told:
            case PieceSurvey():
                return self.giver.survey(header, told, serving=self.serving)
            case PieceRequest():
                return self.giver.give_piece(header, told, now, serving=self.serving)
            case PieceFindings():
                return self._seeker.found_piece(header, told, now)

    def refused(self, header: Header, told: SpaceRefusal, now: float) -> list[Step]:
        """A donor says no; the next is asked."""
        return self._seeker.refused(header, told, now)

    def hints(self) -> tuple[FreeHint, ...]:
        """About how much this node could give away."""
        return self.holdings.pools.hints() if self.serving and not self.leaver.leaving else ()

    # Time

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `wake` has something to do."""
        # One list: this is asked after every packet.
        due = [self.pending.wake_at, self._seeker.wake_at, self.giver.grants.wake_at, self.holdings.thaw_at]
        due.append(self.leaver.wake_at)
        if self.serving:  # else it would be due for ever
            due += (self.holdings.tidy_at, self.giver.drift_at, self.holdings.leases.terms.wake_at)
            due += (self.marks.wake_at, self.adoption.wake_at, self.settling.wake_at)
        return min(due)

    def wake(self, now: float) -> list[Step]:
        """Whatever is due: late donors, deadlines, repeats, rested addresses, refills, tidying."""
        steps = self._seeker.wake(now)
        steps += self._clients.wake(now)
        steps += self._seeker.assemble(now)
        steps += self.giver.grants.wake(self._neighbours, now)
        thawed = self.holdings.thaw(now)
        steps += thawed
        if thawed:
            self.giver.arm(now)
        if self.serving:
            steps += self._clients.expire(now)
            steps += self._retry(None, now) if thawed else []
            steps += self._refill_all(now)
            steps += self.holdings.tidy(now)
            steps += self.giver.drift(now, busy=bool(self.pending or self._seeker or self.leaver.leaving))
            steps += self.marks.wake(now)
            steps += self.adoption.wake(now)
            steps += self.settling.wake(now)
        steps += self.leaver.tidy(now)
        return [*steps, *self.leaver.wake(now)]
