"""
The ranges that two peers own with one token, as far as this node is one of the two.

By the rules there are none.  They come about where a disk went back in time and its daemon granted again what
it had granted before; from then on two peers believe the same, each with a statement as good as the other's.
Does not know what is free or in use, nor how the two come to one opinion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ring.address import Range, format_range, meeting, subtract, union
from ring.merge import Conflict
from ring.ring import Peer, Run
from weaveipam.protocol.effects import Level, Report
from weaveipam.protocol.records import Frozen, RecordKey
from weaveipam.protocol.values import ContestStage, RingId

TOLD_MAX = 100
"""Conflicts of others that are remembered, so that each is reported once."""


class Contests:
    """The contested ranges of one node; of each other peer they are disjoint."""

    def __init__(self) -> None:
        self._held: dict[RecordKey, Frozen] = {}
        self._ranges: dict[RingId, tuple[Range, ...]] = {}
        self._told: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Frozen]:
        """By ring, address and the other's name."""
        return iter([self._held[key] for key in sorted(self._held)])

    def holds(self, one: Frozen) -> bool:
        """Whether it is there, and as it was."""
        return self._held.get(one.record_key) == one

    def ranges(self, ring: RingId) -> tuple[Range, ...]:
        """All that is contested of a ring; sorted, disjoint."""
        return self._ranges.get(ring, ())

    def meeting(self, ring: RingId, what: Range, other: Peer | None = None) -> list[Frozen]:
        """Those that share an address with `what`; only those with `other`, if one is named."""
        if not meeting(self.ranges(ring), what):
            return []
        return [
            one
            for one in self._held.values()
            if one.ring == ring and one.range.meet(what) and other in {None, one.other}
        ]

    def found(self, ring: RingId, conflicts: Iterable[Conflict], me: Peer) -> list[Frozen]:
        """What of the conflicts of a merge is contested with this node, and not known to be; not added."""
        fresh: list[Frozen] = []
        for one in conflicts:
            if me not in (one.mine.owner, one.theirs.owner):
                continue
            mine, theirs = (one.mine, one.theirs) if one.mine.owner == me else (one.theirs, one.mine)
            what = Range(mine.start, mine.stop)
            known = [
                held.range
                for held in (*self.meeting(ring, what), *fresh)
                if held.other in {None, theirs.owner}
            ]
            fresh += [
                Frozen(ring, piece, _clipped(mine, piece), _clipped(theirs, piece))
                for piece in subtract([what], known)
            ]
        return fresh

    def reports(self, ring: RingId, conflict: Conflict, fresh: Iterable[Frozen], me: Peer) -> list[Report]:
        """A report of a conflict with this node that is fresh, or the first one of a conflict of others."""
        what = Range(conflict.mine.start, conflict.mine.stop)
        text = format_range(ring.family, what)
        owners = sorted(str(one) for one in (conflict.mine.owner, conflict.theirs.owner))
        sentence = f"{text} has two owners with one token: {owners[0]} and {owners[1]}"
        if me in (conflict.mine.owner, conflict.theirs.owner):
            news = any(one.range.meet(what) for one in fresh)
        else:
            news = sentence not in self._told and len(self._told) < TOLD_MAX
            self._told |= {sentence: None} if news else {}
        fields = (("range", text), ("detail", sentence))
        return [Report(Level.ERROR, "two-owners", fields)] if news else []

    def overruled(
        self, ring: RingId, won: Sequence[Run], me: Peer
    ) -> tuple[list[Frozen], list[RecordKey], list[Range]]:
        """End what new statements have ended: records to put and to delete, and the ranges; see `is_over`."""
        if not won or not self.ranges(ring):
            return [], [], []
        freed: list[Range] = []
        before = dict(self._held)
        for run in won:
            what = Range(run.start, run.stop)
            for one in self.meeting(ring, what):
                inside, outside = parted(one, what)
                if inside is not None and is_over(one, run, me):
                    self.change(outside, [one])
                    freed.append(inside.range)
        put = [one for key, one in self._held.items() if key not in before]
        return put, [key for key in before if key not in self._held], freed

    def change(self, put: Iterable[Frozen], gone: Iterable[Frozen]) -> None:
        """Forget some and remember others, as their records are on disk from now on."""
        touched: dict[RingId, None] = {}
        for one in gone:
            self._held.pop(one.record_key, None)
            touched[one.ring] = None
        for one in put:
            self._held[one.record_key] = one
            touched[one.ring] = None
        for ring in touched:
            self._ranges[ring] = union(one.range for one in self._held.values() if one.ring == ring)


def parted(one: Frozen, what: Range) -> tuple[Frozen | None, list[Frozen]]:
    """The part of a contested range that is in `what`, and the parts that are not."""
    inside = one.range.meet(what)
    outside = subtract([one.range], [what])
    return (None if inside is None else _part(one, inside)), [_part(one, piece) for piece in outside]


def is_over(one: Frozen, run: Run, me: Peer) -> bool:
    """
    Whether a statement on (some of) a contested range means that nothing is contested there any more.

    A decision overrules both sides, and where a third owns it, neither has anything to give.  But what the
    other side gives up here in this node's favour stays frozen until it has told what it had leased there.
    """
    if one.mine is None or one.theirs is None:
        return False
    token = one.mine.token
    if run.token.generation > token.generation:
        return True
    if run.token <= token:
        return False
    if one.stage is ContestStage.YIELDED:
        return run.author == one.theirs.owner
    return run.owner != me


def _part(one: Frozen, what: Range) -> Frozen:
    mine = None if one.mine is None else _clipped(one.mine, what)
    theirs = None if one.theirs is None else _clipped(one.theirs, what)
    return replace(one, range=what, mine=mine, theirs=theirs)


def _clipped(run: Run, what: Range) -> Run:
    return run.clipped(what.start, what.stop)
