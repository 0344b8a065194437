"""
When allocations that are given for a time end.

The time runs on this node's monotonic clock and is on no disk: what is on disk is how long it is.  So it
begins anew when the node starts, or when the allocation comes from another node: it may end late by what had
passed, and never early.  It runs only while the node serves, as nobody could renew it before.

The timers are a heap with an entry for each allocation.  Renewing moves no entry: one that comes up too early
is put back where it belongs, only some at a time.  So to look at the next one costs next to nothing, and to
renew one as well, however many there are.
Does not know what is allocated, nor what is done when a time is over.
"""

from __future__ import annotations

import heapq
import math
from typing import TypeAlias

from weaveipam.protocol.values import Allocation

Holder: TypeAlias = tuple[str, str]
"""Network and key."""

LOOKS_MAX = 16
"""Entries that are put back at one look; with more in a row it tells an end too early, and goes on later."""
STALE_MAX = 64
"""Entries of the heap that belong to nothing, beside as many as there are others; more are swept out."""


class Terms:
    """The ends of one node's allocations; those that are given for ever are unknown here."""

    def __init__(self) -> None:
        self._ends: dict[Holder, float] = {}
        self._heap: list[tuple[float, Holder]] = []
        """For each holder an entry at its end, or before; and some others, that mean nothing."""
        self._fresh: dict[Holder, int] = {}
        """Those whose time has not begun, and how long it is; in the order in which they came."""

    def __len__(self) -> int:
        return len(self._ends) + len(self._fresh)

    def add(self, allocation: Allocation) -> None:
        """One more allocation, for ever or for a time; that begins with `begin`."""
        if allocation.ttl_s is not None:
            self._fresh[allocation.network, allocation.key] = allocation.ttl_s

    def remove(self, allocation: Allocation) -> None:
        """An allocation is over, whether it was for a time or not."""
        holder = (allocation.network, allocation.key)
        self._fresh.pop(holder, None)
        self._ends.pop(holder, None)
        self._sweep()

    def begin(self, now: float) -> None:
        """The time of all that were added begins; `now` in seconds on the monotonic clock, as everywhere."""
        ends = {holder: now + ttl_s for holder, ttl_s in self._fresh.items()}
        self._ends.update(ends)
        entries = [(ends_at, holder) for holder, ends_at in ends.items()]
        if len(entries) > len(self._heap):  # as after a start
            self._heap += entries
            heapq.heapify(self._heap)
        else:
            for entry in entries:
                heapq.heappush(self._heap, entry)
        self._fresh.clear()

    def renew(self, allocation: Allocation, now: float) -> None:
        """The time of one begins anew, if it is for a time at all."""
        holder = (allocation.network, allocation.key)
        if allocation.ttl_s is None or holder in self._fresh:
            return
        assert holder in self._ends, "what is renewed was added"
        self._ends[holder] = now + allocation.ttl_s

    def left_s(self, allocation: Allocation, now: float) -> float | None:
        """Seconds until one ends, at least 0; None: it does not."""
        if allocation.ttl_s is None:
            return None
        ends_at = self._ends.get((allocation.network, allocation.key), math.inf)
        return max(0.0, min(ends_at - now, allocation.ttl_s))

    @property
    def wake_at(self) -> float:
        """When there is something to `begin`, or something may be over; seconds on the monotonic clock."""
        if self._fresh:
            return -math.inf
        for _ in range(LOOKS_MAX):
            if not self._heap or self._is_first_true():
                break
        return self._heap[0][0] if self._heap else math.inf

    def take_over(self, now: float, most: int) -> list[Holder]:
        """
        Who has had its time, the longest due first; nothing is known of them here from now on.

        Args:
            now: Seconds on the monotonic clock.
            most: Entries that are looked at.  While there may be more `wake_at` is not later than now.
        """
        found: list[Holder] = []
        for _ in range(most):
            if not self._heap or self._heap[0][0] > now:
                break
            if self._is_first_true():
                _, holder = heapq.heappop(self._heap)
                del self._ends[holder]
                found.append(holder)
        return found

    def _is_first_true(self) -> bool:
        """Whether the first entry is at its holder's end; if not it is put there, or thrown away."""
        at, holder = self._heap[0]
        ends_at = self._ends.get(holder)
        if ends_at is None or ends_at < at:  # it is over, or has an earlier entry
            heapq.heappop(self._heap)
        elif ends_at > at:
            heapq.heapreplace(self._heap, (ends_at, holder))
        return ends_at == at

    def _sweep(self) -> None:
        """Keep no more entries of what is over than of what is there; constant in the mean."""
        if len(self._heap) > 2 * len(self._ends) + STALE_MAX:
            self._heap = [(ends_at, holder) for holder, ends_at in self._ends.items()]
            heapq.heapify(self._heap)
