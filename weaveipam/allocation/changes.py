"""
Clients that wait for changes of pools and networks: first come, first decided.

Does not know how anything is decided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ring.address import format_range
from ring.ring import Peer
from weaveipam.allocation.campaign import Wanted
from weaveipam.allocation.poolchange import wanted_for
from weaveipam.protocol.decisions import Charter
from weaveipam.protocol.effects import Reply
from weaveipam.protocol.requests import (
    Change,
    ChangeNetwork,
    ChangePool,
    NetworkChanged,
    PoolChanged,
    Reason,
    Refusal,
)
from weaveipam.protocol.rollcalls import Use

CHANGES_MAX = 64
"""Changes that may wait; the next is refused."""
USES_SHOWN = 5
"""Of addresses in use that a refusal names."""


@dataclass(frozen=True, slots=True)
class _Asked:
    request_id: int
    change: Change
    deadline: float


class Changes:
    """The changes that are wanted, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._asked: list[_Asked] = []

    def __len__(self) -> int:
        return len(self._asked)

    @property
    def first(self) -> int | None:
        """The number of the request that comes first."""
        return self._asked[0].request_id if self._asked else None

    @property
    def drains(self) -> bool:
        """Whether the first one waits for addresses that are in use."""
        first = self._asked[0].change if self._asked else None
        return isinstance(first, ChangePool) and first.drain

    def late_at(self, besides: int | None) -> float:
        """The earliest deadline, in seconds on the monotonic clock, but for that of one request."""
        return min((one.deadline for one in self._asked if one.request_id != besides), default=math.inf)

    def add(self, request_id: int, change: Change, now: float) -> None:
        """Let a client wait."""
        self._asked.append(_Asked(request_id, change, now + max(0.0, change.wait_s)))

    def cancel(self, request_id: int) -> None:
        """The client has gone; what is wanted nobody waits for is not wanted."""
        self._asked = [one for one in self._asked if one.request_id != request_id]

    def wanted(self, charter: Charter) -> Wanted:
        """What to decide for the first one; nothing in particular if there is none."""
        wanted = wanted_for(self._asked[0].change, charter) if self._asked else None
        return wanted if isinstance(wanted, Wanted) else Wanted()

    def answered(
        self, charter: Charter, late: Callable[[], str], now: float, *, besides: int | None
    ) -> list[Reply]:
        """
        Reply to all whose change is made, or cannot be, or was waited for long enough.

        Args:
            charter: The one in force.
            late: Why a change is not made yet.
            now: Seconds on the monotonic clock.
            besides: The request that it is too late to withdraw.
        """
        replies, kept = [], []
        for one in self._asked:
            wanted = wanted_for(one.change, charter)
            if wanted is None:
                replies.append(Reply(one.request_id, _made(one.change, charter)))
            elif isinstance(wanted, Refusal):
                replies.append(Reply(one.request_id, wanted))
            elif one.deadline <= now and one.request_id != besides:
                detail = f"not done: {late()}"
                replies.append(Reply(one.request_id, Refusal(Reason.NOT_READY, detail)))
            else:
                kept.append(one)
        self._asked = kept
        return replies

    def refuse_first(self, why: Refusal) -> list[Reply]:
        """The first one cannot be."""
        asked = self._asked.pop(0) if self._asked else None
        return [] if asked is None else [Reply(asked.request_id, why)]


def _made(change: Change, charter: Charter) -> PoolChanged | NetworkChanged:
    if isinstance(change, ChangeNetwork):
        return NetworkChanged(change.name, change.exists)
    return PoolChanged(next((pool for pool in charter.pools if pool.name == change.name), None))


def in_use(uses: Mapping[Peer, Iterable[Use]]) -> str:
    """Which addresses are in use where; empty if none is."""
    said = [
        f"{format_range(use.ring.family, use.range)} at {member.name} by {use.key}"
        for member in sorted(uses)
        for use in uses[member]
    ]
    if not said:
        return ""
    more = f" and {len(said) - USES_SHOWN} more" if len(said) > USES_SHOWN else ""
    return f"still in use: {', '.join(said[:USES_SHOWN])}{more}"
