"""
How eagerly a daemon looks after its cluster, and what that costs.

Does not know who is in the cluster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from weaveipam.errors import ConfigError

SUSPICION_DECADES_MIN = 3.0
"""
What the logarithm of the members counts as at least, for the time that a suspect has.

What a daemon's pauses are due to (its disk, its host) does not get shorter in a small cluster.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipSettings:
    """
    Every knob of membership and dissemination; the defaults are those of one data centre (`lan`).

    All seconds are of the monotonic clock.

    Raises:
        ConfigError: two values that cannot work together.
    """

    probe_interval_s: float = 1.0
    """
    Seconds from one probe round to the next, jittered by a tenth either way.

    Lower finds deaths sooner and costs one ping and one ack per member and round.
    Source: SWIM section 3.1 (the period T'); memberlist has 1 s in a LAN and 5 s over a WAN.
    """
    probe_timeout_s: float = 0.3
    """
    Seconds to wait for an ack before helpers are asked; a third of the round is left for their answers.

    Lower asks helpers in vain when the path is slow; higher leaves them too little of the round.
    Source: SWIM section 3.1 (an estimate of the round trip, much below the period); memberlist has 0.5 s of 1
    s.
    """
    helpers: int = 3
    """
    Members asked to ping in one's stead when an ack is missing.

    More are wrong more rarely when packets are lost, and cost four packets each.
    Source: SWIM section 3.1 (k); memberlist has 3.
    """
    dead_probe_rounds: int = 10
    """
    In every so many rounds one dead member is pinged as well.

    Lower finds the other side of a healed partition sooner; higher wastes less on members that are gone for
    good.
    Source: our own; Serf tries one failed member every 30 s.
    """
    healing_probes: int = 4
    """
    Dead members pinged at least in each of the rounds that follow the return of another one.

    Higher joins the sides of a large partition faster, in a burst of packets.
    Source: our own.
    """
    health_max: int = 8
    """
    The worst score that a daemon gives its own health: its rounds and time-outs are up to one more times as
    long.

    Each round without an ack, where helpers were silent too, makes it worse by one, and each ack better.
    Higher lets an ill daemon blame others more slowly, and find deaths more slowly until it is well again.
    Source: Lifeguard section IV-A (S); memberlist has the same.
    """
    suspicion_multiplier: float = 2.0
    """
    Rounds that a suspect has at least to speak up before it counts as dead, when enough others confirm it.

    Multiplied by log10 of the members (by 3 up to 1,000 of them), as rumours need longer among more.  Lower
    says dead sooner, and more often without cause.
    Source: Lifeguard section IV-B (alpha, there 5).  With 2 a death is known to all of 5,000 in 15 s, and who
    only pauses for some 6 s is safe in a cluster of any size.
    """
    suspicion_max_factor: float = 6.0
    """
    A suspect that nobody but the first accuser accuses has so many times as long.

    Higher spares more members that a daemon accuses because it is ill itself; lower says dead sooner where
    few are left to confirm it.
    Source: Lifeguard section IV-B (beta); memberlist has the same.
    """
    suspicion_confirmations: int = 3
    """
    Further accusers that bring the time of a suspect down to the least.

    Also how many further accusers of one suspect are passed on.  Where there are not so many others (up to
    four members) none is waited for.  Higher asks for more evidence, and for more packets.
    Source: Lifeguard section IV-B (K); memberlist has the suspicion multiplier less 2, so 2 in a LAN.
    """
    remember_s: float = 86400.0
    """
    Seconds for which a member is remembered after it died or left, and counts among those to be looked for.

    Lower bounds the table more tightly where names come and go; when it is below the longest partition, or
    the longest pause of a daemon, that one's late rumours raise the forgotten for half a minute.
    Source: our own; Serf has 24 h (tombstone and reconnect time-outs).
    """
    retransmission_multiplier: float = 4.0
    """
    A rumour rides on this many packets for every factor of ten of members, or on fewer where many wait.

    Higher reaches the last member more surely when packets are lost, and fills them for longer.
    Source: SWIM section 4.1 (lambda); memberlist has 4.
    """
    rumour_interval_s: float = 0.2
    """
    Seconds between two bursts of rumours at least, each of one datagram to each of `fan_out` members.

    There are bursts only while there are rumours to tell; they also ride on all that is sent anyway.  Where
    more wait than datagrams hold a burst goes to up to four times as many.  Lower spreads them faster, and
    lets churn cost more: 16 datagrams of 1,400 bytes each 0.2 s are 112 kB/s.
    Source: our own, as pings and acks alone need ten rounds and more in large clusters; memberlist's tick.
    """
    fan_out: int = 4
    """
    Random members that each burst of an ownership push, or of rumours, is sent to.

    Higher is faster and costs as many packets; below 3 the last members wait for a repair.
    Source: our own; memberlist's gossip tick has 3.
    """
    push_again_s: tuple[float, ...] = (0.1, 0.2)
    """
    Seconds after its first burst when a push is repeated, to other random members; increasing.

    More repeats survive more loss.
    """
    push_lossy_s: tuple[float, ...] = (0.3, 0.4)
    """
    Seconds after its first burst when a push is repeated besides, where probes show that packets get lost.

    A quarter of packets lost leaves one of some thousand members to repair in most pushes without these.
    """
    push_coalesce_s: float = 0.02
    """
    Seconds between two bursts at least, so that what happens together travels together.

    A lone push does not wait.  Each burst is one datagram for each of `fan_out` members, so this also bounds
    what pushing costs: 4 of 1,400 bytes each 20 ms are 280 kB/s.
    """
    push_queue_max: int = 256
    """Pushes under way at most; at one more the oldest is dropped, and a repair carries it."""
    repair_interval_s: float = 0.2
    """
    Seconds between two repairs that this daemon starts, whoever with.

    Lower heals faster and exchanges more that is already on its way.
    Source: our own; memberlist's push/pull is 30 s, and slower the larger the cluster.
    """

    def __post_init__(self) -> None:
        if not 0 < 1.5 * self.probe_timeout_s <= self.probe_interval_s:
            raise ConfigError(
                "the probe timeout must be above 0 and at most two thirds of the probe interval"
            )
        if min(self.suspicion_multiplier, self.suspicion_max_factor, self.retransmission_multiplier) < 1:
            raise ConfigError("the suspicion and retransmission multipliers must be at least 1")
        if min(self.health_max, self.suspicion_confirmations) < 0:
            raise ConfigError("the worst health and the confirmations sought must not be negative")
        if min(self.remember_s, self.rumour_interval_s) <= 0:
            raise ConfigError("the time to remember the dead and the rumour interval must be above 0")
        if min(self.dead_probe_rounds, self.fan_out, self.push_queue_max) < 1:
            raise ConfigError("rounds between probes of the dead, fan-out and push queue must be at least 1")
        if min(self.helpers, self.healing_probes, self.push_coalesce_s, self.repair_interval_s) < 0:
            raise ConfigError("helpers, healing probes, coalescing and repair interval must not be negative")
        again_s = (*self.push_again_s, *self.push_lossy_s)
        if list(again_s) != sorted(again_s) or min(again_s, default=1) <= 0:
            raise ConfigError("the repeats of a push must be above 0 and increasing")

    @classmethod
    def preset(cls, name: str) -> Self:
        """
        The settings for `lan` (one data centre), `wan` (several), or `test` (one host: everything quicker).

        Raises:
            ConfigError: no such preset.
        """
        if name == "lan":
            return cls()
        if name == "wan":
            return cls(
                probe_interval_s=5.0,
                probe_timeout_s=2.0,
                suspicion_multiplier=3.0,
                rumour_interval_s=0.5,
                push_again_s=(0.3, 0.6),
                push_lossy_s=(0.9, 1.2),
                push_coalesce_s=0.05,
                repair_interval_s=1.0,
            )
        if name == "test":
            return cls(
                probe_interval_s=0.2,
                probe_timeout_s=0.08,
                suspicion_multiplier=1.7,
                rumour_interval_s=0.05,
                push_again_s=(0.05, 0.1),
                push_lossy_s=(0.15, 0.2),
                push_coalesce_s=0.01,
                repair_interval_s=0.1,
            )
        raise ConfigError(f"no gossip preset {name!r}: expected lan, wan or test")

    def confirmations(self, members_count: int) -> int:
        """Further accusers that a suspicion waits for in a cluster of so many, the suspect among them."""
        others_count = members_count - 2
        return self.suspicion_confirmations if others_count >= self.suspicion_confirmations else 0

    def suspicion_s(self, members_count: int, confirmations: int) -> float:
        """
        Seconds from suspected to dead.

        Args:
            members_count: Members of the cluster, accuser and suspect among them.
            confirmations: Others that accuse the suspect beside the first accuser.

        Source: Lifeguard section IV-B: from the most to the least, by the logarithm of the confirmations.
        """
        decades = max(SUSPICION_DECADES_MIN, math.log10(max(1, members_count)))
        least = self.suspicion_multiplier * decades * self.probe_interval_s
        sought = self.confirmations(members_count)
        if confirmations >= sought:
            return least
        most = self.suspicion_max_factor * least
        return most - (most - least) * math.log(confirmations + 1) / math.log(sought + 1)

    def retransmissions(self, members_count: int) -> int:
        """Packets that carry one rumour in a cluster of so many, this one among them."""
        return math.ceil(self.retransmission_multiplier * math.ceil(math.log10(max(1, members_count) + 1)))
