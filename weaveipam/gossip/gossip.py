"""
The one door of this package: what a daemon says to learn who is there, and to spread what it knows.

Brings together the table of members, the prober, the rumours and the pushes.  Every method that takes `now`
wants seconds on the monotonic clock, never less than in any earlier call.
Does not know what ownership means, how a packet looks, nor which cluster it is in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar, TypeAlias, assert_never

from ring.ring import Peer
from weaveipam.gossip.census import PLACES, Census
from weaveipam.gossip.members import Change, Members
from weaveipam.gossip.probe import Digest, Probe
from weaveipam.gossip.push import Push
from weaveipam.gossip.rumours import Rumours
from weaveipam.gossip.seal import OVERHEAD_BYTES
from weaveipam.gossip.settings import GossipSettings
from weaveipam.gossip.twins import Twins
from weaveipam.protocol import codec
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX, Level, Report
from weaveipam.protocol.messages import (
    Ack,
    End,
    Header,
    Message,
    Nack,
    Ownership,
    Ping,
    PingRequest,
    Rumour,
    Tell,
)
from weaveipam.protocol.values import Endpoint, MemberState

__all__ = ["Digest", "Effect", "Gossip", "GossipSettings", "Repair"]

NAME_REPORT_INTERVAL_S = 60.0
"""Seconds between two reports that the own name is in use elsewhere: operators need one, not one a packet."""

MEMBERS_MAX = 20_000
"""Names that are known at most, `GONE_MAX` of them gone; of more nothing is believed."""

RUMOURS_PER_PACKET = 16
"""About as many as a datagram has room for; where more wait a burst of rumours goes to more members."""

WIDE_BURST = 4
"""How many times `fan_out` a burst of rumours is at most, however many wait."""

TELLINGS_MAX = 2048
"""
Rumours that wait, times the packets that each rides on: some 80 kB.

Where that would be more, as after a partition, each rides on fewer: most of the later packets would tell of
it who knows it, and what a few have not heard a repair brings for less.
"""

TIMES_MIN = 3
"""
Packets that each of many rumours rides on: by them alone one member of some twenty hears nothing of it.

Source: an epidemic leaves out the share s of members that solves s = exp(-times * (1 - s)).
"""

STALL_REPORT_INTERVAL_S = 60.0
"""Seconds between two reports that this daemon was stalled, and of what its reports tell the longest."""

FAREWELLS = 8
"""Members that are told of a leave at once; who misses it takes the member for dead, which is harmless."""


@dataclass(frozen=True, slots=True)
class Repair:
    """Fingerprints differ: begin to find out in what, with this one."""

    peer: Peer
    endpoint: Endpoint


Effect: TypeAlias = Tell | Report | Repair | End
"""What a daemon's gossip may ask for; performed in order."""


