"""
What there is to tell of members, and how often each of it was told.

Each rumour rides on a bounded number of packets, those told least often first (SWIM, section 4.1); of those
the newest first, as many may have heard an old one from others.  Beside that there are bursts: packets that
begin with the foremost rumour, and would not be sent without it.
Does not know what is true; a newer rumour about a name simply takes the older one's place.
"""

from __future__ import annotations

from collections.abc import Callable

from weaveipam.protocol.messages import Message, Rumour

MISSES_MAX = 8
"""Rumours too large for what is left of a packet that are looked past in search of a smaller one."""


class Rumours:
    """The rumours that still spread; at most one for each name."""

    def __init__(self, size: Callable[[Message], int]) -> None:
        self._size = size
        self._told: dict[str, int] = {}
        """How often each was told: the index of its queue below."""
        self._queues: list[dict[str, tuple[Rumour, int]]] = [{}]
        """By how often they were told: rumour and encoded size by name, oldest first."""
        self._leading = ""
        """Whom the rumour is about that the latest burst began with."""

    def __len__(self) -> int:
        return len(self._told)

    def add(self, rumour: Rumour) -> None:
        """Spread this, and nothing older about the same name."""
        self._forget(rumour.peer.name)
        self._place(rumour.peer.name, 0, (rumour, self._size(rumour)))
        if self._leading == rumour.peer.name:
            self._leading = ""

    def lead(self, packets_count: int, times_max: int) -> Rumour | None:
        """
        The foremost rumour, which counts as told so many times more; None if there is nothing to tell.

        From now until the next burst `fill` leaves it out, as it may be in the packet already.
        """
        self._trim(times_max)
        name = next((next(reversed(queue)) for queue in self._queues if queue), None)
        if name is None:
            return None
        self._leading = name
        times = self._told[name] + packets_count
        entry = self._forget(name)
        assert entry is not None, "just found there"
        if times < times_max:
            self._place(name, times, entry)
        return entry[0]

    def fill(self, budget_bytes: int, times_max: int) -> tuple[Rumour, ...]:
        """
        The rumours for one packet, which count as told from now on.

        Args:
            budget_bytes: Their encoded size in sum is at most this; may be below 0.
            times_max: Rumours told so often are forgotten.

        Cost: linear in the rumours returned.
        """
        self._trim(times_max)
        chosen: list[str] = []
        misses = 0
        for queue in self._queues:
            for name in reversed(queue):
                if name == self._leading:
                    continue
                size = queue[name][1]
                if size <= budget_bytes:
                    chosen.append(name)
                    budget_bytes -= size
                else:
                    misses += 1
                if misses > MISSES_MAX:
                    return self._tell(chosen, times_max)
        return self._tell(chosen, times_max)

    def _trim(self, times_max: int) -> None:
        """Forget what has been told so often."""
        while len(self._queues) > max(1, times_max):
            for name in self._queues.pop():
                del self._told[name]

    def _tell(self, names: list[str], times_max: int) -> tuple[Rumour, ...]:
        """The rumours about these, each moved on by one queue, or out of the last one."""
        told = []
        # Backwards, so that the newest stays the newest of its next queue.
        for name in reversed(names):
            times = self._told[name] + 1
            entry = self._forget(name)
            assert entry is not None, "chosen from the queues"
            told.append(entry[0])
            if times < times_max:
                self._place(name, times, entry)
        return tuple(reversed(told))

    def _place(self, name: str, times: int, entry: tuple[Rumour, int]) -> None:
        """Put a rumour at the newest end of the queue of those told so often."""
        while len(self._queues) <= times:
            self._queues.append({})
        self._queues[times][name] = entry
        self._told[name] = times

    def _forget(self, name: str) -> tuple[Rumour, int] | None:
        """Take out the rumour about a name, if there is one."""
        times = self._told.pop(name, None)
        if times is None:
            return None
        entry = self._queues[times].pop(name)
        if not self._queues[times]:
            self._queues[times] = {}  # as a dictionary that was large once never shrinks by itself
        return entry
