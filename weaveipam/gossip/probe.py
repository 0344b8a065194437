"""
Finding out who is there: one member each round, through helpers if it does not answer.

Source: SWIM, sections 3.1 and 4.3.  A round pings the next member of a shuffled list.  Without an ack after
the time-out some helpers are asked to ping it and to pass its ack on; without one at the round's end it is
suspected, and if it does not refute that in time it is declared dead.  Dead members are pinged now and then,
so that the sides of a healed partition find each other.

A daemon that was stalled itself (by its disk, or its host) would blame others for what it did not hear.  So
when a deadline is noticed much too late, the ping under way is forgotten and all suspects get that much
longer; Lifeguard serves the same end by keeping score of its own health.

Does not know how rumours travel, nor what is believed; it only proposes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from ring.ring import Peer
from weaveipam.gossip.members import Change, Member, Members
from weaveipam.gossip.settings import GossipSettings
from weaveipam.protocol.messages import Ack, FreeHint, Header, Ping, PingRequest, Rumour, Tell
from weaveipam.protocol.values import Endpoint, MemberState

RELAYS_MAX = 1024
"""Pings for others under way at most; at one more the oldest is forgotten, as if its ack were lost."""

HEALING_ROUNDS = 3
"""Rounds after the last return of a dead member in which others are looked for as eagerly."""

HEALING_PROBES_MAX = 32
"""Dead members pinged at most in such a round, by one whose side of the partition was small."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What a daemon says of itself on every ping and ack."""

    fingerprint: int
    """64 bits over all ownership that it knows."""
    hints: tuple[FreeHint, ...] = ()
    """What it could give away; as many as fit into a datagram beside a ping."""


@dataclass(slots=True)
class _Pending:
    """The ping of this round, not acked so far."""

    probe: int
    target: Peer
    ask_at: float
    """When helpers are asked, if it is not acked until then; infinity once they are."""
    fail_at: float
    """When it has failed."""