class Gossip:
    """
    Membership and dissemination of one daemon.

    Args:
        me: This life of this daemon.
        endpoint: Where others reach it.
        settings: How eager it is.
        rng: All chance it takes.
        now: Seconds on the monotonic clock.
        size: The bytes that a message adds to a packet.
    """

    _PUSH: ClassVar[type[Push]] = Push
    """Another one lets the same gossip be measured with another way to spread."""

    def __init__(
        self,
        me: Peer,
        endpoint: Endpoint,
        settings: GossipSettings,
        rng: Random,
        now: float,
        *,
        size: Callable[[Message], int] = codec.encoded_size,
    ) -> None:
        self.members = Members(me, endpoint, now)
        self.twins = Twins(self.members, rng)
        self._settings = settings
        self._rng = rng
        self._size = size
        self._probe = Probe(self.members, settings, rng, now)
        self._rumours = Rumours(size)
        room = DATAGRAM_BYTES_MAX - OVERHEAD_BYTES - codec.HEADER_BYTES_MAX
        self._push = self._PUSH(settings, rng, size, room, now)
        self._rumoured_at = now - settings.rumour_interval_s
        """When the last burst of rumours was."""
        self._awake = False
        """Whether `wake` was called, and so may be missed."""
        self._stall_s = 0.0
        """The longest stall that no report has told of."""
        self._stall_reported_at = now - STALL_REPORT_INTERVAL_S
        self._repaired_at = now - settings.repair_interval_s
        self._name_reported_at = now - NAME_REPORT_INTERVAL_S
        self._corrected_at: dict[str, float] = {}
        """When a member was last told, by name, what is said of it."""
        self._rumours.add(self.members.me.rumour())
        self.bind(b"")

    def bind(self, key: bytes) -> None:
        """Compare members by digests with this key, of at most 64 bytes, from now on."""

        def digests(peer: Peer, endpoint: Endpoint, refutation: int) -> tuple[int, int]:
            place, digest = codec.member_digest(peer, endpoint, refutation, key)
            return place % PLACES, digest

        self.census = Census(self.members, digests)

    @property
    def wake_at(self) -> float:
        """When `wake` is due, in seconds on the monotonic clock; a time in the past means at once."""
        if self._left:
            return self._push.wake_at
        return min(self._probe.wake_at, self._push.wake_at, self._rumours_at)

    @property
    def health(self) -> int:
        """How ill this daemon finds itself: 0 is well, `health_max` the worst (Lifeguard, section IV-A)."""
        return self._probe.health

    def wake(self, digest: Digest, now: float) -> list[Effect]:
        """All that is due now; harmless when it is called too early."""
        effects: list[Effect] = []
        if not self._left:
            effects += self._stalled(self._probe.forgive(now), now)
            for verdict in self._probe.verdicts(now):
                effects += self._believe(verdict, now)
            effects += self._probe.pings(digest, now)
            effects += self._burst(now)
            for name in self.members.forget(now - self._settings.remember_s):
                self._corrected_at.pop(name, None)
        if self._push.wake_at <= now:
            effects += self._push.burst(self.members.alive(), now)
        return effects

    def heard(self, header: Header, now: float) -> list[Effect]:
        """
        What follows from any packet of the same cluster, before its messages: its sender is there.

        An unknown one, or a later life, is introduced.  One of whom something else is believed is told so and
        pinged, and will refute; that it was heard from is no proof of its own, as packets may be late.
        """
        me, sender = self.members.me, header.sender
        if sender == me.peer and header.endpoint == me.endpoint:
            return []
        if sender.name == me.peer.name:
            return [*self._name_in_use(sender, header.endpoint, now)]
        held = self.members.get(sender.name)
        later = held is not None and held.peer.incarnation < sender.incarnation
        if held is None or (later and self.twins.rival(header) is None):
            return [*self._believe(Rumour(sender, header.endpoint, MemberState.ALIVE, 0), now)]
        if (held.peer, held.endpoint, held.state) == (sender, header.endpoint, MemberState.ALIVE):
            return []
        return self._correct(header, held.rumour(), now)

    def receive(
        self,
        header: Header,
        message: Ping | Ack | PingRequest | Nack | Rumour,
        digest: Digest,
        now: float,
    ) -> list[Effect]:
        """
        The answer to one message of a packet of the same cluster.

        Args:
            header: Of its packet; answers go to its endpoint.
            message: One of those that are this package's.
            digest: What this daemon knows, to be compared and said.
            now: Seconds on the monotonic clock.
        """
        match message:
            case Ping():
                self.members.note_hints(header.sender, message.hints)
                answer = self._probe.answer(header, message, digest)
                return [answer, *self._compare(header, message.fingerprint, digest, now)]
            case Ack():
                subject = message.subject or header.sender
                self.members.note_hints(subject, message.hints)
                return [*self._probe.acked(replace(message, subject=subject), now)]
            case PingRequest():
                return [*self._probe.relay(header, message, digest, now)]
            case Nack():
                self._probe.nacked(header.sender, message)
                return []
            case Rumour():
                return [*self.rumoured(header, message, now)]
            case _:
                assert_never(message)

    def push(self, message: Ownership) -> list[Report]:
        """
        Spread statements eagerly; `wake_at` may be in the past from now on.

        They are what was just stated here, or just learned; whoever learns from them pushes on.  Reported is
        what had to be dropped for it.
        """
        self._push.lossy = self._probe.lossy
        dropped = self._push.add(message)
        return [Report(Level.DEBUG, "push-dropped", (("pushes", dropped),))] if dropped else []

    def piggyback(self, budget_bytes: int) -> tuple[Message, ...]:
        """
        What may ride on a packet that has this much room; to be called once for each packet that is sent.

        While ownership is being pushed rumours take at most half of the room, so that churn of members cannot
        starve it.

        Invariant: the encoded sizes add up to at most `budget_bytes`.
        """
        offered = self._push.offered()
        if not offered:
            return self._rumours.fill(budget_bytes, self._rumour_times)
        said: list[Message] = [*self._rumours.fill(budget_bytes // 2, self._rumour_times)]
        left = budget_bytes - sum(map(self._size, said))
        for ownership, size in offered:
            if size <= left:
                left -= size
                said.append(ownership)
        return tuple(said)

    def leave(self, now: float) -> list[Effect]:
        """Say good-bye to some members; from now on only acks and pushes under way are sent."""
        before = self.members.me
        self.members.leave(now)
        self.census.note(Change(before, self.members.me))
        rumour = self.members.me.rumour()
        self._rumours.add(rumour)
        alive = self.members.alive()
        chosen = self._rng.sample(alive, min(FAREWELLS, len(alive)))
        return [Tell(member.endpoint, rumour) for member in chosen]

    def rumoured(
        self, header: Header, rumour: Rumour, now: float, *, bulk: bool = False
    ) -> list[Tell | Report | End]:
        """
        As `receive`, of a rumour, and without a digest, which so many messages need not wait for.

        Believes it if it is news; contradicts it if it is about this daemon and not so.

        Args:
            header: Of its packet.
            rumour: What is said.
            now: Seconds on the monotonic clock.
            bulk: Whether it is one of many at once: then names that are new are not spread, or a newcomer
                that is told of a thousand members would tell them all of each other.
        """
        if rumour.peer.name == self.members.me.peer.name:
            return self._rumoured_of_me(header, rumour, now)
        if rumour.peer.name == header.sender.name and self.twins.rival(header) is not None:
            return []  # its own word against that of one who is there
        weakened = self._weakened(rumour)
        effects = self._believe(weakened, now, bulk=bulk)
        if weakened is not rumour:
            self._probe.conclude(rumour.peer.name, now)
        return [*effects]

    def _rumoured_of_me(self, header: Header, rumour: Rumour, now: float) -> list[Tell | Report | End]:
        """What to say against a rumour of this daemon's name."""
        me = self.members.me
        if rumour.peer.incarnation > me.peer.incarnation:
            if rumour.endpoint == me.endpoint:
                return [End(f"members know a later life of this daemon, {rumour.peer}", rumour.peer)]
            return [*self._name_in_use(rumour.peer, rumour.endpoint, now)]
        if header.sender.name == me.peer.name:
            return []  # `heard` has reported it; two that refute each other would never end
        called: list[Tell | Report] = []
        if rumour.endpoint != me.endpoint and rumour.state <= MemberState.SUSPECT:
            if not self.twins.serving:
                return []  # who is seen there has the name until it is dead
            if rumour.peer == me.peer:
                called += self.twins.elsewhere(rumour.endpoint, now)
            else:
                called += self._name_in_use(rumour.peer, rumour.endpoint, now)
        if rumour.peer.incarnation < me.peer.incarnation:
            # An earlier life of ours: once they hear of this one, all will take it for dead.
            self._rumours.add(me.rumour())
            return [Tell(header.endpoint, me.rumour()), *called]
        effects: list[Tell | Report | End] = [*called, *self._believe(rumour, now)]
        mine = self.members.me.rumour()
        return effects if rumour == mine else [Tell(header.endpoint, mine), *effects]

    @property
    def _rumour_times(self) -> int:
        """
        Packets that carry one rumour; fewer where many wait.

        The gone count too, as those of a mass death may be coming back.
        """
        most = self._settings.retransmissions(1 + self.members.alive_count + self.members.gone_count)
        return min(most, max(TIMES_MIN, TELLINGS_MAX // max(1, len(self._rumours))))

    @property
    def _left(self) -> bool:
        return self.members.me.state is MemberState.LEFT

    def _weakened(self, rumour: Rumour) -> Rumour:
        """
        The rumour; of death a mere suspicion, if this daemon does not even suspect the member.

        A death follows a suspicion that was to be heard by all.  Who comes from the other side of a partition
        believes in the death of everybody here, and should not have his way before they can refute.
        """
        if rumour.state is not MemberState.DEAD:
            return rumour
        held = self.members.get(rumour.peer.name)
        undoubted = held is not None and (held.peer, held.state) == (rumour.peer, MemberState.ALIVE)
        return replace(rumour, state=MemberState.SUSPECT) if undoubted else rumour

    def _believe(self, rumour: Rumour, now: float, *, bulk: bool = False) -> list[Tell | Report]:
        """Enter a rumour in the table, and spread and report it, if it is news."""
        if self.members.known_count >= MEMBERS_MAX and self.members.get(rumour.peer.name) is None:
            return [Report(Level.WARNING, "members-full", (("peer", str(rumour.peer)),))]
        change = self.members.hear(rumour, now)
        if change is None:
            if rumour.state is MemberState.SUSPECT:
                self._confirm(rumour, now)
            return []
        self.census.note(change)
        me = self.members.me.peer
        if change.after.peer == me:
            self._rumours.add(change.after.rumour())
            if rumour.state is MemberState.SUSPECT:
                self._probe.worsen()
            elif rumour.state is MemberState.DEAD:
                self._probe.returned(now)
        else:
            if change.after.witnessed and not (bulk and change.before is None):
                self._rumours.add(rumour)
            self._probe.note(change, now, rumour.accuser)
        return [*_reports(change, me, rumour.accuser)]

    def _confirm(self, rumour: Rumour, now: float) -> None:
        """Count another accuser of a suspect, and spread the word, if it is one of the first."""
        held = self.members.get(rumour.peer.name)
        said = (rumour.peer, rumour.state, rumour.refutation)
        if held is None or (held.peer, held.state, held.refutation) != said:
            return
        if self._probe.confirm(rumour.peer.name, rumour.accuser, now):
            self._rumours.add(replace(held.rumour(), accuser=rumour.accuser))

    @property
    def _rumours_at(self) -> float:
        """When the next burst of rumours is due; infinity if there is nothing to tell, or nobody."""
        if not self._rumours or not self.members.alive_count:
            return math.inf
        return self._rumoured_at + self._settings.rumour_interval_s

    def _burst(self, now: float) -> list[Tell]:
        """A rumour to each of some members, if a burst is due; others will ride along."""
        if now < self._rumours_at:
            return []
        self._rumoured_at = now
        width = min(1 + len(self._rumours) // RUMOURS_PER_PACKET, WIDE_BURST)
        chosen = self.members.some(self._rng, width * self._settings.fan_out)
        rumour = self._rumours.lead(len(chosen), self._rumour_times)
        return [] if rumour is None else [Tell(member.endpoint, rumour) for member in chosen]

    def _stalled(self, stall_s: float, now: float) -> list[Report]:
        """A report that this daemon was stalled, or its clock has jumped, but only now and then."""
        if self._awake and stall_s > self._settings.probe_interval_s:
            self._stall_s = max(self._stall_s, stall_s)
        self._awake = True
        if not self._stall_s or now < self._stall_reported_at + STALL_REPORT_INTERVAL_S:
            return []
        detail = (
            "its clock has jumped, or it could not run; nobody is blamed for what it did not hear meanwhile"
        )
        fields = (("longest_s", f"{self._stall_s:.1f}"), ("detail", detail))
        self._stall_s, self._stall_reported_at = 0.0, now
        return [Report(Level.WARNING, "stalled", fields)]

    def _correct(self, header: Header, rumour: Rumour, now: float) -> list[Effect]:
        """Tell a sender what is said of it, so that it refutes; at most once in each probe time-out."""
        name = rumour.peer.name
        if now < self._corrected_at.get(name, -math.inf) + self._settings.probe_timeout_s:
            return []
        self._corrected_at[name] = now
        if rumour.peer == header.sender and rumour.state is not MemberState.LEFT:
            self._probe.call(name, now)
        return [Tell(header.endpoint, rumour)]

    def _compare(self, header: Header, fingerprint: int, digest: Digest, now: float) -> list[Effect]:
        """
        A repair with the sender, if it knows something else and the last repair is long enough ago.

        Who was pinged begins, alone: its first outlines ride on the ack.
        """
        if fingerprint == digest.fingerprint or now < self._repaired_at + self._settings.repair_interval_s:
            return []
        self._repaired_at = now
        return [Repair(header.sender, header.endpoint)]

    def _name_in_use(self, other: Peer, endpoint: Endpoint, now: float) -> list[Tell | Report]:
        """A report that somebody else has this daemon's name, and word to it, but only now and then."""
        if now < self._name_reported_at + NAME_REPORT_INTERVAL_S:
            return []
        self._name_reported_at = now
        mine = self.members.me
        fields = (
            ("peer", str(other)),
            ("endpoint", str(endpoint)),
            ("mine", str(mine.peer)),
            ("mine_endpoint", str(mine.endpoint)),
        )
        return [Report(Level.ERROR, "name-in-use", fields), Tell(endpoint, mine.rumour())]


def _reports(change: Change, me: Peer, accuser: str) -> list[Report]:
    """What an operator should know of a change; nothing of those that were gone when first heard of."""
    before, after = change.before, change.after
    fields: tuple[tuple[str, str | int], ...] = (("peer", str(after.peer)), ("endpoint", str(after.endpoint)))
    if after.peer == me:
        return [Report(Level.INFO, "suspicion-refuted", (*fields, ("refutation", after.refutation)))]
    if before is None or before.peer != after.peer:
        replaced = () if before is None else (("replaces", str(before.peer)),)
        return [Report(Level.INFO, "member-joined", (*fields, *replaced))] if after.present else []
    if before.state is after.state:
        return []
    by = (("accuser", accuser),) if accuser else ()
    return [Report(*_REPORTS[after.state], (*fields, *by))]


_REPORTS: dict[MemberState, tuple[Level, str]] = {
    MemberState.ALIVE: (Level.INFO, "member-alive"),
    MemberState.SUSPECT: (Level.INFO, "member-suspect"),
    MemberState.DEAD: (Level.WARNING, "member-dead"),
    MemberState.LEFT: (Level.INFO, "member-left"),
}
