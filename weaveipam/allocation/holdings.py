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

from ring.address import Range, meeting, subtract
from ring.changes import divide, grant
from ring.ring import Peer, Ring, Run
from weaveipam.allocation.belief import Belief
from weaveipam.allocation.contests import Contests
from weaveipam.allocation.foreign import Foreign, report_lost
from weaveipam.allocation.grants import Grants
from weaveipam.allocation.joining import Joins
from weaveipam.allocation.leases import Leases
from weaveipam.allocation.loans import Loans, without
from weaveipam.allocation.pools import Pools
from weaveipam.allocation.resting import Rests
from weaveipam.allocation.rings import Change, Rings, together
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.codec import digest_key
from weaveipam.protocol.decisions import Span, Statements
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import Ownership, Publish, Step
from weaveipam.protocol.records import Departing, Frozen, Leased, Lent, Owned, Record, RecordKey, Resting
from weaveipam.protocol.rollcalls import Use
from weaveipam.protocol.values import Allocation, Assigned, Birth, ContestStage, Loan, Pool, RingId


class Holdings:
    """This node's share of the rings, and what it gave to whom."""

    def __init__(self, me: Peer, settings: AllocationSettings) -> None:
        self.me = me
        self._settings = settings
        self.pools = Pools((), settings.cooldown_s)
        self.rings = Rings(me, b"")
        self.leases = Leases()
        self.grants = Grants(settings)
        """What was given away and nobody has got yet."""
        self.contests = Contests()
        """What another peer owns as well, with the same token; nothing of it is free."""
        self.loans = Loans()
        """What keys at other peers hold; nothing of it is free."""
        self.foreign = Foreign(me)
        self.departing: dict[Peer, int] = {}
        """Members that leave, and which attempt of theirs it is; durable.  See `bequests`."""
        self.rests = Rests()
        self.belief = Belief()
        self._joins = Joins(me, settings.coalesce_s, self._restatable)

    # Beginning

    def adopt(self, birth: Birth) -> list[Step]:
        """Belong to a cluster from now on: its pools are this node's, its first split begins the rings."""
        self.pools = Pools(birth.pools, self._settings.cooldown_s)
        self.rings = Rings(self.me, digest_key(birth))
        split = self._split(birth)
        self._fill_stocks()
        return split

    def restore(
        self, birth: Birth, pools: Iterable[Pool], records: Sequence[Record], now: float
    ) -> list[Step]:
        """
        Take over rings, leases and resting addresses as the disk remembers them.

        Where the ring says nothing the first split is made again, as a crash may have come before it.
        """
        self.pools = Pools(pools, self._settings.cooldown_s)
        self.rings = Rings(self.me, digest_key(birth))
        self.rings.restore(record for record in records if isinstance(record, Owned))
        self.departing = {one.peer: one.attempt for one in records if isinstance(one, Departing)}
        for ring, run in self.rings.owned():
            self._joins.restore(ring, self.rings[ring], Range(run.start, run.stop), now)
        split = self._split(birth)
        for record in records:
            if isinstance(record, Leased):
                self.leases.add(record.allocation)
        self.contests.change([record for record in records if isinstance(record, Frozen)], ())
        self.loans.change([record for record in records if isinstance(record, Lent)], ())
        self._fill_stocks()
        resting = [record for record in records if isinstance(record, Resting)]
        self.rests.restore(resting)
        for one in resting:
            self.let_rest(one.ring, one.range, now)
        return split

    def of_this_life(self) -> tuple[RecordKey, ...]:
        """The records, but for leases, that mean nothing to another life: what rests, and what is frozen."""
        kept = (one.record_key for one in (*self.contests, *self.loans))
        return (*self.rests.keys(), *kept)

    def _split(self, birth: Birth) -> list[Step]:
        steps: list[Step] = []
        for ring in self.pools.rings():
            domain = self.pools.domain(ring)
            unsaid = subtract(domain, (Range(run.start, run.stop) for run in self.rings[ring]))
            shares = Ring.of(run for one in domain for run in divide(one, birth.seeds))
            change = self.rings.merge(ring, Ring.of(run for gap in unsaid for run in shares.within(gap)))
            steps += [change.persist] if change.persist is not None else []
        return steps

    def _fill_stocks(self) -> None:
        """Put into new stocks what this node owns, and what is used; nothing that is withheld is free."""
        for ring, run in self.rings.owned():
            if run.author not in self.departing:
                self.pools.gain(ring, Range(run.start, run.stop))
        for allocation in self.leases:
            self._lease_again(allocation)
        for ring in self.pools.rings():
            for what in (*self.contests.ranges(ring), *self.loans.ranges(ring)):
                self.pools.freeze(ring, what)

    def _lease_again(self, allocation: Allocation) -> None:
        for one in allocation.addresses:
            ring = RingId(allocation.network, one.family)
            self.pools.use(ring, one.range)
            if any(run.owner != self.me for run in self.rings[ring].within(one.range)):
                self.foreign.add(allocation)

    # Resting

    @property
    def thaw_at(self) -> float:
        """Seconds on the monotonic clock: when `thaw` has something to do."""
        stocks = self.pools.stocks
        return min([stocks[part].space.thaw_at for part in self.pools.restless], default=math.inf)

    def thaw(self, now: float) -> list[Step]:
        """Free what has rested."""
        restless = [self.pools.stocks[part] for part in self.pools.restless]
        due = [stock for stock in restless if stock.space.thaw_at <= now]
        for stock in due:
            stock.space.thaw(now)
        noted = self.note_rests() if due else None
        return [] if noted is None else [noted]

    def note_rests(self) -> Persist | None:
        """What makes the disk remember what rests now, and no more; None if it does."""
        return self.rests.note(self.pools)

    def let_rest(self, ring: RingId, what: Range, now: float, *, withheld: bool = False) -> None:
        """
        What is free here of a range rests for the full time, and then it is free; see `note_rests`.

        Args:
            ring: Which.
            what: The range.
            now: Seconds on the monotonic clock.
            withheld: Also what is not free, but owned here, and neither held by a key nor owned by two.
        """
        leased = (one.range for one in self.leases.loans(ring, what))
        for clear in subtract(self._clear(ring, what), leased) if withheld else (what,):
            for stock, piece in self.pools.stocks_in(ring, clear):
                free = stock.space.remove(piece)
                for one in (piece,) if withheld else free:
                    stock.space.release(one, now)
        self.rests.set_aside(self.pools, ring, what)

    def release(self, ring: RingId, one: Assigned, now: float) -> None:
        """What a key held rests, as far as it is this node's own; see `note_rests`."""
        self.pools.disuse(ring, one.range)
        for clear in self._clear(ring, one.range):
            for stock, what in self.pools.stocks_in(ring, clear):
                stock.space.release(what, now)
            self.rests.set_aside(self.pools, ring, clear)

    def _clear(self, ring: RingId, what: Range) -> tuple[Range, ...]:
        """What of a range is this node's alone, by its ring, and no key at another peer holds."""
        mine = (Range(run.start, run.stop) for run in self.rings[ring].within(what) if run.owner == self.me)
        contested, lent = self.contests.ranges(ring), self.loans.ranges(ring)
        return subtract(mine, (*meeting(contested, what), *meeting(lent, what)) if contested or lent else ())

    def _with_rests(self, change: Change) -> Change:
        """A change, with what rests since, or does no more, in the same write."""
        noted = self.note_rests()
        return change if noted is None else replace(change, persist=together(change.persist, noted))

    # Decisions

    def set_pools(self, pools: Iterable[Pool], vacated: Sequence[Span], now: float) -> Persist:
        """
        There are these pools from now on; to be on disk at once with the decision.

        Args:
            pools: By name.
            vacated: Addresses of which nothing is handed out, as they are about to belong to none.
            now: Seconds on the monotonic clock; what rests begins to rest anew.
        """
        rings = {*self.pools.rings()}
        resting = self.rests.end(self.pools)
        self.pools = Pools(pools, self._settings.cooldown_s)
        put: list[Record] = []
        delete: list[RecordKey] = []
        for ring in sorted(rings.union(self.pools.rings())):
            fresh, gone = self.rings.confine(ring, self.pools.whole(ring))
            put += fresh
            delete += gone
        self._fill_stocks()
        for one in resting:
            self.let_rest(one.ring, one.range, now)
        self.vacate(vacated)
        return together(Persist(tuple(put), tuple(delete), Durability.PROCESS), self.note_rests())

    def vacate(self, spans: Iterable[Span]) -> None:
        """Hand out nothing of some addresses, as a decision may take them away; until other pools are set."""
        self.rests.vacate(self.pools, spans)

    def uses(self, spans: Iterable[Span]) -> Iterator[Use]:
        """What keys hold of some addresses, here or on the way to who has not got it yet, and cannot tell."""
        return self.leases.uses(spans, [record.allocation for record in self.grants.leases()])

    def install(self, said: Statements, now: float) -> Change:
        """
        Learn what a decision says, whoever said it first; addresses of those who are removed rest.

        It may say whose addresses are that it takes from a pool as well: of those nothing is known here.
        """
        before = self.rings[said.ring]
        kept = (part for run in said.runs for part in self.pools.inside(said.ring, run))
        change = self.merge(said.ring, Ring.of(kept))
        for gained in change.gained:
            for run in before.within(gained):
                self.let_rest(said.ring, Range(run.start, run.stop), now)
        return self._with_rests(change)

    # Changes of ownership

    @property
    def tidy_at(self) -> float:
        """Seconds on the monotonic clock: when `tidy` has something to do."""
        return self._joins.wake_at

    def checked(self, ownership: Ownership) -> Ring | None:
        """As `Belief.checked`."""
        return self.belief.checked(ownership, self.rings, self.pools)

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
        left_over, over, freed = self.contests.overruled(ring, change.won, self.me)
        put += left_over
        delete += over
        for gained in subtract(change.gained, self.awaited(change.won)):
            self._gain(ring, gained)
        if change.gained:
            self.foreign.keep(self.rings)
        fresh = self.contests.found(ring, change.conflicts, self.me)
        if fresh:
            self.contests.change(fresh, ())
        for frozen in fresh:
            self.pools.freeze(frozen.ring, frozen.range)
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
            *meeting(self.rests.vacated(ring), gained),
        ):
            self.pools.freeze(ring, kept)

    def _is_yielded(self, loan: Loan) -> bool:
        """Whether its owner has given it up, and whoever is to have it has not heard of the loan."""
        met = self.contests.meeting(loan.ring, loan.range)
        return any(one.stage is ContestStage.YIELDED for one in met)

    def give_away(self, ring: RingId, what: Range, heir: Peer) -> Change:
        """Hand over addresses that are free, or that `Space.donate` has taken out already."""
        delta = grant(self.rings[ring], what, self.me, heir)
        self.pools.lose(ring, what)
        change = self.rings.merge(ring, delta)
        assert change.persist is not None, "a grant raises epochs, so it always changes the ring"
        return self._with_rests(change)

    def awaited(self, runs: Iterable[Run]) -> list[Range]:
        """What of some runs is this node's by the word of one who leaves, and not by a grant."""
        if not self.departing:
            return []
        mine = (run for run in runs if run.owner == self.me and run.author in self.departing)
        return [Range(run.start, run.stop) for run in mine]

    def receive(self, ring: RingId, what: Range, now: float) -> None:
        """What was awaited is here, and this node's in every way."""
        self._gain(ring, what)
        self.foreign.keep(self.rings)
        self._joins.expect(ring, what, now)

    def keep(self, allocation: Allocation) -> None:
        """What a key was given elsewhere, of addresses that are free here, it holds here from now on."""
        self.leases.add(allocation)
        self._lease_again(allocation)

    def give_up(self, allocation: Allocation) -> tuple[RecordKey, ...]:
        """A key here holds nothing any more, and its addresses are not this node's; what to delete."""
        self.leases.remove(allocation)
        for one in allocation.addresses:
            self.pools.disuse(RingId(allocation.network, one.family), one.range)
        return (Leased(allocation).record_key,)

    def settle(self, change: Change, now: float) -> list[Step]:
        """What follows once a change is on disk: passing it on, telling of losses, joining runs later."""
        steps: list[Step] = [Publish(Ownership(change.ring, change.won))] if change.won else []
        for conflict in change.conflicts:
            steps += self.contests.reports(change.ring, conflict, change.frozen, self.me)
        for lost in change.lost:
            steps.append(report_lost(change.ring, lost, self.rings, self.leases))
        for freed in change.freed:
            self.let_rest(change.ring, freed, now, withheld=True)
        noted = self.note_rests()
        steps += [] if noted is None else [noted]
        for gained in change.gained:
            self._joins.expect(change.ring, gained, now)
        return steps

    def tidy(self, now: float) -> list[Step]:
        """Join neighbouring runs of this node's own where it gained some."""
        steps: list[Step] = []
        for ring, what in self._joins.take_due(now):
            if self.awaited(self.rings[ring].within(what)):
                continue  # its grant will bring it here again
            joined = self._joins.joined(self.rings[ring], what, self.contests.ranges(ring))
            change = self.merge(ring, joined)
            assert not change.gained, "coalescing moves no address"
            if change.persist is not None:
                steps.append(Persist(change.persist.put, change.persist.delete, Durability.HOST))
            if change.won:
                steps.append(Publish(Ownership(ring, change.won)))
        return steps

    def _restatable(self, run: Run) -> bool:
        """Whether this node may state a run anew: it is its own, and not awaited."""
        return run.owner == self.me and run.author not in self.departing
