"""
Finding space at other peers, for requests that wait for it and ahead of need.

One search for each goal goes round the owners; where none has a whole block, it is put together from pieces.
Of a pool that is handed out in sequence the lowest is sought first, and anything only where there is none.
Whoever waits for what was found, or for nothing any more, is tried again at once.

Does not know what clients want, nor how they are answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ring.ring import Peer
from weaveipam.allocation.assembly import Assembler
from weaveipam.allocation.descents import Descents
from weaveipam.allocation.donors import Goal, Search, Searches
from weaveipam.allocation.owners import Owners
from weaveipam.allocation.pending import Pending, Waiting
from weaveipam.allocation.pools import Part, Pools
from weaveipam.allocation.refilling import Refills
from weaveipam.protocol.messages import Grant, Header, Need, PieceFindings, SpaceRefusal, Step

Retry: TypeAlias = Callable[[Goal | None, float], list[Step]]


class Seeker:
    """All that one node looks for."""

    def __init__(
        self,
        searches: Searches,
        owners: Owners,
        descents: Descents,
        assembler: Assembler,
        refills: Refills,
        pending: Pending,
        retry: Retry,
    ) -> None:
        """`retry` tries the requests again that wait for a goal, or all for None."""
        self._searches = searches
        self._owners = owners
        self._descents = descents
        self._assembler = assembler
        self._refills = refills
        self._pending = pending
        self._retry = retry
        self._granted: Goal | None = None
        """What a grant of resting addresses has just come for: nobody has any others, so these will do."""

    def __len__(self) -> int:
        return len(self._searches) + len(self._descents)

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `wake`, `assemble` or `refill` has something to do."""
        return min(
            self._searches.wake_at, self._descents.wake_at, self._assembler.wake_at, self._refills.wake_at
        )

    def get(self, goal: Goal) -> Search | None:
        """The search for a goal, failed or under way."""
        return self._searches.get(goal)

    def is_last_resort(self, goal: Goal) -> bool:
        """Whether resting addresses will do, as nobody seems to have any others."""
        search = self._searches.get(goal)
        return goal == self._granted or (search is not None and search.need is Need.COOLING)

    def is_next(self, goal: Goal, waiting: Waiting) -> bool:
        """Whether the first free address here, if there is one, may be given to who waits for a goal."""
        return self._descents.is_next(goal, waiting.lowest.get(goal, 0))

    def reachable(self) -> frozenset[Peer]:
        """Who could be asked, this node included."""
        return self._owners.reachable()

    def follow_pools(self, pools: Pools, now: float) -> list[Step]:
        """There are other pools: nothing is sought for those that are gone."""
        steps = self._assembler.follow_pools(now)
        for search in self._searches:
            if search.goal.part not in pools.stocks:
                self._searches.end(search.goal)
        self._descents.follow_pools()
        self._refills.follow_pools()
        return steps

    # Beginning

    def seek(self, goal: Goal, now: float) -> list[Step]:
        """Somebody waits for a goal."""
        known = self._searches.get(goal)
        if self._descents.wanted(goal, known):
            self._searches.end(goal)
            return self._descend(goal, now)
        if known is not None and known.need is not Need.REFILL:
            return []
        return self._go_on(self._searches.start(goal, Need.FREE), now)

    def seek_later(self, goal: Goal, at: float) -> None:
        """As `seek`, at a time on the monotonic clock."""
        known = self._searches.get(goal)
        if known is None or known.need is Need.REFILL:
            self._searches.start(goal, Need.FREE).wake_at = at

    def used(self, part: Part, now: float) -> list[Step]:
        """Something of a part was allocated."""
        self._refills.used(part)
        return self.refill(part, now)

    def refill(self, part: Part, now: float) -> list[Step]:
        """Ask for space ahead of need when this node runs low of a part, but not too often."""
        if not self._refills.is_low(part):
            return []
        goal = Goal(part, (), 1)
        if self._searches.get(goal) is not None:
            self._refills.await_search(part)
            return []
        if self._pending.awaits(goal) or not self._refills.is_due(part, now):
            return []
        self._refills.await_search(part)
        return self._go_on(self._searches.start(goal, Need.REFILL), now)

    # What peers say

    def refused(self, header: Header, told: SpaceRefusal, now: float) -> list[Step]:
        """A donor says no; the next is asked."""
        search = self._searches.of(told.request)
        if search is None:
            goal = self._descents.refused(told.request, header.sender)
            if goal is not None:
                return self._descend(goal, now)
            return [*self._assembler.refused(header, told, now), *self.assembled(now)]
        self._searches.refused(search, told.reason)
        return self._go_on(search, now)

    def found_piece(self, header: Header, told: PieceFindings, now: float) -> list[Step]:
        """An owner says which of its pieces are free, or which is the lowest."""
        goal = self._descents.found(told, header.sender)
        if goal is not None:
            return self._descend(goal, now)
        return [*self._assembler.found(header, told, now), *self.assembled(now)]

    def granted(self, header: Header, told: Grant, now: float) -> tuple[Goal | None, list[Step]]:
        """A grant is in the ring, and on disk: what it was asked for, and what is done before it is used."""
        search = self._searches.of(told.request)
        if search is not None:
            self._granted = search.goal if told.rests else None
            self._end(search.goal)
        lower = self._descents.granted(told, header.sender)
        if lower is not None:
            return lower, []
        kept = self._assembler.granted(header, told, now)  # before anybody else gets the piece
        return (None if search is None else search.goal), kept

    def end_grant(self) -> None:
        """All have been tried again who waited for what a grant brought."""
        self._granted = None

    # Going on

    def wake(self, now: float) -> list[Step]:
        """Ask others than donors that are late, and begin rounds that are due."""
        steps: list[Step] = []
        for search in self._searches:
            if search.wake_at <= now:
                if search.asked is not None:
                    self._searches.late(search, self._owners.again(search))
                steps += self._go_on(search, now)
        steps += self._descents.repeat(now)
        for goal in self._descents.due():
            steps += self._descend(goal, now)
        return steps

    def assemble(self, now: float) -> list[Step]:
        """Go on with the blocks that are put together."""
        return [*self._assembler.wake(now), *self.assembled(now)]

    def assembled(self, now: float) -> list[Step]:
        """What follows from the ends of attempts to put a block together."""
        steps: list[Step] = []
        for search, found in self._assembler.ended():
            if found:
                self._end(search.goal)
                self._note_lowest(search.goal)
            else:
                steps += self._come_to_nothing(search, now)
            steps += self._retry(None, now)  # also who waits for a part of what is free again
        return steps

    def _go_on(self, search: Search, now: float) -> list[Step]:
        goal = search.goal
        steps: list[Step] = []
        while self._searches.get(goal) is search and not search.failed:
            need = search.need
            if need is not Need.REFILL and not self._pending.awaits(goal):
                self._end(goal)
                break
            owners = self._owners.of(search) if search.moves < 0 else ()
            weights = self._owners.weights(goal, owners)
            asked = self._searches.step(search, owners, self._owners.moves(goal), weights, now)
            if asked:
                return [*steps, *asked]
            if search.need is not need:
                steps += self._retry(goal, now)
            if search.wake_at > now:
                break
        if search.failed:
            steps += self._give_up(search, now)
        return steps

    def _descend(self, goal: Goal, now: float) -> list[Step]:
        """Ask for something lower than what is here; when nobody is left to ask, what is here will do."""
        if self._pending.awaits(goal):
            asked = self._descents.step(goal, now)
            if asked is not None:
                return [*asked]
        self._descents.end(goal)
        if self._note_lowest(goal):
            return self._retry(goal, now)
        return self._go_on(self._searches.start(goal, Need.FREE), now)

    def _note_lowest(self, goal: Goal) -> bool:
        """Let those who wait for a goal know that nobody has anything lower than this node, if it has any."""
        lowest = self._descents.here(goal)
        for waiting in self._pending:
            if waiting.goal == goal and lowest is not None:
                waiting.lowest[goal] = lowest.start
        return lowest is not None

    def _give_up(self, search: Search, now: float) -> list[Step]:
        if search.goal.size > 1 and search.need is not Need.REFILL:
            return [*self._assembler.start(search, now), *self.assembled(now)]
        return self._come_to_nothing(search, now)

    def _come_to_nothing(self, search: Search, now: float) -> list[Step]:
        goal = search.goal
        self._searches.end(goal)
        if goal.is_refill:
            self._refills.failed(goal.part, now)
        if search.need is Need.REFILL:
            return []
        for waiting in self._pending:
            if waiting.goal == goal:
                waiting.failed[goal] = search
        return self._retry(goal, now)

    def _end(self, goal: Goal) -> None:
        """End a search; where it was for anything of a part, the next refill need not wait."""
        self._searches.end(goal)
        if goal.is_refill:
            self._refills.forget(goal.part)
