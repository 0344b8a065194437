"""
Adoption: what is leased here and owned by another is offered to that owner, who keeps it for its user.

The holder offers until the owner has it on stable storage, and again when the owner is another one.  It says
so when the addresses are released, but no loan ends by that alone: the owner asks back, as it also does now
and then unasked, so that neither a lost message nor a late one frees an address that is in use or keeps one
that is not.  Only the very life that holds a loan can say that it holds it no more.  A later life may have
lost its disk, and not know: if it has kept its leases it offers them itself, else the loan stays until a
decision removes the life that held it.

Where the owner has given the same address to another key it is in use twice; both sides report it, and list
it until one of the two keys is released.

Does not know how an address became foreign.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ring.address import format_range
from ring.ring import Peer
from weaveipam.allocation.donors import Neighbours, as_life
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.lending import lend, take_back
from weaveipam.allocation.loans import LOANS_MAX
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.effects import Level, Report
from weaveipam.protocol.messages import Adopt, Adopted, Header, LoanQuery, Returned, Step, Tell, Twice
from weaveipam.protocol.records import Lent, RecordKey
from weaveipam.protocol.values import Endpoint, Loan

REPEAT_DOUBLINGS_MAX = 5
TOLD_MAX = 64
"""Loans in one message: some 5 KiB with the keys of pods; what is more follows in others."""


@dataclass(slots=True)
class _Check:
    """When the holder of a loan is asked whether it still holds it."""

    at: float
    pause_s: float
    query: int = 0
    """The last one; 0: none yet."""


class Adoption:
    """One node as holder of others' addresses, and as owner of what others hold."""

    def __init__(
        self, me: Peer, settings: AllocationSettings, neighbours: Neighbours, rng: Random, holdings: Holdings
    ) -> None:
        self._me = me
        self._settings = settings
        self._neighbours = neighbours
        self._rng = rng
        self._holdings = holdings
        self._adopted: dict[Loan, Peer] = {}
        """Foreign addresses that an owner keeps for their users, and which owner."""
        self._twice: dict[Loan, Twice] = {}
        """Foreign addresses that their owner has given to somebody else."""
        self._offered: dict[tuple[Loan, Peer], None] = {}
        """What was offered last, and to whom."""
        self._offer_at = math.inf
        self._offer_pause_s = settings.repeat_s
        self._checks: dict[RecordKey, _Check] = {}
        self._check_at = math.inf
        """No check is due before; asked after every packet, so it is kept."""

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `wake` has something to do."""
        if self._holdings.foreign.moved or self._holdings.foreign.returned:
            return -math.inf
        return min(self._offer_at, self._check_at)

    def begin(self, now: float) -> None:
        """Loans that the disk remembers are asked about soon: much may have happened since."""
        for lent in self._holdings.loans:
            self._watch(lent, now)

    def hear(self, header: Header, message: Adopt | Adopted | LoanQuery | Returned, now: float) -> list[Step]:
        """What a peer says of foreign addresses."""
        match message:
            case Adopt():
                return self._asked_to_adopt(header, message, now)
            case Adopted():
                return self._hear_adopted(header, message)
            case LoanQuery():
                return self._answer_query(header, message)
            case Returned():
                return self._hear_returned(header, message, now)

    def wake(self, now: float) -> list[Step]:
        """Offer what nobody keeps, tell what was released, ask who may have released something."""
        steps = self._tell_returned()
        if self._holdings.foreign.moved:
            self._holdings.foreign.moved = False
            if not self._offered.keys() >= set(self._wanted()):
                self._offer_at, self._offer_pause_s = now, self._settings.repeat_s
        if self._offer_at <= now:
            steps += self._offer(now)
        return [*steps, *self._check(now)]

    def is_adopted(self, loan: Loan, owner: Peer) -> bool:
        """Whether the owner of a foreign address keeps it for its user, by what is known here."""
        return self._adopted.get(loan) == owner

    def held_twice(self) -> list[tuple[Loan, Peer, Twice]]:
        """Who holds what, and who else does: as holder by what owners say, as owner by what is lent."""
        found = [(loan, self._me, other) for loan, other in self._twice.items()]
        for lent in self._holdings.loans:
            found += [(lent.loan, lent.holder, other) for other in self._others(lent)]
        return found

    # The holder's side

    def _wanted(self) -> list[tuple[Loan, Peer]]:
        """What is to be offered, and to whom: what no owner keeps, and for news what is in use twice."""
        foreign = self._holdings.foreign.loans(self._holdings.rings)
        there = {loan for loan, _ in foreign}
        self._adopted = {loan: owner for loan, owner in self._adopted.items() if loan in there}
        self._twice = {loan: other for loan, other in self._twice.items() if loan in there}
        return [one for one in foreign if one[0] in self._twice or not self.is_adopted(*one)]

    def _offer(self, now: float) -> list[Step]:
        wanted: dict[Peer, list[Loan]] = {}
        self._offered = dict.fromkeys(self._wanted())
        for loan, owner in self._offered:
            wanted.setdefault(owner, []).append(loan)
        if not wanted:
            self._offer_at = math.inf
            return []
        self._offer_at = now + self._offer_pause_s
        self._offer_pause_s = min(2 * self._offer_pause_s, self._settings.repeat_s * 2**REPEAT_DOUBLINGS_MAX)
        steps: list[Step] = []
        for owner, loans in wanted.items():
            target = self._endpoint(owner)
            steps += [] if target is None else [Tell(target, Adopt(part)) for part in _parts(loans)]
        return steps

    def _hear_adopted(self, header: Header, told: Adopted) -> list[Step]:
        owners = dict(self._holdings.foreign.loans(self._holdings.rings))
        steps: list[Step] = []
        twice = {other.loan: other for other in told.twice}
        for loan in told.loans:
            if owners.get(loan) != header.sender:
                continue
            self._adopted[loan] = header.sender
            before = self._twice.pop(loan, None)
            if loan in twice:
                self._twice[loan] = twice[loan]
                if before is None:
                    steps.append(_report_twice(loan, self._me, twice[loan]))
        return steps

    def _tell_returned(self) -> list[Step]:
        """Once, and without asking whether it arrived: the owner asks by itself in time."""
        told: dict[Peer, list[Loan]] = {}
        for loan in self._holdings.foreign.returned:
            run = self._holdings.rings[loan.ring].at(loan.range.start)
            if run is not None and run.owner != self._me:
                told.setdefault(run.owner, []).append(loan)
            self._twice.pop(loan, None)
            self._adopted.pop(loan, None)
        self._holdings.foreign.returned = []
        return [
            Tell(target, Returned(0, part))
            for owner, loans in told.items()
            if (target := self._endpoint(owner)) is not None
            for part in _parts(loans)
        ]

    def _answer_query(self, header: Header, asked: LoanQuery) -> list[Step]:
        held = [loan for loan in asked.loans if self._holds(loan)]
        gone = [loan for loan in asked.loans if not self._holds(loan)]
        steps: list[Step] = [Tell(header.endpoint, Adopt(tuple(held)))] if held else []
        return [*steps, Tell(header.endpoint, Returned(asked.query, tuple(gone)))] if gone else steps

    def _holds(self, loan: Loan) -> bool:
        held = self._holdings.leases.get(loan.ring.network, loan.key)
        return held is not None and any(
            one.family is loan.ring.family and one.range.meet(loan.range) for one in held.addresses
        )

    # The owner's side

    def _asked_to_adopt(self, header: Header, asked: Adopt, now: float) -> list[Step]:
        member = self._neighbours.get(header.sender.name)
        if member is not None and member.peer > header.sender:
            return []  # late, of a life that is over
        kept = [Lent(loan, header.sender) for loan in asked.loans if self._is_mine(loan)]
        if not kept:
            return []
        fresh = [one for one in kept if self._holdings.loans.get(one) != one]
        if len(self._holdings.loans) + len(fresh) > LOANS_MAX:
            return []
        known = {one.record_key for one in fresh if self._holdings.loans.get(one) is not None}
        steps: list[Step] = [lend(self._holdings, fresh)] if fresh else []
        twice: list[Twice] = []
        for one in kept:
            self._watch(one, now)
            others = self._others(one)
            twice += others[:1]
            if others and one in fresh and one.record_key not in known:
                steps.append(_report_twice(one.loan, one.holder, others[0]))
        answer = Adopted(tuple(one.loan for one in kept), tuple(twice))
        return [*steps, Tell(header.endpoint, answer)]

    def _is_mine(self, loan: Loan) -> bool:
        runs = list(self._holdings.rings[loan.ring].within(loan.range))
        covered = sum(run.stop - run.start for run in runs)
        return covered == loan.range.size and all(run.owner == self._me for run in runs)

    def _others(self, lent: Lent) -> list[Twice]:
        """Who else holds something of a loan."""
        ring, what = lent.loan.ring, lent.loan.range
        found = [Twice(lent.loan, one.key, self._me) for one in self._holdings.leases.loans(ring, what)]
        return found + [
            Twice(lent.loan, one.loan.key, one.holder)
            for one in self._holdings.loans.meeting(ring, what)
            if (one.holder.name, one.loan.key) != (lent.holder.name, lent.loan.key)
        ]

    def _hear_returned(self, header: Header, told: Returned, now: float) -> list[Step]:
        """End the loans of an answer; where nobody asked, ask now."""
        gone = []
        for loan in told.loans:
            lent = self._holdings.loans.get(Lent(loan, header.sender))
            if lent is None or lent.holder != header.sender:
                continue
            check = self._checks.get(lent.record_key)
            if check is not None and told.query and check.query == told.query:
                gone.append(lent)
                del self._checks[lent.record_key]
            elif check is not None and not told.query:
                check.at, check.pause_s = now, self._settings.repeat_s
                self._check_at = now
        return take_back(self._holdings, gone, now)

    def _watch(self, lent: Lent, now: float) -> None:
        """
        Ask about a loan after a while.

        Soon at first, as what asked for it may have been late, and the address released since.
        """
        known = self._checks.get(lent.record_key)
        pause_s = self._settings.repeat_s if known is None else known.pause_s
        later_s = min(2 * pause_s, self._settings.loan_check_s)
        query = 0 if known is None else known.query
        self._checks[lent.record_key] = _Check(now + pause_s, later_s, query)
        self._check_at = min(self._check_at, now + pause_s)

    def _check(self, now: float) -> list[Step]:
        if self._check_at > now:
            return []
        due = [key for key, check in self._checks.items() if check.at <= now]
        query = self._rng.getrandbits(62) + 1
        lent = {one.record_key: one for one in self._holdings.loans}
        asked: dict[Endpoint, list[Loan]] = {}
        others: list[Lent] = []
        for key in due:
            if key not in lent or not self._keeps(lent[key].loan):
                others += [lent[key]] if key in lent else []
                del self._checks[key]  # the address is another's now, who is asked to adopt it
                continue
            check = self._checks[key]
            check.query = query
            check.at = now + check.pause_s
            check.pause_s = min(2 * check.pause_s, self._settings.loan_check_s)
            holder = self._neighbours.get(lent[key].holder.name)
            if holder is not None and holder.present:
                asked.setdefault(holder.endpoint, []).append(lent[key].loan)
        self._check_at = min((check.at for check in self._checks.values()), default=math.inf)
        told = [Tell(target, LoanQuery(query, part)) for target in asked for part in _parts(asked[target])]
        return [*take_back(self._holdings, others, now), *told]

    def _keeps(self, loan: Loan) -> bool:
        """Whether a loan is this node's affair still: it owns it, or has yet to tell its next owner of it."""
        return self._is_mine(loan) or bool(self._holdings.contests.meeting(loan.ring, loan.range))

    def _endpoint(self, peer: Peer) -> Endpoint | None:
        member = as_life(peer, self._neighbours)
        return None if member is None else member.endpoint


def _parts(loans: Sequence[Loan]) -> list[tuple[Loan, ...]]:
    return [tuple(loans[at : at + TOLD_MAX]) for at in range(0, len(loans), TOLD_MAX)]


def _report_twice(loan: Loan, holder: Peer, other: Twice) -> Report:
    text = format_range(loan.ring.family, loan.range)
    detail = (
        f"{text} is in use twice: by key {loan.key} at {holder} and by key {other.key} at {other.holder}; "
        "release one of the two"
    )
    return Report(Level.ERROR, "address-in-use-twice", (("range", text), ("detail", detail)))
