"""
What this node has: rings, stocks and leases, and the records that remember them.

Whatever changes one of the three passes here, so that they agree at every return: the free, the cooling and
the leased addresses of a part are together exactly the assignable addresses that this node owns, but for
*foreign* ones (leased here, owned by another since), *frozen* ones (claimed by two, handed out by nobody) and
*lent* ones (owned here, and foreign to a peer that holds them).

Does not know clients, donors or who is alive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ring.address import Range, format_range, meeting, subtract
from ring.changes import coalesce, divide, grant
from ring.merge import Conflict
from ring.ring import Peer, Ring, Run
from weaveipam.allocation.contests import Contests
from weaveipam.allocation.foreign import Foreign, report_lost
from weaveipam.allocation.leases import Leases
from weaveipam.allocation.loans import Loans, is_same_or_earlier, without
from weaveipam.allocation.pools import Part, Pools
from weaveipam.allocation.resting import Rests
from weaveipam.allocation.rings import Change, Rings, together
from weaveipam.allocation.rules import RULES
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.codec import digest_key
from weaveipam.protocol.decisions import Span, Statements
from weaveipam.protocol.effects import Durability, Level, Persist, Report
from weaveipam.protocol.messages import Ownership, Publish, Step
from weaveipam.protocol.records import Departing, Frozen, Leased, Lent, Owned, Record, RecordKey, Resting
from weaveipam.protocol.rollcalls import Use
from weaveipam.protocol.values import Allocation, Assigned, Birth, ContestStage, Loan, Pool, RingId

EPOCH_MAX = 1 << 62
"""Above it nothing is believed: owners raise epochs one by one, and the next one must still have 64 bits."""
TOLD_MAX = 100
"""Conflicts of others that are remembered, so that each is reported once."""


class Holdings:
    """This node's share of the rings, and what it gave to whom."""

    def __init__(self, me: Peer, settings: AllocationSettings) -> None:
        self._me = me
        self._settings = settings
        self.pools = Pools((), settings.cooldown_s)
        self.rings = Rings(me, b"")
        self.leases = Leases()
        self.contests = Contests()
        """What another peer owns as well, with the same token; nothing of it is free."""
        self.loans = Loans()
        """What keys at other peers hold; nothing of it is free."""
        self.foreign = Foreign(me)
        self.departing: dict[Peer, int] = {}
        """Members that leave, and which attempt of theirs it is; durable.  See `bequests`."""
        self._untidy: dict[tuple[RingId, Range], float] = {}
        self._told: dict[str, None] = {}
        self._rests = Rests()
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
        self.departing = {one.peer: one.attempt for one in records if isinstance(one, Departing)}
        for ring, run in self.rings.owned():
            what = Range(run.start, run.stop)
            if run.author not in self.departing:
                self.pools.gain(ring, what)
            if self._neighbourhood(ring, what) != what:
                self._untidy[ring, what] = now + self._settings.coalesce_s
        split = self._split(birth)
        for record in records:
            if isinstance(record, Leased):
                self.leases.add(record.allocation)
                self._lease_again(record.allocation)
        self._freeze([record for record in records if isinstance(record, Frozen)])
        self.lend([record for record in records if isinstance(record, Lent)])
        resting = [record for record in records if isinstance(record, Resting)]
        self._rests.restore(resting)
        for one in resting:
            self._rest_again(one, now)
        return split

    def note_rests(self) -> list[Step]:
        """Let the disk remember what rests, and no more, where it does not yet."""
        noted = self._rests.noted(self.pools)
        return [noted] if noted is not None else []

    def of_this_life(self) -> tuple[RecordKey, ...]:
        """The records, but for leases, that mean nothing to another life: what rests, and what is frozen."""
        kept = (one.record_key for one in (*self.contests, *self.loans))
        return (*self._rests.keys(), *kept)

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
                self.foreign.add(allocation)

    def _rest_again(self, record: Resting, now: float) -> None:
        """What of a range is free rests for the full time."""
        for stock in self.pools.stocks_of(record.ring):
            for one in stock.space.remove(record.range):
                stock.space.release(one, now)

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
        rests, rested = self._rests.note(self.pools)
        durability = Durability.HOST if allocation.durable else Durability.PROCESS
        return Persist((Leased(allocation), *rests), tuple(rested), durability)

    def make_durable(self, held: Allocation) -> tuple[Allocation, Persist]:
        """A pod's allocation becomes one that survives the host; to be on disk before its key hears of it."""
        durable = replace(held, durable=True)
        self.leases.remove(held)
        self.leases.add(durable)
        return durable, Persist((Leased(durable),), (), Durability.HOST)

    def give_back(self, allocations: Iterable[Allocation], now: float) -> list[Step]:
        """The keys hold nothing any more; their addresses rest, and then they are free."""
        delete: list[RecordKey] = []
        durable = False
        for allocation in allocations:
            self.foreign.release(allocation, self.rings)
            self.leases.remove(allocation)
            delete.append(Leased(allocation).record_key)
            durable = durable or allocation.durable
            for one in allocation.addresses:
                self._rest(RingId(allocation.network, one.family), one, now)
        if not delete:
            return []
        put, rested = self._rests.note(self.pools)
        durability = Durability.HOST if durable else Durability.PROCESS
        return [Persist(tuple(put), (*delete, *rested), durability)]

    def _rest(self, ring: RingId, one: Assigned, now: float) -> None:
        stock = self.pools.stocks.get(Part(one.pool, ring))
        if stock is None:
            return
        stock.used -= one.range.size
        for what in self._clear(ring, one.range):
            stock.space.release(what, now)
            self._set_aside(ring, what)

    def _clear(self, ring: RingId, what: Range) -> tuple[Range, ...]:
        """What of a range is this node's alone, by its ring, and no key at another peer holds."""
        mine = (Range(run.start, run.stop) for run in self.rings[ring].within(what) if run.owner == self._me)
        contested, lent = self.contests.ranges(ring), self.loans.ranges(ring)
        return subtract(mine, (*meeting(contested, what), *meeting(lent, what)) if contested or lent else ())

    def thaw(self, now: float) -> list[Step]:
        """Free what has rested."""
        thawed = [stock.space.thaw(now) for stock in self.pools.stocks.values() if stock.space.thaw_at <= now]
        return self.note_rests() if thawed else []

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
        resting = self._rests.end(self.pools)
        self.pools = Pools(pools, self._settings.cooldown_s)
        put: list[Record] = []
        delete: list[RecordKey] = []
        for ring in sorted(rings.union(self.pools.rings())):
            fresh, gone = self.rings.confine(ring, self.pools.whole(ring))
            put += fresh
            delete += gone
        for ring, run in self.rings.owned():
            if run.author not in self.departing:
                self.pools.gain(ring, Range(run.start, run.stop))
        for allocation in self.leases:
            self._lease_again(allocation)
        for one in resting:
            self._rest_again(one, now)
        for ring in self.pools.rings():
            for what in (*self.contests.ranges(ring), *self.loans.ranges(ring)):
                self.pools.freeze(ring, what)
        self.vacate(vacated)
        rests, rested = self._rests.note(self.pools)
        return [*put, *rests], [*delete, *rested]

    def vacate(self, spans: Iterable[Span]) -> None:
        """Hand out nothing of some addresses, as a decision may take them away; until other pools are set."""
        self._vacated = {span.ring: span.ranges for span in spans}
        for ring, ranges in self._vacated.items():
            for what in ranges:
                self._set_aside(ring, what)

    def _set_aside(self, ring: RingId, what: Range) -> None:
        """Of a range that was set free just now hand out nothing that is about to be vacated."""
        for both in meeting(self._vacated.get(ring, ()), what):
            self._rests.set_aside(self.pools, ring, both)
            self.pools.freeze(ring, both)

    def vacated(self, ring: RingId) -> tuple[Range, ...]:
        """Addresses of a ring that a decision may take away; sorted, disjoint."""
        return self._vacated.get(ring, ())

    def uses(self, spans: Iterable[Span]) -> Iterator[Use]:
        """What keys hold here of some addresses."""
        for span in spans:
            for what in span.ranges:
                for lease in self.leases.within(span.ring, what):
                    for one in lease.addresses:
                        if one.range.meet(what) and RingId(lease.network, one.family) == span.ring:
                            yield Use(lease.key, span.ring, one.range)

    def is_over(self, peer: Peer) -> bool:
        """Whether a life is fenced or removed, so that nothing is given to it."""
        return not RULES.serves(peer, self._over)

    def is_removed(self, peer: Peer) -> bool:
        """Whether a decision has removed a life."""
        return peer in self._over and peer not in self._closed

    def install(self, said: Statements, now: float) -> Change:
        """Learn what a decision says, whoever said it first; addresses of those who are removed rest."""
        before = self.rings[said.ring]
        change = self.merge(said.ring, Ring.of(said.runs))
        for gained in change.gained:
            for run in before.within(gained):
                self.let_rest(said.ring, Range(run.start, run.stop), now)
        return self._with_rests(change)

    def _with_rests(self, change: Change) -> Change:
        """A change, with what rests since, or does no more, in the same write."""
        noted = self._rests.noted(self.pools)
        return change if noted is None else replace(change, persist=together(change.persist, noted))

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
        return self.contests.ranges(ring)

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
        before = self.rings[ring]
        change = self.rings.merge(ring, theirs)
        put: list[Record] = []
        delete: list[RecordKey] = []
        for lost in change.lost:
            for owned in subtract([lost], self.awaited(before.within(lost))):
                self.pools.lose(ring, owned)
            for one in self.leases.within(ring, lost):
                self.foreign.add(one)
            shrunk = [one for one in self.loans.meeting(ring, lost) if not self._is_yielded(one.loan)]
            left = [piece for one in shrunk for piece in without(one, lost)]
            self.loans.change(left, shrunk)
            put += left
            delete += [one.record_key for one in shrunk]
        self.foreign.moved = self.foreign.moved or bool(self.foreign and change.won)
        left_over, over, freed = self.contests.overruled(ring, change.won, self._me)
        put += left_over
        delete += over
        for gained in subtract(change.gained, self.awaited(change.won)):
            self._gain(ring, gained)
        if change.gained:
            self.foreign.keep(self.rings)
        fresh = self.contests.found(ring, change.conflicts, self._me)
        self._freeze(fresh)
        put += fresh
        if put or delete:
            extra = Persist(tuple(put), tuple(delete), Durability.HOST)
            change = replace(
                change, persist=together(change.persist, extra), frozen=tuple(fresh), freed=tuple(freed)
            )
        return self._with_rests(change)

    def _gain(self, ring: RingId, gained: Range) -> None:
        self.pools.gain(ring, gained)
        held = self.foreign.within(ring, gained)  # what comes back in use is not free
        for kept in (
            *held,
            *meeting(self.contests.ranges(ring), gained),
            *meeting(self.loans.ranges(ring), gained),
            *meeting(self._vacated.get(ring, ()), gained),
        ):
            self.pools.freeze(ring, kept)

    def _is_yielded(self, loan: Loan) -> bool:
        """Whether its owner has given it up, and whoever is to have it has not heard of the loan."""
        met = self.contests.meeting(loan.ring, loan.range)
        return any(one.stage is ContestStage.YIELDED for one in met)

    def _freeze(self, fresh: Sequence[Frozen]) -> None:
        if fresh:
            self.contests.change(fresh, ())
        for one in fresh:
            self.pools.freeze(one.ring, one.range)

    def give_away(self, ring: RingId, what: Range, heir: Peer) -> Change:
        """Hand over addresses that are free, or that `Space.donate` has taken out already."""
        delta = grant(self.rings[ring], what, self._me, heir)
        self.pools.lose(ring, what)
        change = self.rings.merge(ring, delta)
        assert change.persist is not None, "a grant raises epochs, so it always changes the ring"
        return self._with_rests(change)

    def awaited(self, runs: Iterable[Run]) -> list[Range]:
        """What of some runs is this node's by the word of one who leaves, and not by a grant."""
        if not self.departing:
            return []
        mine = (run for run in runs if run.owner == self._me and run.author in self.departing)
        return [Range(run.start, run.stop) for run in mine]

    def receive(self, ring: RingId, what: Range, now: float) -> None:
        """What was awaited is here, and this node's in every way."""
        self._gain(ring, what)
        self.foreign.keep(self.rings)
        self._untidy.setdefault((ring, what), now + self._settings.coalesce_s)

    def keep(self, allocation: Allocation) -> None:
        """What a key was given elsewhere, of addresses that are free here, it holds here from now on."""
        self.leases.add(allocation)
        self._lease_again(allocation)

    def give_up(self, allocation: Allocation) -> tuple[RecordKey, ...]:
        """A key here holds nothing any more, and its addresses are not this node's; what to delete."""
        self.leases.remove(allocation)
        for one in allocation.addresses:
            stock = self.pools.stocks.get(Part(one.pool, RingId(allocation.network, one.family)))
            if stock is not None:
                stock.used -= one.range.size
        return (Leased(allocation).record_key,)

    def let_rest(self, ring: RingId, what: Range, now: float) -> None:
        """What of a range is free rests for the full time; see `rests`."""
        self._rest_again(Resting(ring, what), now)

    def rests(self) -> tuple[list[Record], list[RecordKey]]:
        """What to put and what to delete, so that the disk remembers what rests now, and no more."""
        return self._rests.note(self.pools)

    def settle(self, change: Change, now: float) -> list[Step]:
        """What follows once a change is on disk: passing it on, telling of losses, joining runs later."""
        steps: list[Step] = [Publish(Ownership(change.ring, change.won))] if change.won else []
        for conflict in change.conflicts:
            steps += self._contested(change.ring, conflict, change.frozen)
        for lost in change.lost:
            steps.append(report_lost(change.ring, lost, self.rings, self.leases))
        rests = [self.set_free(change.ring, freed, now) for freed in change.freed]
        steps += [one for one in rests if one.put or one.delete]
        for gained in change.gained:
            self._untidy.setdefault((change.ring, gained), now + self._settings.coalesce_s)
        return steps

    def _contested(self, ring: RingId, conflict: Conflict, frozen: Sequence[Frozen]) -> list[Step]:
        """A report of what is contested with this node, or for the first time between others."""
        what = Range(conflict.mine.start, conflict.mine.stop)
        text = format_range(ring.family, what)
        owners = sorted(str(one) for one in (conflict.mine.owner, conflict.theirs.owner))
        sentence = f"{text} has two owners with one token: {owners[0]} and {owners[1]}"
        if self._me in (conflict.mine.owner, conflict.theirs.owner):
            fresh = any(one.range.meet(what) for one in frozen)
        else:
            fresh = sentence not in self._told and len(self._told) < TOLD_MAX
            self._told |= {sentence: None} if fresh else {}
        fields = (("range", text), ("detail", sentence))
        return [Report(Level.ERROR, "two-owners", fields)] if fresh else []

    # Foreign and lent addresses

    def set_free(self, ring: RingId, what: Range, now: float) -> Persist:
        """What was withheld of a range, and is owned here and held by nobody, rests, and then it is free."""
        clear = subtract(self._clear(ring, what), (one.range for one in self.leases.loans(ring, what)))
        for stock in self.pools.stocks_of(ring):
            for one in (piece for rest in clear for piece in stock.meet(rest)):
                stock.space.remove(one)
                stock.space.release(one, now)
        self._set_aside(ring, what)
        put, delete = self._rests.note(self.pools)
        return Persist(tuple(put), tuple(delete), Durability.PROCESS)

    def is_held(self, ring: RingId, address: int) -> bool:
        """Whether a key here holds an address, or one to which it is lent."""
        lent = meeting(self.loans.ranges(ring), Range(address, address + 1))
        return bool(lent) or self.leases.at(ring, address) is not None

    def lend(self, fresh: Sequence[Lent]) -> Persist:
        """Keep addresses for whom they are foreign to; to be on disk before they hear of it."""
        self.loans.change(fresh, ())
        for one in fresh:
            self.pools.freeze(one.loan.ring, one.loan.range)
        rests, rested = self._rests.note(self.pools)
        return Persist((*fresh, *rests), tuple(rested), Durability.HOST)

    def take_back(self, gone: Sequence[Lent], now: float) -> list[Step]:
        """Nobody holds these any more; they rest, and then they are free."""
        self.loans.change((), gone)
        ended = Persist((), tuple(one.record_key for one in gone), Durability.HOST)
        rests = [self.set_free(one.loan.ring, one.loan.range, now) for one in gone]
        return [together(ended, *rests)] if gone else []

    def forget_holder(self, peer: Peer, now: float) -> list[Step]:
        """
        A decision says that a life is over, with the users of its addresses: what it held or claimed rests.

        A later life says nothing of the kind: it may have lost its disk, and not know who uses what.
        """
        over = [one for one in self.contests if one.other is not None and is_same_or_earlier(one.other, peer)]
        self.contests.change((), over)
        steps = self.take_back([one for one in self.loans if is_same_or_earlier(one.holder, peer)], now)
        ended = Persist((), tuple(one.record_key for one in over), Durability.HOST)
        rests = [self.set_free(one.ring, one.range, now) for one in over]
        return [*steps, together(ended, *rests)] if over else steps

    def tidy(self, now: float) -> list[Step]:
        """Join neighbouring runs of this node's own where it gained some."""
        steps: list[Step] = []
        for (ring, what), at in list(self._untidy.items()):
            if at > now:
                continue
            del self._untidy[ring, what]
            if self.awaited(self.rings[ring].within(what)):
                continue  # its grant will bring it here again
            # What is contested is raised only by who is to keep it, once the other one has given it up.
            clear = subtract([self._neighbourhood(ring, what)], self.contests.ranges(ring))
            joined = (coalesce(self.rings[ring], self._me, one) for one in clear)
            change = self.merge(ring, Ring.of(run for delta in joined for run in delta))
            assert not change.gained, "coalescing moves no address"
            if change.persist is not None:
                steps.append(Persist(change.persist.put, change.persist.delete, Durability.HOST))
            if change.won:
                steps.append(Publish(Ownership(ring, change.won)))
        return steps

    def _neighbourhood(self, ring: RingId, what: Range) -> Range:
        start, stop = what.start, what.stop
        while start > 0 and (run := self.rings[ring].at(start - 1)) and self._restatable(run):
            start = run.start
        while (run := self.rings[ring].at(stop)) and self._restatable(run):
            stop = run.stop
        return Range(start, stop)

    def _restatable(self, run: Run) -> bool:
        """Whether this node may state a run anew: it is its own, and not awaited."""
        return run.owner == self._me and run.author not in self.departing
