"""
How the allocator waits, repeats and rests.

Does not know where the values come from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationSettings:
    """Durations are seconds on the monotonic clock."""

    cooldown_s: float = 30.0
    """
    How long a released address rests before it is handed out again.

    Lower risks that neighbours still have the old holder in their ARP caches; higher needs more addresses.
    """
    sync_wait_s: float = 5.0
    """How long a restarted daemon waits for a member to sync with before it serves alone."""
    mark_s: float = 1.0
    """How long after it gave something to a client a daemon has some members remember that it did."""
    donor_timeout_s: float = 0.5
    """How long one donor may take to answer before the next is asked; well above a round trip."""
    donor_tries: int = 3
    """How often a silent donor is asked in one search before it counts as unreachable."""
    refill_pause_s: float = 2.0
    """How long at most after a refused refill the next one is tried; doubles up to 16 times that."""
    round_pause_s: float = 0.1
    """How long a search rests when space moved while it went round, before it goes round again."""
    repeat_s: float = 0.3
    """How long after a grant it is repeated if not acknowledged; doubles up to 32 times that."""
    inquiry_s: float = 0.5
    """How often a daemon in no cluster asks its peers for one."""
    linger_s: float = 2.0
    """How long a daemon that has nothing left waits before it leaves, and once more before it ends."""
    coalesce_s: float = 1.0
    """How long after gaining ranges the neighbouring ones are joined."""
    drift_s: float = 5.0
    """How long nothing was asked of a node's space before it gives small free islands to neighbours."""
    heard_s: float = 5.0
    """
    How long after a packet of a member nobody who got it helps to remove that member.

    Longer than a member that is there may be silent, so that its removal needs an operator to insist.
    """
    rollcall_s: float = 10.0
    """How often an elector looks whether electors are missing."""
    loan_check_s: float = 60.0
    """How long after a holder of lent addresses was heard of them it is asked whether it still holds them."""
    watermark_min: int = 4
    """Addresses: a pool here with fewer free asks for more ahead of need."""
    watermark_max: int = 256
    """Addresses: a pool here with this many free never asks ahead of need."""
    node_labels: tuple[tuple[str, str], ...] = ()
    """Of this node, by which pools select it; sorted."""
    pending_max: int = 1024
    """Requests that may wait; the next is refused as overloaded."""

    def watermark(self, owned: int, size: int) -> int:
        """With how many free addresses of a pool more are wanted ahead of need, who owns so many of all."""
        return min(max(self.watermark_min, owned // 4), self.watermark_max, size)

    @classmethod
    def preset(cls, name: str) -> Self:
        """
        The settings named `lan`, `wan` or `test` (as lan, but quick: for daemons on one machine).

        Raises:
            KeyError: no such preset.
        """
        lan = cls()
        quick = replace(lan, cooldown_s=5.0, sync_wait_s=2.0, donor_timeout_s=0.2, refill_pause_s=0.3)
        return {
            "lan": lan,
            "wan": replace(
                lan, donor_timeout_s=2.0, repeat_s=1.0, inquiry_s=2.0, heard_s=15.0, rollcall_s=30.0
            ),
            "test": replace(
                quick,
                mark_s=0.3,
                repeat_s=0.1,
                inquiry_s=0.1,
                linger_s=0.5,
                coalesce_s=0.3,
                drift_s=0.5,
                heard_s=1.5,
                rollcall_s=2.0,
                loan_check_s=4.0,
            ),
        }[name]
