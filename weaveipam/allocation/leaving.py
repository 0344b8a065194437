"""
Leaving: a daemon gives all that it owns to members that are there, and ends when nothing of it is left.

It tells every member first (`Farewell`).  Who has heard writes it down and gives it nothing any more, so no
grant can come when it has gone; and it takes for its own what the one who leaves gives away only once the
grant is there, as that brings what keys hold and what rests.  Only who has answered is given anything.

It has left when it owns nothing, every grant is acknowledged, and every member that is there has heard; that
is durable before anybody is told.  A daemon that dies before goes on leaving when it starts again.

An allocation that is not durable is a pod's, and only this daemon would ever be asked to release it: as long
as there is one, the daemon does not begin to leave.  A durable one is not tied to the host, and goes along.

Does not know how members are found, nor how a daemon ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from random import Random

from ring.ring import Peer
from weaveipam.allocation.bequests import forget_departing, note_departing
from weaveipam.allocation.donors import Neighbours
from weaveipam.allocation.drift import GIFTS_MAX
from weaveipam.allocation.giving import Giver
from weaveipam.allocation.handover import Bundle, plan
from weaveipam.allocation.hindrances import Hindrances
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.allocation.standing import Standing
from weaveipam.protocol.effects import Durability, Level, Persist, Reply, Report, Stop
from weaveipam.protocol.farewells import Farewell, FarewellHeard, Staying
from weaveipam.protocol.messages import Depart, Header, Step, Tell
from weaveipam.protocol.progress import Departure, Gift
from weaveipam.protocol.records import Leaving, Left, Record, RecordKey
from weaveipam.protocol.requests import Reason, Refusal
from weaveipam.protocol.values import Endpoint, MemberState

WHY_LEAVING = (
    "this daemon is leaving the cluster: ask another one, or let it stay with weaveipam leave --cancel"
)
FAREWELLS_MAX = 64
"""Members that are told at once; the others follow, so that a large cluster does not answer all at once."""


class Leaver:
    """What one node does to leave, and for others that do."""

    def __init__(
        self,
        me: Peer,
        settings: AllocationSettings,
        neighbours: Neighbours,
        rng: Random,
        holdings: Holdings,
        giver: Giver,
        standing: Standing,
    ) -> None:
        self._me = me
        self._settings = settings
        self._neighbours = neighbours
        self._rng = rng
        self._holdings = holdings
        self._giver = giver
        self._standing = standing
        self._hindrances = Hindrances(me, holdings)
        self._attempt = 0
        """Which one is under way; 0: none is."""
        self._former = 0
        """Which one was given up last."""
        self.bound = False
        """Whether it has a part in a decision yet: one it has accepted, or the choice of other electors."""
        self.left = False
        """Whether all is done, and only farewells are left to be said."""
        self._earlier: Peer | None = None
        """The life before, if it has left and no client has asked for anything since."""
        self._takes: dict[Peer, bool] = {}
        """Who has heard of the leave, and whether they would take something."""
        self._wake_at = math.inf
        self._done_since = math.inf
        """Since when nothing is left to do; it must stay so for a while."""
        self._stop_at = math.inf

    @property
    def leaving(self) -> bool:
        """Whether this node leaves, or has left."""
        return self._attempt != 0

    @property
    def returned(self) -> bool:
        """
        Whether the life before has left, and no client has asked for anything since.

        Such a node wants no space: a supervisor may have started it again on a host that is about to go.
        """
        return self._earlier is not None

    def restore(self, records: Iterable[Record], now: float) -> None:
        """Go on with what the disk remembers."""
        for record in records:
            if isinstance(record, Leaving):
                self._attempt, self._wake_at = record.attempt, now
            elif isinstance(record, Left) and not record.used:
                self._earlier = record.peer

    def of_this_life(self) -> tuple[RecordKey, ...]:
        """The record that means nothing to another life."""
        return (Leaving(0).record_key,) if self.leaving else ()

    # What operators and clients ask

    def handed(self, network: str, key: str) -> Refusal | None:
        """Why a key is asked for in vain, if what it held was handed over."""
        heir = self._giver.grants.handed(network, key)
        if heir is None or self._holdings.leases.get(network, key) is not None:
            return None
        detail = f"key {key} was handed over to {heir.name}, with what it holds; ask there"
        return Refusal(Reason.NOT_OWNER, detail)

    def refuses(self, network: str, key: str) -> Refusal | None:
        """Why a key is given nothing, if this node leaves, or has handed over what it held."""
        handed = self.handed(network, key)
        if handed is not None or not self.leaving or self._holdings.leases.get(network, key) is not None:
            return handed
        return Refusal(Reason.NOT_READY, WHY_LEAVING)

    def leave(self, request_id: int, now: float) -> list[Step]:
        """Begin to leave, if nothing is in the way; once it does so nothing more happens."""
        begun = self._begin(now)
        if isinstance(begun, Refusal):
            return [Reply(request_id, begun)]
        return [*begun, Reply(request_id, self.departure())]

    def stay(self, request_id: int) -> list[Step]:
        """Leave no more, unless it is too late; what is given away stays given."""
        stayed = self._stay()
        if isinstance(stayed, Refusal):
            return [Reply(request_id, stayed)]
        return [*stayed, Reply(request_id, self.departure())]

    def _begin(self, now: float) -> list[Step] | Refusal:
        if self.leaving:
            return []
        if not self._standing.serving:
            detail = "this daemon is not ready yet; see weaveipam status, and try again"
            return Refusal(Reason.NOT_READY, detail)
        why = self._hindrance()
        if why:
            return Refusal(Reason.CONFLICT, why)
        self._attempt = self._rng.getrandbits(62) + 1
        self._takes, self._done_since = {}, math.inf
        steps: list[Step] = [Persist((Leaving(self._attempt),), (), Durability.HOST)]
        detail = "this daemon was told to leave: it allocates nothing any more, and gives away all it owns"
        steps.append(Report(Level.INFO, "leaving", (("detail", detail),)))
        return [*steps, *self.wake(now, force=True)]

    def wanted(self) -> list[Step]:
        """A client asks for something: this node is one as any other."""
        if self._earlier is None or self.leaving:
            return []
        earlier, self._earlier = self._earlier, None
        return [Persist((Left(earlier, used=True),), (), Durability.PROCESS)]

    def _stay(self) -> list[Step] | Refusal:
        if self.left:
            return Refusal(Reason.CONFLICT, "this daemon has left already; start it again, and it joins anew")
        if not self.leaving:
            return []
        self._former, self._attempt, self._wake_at = self._attempt, 0, math.inf
        steps: list[Step] = [Persist((), (Leaving(self._former).record_key,), Durability.HOST)]
        steps.append(Report(Level.INFO, "staying"))
        for one in self._neighbours.alive():
            steps += self._say_staying(one.peer, one.endpoint, self._former)
        return steps

    def departure(self) -> Departure:
        """How far it has come, or what would be if it were told to leave now."""
        owned = [one for _, one in self._hindrances.owned()]
        heirs = self._heirs() if self.leaving else self._members()
        bundles = [] if self.left else plan(self._holdings, self._me, heirs, self._neighbours, GIFTS_MAX)
        unheard = [one.name for one in self._members() if one not in self._takes] if self.leaving else []
        return Departure(
            peer=self._me,
            state="left" if self.left else "leaving" if self.leaving else "staying",
            why=self._why(),
            obstacles=tuple(self._hindrances.obstacles()),
            addresses=sum(one.size for one in owned),
            ranges=len(owned),
            gifts=tuple(gift for one in bundles for gift in self._gifts(one)),
            unacknowledged=self._giver.grants.open(),
            unheard=tuple(unheard),
        )

    def _gifts(self, bundle: Bundle) -> list[Gift]:
        return [
            Gift(bundle.heir, ring, what, len(self._holdings.leases.within(ring, what)))
            for ring, what in bundle.parts
        ]

    # What stands in the way

    def _hindrance(self) -> str:
        """Why it cannot begin, in one sentence; empty if it can."""
        why = self._hindrances.to_begin()
        if why or self._members():
            return why
        return (
            "no other member is there to take what this daemon owns: wait for one or, to end a cluster, "
            "stop this daemon and remove its data directory"
        )

    def _why(self) -> str:
        """What is in the way, or waited for, in one sentence; empty if nothing is."""
        if self.left:
            return ""
        if not self.leaving:
            return self._hindrance()
        if not self._standing.serving:
            return "waits for a member to answer, as after every start"
        return self._why_not_gone() or self._why_not_done()

    def _why_not_gone(self) -> str:
        """Why what is still owned has not been given away; empty if that is not what is waited for."""
        if not self._hindrances.owned():
            return ""
        if not self._heirs():
            return "no member is there that takes what this daemon owns: they are unreachable, or leave too"
        # With as many grants open as may be it waits for these, and says so below.
        gives = "gives away what it owns" if len(self._giver.grants) < GIFTS_MAX else ""
        return self._hindrances.to_give() or gives

    def _why_not_done(self) -> str:
        """What else is waited for."""
        why = self._hindrances.to_end()
        if why:
            return why
        if self.bound:
            return "waits until all members have decided what is under way, or who keeps the roster after it"
        waits = self._giver.grants.open()
        if waits:
            names = ", ".join(name for name, _ in waits)
            return (
                f"waits until what was granted has come to {names}; one that is gone for good must be removed"
            )
        unheard = [one.name for one in self._members() if one not in self._takes]
        if unheard:
            return f"waits until its leaving is known to {', '.join(unheard)}"
        return "has nothing any more, and waits a moment for what may be under way"

    # Going on

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `wake` has something to do."""
        return self._wake_at

    def wake(self, now: float, *, force: bool = False) -> list[Step]:
        """Tell who has not heard, give away what can be, and end if nothing is left."""
        if not force and now < self._wake_at:
            return []
        if self.left:
            self._wake_at = self._stop_at if now < self._stop_at else math.inf
            return [] if now < self._stop_at else [Stop()]
        self._wake_at = now + self._settings.repeat_s
        wanting = [one for one in self._neighbours.alive() if not self._takes.get(one.peer)]
        steps: list[Step] = [
            Tell(one.endpoint, Farewell(self._attempt))
            for one in self._rng.sample(wanting, min(len(wanting), FAREWELLS_MAX))
        ]
        return [*steps, *self.go_on(now)]

    def go_on(self, now: float) -> list[Step]:
        """Give away what can be given now, and leave when all is done; nothing if it does not leave."""
        if not self.leaving or self.left or not self._standing.serving:
            return []
        steps: list[Step] = []
        room = GIFTS_MAX - len(self._giver.grants)
        bundles = plan(self._holdings, self._me, self._heirs(), self._neighbours, room) if room > 0 else []
        for bundle in bundles:
            member = self._neighbours.get(bundle.heir.name)
            assert member is not None, "heirs are members"
            steps += self._giver.bequeath(bundle, member.endpoint, now)
        if not self._is_done():
            self._done_since = math.inf
            return steps
        self._done_since = min(self._done_since, now)
        if now < self._done_since + self._settings.linger_s:
            self._wake_at = min(self._wake_at, self._done_since + self._settings.linger_s)
            return steps
        return [*steps, *self._leave(now)]

    def _is_done(self) -> bool:
        members = self._members()
        return (
            not self._hindrances.owned()
            and not self.bound
            and not len(self._holdings.contests)
            and not self._giver.grants
            and not len(self._holdings.leases)
            and bool(members)
            and all(one in self._takes for one in members)
        )

    def _leave(self, now: float) -> list[Step]:
        self.left = True
        self._wake_at, self._stop_at = now, now + self._settings.linger_s
        detail = "all that this daemon owned is with other members; it ends"
        return [Depart(), Report(Level.INFO, "left", (("detail", detail),))]

    def _members(self) -> list[Peer]:
        return [one.peer for one in self._neighbours.alive() if not self._holdings.belief.is_over(one.peer)]

    def _heirs(self) -> list[Peer]:
        departing = self._holdings.departing
        return [one for one in self._members() if self._takes.get(one) and one not in departing]

    # What peers say

    def hear(self, header: Header, told: Farewell | FarewellHeard | Staying, now: float) -> list[Step]:
        """A member leaves, knows that this node does, or stays after all."""
        match told:
            case Farewell():
                return self._farewell(header, told)
            case FarewellHeard():
                return self._heard(header, told, now)
            case Staying():
                return self._staying(header, told, now)

    def _farewell(self, header: Header, told: Farewell) -> list[Step]:
        """Never give it anything again, and answer once nothing is under way to it."""
        peer = header.sender
        if not self._standing.serving:
            return []  # it may not state anything yet; it is asked again
        steps: list[Step] = []
        if self._holdings.departing.get(peer) != told.attempt:
            steps += note_departing(self._holdings, self._me, peer, told.attempt)
        return [*steps, *self.remind(header)]

    def remind(self, header: Header) -> list[Step]:
        """Answer a member that is known to leave; if it does not any more it will say so."""
        if self._giver.grants.to(header.sender):
            return []  # it asks again
        attempt = self._holdings.departing[header.sender]
        takes = self._standing.admitted and not self.leaving and not self.returned
        return [Tell(header.endpoint, FarewellHeard(attempt, takes))]

    def _heard(self, header: Header, told: FarewellHeard, now: float) -> list[Step]:
        if told.attempt != self._attempt:
            return [] if self.leaving else self._say_staying(header.sender, header.endpoint, told.attempt)
        self._takes[header.sender] = told.takes
        return self.go_on(now)

    def _say_staying(self, peer: Peer, endpoint: Endpoint, attempt: int) -> list[Step]:
        """Not while a grant is under way to it, which it must not take for one as any other."""
        return [] if self._giver.grants.to(peer) else [Tell(endpoint, Staying(attempt))]

    def acknowledged(self, header: Header, now: float) -> list[Step]:
        """A member has a grant: there may be more to give, or to say."""
        if self._former and not self.leaving:
            return self._say_staying(header.sender, header.endpoint, self._former)
        return self.go_on(now)

    def _staying(self, header: Header, told: Staying, now: float) -> list[Step]:
        """Not believed while its word for something waits for a grant."""
        if self._holdings.departing.get(header.sender) != told.attempt:
            return []
        return self._forget(header.sender, now)

    def tidy(self, now: float) -> list[Step]:
        """Forget those who have left: all that they gave has arrived."""
        return [
            step
            for peer in list(self._holdings.departing)
            if self._neighbours.state_of(peer) is MemberState.LEFT
            for step in self._forget(peer, now)
        ]

    def _forget(self, peer: Peer, now: float) -> list[Step]:
        """A member is one as any other, or gone, unless something of it is awaited."""
        if any(run.author == peer for _, run in self._holdings.rings.owned()):
            return []
        return forget_departing(self._holdings, self._me, peer, now)
