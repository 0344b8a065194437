"""
Looking for space at other peers: whom to ask, in which order, and when to give up.

One search serves all requests that wait for the same space.  It goes round all owners of the space wanted,
one at a time, those with the most free (by their own, coarse hints) most likely first.  A search has failed
only when every owner that is alive has said no in one round in which no space moved; then it goes round once
more asking for cooling addresses, and only after that nothing is left.  Where space moves all the time it
asks for cooling ones after some rounds: they may be this very node's.

Does not know what is free here, nor which requests wait.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple, Protocol

from ring.address import Range
from ring.ring import Peer
from weaveipam.allocation.pools import Part
from weaveipam.allocation.rings import Change
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import FreeHint, Need, Refused, SpaceRequest, Tell
from weaveipam.protocol.values import Endpoint, MemberState

FREE_ROUNDS_MAX = 3
"""Rounds for free addresses that are repeated because space moved; with more, cooling ones are used later."""


class Neighbour(Protocol):
    """A member as far as the allocator cares."""

    @property
    def peer(self) -> Peer:
        """Which life."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""

    @property
    def present(self) -> bool:
        """Whether it seems to be there."""


class Neighbours(Protocol):
    """Who can be asked; only a hint, so it may be wrong at any time."""

    def alive(self) -> Sequence[Neighbour]:
        """The other members that seem to be there, sorted by name."""

    def get(self, name: str) -> Neighbour | None:
        """The latest known life of a name."""

    def state_of(self, peer: Peer) -> MemberState | None:
        """The state of one life; None if it is not known."""

    def hints_of(self, peer: Peer) -> tuple[FreeHint, ...]:
        """What a member last said of its free space."""


def as_life(life: Peer, neighbours: Neighbours) -> Neighbour | None:
    """A member, if it is known as this very life; present or not."""
    latest = neighbours.get(life.name)
    return latest if latest is not None and latest.peer == life else None


def shown(life: Peer, neighbours: Neighbours) -> str:
    """A life for operators: its name, or `name#incarnation` if the name has a later life by now."""
    latest = neighbours.get(life.name)
    return str(life) if latest is not None and latest.peer > life else life.name


class Goal(NamedTuple):
    """What a search looks for."""

    part: Part
    within: tuple[Range, ...]
    """Only these addresses; empty for anywhere in the part."""
    size: int
    """Addresses in one aligned block; a power of two."""

    @property
    def is_refill(self) -> bool:
        """Whether anything of the part will do."""
        return self.size == 1 and not self.within


def helps(change: Change, goal: Goal) -> bool:
    """Whether what a change brought may be what a goal is after."""
    if change.ring != goal.part.ring:
        return False
    return not goal.within or any(one.meet(gained) for one in goal.within for gained in change.gained)


def weights_of(neighbours: Neighbours, part: Part, owners: Iterable[Neighbour]) -> dict[Peer, int]:
    """About how much each of some members has free of a part, as they last said."""
    return {
        one.peer: sum(
            (1 << hint.bucket) >> 1
            for hint in neighbours.hints_of(one.peer)
            if hint.pool == part.pool and hint.family is part.ring.family
        )
        for one in owners
    }


@dataclass(slots=True)
class Search:
    """One search under way."""

    goal: Goal
    need: Need
    queue: list[Neighbour] = field(default_factory=list)
    """Whom to ask next, in order."""
    tries: dict[Peer, int] = field(default_factory=dict)
    """How often each silent donor was asked in this round."""
    asked: Peer | None = None
    """Whose answer is awaited."""
    request: int = 0
    """The number it was asked with."""
    wake_at: float = math.inf
    """When the answer is late, or the next round begins."""
    moves: int = -1
    """How often the ring had changed when the round began; -1 before the first."""
    taken: bool = False
    """Whether an owner said that all of what is wanted is in use."""
    repeats: int = 0
    """How many rounds proved nothing, as space moved."""
    silent: list[Peer] = field(default_factory=list)
    """Donors of this round that never answered, or were not ready to."""
    failed: bool = False
    near: tuple[Range, int] | None = None
    """The block of which the most was free when owners were asked for pieces, and how many addresses."""