class Probe:
    """
    The prober of one daemon.

    Args:
        members: The table, which is only read.
        settings: The `probe_`, `suspicion_` and neighbouring ones are used.
        rng: For the order of probes, the choice of helpers and the jitter of rounds.
        now: Seconds on the monotonic clock.
    """

    def __init__(self, members: Members, settings: GossipSettings, rng: Random, now: float) -> None:
        self._members = members
        self._settings = settings
        self._rng = rng
        self._number = rng.getrandbits(32)  # so that acks meant for an earlier process are not taken for ours
        self._rounds = rng.randrange(settings.dead_probe_rounds)
        self._round_at = now + rng.random() * settings.probe_interval_s  # daemons started together spread out
        self._order: list[str] = []
        self._pending: _Pending | None = None
        self._suspects: dict[str, float] = {}
        self._accused: dict[str, None] = {}
        """Suspects that this daemon itself has accused, and so owes every chance to hear of it."""
        self._calls: dict[str, None] = {}
        self._calls_at = now
        self._healing_until = now
        self._relays: dict[int, tuple[int, Endpoint]] = {}

    @property
    def wake_at(self) -> float:
        """The next deadline, in seconds on the monotonic clock; in the past if it was missed."""
        return min(self._deadline(), self._calls_at if self._calls else math.inf)

    def note(self, change: Change, now: float) -> None:
        """Take into account what is believed of another member from now on."""
        name, state = change.after.peer.name, change.after.state
        self._suspects.pop(name, None)
        if state is MemberState.SUSPECT:
            self._suspects[name] = now + self._settings.suspicion_s(1 + self._members.alive_count)
        else:
            self._accused.pop(name, None)
        if change.after.present and (change.before is None or not change.before.present):
            self._order.insert(self._rng.randint(0, len(self._order)), name)
        if (
            state is MemberState.ALIVE
            and change.before is not None
            and change.before.state is MemberState.DEAD
        ):
            self._healed(now)

    def call(self, name: str, now: float) -> None:
        """Ping that member as soon as possible, besides the round's."""
        self._calls[name] = None
        self._calls_at = now

    def forgive(self, now: float) -> None:
        """Where a deadline is noticed so late that this daemon must have been stalled, start afresh."""
        stall_s = now - self._deadline()
        if stall_s <= self._settings.probe_timeout_s:
            return
        self._pending = None
        # At most what one suspected now would have: of the later ones it heard when it was stalled no more.
        fresh = now + self._settings.suspicion_s(1 + self._members.alive_count)
        for name, deadline in self._suspects.items():
            self._suspects[name] = min(deadline + stall_s, fresh)

    def verdicts(self, now: float) -> list[Rumour]:
        """What must be said of members whose deadlines have passed: suspect, or dead."""
        said = []
        for name, deadline in list(self._suspects.items()):
            member = self._members.get(name)
            if deadline <= now and member is not None:
                said.append(Rumour(member.peer, member.endpoint, MemberState.DEAD, member.refutation))
        if self._pending is not None and self._pending.fail_at <= now:
            target, self._pending = self._pending.target, None
            member = self._members.get(target.name)
            if member is not None and member.peer == target and member.state is MemberState.ALIVE:
                self._accused[target.name] = None
                self.call(target.name, now)
                said.append(Rumour(target, member.endpoint, MemberState.SUSPECT, member.refutation))
        return said

    def pings(self, digest: Digest, now: float) -> list[Tell]:
        """All pings and requests for pings that are due now."""
        tells: list[Tell] = []
        if self._pending is not None and self._pending.ask_at <= now:
            tells += self._ask_helpers(self._pending)
        if self._round_at <= now:
            tells += self._next_round(digest, now)
        for name in self._calls:
            member = self._members.get(name)
            if member is not None and member.state is not MemberState.LEFT:
                tells += self._ping(member, self._next_number(), digest)
        self._calls.clear()
        return tells

    def answer(self, header: Header, ping: Ping, digest: Digest) -> Tell:
        """The ack; the own rumour if another life, or another daemon, is meant."""
        me = self._members.me
        if ping.target == me.peer:
            return Tell(header.endpoint, Ack(ping.probe, me.peer, digest.fingerprint, digest.hints))
        return Tell(header.endpoint, me.rumour())

    def relay(self, header: Header, request: PingRequest, digest: Digest) -> list[Tell]:
        """A ping on behalf of the sender, whose ack will be passed on."""
        number = self._next_number()
        self._relays[number] = (request.probe, header.endpoint)
        if len(self._relays) > RELAYS_MAX:
            del self._relays[next(iter(self._relays))]
        return [Tell(request.endpoint, Ping(number, request.target, digest.fingerprint, digest.hints))]

    def acked(self, ack: Ack) -> list[Tell]:
        """Note that the subject is there, and pass that on to whom it was asked for."""
        if self._pending is not None and (ack.probe, ack.subject) == (
            self._pending.probe,
            self._pending.target,
        ):
            self._pending = None
        relay = self._relays.pop(ack.probe, None)
        if relay is None:
            return []
        probe, endpoint = relay
        return [Tell(endpoint, Ack(probe, ack.subject, ack.fingerprint, ack.hints))]

    def _deadline(self) -> float:
        """The next deadline of a round or a suspicion."""
        pending = self._pending
        asked = math.inf if pending is None else min(pending.ask_at, pending.fail_at)
        return min(self._round_at, asked, min(self._suspects.values(), default=math.inf))

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _next_round(self, digest: Digest, now: float) -> list[Tell]:
        """Ping the next member, whom this daemon has accused, and now and then a dead one."""
        self._rounds += 1
        for name in self._accused:
            self.call(name, now)
        self._round_at = now + self._settings.probe_interval_s * (0.9 + 0.2 * self._rng.random())
        target = self._next_target()
        if now < self._healing_until:
            self._call_hidden(now)
        elif target is None or self._rounds % self._settings.dead_probe_rounds == 0:
            self._call_dead(1, now)
        if target is None:
            return []
        number = self._next_number()
        self._pending = _Pending(number, target.peer, now + self._settings.probe_timeout_s, self._round_at)
        return self._ping(target, number, digest)

    def _next_target(self) -> Member | None:
        """The next member of the list that is still there; the list is shuffled anew when it is used up."""
        for _ in range(2):
            while self._order:
                member = self._members.get(self._order.pop())
                if member is not None and member.present:
                    return member
            self._order = [member.peer.name for member in self._members.alive()]
            self._rng.shuffle(self._order)
        return None

    def _ping(self, member: Member, number: int, digest: Digest) -> list[Tell]:
        """A ping, with what the target should contradict (as in Lifeguard's buddy system)."""
        ping = Ping(number, member.peer, digest.fingerprint, digest.hints)
        tells = [Tell(member.endpoint, ping)]
        if member.state is not MemberState.ALIVE:
            tells.append(Tell(member.endpoint, member.rumour()))
        return tells

    def _ask_helpers(self, pending: _Pending) -> Iterator[Tell]:
        """Requests to some other members that nobody doubts."""
        pending.ask_at = math.inf
        target = self._members.get(pending.target.name)
        if target is None or target.peer != pending.target:
            return
        others = [
            member
            for member in self._members.alive()
            if member.state is MemberState.ALIVE and member.peer != target.peer
        ]
        for helper in self._rng.sample(others, min(self._settings.helpers, len(others))):
            yield Tell(helper.endpoint, PingRequest(pending.probe, target.peer, target.endpoint))

    def _healed(self, now: float) -> None:
        """Look for more of those that a partition had hidden, as one of them is back."""
        if now >= self._healing_until:
            self._call_hidden(now)
        self._healing_until = now + HEALING_ROUNDS * self._settings.probe_interval_s

    def _call_hidden(self, now: float) -> None:
        """Ping some of the dead: all of this side together ping all of them, within bounds."""
        share = len(self._dead()) // (1 + self._members.alive_count)
        self._call_dead(max(self._settings.healing_probes, min(share, HEALING_PROBES_MAX)), now)

    def _call_dead(self, count: int, now: float) -> None:
        """Ping so many dead members, or as many as there are."""
        dead = self._dead()
        for name in self._rng.sample(dead, min(count, len(dead))):
            self.call(name, now)

    def _dead(self) -> list[str]:
        """The names of dead members, sorted."""
        return [member.peer.name for member in self._members.all() if member.state is MemberState.DEAD]
