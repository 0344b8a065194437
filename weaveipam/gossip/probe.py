"""
Finding out who is there: one member each round, through helpers if it does not answer.

Source: SWIM, sections 3.1 and 4.3, and Lifeguard, section IV.  A round pings the next member of a shuffled
list.  Without an ack after the time-out some helpers are asked to ping it and to pass its ack on, and it is
pinged by stream; without one at the round's end it is suspected, and if it does not refute that in time it is
declared dead.  Dead members are pinged now and then, so that the sides of a healed partition find each other.

A daemon that is ill itself (slow, or badly connected) would blame others for what it did not hear.  It keeps
score of that: a round in which the helpers were silent too says more about itself than about the target, and
makes the next rounds and their time-outs longer; until it is well again it also takes no suspect for dead
sooner than if nobody else accused it, as it may have missed what refutes that.  And when a deadline is
noticed much too late, it was stalled: then the ping under way is forgotten and all suspects get that much
longer.

Does not know how rumours travel, nor what is believed; it only proposes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from ring.ring import Peer
from weaveipam.gossip.members import Change, Member, Members
from weaveipam.gossip.settings import GossipSettings
from weaveipam.gossip.suspicions import Suspicions
from weaveipam.protocol.effects import Level, Report
from weaveipam.protocol.messages import Ack, FreeHint, Header, Nack, Ping, PingRequest, Rumour, Tell
from weaveipam.protocol.values import Endpoint, MemberState

RELAYS_MAX = 1024
"""Pings for others under way at most; at one more the oldest is forgotten, as if its ack were lost."""

NACK_SHARE = 0.8
"""
Of the probe time-out, how long a helper waits for an ack before it says that it has none.

So that the nack is there before the round of who asked is over.  Source: Lifeguard section IV-A.
"""

UNDOUBTED_EXTRA = 8
"""Members looked at beside as many as helpers are sought, as some of them may be suspects themselves."""

HEALING_ROUNDS = 3
"""Rounds after the last return of a dead member in which others are looked for as eagerly."""

HEALING_PROBES_MAX = 32
"""Dead members pinged at most in such a round, by one whose side of the partition was small."""

MISSED_WEIGHT = 0.1
"""Of the latest ping in the share of pings that had no ack in time: that of some ten rounds counts."""

MISSED_LOSSY = 0.19
"""Of pings: so many have none where one packet in ten gets lost, on the way there or back."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What a daemon says of itself on every ping and ack."""

    fingerprint: int
    """64 bits over all that members compare."""
    hints: tuple[FreeHint, ...] = ()
    """What it could give away; no more than fit into a datagram beside a ping."""


