"""
Giving space away: to those who ask, and small islands to neighbours.

Does not know what clients here wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from ring.address import Range, format_range
from ring.ring import Peer
from weaveipam.allocation.bequests import hand_over
from weaveipam.allocation.donors import Neighbours, as_life
from weaveipam.allocation.drift import GIFTS_MAX, Timer, islands
from weaveipam.allocation.grants import UNASKED, grant_message, outgoing
from weaveipam.allocation.handover import Bundle
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.lending import is_held
from weaveipam.allocation.pools import Part
from weaveipam.allocation.rings import Change
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.effects import Durability, Level, Persist, Report
from weaveipam.protocol.messages import (
    Header,
    Need,
    Ownership,
    PieceFindings,
    PieceRequest,
    PieceSurvey,
    Publish,
    Refused,
    SpaceRefusal,
    SpaceRequest,
    Step,
    Tell,
)
from weaveipam.protocol.records import Leased, Outgoing, Record
from weaveipam.protocol.values import Endpoint, RestingPart, RingId, RingPart


class Giver:
    """What one node does for those who have less."""

    def __init__(
        self, me: Peer, settings: AllocationSettings, neighbours: Neighbours, rng: Random, holdings: Holdings
    ) -> None:
        self._me = me
        self._settings = settings
        self._neighbours = neighbours
        self._rng = rng
        self._holdings = holdings
        self._drift = Timer(settings, rng)
        self.grants = holdings.grants
        self.content: dict[Part, int] = {}
        """By part what was free after something went from it: no refill is wanted before it is less."""

    def arm(self, now: float) -> None:
        """There may be more islands than before."""
        self._drift.arm(now)

    def put_off(self, now: float) -> None:
        """Something was allocated: what is free may be needed here."""
        self._drift.put_off(now)

    def bequeath(self, bundle: Bundle, target: Endpoint, now: float) -> list[Step]:
        """Give away addresses with all that is in them, for good."""
        parts: dict[RingId, list[Range]] = {}
        for ring, what in bundle.parts:
            parts.setdefault(ring, []).append(what)
        bequest = hand_over(self._holdings, self._me, parts, bundle.heir)
        first, *others = bequest.changes
        record = Outgoing(
            self._rng.getrandbits(63),
            bundle.heir,
            first.ring,
            first.won,
            tuple(RingPart(one.ring, one.won) for one in others),
            bequest.leases,
            bequest.rests,
            bequest.lent,
        )
        self.grants.add(record, UNASKED, now)
        put = [one for change in bequest.changes if change.persist for one in change.persist.put]
        delete = [one for change in bequest.changes if change.persist for one in change.persist.delete]
        text = ", ".join(format_range(ring.family, what) for ring, what in bundle.parts)
        fields = (("peer", str(bundle.heir)), ("range", text), ("leases", len(bequest.leases)))
        return [
            Persist((*put, *bequest.kept, record), (*delete, *bequest.forgotten), Durability.HOST),
            Tell(target, grant_message(record, UNASKED)),
            *(Publish(Ownership(one.ring, one.won)) for one in bequest.changes),
            Report(Level.INFO, "space-bequeathed", fields),
        ]

    @property
    def drift_at(self) -> float:
        """Seconds on the monotonic clock: when `drift` has something to do."""
        return self._drift.wake_at

    def give(self, header: Header, asked: SpaceRequest, now: float, *, serving: bool) -> list[Step]:
        """Grant space to a peer that asks, or say no."""
        if self.grants.answered(header.sender, asked.request):
            return []
        part = self._holdings.pools.part_for(asked.pool, asked.ring, asked.within)
        known = part in self._holdings.pools.stocks  # else one of the two has a decision to learn first
        if not serving or not known or not self._is_there(header.sender):
            # Late packets ask for a life that is over, or a daemon that is dead: what it were given, nobody
            # would have.  One that only seems so will ask again, once it has contradicted.
            return [Tell(header.endpoint, SpaceRefusal(asked.request, Refused.NOT_READY))]
        if asked.need is Need.LOOK:
            return [Tell(header.endpoint, self._look(part, asked))]
        resting = self._resting(part) if asked.need is Need.COOLING else []
        what = self._donate(part, asked)
        if what is None:
            reason = Refused.TAKEN if self._all_leased(asked) else Refused.NONE_FREE
            return [Tell(header.endpoint, SpaceRefusal(asked.request, reason))]
        rests = [RestingPart(asked.ring, both) for one in resting if (both := one.meet(what))]
        return self._grant(header, asked.ring, what, asked.request, now, rests)

    def _must_not_have(self, peer: Peer) -> bool:
        """Whether what it were given nobody would have, or only for a moment."""
        return self._holdings.belief.is_over(peer) or peer in self._holdings.departing

    def forget_void(self) -> list[Step]:
        """Repeat no more the grants that decisions have made void; see `Grants.forget`."""
        steps: list[Step] = []
        for persist in self.grants.forget(self._is_void):
            for record in persist.put:
                if isinstance(record, Leased):
                    self._holdings.keep(record.allocation)
            steps.append(persist)
        return steps

    def _is_void(self, grant: Outgoing) -> bool:
        pools = self._holdings.pools
        rest = (RingPart(grant.ring, grant.runs), *grant.also)
        covered = (pools.covers(one.ring, run.start, run.stop) for one in rest for run in one.runs)
        return self._holdings.belief.is_removed(grant.heir) or not all(covered)

    def _resting(self, part: Part) -> list[Range]:
        stock = self._holdings.pools.stocks.get(part)
        if stock is None:
            return []
        return [rest for one in stock.assignable for rest in stock.space.cooling_within(one)]

    def _look(self, part: Part, asked: SpaceRequest) -> PieceFindings | SpaceRefusal:
        """What would be given of a pool whose lowest address goes first."""
        stock = self._holdings.pools.stocks.get(part)
        lowest = None if stock is None else stock.space.lowest(asked.size, asked.within)
        if lowest is None:
            return SpaceRefusal(asked.request, Refused.NONE_FREE)
        return PieceFindings(asked.request, (lowest,))

    def _donate(self, part: Part, asked: SpaceRequest) -> Range | None:
        stock = self._holdings.pools.stocks.get(part)
        if stock is None:
            return None
        if asked.need is Need.REFILL and stock.space.free_count < 2 * self._settings.watermark(
            stock.owned, stock.size
        ):
            return None
        return stock.space.donate(asked.size, asked.within, cooling=asked.need is Need.COOLING)

    def survey(self, header: Header, asked: PieceSurvey, *, serving: bool) -> list[Step]:
        """Say which pieces are free here in whole, to a peer that puts a block together."""
        if not serving:
            return [Tell(header.endpoint, SpaceRefusal(asked.request, Refused.NOT_READY))]
        part = Part(asked.pool, asked.ring)
        free = tuple(one for one in asked.pieces if self._is_free(part, one))
        return [Tell(header.endpoint, PieceFindings(asked.request, free))]

    def give_piece(self, header: Header, asked: PieceRequest, now: float, *, serving: bool) -> list[Step]:
        """Grant exactly what is asked for, or say no."""
        if self.grants.answered(header.sender, asked.request):
            return []
        if not serving or not self._is_there(header.sender):
            return [Tell(header.endpoint, SpaceRefusal(asked.request, Refused.NOT_READY))]
        if not self._is_free(Part(asked.pool, asked.ring), asked.piece):
            return [Tell(header.endpoint, SpaceRefusal(asked.request, Refused.NONE_FREE))]
        steps = self._grant(header, asked.ring, asked.piece, asked.request, now)
        self.be_content(asked.ring, asked.piece)
        return steps

    def _is_there(self, peer: Peer) -> bool:
        """Whether what a peer is given is in good hands."""
        member = as_life(peer, self._neighbours)
        return member is not None and member.present and not self._must_not_have(peer)

    def _is_free(self, part: Part, what: Range) -> bool:
        """Whether all of a range is free here, and can be allocated."""
        stock = self._holdings.pools.stocks.get(part)
        return stock is not None and stock.space.free_within(what) == what.size

    def _grant(
        self,
        header: Header,
        ring: RingId,
        what: Range,
        request: int,
        now: float,
        rests: Sequence[RestingPart] = (),
    ) -> list[Step]:
        self.arm(now)
        text = format_range(ring.family, what)
        return [
            *self._hand_over(ring, what, header.sender, header.endpoint, request, now, rests),
            Report(Level.INFO, "space-granted", (("peer", str(header.sender)), ("range", text))),
        ]

    def give_unasked(self, ring: RingId, what: Range, heir: Peer, now: float) -> list[Step]:
        """Grant what is free here to a peer that has not asked for it; nothing to one that is not there."""
        member = self._neighbours.get(heir.name)
        if member is None or not self._is_there(heir):
            return []
        self.arm(now)
        steps = self._hand_over(ring, what, heir, member.endpoint, UNASKED, now)
        self.be_content(ring, what)
        return steps

    def be_content(self, ring: RingId, what: Range) -> None:
        """Want no refill in place of what is free here no longer, before some of what is left is used."""
        for part, stock in self._holdings.pools.stocks.items():
            if part.ring == ring and stock.meet(what):
                self.content[part] = stock.space.free_count

    def drift(self, now: float, *, busy: bool) -> list[Step]:
        """Grant small islands to neighbours, if it is time and nobody here waits for space; see `drift`."""
        if now < self._drift.wake_at:
            return []
        larger = self._drift.first
        self._drift.restart(now)
        if busy:
            return []
        alive = self._neighbours.alive()
        there = {one.peer: one.endpoint for one in alive if not self._must_not_have(one.peer)}
        found = islands(self._holdings, self._me, there, larger=larger)
        if not found:
            self._drift.stop()
        steps: list[Step] = []
        gifts = [(ring, what, heir) for ring, what, heir in found if heir is not None]
        for ring, what, heir in gifts[:GIFTS_MAX]:
            steps += self._hand_over(ring, what, heir, there[heir], UNASKED, now)
            text = format_range(ring.family, what)
            steps.append(Report(Level.INFO, "space-drifted", (("peer", str(heir)), ("range", text))))
            self.be_content(ring, what)
        return steps

    def _hand_over(
        self,
        ring: RingId,
        what: Range,
        heir: Peer,
        target: Endpoint,
        request: int,
        now: float,
        rests: Sequence[RestingPart] = (),
    ) -> list[Step]:
        """Own a range no longer, and let its heir know until it does."""
        change = self._holdings.give_away(ring, what, heir)
        record = outgoing(self._rng.getrandbits(63), heir, ring, change.won, rests)
        self.grants.add(record, request, now)
        return [
            *persisted(change, record),
            Tell(target, grant_message(record, request)),
            Publish(Ownership(ring, change.won)),
        ]

    def _all_leased(self, asked: SpaceRequest) -> bool:
        """Whether particular addresses were asked for and all of them are in use."""
        held = (is_held(self._holdings, asked.ring, one.start) for one in asked.within if one.size == 1)
        return bool(asked.within) and all(one.size == 1 for one in asked.within) and all(held)


def persisted(change: Change, *more: Record) -> list[Step]:
    """What puts a change on disk; nothing if it is none."""
    if change.persist is None:
        return []
    return [replace(change.persist, put=(*change.persist.put, *more))]
