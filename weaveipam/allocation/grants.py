"""
Grants on their way: repeated until acknowledged, so that the loss of any single message loses no address.

A grant's runs are in the ring and on disk before they are sent, so repeating one, even after a crash, tells
the receiver nothing but what it would learn by gossip as well.  Does not know what is free.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ring.ring import Peer, Run
from weaveipam.allocation.donors import Neighbours, as_life
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import Grant, Tell
from weaveipam.protocol.records import Leased, Outgoing, RecordKey
from weaveipam.protocol.values import RestingPart, RingId

REPEAT_DOUBLINGS_MAX = 5
UNASKED = 0
"""In place of a space request's number: nobody asked for this grant."""
ANSWERED_MAX = 1024
"""Space requests whose answer is remembered, so that a doubled datagram is not granted twice."""


@dataclass(slots=True)
class _Parcel:
    record: Outgoing
    request: int
    tries: int
    wake_at: float


class Grants:
    """This node's own grants that nobody has acknowledged yet, by number."""

    def __init__(self, settings: AllocationSettings) -> None:
        self._settings = settings
        self._parcels: dict[int, _Parcel] = {}
        self._answered: dict[tuple[Peer, int], int] = {}
        self._handed: dict[tuple[str, str], Peer] = {}
        self._delivered: list[RecordKey] = []

    def __len__(self) -> int:
        return len(self._parcels)

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when the next one is repeated."""
        return min([one.wake_at for one in self._parcels.values()]) if self._parcels else math.inf

    def restore(self, records: Iterable[Outgoing], now: float) -> None:
        """Take over what the disk remembers; all of it is repeated at once."""
        for record in records:
            self._note_leases(record)
            if record.acknowledged:
                self._delivered.append(record.record_key)
            else:
                self._parcels[record.grant] = _Parcel(record, UNASKED, 0, now)

    def keys(self) -> tuple[RecordKey, ...]:
        """Of their records, also of those that are only kept for `handed`."""
        return (*(one.record.record_key for one in self._parcels.values()), *self._delivered)

    def leases(self) -> tuple[Leased, ...]:
        """What keys held of what is on its way, as records of who holds it still if the grants end here."""
        return tuple(Leased(one) for parcel in self._parcels.values() for one in parcel.record.leases)

    def add(self, record: Outgoing, request: int, now: float) -> None:
        """A grant that is about to be persisted and sent for the first time."""
        self._note_leases(record)
        self._parcels[record.grant] = _Parcel(record, request, 0, now + self._settings.repeat_s)
        if request != UNASKED:
            self._answered[record.heir, request] = record.grant
        while len(self._answered) > ANSWERED_MAX:
            del self._answered[next(iter(self._answered))]

    def answered(self, asker: Peer, request: int) -> bool:
        """Whether a space request has been granted before; its grant is repeated by itself."""
        return (asker, request) in self._answered

    def acknowledged(self, grant: int, heir: Peer) -> list[Persist]:
        """The receiver has it on stable storage."""
        parcel = self._parcels.get(grant)
        if parcel is None or parcel.record.heir != heir:
            return []
        del self._parcels[grant]
        key = parcel.record.record_key
        if not parcel.record.leases:
            return [Persist((), (key,), Durability.PROCESS)]
        self._delivered.append(key)
        return [Persist((replace(parcel.record, acknowledged=True),), (), Durability.PROCESS)]

    def handed(self, network: str, key: str) -> Peer | None:
        """To whom what a key held was handed over; None if it was not."""
        return self._handed.get((network, key))

    def to(self, heir: Peer) -> bool:
        """Whether a grant to this life is under way."""
        return any(one.record.heir == heir for one in self._parcels.values())

    def open(self) -> tuple[tuple[str, int], ...]:
        """How many grants are under way to each name; sorted."""
        return tuple(sorted(Counter(one.record.heir.name for one in self._parcels.values()).items()))

    def _note_leases(self, record: Outgoing) -> None:
        self._handed.update(dict.fromkeys(((one.network, one.key) for one in record.leases), record.heir))

    def forget(self, is_void: Callable[[Outgoing], bool]) -> list[Persist]:
        """
        Repeat no more what a decision has made void: it gave the addresses to others, or to nobody.

        What keys held of them they hold here again, in the records to put.
        """
        gone = [one.record for one in self._parcels.values() if is_void(one.record)]
        kept = [one for record in gone for one in record.leases]
        for record in gone:
            del self._parcels[record.grant]
        for one in kept:
            self._handed.pop((one.network, one.key), None)
        keys = tuple(record.record_key for record in gone)
        durability = Durability.HOST if kept else Durability.PROCESS
        return [Persist(tuple(map(Leased, kept)), keys, durability)] if keys else []

    def wake(self, neighbours: Neighbours, now: float) -> list[Tell]:
        """Repeat what is due and has somewhere to go."""
        tells = []
        for parcel in self._parcels.values():
            if parcel.wake_at > now:
                continue
            parcel.tries = min(parcel.tries + 1, REPEAT_DOUBLINGS_MAX)
            parcel.wake_at = now + self._settings.repeat_s * 2**parcel.tries
            record = parcel.record
            heir = as_life(record.heir, neighbours)
            if heir is not None:
                tells.append(Tell(heir.endpoint, grant_message(record, parcel.request)))
        return tells


def grant_message(record: Outgoing, request: int) -> Grant:
    """What the heir is told."""
    luggage = (record.also, record.leases, record.rests, record.lent)
    return Grant(record.grant, request, record.ring, record.runs, *luggage)


def outgoing(
    number: int, heir: Peer, ring: RingId, runs: Iterable[Run], rests: Iterable[RestingPart] = ()
) -> Outgoing:
    """What the disk remembers of a grant until it is acknowledged."""
    return Outgoing(number, heir, ring, tuple(runs), rests=tuple(rests))
