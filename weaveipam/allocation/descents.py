"""
Asking for lower addresses than the lowest free one here, where a pool is handed out in sequence.

Who seems to be there and owns addresses below it is asked for the lowest of them that is free; what it gives
is the lowest one here from then on.  One or two such owners are asked one after the other, in the order of
their addresses.  More are first asked all at once which address they would give, and then the one with the
lowest is asked to: so it takes two round trips however many they are, and only one gives something up.

One that is not ready, or gives no answer after some tries, is passed over.  So is what is on its way between
two owners meanwhile.

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
from weaveipam.protocol.messages import Grant, Need, PieceFindings, SpaceRequest, Tell

DIRECT_MAX = 2
"""Owners that are asked one after the other: to ask first what they would give would be no faster."""


@dataclass(slots=True)
class Descent:
    """One under way."""

    awaited: dict[Peer, float] = field(default_factory=dict)
    """Who has not answered yet, and below which address it was asked for some."""
    clear: dict[Peer, float] = field(default_factory=dict)
    """Below which address an owner had none, when it was asked."""


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
        return self._asking.wake_at if all(one.awaited for one in self._descents.values()) else -math.inf

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
        if one.awaited:
            return []
        lowest = self.here(goal)
        bound = math.inf if lowest is None else lowest.start
        due = [peer for peer in self._owners.below(goal, bound) if one.clear.get(peer, -1) < bound]
        unknown = [peer for peer in due if peer not in one.clear]
        look = len(unknown) > DIRECT_MAX
        chosen = unknown if look else sorted(due, key=lambda peer: one.clear.get(peer, -1))[:1]
        asked: list[Tell] = []
        for peer in chosen:
            request = self._request(goal, lowest, Need.LOOK if look else Need.FREE)
            told = self._asking.ask(goal, peer, request, now)
            (one.awaited if told else one.clear)[peer] = bound
            asked += told
        return asked or None

    def refused(self, request: int, sender: Peer) -> Goal | None:
        """An owner has nothing lower; what for it was asked, None if it was asked nothing."""
        return self._answered(request, sender, math.inf)

    def found(self, told: PieceFindings, sender: Peer) -> Goal | None:
        """An owner says what it would give; what for it was asked, None if it was asked nothing."""
        return self._answered(told.request, sender, min([one.start for one in told.free], default=math.inf))

    def granted(self, told: Grant, sender: Peer) -> Goal | None:
        """An owner has given something, which is here by now; what for, None if it was asked nothing."""
        return self._answered(told.request, sender, min([run.start for run in told.runs], default=0))

    def repeat(self, now: float) -> list[Tell]:
        """Ask late ones again; those that were late too often are passed over."""
        again, over = self._asking.late(now)
        for question in over:
            one = self._descents[question.goal]
            one.clear[question.peer] = one.awaited.pop(question.peer)
        return again

    def due(self) -> list[Goal]:
        """Those in which nobody's answer is awaited."""
        return [goal for goal, one in self._descents.items() if not one.awaited]

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
        return question.goal

    def _request(self, goal: Goal, lowest: Range | None, need: Need) -> SpaceRequest:
        """For the lowest of what is sought below the lowest that is free here."""
        part, within = goal.part, goal.within
        if lowest is not None:
            first = self._holdings.pools.stocks[part].assignable[0].start
            region = within or (Range(first, lowest.start),)
            within = tuple(
                Range(one.start, min(one.stop, lowest.start)) for one in region if one.start < lowest.start
            )
        return SpaceRequest(self._rng.getrandbits(63), part.pool, part.ring, within, goal.size, need)
