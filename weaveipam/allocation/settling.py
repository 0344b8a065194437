"""
Settling contests: two peers own a range with one token, and somebody has to decide who keeps it.

Until then both tell each other what they claim and what they have leased there; neither hands any of it out.
Who loses by the ring's order of equal statements always hears of the other one, but not the other way round:
so it is told, and its statement is the evidence.

Whoever is asked decides on either of the two sides.  First the side that does not keep the range gives it up,
durably: it remembers that it has, and if the ring names it as owner it grants the range to the other.  Only
then, and with the list of what is leased there by the giver, does the keeper take those addresses out of what
is free, write a statement above all that was contested, and hand out the rest.  Every step is repeated until
the other side answers; where both sides decide against each other, the ring's owner has its way.

Does not know why there are contests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from ring.address import Range, format_range
from ring.changes import grant
from ring.ring import Peer, Ring
from weaveipam.allocation.contests import parted
from weaveipam.allocation.donors import Neighbours, as_life
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.lending import lend
from weaveipam.allocation.rings import together
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.effects import Durability, Level, Persist, Reply, Report
from weaveipam.protocol.findings import Resolution
from weaveipam.protocol.messages import Contest, Header, Ownership, Publish, Step, Tell
from weaveipam.protocol.records import Frozen, Lent, RecordKey
from weaveipam.protocol.requests import Reason, Refusal, ResolveConflict
from weaveipam.protocol.values import ContestStage, Endpoint, Loan, RingId

Learn: TypeAlias = Callable[[Ownership, float], list[Step]]

REPEAT_DOUBLINGS_MAX = 6
TOLD_MAX = 16
"""Contests that are told at once; the others have their turn."""


class Settling:
    """One node's part in bringing contests to an end."""

    def __init__(
        self, me: Peer, settings: AllocationSettings, neighbours: Neighbours, holdings: Holdings, learn: Learn
    ) -> None:
        """`learn` merges what a peer states, as if it had come alone."""
        self._learn = learn
        self._me = me
        self._settings = settings
        self._neighbours = neighbours
        self._holdings = holdings
        self._told: dict[RecordKey, tuple[Lent, ...]] = {}
        """What the others say that they have leased in contested ranges."""
        self._wake_at = math.inf
        self._pause_s = settings.repeat_s
        self._turn = 0

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `wake` has something to do."""
        return self._wake_at if self._holdings.contests else math.inf

    def begin(self, now: float) -> None:
        """There are contests that nobody has been told of."""
        self._wake_at, self._pause_s = now, self._settings.repeat_s

    def told(self, one: Frozen) -> tuple[Lent, ...] | None:
        """What the other side has leased there, as far as it has said; None: it has not."""
        return self._told.get(one.record_key)

    def held_here(self, one: Frozen) -> tuple[Lent, ...]:
        """What keys hold there, at this node and where it has lent it to, but for the other side itself."""
        here = [Lent(loan, self._me) for loan in self._holdings.leases.loans(one.ring, one.range)]
        lent = self._holdings.loans.meeting(one.ring, one.range)
        return (*here, *(each for each in lent if each.holder != one.other))

    def wake(self, now: float) -> list[Step]:
        """Tell the others where this node stands."""
        if self._wake_at > now:
            return []
        contests = list(self._holdings.contests)
        known = {one.record_key for one in contests}
        self._told = {key: told for key, told in self._told.items() if key in known}
        self._wake_at = now + self._pause_s
        self._pause_s = min(2 * self._pause_s, self._settings.repeat_s * 2**REPEAT_DOUBLINGS_MAX)
        first = self._turn % max(len(contests), 1)
        self._turn = first + TOLD_MAX
        chosen = (contests[first:] + contests[:first])[:TOLD_MAX]
        return [step for one in chosen for step in self._tell(one, asks=True)]

    # Deciding

    def resolve(self, request_id: int, request: ResolveConflict, now: float) -> list[Step]:
        """Decide who keeps what is contested of a range; deciding the same again changes nothing."""
        ring = RingId(request.network, request.family)
        found = self._holdings.contests.meeting(ring, request.range)
        text = format_range(ring.family, request.range)
        if not found:
            owners = {run.owner.name for run in self._holdings.rings[ring].within(request.range)}
            if owners == {request.owner}:
                settled = Resolution(f"nothing of {text} is contested here; it is {request.owner}'s")
                return [Reply(request_id, settled)]
            detail = f"nothing of {text} is contested here; weaveipam conflicts says what is"
            return [Reply(request_id, Refusal(Reason.NOT_FOUND, detail))]
        names = {self._me.name, *(one.other.name for one in found if one.other is not None)}
        if request.owner not in names or len(names) > 2:  # noqa: PLR2004  # sides
            who = " and ".join(sorted(names))
            detail = f"{text} is contested between {who}; name one of these, for ranges of two owners"
            return [Reply(request_id, Refusal(Reason.INVALID, detail))]
        others = [one for one in found if one.other is not None]
        if len(others) < len(found):
            detail = "it is not known who else claims it, as an older release noticed the conflict"
            return [Reply(request_id, Refusal(Reason.CONFLICT, detail))]
        steps = self._decide(others, request, now)
        return [*steps, Reply(request_id, Resolution(self._outlook(others, request.owner)))]

    def _decide(self, found: Sequence[Frozen], request: ResolveConflict, now: float) -> list[Step]:
        steps: list[Step] = []
        keeps = request.owner == self._me.name
        for one in found:
            inside, outside = parted(one, request.range)
            if inside is None or not self._holdings.contests.holds(one):
                continue  # ended by what came of the one before
            if one.stage is ContestStage.YIELDED or (keeps and one.stage is ContestStage.KEEPING):
                continue  # decided before; and what was given up is not taken back
            if keeps:
                steps += self._restage(one, inside, outside, ContestStage.KEEPING, now)
            else:
                steps += self._yield(one, inside, outside, now)
        return steps

    def _outlook(self, found: Sequence[Frozen], owner: str) -> str:
        other = next(one.other for one in found if one.other is not None)
        member = as_life(other, self._neighbours)
        there = member is not None and member.present
        given = any(
            one.stage is ContestStage.YIELDED
            for old in found
            for one in self._holdings.contests.meeting(old.ring, old.range, other)
        )
        if owner == self._me.name and given:
            return f"{self._me.name} has given it up before, so {other.name} keeps it"
        if owner == self._me.name:
            what = f"{owner} keeps it as soon as {other.name} has given it up"
        else:
            what = f"{self._me.name} has given it up; {owner} has it as soon as it hears of that"
        if there:
            return f"{what}; {other.name} is being told"
        return (
            f"{what}, but {other} cannot be reached: it is told when it is back; if it is gone for ever, "
            f"remove it from the cluster"
        )

    def _restage(
        self, one: Frozen, inside: Frozen, outside: Sequence[Frozen], stage: ContestStage, now: float
    ) -> list[Step]:
        persist = self._replaced(one, [_at(inside, stage), *outside])
        self.begin(now)
        return [persist]

    def _replaced(self, one: Frozen, by: Sequence[Frozen]) -> Persist:
        """Records that take a contest's place; what the other side has told goes on to those."""
        told = self._told.pop(one.record_key, None)
        self._holdings.contests.change(by, [one])
        for piece in by if told is not None else ():
            self._told[piece.record_key] = tuple(
                lent for lent in told or () if lent.loan.range.meet(piece.range)
            )
        kept = {piece.record_key for piece in by}
        gone = () if one.record_key in kept else (one.record_key,)
        return Persist(tuple(by), gone, Durability.HOST)

    # What the other side says

    def hear(self, header: Header, told: Contest, now: float) -> list[Step]:
        """Where a peer stands."""
        said = Ownership(told.ring, told.runs)
        steps = self._learn(said, now)
        if self._holdings.checked(said) is None:
            return steps
        found = self._holdings.contests.meeting(told.ring, told.range, header.sender)
        if not found and told.stage is not ContestStage.SETTLED:
            return [*steps, self._settled(header.endpoint, told.ring, told.range)]
        for one in found:
            inside, outside = parted(one, told.range)
            if inside is None or not self._holdings.contests.holds(one):
                continue  # ended by what came of the one before
            steps += self._answer(header, told, one, inside, outside, now)
        return steps

    def _answer(
        self,
        header: Header,
        told: Contest,
        one: Frozen,
        inside: Frozen,
        outside: Sequence[Frozen],
        now: float,
    ) -> list[Step]:
        before = (lent for lent in self._told.get(one.record_key, ()) if not lent.loan.range.meet(told.range))
        self._told[one.record_key] = (*before, *told.leases)
        mine = self._owns(inside)
        match told.stage:
            case ContestStage.SETTLED if not self._is_settled(told, inside):
                return []
            case ContestStage.SETTLED if one.stage is ContestStage.YIELDED:
                return [self._replaced(one, outside)]
            case ContestStage.YIELDED | ContestStage.SETTLED if mine:
                return self._keep(header.endpoint, one, inside, outside, told.leases, now)
            case ContestStage.KEEPING if one.stage is ContestStage.OPEN or (
                one.stage is ContestStage.KEEPING and not mine
            ):
                return self._yield(one, inside, outside, now)
            case _:
                return self._tell(one, asks=False, target=header.endpoint) if told.asks else []

    def _is_settled(self, told: Contest, one: Frozen) -> bool:
        """
        Whether a peer for which nothing is contested says so of now: its ring is above both claims.

        Unless this node has given its claim up, the peer must know this node's own statement: it does where
        this node has ended a contest with a third one, so that it alone remembers the peer's claim.
        """
        theirs = tuple(Ring.of(told.runs).within(one.range))
        above = one.mine is not None and all(run.token > one.mine.token for run in theirs)
        heard = theirs == tuple(self._holdings.rings[one.ring].within(one.range))
        return bool(theirs) and above and (heard or one.stage is ContestStage.YIELDED)

    def _owns(self, one: Frozen) -> bool:
        """Whether the ring says, of every address, that it is this node's."""
        return all(run.owner == self._me for run in self._holdings.rings[one.ring].within(one.range))

    def _yield(self, one: Frozen, inside: Frozen, outside: Sequence[Frozen], now: float) -> list[Step]:
        """Give up a claim: from now on nothing of it is this node's, whatever comes."""
        assert one.other is not None, "only who is known can be told"
        given = _at(inside, ContestStage.YIELDED)
        persist = self._replaced(one, [given, *outside])
        rings, what = self._holdings.rings, inside.range
        mine = [Range(run.start, run.stop) for run in rings[one.ring].within(what) if run.owner == self._me]
        granted = [run for piece in mine for run in grant(rings[one.ring], piece, self._me, one.other)]
        change = self._holdings.merge(one.ring, Ring.of(granted))
        self.begin(now)
        text = format_range(one.ring.family, what)
        report = Report(Level.INFO, "conflict-yielded", (("range", text), ("peer", str(one.other))))
        publish = [Publish(Ownership(one.ring, change.won))] if change.won else []
        return [together(persist, change.persist), report, *publish, *self._tell(given, asks=True)]

    def _keep(
        self,
        target: Endpoint,
        one: Frozen,
        inside: Frozen,
        outside: Sequence[Frozen],
        leases: Sequence[Lent],
        now: float,
    ) -> list[Step]:
        """Own it alone: the other side has given it up, and says what it has leased there."""
        assert one.other is not None, "somebody has given it up"
        ring, what = one.ring, inside.range
        ended = self._replaced(one, outside)
        lent = [
            Lent(Loan(ring, both, held.loan.key), held.holder)
            for held in leases
            if held.loan.ring == ring and (both := held.loan.range.meet(what)) and held.holder != self._me
        ]
        kept = lend(self._holdings, lent)
        raised = self._holdings.merge(ring, grant(self._holdings.rings[ring], what, self._me, self._me))
        self._holdings.let_rest(ring, what, now, withheld=True)
        text = format_range(ring.family, what)
        return [
            together(ended, kept, raised.persist, self._holdings.note_rests()),
            Report(Level.INFO, "conflict-resolved", (("range", text), ("peer", str(one.other)))),
            Publish(Ownership(ring, raised.won)),
            self._settled(target, ring, what),
        ]

    # Telling

    def _settled(self, target: Endpoint, ring: RingId, what: Range) -> Step:
        runs = tuple(self._holdings.rings[ring].within(what))
        here = tuple(Lent(loan, self._me) for loan in self._holdings.leases.loans(ring, what))
        return Tell(target, Contest(ring, what, ContestStage.SETTLED, False, runs, here))

    def _tell(self, one: Frozen, *, asks: bool, target: Endpoint | None = None) -> list[Step]:
        if one.other is None or one.mine is None:
            return []
        if target is None:
            member = as_life(one.other, self._neighbours)
            target = None if member is None else member.endpoint
        if target is None:
            return []
        given = one.stage is ContestStage.YIELDED
        runs = tuple(self._holdings.rings[one.ring].within(one.range)) if given else (one.mine,)
        return [Tell(target, Contest(one.ring, one.range, one.stage, asks, runs, self.held_here(one)))]


def _at(one: Frozen, stage: ContestStage) -> Frozen:
    return Frozen(one.ring, one.range, one.mine, one.theirs, stage)
