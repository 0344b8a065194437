"""
What must hold in every state.

Does not know how a state came about.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum

from ring.address import Range, subtract
from ring.merge import merge
from ring.ring import EMPTY, Token
from simulations.explorer.graph import Graph, State
from simulations.explorer.member import RING, Member, indexed
from simulations.explorer.worlds import Word


class Invariant(Enum):
    """What must hold."""

    ONE_OWNER = "one owner"
    """No two peers who live believe that they own one address."""
    NOTHING_LOST = "nothing lost"
    """Once all who are gone have been removed, somebody who lives owns each address of the pool."""
    INSIDE = "inside"
    """No address is in use that was taken from the pool, nor is it said of any whose it is."""
    ONE_TOKEN = "one token"  # noqa: S105 - of a ring
    """No two rings know one token of an address with two owners."""
    AGREEMENT = "agreement"
    """Who knows as many decisions knows the same."""
    CALLED_GONE = "called gone"
    """Nobody stops whom nobody took for gone."""


class Judge:
    """
    Finds what is wrong with the states of one graph; a broken assertion always is.

    Where an operator insists on what is not true only the first invariant counts, and from when the victim
    hears of it.
    """

    def __init__(self, graph: Graph, invariants: Collection[Invariant] = tuple(Invariant)) -> None:
        self._graph = graph
        self._forced = graph.world.word is Word.FORCED
        checks = {
            Invariant.ONE_OWNER: self._two_owners,
            Invariant.NOTHING_LOST: self._lost,
            Invariant.INSIDE: self._outside,
            Invariant.ONE_TOKEN: self._two_meanings,
            Invariant.AGREEMENT: self._disagreement,
            Invariant.CALLED_GONE: self._stopped,
        }
        wanted = {Invariant.ONE_OWNER}.intersection(invariants) if self._forced else invariants
        self._checks = [self._broken, *(check for one, check in checks.items() if one in wanted)]
        self._fine: set[tuple[int, ...]] = set()

    def wrong(self, state: State) -> str:
        """A sentence; empty if nothing is wrong."""
        if state[0] in self._fine:
            return ""
        members = self._graph.those(state)
        found = next((wrong for check in self._checks if (wrong := check(members))), "")
        if not found:
            self._fine.add(state[0])
        return found

    def _broken(self, members: Sequence[Member]) -> str:
        return next((f"{one.me.name} breaks an assertion: {one.broken}" for one in members if one.broken), "")

    def _two_owners(self, members: Sequence[Member]) -> str:
        owners: dict[int, Member] = {}
        for one in members:
            if self._forced and not one.told and self._fenced(one, members):
                continue  # alive against the operator's word: until it hears of that it does what it did
            for address in one.owned():
                if address in owners:
                    return f"{address} has two owners: {owners[address].me.name} and {one.me.name}"
                owners[address] = one
        return ""

    def _lost(self, members: Sequence[Member]) -> str:
        """Once all who are gone were removed, somebody who lives owns each address."""
        gone = {one.me for one in members if not one.acts}
        acting = [one for one in members if one.acts]
        removed = {past.peer for one in acting for past in one.ledger.charter.removed}
        if not acting or not gone <= removed:
            return ""
        known = EMPTY
        for one in acting:
            known = merge(known, one.ring).ring
        there = _domain(_latest(acting))
        lost = next((run for one in there for run in known.within(one) if run.owner in gone), None)
        if lost is not None:
            return f"{lost.start} is lost: it stays with {lost.owner.name}, who was removed"
        unsaid = subtract(there, [Range(run.start, run.stop) for run in known])
        return f"{unsaid[0].start} is lost: nobody knows whose it is" if unsaid else ""

    def _outside(self, members: Sequence[Member]) -> str:
        acting = [one for one in members if one.acts]
        latest = _domain(_latest(acting)) if acting else ()
        for one in acting:
            used = next(
                (used for used in sorted(one.in_use) if not any(used in each for each in latest)), None
            )
            if used is not None:
                return f"{used} is in use at {one.me.name}, and no pool's any more"
            said = [Range(run.start, run.stop) for run in one.ring]
            odd = subtract(said, _domain(one))
            if odd:
                return f"{one.me.name} knows an owner of {odd[0].start}, which is no pool's"
        return ""

    def _two_meanings(self, members: Sequence[Member]) -> str:
        said: dict[tuple[int, Token], Member] = {}
        for one in members:
            for run in one.ring:
                for address in range(run.start, run.stop):
                    other = said.setdefault((address, run.token), one)
                    mine = other.ring.at(address)
                    if mine is not None and mine.owner != run.owner:
                        return (
                            f"{other.me.name} and {one.me.name} know one token of {address} with two owners"
                        )
        return ""

    def _disagreement(self, members: Sequence[Member]) -> str:
        charters = {one.ledger.charter.number: one for one in members}
        for one in members:
            other = charters[one.ledger.charter.number]
            if one.ledger.charter != other.ledger.charter:
                return f"{one.me.name} and {other.me.name} disagree about what was decided"
        return ""

    def _stopped(self, members: Sequence[Member]) -> str:
        for one in members:
            if one.stopped and not self._fenced(one, members):
                return f"{one.me.name} has stopped, though nobody took it for gone"
        return ""

    def _fenced(self, who: Member, members: Sequence[Member]) -> bool:
        return any(
            who.me in one.ledger.closed or who.me in {past.peer for past in one.ledger.charter.removed}
            for one in members
        )


def _latest(members: Sequence[Member]) -> Member:
    """Who knows of the most decisions."""
    return max(members, key=lambda one: one.ledger.charter.number)


def _domain(one: Member) -> tuple[Range, ...]:
    """Addresses of the pools that it knows to be in force."""
    return indexed(one.ledger.pools).whole(RING)
