"""
What travels with addresses: the keys that hold some of them, and which of them must rest.

All of it is in one record with the grant, and in one message, so it is never anywhere without its addresses.
Nor are these without it: a member may hear from others that a range is its own before the grant is there, so
what it owns by the word of one who leaves is *awaited*, and in no stock.  The grant brings the rest, and then
the member states the range anew itself: by that everybody, itself after a crash included, can tell that the
grant was accepted, and a repeat brings nothing back that was released since.

Does not know who leaves or why, nor who gets what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ring.address import Range, format_range, meeting, subtract, union
from ring.changes import grant
from ring.ring import Peer, Ring, Run
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.lending import lend
from weaveipam.allocation.loans import LOANS_MAX
from weaveipam.allocation.rings import Change
from weaveipam.protocol.effects import Durability, Level, Persist, Report
from weaveipam.protocol.messages import Grant, Ownership, Publish, Step
from weaveipam.protocol.records import Departing, Leased, Lent, Record, RecordKey
from weaveipam.protocol.values import Allocation, Loan, RestingPart, RingId


@dataclass(frozen=True, slots=True)
class Bequest:
    """What was given away with all that is in it, and how."""

    changes: tuple[Change, ...]
    """One for each ring."""
    leases: tuple[Allocation, ...]
    rests: tuple[RestingPart, ...]
    lent: tuple[Lent, ...]
    kept: tuple[Record, ...]
    """What is left here of what was lent and of what rested: to be put with the changes."""
    forgotten: tuple[RecordKey, ...]
    """Of the leases, of what rested and of what was lent: to be deleted with the changes."""


def hand_over(holdings: Holdings, me: Peer, parts: Mapping[RingId, Sequence[Range]], heir: Peer) -> Bequest:
    """Own addresses no longer, nor keep what keys hold of them; all of it is to be on disk at once."""
    changes: list[Change] = []
    leases: dict[tuple[str, str], Allocation] = {}
    rests: list[RestingPart] = []
    lent: list[Lent] = []
    kept: list[Record] = []
    forgotten: list[RecordKey] = []
    for ring, ranges in parts.items():
        for what in ranges:
            leases.update({(one.network, one.key): one for one in holdings.leases.within(ring, what)})
            for stock, piece in holdings.pools.stocks_in(ring, what):
                rests += [RestingPart(ring, one) for one in stock.space.cooling_within(piece)]
            given, left, gone = holdings.loans.part_with(ring, what)
            lent += given
            kept += left
            forgotten += gone
            holdings.pools.lose(ring, what)
        changes.append(_stated(holdings, ring, ranges, me, heir))
    forgotten += [key for one in leases.values() for key in holdings.give_up(one)]
    noted = holdings.note_rests()
    if noted is not None:
        kept += noted.put
        forgotten += noted.delete
    luggage = (tuple(leases.values()), tuple(rests), tuple(lent))
    return Bequest(tuple(changes), *luggage, tuple(kept), tuple(forgotten))


class _Batch:
    """What one commit makes true, and what is said once it is."""

    def __init__(self) -> None:
        self.put: list[Record] = []
        self.delete: list[RecordKey] = []
        self.said: list[Step] = []

    def write(self, persist: Persist | None) -> None:
        """Part of the commit."""
        if persist is not None:
            self.put += persist.put
            self.delete += persist.delete

    def add(self, change: Change) -> None:
        """A change of a ring, which all shall learn."""
        self.write(change.persist)
        if change.persist is not None:
            self.said.append(Publish(Ownership(change.ring, change.won)))

    def steps(self) -> list[Step]:
        """All of it, if there is anything."""
        if not self.put and not self.delete:
            return self.said
        return [Persist(tuple(self.put), tuple(self.delete), Durability.HOST), *self.said]


def note_departing(holdings: Holdings, me: Peer, peer: Peer, attempt: int) -> list[Step]:
    """
    Remember, durably, that a member leaves.

    What it has given before is stated anew by this node, so that nothing of it seems to be awaited.
    """
    batch = _Batch()
    batch.put.append(Departing(peer, attempt))
    for ring in holdings.pools.rings() if peer not in holdings.departing else ():
        given = subtract(_given_by(holdings, ring, me, peer), holdings.contests.ranges(ring))
        batch.add(_stated(holdings, ring, given, me, me))
    holdings.departing[peer] = attempt
    return batch.steps()


def forget_departing(holdings: Holdings, me: Peer, peer: Peer, now: float) -> list[Step]:
    """
    A member that was leaving has left, or was removed: nothing of it is awaited any more.

    After a clean leave nothing is.  Of one that was removed what was awaited is free now; what was to come
    along is lost with it.
    """
    batch = _Batch()
    batch.delete.append(Departing(peer, holdings.departing[peer]).record_key)
    for ring in holdings.pools.rings():
        awaited = _given_by(holdings, ring, me, peer)
        batch.add(_stated(holdings, ring, awaited, me, me))
        for what in awaited:
            holdings.receive(ring, what, now)
    del holdings.departing[peer]
    return batch.steps()


def _given_by(holdings: Holdings, ring: RingId, me: Peer, peer: Peer) -> list[Range]:
    """What is this node's by the word of a peer."""
    runs = holdings.rings[ring].owned_by(me)
    return [Range(run.start, run.stop) for run in runs if run.author == peer]


