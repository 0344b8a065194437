"""
One attempt to decide: what its proposer has heard, and what follows from it.

A `Campaign` is a value: each method returns the campaign afterwards.  It is a proposer of Paxos, whose quorum
is everybody who is on any roster and not fenced.

Does not know messages' ways, time, or disks: it may be forgotten at any moment, and another begun.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self, TypeAlias

from ring.address import Range, subtract, union
from ring.changes import take_over
from ring.merge import merge
from ring.ring import EMPTY, TOTALS, Peer, Ring, Run, Token
from weaveipam.allocation.extent import given_up, joined, unsaid
from weaveipam.allocation.ledger import Ledger
from weaveipam.allocation.rules import RULES, Rules
from weaveipam.protocol.decisions import ELECTORS_MAX, Ballot, Decree, Span, Statements, Vote
from weaveipam.protocol.rollcalls import Accept, Prepare, Promise, Use
from weaveipam.protocol.values import Pool, RingId

Known: TypeAlias = Mapping[RingId, Ring]
"""Rings by id; only those of which anything is known need be there."""

Weigh: TypeAlias = Callable[[Statements], int]
"""A keyed digest of statements, 64 bits: the sum of those of their runs."""

USES_MAX = 20
"""Addresses in use that one answer names: enough to say why a range is not given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an operator, or the cluster's own housekeeping, wants to be decided."""

    victims: frozenset[Peer] = frozenset()
    forced: frozenset[Peer] = frozenset()
    """Of the victims those on whom an operator insists although they were heard of lately."""
    survivors: frozenset[str] | None = None
    """Everybody else who is there, by name, if an operator affirms it."""
    retired: frozenset[Peer] = frozenset()
    """Who is to be no elector any more."""
    put: tuple[Pool, ...] = ()
    drop: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    close: tuple[str, ...] = ()
    founds: tuple[Span, ...] = ()
    """Addresses that belong to a pool for the first time."""
    vacates: tuple[Span, ...] = ()
    """Addresses that are to belong to none."""

    @property
    def changes(self) -> bool:
        """Whether pools or networks are to change."""
        return bool(self.put or self.drop or self.open or self.close)

    def is_made_by(self, decree: Decree | None) -> bool:
        """Whether pools or networks are to change, and a decree changes them so."""
        if decree is None or not self.changes:
            return False
        made = (decree.put, decree.drop, decree.open, decree.close)
        return (self.put, self.drop, self.open, self.close) == made


def concerning(known: Known, fenced: Collection[Peer], spans: Iterable[Span]) -> tuple[Statements, ...]:
    """
    All that is known of some addresses, and of those that the fenced own or have said anything of.

    Cost: linear in the runs of all rings.
    """
    asked = {span.ring: span.ranges for span in spans}
    told = []
    for ring in sorted(asked.keys() | known.keys()):
        runs = known.get(ring, EMPTY)
        theirs = [Range(run.start, run.stop) for run in runs if run.owner in fenced or run.author in fenced]
        parts = union((*asked.get(ring, ()), *theirs))
        said = tuple(run for part in parts for run in runs.within(part))
        if said:
            told.append(Statements(ring, said))
    return tuple(told)