@dataclass(slots=True)
class _Pending:
    """The ping of this round, not acked so far."""

    probe: int
    target: Peer
    ask_at: float
    """When helpers are asked, if it is not acked until then; infinity once they are."""
    fail_at: float
    """When it has failed."""
    helped: bool = False
    """Whether helpers were asked."""
    silent: dict[Peer, None] = field(default_factory=dict)
    """Those of them that have not even sent a nack."""


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
        """Who is still to be probed before the list is shuffled anew, the next one last."""
        self._in_order: set[str] = set()
        """The same names, to look one up."""
        self._health = 0
        self._missed = 0.0
        """
        The share of pings to members that are there that had no ack in time, the latest counting most.

        Of those whom neither helpers nor a stream reach nobody knows whether packets got lost.
        """
        self._pending: _Pending | None = None
        self._suspicions = Suspicions(settings)
        self._accused: dict[str, None] = {}
        """Suspects that this daemon itself has accused, and so owes every chance to hear of it."""
        self._calls: dict[str, None] = {}
        self._calls_at = now
        self._healing_until = now
        self._relays: dict[int, tuple[int, Endpoint]] = {}
        """The number of a ping for another, to that other's number and endpoint."""
        self._nacks: deque[tuple[float, int]] = deque()
        """When to say of which of these pings that there is no ack; in order of both."""

    @property
    def wake_at(self) -> float:
        """The next deadline, in seconds on the monotonic clock; in the past if it was missed."""
        while self._nacks and self._nacks[0][1] not in self._relays:
            self._nacks.popleft()
        nack_at = self._nacks[0][0] if self._nacks else math.inf
        return min(self._deadline(), nack_at, self._calls_at if self._calls else math.inf)

    @property
    def health(self) -> int:
        """How ill this daemon finds itself: 0 is well, `health_max` the worst (Lifeguard, section IV-A)."""
        return self._health

    def worsen(self) -> None:
        """Note a sign that this daemon is ill itself: it has to refute a suspicion, say."""
        self._health = min(self._health + 1, self._settings.health_max)

    def note(self, change: Change, now: float, accuser: str = "") -> None:
        """
        Take into account what is believed of another member from now on.

        Args:
            change: Of what is believed.
            now: Seconds on the monotonic clock.
            accuser: If it is suspected, the name of who says so, as far as that was told.
        """
        name, state = change.after.peer.name, change.after.state
        if state is MemberState.SUSPECT:
            self._suspicions.begin(name, accuser, 1 + self._members.alive_count, now)
        else:
            self._suspicions.end(name)
            self._accused.pop(name, None)
        if change.after.present and name not in self._in_order:
            self._place(name)
        if (
            state is MemberState.ALIVE
            and change.before is not None
            and change.before.state is MemberState.DEAD
        ):
            self._healed(now)

    def confirm(self, name: str, accuser: str, now: float) -> bool:
        """Count another accuser of a suspect; whether that is news, and so worth passing on."""
        return self._suspicions.confirm(name, accuser, now)

    def conclude(self, name: str, now: float) -> None:
        """Give a suspect the least time there is, as somebody else has taken it for dead already."""
        self._suspicions.conclude(name, now)

    def call(self, name: str, now: float) -> None:
        """Ping that member as soon as possible, besides the round's."""
        self._calls[name] = None
        self._calls_at = now

    def forgive(self, now: float) -> float:
        """
        Where a deadline is noticed so late that this daemon must have been stalled, start afresh.

        Returns: Seconds of the stall, or by which the clock has jumped; 0 if there was none.
        """
        stall_s = now - self._deadline()
        if stall_s <= self._settings.probe_timeout_s:
            return 0.0
        self._pending = None
        self._suspicions.postpone(stall_s, now)
        return stall_s

    def verdicts(self, now: float) -> list[Rumour]:
        """What must be said of members whose deadlines have passed: suspect, or dead."""
        said = []
        for name in self._suspicions.due(now, ill=self._health > 0):
            member = self._members.get(name)
            if member is not None:
                said.append(Rumour(member.peer, member.endpoint, MemberState.DEAD, member.refutation))
        if self._pending is not None and self._pending.fail_at <= now:
            said += self._failed(self._pending, now)
            self._pending = None
        return said

    def pings(self, digest: Digest, now: float) -> list[Tell]:
        """All pings and requests for pings that are due now."""
        tells: list[Tell] = []
        if self._pending is not None and self._pending.ask_at <= now:
            tells += self._ask_helpers(self._pending, digest)
        if self._round_at <= now:
            tells += self._next_round(digest, now)
        for name in self._calls:
            member = self._members.get(name)
            if member is not None and member.state is not MemberState.LEFT:
                tells += self._ping(member, self._next_number(), digest)
        self._calls.clear()
        return [*tells, *self._overdue_nacks(now)]

    def answer(self, header: Header, ping: Ping, digest: Digest) -> Tell:
        """The ack; the own rumour if another life, or another daemon, is meant."""
        me = self._members.me
        if ping.target == me.peer:
            ack = Ack(ping.probe, None, digest.fingerprint, digest.hints)
            return Tell(header.endpoint, ack, stream=ping.stream)
        return Tell(header.endpoint, me.rumour())

    def relay(self, header: Header, request: PingRequest, digest: Digest, now: float) -> list[Tell | Report]:
        """A ping on behalf of the sender, whose ack will be passed on; `pings` says so if there is none."""
        number = self._next_number()
        self._relays[number] = (request.probe, header.endpoint)
        self._nacks.append((now + NACK_SHARE * self._settings.probe_timeout_s, number))
        ping = Ping(number, request.target, digest.fingerprint, digest.hints)
        steps: list[Tell | Report] = [Tell(request.endpoint, ping)]
        if len(self._relays) > RELAYS_MAX:
            del self._relays[next(iter(self._relays))]
            steps.append(Report(Level.DEBUG, "relay-dropped"))
        return steps

    def acked(self, ack: Ack, now: float) -> list[Tell]:
        """Note that the subject, which must be named, is there; pass that on to whom it was asked for."""
        assert ack.subject is not None, "named by whoever received it"
        pending = self._pending
        answered = pending is not None and (ack.probe, ack.subject) == (pending.probe, pending.target)
        if pending is not None and answered:
            self._missed += MISSED_WEIGHT * ((pending.ask_at == math.inf) - self._missed)
            self._pending = None
        if answered or ack.subject.name in self._accused:
            self._recover(now)
        relay = self._relays.pop(ack.probe, None)
        if relay is None:
            return []
        probe, endpoint = relay
        return [Tell(endpoint, Ack(probe, ack.subject, ack.fingerprint, ack.hints))]

    @property
    def lossy(self) -> bool:
        """Whether so many acks were missed lately that more than a tenth of all packets seem to get lost."""
        return self._missed > MISSED_LOSSY

    def returned(self, now: float) -> None:
        """Look for those this daemon has accused: it was taken for dead itself, and can be heard again."""
        for name in self._accused:
            self.call(name, now)

    def nacked(self, sender: Peer, nack: Nack) -> None:
        """Note that a helper is there, though it has no ack."""
        if self._pending is not None and self._pending.probe == nack.probe:
            self._pending.silent.pop(sender, None)

    def _recover(self, now: float) -> None:
        """Note a sign that this daemon is well; rounds that were stretched need not be waited for."""
        if not self._health:
            return
        self._health -= 1
        if self._pending is None:
            self._round_at = min(self._round_at, now + self._interval_s())

    def _failed(self, pending: _Pending, now: float) -> list[Rumour]:
        """What a ping that was not acked says of its target, and of this daemon's own health."""
        if pending.silent or not pending.helped:
            self.worsen()
        member = self._members.get(pending.target.name)
        if member is None or member.peer != pending.target or not member.present:
            return []
        self._accused[member.peer.name] = None
        self.call(member.peer.name, now)
        me = self._members.me.peer.name
        return [Rumour(member.peer, member.endpoint, MemberState.SUSPECT, member.refutation, me)]

    def _overdue_nacks(self, now: float) -> Iterator[Tell]:
        """Word to those on whose behalf members were pinged that have not acked so far."""
        while self._nacks and self._nacks[0][0] <= now:
            _, number = self._nacks.popleft()
            if number in self._relays:
                probe, endpoint = self._relays[number]
                yield Tell(endpoint, Nack(probe))

    def _deadline(self) -> float:
        """The next deadline of a round or a suspicion."""
        pending = self._pending
        asked = math.inf if pending is None else min(pending.ask_at, pending.fail_at)
        return min(self._round_at, asked, self._suspicions.wake_at)

    def _interval_s(self) -> float:
        """Until the next round."""
        return self._stretch() * self._settings.probe_interval_s * (0.9 + 0.2 * self._rng.random())

    def _stretch(self) -> int:
        """By how much rounds and time-outs are longer; with nobody there, nobody can be blamed wrongly."""
        return 1 + self._health if self._members.alive_count else 1

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _next_round(self, digest: Digest, now: float) -> list[Tell]:
        """Ping the next member, whom this daemon has accused, and now and then a dead one."""
        self._rounds += 1
        for name in self._accused:
            self.call(name, now)
        self._round_at = now + self._interval_s()
        target = self._next_target()
        if now < self._healing_until:
            self._call_hidden(now)
        elif target is None or self._rounds % self._settings.dead_probe_rounds == 0:
            self._call_dead(1, now)
        if target is None:
            return []
        number = self._next_number()
        ask_at = now + self._stretch() * self._settings.probe_timeout_s
        self._pending = _Pending(number, target.peer, ask_at, self._round_at)
        return self._ping(target, number, digest)

    def _next_target(self) -> Member | None:
        """The next member of the list that is still there; the list is shuffled anew when it is used up."""
        for _ in range(2):
            while self._order:
                name = self._order.pop()
                self._in_order.discard(name)
                member = self._members.get(name)
                if member is not None and member.present:
                    return member
            self._order = [member.peer.name for member in self._members.alive()]
            self._in_order = set(self._order)
            self._rng.shuffle(self._order)
        return None

    def _place(self, name: str) -> None:
        """Put a newcomer at a random place of the list (SWIM, section 4.3)."""
        self._in_order.add(name)
        self._order.append(name)
        place = self._rng.randrange(len(self._order))
        self._order[place], self._order[-1] = self._order[-1], self._order[place]

    def _ping(self, member: Member, number: int, digest: Digest) -> list[Tell]:
        """A ping, with what the target should contradict (the buddy system of Lifeguard, section IV-C)."""
        ping = Ping(number, member.peer, digest.fingerprint, digest.hints)
        tells = [Tell(member.endpoint, ping)]
        if member.state is not MemberState.ALIVE:
            tells.append(Tell(member.endpoint, member.rumour()))
        return tells

    def _ask_helpers(self, pending: _Pending, digest: Digest) -> Iterator[Tell]:
        """Requests to some other members that nobody doubts, and a ping by stream."""
        pending.ask_at = math.inf
        target = self._members.get(pending.target.name)
        if target is None or target.peer != pending.target:
            return
        for helper in self._helpers(target.peer):
            pending.silent[helper.peer] = None
            yield Tell(helper.endpoint, PingRequest(pending.probe, target.peer, target.endpoint))
        pending.helped = bool(pending.silent)
        ping = Ping(pending.probe, target.peer, digest.fingerprint, digest.hints, stream=True)
        yield Tell(target.endpoint, ping, stream=True)

    def _helpers(self, target: Peer) -> list[Member]:
        """Random members that nobody doubts, but for the target; few or none where nearly all are doubted."""
        some = self._members.some(self._rng, self._settings.helpers + UNDOUBTED_EXTRA)
        sound = [one for one in some if one.state is MemberState.ALIVE and one.peer != target]
        return sound[: self._settings.helpers]

    def _healed(self, now: float) -> None:
        """Look for more of those that a partition had hidden, as one of them is back."""
        if now >= self._healing_until:
            self._call_hidden(now)
        self._healing_until = now + HEALING_ROUNDS * self._settings.probe_interval_s

    def _call_hidden(self, now: float) -> None:
        """Ping some of the dead: all of this side together ping all of them, within bounds."""
        share = self._members.gone_count // (1 + self._members.alive_count)
        self._call_dead(max(self._settings.healing_probes, min(share, HEALING_PROBES_MAX)), now)

    def _call_dead(self, count: int, now: float) -> None:
        """Ping so many dead members, or as many as there are."""
        dead = self._members.dead()
        for name in self._rng.sample(dead, min(count, len(dead))):
            self.call(name, now)
