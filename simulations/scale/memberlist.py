"""
Spreading with the parameters of memberlist's LAN preset, to be measured on the same work as ours.

Every 200 ms what is queued goes to 3 random members, in as many bytes as a datagram holds, until it was sent
`4 * ceil(log10(n + 1))` times; it rides on other packets too.  Every 30 s, and more rarely above 32 members,
a node exchanges what it knows with one random member.  Nothing is compared between: there are no
fingerprints.

Source: github.com/hashicorp/memberlist, `config.go` (DefaultLANConfig), `queue.go` (TransmitLimitedQueue),
`state.go` (gossip, pushPull), `util.go` (retransmitLimit, pushPullScale).

Failure detection stays ours, whose probes have the same period.
Does not know what the statements mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from weaveipam.gossip.gossip import Digest, Effect, Gossip, Repair
from weaveipam.gossip.members import Member
from weaveipam.gossip.push import Push
from weaveipam.gossip.repair import Table
from weaveipam.gossip.settings import GossipSettings
from weaveipam.node import Node
from weaveipam.protocol.messages import Header, Message, Ownership, Step, Sync, Tell

GOSSIP_S = 0.2
"""GossipInterval."""
GOSSIP_NODES = 3
"""GossipNodes."""
RETRANSMIT_MULTIPLIER = 4
"""RetransmitMult."""
PUSH_PULL_S = 30.0
"""PushPullInterval."""
PUSH_PULL_SCALE_FROM = 32
"""Members up to which the interval is as it is (pushPullScaleThreshold)."""


def transmissions(members_count: int) -> int:
    """How often one statement is sent by each member that has it (retransmitLimit)."""
    return RETRANSMIT_MULTIPLIER * math.ceil(math.log10(members_count + 1))


def push_pull_s(members_count: int) -> float:
    """Seconds from one exchange of everything to the next, of one member (pushPullScale)."""
    if members_count <= PUSH_PULL_SCALE_FROM:
        return PUSH_PULL_S
    return PUSH_PULL_S * (math.ceil(math.log2(members_count)) - math.log2(PUSH_PULL_SCALE_FROM) + 1)


@dataclass(slots=True)
class _Queued:
    """A statement that still spreads."""

    message: Ownership
    size: int
    """Encoded, in bytes."""
    sent: int = 0
    """How often."""
    ticked: bool = False
    """Whether the latest tick has sent it."""


class MemberlistPush(Push):
    """
    The queue of statements, those sent least often first and of those the newest; the interface of `Push`.

    Args:
        settings: Not used but for what `Push` wants.
        rng: Chooses whom to tell, and when in the period the ticks are.
        size: The encoded size of a message in bytes.
        budget_bytes: Of one tick to one member: what a datagram has room for.
        now: Seconds on the monotonic clock.
    """

    def __init__(
        self,
        settings: GossipSettings,
        rng: Random,
        size: Callable[[Message], int],
        budget_bytes: int,
        now: float,
    ) -> None:
        super().__init__(settings, rng, size, budget_bytes, now)
        self._queue: list[_Queued] = []
        self._tick_at = now + rng.random() * GOSSIP_S
        self._members_count = 1
        self._idle = True
        """Whether ticks have passed that nobody was woken for, as there was nothing to send."""

    @property
    def wake_at(self) -> float:
        """The next tick, or an earlier time; infinity if nothing is queued."""
        return self._tick_at if self._queue else math.inf

    def add(self, message: Ownership) -> int:
        """Queue a message in pieces that fit; it waits for the next tick, and nothing is dropped for it."""
        pieces = [_Queued(piece, size) for piece, size in self._pieces(message) if size <= self._budget_bytes]
        self._idle = self._idle or not self._queue
        self._queue[:0] = pieces
        return 0

    def burst(self, members: Sequence[Member], now: float) -> list[Tell]:
        """What the tick that is due sends, if one is: each member in turn takes what was sent least."""
        self._members_count = 1 + len(members)
        if now < self.wake_at:
            return []
        late, self._idle = self._idle and now > self._tick_at, False
        self._tick_at = self._next_tick(now)
        if late:
            return []
        for one in self._queue:
            one.ticked = False
        chosen = self._rng.sample(members, min(GOSSIP_NODES, len(members)))
        return [Tell(member.endpoint, one.message) for member in chosen for one in self._taken(tick=True)]

    def offered(self) -> list[tuple[Ownership, int]]:
        """What rides on another packet, and so counts as sent; not what the latest tick sends."""
        return [(one.message, one.size) for one in self._taken(tick=False)]

    def _next_tick(self, now: float) -> float:
        """After now, and a whole number of periods after the last: ticks do not wait for statements."""
        missed = math.floor((now - self._tick_at) / GOSSIP_S) + 1
        return self._tick_at + max(1, missed) * GOSSIP_S

    def _taken(self, *, tick: bool) -> list[_Queued]:
        """For one datagram, counted as sent; those that were sent often enough leave the queue."""
        left = self._budget_bytes
        taken: list[_Queued] = []
        for one in self._queue:
            if one.size <= left and (tick or not one.ticked):
                left -= one.size
                one.sent += 1
                one.ticked = tick
                taken.append(one)
        times_max = transmissions(self._members_count)
        # A stable sort: of those sent equally often the newest stays first.
        self._queue = sorted((one for one in self._queue if one.sent < times_max), key=lambda one: one.sent)
        return taken


class MemberlistGossip(Gossip):
    """Ours, but for how statements spread and what repairs."""

    _PUSH = MemberlistPush
    _exchange_at = math.inf

    @property
    def wake_at(self) -> float:
        """As of `Gossip`, and when the next exchange is."""
        return min(super().wake_at, self._exchange_at)

    def wake(self, digest: Digest, now: float) -> list[Effect]:
        """As of `Gossip`, and the exchange with a random member that is due."""
        effects = super().wake(digest, now)
        if self._exchange_at == math.inf:
            self._exchange_at = now + self._rng.random() * PUSH_PULL_S
        elif self._exchange_at <= now:
            members = self.members.alive()
            self._exchange_at = now + push_pull_s(1 + len(members))
            if members:
                chosen = self._rng.choice(members)
                effects.append(Repair(chosen.peer, chosen.endpoint))
        return effects

    def _compare(self, header: Header, fingerprint: int, digest: Digest, now: float) -> list[Effect]:  # noqa: ARG002  # as of `Gossip`
        """Nothing: only the exchanges repair."""
        return []


class MemberlistNode(Node):
    """The node, but that it exchanges everything with a member instead of looking for what differs."""

    def _gossiped(self, wanted: Iterable[Effect]) -> list[Step]:
        """As of `Node`; a repair tells all that is known here, and asks for all that is known there."""
        steps: list[Step] = []
        for one in wanted:
            if not isinstance(one, Repair):
                steps.append(one)
                continue
            tables: list[Table] = [*(table for _, table in self._holdings.rings.tables())]
            tables.append(self._gossip.census)
            told = (replace(table.share(0, table.places), asks=False) for table in tables)
            # Who asks without an outline of anything is told everything.
            steps += [Tell(one.endpoint, message, stream=True) for message in (*told, Sync(0, ()))]
        return steps
