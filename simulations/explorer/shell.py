"""
What a member does with what it hears, and of its own accord.

Rings, ledgers and campaigns are those of the daemon; here is what moves them, as the daemon does it, without
timers, disks and packets.  Whatever a step returns was durable before it was sent.
Does not know who else there is, nor which step comes next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from ring.address import Range
from ring.changes import coalesce, grant
from ring.merge import merge
from ring.ring import Peer, Ring, Run
from simulations.explorer.member import RING, Letter, Member, Step, indexed, statements, weigh
from weaveipam.allocation.campaign import Campaign, Wanted, answered
from weaveipam.allocation.grants import UNASKED
from weaveipam.allocation.rules import Rules
from weaveipam.protocol.decisions import Charter, Decree
from weaveipam.protocol.messages import Grant, GrantAck, Ownership
from weaveipam.protocol.rollcalls import (
    Accept,
    Accepted,
    CharterShare,
    Closure,
    Decided,
    Declined,
    Enrol,
    Enrolled,
    Objection,
    Prepare,
    Promise,
    Use,
)
from weaveipam.protocol.values import Pool


@dataclass(frozen=True, slots=True)
class Shell:
    """What members do, under some rules, while some peers can be heard."""

    rules: Rules
    near: frozenset[Peer]
    """From whom everybody has heard a moment ago."""
    leavers: str = ""
    """Who may have said that it leaves: what it hands over is expected with its users."""

    # What a member does of its own accord

    def grants(self, one: Member, address: int, heir: Peer) -> Step | None:
        """Hand an address over; None where that may not be."""
        if heir == one.me or not self.rules.serves(heir, _over(one)):
            return None
        if not self._has(one, address) or address in one.used:
            return None
        return self._says(one, grant(one.ring, Range(address, address + 1), one.me, heir))

    def hands_over(self, one: Member, address: int, heir: Peer) -> Step | None:
        """Hand an address over with its user, as who leaves does; None where that may not be."""
        if heir == one.me or not self.rules.serves(heir, _over(one)):
            return None
        if not self._has(one, address) or address not in one.used:
            return None
        (run,) = delta = grant(one.ring, Range(address, address + 1), one.me, heir)
        given = Grant(_number(run), UNASKED, RING, (run,))
        one = replace(one, used=one.used - {address}, given=one.given | {(heir, given)})
        one, letters = self._says(one, delta)
        return one, (*letters, Letter(one.me, heir, given))

    def hands_out(self, one: Member, address: int) -> Step | None:
        """Give an address to a client; None where that may not be."""
        if not self._has(one, address) or address in one.used:
            return None
        return replace(one, used=one.used | {address}), ()

    def _has(self, one: Member, address: int) -> bool:
        """Whether an address is a member's, and it need neither keep it back nor wait for its user."""
        run = one.ring.at(address)
        if not one.acts or not one.ledger.admitted or run is None or run.owner != one.me:
            return False
        return not one.withholds(address) and (run.author == one.me or run.author.name not in self.leavers)

    def gets_back(self, one: Member, address: int) -> Step | None:
        """A client needs an address no longer."""
        return (replace(one, used=one.used - {address}), ()) if one.acts else None

    def coalesces(self, one: Member) -> Step | None:
        """Join touching runs; None if there are none."""
        delta = coalesce(one.ring, one.me, Range(0, RING.family.size))
        return self._says(one, delta) if one.acts and delta else None

    def enrols(self, one: Member) -> Step | None:
        """Ask the electors to be put on the roster."""
        if not one.acts or one.ledger.admitted:
            return None
        charter = one.ledger.charter
        return one, tuple(Letter(one.me, elector, Enrol(charter.number)) for elector in charter.electors)

    def begins(self, one: Member, wanted: Wanted, more: Collection[Peer] = ()) -> Step | None:
        """Begin a ballot, with a round above all that it knows of."""
        if not one.acts or not one.ledger.admitted:
            return None
        promised = one.ledger.promised
        ballot_round = 1 if promised is None else promised.round + 1
        if self.rules.affirmed(wanted.victims.union(one.ledger.closed, more), one.ledger.charter.electors):
            wanted = replace(wanted, survivors=None)  # then no operator is asked for them
        campaign = Campaign.begin(one.ledger, {RING: one.ring}, wanted, ballot_round, more)
        if one.me in campaign.fenced:
            return None
        survivors = (Peer(name, one.me.incarnation) for name in sorted(wanted.survivors or ()))
        return self._calls(one, campaign.with_survivors(survivors))

    def widens(self, one: Member, more: Collection[Peer]) -> Step | None:
        """Learn, while a ballot runs, that others are fenced as well."""
        campaign = one.campaign
        if not one.acts or campaign is None:
            return None
        fenced = campaign.fenced.union(more)
        wanted = replace(campaign.wanted, victims=campaign.wanted.victims.union(more))
        if not self.rules.same_ballot(campaign.fenced, fenced):
            return self.begins(one, wanted, fenced)
        wider = replace(campaign, fenced=fenced, needed=campaign.needed - fenced, wanted=wanted)
        return None if wider == campaign else self._goes_on(one, wider)

    def asks_again(self, one: Member) -> Step | None:
        """Call for the same once more, as addresses may not be in use any longer."""
        campaign = one.campaign
        if not one.acts or campaign is None or not campaign.agreed(self.rules):
            return None
        return self._calls(one, campaign.again()) if campaign.hindered(self.rules) else None

    # What a member does with what it hears

    def hears(self, one: Member, letter: Letter) -> Step:  # noqa: C901 - a case for each message
        """Take a message in."""
        sender, said = letter.sender, letter.said
        match said:
            case Ownership() | Grant() | GrantAck():
                return self._hears_of_space(one, sender, said)
            case Prepare():
                return self._asked(one, sender, said)
            case Promise() if one.campaign is not None and one.campaign.decree is None:
                return self._goes_on(one, one.campaign.heard(sender, said))
            case Declined():
                return self._declined(one, said)
            case Accept():
                return self._accepts(one, sender, said)
            case Accepted() if one.campaign is not None and one.campaign.ballot == said.ballot:
                if one.campaign.number == said.number:
                    return self._goes_on(one, one.campaign.accepted_by(sender))
            case Decided(number):
                return self._knows(one, sender, number)
            case Enrol(number):
                return self._enrols(one, sender, number)
            case Enrolled(number):
                return self._enrolled(one, sender, number), ()
            case CharterShare(charter) if charter.number > one.ledger.charter.number:
                return self._learns(one, charter)
            case Closure(closed):
                return self._told(one, closed), ()
        return one, ()

    def _hears_of_space(self, one: Member, sender: Peer, said: Ownership | Grant | GrantAck) -> Step:
        match said:
            case Ownership():
                return self._merged(one, said.runs), ()
            case Grant():
                return self._takes_in(one, sender, said)
            case GrantAck(number):
                done = {(heir, given) for heir, given in one.given if (heir, given.grant) == (sender, number)}
                return replace(one, given=one.given - done), ()

    def _takes_in(self, one: Member, donor: Peer, told: Grant) -> Step:
        """Own what comes with its user, and say so anew: a repeat is then known to be one."""
        (run,) = told.runs
        if one.withholds(run.start):
            return one, ()
        one = self._merged(one, told.runs)
        held = one.ring.at(run.start)
        if held is None or held.token < run.token:
            return one, ()  # not to be believed, or not yet
        letters: tuple[Letter, ...] = ()
        if held.token == run.token:
            one = replace(one, used=one.used | {run.start})
            one, letters = self._says(one, grant(one.ring, Range(run.start, run.stop), one.me, one.me))
        return one, (*letters, Letter(one.me, donor, GrantAck(told.grant)))

    def _asked(self, one: Member, sender: Peer, said: Prepare) -> Step:
        letters: tuple[Letter, ...] = ()
        if one.ledger.vote is not None and said.number == one.ledger.accepted_number + 1:
            one, letters = self._completes(one)  # else nobody would call for the next one
        ledger, declined = one.ledger.promise(said, self.near.intersection(said.fenced), self.rules)
        if declined is not None:
            return one, (*letters, *self._declines(one, sender, declined))
        one = replace(one, ledger=ledger)
        closures = (Letter(one.me, fenced, Closure(said.fenced)) for fenced in said.fenced)
        return one, (*letters, Letter(one.me, sender, _promise(one, said)), *closures)

    def _declines(self, one: Member, sender: Peer, declined: Declined) -> tuple[Letter, ...]:
        letter = Letter(one.me, sender, declined)
        if declined.why is Objection.DECIDED:
            return letter, Letter(one.me, sender, CharterShare(one.ledger.charter))
        return (letter,)

    def _declined(self, one: Member, said: Declined) -> Step:
        campaign = one.campaign
        known = campaign is not None and (campaign.number, campaign.ballot) == (said.number, said.ballot)
        if campaign is None or not known or said.why is not Objection.CLOSED:
            return one, ()
        if self.rules.same_ballot(campaign.fenced, said.closed):
            return one, ()
        return self.widens(one, said.closed) or (one, ())

    def _accepts(self, one: Member, sender: Peer, said: Accept) -> Step:
        ledger, declined = one.ledger.accept(said, self.rules)
        if declined is not None:
            return one, self._declines(one, sender, declined)
        one, letters = self._accepted(replace(one, ledger=ledger), said.decree)
        return one, (*letters, Letter(one.me, sender, Accepted(said.number, said.ballot)))

    def _knows(self, one: Member, sender: Peer, number: int) -> Step:
        ledger = one.ledger
        if number < ledger.charter.number:
            return one, (Letter(one.me, sender, CharterShare(ledger.charter)),)
        if number == ledger.accepted_number and ledger.vote is not None:
            return self._completes(one)
        if number > ledger.accepted_number:
            return one, (Letter(one.me, sender, Decided(ledger.charter.number)),)
        return one, ()

    def _learns(self, one: Member, charter: Charter) -> Step:
        if one.me in {gone.peer for gone in charter.removed}:
            return self._told(one, (one.me,)), ()
        if charter.number == one.ledger.accepted_number:
            return self._completes(one)
        if one.ledger.admitted:
            return self._told(one, (one.me,)), ()  # all but the fenced accept every decision
        ring = _confined(one.ring, charter.pools)
        after = replace(one, ledger=one.ledger.adopt(charter), ring=ring, enrolled_by=frozenset())
        return self.enrols(after) or (one, ())

    def _enrols(self, one: Member, sender: Peer, number: int) -> Step:
        charter = one.ledger.charter
        if number < charter.number:
            return one, (Letter(one.me, sender, CharterShare(charter)),)
        if number > charter.number or sender in _over(one):
            return one, ()
        ledger, there = one.ledger.enrol(sender, self.rules)
        letters = (Letter(one.me, sender, Enrolled(number)),) if there else ()
        return replace(one, ledger=ledger), letters

    def _enrolled(self, one: Member, sender: Peer, number: int) -> Member:
        if one.ledger.admitted or number != one.ledger.charter.number:
            return one
        by = one.enrolled_by | {sender}
        if self.rules.admitted(one.ledger.charter.electors, by):
            return replace(one, ledger=one.ledger.admit(), enrolled_by=frozenset())
        return replace(one, enrolled_by=by)

    def _told(self, one: Member, closed: Collection[Peer]) -> Member:
        return replace(
            one, told=one.me in closed or one.told, stopped=self.rules.stops(one.me, closed) or one.stopped
        )

    # A proposer

    def _calls(self, one: Member, campaign: Campaign) -> Step:
        """Ask everybody to promise, itself first."""
        call = campaign.prepare(weigh)
        ledger, declined = one.ledger.promise(call, self.near.intersection(call.fenced), self.rules)
        if declined is not None:
            return replace(one, campaign=None), ()
        one = replace(one, ledger=ledger)
        return self._goes_on(one, campaign.heard(one.me, _promise(one, call)))

    def _goes_on(self, one: Member, campaign: Campaign) -> Step:
        """Do what follows from what a campaign has heard."""
        if campaign.number != one.ledger.charter.number + 1:
            return replace(one, campaign=None), ()  # somebody else has brought it to its end
        if campaign.agreed(self.rules):
            more = campaign.wider() or campaign.bound(self.rules) or campaign.unbound(self.rules)
            if more is not None:
                return self._calls(one, more)
            if not campaign.unaffirmed(self.rules) and not campaign.hindered(self.rules):
                return self._proposes(one, campaign.decided({RING: one.ring}, self.rules))
        if campaign.complete(self.rules):
            return self._completes(replace(one, campaign=None))
        one = replace(one, campaign=campaign)
        others = sorted(campaign.needed - {one.me})
        if campaign.decree is None:
            return one, tuple(Letter(one.me, other, campaign.prepare(weigh)) for other in others)
        return one, tuple(Letter(one.me, other, campaign.accept(other)) for other in others)

    def _proposes(self, one: Member, campaign: Campaign) -> Step:
        """Ask everybody to accept, itself first."""
        ledger, declined = one.ledger.accept(campaign.accept(one.me), self.rules)
        if declined is not None or campaign.decree is None:
            return replace(one, campaign=None), ()
        one, letters = self._accepted(replace(one, ledger=ledger), campaign.decree)
        one, more = self._goes_on(one, campaign.accepted_by(one.me))
        return one, (*letters, *more)

    # What is in force

    def _accepted(self, one: Member, decree: Decree) -> Step:
        return self._installs(one, decree) if self.rules.installs(complete=False) else (one, ())

    def _completes(self, one: Member) -> Step:
        if one.ledger.vote is None:
            return one, ()
        decree = one.ledger.vote.decree
        ledger = one.ledger.complete()
        one = replace(one, ledger=ledger, ring=_confined(one.ring, ledger.pools), campaign=None)
        letters: tuple[Letter, ...] = (Letter(one.me, None, Decided(one.ledger.charter.number)),)
        if self.rules.installs(complete=True):
            one, more = self._installs(one, decree)
            letters += more
        return one, letters

    def _installs(self, one: Member, decree: Decree) -> Step:
        letters: tuple[Letter, ...] = ()
        for told in decree.statements:
            said = _confined(Ring.of(told.runs), one.ledger.pools)
            one = replace(one, ring=merge(one.ring, said).ring)
            letters += statements(one.me, said)
        return one, letters

    def _merged(self, one: Member, runs: Iterable[Run]) -> Member:
        closed, decided = one.ledger.closed, one.ledger.charter.number
        believed = [run for run in runs if self.rules.believes(run, closed, decided)]
        change = merge(one.ring, _confined(Ring.of(believed), one.ledger.pools))
        return replace(one, ring=change.ring) if change.won else one

    def _says(self, one: Member, delta: Ring) -> Step:
        return replace(one, ring=merge(one.ring, delta).ring), statements(one.me, delta)


def _over(one: Member) -> frozenset[Peer]:
    """Whose lives are over, as far as a member knows."""
    return one.ledger.closed.union(past.peer for past in one.ledger.charter.removed)


def _promise(one: Member, asked: Prepare) -> Promise:
    vacated = [what for span in asked.vacates for what in span.ranges]
    uses = [
        Use("client", RING, Range(address, address + 1))
        for address in sorted(one.in_use)
        if any(address in what for what in vacated)
    ]
    return answered(one.ledger, {RING: one.ring}, asked, weigh, uses)


def _confined(ring: Ring, pools: tuple[Pool, ...]) -> Ring:
    """What a ring says of addresses that are a pool's."""
    there = indexed(pools)
    return Ring.of(part for run in ring for part in there.inside(RING, run))


def _number(run: Run) -> int:
    """Names a grant of one address, as epochs and generations are few."""
    generation, epoch = run.token
    return (run.start * 10 + generation) * 10 + epoch
