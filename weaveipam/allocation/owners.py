"""
Who owns what is sought, as far as they can be asked, and about how much of it they have free.

Does not know who is asked first, nor what they answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ring.ring import Peer
from weaveipam.allocation.donors import Goal, Neighbour, Neighbours, Search, as_life, weights_of
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import Need


class Owners:
    """The other members, by what they own."""

    def __init__(
        self, me: Peer, settings: AllocationSettings, neighbours: Neighbours, holdings: Holdings
    ) -> None:
        self._me = me
        self._settings = settings
        self._neighbours = neighbours
        self._holdings = holdings

    def of(self, search: Search) -> Sequence[Neighbour]:
        """Who has some of what is sought, sorted; ahead of need only those with much of it."""
        goal = search.goal
        ring = self._holdings.rings[goal.part.ring]
        region = goal.within or self._holdings.pools.domain(goal.part.ring)
        owners = {run.owner for one in region for run in ring.within(one)}
        members = [one for one in self._neighbours.alive() if one.peer in owners]
        if search.need is Need.REFILL:
            weights = self.weights(goal, members)
            members = [one for one in members if weights[one.peer] > self._settings.watermark_min]
        return members

    def below(self, goal: Goal, bound: float) -> list[Peer]:
        """Who is there and owns some of what is sought below an address, in order of their lowest ones."""
        stock = self._holdings.pools.stocks[goal.part]
        ring = self._holdings.rings[goal.part.ring]
        owners: dict[Peer, None] = {}
        for one in sorted(goal.within) or stock.assignable:
            if one.start >= bound:
                break
            for run in ring.within(one):
                if run.start >= bound:
                    break
                if run.owner != self._me:
                    owners[run.owner] = None
        alive = {one.peer for one in self._neighbours.alive()} if owners else ()
        return [one for one in owners if one in alive]

    def weights(self, goal: Goal, owners: Iterable[Neighbour]) -> dict[Peer, int]:
        """About how much each of some members has free of the part sought, as they last said."""
        return weights_of(self._neighbours, goal.part, owners)

    def moves(self, goal: Goal) -> int:
        """How often the ring has changed in which something is sought."""
        return self._holdings.rings.moves.get(goal.part.ring, 0)

    def again(self, search: Search) -> Neighbour | None:
        """Who was asked last, if it is still the same life."""
        return None if search.asked is None else as_life(search.asked, self._neighbours)

    def reachable(self) -> frozenset[Peer]:
        """Who seems to be there, this node included."""
        return frozenset((self._me, *(one.peer for one in self._neighbours.alive())))