class Searches:
    """
    All searches for space; at most one for each goal.

    `start` begins one, `step` asks the next donor, `refused` and `late` say how that went, `end` forgets it.
    """

    def __init__(self, settings: AllocationSettings, rng: Random) -> None:
        self._settings = settings
        self._rng = rng
        self._searches: dict[Goal, Search] = {}
        self._numbers: dict[int, Goal] = {}

    def __len__(self) -> int:
        return len(self._searches)

    def __iter__(self) -> Iterator[Search]:
        return iter(list(self._searches.values()))

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when the next search must go on."""
        return min([one.wake_at for one in self._searches.values()]) if self._searches else math.inf

    def get(self, goal: Goal) -> Search | None:
        """The search for a goal, failed or under way."""
        return self._searches.get(goal)

    def start(self, goal: Goal, need: Need) -> Search:
        """The search for a goal, a new one if there is none; one for a refill becomes urgent when need be."""
        search = self._searches.get(goal)
        if search is None:
            search = self._searches[goal] = Search(goal, need)
        elif search.need < need:
            self._forget_number(search)
            search = self._searches[goal] = Search(goal, need)
        return search

    def end(self, goal: Goal) -> None:
        """Forget a search; a late answer finds nothing to do."""
        search = self._searches.pop(goal, None)
        if search is not None:
            self._forget_number(search)

    def of(self, request: int) -> Search | None:
        """The search that awaits the answer to a numbered request."""
        goal = self._numbers.get(request)
        return None if goal is None else self._searches.get(goal)

    def step(
        self, search: Search, owners: Sequence[Neighbour], moves: int, weights: dict[Peer, int], now: float
    ) -> list[Tell]:
        """
        Go on with a search that awaits no answer.

        Args:
            search: One that has not failed.
            owners: The members that own something of what is wanted, sorted; asked in a new round.
            moves: How often the ring has changed up to now.
            weights: About how much each owner has free.
            now: Seconds on the monotonic clock.

        Returns:
            The next question; none when the round is over: `failed`, `need` or `wake_at` has changed then.
        """
        self._forget_number(search)
        if search.moves < 0:
            search.queue = self._shuffled(owners, weights)
            search.moves, search.tries, search.silent = moves, {}, []
        if search.queue:
            return [self._ask(search, search.queue.pop(0), now)]
        search.wake_at = math.inf
        if search.need is Need.REFILL or search.taken:
            search.failed = True
        elif search.moves != moves and (search.need is Need.COOLING or search.repeats < FREE_ROUNDS_MAX):
            search.moves = -1
            search.repeats += 1
            search.wake_at = now + self._settings.round_pause_s
        elif search.need is Need.FREE:
            search.need, search.moves = Need.COOLING, -1
            search.wake_at = now
        else:
            search.failed = True
        return []

    def refused(self, search: Search, reason: Refused) -> None:
        """The donor asked says no; `step` goes on."""
        search.taken = search.taken or reason is Refused.TAKEN
        if reason is Refused.NOT_READY and search.asked is not None:
            search.silent.append(search.asked)
        self._forget_number(search)
        search.wake_at = -math.inf

    def late(self, search: Search, neighbour: Neighbour | None) -> None:
        """The donor asked did not answer in time: it is asked again after the others, a few times."""
        peer = search.asked
        self._forget_number(search)
        if peer is None:
            return
        search.tries[peer] = search.tries.get(peer, 0) + 1
        if neighbour is not None and search.tries[peer] < self._settings.donor_tries:
            search.queue.append(neighbour)
        else:
            search.silent.append(peer)

    def _ask(self, search: Search, donor: Neighbour, now: float) -> Tell:
        search.asked = donor.peer
        search.request = self._rng.getrandbits(63)
        search.wake_at = now + self._settings.donor_timeout_s
        self._numbers[search.request] = search.goal
        goal = search.goal
        request = SpaceRequest(
            search.request, goal.part.pool, goal.part.ring, goal.within, goal.size, search.need
        )
        return Tell(donor.endpoint, request)

    def _forget_number(self, search: Search) -> None:
        self._numbers.pop(search.request, None)
        search.asked, search.request = None, 0

    def _shuffled(self, donors: Iterable[Neighbour], weights: dict[Peer, int]) -> list[Neighbour]:
        drawn = [((1 + weights.get(one.peer, 0)) * self._rng.random(), one) for one in donors]
        return [one for _, one in sorted(drawn, key=lambda pair: -pair[0])]
