"""
The allocator: clients' requests and peers' requests for space, answered from what this node owns.

Whatever changes a ring, a stock or a lease passes here, so that the three agree at every return: the free,
the cooling and the leased addresses of a part are together exactly the assignable addresses that this node
owns (but for *foreign* ones: leased here, owned by another since).

Does not know how members are found, how messages travel, or how a cluster begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from random import Random

from ring.address import Range, format_range, subtract, union
from ring.changes import coalesce, divide, grant
from ring.merge import Conflict
from ring.ring import Peer, Ring
from weaveipam.allocation.donors import Goal, Neighbour, Neighbours, Search, Searches
from weaveipam.allocation.grants import Grants, grant_message, outgoing
from weaveipam.allocation.leases import Leases
from weaveipam.allocation.orders import Line, resolve, satisfies
from weaveipam.allocation.pending import Pending, Waiting
from weaveipam.allocation.pools import Part, Pools, Stock
from weaveipam.allocation.rings import Change, Rings
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.effects import Durability, Level, Persist, Reply, Report
from weaveipam.protocol.messages import (
    FreeHint,
    Grant,
    GrantAck,
    Header,
    Need,
    Ownership,
    Publish,
    Refused,
    SpaceRefusal,
    SpaceRequest,
    Step,
    Tell,
)
from weaveipam.protocol.records import Leased, Outgoing, Owned, Record, RecordKey, Resting
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    Collect,
    Reason,
    Refusal,
    Release,
    Released,
    Want,
)
from weaveipam.protocol.values import Allocation, Assigned, Birth, RingId

REFILL_DOUBLINGS_MAX = 4
CONFLICTS_MAX = 100
"""Conflict sentences kept for status; all are logged, the rest only counted there."""


class Allocator:
    """One node's allocations and its share of the rings."""

    def __init__(self, me: Peer, settings: AllocationSettings, neighbours: Neighbours, rng: Random) -> None:
        self._me = me
        self._settings = settings
        self._neighbours = neighbours
        self._rng = rng
        self.pools = Pools((), settings.cooldown_s)
        self.rings = Rings(me, b"")
        self.leases = Leases()
        self.pending = Pending()
        self.grants = Grants(settings)
        self.serving = False
        """Whether allocations are answered; before, they wait."""
        self.conflicts: dict[str, None] = {}
        """One sentence for each contested range, oldest first."""
        self._searches = Searches(settings, rng)
        self._refill: dict[Part, tuple[int, float]] = {}
        self._dirty: dict[tuple[RingId, Range], float] = {}
        self._foreign: dict[tuple[str, str], Allocation] = {}
        self._frozen: dict[RingId, tuple[Range, ...]] = {}
        self._resting: set[RecordKey] = set()
        self._stale: tuple[RecordKey, ...] = ()

    # Beginning

    def adopt(self, birth: Birth, cluster_id: bytes) -> list[Step]:
        """Belong to a cluster from now on: its pools are this node's, its first split begins the rings."""
        self.pools = Pools(birth.pools, self._settings.cooldown_s)
        self.rings = Rings(self._me, cluster_id)
        return self._split(birth)

    def restore(self, birth: Birth, cluster_id: bytes, records: Sequence[Record], now: float) -> list[Step]:
        """
        Take over rings, leases, grants and resting addresses as the disk remembers them.

        The first split is merged again: a crash may have come before it, and it overrules nothing.
        """
        self.pools = Pools(birth.pools, self._settings.cooldown_s)
        self.rings = Rings(self._me, cluster_id)
        self.rings.restore(record for record in records if isinstance(record, Owned))
        for ring, run in self.rings.owned():
            self.pools.gain(ring, Range(run.start, run.stop))
        for record in records:
            if isinstance(record, Leased):
                self._lease_again(record.allocation)
        resting = [record for record in records if isinstance(record, Resting)]
        self._stale = tuple(one.record_key for one in resting if not self._rest_again(one, now))
        self.grants.restore((record for record in records if isinstance(record, Outgoing)), now)
        return self._split(birth)

    def _split(self, birth: Birth) -> list[Step]:
        steps: list[Step] = []
        for ring in self.pools.rings():
            runs = [run for one in self.pools.domain(ring) for run in divide(one, birth.seeds)]
            steps += self._persisted(self._merge(ring, Ring.of(runs)))
        return steps

    def serve(self, now: float) -> list[Step]:
        """Answer allocations from now on."""
        self.serving = True
        stale: list[Step] = [Persist((), self._stale, Durability.PROCESS)] if self._stale else []
        self._stale = ()
        return [*stale, *self._retry(None, now), *self._refill_all(now)]

    # The clients' side

    def allocate(self, request_id: int, request: Allocate, now: float) -> list[Step]:
        """Answer an allocation at once, or let it wait for space."""
        waiting = Waiting(request_id, request, now + request.wait_s)
        if self.serving:
            return self._attempt(waiting, now)
        if len(self.pending) >= self._settings.pending_max:
            return self._overloaded(waiting)
        self.pending.add(waiting)
        return []

    def release(self, request_id: int, request: Release, now: float) -> list[Step]:
        """Give back what a key or an address holds."""
        held = None
        steps: list[Step] = []
        if request.key is not None:
            held = self.leases.get(request.network, request.key)
            for one in self.pending.of_key(request.network, request.key):
                steps += self._refuse(one, Reason.CONFLICT, "the key was released while it waited")
        elif request.address is not None:
            family, address = request.address
            ring = RingId(request.network, family)
            held = self.leases.at(ring, address)
            run = self.rings[ring].at(address)
            if held is None and run is not None and run.owner != self._me:
                detail = f"{run.owner.name} owns this address; release it there"
                return [Reply(request_id, Refusal(Reason.NOT_OWNER, detail))]
        given = () if held is None else (held,)
        return [*steps, *self._give_back(given, now), Reply(request_id, Released(given))]

    def collect(self, request_id: int, request: Collect, now: float) -> list[Step]:
        """Give back everything of a prefix that is not to be kept."""
        keep = frozenset(request.keep)
        found = self.leases.starting_with(request.network, request.prefix)
        given = tuple(one for one in found if one.key not in keep)
        return [*self._give_back(given, now), Reply(request_id, Released(given))]

    def cancel(self, request_id: int) -> list[Step]:
        """The client has gone; what it was given already stays given."""
        self.pending.drop(request_id)
        return []

    # The peers' side

    def learn(self, ownership: Ownership, now: float) -> list[Step]:
        """Merge statements; what is new here is passed on."""
        theirs = self._checked(ownership)
        if theirs is None:
            return [Report(Level.WARNING, "bad-statement", (("ring", str(ownership.ring)),))]
        change = self._merge(ownership.ring, theirs)
        return [*self._persisted(change), *self._changed(change, now)]

    def _checked(self, ownership: Ownership) -> Ring | None:
        """Peers' runs as a ring; None for what no daemon of ours would say."""
        if any(not self.pools.covers(ownership.ring, run.start, run.stop) for run in ownership.runs):
            return None
        try:
            return Ring.of(ownership.runs)
        except ValueError:
            return None

    def give(self, header: Header, asked: SpaceRequest, now: float) -> list[Step]:
        """Grant space to a peer that asks, or say no."""
        if self.grants.answered(header.sender, asked.request):
            return []
        stock = self.pools.stocks.get(Part(asked.pool, asked.ring))
        if not self.serving:
            return [Tell(header.endpoint, SpaceRefusal(asked.request, Refused.NOT_READY))]
        what = None if stock is None else self._donate(stock, asked)
        if stock is None or what is None:
            reason = Refused.TAKEN if self._all_leased(asked) else Refused.NONE_FREE
            return [Tell(header.endpoint, SpaceRefusal(asked.request, reason))]
        return self._grant(header, asked, what, now)

    def _grant(self, header: Header, asked: SpaceRequest, what: Range, now: float) -> list[Step]:
        delta = grant(self.rings[asked.ring], what, self._me, header.sender)
        stock = self.pools.stocks[Part(asked.pool, asked.ring)]
        stock.owned -= what.size  # `donate` took it out of the space; `lose` finds nothing more to take
        change = self.rings.merge(asked.ring, delta)
        assert change.persist is not None, "a grant raises epochs, so it always changes the ring"
        record = outgoing(self._rng.getrandbits(63), header.sender, asked.ring, delta)
        self.grants.add(record, asked.request, now)
        persist = change.persist
        return [
            Persist((*persist.put, record), persist.delete, Durability.HOST),
            Tell(header.endpoint, grant_message(record, asked.request)),
            Publish(Ownership(asked.ring, change.won)),
            Report(
                Level.INFO,
                "space-granted",
                (("peer", str(header.sender)), ("range", format_range(asked.ring.family, what))),
            ),
        ]

    def granted(self, header: Header, told: Grant, now: float) -> list[Step]:
        """Own what a peer gave, once it is on disk; a repeat is acknowledged again and changes nothing."""
        ownership = Ownership(told.ring, told.runs)
        theirs = self._checked(ownership)
        if theirs is None or any(run.owner != self._me for run in told.runs):
            return self.learn(
                ownership, now
            )  # meant for an earlier life: true, but not this one's to acknowledge
        change = self._merge(told.ring, theirs)
        steps = self._persisted(change)
        steps.append(Tell(header.endpoint, GrantAck(told.grant)))
        search = self._searches.of(told.request)
        if search is not None:
            self._end(search.goal)
        steps += self._changed(change, now)
        if search is not None:
            steps += self._retry(search.goal, now)
            steps += self._refill_one(search.goal.part, now)
        return steps

    def acknowledged(self, header: Header, told: GrantAck) -> list[Step]:
        """A grant arrived."""
        return [*self.grants.acknowledged(told.grant, header.sender)]

    def refused(self, told: SpaceRefusal, now: float) -> list[Step]:
        """A donor says no; the next is asked."""
        search = self._searches.of(told.request)
        if search is None:
            return []
        self._searches.refused(search, told.reason)
        return self._go_on(search, now)

    def hints(self) -> tuple[FreeHint, ...]:
        """About how much this node could give away."""
        return self.pools.hints() if self.serving else ()

    # Time

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `wake` has something to do."""
        thaw_at = min((stock.space.thaw_at for stock in self.pools.stocks.values()), default=math.inf)
        refill_at = min((at for _, at in self._refill.values()), default=math.inf)
        tidy_at = min(self._dirty.values(), default=math.inf)
        return min(
            self.pending.wake_at, self._searches.wake_at, self.grants.wake_at, thaw_at, refill_at, tidy_at
        )

    def wake(self, now: float) -> list[Step]:
        """Whatever is due: late donors, deadlines, repeats, rested addresses, refills, tidying."""
        steps: list[Step] = []
        for search in self._searches:
            if search.wake_at <= now:
                if search.asked is not None:
                    neighbour = self._neighbours.get(search.asked.name)
                    same = neighbour is not None and neighbour.peer == search.asked
                    self._searches.late(search, neighbour if same else None)
                steps += self._go_on(search, now)
        for waiting in self.pending:
            if waiting.deadline <= now:
                steps += self._refuse(waiting, Reason.NOT_READY, self._why_late(waiting))
        steps += self.grants.wake(self._neighbours, now)
        steps += self._thaw(now)
        if self.serving:
            steps += self._refill_all(now)
            steps += self._tidy(now)
        return steps

    # Allocating

    def _attempt(self, waiting: Waiting, now: float) -> list[Step]:
        request = waiting.request
        lines = resolve(request, self.pools)
        if isinstance(lines, Refusal):
            return self._refuse(waiting, lines.reason, lines.detail)
        held = self.leases.get(request.network, request.key)
        if held is not None:
            if request.wants and not satisfies(held, lines):
                has = ", ".join(format_range(one.family, one.range) for one in held.addresses)
                detail = f"key {request.key} already holds {has}; release it first, or use another key"
                return self._refuse(waiting, Reason.CONFLICT, detail)
            return self._answer(waiting, held)
        taken: list[Assigned] = []
        for line in lines:
            what = self._take(line, waiting)
            if what is None:  # all or nothing
                for one in taken:
                    self._put_back(request.network, one)
                return self._look_around(line, waiting, now)
            taken.append(self.pools.assigned(line.ring, what))
        return self._lease(waiting, tuple(taken), now)

    def _take(self, line: Line, waiting: Waiting) -> Range | None:
        for part in line.parts:
            stock = self.pools.stocks[part]
            cooling = line.exact or self._last_resort(Goal(part, line.within, line.size), waiting)
            if line.size == 1:
                address = stock.space.allocate(line.within, cooling=cooling)
                what = None if address is None else Range(address, address + 1)
            else:
                what = stock.space.allocate_block(line.size, line.within, cooling=cooling)
            if what is not None:
                stock.used += what.size
                return what
        return None

    def _last_resort(self, goal: Goal, waiting: Waiting) -> bool:
        search = self._searches.get(goal)
        return goal in waiting.failed or (search is not None and search.need is Need.COOLING)

    def _put_back(self, network: str, one: Assigned) -> None:
        stock = self.pools.stocks[Part(one.pool, RingId(network, one.family))]
        stock.space.add(one.range)
        stock.used -= one.range.size

    def _lease(self, waiting: Waiting, addresses: tuple[Assigned, ...], now: float) -> list[Step]:
        request = waiting.request
        allocation = Allocation(request.key, request.network, addresses, request.durable, request.labels)
        self.leases.add(allocation)
        keys = (Resting(RingId(request.network, one.family), one.range).record_key for one in addresses)
        rested = tuple(key for key in keys if key in self._resting)
        self._resting.difference_update(rested)
        durability = Durability.HOST if request.durable else Durability.PROCESS
        steps: list[Step] = [Persist((Leased(allocation),), rested, durability)]
        steps += self._answer(waiting, allocation)
        for one in addresses:
            steps += self._refill_one(Part(one.pool, RingId(request.network, one.family)), now)
        return steps

    def _look_around(self, line: Line, waiting: Waiting, now: float) -> list[Step]:
        if waiting not in self.pending and len(self.pending) >= self._settings.pending_max:
            return self._overloaded(waiting)
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
        reason, detail = self._why_none(line, waiting)
        return self._refuse(waiting, reason, detail)

    def _overloaded(self, waiting: Waiting) -> list[Step]:
        detail = f"{self._settings.pending_max} requests wait already; try again shortly"
        return [Reply(waiting.request_id, Refusal(Reason.OVERLOADED, detail))]

    def _answer(self, waiting: Waiting, allocation: Allocation) -> list[Step]:
        self.pending.drop(waiting.request_id)
        return [Reply(waiting.request_id, Allocated(allocation))]

    def _refuse(self, waiting: Waiting, reason: Reason, detail: str) -> list[Step]:
        self.pending.drop(waiting.request_id)
        return [Reply(waiting.request_id, Refusal(reason, detail))]

    def _retry(self, goal: Goal | None, now: float) -> list[Step]:
        """Try the waiting requests again: those that wait for a goal, or all."""
        steps: list[Step] = []
        dry: dict[tuple[str, tuple[Want, ...]], Goal | None] = {}
        for waiting in self.pending:
            if waiting not in self.pending or (goal is not None and waiting.goal != goal):
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
            moves = self.rings.moves.get(goal.part.ring, 0)
            asked = self._searches.step(search, owners, moves, self._weights(goal.part, owners), now)
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
        goal = search.goal
        doublings, _ = self._refill.get(goal.part, (-1, 0.0))
        self._end(goal)
        if _is_refill(goal):
            doublings = min(doublings + 1, REFILL_DOUBLINGS_MAX)
            self._refill[goal.part] = (doublings, now + self._settings.refill_pause_s * 2**doublings)
        if search.need is Need.REFILL:
            return []
        for waiting in self.pending:
            if waiting.goal == goal:
                waiting.failed[goal] = search
        return self._retry(goal, now)

    def _end(self, goal: Goal) -> None:
        """End a search; where it was for anything of a part, the next refill need not wait."""
        self._searches.end(goal)
        if _is_refill(goal):
            self._refill.pop(goal.part, None)

    def _owners(self, search: Search) -> Sequence[Neighbour]:
        goal = search.goal
        ring = self.rings[goal.part.ring]
        region = goal.within or self.pools.domain(goal.part.ring)
        owners = {run.owner for one in region for run in ring.within(one)}
        members = [one for one in self._neighbours.alive() if one.peer in owners]
        if search.need is Need.REFILL:
            weights = self._weights(goal.part, members)
            members = [one for one in members if weights[one.peer] > self._settings.watermark_min]
        return members

    def _weights(self, part: Part, owners: Iterable[Neighbour]) -> dict[Peer, int]:
        return {
            one.peer: sum(
                (1 << hint.bucket) >> 1
                for hint in self._neighbours.hints_of(one.peer)
                if (hint.pool, hint.ring) == part
            )
            for one in owners
        }

    def _refill_all(self, now: float) -> list[Step]:
        steps: list[Step] = []
        for part in self.pools.stocks:
            steps += self._refill_one(part, now)
        return steps

    def _refill_one(self, part: Part, now: float) -> list[Step]:
        """Ask for space ahead of need when this node runs low of a part, but not too often."""
        stock = self.pools.stocks[part]
        if stock.space.free_count >= self._watermark(stock):
            self._refill.pop(part, None)
            return []
        goal = Goal(part, (), 1)
        doublings, at = self._refill.get(part, (-1, now))
        if self._searches.get(goal) is not None or self.pending.awaits(goal) or now < at:
            return []
        self._refill[part] = (doublings, math.inf)
        return self._go_on(self._searches.start(goal, Need.REFILL), now)

    def _watermark(self, stock: Stock) -> int:
        low = max(self._settings.watermark_min, stock.owned // 4)
        return min(low, self._settings.watermark_max, stock.size)

    # Giving

    def _donate(self, stock: Stock, asked: SpaceRequest) -> Range | None:
        if asked.need is Need.REFILL and stock.space.free_count < 2 * self._watermark(stock):
            return None
        return stock.space.donate(asked.size, asked.within, cooling=asked.need is Need.COOLING)

    def _all_leased(self, asked: SpaceRequest) -> bool:
        singles = [one for one in asked.within if one.size == 1]
        return bool(singles) and all(
            self.leases.at(asked.ring, one.start) is not None for one in asked.within if one.size == 1
        )

    def _give_back(self, allocations: Iterable[Allocation], now: float) -> list[Step]:
        put: list[Record] = []
        delete: list[RecordKey] = []
        durable = False
        for allocation in allocations:
            self.leases.remove(allocation)
            self._foreign.pop((allocation.network, allocation.key), None)
            delete.append(Leased(allocation).record_key)
            durable = durable or allocation.durable
            for one in allocation.addresses:
                put += self._rest(RingId(allocation.network, one.family), one, now)
        if not delete:
            return []
        return [Persist(tuple(put), tuple(delete), Durability.HOST if durable else Durability.PROCESS)]

    def _rest(self, ring: RingId, one: Assigned, now: float) -> list[Resting]:
        stock = self.pools.stocks.get(Part(one.pool, ring))
        if stock is None:
            return []
        stock.used -= one.range.size
        runs = self.rings[ring].within(one.range)
        mine = (Range(run.start, run.stop) for run in runs if run.owner == self._me)
        rests = [Resting(ring, what) for what in subtract(mine, self._frozen.get(ring, ()))]
        for rest in rests:
            stock.space.release(rest.range, now)
            self._resting.add(rest.record_key)
        return rests

    def _thaw(self, now: float) -> list[Step]:
        delete = [
            Resting(part.ring, one).record_key
            for part, stock in self.pools.stocks.items()
            if stock.space.thaw_at <= now
            for one in stock.space.thaw(now)
        ]
        self._resting.difference_update(delete)
        return [Persist((), tuple(delete), Durability.PROCESS)] if delete else []

    # Changes of ownership

    def _merge(self, ring: RingId, theirs: Ring) -> Change:
        change = self.rings.merge(ring, theirs)
        for lost in change.lost:
            self.pools.lose(ring, lost)
            for one in self.leases.within(ring, lost):
                self._foreign[one.network, one.key] = one
        for gained in change.gained:
            self.pools.gain(ring, gained)
            self._return_home(ring, gained)
        return change

    def _persisted(self, change: Change) -> list[Step]:
        return [] if change.persist is None else [change.persist]

    def _changed(self, change: Change, now: float) -> list[Step]:
        """What follows once a change is on disk: passing it on, reports, tidying, waiting requests."""
        if change.persist is None and not change.conflicts:
            return []
        steps: list[Step] = [Publish(Ownership(change.ring, change.won))] if change.won else []
        for conflict in change.conflicts:
            steps += self._contested(change.ring, conflict)
        for lost in change.lost:
            steps += self._lost(change.ring, lost)
        for gained in change.gained:
            self._dirty.setdefault((change.ring, gained), now + self._settings.coalesce_s)
        if change.gained and self.serving:
            steps += self._retry(None, now)
        return steps

    def _contested(self, ring: RingId, conflict: Conflict) -> list[Step]:
        what = Range(conflict.mine.start, conflict.mine.stop)
        text = format_range(ring.family, what)
        owners = f"{conflict.mine.owner} and {conflict.theirs.owner}"
        if self._me in (conflict.mine.owner, conflict.theirs.owner):
            self.pools.freeze(ring, what)
            self._frozen[ring] = union((*self._frozen.get(ring, ()), what))
        return self._note(f"{text} has two owners with one token: {owners}", "two-owners", text)

    def _lost(self, ring: RingId, what: Range) -> list[Step]:
        text = format_range(ring.family, what)
        run = self.rings[ring].at(what.start)
        owner = "nobody" if run is None else str(run.owner)
        return self._note(f"{text} was taken from this node; it is {owner}'s now", "ownership-lost", text)

    def _note(self, sentence: str, event: str, text: str) -> list[Step]:
        if sentence in self.conflicts:
            return []
        if len(self.conflicts) < CONFLICTS_MAX:
            self.conflicts[sentence] = None
        return [Report(Level.ERROR, event, (("range", text), ("detail", sentence)))]

    def _tidy(self, now: float) -> list[Step]:
        """Join neighbouring runs of this node's own where it gained some."""
        steps: list[Step] = []
        for (ring, what), at in list(self._dirty.items()):
            if at > now:
                continue
            del self._dirty[ring, what]
            delta = coalesce(self.rings[ring], self._me, self._neighbourhood(ring, what))
            change = self._merge(ring, delta)
            assert not change.gained, "coalescing moves no address"
            if change.persist is not None:
                persist = change.persist
                steps.append(Persist(persist.put, persist.delete, Durability.HOST))
                steps.append(Publish(Ownership(ring, change.won)))
        return steps

    def _neighbourhood(self, ring: RingId, what: Range) -> Range:
        start, stop = what.start, what.stop
        while start > 0 and (run := self.rings[ring].at(start - 1)) and run.owner == self._me:
            start = run.start
        while (run := self.rings[ring].at(stop)) and run.owner == self._me:
            stop = run.stop
        return Range(start, stop)

    # Restoring

    def _lease_again(self, allocation: Allocation) -> None:
        self.leases.add(allocation)
        for one in allocation.addresses:
            ring = RingId(allocation.network, one.family)
            stock = self.pools.stocks.get(Part(one.pool, ring))
            if stock is not None:
                stock.space.remove(one.range)
                stock.used += one.range.size
            if any(run.owner != self._me for run in self.rings[ring].within(one.range)):
                self._foreign[allocation.network, allocation.key] = allocation

    def _rest_again(self, record: Resting, now: float) -> bool:
        rested = [
            (stock, one) for stock in self._stocks(record.ring) for one in stock.space.remove(record.range)
        ]
        for stock, one in rested:
            stock.space.release(one, now)
        if [one for _, one in rested] != [record.range]:
            return False
        self._resting.add(record.record_key)
        return True

    def _return_home(self, ring: RingId, gained: Range) -> None:
        """Addresses that come back to this node while they are leased here are not free."""
        for allocation in self._foreign.values():
            for one in allocation.addresses:
                both = one.range.meet(gained)
                if both is not None and RingId(allocation.network, one.family) == ring:
                    self.pools.freeze(ring, both)

    def _stocks(self, ring: RingId) -> list[Stock]:
        return [stock for part, stock in self.pools.stocks.items() if part.ring == ring]

    # Explaining

    def _why_none(self, line: Line, waiting: Waiting) -> tuple[Reason, str]:
        taken = line.exact and any(search.taken for search in waiting.failed.values())
        here = self.leases.at(line.ring, line.within[0].start) if line.exact else None
        if taken or here is not None:
            run = self.rings[line.ring].at(line.within[0].start)
            where = "here" if here is not None or run is None else f"at {run.owner.name}"
            by = f", by key {here.key}" if here is not None else ""
            return Reason.IN_USE, f"{format_range(line.ring.family, line.within[0])} is in use {where}{by}"
        names = ", ".join(part.pool for part in line.parts)
        free = sum(self.pools.stocks[part].space.free_count for part in line.parts)
        size = sum(self.pools.stocks[part].size for part in line.parts)
        what = f"block of {line.size} addresses" if line.size > 1 else "address"
        detail = (
            f"no free {what} in pool {names}: {free} of {size} free here, none at the members that answered"
        )
        return Reason.EXHAUSTED, detail + self._unreachable(line)

    def _unreachable(self, line: Line) -> str:
        reachable = {self._me, *(one.peer for one in self._neighbours.alive())}
        away: dict[str, int] = {}
        region = line.within or tuple(
            one for part in line.parts for one in self.pools.stocks[part].assignable
        )
        for one in region:
            for run in self.rings[line.ring].within(one):
                if run.owner not in reachable:
                    away[run.owner.name] = away.get(run.owner.name, 0) + run.stop - run.start
        if not away:
            return "; release some, or add a pool"
        return "; " + ", ".join(f"{away[n]} are owned by {n}, which is unreachable" for n in sorted(away))

    def _why_late(self, waiting: Waiting) -> str:
        if not self.serving:
            return "this daemon is not ready yet; see weaveipam status, and try again"
        return f"space was asked for from peers, and none came within {waiting.request.wait_s:g} s; try again"


def _is_refill(goal: Goal) -> bool:
    return goal.size == 1 and not goal.within