def answered(ledger: Ledger, known: Known, asked: Prepare, weigh: Weigh, uses: Iterable[Use] = ()) -> Promise:
    """What a member says that has promised, with all that it knows of what is asked."""
    told = concerning(known, asked.fenced, asked.spans)
    same = sum(map(weigh, told)) % TOTALS == asked.digest
    elector = ledger.me in ledger.charter.electors
    return Promise(
        asked.number,
        asked.ballot,
        asked.asked,
        same,
        () if same else told,
        ledger.vote,
        tuple(sorted(ledger.roster)) if elector else (),
        tuple(uses)[:USES_MAX],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One ballot, from its proposer's side."""

    ledger: Ledger
    """Of the proposer, when the ballot began."""
    wanted: Wanted
    ballot: Ballot
    fenced: frozenset[Peer]
    """Fixed for this ballot."""
    known: dict[RingId, Ring]
    """All that any answer said of what concerns the fenced."""
    spans: tuple[Span, ...]
    """What they own of that, or somebody who was removed before; and of what the proposer knows no owner."""
    needed: frozenset[Peer]
    """Whose answers are needed."""
    asked: int = 1
    promised: frozenset[Peer] = frozenset()
    """Who has answered as often as it was asked."""
    differs: bool = False
    """Whether any answer said what the proposer did not know."""
    votes: tuple[Vote, ...] = ()
    vacates: tuple[Span, ...] = ()
    """Addresses that whoever promises hands out no more."""
    free: bool = False
    """Whether none of the votes can have been decided."""
    uses: dict[Peer, tuple[Use, ...]] = field(default_factory=dict)
    decree: Decree | None = None
    """What everybody is asked to accept; None while promises are awaited."""
    accepted: frozenset[Peer] = frozenset()

    @classmethod
    def begin(
        cls, ledger: Ledger, known: Known, wanted: Wanted, ballot_round: int, more: Collection[Peer] = ()
    ) -> Self:
        """
        A new ballot.

        Args:
            ledger: The proposer's; its next ledger is what `ledger.promise` makes of `prepare()`.
            known: The proposer's rings.
            wanted: What to decide, if nothing else was accepted before.
            ballot_round: Above that of every ballot that the proposer has promised, and its own earlier ones.
            more: Others who are fenced, as it was told.
        """
        fenced = wanted.victims.union(ledger.closed, more)
        over = fenced.union(one.peer for one in ledger.charter.removed)
        told = concerning(known, fenced, _owned(known, over))
        mine = {one.ring: Ring.of(one.runs) for one in told}
        return cls(
            ledger=ledger,
            wanted=wanted,
            ballot=Ballot(len(fenced), ballot_round, ledger.me),
            fenced=fenced,
            known=mine,
            spans=joined((*_owned(mine, over), *unsaid(ledger.pools, known))),
            vacates=wanted.vacates,
            needed=ledger.roster.union(ledger.electors, (ledger.me,)) - fenced,
        )

    def with_survivors(self, lives: Iterable[Peer]) -> Campaign:
        """
        The same ballot, to ask those too whom an operator has named and no roster may know any more.

        But none that was removed: it takes a call for the next decision as word that what it has accepted was
        decided, though others may have decided something else without it.
        """
        return replace(self, needed=self.needed.union(lives) - self.over)

    @property
    def number(self) -> int:
        """Of the decision."""
        return self.ledger.charter.number + 1

    @property
    def over(self) -> frozenset[Peer]:
        """
        Whose addresses are taken: of all who are fenced, and of who was removed before.

        Who came after a removal may not have heard who has got those addresses; where nobody has who is left,
        they are taken once more.
        """
        return self.fenced.union(one.peer for one in self.ledger.charter.removed)

    def prepare(self, weigh: Weigh) -> Prepare:
        """The call, as it is to be made now."""
        told = concerning(self.known, self.fenced, self.spans)
        return Prepare(
            self.number,
            self.ballot,
            tuple(sorted(self.fenced)),
            self.asked,
            self.spans,
            sum(map(weigh, told)) % TOTALS,
            tuple(sorted(self.wanted.forced)),
            self.vacates,
        )

    def heard(self, member: Peer, told: Promise) -> Campaign:
        """Count an answer; what it knows is merged before it counts."""
        if (told.number, told.ballot, told.asked) != (self.number, self.ballot, self.asked) or self.decree:
            return self
        known = dict(self.known)
        for one in told.statements:
            known[one.ring] = merge(known.get(one.ring, EMPTY), Ring.of(one.runs)).ring
        return replace(
            self,
            known=known,
            needed=self.needed.union(told.roster) - self.fenced,
            promised=self.promised | {member},
            differs=self.differs or not told.same,
            votes=self.votes if told.vote is None else (*self.votes, told.vote),
            uses=self.uses if not told.uses else {**self.uses, member: told.uses},
        )

    @property
    def awaited(self) -> frozenset[Peer]:
        """Whose answers are missing."""
        return self.needed - (self.promised if self.decree is None else self.accepted)

    def agreed(self, rules: Rules = RULES) -> bool:
        """Whether everybody has promised whose promise is needed."""
        return self.decree is None and rules.enough(self.needed, self.promised)

    def unaffirmed(self, rules: Rules = RULES) -> str:
        """Why an operator must say who survives, in a sentence; empty if there is no need, or it was said."""
        electorates = [self.ledger.charter.electors, *(one.decree.electors for one in self.votes)]
        if all(rules.affirmed(self.fenced, one) for one in electorates):
            return ""
        here = {one.name for one in self.needed}
        if self.wanted.survivors is None:
            return unaffirmed(here)
        if self.wanted.survivors != here:
            odd = self.wanted.survivors ^ here
            return f"the survivors named are not those who are known; look at {_named(odd)}"
        return ""

    def wider(self) -> Campaign | None:
        """The same ballot, to ask all again, as the fenced own more than was asked about; None if not so."""
        spans = _owned(self.known, self.over)
        before = {one.ring: one.ranges for one in self.spans}
        if all(not subtract(one.ranges, before.get(one.ring, ())) for one in spans):
            return None
        return replace(
            self,
            spans=joined((*self.spans, *spans)),
            asked=self.asked + 1,
            promised=frozenset(),
            differs=False,
        )

    def bound(self, rules: Rules = RULES) -> Campaign | None:
        """
        The same ballot, to ask all again, as what is to be decided gives up other addresses; None if not so.

        That is so where a decree was accepted before that changes other pools: its ballot kept addresses from
        being handed out, and this one has not.
        """
        vote = self._vote(rules)
        vacates = self.wanted.vacates
        if vote is not None:
            vacates = given_up(self.ledger.pools, self.ledger.charter.after(vote.decree).pools)
        same = rules.same_vacated(self.vacates, vacates)
        return None if same else replace(self.again(), vacates=vacates)

    def unbound(self, rules: Rules = RULES) -> Campaign | None:
        """
        The same ballot, to ask all again, as no decree accepted before can be made; None if one may be.

        Addresses that it gives up are in use at a member.  Who has accepted a decree hands out none of them,
        so that member has not, nor will it: who promises a ballot accepts nothing of those before.
        """
        if self._vote(rules) is None or not rules.disproved(in_use=bool(self.uses)):
            return None
        return replace(self.again(), free=True)

    def hindered(self, rules: Rules = RULES) -> bool:
        """Whether what is to be decided gives up addresses that are in use."""
        return not rules.gives_up(in_use=bool(self.uses))

    def _vote(self, rules: Rules) -> Vote | None:
        return None if self.free else rules.proposed(self.votes)

    def again(self) -> Campaign:
        """The same ballot, to hear from all once more."""
        return replace(self, asked=self.asked + 1, promised=frozenset(), differs=False, uses={})

    def decided(self, rings: Known, rules: Rules = RULES) -> Campaign:
        """
        The same ballot, to ask all to accept.

        Args:
            rings: The proposer's, which tell who is beside what is taken.
            rules: Those in force.
        """
        vote = self._vote(rules)
        return replace(self, decree=self._decree(rings) if vote is None else vote.decree)

    def accept(self, member: Peer) -> Accept:
        """What one member is asked to accept."""
        assert self.decree is not None, "promises come first"
        elector = member in self.decree.electors or member in self.ledger.charter.electors
        roster = tuple(sorted(self.needed)) if elector else ()
        return Accept(self.number, self.ballot, self.decree, roster)

    def accepted_by(self, member: Peer) -> Campaign:
        """One member has accepted."""
        return replace(self, accepted=self.accepted | {member})

    def complete(self, rules: Rules = RULES) -> bool:
        """Whether the decision is made."""
        return self.decree is not None and rules.enough(self.needed, self.accepted)

    def _decree(self, rings: Known) -> Decree:
        heirs = sorted(self.needed)
        said = []
        for ring, whole in sorted(self._whole(rings).items()):
            runs = self.known.get(ring, EMPTY)
            taken = take_over(whole, self.over, heirs, self.number)
            kept = Ring.of(run for run in runs if run.author in self.fenced and run.owner not in self.over)
            both = merge(kept, taken).ring if self.differs else taken
            said.append(Statements(ring, tuple(both)))
        said += [Statements(one.ring, tuple(map(self._founded, one.ranges))) for one in self.wanted.founds]
        return Decree(
            victims=tuple(sorted(self.fenced)),
            statements=tuple(one for one in said if one.runs),
            electors=self._electors(),
            put=self.wanted.put,
            drop=self.wanted.drop,
            open=self.wanted.open,
            close=self.wanted.close,
        )

    def _whole(self, rings: Known) -> dict[RingId, Ring]:
        """
        All that is known; an address of which nobody knows whose it is was owned by somebody who is gone.

        That may be where all are gone who were there when it became a pool's.
        """
        whole = {
            ring: merge(rings.get(ring, EMPTY), self.known.get(ring, EMPTY)).ring
            for ring in rings.keys() | self.known.keys()
        }
        for one in unsaid(self.ledger.pools, whole) if self.over else ():
            gone = min(self.over)
            left = Ring.of(Run(part.start, part.stop, Token(0, 0), gone, gone) for part in one.ranges)
            whole[one.ring] = merge(whole.get(one.ring, EMPTY), left).ring
        return whole

    def _founded(self, one: Range) -> Run:
        return Run(one.start, one.stop, Token(self.number, 0), self.ledger.me, self.ledger.me)

    def _electors(self) -> tuple[Peer, ...]:
        """Those there are, and as many more as make an odd number, up to `ELECTORS_MAX`."""
        able = (self.needed - self.wanted.retired) or self.needed
        left = sorted(self.ledger.electors & able)
        others = sorted(able.difference(left))
        wanted = min(ELECTORS_MAX, (len(able) - 1) // 2 * 2 + 1)
        return tuple(sorted((*left, *others[: max(0, wanted - len(left))])))


def _owned(known: Known, owners: Collection[Peer]) -> tuple[Span, ...]:
    """The addresses that some peers own."""
    spans = []
    for ring in sorted(known):
        ranges = union(Range(run.start, run.stop) for run in known[ring] if run.owner in owners)
        if ranges:
            spans.append(Span(ring, ranges))
    return tuple(spans)


def unaffirmed(known: Collection[str]) -> str:
    """That somebody must say who survives, with the names of those who seem to."""
    ask = "most electors are to be removed, so name all who survive with --survivors"
    return f"{ask}; known are {_named(known)}"


def _named(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
