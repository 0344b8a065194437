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
from weaveipam.allocation.pools import Pools
from weaveipam.protocol.decisions import Statements
from weaveipam.protocol.messages import Grant, GrantAck, Ownership
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
from weaveipam.protocol.values import Pool, RingId

RING = RingId("default", Family.V4)
"""There is one."""
POOL = "pool"
"""There is at most one."""

Said: TypeAlias = (
    Accept
    | Accepted
    | CharterShare
    | Closure
    | Decided
    | Declined
    | Enrol
    | Enrolled
    | Grant
    | GrantAck
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
    used: frozenset[int] = frozenset()
    """Addresses that it has handed out."""
    given: frozenset[tuple[Peer, Grant]] = frozenset()
    """Grants of its own that come with a user, and are not acknowledged."""
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

    def withholds(self, address: int) -> bool:
        """Whether it keeps back an address, as a decision may take that from the pool."""
        return any(address in one for span in self.ledger.withheld for one in span.ranges)

    @property
    def in_use(self) -> frozenset[int]:
        """Addresses that clients use, as far as it knows: here, or where they were handed over to."""
        return self.used.union(run.start for _, one in self.given for run in one.runs)


@lru_cache(maxsize=1 << 10)
def indexed(pools: tuple[Pool, ...]) -> Pools:
    """Pools as the daemon keeps them."""
    return Pools(pools, 0.0)


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
