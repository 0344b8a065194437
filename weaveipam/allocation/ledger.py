"""
What one member remembers of decisions, and how it answers those who call for one.

A `Ledger` is a value: each method returns the ledger afterwards, to be on stable storage before the answer
that comes with it is sent.  It is an acceptor of Paxos, for the one decision after those that are complete,
and for electors the roster of everybody whom they have enrolled.

Does not know rings, messages' ways, or time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Self

from ring.ring import Peer
from weaveipam.allocation.extent import given_up, joined
from weaveipam.allocation.rules import RULES, Rules
from weaveipam.protocol.decisions import Ballot, Charter, Span, Vote, first_charter
from weaveipam.protocol.records import Admitted, Chartered, OnRoster, Promised, Record, RecordKey, Voted
from weaveipam.protocol.rollcalls import Accept, Declined, Objection, Prepare
from weaveipam.protocol.values import Birth, Pool


@dataclass(frozen=True, slots=True)
class Ledger:
    """One member's part in decisions."""

    me: Peer
    charter: Charter
    """Of all decisions that are known to be complete."""
    roster: frozenset[Peer] = frozenset()
    """Everybody who may own space, as far as this member was told; those of all electors name them all."""
    admitted: bool = False
    """Whether this member may own space."""
    promised: Ballot | None = None
    """The highest ballot that it takes part in, for the next decision."""
    closed: frozenset[Peer] = frozenset()
    """Who is fenced, though no decision that is complete has removed them."""
    enrolled: bool = False
    """Whether it has enrolled somebody since it promised."""
    vacates: tuple[Span, ...] = ()
    """Addresses of which it hands out none until then, as it has promised."""
    vote: Vote | None = None
    """What it has accepted as the next decision."""

    @classmethod
    def begin(cls, me: Peer, birth: Birth) -> Self:
        """Of a cluster in which nothing was decided yet; its seeds need nobody's leave."""
        return cls(me, first_charter(birth), frozenset(birth.seeds), me in birth.seeds)

    @classmethod
    def restore(cls, me: Peer, birth: Birth, records: Iterable[Record]) -> Self:
        """As the disk remembers it."""
        ledger = cls.begin(me, birth)
        roster = set[Peer]()
        for one in records:
            match one:
                case Chartered(charter):
                    ledger = replace(ledger, charter=charter, roster=frozenset())
                case Admitted():
                    ledger = replace(ledger, admitted=True)
                case OnRoster(peer):
                    roster.add(peer)
                case Promised(ballot, closed, enrolled, vacates):
                    ledger = replace(
                        ledger,
                        promised=ballot,
                        closed=frozenset(closed),
                        enrolled=enrolled,
                        vacates=vacates,
                    )
                case Voted(vote):
                    ledger = replace(ledger, vote=vote)
                case _:
                    pass
        return replace(ledger, roster=ledger.roster.union(roster))

    @property
    def accepted_number(self) -> int:
        """Of the last decision that this member has accepted; it may not be made yet."""
        return self.charter.number + (self.vote is not None)

    @property
    def pools(self) -> tuple[Pool, ...]:
        """Those in force here."""
        return self.charter.pools

    @property
    def withheld(self) -> tuple[Span, ...]:
        """
        Addresses of which it hands out none now: what it has promised so, and what its vote gives up.

        Were those of its vote in use, nobody could tell whether others have all accepted the same.
        """
        if self.vote is None:
            return self.vacates
        after = self.charter.after(self.vote.decree).pools
        return joined((*self.vacates, *given_up(self.charter.pools, after)))

    @property
    def electors(self) -> frozenset[Peer]:
        """Who enrols newcomers."""
        return frozenset(self.charter.electors)

    # Paxos

    def promise(
        self, asked: Prepare, heard: Collection[Peer], rules: Rules = RULES
    ) -> tuple[Ledger, Declined | None]:
        """
        Take part in a ballot, or say why not.

        Args:
            asked: The call.
            heard: Which of the fenced have spoken to this member within the time of a suspicion.
            rules: Those in force.
        """
        declined = self._wrong_number(asked.number, asked.ballot)
        if declined is not None:
            return self, declined
        if not self.closed.issubset(asked.fenced):
            return self, self._declined(asked, Objection.CLOSED)
        if self.promised is not None and asked.ballot < self.promised:
            return self, self._declined(asked, Objection.BALLOT)
        heard = [one for one in heard if rules.objects([one], forced=one in asked.forced)]
        if heard:
            return self, Declined(
                asked.number, asked.ballot, Objection.HEARD, self.promised, tuple(sorted(heard))
            )
        closed = self.closed.union(asked.fenced)
        same = asked.ballot == self.promised
        enrolled = self.enrolled and same  # an answer may be late, and not count
        vacates = asked.vacates
        if self.vacates and rules.keeps_back(same_ballot=same):
            vacates = joined((*self.vacates, *vacates))
        after = replace(self, promised=asked.ballot, closed=closed, enrolled=enrolled, vacates=vacates)
        return after, None

    def accept(self, asked: Accept, rules: Rules = RULES) -> tuple[Ledger, Declined | None]:
        """Accept a decree, or say why not."""
        declined = self._wrong_number(asked.number, asked.ballot)
        if declined is not None:
            return self, declined
        if asked.ballot != self.promised:  # no member that was not asked before has a say in what was agreed
            return self, self._declined(asked, Objection.BALLOT)
        if not rules.answer_stands(enrolled=self.enrolled):
            return self, self._declined(asked, Objection.ENROLLED)
        roster = self.roster.union(asked.roster) if asked.roster else self.roster
        return replace(self, vote=Vote(asked.ballot, asked.decree), roster=roster), None

    def complete(self) -> Ledger:
        """
        What this member has accepted is decided.

        Invariant: it has accepted something.
        """
        assert self.vote is not None, "nobody who is not fenced was passed over"
        decree = self.vote.decree
        charter = self.charter.after(decree)
        return replace(
            self,
            charter=charter,
            roster=self.roster.difference(decree.victims),
            admitted=True,  # who has accepted was on a roster, and so is on those of all electors now
            promised=None,
            closed=self.closed.difference(decree.victims),
            enrolled=False,
            vacates=(),
            vote=None,
        )

    def adopt(self, charter: Charter) -> Ledger:
        """Begin where the cluster is: of one who took no part in what was decided before it came."""
        removed = {one.peer for one in charter.removed}
        return replace(
            self,
            charter=charter,
            roster=frozenset(),
            promised=None,
            closed=self.closed - removed,
            enrolled=False,
            vacates=(),
            vote=None,
        )

    # Admission

    def enrol(self, newcomer: Peer, rules: Rules = RULES) -> tuple[Ledger, bool]:
        """Put a newcomer on the roster, and say whether it is there."""
        if self.me not in self.charter.electors or newcomer in self.closed:
            return self, False
        if newcomer in self.roster:
            return self, True
        if not rules.enrols(self.vote):
            return self, False
        return replace(self, roster=self.roster | {newcomer}, enrolled=self.promised is not None), True

    def admit(self) -> Ledger:
        """This member may own space."""
        return replace(self, admitted=True)

    # Disk

    def records_since(self, before: Ledger) -> tuple[list[Record], list[RecordKey]]:
        """What to put and what to delete, for a disk that remembers the ledger before."""
        first = self.charter.number > 0 == before.charter.number  # until then the seeds follow from the birth
        known = frozenset[Peer]() if first else before.roster
        put: list[Record] = [OnRoster(one) for one in sorted(self.roster - known)]
        delete = [OnRoster(one).record_key for one in sorted(before.roster - self.roster)]
        if self.charter != before.charter:
            put.append(Chartered(self.charter))
        if self.admitted and not before.admitted:
            put.append(Admitted(self.charter.number))
        promised, was = (
            Promised(one.promised, tuple(sorted(one.closed)), one.enrolled, one.vacates)
            for one in (self, before)
        )
        if promised != was:
            put.append(promised)
        if self.vote != before.vote:
            if self.vote is not None:
                put.append(Voted(self.vote))
            elif before.vote is not None:
                delete.append(Voted(before.vote).record_key)
        return put, delete

    def of_this_life(self) -> tuple[RecordKey, ...]:
        """The records that another life of the same daemon must not find."""
        keys = [OnRoster(one).record_key for one in sorted(self.roster)]
        vote = () if self.vote is None else (Voted(self.vote).record_key,)
        promised = Promised(None, (), enrolled=False).record_key
        return (*keys, *vote, promised, Admitted(0).record_key)

    def _wrong_number(self, number: int, ballot: Ballot) -> Declined | None:
        if number == self.charter.number + 1:
            return None
        why = Objection.DECIDED if number <= self.charter.number else Objection.UNKNOWN
        return Declined(number, ballot, why, None, ())

    def _declined(self, asked: Prepare | Accept, why: Objection) -> Declined:
        return Declined(asked.number, asked.ballot, why, self.promised, tuple(sorted(self.closed)))
