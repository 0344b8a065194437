"""
Asking for lower addresses than the lowest free one here, where a pool is handed out in sequence.

Who seems to be there and owns addresses below it is asked for the lowest of them that is free.  What it gives
is the lowest one here from then on, so an owner is asked once for each address that is handed out.  Those
with longer runs go first, one after the other in the order of their addresses: there is what is free, mostly.
Owners of nothing but single addresses below what was found then mostly use them; they are all asked at once,
and if several have some after all they are here for the next time.

One that gives no answer is passed over after some tries, while others are asked.  What is on its way between
two owners meanwhile is passed over as well.

Does not know who waits, nor what is done where nobody has anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random

from ring.address import Range
from ring.ring import Peer
from weaveipam.allocation.asking import Asking
from weaveipam.allocation.donors import Goal, Neighbours, Search
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.owners import Owners
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import Grant, Need, SpaceRequest, Tell


@dataclass(slots=True)
class Descent:
    """One under way."""

    awaited: dict[Peer, float] = field(default_factory=dict)
    """Who has not answered yet, and below which address it was asked for some."""
    clear: dict[Peer, float] = field(default_factory=dict)
    """Below which address an owner had none, when it was asked."""
    next_at: float = -math.inf
    """Seconds on the monotonic clock: when another one is asked, though somebody has not answered."""


class Descents:
    """
    All that one node asks lower addresses for; at most one for each goal.

    `step` begins one, and goes on with it; `end` forgets it.
    """

    def __init__(
        self,
        settings: AllocationSettings,
        rng: Random,
        neighbours: Neighbours,
        owners: Owners,
        holdings: Holdings,
    ) -> None:
        self._settings = settings
        self._rng = rng
        self._owners = owners
        self._holdings = holdings
        self._asking = Asking(settings, neighbours)
        self._descents: dict[Goal, Descent] = {}

    def __len__(self) -> int:
        return len(self._descents)

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `repeat` or `due` has something to say."""
        if not self._descents:
            return math.inf
        return min(self._asking.wake_at, *(one.next_at for one in self._descents.values()))

    def here(self, goal: Goal) -> Range | None:
        """The lowest that is free here of what is sought in sequence."""
        stock = self._holdings.pools.stocks.get(goal.part)
        if stock is None or not stock.sequential:
            return None
        return stock.space.lowest(goal.size, goal.within)

    def is_next(self, goal: Goal, bound: int) -> bool:
        """
        Whether what is free here is what is handed out next; of a pool in no sequence it always is.

        Args:
            goal: What is sought.
            bound: Nobody who could be asked has any below this address.
        """
        if not self._holdings.pools.stocks[goal.part].sequential:
            return True
        lowest = self.here(goal)
        return lowest is not None and (lowest.start <= bound or not self._owners.below(goal, lowest.start))

    def wanted(self, goal: Goal, search: Search | None) -> bool:
        """Whether to ask for lower addresses, rather than for any, as a search that is under way may do."""
        if not self._holdings.pools.stocks[goal.part].sequential:
            return False
        return search is None or (not search.failed and self.here(goal) is not None)

    def follow_pools(self) -> None:
        """There are other pools: nothing is asked for of those that are gone."""
        for goal in [one for one in self._descents if one.part not in self._holdings.pools.stocks]:
            self.end(goal)

    def step(self, goal: Goal, now: float) -> list[Tell] | None:
        """The next questions; none if an answer is awaited, and None when there is nobody left to ask."""
        one = self._descents.setdefault(goal, Descent())
        if now < one.next_at:
            return []
        lowest = self.here(goal)
        bound = math.inf if lowest is None else lowest.start
        below = self._owners.below(goal, bound)
        due = [
            (size, owner.peer)
            for owner, size in below
            if owner.peer not in one.awaited and one.clear.get(owner.peer, -1) < bound
        ]
        first = [peer for size, peer in due if size > goal.size or lowest is None][:1]
        asked: list[Tell] = []
        for peer in first or [peer for _, peer in due]:
            asked += self._asking.ask(goal, peer, self._request(goal, lowest), now)
            one.awaited[peer] = bound
        one.next_at = now + self._settings.donor_timeout_s if first else math.inf
        return asked if one.awaited else None

    def refused(self, request: int, sender: Peer) -> Goal | None:
        """An owner has nothing lower; what for it was asked, None if it was asked nothing."""
        return self._answered(request, sender, math.inf)

    def granted(self, told: Grant, sender: Peer) -> Goal | None:
        """An owner has given something, which is here by now; what for, None if it was asked nothing."""
        return self._answered(told.request, sender, min([run.start for run in told.runs], default=0))

    def repeat(self, now: float) -> list[Tell]:
        """Ask late ones again; those that were late too often are passed over."""
        again, over = self._asking.late(now)
        for question in over:
            one = self._descents[question.goal]
            one.clear[question.peer] = one.awaited.pop(question.peer)
            one.next_at = -math.inf
        return again

    def due(self, now: float) -> list[Goal]:
        """What another owner is to be asked for."""
        return [goal for goal, one in self._descents.items() if one.next_at <= now]

    def end(self, goal: Goal) -> None:
        """Forget what was asked for; a late answer finds nothing to do."""
        if self._descents.pop(goal, None) is not None:
            self._asking.forget(goal)

    def _answered(self, request: int, sender: Peer, given: float) -> Goal | None:
        question = self._asking.answered(request, sender)
        if question is None:
            return None
        one = self._descents[question.goal]
        one.clear[sender] = min(given, one.awaited.pop(sender))
        one.next_at = -math.inf
        return question.goal

    def _request(self, goal: Goal, lowest: Range | None) -> SpaceRequest:
        """For the lowest of what is sought below the lowest that is free here."""
        part, within = goal.part, goal.within
        if lowest is not None:
            first = self._holdings.pools.stocks[part].assignable[0].start
            region = within or (Range(first, lowest.start),)
            within = tuple(
                Range(one.start, min(one.stop, lowest.start)) for one in region if one.start < lowest.start
            )
        return SpaceRequest(self._rng.getrandbits(63), part.pool, part.ring, within, goal.size, Need.FREE)
