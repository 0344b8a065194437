"""
The rings that this node keeps: every change goes through here, so that disk, fingerprint and memory agree.

Does not know which addresses are in use, nor who is alive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ring.address import Range, subtract
from ring.merge import Conflict, merge
from ring.ring import EMPTY, TOTALS, Peer, Ring, Run, Weight
from weaveipam.protocol.codec import run_digests
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import Ownership, RingShare
from weaveipam.protocol.records import Frozen, Owned, Record, RecordKey
from weaveipam.protocol.values import RingId


@dataclass(frozen=True, slots=True)
class Change:
    """What a merge did to one ring."""

    ring: RingId
    won: tuple[Run, ...]
    """What was new to this node, sorted; empty if the merge changed nothing."""
    gained: tuple[Range, ...]
    """Addresses that this node owns only since."""
    lost: tuple[Range, ...]
    """Addresses that this node owned until then."""
    conflicts: tuple[Conflict, ...]
    """One token with two owners: never by the rules, so always worth a report."""
    persist: Persist | None
    """To be performed before anybody hears of the change; None if nothing changed."""
    frozen: tuple[Frozen, ...] = ()
    """What is contested with this node only since."""
    freed: tuple[Range, ...] = ()
    """What was contested with this node until then."""


@dataclass(frozen=True, slots=True)
class RingTable:
    """A ring as daemons compare it: each run stands at its start."""

    name: RingId
    ring: Ring
    digest: Weight

    @property
    def places(self) -> int:
        """As of any table."""
        return self.name.family.size

    def count(self, low: int, high: int) -> int:
        """As of any table."""
        return self.ring.rank(high) - self.ring.rank(low)

    def total(self, low: int, high: int) -> int:
        """As of any table."""
        return self.ring.total(Range(low, high), self.digest)

    def cuts(self, low: int, high: int, parts: int) -> Sequence[int]:
        """As of any table."""
        first, count = self.ring.rank(low), self.count(low, high)
        ranks = sorted({first + count * part // parts for part in range(1, parts)} - {first})
        return [self.ring.nth(rank).start for rank in ranks]

    def share(self, low: int, high: int) -> RingShare:
        """As of any table."""
        return RingShare(low, high, True, self.name, tuple(self.ring.starting(Range(low, high))))


class Rings:
    """
    The rings by id, and a fingerprint over all of them.

    Two nodes with one cluster id have equal fingerprints if and (but for chance) only if they know the same.
    """

    def __init__(self, me: Peer, key: bytes) -> None:
        self._me = me
        self._key = key
        self._rings: dict[RingId, Ring] = {}
        self._sums: dict[RingId, int] = {}
        """The part of each ring in the fingerprint."""
        self.fingerprint = 0
        """The sum of the keyed hashes of all runs, modulo 2^64: changed runs cost, unchanged ones do not."""
        self._audit = self._audits()
        self.moves: dict[RingId, int] = {}
        """How many merges have changed each ring since this node started."""

    def __getitem__(self, ring: RingId) -> Ring:
        return self._rings.get(ring, EMPTY)

    def all(self) -> Mapping[RingId, Ring]:
        """Every ring that anything is known of."""
        return self._rings

    def restore(self, records: Iterable[Owned]) -> None:
        """Take over what the disk remembers."""
        runs: dict[RingId, list[Run]] = {}
        for record in records:
            runs.setdefault(record.ring, []).append(record.run)
        for ring, its in runs.items():
            self._rings[ring] = Ring.of(its)
            self._count(ring, (), self._rings[ring])

    def says(self, ownership: Ownership) -> bool:
        """Whether it is, run by run, all that this node knows of that ring."""
        mine = self[ownership.ring]
        return len(mine) == len(ownership.runs) and tuple(mine) == ownership.runs

    def knows(self, ownership: Ownership) -> bool:
        """
        Whether learning this plainly changes nothing; False may be wrong, and merging then finds out.

        Most of what is told has been told before, and this is many times as fast as merging it.
        """
        if self.says(ownership):
            return True
        mine = self[ownership.ring]
        for run in ownership.runs:
            held = mine.at(run.start)
            if held is None or held.stop < run.stop:
                return False
            if held[2:] != run[2:] and held.token <= run.token:
                return False
        return True

    def merge(self, ring: RingId, theirs: Ring) -> Change:
        """The change that learning `theirs` makes; durable on the host if it moves what this node owns."""
        mine = self[ring]
        merged = merge(mine, theirs)
        if not merged.won:
            return Change(ring, (), (), (), merged.conflicts, None)
        self._rings[ring] = merged.ring
        self._count(ring, merged.gone, merged.fresh)
        self.moves[ring] = self.moves.get(ring, 0) + 1
        gained, lost = self._moved(mine, merged.won)
        kept = {run.start for run in merged.fresh}
        persist = Persist(
            tuple(Owned(ring, run) for run in merged.fresh),
            tuple(Owned(ring, run).record_key for run in merged.gone if run.start not in kept),
            Durability.HOST if gained or lost else Durability.PROCESS,
        )
        return Change(ring, merged.won, gained, lost, merged.conflicts, persist)

    def confine(self, ring: RingId, domain: Sequence[Range]) -> tuple[list[Owned], list[RecordKey]]:
        """
        Forget what is said of addresses that belong to no pool any more; what to put and what to delete.

        Args:
            ring: Which.
            domain: Its addresses from now on; sorted, disjoint.
        """
        before = self[ring]
        after = Ring.of(run for one in domain for run in before.within(one))
        if after == before:
            return [], []
        gone = sorted(set(before).difference(after))
        fresh = sorted(set(after).difference(before))
        self._rings[ring] = after
        self._count(ring, gone, fresh)
        self.moves[ring] = self.moves.get(ring, 0) + 1
        kept = {run.start for run in fresh}
        delete = [Owned(ring, run).record_key for run in gone if run.start not in kept]
        return [Owned(ring, run) for run in fresh], delete

    def tables(self) -> list[tuple[RingId, RingTable]]:
        """Every ring that anything is known of, as a table to compare; by ring id."""
        return [(ring, self.table(ring)) for ring in sorted(self._rings)]

    def table(self, ring: RingId) -> RingTable:
        """One ring as a table to compare."""
        # Not for any ring that somebody asks about: digests of a ring are remembered for ever.
        digest = run_digests(ring, self._key) if ring in self._rings else _weightless
        return RingTable(ring, self[ring], digest)

    def lacking(self, told: RingShare) -> RingShare | None:
        """What is known here, and not by one who has told all of it, which was merged; None if nothing is."""
        said = frozenset(told.runs)
        runs = tuple(run for run in self[told.ring].starting(Range(told.low, told.high)) if run not in said)
        return RingShare(told.low, told.high, False, told.ring, runs) if runs else None

    def audit(self) -> bool:
        """
        Weigh the next few runs as they are in memory now; whether it showed that some are not what they were.

        The fingerprint then follows the memory, so that what a bug or a flipped bit has changed differs from
        what others know, and is repaired like anything that does.

        Cost: that of one chunk of a ring.
        """
        return next(self._audit)

    def _audits(self) -> Iterator[bool]:
        while True:
            yield False
            for ring in sorted(self._rings):
                digest = run_digests(ring, self._key)
                before, counted = self._rings[ring], self._sums[ring]
                weighed = 0
                for chunk in before.chunks:
                    weighed += sum(map(digest, chunk.runs))
                    yield False
                difference = (weighed - counted) % TOTALS
                if difference:
                    self._add(ring, difference)
                    self._rings[ring] = Ring.of(self._rings[ring])  # of chunks that remember no sums
                    yield True

    def owned(self) -> Iterator[tuple[RingId, Run]]:
        """The runs that this node owns, by ring id."""
        for ring in sorted(self._rings):
            for run in self._rings[ring].owned_by(self._me):
                yield ring, run

    def sizes(self) -> dict[Peer, int]:
        """How many addresses each owner has over all rings."""
        sizes: dict[Peer, int] = {}
        for ring in self._rings.values():
            for run in ring:
                sizes[run.owner] = sizes.get(run.owner, 0) + run.stop - run.start
        return sizes

    def _count(self, ring: RingId, gone: Iterable[Run], fresh: Iterable[Run]) -> None:
        digest = run_digests(ring, self._key)
        self._add(ring, sum(map(digest, fresh)) - sum(map(digest, gone)))

    def _add(self, ring: RingId, weight: int) -> None:
        self._sums[ring] = (self._sums.get(ring, 0) + weight) % TOTALS
        self.fingerprint = (self.fingerprint + weight) % TOTALS

    def _moved(self, before: Ring, won: Iterable[Run]) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
        gained: list[Range] = []
        lost: list[Range] = []
        for run in won:
            was_mine = [
                Range(old.start, old.stop)
                for old in before.within(Range(run.start, run.stop))
                if old.owner == self._me
            ]
            if run.owner == self._me:
                gained += subtract([Range(run.start, run.stop)], was_mine)
            else:
                lost += was_mine
        return tuple(gained), tuple(lost)


def _weightless(_run: Run) -> int:
    """The digests of a ring without runs."""
    return 0


def together(*persists: Persist | None) -> Persist:
    """One write of several, in their order, as durable as the most durable of them."""
    made = [one for one in persists if one is not None]
    put: list[Record] = []
    for one in made:
        if put and one.delete:  # of one write what it deletes goes before what it puts
            put = [record for record in put if record.record_key not in one.delete]
        put += one.put
    return Persist(
        tuple(put),
        tuple(key for one in made for key in one.delete),
        max(one.durability for one in made),
    )
