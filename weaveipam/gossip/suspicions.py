"""
How long each suspect still has, which depends on how many accuse it.

Source: Lifeguard (arXiv 1707.00788), section IV-B.  A lone accuser may be the one that is ill, so a suspicion
begins with a long time-out, and each further member that accuses by itself shortens it, the first ones most.
Cost: each method needs logarithmic time in the suspicions, amortised, but for `postpone`.

Does not know why anybody is suspected, nor what follows when the time is up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from weaveipam.gossip.settings import GossipSettings

_STALE_MAX = 64
"""Outdated deadlines that are kept beside twice as many as there are suspicions, before all are swept out."""


@dataclass(slots=True)
class _Suspicion:
    """Of one member."""

    members_count: int
    """In the cluster when it began, this daemon and the suspect among them: what all its time-outs go by."""
    since: float
    deadline: float
    accusers: dict[str, None] = field(default_factory=dict)
    """Names; the first is no confirmation."""


class Suspicions:
    """
    The suspicions under way, by the names of the suspects.

    Args:
        settings: The `suspicion_` ones are used.
    """

    def __init__(self, settings: GossipSettings) -> None:
        self._settings = settings
        self._running: dict[str, _Suspicion] = {}
        self._deadlines: list[tuple[float, str]] = []
        """A heap, with entries that are outdated: those that the suspicion of that name does not have."""

    def __len__(self) -> int:
        return len(self._running)

    @property
    def wake_at(self) -> float:
        """The next deadline, in seconds on the monotonic clock; infinity if there is none."""
        self._drop_outdated()
        return self._deadlines[0][0] if self._deadlines else math.inf

    def begin(self, name: str, accuser: str, members_count: int, now: float) -> None:
        """
        Give a suspect its time, anew if it has some already.

        Args:
            name: Of the suspect.
            accuser: Who says so first; empty if that was not told.
            members_count: Members that are not known to be gone, this daemon and the suspect among them.
            now: Seconds on the monotonic clock.
        """
        deadline = now + self._settings.suspicion_s(members_count, 0)
        accusers: dict[str, None] = {accuser: None} if accuser else {}
        self._running[name] = _Suspicion(members_count, now, deadline, accusers)
        self._enter(name, deadline)

    def confirm(self, name: str, accuser: str, now: float) -> bool:
        """
        Count another accuser; whether it was news, and so is worth passing on.

        Its time may be up at once, but not before now: a deadline in the past is one that was missed.  It is
        no news if that member has accused the suspect before, or if as many others as count have.
        """
        suspicion = self._running.get(name)
        if suspicion is None or not accuser or accuser in suspicion.accusers:
            return False
        if len(suspicion.accusers) > self._settings.confirmations(suspicion.members_count):
            return False
        suspicion.accusers[accuser] = None
        self._shorten(name, suspicion, len(suspicion.accusers) - 1, now)
        return True

    def conclude(self, name: str, now: float) -> None:
        """Count a suspicion as confirmed by as many as there need be: somebody else has waited for them."""
        suspicion = self._running.get(name)
        if suspicion is not None:
            self._shorten(name, suspicion, self._settings.confirmations(suspicion.members_count), now)

    def end(self, name: str) -> None:
        """Forget a suspicion, if there is one."""
        self._running.pop(name, None)

    def due(self, now: float, *, ill: bool) -> list[str]:
        """
        The suspects whose time is up, in the order of their deadlines; their suspicions have ended.

        Args:
            now: Seconds on the monotonic clock.
            ill: Whether this daemon may have missed what refutes them: then each has the time of one that
                nobody confirms, and is looked at again after a round.
        """
        names = []
        while self.wake_at <= now:
            _, name = heappop(self._deadlines)
            suspicion = self._running[name]
            most_s = self._settings.suspicion_s(suspicion.members_count, 0)
            if ill and now < suspicion.since + most_s:
                suspicion.deadline = now + self._settings.probe_interval_s
                self._enter(name, suspicion.deadline)
                continue
            del self._running[name]
            names.append(name)
        return names

    def postpone(self, seconds: float, now: float) -> None:
        """Give all suspects that much longer, but none of it to those who came under suspicion only then."""
        for suspicion in self._running.values():
            longer_s = min(seconds, now - suspicion.since)
            suspicion.since += longer_s
            suspicion.deadline += longer_s
        self._sweep()

    def _shorten(self, name: str, suspicion: _Suspicion, confirmations: int, now: float) -> None:
        time_out_s = self._settings.suspicion_s(suspicion.members_count, confirmations)
        deadline = max(now, suspicion.since + time_out_s)
        if deadline < suspicion.deadline:
            suspicion.deadline = deadline
            self._enter(name, deadline)

    def _enter(self, name: str, deadline: float) -> None:
        heappush(self._deadlines, (deadline, name))
        if len(self._deadlines) > 2 * len(self._running) + _STALE_MAX:
            self._sweep()

    def _sweep(self) -> None:
        self._deadlines = [(suspicion.deadline, name) for name, suspicion in self._running.items()]
        heapify(self._deadlines)

    def _drop_outdated(self) -> None:
        while self._deadlines:
            deadline, name = self._deadlines[0]
            suspicion = self._running.get(name)
            if suspicion is not None and suspicion.deadline == deadline:
                return
            heappop(self._deadlines)
