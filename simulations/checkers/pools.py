"""
Pools are what operators were told that they are, and nobody holds an address that belongs to none.

A change that was confirmed is made, one that was refused is not, and one whose daemon died before it answered
may be.  Of changes of one pool at the same time any may be the last.  Does not know how changes are decided,
nor who owns what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ring.address import Range, subtract
from simulations.checkers.base import shown
from simulations.checkers.told import Holder, Told
from simulations.facts import Began, Changed, Changing, Fact, Given, Observed, Refused, Vanished
from simulations.pools import domains_of
from weaveipam.allocation.poolchange import clashes
from weaveipam.protocol.values import Pool, RingId

REFUSALS = frozenset({"conflict", "in-use", "not-found", "not-ready"})
"""Why an operator who asks for what can be may be refused; a network may be deleted meanwhile."""


@dataclass(eq=False, slots=True)
class _Change:
    asked: Changing
    beside: list[_Change] = field(default_factory=list)
    """Other changes of the same pool that were open, or might be made, while this one was open."""
    refused: bool = False


class Pools:
    """Judges changes of pools, and what keys hold meanwhile."""

    name = "pools"

    def __init__(self) -> None:
        self._told = Told()
        self._began = False
        """Whether anybody has said which pools there are; until then no address can be outside of them."""
        self._open: dict[int, _Change] = {}
        self._certain: dict[str, tuple[Pool | None, ...]] = {}
        """What each pool may have been when a change of it was confirmed last; None: there was none."""
        self._since: dict[str, list[_Change]] = {}
        """Changes of each pool that may have been made since, or may yet be."""
        self._domains: dict[RingId, tuple[Range, ...]] = {}
        """Addresses of all pools that there may be."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        question = self._told.hear(fact)
        match fact:
            case Began():
                self._began = True
                self._certain = {pool.name: (pool,) for pool in fact.pools}
                self._domains = domains_of(fact.pools)
            case Changing():
                self._ask(fact)
            case Changed():
                yield from self._confirm(fact)
            case Refused() if fact.request in self._open:
                yield from self._refuse(fact)
            case Vanished():
                self._open.pop(fact.request, None)
            case Given() if question is not None and self._began:
                yield from self._outside(question.holder)
            case Observed(settled=True):
                yield from self._compare(fact)
            case _:
                pass

    def _ask(self, asked: Changing) -> None:
        change = _Change(asked)
        others = self._since.setdefault(asked.name, [])
        for other in others:
            other.beside.append(change)
        change.beside.extend(others)
        others.append(change)
        self._open[asked.request] = change
        self._look_again()

    def _confirm(self, told: Changed) -> Iterator[str]:
        change = self._open.pop(told.request)
        name, wanted = change.asked.name, change.asked.wanted
        if told.pool != wanted:
            yield f"pool {name} was to be {wanted}, and the operator was told that it is {told.pool}"
        beside = [one for one in change.beside if not one.refused]
        self._certain[name] = (wanted, *(one.asked.wanted for one in beside))
        # One that was open all the while may yet be made; others of these are over, or were made before.
        self._since[name] = [one for one in self._since[name] if one.asked.request in self._open]
        yield from self._narrow()

    def _refuse(self, told: Refused) -> Iterator[str]:
        change = self._open.pop(told.request)
        name = change.asked.name
        change.refused = True
        if change in self._since[name]:
            self._since[name].remove(change)
        if told.reason not in REFUSALS:
            yield f"a change of pool {name} was refused: {told.reason}, {told.detail}"
        yield from self._narrow()

    def _possible(self, name: str) -> Iterator[Pool | None]:
        """What a pool may be now."""
        yield from self._certain.get(name, (None,))
        yield from (one.asked.wanted for one in self._since.get(name, ()))

    def _look_again(self) -> None:
        names = sorted(self._certain.keys() | self._since.keys())
        pools = [pool for name in names for pool in self._possible(name) if pool is not None]
        self._domains = domains_of(pools)

    def _narrow(self) -> Iterator[str]:
        """There may be fewer pools than before: nobody holds what belonged to the others alone."""
        before = self._domains
        self._look_again()
        if any(subtract(ranges, self._domains.get(ring, ())) for ring, ranges in before.items()):
            for holder in self._told.everybody():
                yield from self._outside(holder)

    def _outside(self, holder: Holder) -> Iterator[str]:
        for ring, held in self._told.addresses(holder):
            if subtract((held,), self._domains.get(ring, ())):
                yield f"{holder[1]} at {holder[0]} has {shown((ring, held))}, which belongs to no pool"

    def _compare(self, observed: Observed) -> Iterator[str]:
        for machine, view in observed.views.items():
            if view.serving and view.pools is not None:
                yield from (f"{machine} has pools that cannot be: {one}" for one in clashes(view.pools))
                pools = {pool.name: pool for pool in view.pools}
                for name in sorted(pools.keys() | self._certain.keys() | self._since.keys()):
                    if pools.get(name) not in list(self._possible(name)):
                        yield f"{machine} knows pool {name} as {pools.get(name)}, which nobody was told"
