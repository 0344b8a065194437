"""
Spreading ownership at once: bursts to a few random members, repeated twice.

A push travels in a few hops of some milliseconds where a periodic tick takes as many periods; who learns from
it passes it on.  Bursts keep a distance and are one datagram a member each, which bounds what pushing can
cost however much happens; what is dropped for that is left to repair.
Does not know what the statements mean, nor whether they are news to anybody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from weaveipam.gossip.members import Member
from weaveipam.gossip.settings import GossipSettings
from weaveipam.protocol.messages import Message, Ownership, Tell

RUNS_MAX = 1024
"""Runs of one push at most: some 40 kB; more is bulk, which one exchange carries cheaper than datagrams."""


@dataclass(slots=True)
class _Item:
    """A push under way."""

    message: Ownership
    size: int
    """Encoded, in bytes."""
    due: float
    """When its next burst is due; a burst may still come later, to keep its distance from the last one."""
    repeats: tuple[float, ...]
    """Seconds from the first burst to those that remain, after the next one."""
    first: float | None = None
    """When the first burst was, if it was."""
    last: float = -math.inf
    """When the last burst was."""


class Push:
    """
    The queue of pushes, newest first.

    Args:
        settings: The `push_` ones and `fan_out` are used.
        rng: Chooses whom to tell.
        size: The encoded size of a message in bytes.
        budget_bytes: Of one burst to one member: what a datagram has room for.
        now: Seconds on the monotonic clock.
    """

    def __init__(
        self,
        settings: GossipSettings,
        rng: Random,
        size: Callable[[Message], int],
        budget_bytes: int,
        now: float,
    ) -> None:
        self._settings = settings
        self._rng = rng
        self._size = size
        self._budget_bytes = budget_bytes
        self._items: list[_Item] = []
        self._last_burst = now - settings.push_coalesce_s
        self.lossy = False
        """Whether so many packets get lost that pushes from now on are repeated more often."""

    @property
    def wake_at(self) -> float:
        """When the next burst is due; in the past if it is overdue, infinity if there is none."""
        if not self._items:
            return math.inf
        due = min([item.due for item in self._items])
        return max(due, self._last_burst + self._settings.push_coalesce_s)

    def add(self, message: Ownership) -> int:
        """
        Push a message once the last burst is long enough ago; not one of more than `RUNS_MAX` runs.

        Returns: How many older pushes were dropped for it.
        """
        if not 0 < len(message.runs) <= RUNS_MAX:
            return 0
        again_s = self._settings.push_again_s + (self._settings.push_lossy_s if self.lossy else ())
        fresh = [
            _Item(piece, size, -math.inf, again_s)
            for piece, size in self._pieces(message)
            if size <= self._budget_bytes  # else even one run is too long a message, and a repair carries it
        ]
        self._items[:0] = fresh
        dropped = len(self._items) - self._settings.push_queue_max
        del self._items[self._settings.push_queue_max :]
        return max(0, dropped)

    def burst(self, members: Sequence[Member], now: float) -> list[Tell]:
        """
        The next burst, if it is due: what is due, newest first, until the datagrams are full.

        Args:
            members: Those to choose from, in an order that does not depend on chance.
            now: Seconds on the monotonic clock.

        Returns: All that goes to one member, then the next; at most `fan_out` of them.
        """
        if now < self.wake_at:
            return []
        left = self._budget_bytes
        told: list[Ownership] = []
        for item in self._items:
            if item.due <= now and item.size <= left:
                left -= item.size
                told.append(item.message)
                _sent(item, now)
        self._items = [item for item in self._items if item.due < math.inf]
        self._last_burst = now
        chosen = self._rng.sample(members, min(self._settings.fan_out, len(members)))
        return [Tell(member.endpoint, message) for member in chosen for message in told]

    def offered(self) -> list[tuple[Ownership, int]]:
        """
        What may also ride on other packets, newest first, with encoded sizes.

        That is every push under way except those of the latest burst, which may be in the packet already.
        """
        return [(item.message, item.size) for item in self._items if item.last < self._last_burst]

    def _pieces(self, message: Ownership) -> Iterator[tuple[Ownership, int]]:
        """The message in parts that fit into a datagram, with their sizes: halves of halves."""
        size = self._size(message)
        if size <= self._budget_bytes or len(message.runs) == 1:
            yield message, size
            return
        middle = len(message.runs) // 2
        yield from self._pieces(Ownership(message.ring, message.runs[:middle]))
        yield from self._pieces(Ownership(message.ring, message.runs[middle:]))


def _sent(item: _Item, now: float) -> None:
    """Note a burst, and when the next one is due; never, after the last."""
    if item.first is None:
        item.first = now
    item.last = now
    item.due = item.first + item.repeats[0] if item.repeats else math.inf
    item.repeats = item.repeats[1:]
