"""
How eagerly a daemon looks after its cluster, and what that costs.

Does not know who is in the cluster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from weaveipam.errors import ConfigError


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
    suspicion_multiplier: float = 4.0
    """
    Rounds that a suspect of a cluster of up to ten has to speak up before it counts as dead.

    Multiplied by log10 of the members, as rumours need longer among more.  Lower says dead sooner, and more
    often without cause.
    Source: SWIM section 4.2 (a fixed time-out); memberlist scales like this, with 4 in a LAN and 6 over a
    WAN.
    """
    retransmission_multiplier: float = 4.0
    """
    A rumour rides on this many packets for every factor of ten of members.

    Higher reaches the last member more surely when packets are lost, and fills them for longer.
    Source: SWIM section 4.1 (lambda); memberlist has 4.
    """
    fan_out: int = 4
    """
    Random members that each burst of an ownership push is sent to.

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
        if min(self.suspicion_multiplier, self.retransmission_multiplier) < 1:
            raise ConfigError("the suspicion and retransmission multipliers must be at least 1")
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
                suspicion_multiplier=6.0,
                push_again_s=(0.3, 0.6),
                push_lossy_s=(0.9, 1.2),
                push_coalesce_s=0.05,
                repair_interval_s=1.0,
            )
        if name == "test":
            return cls(
                probe_interval_s=0.2,
                probe_timeout_s=0.08,
                suspicion_multiplier=5.0,
                push_again_s=(0.05, 0.1),
                push_lossy_s=(0.15, 0.2),
                push_coalesce_s=0.01,
                repair_interval_s=0.1,
            )
        raise ConfigError(f"no gossip preset {name!r}: expected lan, wan or test")

    def suspicion_s(self, members_count: int) -> float:
        """Seconds from suspected to dead in a cluster of so many, this one among them."""
        return self.suspicion_multiplier * max(1.0, math.log10(max(1, members_count))) * self.probe_interval_s

    def retransmissions(self, members_count: int) -> int:
        """Packets that carry one rumour in a cluster of so many, this one among them."""
        return math.ceil(self.retransmission_multiplier * math.ceil(math.log10(max(1, members_count) + 1)))
