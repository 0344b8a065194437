"""
From belonging to a cluster to serving in it: whom a node asks for what it lacks, and how long it waits.

A newcomer serves once a member has told it all; one that comes back makes sure first that its disk is not
older than it was, and serves alone if nobody answers.  Later it looks for those it has lost sight of.

Does not know how a cluster begins, nor what is served.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from weaveipam.allocation.allocator import Allocator
from weaveipam.allocation.formation import ACQUAINTANCES_MAX, Formation
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.exchange import Exchange
from weaveipam.gossip.gossip import Gossip
from weaveipam.protocol.effects import Level, Report
from weaveipam.protocol.messages import (
    Header,
    Mark,
    Marked,
    MemberShare,
    Outline,
    RingShare,
    Step,
    Sync,
    Synced,
    Tell,
)

SYNC_PEERS = 3
"""Members asked at a time for what this node lacks before it serves."""
SYNC_GROWTH = 8
"""Times as many are asked at each further attempt as long as nobody is heard: most may be gone."""
REJOIN_S = 5.0
"""Seconds between two attempts of a node to reach those it was told of or has met, and does not see."""


class Serving:
    """One node's way back to service; does nothing before `begin` or `come_back`."""

    def __init__(
        self,
        settings: AllocationSettings,
        gossip: Gossip,
        allocator: Allocator,
        formation: Formation,
        exchange: Exchange,
        rng: Random,
    ) -> None:
        self._settings = settings
        self._gossip = gossip
        self._allocator = allocator
        self._formation = formation
        self._exchange = exchange
        self._rng = rng
        self.alone_at = math.inf
        """Seconds on the monotonic clock: when the node serves without having heard of anybody."""
        self._sync_at = math.inf
        self._sync_peers = SYNC_PEERS
        """How many to ask next."""
        self._sync_pause_s = settings.inquiry_s
        """Until some are asked again; longer each time, as a long answer may be on its way."""
        self._synced_at = math.inf
        """When a member had told all that it knew."""

    @property
    def newcomer(self) -> bool:
        """Whether this node knows little but the birth, and has yet to be told all."""
        return self._exchange.newcomer

    def begin(self, now: float) -> None:
        """The node has joined or formed a cluster just now."""
        self._sync_at = now + self._settings.inquiry_s

    def come_back(self, now: float, *, others: bool) -> None:
        """The node was in a cluster before it started, with others or by itself."""
        self._sync_at = now
        self.alone_at = now + self._settings.sync_wait_s if others else now

    def serve(self, now: float) -> list[Step]:
        """Answer clients from now on."""
        self._exchange.newcomer = False
        self._gossip.twins.serving = True
        return [Report(Level.INFO, "ready"), *self._allocator.serve(now)]

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `wake` has something to do."""
        return self._sync_at if self._allocator.serving else min(self._sync_at, self._serve_at)

    def wake(self, now: float) -> list[Step]:
        """Ask whoever may know more; serve if it is time."""
        steps = [*self._join_again(now), *self._serve_if_known(now)]
        if not self._allocator.serving and self._serve_at <= now:
            steps += self._serve_alone(now)
        return steps

    @property
    def _serve_at(self) -> float:
        return max(self.alone_at, self._gossip.twins.denied_until)

    def hear(
        self,
        header: Header,
        told: Outline | Sync | RingShare | MemberShare | Synced | Mark | Marked,
        now: float,
    ) -> Sequence[Step]:
        """What members say of all that they know, and to those that come back."""
        twins = self._gossip.twins
        match told:
            case Sync() if (rival := twins.rival(header)) is not None:
                return twins.deny(header, rival, told.asked, serves=told.serves)
            case Outline() | Sync() | RingShare() | MemberShare():
                return self._exchange.receive(header, told, now)
            case Synced():
                synced = self._exchange.answers(told) and not self._allocator.serving
                return self._synced(header, now) if synced else ()
            case Mark():
                return self._hear_mark(header, told) if twins.rival(header) is None else ()
            case Marked():
                twins.admitted(header)
                answer = self._allocator.marks.marked(header, told, serving=self._allocator.serving)
                return answer or self._serve_if_known(now)

    def _synced(self, header: Header, now: float) -> Sequence[Step]:
        """A newcomer serves; any other daemon makes sure first that its disk is not older than it was."""
        self._gossip.twins.admitted(header)
        if self._exchange.newcomer:
            return self.serve(now)
        if self._synced_at == math.inf:
            self._synced_at = now
            self._sync_pause_s = self._settings.inquiry_s
            self._sync_at = now + self._sync_pause_s
        return self._serve_if_known(now) or self._allocator.marks.ask()

    def _hear_mark(self, header: Header, mark: Mark) -> Sequence[Step]:
        later = self._formation.earlier(header.sender)
        if later is None or later < header.sender:
            return self._allocator.marks.note(header, mark)
        mine = later.name == self._gossip.members.me.peer.name
        return [] if mine else [Tell(header.endpoint, Marked(later, 0))]

    def _serve_if_known(self, now: float) -> list[Step]:
        """Serve once the witnesses have answered, or some of them, and the others had the time to."""
        marks = self._allocator.marks
        late = self._synced_at + self._settings.donor_timeout_s <= now
        if now < self._gossip.twins.denied_until:
            return []
        if self._allocator.serving or self._synced_at == math.inf:
            return []
        return self.serve(now) if marks.known or (late and marks.partly_known) else []

    def _serve_alone(self, now: float) -> list[Step]:
        steps = self.serve(now)
        if self._formation.endpoints():
            who = "member" if self._synced_at == math.inf else "witness of its mark"
            detail = f"no {who} answered; serving from what this daemon owned when it stopped"
            steps.insert(0, Report(Level.WARNING, "serving-alone", (("detail", detail),)))
        return steps

    def _join_again(self, now: float) -> list[Step]:
        """
        Exchange state with those it was told of or has met: before serving, and while it sees nobody.

        While it sees somebody it only greets one of those where no member listens, as there may be more than
        it sees: after restarts on both sides of a partition neither knows a member of the other.
        """
        if self._sync_at > now:
            return []
        members = self._gossip.members
        self._sync_at = now + (REJOIN_S if self._allocator.serving else self._sync_pause_s)
        if self._allocator.serving and members.alive_count:
            missed = self._formation.missing_from(members.endpoints())
            return [Tell(self._rng.choice(missed), members.me.rumour())] if missed else []
        if self._synced_at < math.inf and not self._allocator.serving:
            return [*self._allocator.marks.ask()]
        heard = [one.endpoint for one in members.alive()]
        known = heard or self._formation.endpoints()
        count = min(len(known), SYNC_PEERS if heard else self._sync_peers)
        if heard:
            self._sync_pause_s = min(2 * self._sync_pause_s, REJOIN_S)
        else:
            self._sync_peers = min(self._sync_peers * SYNC_GROWTH, ACQUAINTANCES_MAX)
        return [self._exchange.ask(one) for one in self._rng.sample(known, count)]
