"""
Virtual time: one heap of everything that is going to happen.

What happens at one moment happens in the order in which it was planned.  Does not know what happens.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any


class Timeline:
    """Seconds that pass only when nothing is left to do in them."""

    def __init__(self) -> None:
        self.now = 0.0
        """Virtual seconds since the beginning."""
        self.events_count = 0
        """What has happened so far."""
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._numbers = count()

    def at(self, when: float, act: Callable[..., None], *args: Any) -> None:
        """Call `act(*args)` at that time, or now if it has passed."""
        heapq.heappush(self._heap, (max(when, self.now), next(self._numbers), act, args))

    def after(self, delay_s: float, act: Callable[..., None], *args: Any) -> None:
        """Call `act(*args)` so many seconds from now."""
        self.at(self.now + delay_s, act, *args)

    def run(self, until: float) -> None:
        """Let everything happen that is due until then, inclusive; then it is that time."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.now, _, act, args = heapq.heappop(heap)
            self.events_count += 1
            act(*args)
        self.now = max(self.now, until)
