"""
One member as the explorer sees it, and what members send to each other.

Does not know what a member does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

from ring.address import Family
from ring.ring import Peer, Ring, Run
from weaveipam.allocation.campaign import Campaign
from weaveipam.allocation.ledger import Ledger
from weaveipam.protocol.decisions import Statements
from weaveipam.protocol.messages import Ownership
from weaveipam.protocol.rollcalls import (
    Accept,
    Accepted,
    CharterShare,
    Closure,
    Decided,
    Declined,
    Enrol,
    Enrolled,
    Prepare,
    Promise,
)
from weaveipam.protocol.values import RingId

RING = RingId("default", Family.V4)
"""There is one."""

Said: TypeAlias = (
    Accept
    | Accepted
    | CharterShare
    | Closure
    | Decided
    | Declined
    | Enrol
    | Enrolled
    | Ownership
    | Prepare
    | Promise
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message under way; it may arrive late, often, or never."""

    sender: Peer
    to: Peer | None
    """None: whoever hears of it, as statements travel by gossip."""
    said: Said


@dataclass(frozen=True, slots=True)
class Member:
    """One life of a daemon; a value."""

    ledger: Ledger
    ring: Ring
    alive: bool = True
    told: bool = False
    """Whether it has heard that its life is over."""
    stopped: bool = False
    """Whether it has stopped for that."""
    campaign: Campaign | None = None
    enrolled_by: frozenset[Peer] = frozenset()
    broken: str = ""
    """The assertion of the daemon's code that did not hold."""

    @property
    def me(self) -> Peer:
        """Who it is."""
        return self.ledger.me

    @property
    def acts(self) -> bool:
        """Whether it does anything."""
        return self.alive and not self.stopped and not self.broken

    def owned(self) -> Iterator[int]:
        """The addresses that it believes to own."""
        if self.acts:
            for run in self.ring.owned_by(self.me):
                yield from range(run.start, run.stop)


Step: TypeAlias = tuple[Member, tuple[Letter, ...]]
"""A member afterwards, and what it sends."""


@lru_cache(maxsize=1 << 16)
def weigh(told: Statements) -> int:
    """A digest of statements: the sum of those of their runs, 64 bits."""
    return sum(
        int.from_bytes(blake2b(repr(run).encode(), digest_size=8).digest(), "big") for run in told.runs
    )


def statements(me: Peer, runs: Iterable[Run]) -> tuple[Letter, ...]:
    """What gossip says of some runs, address by address: any part of it may get lost."""
    single = (run.clipped(one, one + 1) for run in runs for one in range(run.start, run.stop))
    return tuple(Letter(me, None, Ownership(RING, (run,))) for run in single)
