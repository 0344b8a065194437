"""
The allocator: clients' requests and peers' requests for space, answered from what this node owns.

What cannot be answered at once waits, while one search for each goal asks the peers for space.

Does not know how members are found, how messages travel, or how a cluster begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from random import Random

from ring.address import Range, format_range
from ring.ring import Peer
from weaveipam.allocation.adoption import Adoption
from weaveipam.allocation.assembly import Assembler
from weaveipam.allocation.bequests import is_whole, parts_of, take_in
from weaveipam.allocation.donors import (
    Goal,
    Neighbour,
    Neighbours,
    Search,
    Searches,
    as_life,
    helps,
    weights_of,
)
from weaveipam.allocation.explain import why_late, why_none
from weaveipam.allocation.giving import Giver, persisted
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.leasing import Leasing
from weaveipam.allocation.leaving import WHY_LEAVING, Leaver
from weaveipam.allocation.marks import Marks
from weaveipam.allocation.nextlife import forgotten
from weaveipam.allocation.orders import Line, resolve, satisfies
from weaveipam.allocation.pending import Pending, Waiting
from weaveipam.allocation.pools import Part
from weaveipam.allocation.rings import Change
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.allocation.settling import Settling
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
    Need,
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
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    Collect,
    Leave,
    Reason,
    Refusal,
    Release,
    Released,
    Stay,
    Want,
)
from weaveipam.protocol.values import Allocation, Assigned, Birth, Pool, RingId

REFILL_DOUBLINGS_MAX = 4


class Allocator:
    """One node's allocations and its share of the rings."""

    def __init__(self, me: Peer, settings: AllocationSettings, neighbours: Neighbours, rng: Random) -> None:
        self._me = me
        self._settings = settings
        self._neighbours = neighbours
        self._rng = rng
        self.holdings = Holdings(me, settings)
        self._leasing = Leasing(self.holdings)
        self.pending = Pending()
        self.giver = Giver(me, settings, neighbours, rng, self.holdings)
        self.marks = Marks(me, settings, neighbours)
        self.adoption = Adoption(me, settings, neighbours, rng, self.holdings)
        self.settling = Settling(me, settings, neighbours, self.holdings, self.learn)
        self.leaver = Leaver(me, settings, neighbours, rng, self.holdings, self.giver)
        self.serving = False
        """Whether allocations are answered; before, they wait."""
        self.admitted = False
        """Whether space may be asked for; before, who needs some waits."""
        self._searches = Searches(settings, rng)
        self._assembler = Assembler(
            me, settings, neighbours, rng, self.giver, self.holdings, self.pending.awaits
        )
        self._refill: dict[Part, tuple[int, float]] = {}
        self._granted: Goal | None = None
        """What a grant of resting addresses has just come for: nobody has any others, so these will do."""

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
        self.serving = self.leaver.serving = True
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
        self.admitted = self.leaver.admitted = True
        return [*self._retry(None, now), *self._refill_all(now)] if self.serving else []

    def follow_pools(self, now: float) -> list[Step]:
        """There are other pools: nothing is sought for those that are gone, and who waits may find some."""
        stocks = self.holdings.pools.stocks
        steps = self._assembler.follow_pools(now)
        for search in self._searches:
            if search.goal.part not in stocks:
                self._searches.end(search.goal)
        for by_part in (self._refill, self.giver.content):
            for part in [one for one in by_part if one not in stocks]:
                del by_part[part]
        self.giver.arm(now)
        steps += self.giver.forget_void()
        return [*steps, *self._retry(None, now), *self._refill_all(now)] if self.serving else steps

    def of_this_life(self) -> tuple[RecordKey, ...]:
        """The records that mean nothing to another life of this daemon."""
        ours = (*self.holdings.of_this_life(), *self.giver.grants.keys(), *self.marks.of_this_life())
        return (*ours, *self.leaver.of_this_life())

    # The clients' side

    def allocate(self, request_id: int, request: Allocate, now: float) -> list[Step]:
        """Answer an allocation at once, or let it wait for space."""
        waiting = Waiting(request_id, request, now + max(0.0, request.wait_s))
        steps = self.leaver.wanted()
        refusal = self.leaver.refuses(request.network, request.key)
        if refusal is not None:
            return [*steps, Reply(request_id, refusal)]
        if self.serving:
            return [*steps, *self._attempt(waiting, now)]
        if len(self.pending) >= self._settings.pending_max:
            return [*steps, *self._overloaded(waiting)]
        self.pending.add(waiting)
        return steps

    def release(self, request_id: int, request: Release, now: float) -> list[Step]:
        """Give back what a key or an address holds."""
        held = None
        steps: list[Step] = []
        if request.key is not None:
            held = self.holdings.leases.get(request.network, request.key)
            handed = self.leaver.handed(request.network, request.key)
            if handed is not None:
                return [Reply(request_id, handed)]
            for one in self.pending.of_key(request.network, request.key):
                steps += self._refuse(one, Reason.CONFLICT, "the key was released while it waited")
        elif request.address is not None:
            family, address = request.address
            ring = RingId(request.network, family)
            held = self.holdings.leases.at(ring, address)
            run = self.holdings.rings[ring].at(address)
            for lent in self.holdings.loans.meeting(ring, Range(address, address + 1)) if not held else ():
                detail = f"key {lent.loan.key} holds this address at {lent.holder.name}; release it there"
                return [*steps, Reply(request_id, Refusal(Reason.NOT_OWNER, detail))]
            if held is None and run is not None and run.owner != self._me:
                detail = f"{run.owner.name} owns this address; release it there"
                return [Reply(request_id, Refusal(Reason.NOT_OWNER, detail))]
        given = () if held is None else (held,)
        return [*steps, *self._give_back(request_id, given, now)]

    def collect(self, request_id: int, request: Collect, now: float) -> list[Step]:
        """Give back everything of a prefix that is not to be kept."""
        keep = frozenset(request.keep)
        found = self.holdings.leases.starting_with(request.network, request.prefix)
        given = tuple(one for one in found if one.key not in keep)
        return self._give_back(request_id, given, now)

    def _give_back(self, request_id: int, given: tuple[Allocation, ...], now: float) -> list[Step]:
        steps = [*self._leasing.give_back(given, now), Reply(request_id, Released(given))]
        self.giver.arm(now)
        return [*steps, *self._retry(None, now)] if given and self.serving else steps

    def leave(self, request_id: int, request: Leave | Stay, now: float) -> list[Step]:
        """Give away everything, and end; waiting requests are refused.  Or do not leave after all."""
        if isinstance(request, Stay):
            return [*self.leaver.stay(request_id), *(self._refill_all(now) if self.serving else ())]
        steps = self.leaver.leave(request_id, now)
        for waiting in self.pending if self.leaver.leaving else ():
            steps += self._refuse(waiting, Reason.NOT_READY, WHY_LEAVING)
        return steps

    def cancel(self, request_id: int) -> list[Step]:
        """The client has gone; what it was given already stays given."""
        self.pending.drop(request_id)
        return []

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
        if not change.gained or not self.serving:
            return steps
        helped = [one for one in self.pending if one.goal is None or helps(change, one.goal)]
        return [*steps, *self._try_again(helped, now)]

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
        if not is_whole(parts, theirs):
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
        search = self._searches.of(told.request)
        if search is not None:
            self._granted = search.goal if told.rests else None
            self._end(search.goal)
        steps += self._assembler.granted(header, told, now)  # before anybody else gets the piece
        steps += [step for change in changes for step in self._settle(change, now)]
        steps += self._assembled(now)
        if search is not None:
            steps += self._retry(search.goal, now)
            if search.goal.part in self.holdings.pools.stocks:
                steps += self._refill_one(search.goal.part, now)
        elif header.sender in self.holdings.departing and self.serving:
            steps += self._retry(None, now)
        self._granted = None
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
                return [*self._assembler.found(header, told, now), *self._assembled(now)]

    def refused(self, header: Header, told: SpaceRefusal, now: float) -> list[Step]:
        """A donor says no; the next is asked."""
        search = self._searches.of(told.request)
        if search is None:
            return [*self._assembler.refused(header, told, now), *self._assembled(now)]
        self._searches.refused(search, told.reason)
        return self._go_on(search, now)

    def hints(self) -> tuple[FreeHint, ...]:
        """About how much this node could give away."""
        return self.holdings.pools.hints() if self.serving and not self.leaver.leaving else ()

    # Time

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `wake` has something to do."""
        # One list: this is asked after every packet.
        due = [self.pending.wake_at, self._searches.wake_at, self.giver.grants.wake_at, self.holdings.thaw_at]
        due += (self.leaver.wake_at, self._assembler.wake_at)
        due += [at for _, at in self._refill.values()]
        if self.serving:  # else it would be due for ever
            due += (self.holdings.tidy_at, self.giver.drift_at)
            due += (self.marks.wake_at, self.adoption.wake_at, self.settling.wake_at)
        return min(due)

    def wake(self, now: float) -> list[Step]:
        """Whatever is due: late donors, deadlines, repeats, rested addresses, refills, tidying."""
        steps: list[Step] = []
        for search in self._searches:
            if search.wake_at <= now:
                if search.asked is not None:
                    self._searches.late(search, as_life(search.asked, self._neighbours))
                steps += self._go_on(search, now)
        for waiting in self.pending:
            if waiting.deadline <= now:
                awaited = None if waiting.goal is None else self._searches.get(waiting.goal)
                why = why_late(waiting, awaited, ready=self.serving and self.admitted)
                steps += self._refuse(waiting, Reason.NOT_READY, why)
        steps += [*self._assembler.wake(now), *self._assembled(now)]
        steps += self.giver.forget_void()
        steps += self.giver.grants.wake(self._neighbours, now)
        thawed = self.holdings.thaw(now)
        steps += thawed
        if thawed:
            self.giver.arm(now)
        if self.serving:
            steps += self._retry(None, now) if thawed else []
            steps += self._refill_all(now)
            steps += self.holdings.tidy(now)
            steps += self.giver.drift(now, busy=bool(self.pending or self._searches or self.leaver.leaving))
            steps += self.marks.wake(now)
            steps += self.adoption.wake(now)
            steps += self.settling.wake(now)
        steps += self.leaver.tidy(now)
        return [*steps, *self.leaver.wake(now)]

    # Allocating

    def _attempt(self, waiting: Waiting, now: float) -> list[Step]:
        request = waiting.request
        lines = resolve(request, self.holdings.pools)
        if isinstance(lines, Refusal):
            return self._refuse(waiting, lines.reason, lines.detail)
        held = self.holdings.leases.get(request.network, request.key)
        if held is not None:
            if request.wants and not satisfies(held, lines):
                has = ", ".join(format_range(one.family, one.range) for one in held.addresses)
                detail = f"key {request.key} already holds {has}; release it first, or use another key"
                return self._refuse(waiting, Reason.CONFLICT, detail)
            if request.durable and not held.durable:
                durable, persist = self._leasing.make_durable(held)
                self.marks.gave(now)
                return [persist, *self._answer(waiting, durable)]
            return self._answer(waiting, held)
        off = next((line for line in lines if not any(map(self.holdings.pools.enabled, line.parts))), None)
        if off is not None:
            names = ", ".join(part.pool for part in off.parts)
            detail = f"pool {names} is disabled; weaveipam pool enable changes that"
            return self._refuse(waiting, Reason.CONFLICT, detail)
        lines = tuple(line.of(self.holdings.pools.enabled) for line in lines)
        taken: list[Assigned] = []
        for line in lines:
            what = self._take(line, waiting)
            if what is None:  # all or nothing
                for one in taken:
                    self._leasing.put_back(request.network, one)
                return self._look_around(line, waiting, now)
            taken.append(self.holdings.pools.assigned(line.ring, what))
        return self._lease(waiting, tuple(taken), now)

    def _take(self, line: Line, waiting: Waiting) -> Range | None:
        for part in line.parts:
            cooling = line.exact or self._last_resort(Goal(part, line.within, line.size), waiting)
            what = self._leasing.take(part, line.size, line.within, cooling=cooling)
            if what is not None:
                return what
        return None

    def _last_resort(self, goal: Goal, waiting: Waiting) -> bool:
        search = self._searches.get(goal)
        searched = search is not None and search.need is Need.COOLING
        return goal in waiting.failed or searched or goal == self._granted

    def _lease(self, waiting: Waiting, addresses: tuple[Assigned, ...], now: float) -> list[Step]:
        request = waiting.request
        allocation = Allocation(request.key, request.network, addresses, request.durable, request.labels)
        self.giver.put_off(now)
        self.marks.gave(now)
        steps: list[Step] = [self._leasing.lease(allocation)]
        steps += self._answer(waiting, allocation)
        for one in addresses:
            part = Part(one.pool, RingId(request.network, one.family))
            if not self.giver.content.get(part, 1):
                del self.giver.content[part]  # nothing was left, so it cannot become less
            steps += self._refill_one(part, now)
        return steps

    def _look_around(self, line: Line, waiting: Waiting, now: float) -> list[Step]:
        if waiting not in self.pending and len(self.pending) >= self._settings.pending_max:
            return self._overloaded(waiting)
        if not self.admitted:
            self.pending.add(waiting)
            return []
        for part in line.parts:
            goal = Goal(part, line.within, line.size)
            if goal in waiting.failed:
                continue
            known = self._searches.get(goal)
            if known is None or known.need is Need.REFILL:
                known = self._searches.start(goal, Need.FREE)
                waiting.goal = goal
                self.pending.add(waiting)
                return self._go_on(known, now)
            waiting.goal = goal
            self.pending.add(waiting)
            return []
        reachable = {self._me, *(one.peer for one in self._neighbours.alive())}
        failed = waiting.failed.values()
        if any(reachable.intersection(one.silent) for one in failed) and not any(one.taken for one in failed):
            return self._begin_again(line, waiting, now)
        reason, detail = why_none(self.holdings, line, waiting, reachable)
        return self._refuse(waiting, reason, detail)

    def _begin_again(self, line: Line, waiting: Waiting, now: float) -> list[Step]:
        """Search anew after a pause: a member that is there, but gave no answer, may have what is wanted."""
        waiting.failed.clear()
        waiting.goal = Goal(line.parts[0], line.within, line.size)
        known = self._searches.get(waiting.goal)
        if known is None or known.need is Need.REFILL:
            self._searches.start(waiting.goal, Need.FREE).wake_at = now + self._settings.round_pause_s
        return []

    def _overloaded(self, waiting: Waiting) -> list[Step]:
        detail = f"{self._settings.pending_max} requests wait already; try again shortly"
        return [Reply(waiting.request_id, Refusal(Reason.OVERLOADED, detail))]

    def _answer(self, waiting: Waiting, allocation: Allocation) -> list[Step]:
        self.pending.drop(waiting.request_id)
        return [Reply(waiting.request_id, Allocated(allocation))]

    def _refuse(self, waiting: Waiting, reason: Reason, detail: str) -> list[Step]:
        self.pending.drop(waiting.request_id)
        return [Reply(waiting.request_id, Refusal(reason, detail))]

    def refuse_all(self, detail: str) -> list[Reply]:
        """Nobody waits any longer: this node will answer nothing more."""
        return [Reply(one.request_id, Refusal(Reason.NOT_READY, detail)) for one in self.pending]

    def _retry(self, goal: Goal | None, now: float) -> list[Step]:
        """Try the waiting requests again: those that wait for a goal, or all."""
        return self._try_again([one for one in self.pending if goal is None or one.goal == goal], now)

    def _try_again(self, chosen: Iterable[Waiting], now: float) -> list[Step]:
        steps: list[Step] = []
        dry: dict[tuple[str, tuple[Want, ...]], Goal | None] = {}
        for waiting in chosen:
            if waiting not in self.pending:
                continue
            asks = (waiting.request.network, waiting.request.wants)
            if asks in dry and not waiting.failed:
                waiting.goal = dry[asks]  # found nothing a moment ago, so this one would not either
                continue
            steps += self._attempt(waiting, now)
            if waiting in self.pending:
                dry[asks] = waiting.goal
        return steps

    # Searching

    def _go_on(self, search: Search, now: float) -> list[Step]:
        goal = search.goal
        steps: list[Step] = []
        while self._searches.get(goal) is search and not search.failed:
            need = search.need
            if need is not Need.REFILL and not self.pending.awaits(goal):
                self._end(goal)
                break
            owners = self._owners(search) if search.moves < 0 else ()
            moves = self.holdings.rings.moves.get(goal.part.ring, 0)
            asked = self._searches.step(
                search, owners, moves, weights_of(self._neighbours, goal.part, owners), now
            )
            if asked:
                return [*steps, *asked]
            if search.need is not need:
                steps += self._retry(goal, now)
            if search.wake_at > now:
                break
        if search.failed:
            steps += self._give_up(search, now)
        return steps

    def _give_up(self, search: Search, now: float) -> list[Step]:
        if search.goal.size > 1 and search.need is not Need.REFILL:
            return [*self._assembler.start(search, now), *self._assembled(now)]
        return self._come_to_nothing(search, now)

    def _assembled(self, now: float) -> list[Step]:
        """What follows from the ends of attempts to put a block together."""
        steps: list[Step] = []
        for search, found in self._assembler.ended():
            if found:
                self._end(search.goal)
            else:
                steps += self._come_to_nothing(search, now)
            steps += self._retry(None, now)  # also who waits for a part of what is free again
        return steps

    def _come_to_nothing(self, search: Search, now: float) -> list[Step]:
        goal = search.goal
        doublings, _ = self._refill.get(goal.part, (-1, 0.0))
        self._end(goal)
        if goal.is_refill:
            doublings = min(doublings + 1, REFILL_DOUBLINGS_MAX)
            # Nodes that began at one moment should not all ask again at one moment.
            pause_s = self._settings.refill_pause_s * 2**doublings * (0.5 + self._rng.random() / 2)
            self._refill[goal.part] = (doublings, now + pause_s)
        if search.need is Need.REFILL:
            return []
        for waiting in self.pending:
            if waiting.goal == goal:
                waiting.failed[goal] = search
        return self._retry(goal, now)

    def _end(self, goal: Goal) -> None:
        """End a search; where it was for anything of a part, the next refill need not wait."""
        self._searches.end(goal)
        if goal.is_refill:
            self._refill.pop(goal.part, None)

    def _owners(self, search: Search) -> Sequence[Neighbour]:
        goal = search.goal
        ring = self.holdings.rings[goal.part.ring]
        region = goal.within or self.holdings.pools.domain(goal.part.ring)
        owners = {run.owner for one in region for run in ring.within(one)}
        members = [one for one in self._neighbours.alive() if one.peer in owners]
        if search.need is Need.REFILL:
            weights = weights_of(self._neighbours, goal.part, members)
            members = [one for one in members if weights[one.peer] > self._settings.watermark_min]
        return members

    def _refill_all(self, now: float) -> list[Step]:
        steps: list[Step] = []
        for part in self.holdings.pools.stocks:
            steps += self._refill_one(part, now)
        return steps

    def _refill_one(self, part: Part, now: float) -> list[Step]:
        """Ask for space ahead of need when this node runs low of a part, but not too often."""
        if self.leaver.leaving or self.leaver.returned:
            self._refill.pop(part, None)
            return []
        stock = self.holdings.pools.stocks[part]
        watermark = self._settings.watermark(stock.owned, stock.size)
        if stock.space.free_count >= min(watermark, self.giver.content.get(part, watermark)):
            self._refill.pop(part, None)
            return []
        self.giver.content.pop(part, None)
        goal = Goal(part, (), 1)
        doublings, at = self._refill.get(part, (-1, now))
        if self._searches.get(goal) is not None:
            self._refill[part] = (doublings, math.inf)  # until that search ends
            return []
        if self.pending.awaits(goal) or now < at or not self.admitted:
            return []
        self._refill[part] = (doublings, math.inf)
        return self._go_on(self._searches.start(goal, Need.REFILL), now)