def parts_of(told: Grant) -> list[Ownership]:
    """The statements of a grant, one for each ring."""
    return [Ownership(told.ring, told.runs), *(Ownership(one.ring, one.runs) for one in told.also)]


def is_whole(parts: Sequence[Ownership], believed: Sequence[Ring | None]) -> bool:
    """Whether everything that is said is believed too."""
    return sum(one.stop - one.start for ring in believed if ring for one in ring) == sum(
        one.stop - one.start for part in parts for one in part.runs
    )


def is_withheld(holdings: Holdings, told: Grant) -> bool:
    """
    Whether keys come along whose addresses a decision may take from their pool.

    This member has said what is in use of them here; its donor says what is on its way.
    """
    return any(
        meeting(holdings.rests.vacated(RingId(lease.network, one.family)), one.range)
        for lease in told.leases
        for one in lease.addresses
    )


def take_in(
    holdings: Holdings, me: Peer, told: Grant, donor: str, changes: Sequence[Change], now: float
) -> list[Step]:
    """
    Accept what a grant brings beside addresses, which are merged; a repeat brings nothing.

    Args:
        holdings: What this node has.
        me: This node.
        told: The grant.
        donor: The name of who gave it.
        changes: What merging its runs did, one for each ring.
        now: Seconds on the monotonic clock.
    """
    fresh = {change.ring: list(change.gained) for change in changes}
    batch = _Batch()
    for part in parts_of(told):
        awaited = _awaited(holdings, part.ring, part.runs)
        batch.add(_stated(holdings, part.ring, awaited, me, me))
        for what in awaited:
            holdings.receive(part.ring, what, now)
        fresh[part.ring] += awaited
    for allocation in told.leases:
        kept, reports = _keep(holdings, allocation, donor, fresh)
        batch.put += [] if kept is None else [Leased(kept)]
        batch.said += reports
    for rest in told.rests:
        for one in fresh.get(rest.ring, ()):
            both = rest.range.meet(one)
            if both is not None:
                holdings.let_rest(rest.ring, both, now)
    lent = _lent(told, fresh, me)[: max(0, LOANS_MAX - len(holdings.loans))]
    if lent:
        batch.write(lend(holdings, lent))
    batch.write(holdings.note_rests())
    return batch.steps()


def _lent(told: Grant, fresh: Mapping[RingId, Sequence[Range]], me: Peer) -> list[Lent]:
    """What of fresh addresses others hold; what a key here holds of them is at home now."""
    return [
        Lent(Loan(one.loan.ring, both, one.loan.key), one.holder)
        for one in told.lent
        for what in (fresh.get(one.loan.ring, ()) if one.holder.name != me.name else ())
        if (both := one.loan.range.meet(what)) is not None
    ]


def _stated(holdings: Holdings, ring: RingId, ranges: Iterable[Range], me: Peer, owner: Peer) -> Change:
    """State of one's own addresses whose they are from now on."""
    runs = [run for what in ranges for run in grant(holdings.rings[ring], what, me, owner)]
    return holdings.rings.merge(ring, Ring.of(runs))


def _awaited(holdings: Holdings, ring: RingId, runs: Iterable[Run]) -> list[Range]:
    """What of a grant's runs is awaited; looked for piece by piece, as runs of two grants may be one here."""
    pieces = [
        piece
        for run in runs
        for piece in holdings.rings[ring].within(Range(run.start, run.stop))
        if piece[2:] == run[2:]
    ]
    return holdings.awaited(pieces)


def _keep(
    holdings: Holdings, allocation: Allocation, donor: str, fresh: Mapping[RingId, Sequence[Range]]
) -> tuple[Allocation | None, list[Step]]:
    """A lease that came with addresses is one of this node; under another key if its own is taken."""
    ranges = [(RingId(allocation.network, one.family), one.range) for one in allocation.addresses]
    if any(subtract([what], union(fresh.get(ring, ()))) for ring, what in ranges):
        return None, []  # of a repeat: it was kept before, and may have been released since
    if any(holdings.leases.within(ring, what) for ring, what in ranges):
        text = ", ".join(format_range(ring.family, what) for ring, what in ranges)
        detail = f"{text} is in use twice: by key {allocation.key}, which {donor} has handed over, and here"
        fields = (("range", text), ("detail", detail))
        return None, [Report(Level.ERROR, "address-in-use-twice", fields)]
    reports: list[Step] = []
    if holdings.leases.get(allocation.network, allocation.key) is not None:
        renamed = f"{allocation.key} of {donor}"
        detail = f"{donor} has handed over key {allocation.key}, which is in use here: it is {renamed} now"
        reports.append(Report(Level.WARNING, "key-renamed", (("key", renamed), ("detail", detail))))
        allocation = replace(allocation, key=renamed)
    holdings.keep(allocation)
    return allocation, reports
