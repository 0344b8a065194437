"""
How far something is that takes a while: a removal or another decision, and a daemon's leaving.

Does not know how either is done, nor who asks.
"""

from __future__ import annotations

from dataclasses import dataclass

from ring.address import Range
from ring.ring import Peer
from weaveipam.protocol.values import Allocation, RingId


@dataclass(frozen=True, slots=True)
class RollCallView:
    """Answers `RemovePeers` and `GetRollCall`."""

    number: int
    """Decisions that have been made."""
    busy: bool
    """Whether this daemon has something under way that is not decided yet."""
    fenced: tuple[Peer, ...]
    """Whose removal is under way, as far as this daemon knows; sorted."""
    awaited: tuple[str, ...]
    """Names of members who have not answered yet, sorted."""
    agreed: bool
    """Whether all have promised, and only the acceptance is missing."""
    detail: str
    """What is in the way, in a sentence; empty if nothing is."""
    electors: tuple[Peer, ...]
    """Who enrols newcomers; sorted."""
    removed: tuple[Peer, ...] = ()
    """Of the names asked about, those lives that were removed; sorted."""


@dataclass(frozen=True, slots=True)
class Gift:
    """What a member gets, or would get, of a daemon that leaves."""

    heir: Peer
    ring: RingId
    range: Range
    leases: int
    """Durable allocations in it, which go along."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Answers `Leave`, `Stay` and `GetDeparture`."""

    peer: Peer
    state: str
    """`staying`, `leaving` or `left`."""
    why: str
    """One sentence: what stands in the way, or what is waited for; empty if nothing does."""
    obstacles: tuple[Allocation, ...]
    """Allocations that cannot go along, sorted by network and key."""
    addresses: int
    """Owned still."""
    ranges: int
    """In which these lie."""
    gifts: tuple[Gift, ...]
    """Who gets these next, as it seems now; may be a part of it."""
    unacknowledged: tuple[tuple[str, int], ...]
    """By name of a member, sorted, how many grants to it are under way."""
    unheard: tuple[str, ...]
    """Members that have not answered that they know of the leave, sorted."""
