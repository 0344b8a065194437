"""
What this node has: rings, stocks and leases, and the records that remember them.

Whatever changes one of the three passes here, so that they agree at every return: the free, the cooling and
the leased addresses of a part are together exactly the assignable addresses that this node owns, but for
*foreign* ones (leased here, owned by another since) and *frozen* ones (claimed by two, handed out by nobody).

Does not know clients, donors or who is alive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ring.address import Range, format_range, subtract, union
from ring.changes import coalesce, divide, grant
from ring.merge import Conflict
from ring.ring import Peer, Ring, Run
from weaveipam.allocation.leases import Leases
from weaveipam.allocation.pools import Part, Pools
from weaveipam.allocation.rings import Change, Rings
from weaveipam.allocation.rules import RULES
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.codec import digest_key
from weaveipam.protocol.decisions import Span, Statements
from weaveipam.protocol.effects import Durability, Level, Persist, Report
from weaveipam.protocol.messages import Ownership, Publish, Step, Use
from weaveipam.protocol.records import Frozen, Leased, Owned, Record, RecordKey, Resting
from weaveipam.protocol.values import Allocation, Assigned, Birth, Pool, RingId

EPOCH_MAX = 1 << 62
"""Above it nothing is believed: owners raise epochs one by one, and the next one must still have 64 bits."""
CONFLICTS_MAX = 100
"""Conflict sentences kept for status; all are logged, the rest only counted there."""


class Holdings:
    """This node's share of the rings, and what it gave to whom."""

    def __init__(self, me: Peer, settings: AllocationSettings) -> None:
        self._me = me
        self._settings = settings
        self.pools = Pools((), settings.cooldown_s)
        self.rings = Rings(me, b"")
        self.leases = Leases()
        self.conflicts: dict[str, None] = {}
        """One sentence for each contested range, oldest first."""
        self._untidy: dict[tuple[RingId, Range], float] = {}
        self._foreign: dict[tuple[str, str], Allocation] = {}
        self._frozen: dict[RingId, tuple[Range, ...]] = {}
        self._contests: dict[RecordKey, None] = {}
        """Of what is frozen."""
        self._resting: set[RecordKey] = set()
        self._stale: tuple[RecordKey, ...] = ()
        self._closed: frozenset[Peer] = frozenset()
        """Whose statements are not believed any more."""
        self._over: frozenset[Peer] = frozenset()
        """Whom nothing is given to."""
        self._vacated: dict[RingId, tuple[Range, ...]] = {}
        """Of which nothing is handed out, as a decision may take them away."""
        self._generation_max = 0
        """Of the last decision that is in force here."""

    # Beginning

    def adopt(self, birth: Birth) -> list[Step]:
        """Belong to a cluster from now on: its pools are this node's, its first split begins the rings."""
        self.pools = Pools(birth.pools, self._settings.cooldown_s)
        self.rings = Rings(self._me, digest_key(birth))
        return self._split(birth)

    def restore(
        self, birth: Birth, pools: Iterable[Pool], records: Sequence[Record], now: float
    ) -> list[Step]:
        """
        Take over rings, leases and resting addresses as the disk remembers them.

        Where the ring says nothing the first split is made again, as a crash may have come before it.  That
        comes before the leases, which take their addresses out of what is free.
        """
        self.pools = Pools(pools, self._settings.cooldown_s)
        self.rings = Rings(self._me, digest_key(birth))
        self.rings.restore(record for record in records if isinstance(record, Owned))
        for ring, run in self.rings.owned():
            what = Range(run.start, run.stop)
            self.pools.gain(ring, what)
            if self._neighbourhood(ring, what) != what:
                self._untidy[ring, what] = now + self._settings.coalesce_s
        split = self._split(birth)
        for record in records:
            if isinstance(record, Leased):
                self.leases.add(record.allocation)
                self._lease_again(record.allocation)
        resting = [record for record in records if isinstance(record, Resting)]
        self._stale = tuple(one.record_key for one in resting if not self._rest_again(one, now))
        for record in records:
            if isinstance(record, Frozen):
                self._freeze(record.ring, record.range)
                self._note(f"{format_range(record.ring.family, record.range)} had two owners with one token")
        return split

    def forget_stale(self) -> list[Step]:
        """Delete the records that nothing came of when they were restored."""
        stale, self._stale = self._stale, ()
        return [Persist((), stale, Durability.PROCESS)] if stale else []

    def of_this_life(self) -> tuple[RecordKey, ...]:
        """The records, but for leases, that mean nothing to another life: what rests, and what is frozen."""
        return (*sorted(self._resting), *self._stale, *self._contests)

    def _split(self, birth: Birth) -> list[Step]:
        steps: list[Step] = []
        for ring in self.pools.rings():
            domain = self.pools.domain(ring)
            unsaid = subtract(domain, (Range(run.start, run.stop) for run in self.rings[ring]))
            shares = Ring.of(run for one in domain for run in divide(one, birth.seeds))
            change = self.merge(ring, Ring.of(run for gap in unsaid for run in shares.within(gap)))
            steps += [change.persist] if change.persist is not None else []
        return steps

    def _lease_again(self, allocation: Allocation) -> None:
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
            (stock, one)
            for stock in self.pools.stocks_of(record.ring)
            for one in stock.space.remove(record.range)
        ]
        for stock, one in rested:
            stock.space.release(one, now)
        if [one for _, one in rested] != [record.range]:
            return False
        self._resting.add(record.record_key)
        return True

    # Leasing

    def take(self, part: Part, size: int, within: Sequence[Range], *, cooling: bool) -> Range | None:
        """Free addresses of a part, no longer free; cooling ones only when nothing else is left."""
        stock = self.pools.stocks[part]
        if size == 1:
            address = stock.space.allocate(within, cooling=cooling)
            what = None if address is None else Range(address, address + 1)
        else:
            what = stock.space.allocate_block(size, within, cooling=cooling)
        if what is not None:
            stock.used += what.size
        return what

    def put_back(self, network: str, one: Assigned) -> None:
        """What was taken is free again: nobody ever heard of it."""
        stock = self.pools.stocks[Part(one.pool, RingId(network, one.family))]
        stock.space.add(one.range)
        stock.used -= one.range.size

    def lease(self, allocation: Allocation) -> Persist:
        """Give what was taken to its key; to be on disk before the key hears of it."""
        self.leases.add(allocation)
        network = allocation.network
        keys = (Resting(RingId(network, one.family), one.range).record_key for one in allocation.addresses)
        rested = tuple(key for key in keys if key in self._resting)
        self._resting.difference_update(rested)
        durability = Durability.HOST if allocation.durable else Durability.PROCESS
        return Persist((Leased(allocation),), rested, durability)

    def make_durable(self, held: Allocation) -> tuple[Allocation, Persist]:
        """A pod's allocation becomes one that survives the host; to be on disk before its key hears of it."""
        durable = replace(held, durable=True)
        self.leases.remove(held)
        self.leases.add(durable)
        return durable, Persist((Leased(durable),), (), Durability.HOST)

    def give_back(self, allocations: Iterable[Allocation], now: float) -> list[Step]:
        """The keys hold nothing any more; their addresses rest, and then they are free."""
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

    def thaw(self, now: float) -> list[Step]:
        """Free what has rested."""
        delete = [
            Resting(part.ring, one).record_key
            for part, stock in self.pools.stocks.items()
            if stock.space.thaw_at <= now
            for one in stock.space.thaw(now)
        ]
        self._resting.difference_update(delete)
        return [Persist((), tuple(delete), Durability.PROCESS)] if delete else []

    # Decisions

    def trust(self, closed: frozenset[Peer], gone: frozenset[Peer], generation_max: int) -> None:
        """
        Whom to believe from now on.

        Args:
            closed: Fenced; a decision will tell what they have said.
            gone: Removed.
            generation_max: What later decisions have brought is unknown here.
        """
        self._closed, self._over, self._generation_max = closed, closed | gone, generation_max

    def set_pools(
        self, pools: Iterable[Pool], vacated: Sequence[Span], now: float
    ) -> tuple[list[Record], list[RecordKey]]:
        """
        There are these pools from now on; what to put and what to delete, at once with the decision.

        Args:
            pools: By name.
            vacated: Addresses of which nothing is handed out, as they are about to belong to none.
            now: Seconds on the monotonic clock; what rests begins to rest anew.
        """
        rings = {*self.pools.rings()}
        cooling = [
            Resting(part.ring, one)
            for part, stock in self.pools.stocks.items()
            for one in stock.space.cooling_ranges()
        ]
        self.pools = Pools(pools, self._settings.cooldown_s)
        put: list[Record] = []
        delete: list[RecordKey] = []
        for ring in sorted(rings.union(self.pools.rings())):
            fresh, gone = self.rings.confine(ring, self.pools.whole(ring))
            put += fresh
            delete += gone
        for ring, run in self.rings.owned():
            self.pools.gain(ring, Range(run.start, run.stop))
        for allocation in self.leases:
            self._lease_again(allocation)
        delete += [one.record_key for one in cooling if not self._rest_again(one, now)]
        for ring, ranges in self._frozen.items():
            for what in ranges:
                self.pools.freeze(ring, what)
        self.vacate(vacated)
        return put, delete

    def vacate(self, spans: Iterable[Span]) -> None:
        """Hand out nothing of some addresses, as a decision may take them away; until other pools are set."""
        self._vacated = {span.ring: span.ranges for span in spans}
        for ring, ranges in self._vacated.items():
            for what in ranges:
                self.pools.freeze(ring, what)

    def uses(self, spans: Iterable[Span]) -> Iterator[Use]:
        """What keys hold here of some addresses."""
        for span in spans:
            for what in span.ranges:
                for lease in self.leases.within(span.ring, what):
                    for one in lease.addresses:
                        if one.range.meet(what) and RingId(lease.network, one.family) == span.ring:
                            yield Use(lease.key, span.ring, one.range)

    def is_over(self, peer: Peer) -> bool:
        """Whether a life is fenced or removed."""
        return peer in self._over

    def is_removed(self, peer: Peer) -> bool:
        """Whether a decision has removed a life."""
        return peer in self._over and peer not in self._closed

    def install(self, said: Statements, now: float) -> tuple[Change, list[Resting]]:
        """Learn what a decision says, whoever said it first; addresses of those who are removed rest."""
        before = self.rings[said.ring]
        change = self.merge(said.ring, Ring.of(said.runs))
        rests: list[Resting] = []
        for gained in change.gained:
            for run in before.within(gained):
                for stock in self.pools.stocks_of(said.ring):
                    for one in stock.space.remove(Range(run.start, run.stop)):
                        stock.space.release(one, now)
                        rests.append(Resting(said.ring, one))
        self._resting.update(one.record_key for one in rests)
        return change, rests

    # Changes of ownership

    @property
    def thaw_at(self) -> float:
        """Seconds on the monotonic clock: when `thaw` has something to do."""
        return min([stock.space.thaw_at for stock in self.pools.stocks.values()], default=math.inf)

    @property
    def tidy_at(self) -> float:
        """Seconds on the monotonic clock: when `tidy` has something to do."""
        return min(self._untidy.values()) if self._untidy else math.inf

    def frozen(self, ring: RingId) -> tuple[Range, ...]:
        """What two own with one token, by this node's knowledge; sorted, disjoint."""
        return self._frozen.get(ring, ())

    def checked(self, ownership: Ownership) -> Ring | None:
        """
        Peers' runs as a ring, but for those that are not to be believed; None for what no daemon would say.

        What is left out is no news: who is fenced has said nothing that a decision does not repeat, and of
        addresses of no pool, and by decisions unknown here, those speak who are ahead.
        """
        if self.rings.says(ownership):
            return self.rings[ownership.ring]
        if any(run.token.epoch > EPOCH_MAX for run in ownership.runs):
            return None
        try:
            return Ring.of(self._believed(ownership))
        except ValueError:
            return None

    def _believed(self, ownership: Ownership) -> Iterator[Run]:
        for run in ownership.runs:
            if not RULES.believes(run, self._closed, self._generation_max):
                continue
            if self.pools.covers(ownership.ring, run.start, run.stop):
                yield run
            else:
                for one in self.pools.whole(ownership.ring):
                    if one.start < run.stop and run.start < one.stop:
                        yield run.clipped(one.start, one.stop)

    def merge(self, ring: RingId, theirs: Ring) -> Change:
        """Learn statements; stocks follow what this node gains and loses.  Next: put it on disk, settle."""
        change = self.rings.merge(ring, theirs)
        for lost in change.lost:
            self.pools.lose(ring, lost)
            for one in self.leases.within(ring, lost):
                self._foreign[one.network, one.key] = one
        for gained in change.gained:
            self.pools.gain(ring, gained)
            self._return_home(ring, gained)
            for closed in self._vacated.get(ring, ()):
                self.pools.freeze(ring, closed)
        contested = [
            Range(one.mine.start, one.mine.stop)
            for one in change.conflicts
            if self._me in (one.mine.owner, one.theirs.owner)
        ]
        return self._frozen_too(change, contested)

    def _frozen_too(self, change: Change, contested: Sequence[Range]) -> Change:
        """A change that also freezes what two own: on disk with it, so that no restart forgets."""
        frozen = self._frozen.get(change.ring, ())
        fresh = [one for one in contested if subtract([one], frozen)]
        if not fresh:
            return change
        for one in fresh:
            self._freeze(change.ring, one)
        put = change.persist.put if change.persist is not None else ()
        delete = change.persist.delete if change.persist is not None else ()
        records = tuple(Frozen(change.ring, one) for one in fresh)
        return replace(change, persist=Persist((*put, *records), delete, Durability.HOST))

    def _freeze(self, ring: RingId, what: Range) -> None:
        self.pools.freeze(ring, what)
        self._contests[Frozen(ring, what).record_key] = None
        self._frozen[ring] = union((*self._frozen.get(ring, ()), what))

    def give_away(self, ring: RingId, what: Range, heir: Peer) -> Change:
        """Hand over addresses that are free, or that `Space.donate` has taken out already."""
        delta = grant(self.rings[ring], what, self._me, heir)
        self.pools.lose(ring, what)
        change = self.rings.merge(ring, delta)
        assert change.persist is not None, "a grant raises epochs, so it always changes the ring"
        return change

    def settle(self, change: Change, now: float) -> list[Step]:
        """What follows once a change is on disk: passing it on, telling of losses, joining runs later."""
        steps: list[Step] = [Publish(Ownership(change.ring, change.won))] if change.won else []
        for conflict in change.conflicts:
            steps += self._contested(change.ring, conflict)
        for lost in change.lost:
            steps += self._lost(change.ring, lost)
        for gained in change.gained:
            self._untidy.setdefault((change.ring, gained), now + self._settings.coalesce_s)
        return steps

    def _contested(self, ring: RingId, conflict: Conflict) -> list[Step]:
        what = Range(conflict.mine.start, conflict.mine.stop)
        text = format_range(ring.family, what)
        owners = f"{conflict.mine.owner} and {conflict.theirs.owner}"
        return self._told(f"{text} has two owners with one token: {owners}", "two-owners", text)

    def _lost(self, ring: RingId, what: Range) -> list[Step]:
        text = format_range(ring.family, what)
        run = self.rings[ring].at(what.start)
        owner = "nobody" if run is None else str(run.owner)
        return self._told(f"{text} was taken from this node; it is {owner}'s now", "ownership-lost", text)

    def _told(self, sentence: str, event: str, text: str) -> list[Step]:
        if sentence in self.conflicts:
            return []
        self._note(sentence)
        return [Report(Level.ERROR, event, (("range", text), ("detail", sentence)))]

    def _note(self, sentence: str) -> None:
        if len(self.conflicts) < CONFLICTS_MAX:
            self.conflicts[sentence] = None

    def tidy(self, now: float) -> list[Step]:
        """Join neighbouring runs of this node's own where it gained some."""
        steps: list[Step] = []
        for (ring, what), at in list(self._untidy.items()):
            if at > now:
                continue
            del self._untidy[ring, what]
            delta = coalesce(self.rings[ring], self._me, self._neighbourhood(ring, what))
            change = self.merge(ring, delta)
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

    def _return_home(self, ring: RingId, gained: Range) -> None:
        """Addresses that come back to this node while they are leased here are not free."""
        for allocation in self._foreign.values():
            for one in allocation.addresses:
                both = one.range.meet(gained)
                if both is not None and RingId(allocation.network, one.family) == ring:
                    self.pools.freeze(ring, both)
