"""
What the members of a cluster decide together, and how they vote on it.

Decisions are numbered from 1; each is made once, by a roll call (see `allocation.rollcall`).
Does not know who is asked, nor what a decision does to rings and pools.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ring.address import Range
from ring.ring import Peer, Run
from weaveipam.protocol.values import DEFAULT_NETWORK, Birth, Pool, RingId

ELECTORS_MAX = 7
"""A majority of so many outlives three deaths, and a newcomer need ask no more than so many."""

REMOVED_MAX = 10_000
"""Removals that a charter names: who was removed before hears of it from the numbers of decisions."""


class Ballot(NamedTuple):
    """Names one attempt to decide; of two attempts the higher goes on."""

    fenced: int
    """How many are fenced: an attempt that waits for fewer goes before."""
    round: int
    """From 1; no member uses a ballot twice, whatever its disk forgets."""
    proposer: Peer


@dataclass(frozen=True, slots=True)
class Statements:
    """Runs of one ring."""

    ring: RingId
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Some addresses of one ring."""

    ring: RingId
    ranges: tuple[Range, ...]
    """Sorted, disjoint."""


@dataclass(frozen=True, slots=True)
class Decree:
    """What one decision does."""

    victims: tuple[Peer, ...]
    """Lives that are over for good; sorted."""
    statements: tuple[Statements, ...]
    """
    What becomes of the addresses that victims own, and all that victims have said; by ring.

    The generation of what is said for the first time is the number of the decision.
    """
    electors: tuple[Peer, ...]
    """Who enrols newcomers from now on; sorted."""
    put: tuple[Pool, ...] = ()
    """Pools that there are from now on, instead of those with their names; sorted by name."""
    drop: tuple[str, ...] = ()
    """Names of pools that there are no longer; sorted."""
    open: tuple[str, ...] = ()
    """Network instances that there are from now on; sorted."""
    close: tuple[str, ...] = ()
    """Those that there are no longer; no pool is in them.  Sorted."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What a member has accepted; of several the one with the highest ballot counts."""

    ballot: Ballot
    decree: Decree


class Removal(NamedTuple):
    """That a life was removed."""

    number: int
    """Of the decision."""
    peer: Peer


@dataclass(frozen=True, slots=True)
class Charter:
    """What decisions have made of a cluster."""

    number: int
    """Of the last one; 0: none was made."""
    electors: tuple[Peer, ...]
    """Sorted."""
    pools: tuple[Pool, ...]
    """Sorted by name."""
    removed: tuple[Removal, ...] = ()
    """The latest `REMOVED_MAX`, in the order of decisions."""
    networks: tuple[str, ...] = ()
    """The network instances besides `DEFAULT_NETWORK`, which there always is; sorted."""

    @property
    def all_networks(self) -> tuple[str, ...]:
        """The network instances there are; sorted."""
        return tuple(sorted((DEFAULT_NETWORK, *self.networks)))

    def after(self, decree: Decree) -> Charter:
        """What the next decision makes of it."""
        gone = {pool.name for pool in decree.put}.union(decree.drop)
        pools = (*(pool for pool in self.pools if pool.name not in gone), *decree.put)
        number = self.number + 1
        removed = (*self.removed, *(Removal(number, peer) for peer in decree.victims))
        by_name = sorted(pools, key=lambda pool: pool.name)
        networks = tuple(sorted({*self.networks, *decree.open}.difference(decree.close)))
        return Charter(number, decree.electors, tuple(by_name), removed[-REMOVED_MAX:], networks)


def first_charter(birth: Birth) -> Charter:
    """Of a cluster in which nothing was decided yet but its birth."""
    networks = {pool.network for pool in birth.pools} - {DEFAULT_NETWORK}
    return Charter(0, birth.seeds[:ELECTORS_MAX], birth.pools, networks=tuple(sorted(networks)))
