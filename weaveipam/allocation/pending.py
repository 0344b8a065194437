"""
Requests that cannot be answered yet, in the order they came.

Does not know why they wait; whoever retries them does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from weaveipam.allocation.donors import Goal, Search
from weaveipam.protocol.requests import Allocate


@dataclass(slots=True)
class Waiting:
    """One request that waits."""

    request_id: int
    request: Allocate
    deadline: float
    """Seconds on the monotonic clock: when it is refused at the latest."""
    goal: Goal | None = None
    """What it waits for; None while this node does not serve yet."""
    failed: dict[Goal, Search] = field(default_factory=dict)
    """Searches that ended with nothing while it waited."""
    lowest: dict[Goal, int] = field(default_factory=dict)
    """By goal an address below which nobody who answered while it waited had any to give."""
    late: bool = False
    """Whether it is to have what is here, as there is no time to ask for anything else."""


class Pending:
    """The waiting requests by their number; first come, first retried."""

    def __init__(self) -> None:
        self._waiting: dict[int, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(list(self._waiting.values()))

    def __contains__(self, waiting: Waiting) -> bool:
        return self._waiting.get(waiting.request_id) is waiting

    @property
    def wake_at(self) -> float:
        """The earliest deadline."""
        return min([one.deadline for one in self._waiting.values()]) if self._waiting else math.inf

    def add(self, waiting: Waiting) -> None:
        """Let a request wait; one that waits already keeps its place."""
        self._waiting.setdefault(waiting.request_id, waiting)

    def drop(self, request_id: int) -> Waiting | None:
        """It has been answered, or its client has gone."""
        return self._waiting.pop(request_id, None)

    def of_key(self, network: str, key: str) -> list[Waiting]:
        """The waiting requests of one key."""
        return [one for one in self if one.request.network == network and one.request.key == key]

    def awaits(self, goal: Goal) -> bool:
        """Whether anybody still waits for a search."""
        return any(one.goal == goal for one in self._waiting.values())
