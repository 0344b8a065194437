"""
Who wants something decided: it asks everybody, asks again, and begins anew when somebody objects.

Does not know what others propose, but for what they object.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace
from random import Random

from ring.ring import Peer
from weaveipam.allocation.campaign import Campaign, Wanted, unaffirmed
from weaveipam.allocation.changes import CHANGES_MAX, Changes, in_use
from weaveipam.allocation.donors import Neighbour, Neighbours, as_life, shown
from weaveipam.allocation.housekeeping import Housekeeping
from weaveipam.allocation.objections import Objections
from weaveipam.allocation.poolchange import wanted_for
from weaveipam.allocation.rules import RULES
from weaveipam.allocation.seat import Seat
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.decisions import Ballot
from weaveipam.protocol.effects import Reply
from weaveipam.protocol.messages import Header, Ping, Step, Tell
from weaveipam.protocol.requests import Change, Reason, Refusal
from weaveipam.protocol.rollcalls import Accepted, Decided, Declined, Objection, Promise

REPEAT_DOUBLINGS_MAX = 3
"""Those who have not answered are asked again after `repeat_s`, doubled up to so many times."""
LAPSE = 2.0
"""Times `heard_s` until a wish lapses that was not repeated, and that this member itself objects to."""


class Proposer:
    """One member's proposals; it has at most one ballot under way."""

    def __init__(self, seat: Seat, settings: AllocationSettings, neighbours: Neighbours, rng: Random) -> None:
        self._seat = seat
        self._settings = settings
        self._neighbours = neighbours
        self._rng = rng
        self.wanted: Wanted | None = None
        """What is to be decided; None: nothing."""
        self.campaign: Campaign | None = None
        """The ballot under way; None between two, too."""
        self.changes = Changes()
        """Of pools, that clients wait for."""
        self._offered: tuple[int, int | None] = (0, None)
        """The last decision that others were asked to accept as a client wants it, and the request."""
        self._more: frozenset[Peer] = frozenset()
        """Who is fenced besides, by those who objected."""
        self._round = 0
        self._tries = 0
        self._objections = Objections()
        self._again_at = math.inf
        """When to ask again those who are awaited, or to begin another ballot."""
        self._look_at = math.inf
        self.housekeeping = Housekeeping(seat, neighbours)
        self._unasked = False
        """Whether nobody has asked for what is wanted, so that it can be left to others."""
        self._repeated_at = -math.inf
        """When an operator last said who is to be removed."""
        self._pinged_at: dict[Peer, float] = {}
        """When those of them who seem to be there were first pinged since they were heard."""

    def begin(self, now: float) -> None:
        """Look after what others leave unfinished from now on."""
        self._look_at = now + self._settings.rollcall_s * self._rng.uniform(1, 2)

    def remove(
        self, victims: Collection[Peer], survivors: frozenset[str] | None, now: float, *, forced: bool
    ) -> list[Step]:
        """
        Have some lives removed, besides those that are being removed already.

        Whoever seems to be there is pinged first, unless it is forced.  While it answers nothing begins, and
        the wish lapses if it is not repeated: who errs has not ordered the removal of a daemon that restarts
        a week later.
        """
        self._repeated_at, self._unasked = now, False
        wanted = self.wanted or Wanted()
        fresh = Wanted(
            victims=wanted.victims.union(victims),
            forced=wanted.forced.union(victims if forced else ()),
            survivors=survivors if survivors is not None else wanted.survivors,
        )
        if fresh == wanted and self.wanted is not None and not (fresh.survivors and self._unaffirmed()):
            return []
        fenced = self._seat.ledger.closed.union(fresh.victims)
        if fresh.survivors is None and not RULES.affirmed(fenced, self._seat.ledger.electors):
            # Nobody is fenced before somebody has said who survives: for those who live it is the end.
            there = sorted(
                {self._seat.me.name, *(one.peer.name for one in self._neighbours.alive())}
                - {one.name for one in fenced}
            )
            self._objections.ask(self._seat.me, unaffirmed(there))
            return []
        self.wanted = fresh
        return self._propose(now)

    def change(self, request_id: int, change: Change, now: float) -> list[Step]:
        """Have something changed, after what is under way already; the reply comes when it is decided."""
        wanted = wanted_for(change, self._seat.ledger.charter)
        if isinstance(wanted, Refusal):
            return [Reply(request_id, wanted)]
        if len(self.changes) >= CHANGES_MAX:
            detail = f"{CHANGES_MAX} changes wait already; try again shortly"
            return [Reply(request_id, Refusal(Reason.OVERLOADED, detail))]
        self.changes.add(request_id, change, now)
        self._unasked = False
        if self.busy:
            return self._answer_changes(now)
        return [*self._answer_changes(now), *self._next(now)]

    def retire(self, leaving: frozenset[Peer], now: float) -> list[Step]:
        """Have others chosen as electors than those who leave."""
        self.wanted, self._unasked = Wanted(retired=leaving), False
        return self._propose(now)

    @property
    def busy(self) -> bool:
        """Whether something is wanted that is not decided yet."""
        return self.campaign is not None or self.wanted is not None or self._again_at < math.inf

    def _answer_changes(self, now: float) -> list[Step]:
        """Reply to those for whom it is as they wanted it, or cannot be any more, or who waited too long."""
        charter = self._seat.ledger.charter
        return [*self.changes.answered(charter, self._late, now, besides=self._under_way)]

    @property
    def _under_way(self) -> int | None:
        """The change that cannot be withdrawn: whoever has accepted it may get it decided by any ballot."""
        number, request_id = self._offered
        return request_id if number == self._seat.ledger.charter.number + 1 else None

    def _late(self) -> str:
        """Why a change is not decided yet, and what helps."""
        campaign = self.campaign
        if campaign is None:
            return self.obstacles or "others want something decided first"
        if campaign.uses:
            return f"{in_use(campaign.uses)}; release them, or wait longer"
        if self.awaited:
            waits = f"waiting for {', '.join(self.awaited)}"
            return f"{waits}; all members must agree, so bring them back or remove them"
        return self.obstacles

    def _next(self, now: float) -> list[Step]:
        """Begin with what is wanted first, if anything is."""
        if self.wanted is None and not self.changes:
            self._again_at = math.inf
            return []
        return self._propose(now)

    def _unaffirmed(self) -> str:
        campaign = self.campaign
        return campaign.unaffirmed() if campaign is not None and campaign.agreed() else ""

    @property
    def obstacles(self) -> str:
        """What is in the way, in a sentence; empty if nothing is."""
        return "; ".join(filter(None, (self._unaffirmed(), *self._objections.sentences())))

    @property
    def awaited(self) -> tuple[str, ...]:
        """Whose answers are missing, by name; an earlier life of who is there as `name#incarnation`."""
        lives = () if self.campaign is None else sorted(self.campaign.awaited)
        return tuple(shown(one, self._neighbours) for one in lives)

    # Asking

    def _propose(self, now: float) -> list[Step]:
        """Begin a ballot, above all that this member has heard of."""
        ledger = self._seat.ledger
        ballot_round = max(self._round, _round_of(ledger.promised)) + 1
        wanted = self.wanted or self.changes.wanted(ledger.charter)
        campaign = Campaign.begin(ledger, self._seat.known, wanted, ballot_round, self._more)
        survivors = [self._neighbours.get(name) for name in sorted(wanted.survivors or ())]
        self.campaign = campaign.with_survivors(one.peer for one in survivors if one is not None)
        return self._ask_all(now)

    def _ask_all(self, now: float) -> list[Step]:
        """Promise oneself, and then ask everybody."""
        assert self.campaign is not None, "there is something to ask"
        asked = self.campaign.prepare(self._seat.weigh)
        lately = self._seat.heard_lately(self.campaign.fenced, now)
        pinged = self._not_sure_of(lately, now)
        ledger, declined = self._seat.ledger.promise(asked, lately or [one.peer for one in pinged])
        if declined is not None:
            self._objections.clear()
            if lately:
                self._objections.note(self._seat.me, declined)
            else:
                self._objections.doubt(self._seat.me, declined.closed)
            if now <= self._repeated_at + LAPSE * self._settings.heard_s or self.changes:
                pings = [Tell(one.endpoint, Ping(0, one.peer, 0)) for one in pinged]
                return [*self._later(now), *pings]
            self.wanted = self.campaign = None
            self._pinged_at.clear()
            return []
        self._objections.over(self._seat.me)
        self._round = self.campaign.ballot.round
        self._tries, self._again_at = 0, now + self._settings.repeat_s
        steps = self._seat.keep(ledger, now)
        self.campaign = self.campaign.heard(self._seat.me, self._seat.answer(asked))
        return [*steps, *self._ask(self.campaign.awaited), *self._go_on(now)]

    def _not_sure_of(self, lately: Collection[Peer], now: float) -> list[Neighbour]:
        """Whom an operator named who seem to be there, and have not been pinged in vain long enough."""
        assert self.campaign is not None, "somebody is fenced in a ballot"
        wanted = self.campaign.wanted
        named = self._reached(wanted.victims - wanted.forced - self._seat.ledger.closed)
        present = [one for one in named if one.present]
        for one in present:
            if one.peer in lately or one.peer not in self._pinged_at:
                self._pinged_at[one.peer] = now
        return [one for one in present if now < self._pinged_at[one.peer] + self._settings.heard_s]

    def _ask(self, members: Collection[Peer]) -> list[Tell]:
        campaign = self.campaign
        if campaign is None:
            return []
        if campaign.decree is None:
            prepare = campaign.prepare(self._seat.weigh)
            return [Tell(member.endpoint, prepare) for member in self._reached(members)]
        return [Tell(member.endpoint, campaign.accept(member.peer)) for member in self._reached(members)]

    def _reached(self, members: Collection[Peer]) -> list[Neighbour]:
        found = (as_life(one, self._neighbours) for one in sorted(members))
        return [member for member in found if member is not None]

    def promised(self, sender: Peer, told: Promise, now: float) -> list[Step]:
        """A member takes part."""
        if self.campaign is None:
            return []
        before = self.campaign
        self.campaign = before.heard(sender, told)
        self._objections.over(sender)
        return [*self._ask(self.campaign.needed - before.needed), *self._go_on(now)]

    def _go_on(self, now: float) -> list[Step]:
        campaign = self.campaign
        if campaign is None or not campaign.agreed() or campaign.unaffirmed():
            return []
        more = campaign.wider() or campaign.bound() or campaign.unbound()
        if more is not None:
            self.campaign = more
            return self._ask_all(now)
        if campaign.hindered():
            return self._in_use(now)
        campaign = campaign.decided(self._seat.known)
        ledger, declined = self._seat.ledger.accept(campaign.accept(self._seat.me))
        if declined is not None:
            return self._later(now)
        self.campaign = campaign.accepted_by(self._seat.me)
        if campaign.wanted.is_made_by(campaign.decree):
            self._offered = campaign.number, self.changes.first
        self._tries, self._again_at = 0, now + self._settings.repeat_s
        steps = [*self._seat.keep(ledger, now)]
        return [*steps, *self._ask(self.campaign.awaited), *self._close(now)]

    def _in_use(self, now: float) -> list[Step]:
        """Addresses that are to be given up are in use: wait for their users, or give the change up."""
        assert self.campaign is not None, "somebody told of uses"
        if self.changes.drains:
            self._again_at = now + self._settings.repeat_s * 2**REPEAT_DOUBLINGS_MAX
            return []
        detail = f"{in_use(self.campaign.uses)}; release them, or wait with --drain"
        refused = self.changes.refuse_first(Refusal(Reason.IN_USE, detail))
        return [*refused, *self._withdraw(now)]

    def _withdraw(self, now: float) -> list[Step]:
        """Call for something else, as who has promised to hand nothing out of some addresses keeps to it."""
        self.wanted = self.wanted or Wanted()
        return self._propose(now)

    def accepted(self, sender: Peer, told: Accepted, now: float) -> list[Step]:
        """A member has accepted."""
        campaign = self.campaign
        if campaign is None or (told.number, told.ballot) != (campaign.number, campaign.ballot):
            return []
        self.campaign = campaign.accepted_by(sender)
        return self._close(now)

    def _close(self, now: float) -> list[Step]:
        campaign = self.campaign
        if campaign is None or not campaign.complete():
            return []
        steps = [*self._seat.complete(now), *self.completed(now)]
        decided = Decided(self._seat.ledger.charter.number)
        others = self._reached(campaign.needed - {self._seat.me})
        return [*steps, *(Tell(member.endpoint, decided) for member in others)]

    def declined(self, header: Header, told: Declined, now: float) -> list[Step]:
        """A member does not take part."""
        campaign = self.campaign
        if campaign is None or (told.number, told.ballot) != (campaign.number, campaign.ballot):
            return []
        self._objections.note(header.sender, told)
        match told.why:
            case Objection.DECIDED | Objection.HEARD:
                return []  # a charter follows; or it may be over when asked again
            case Objection.UNKNOWN:
                return [Tell(header.endpoint, Decided(self._seat.ledger.charter.number))]
            case Objection.CLOSED if not RULES.same_ballot(campaign.fenced, told.closed):
                self._more = self._more.union(told.closed)
                return self._propose(now)
            case _:
                self._round = max(self._round, _round_of(told.promised))
                return [] if self._is_left_to(told.promised) else self._later(now)

    def _is_left_to(self, higher: Ballot | None) -> bool:
        """Whether another one calls who is there; what nobody asked for is wanted no more then."""
        if not self._unasked or higher is None or higher.proposer == self._seat.me:
            return False
        other = as_life(higher.proposer, self._neighbours)
        if other is None or not other.present:
            return False
        self.wanted, self.campaign, self._again_at = None, None, math.inf
        self._objections.clear()
        return True

    def _later(self, now: float) -> list[Step]:
        """Begin another ballot after a while drawn at random, so that two proposers do not go on for ever."""
        self.campaign = None
        if not self.changes:
            self.wanted = self.wanted or Wanted()
        self._again_at = now + self._settings.repeat_s * self._rng.uniform(1, 8)
        return []

    def completed(self, now: float) -> list[Step]:
        """A decision has been made, by whatever ballot: what was wanted is done, or needs the next."""
        ledger = self._seat.ledger
        removed = {one.peer for one in ledger.charter.removed}
        self.campaign = None
        self._more = self._more - removed
        self._objections.clear()
        if self.wanted is not None and self.wanted.victims <= removed and not ledger.closed:
            self.wanted = None
            self._pinged_at.clear()
        steps = self._answer_changes(now)
        more = self.wanted is not None or bool(self.changes)
        self._again_at = now + self._settings.repeat_s * self._rng.random() if more else math.inf
        return steps

    # Time

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `wake` has something to do."""
        return min(self._again_at, self._look_at, self.changes.late_at(self._under_way))

    def wake(self, now: float) -> list[Step]:
        """Ask again those who have not answered; see whether something is to be decided."""
        steps: list[Step] = []
        if self.changes.late_at(self._under_way) <= now:
            steps += self._give_late_ones_up(now)
        if self._again_at <= now:
            self._again_at = math.inf
            if self.campaign is None:
                steps += self._next(now)
            elif self.campaign.uses and not self.campaign.awaited:
                self.campaign = self.campaign.again()
                steps += self._ask_all(now)
            else:
                self._tries = min(self._tries + 1, REPEAT_DOUBLINGS_MAX)
                self._again_at = now + self._settings.repeat_s * 2**self._tries
                steps += self._ask(self.campaign.awaited)
        if self._look_at <= now:
            self._look_at = now + self._settings.rollcall_s * self._rng.uniform(1, 2)
            steps += self._look(now)
        return steps

    def _give_late_ones_up(self, now: float) -> list[Step]:
        first, campaign = self.changes.first, self.campaign
        steps = self._answer_changes(now)
        if self.changes.first != first and campaign is not None and campaign.wanted.changes:
            steps += self._withdraw(now)
        return steps

    def _look(self, now: float) -> list[Step]:
        """Call for what is to be done though nobody asks for it."""
        if not self.busy:
            self._objections.clear()
        wanted, gone = self.housekeeping.look(busy=self.busy), self._left_meanwhile(now)
        if gone:
            before = self.wanted or Wanted()
            self.wanted = replace(before, victims=before.victims | gone)
            return self._propose(now)
        if wanted is None:
            return []
        self.wanted, self._unasked = wanted, True
        return self._propose(now)

    def _left_meanwhile(self, now: float) -> frozenset[Peer]:
        """Of those who are waited for here, who has left; nobody else takes them out of this ballot."""
        left = self.housekeeping.left(() if self.campaign is None else self.campaign.awaited)
        return left.difference(self._seat.heard_lately(left, now))


def _round_of(ballot: Ballot | None) -> int:
    return 0 if ballot is None else ballot.round
