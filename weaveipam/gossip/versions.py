"""
Which version of the wire to speak to whom, and what to do about those who speak another.

Every packet says which version its sender speaks besides the one before it.  Whoever is not known to speak
the own version is spoken to in the one before, which all releases that may meet have in common.  So it does
not matter when what is remembered here is lost, late or wrong: who is spoken to in a version that it does not
read (any more, after a downgrade) says so at once.
Does not know how the versions differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from weaveipam.protocol.codec import Dialect, Wire
from weaveipam.protocol.effects import Level, Report
from weaveipam.protocol.messages import Header
from weaveipam.protocol.values import Endpoint

FLUENT_MAX = 1 << 14
"""Endpoints known to speak the own version; at one more the first that was met is forgotten."""
ANSWER_INTERVAL_S = 1.0
"""Seconds between two answers to one name that was not understood; a lost one is sent again."""
ANSWERS_MAX = 64
"""Of all names in that time: some 20 kB/s, so that made-up names are not worth the trouble."""
REPORT_INTERVAL_S = 60.0
"""Seconds between two reports that one name speaks neither version."""
REPORTS_MAX = 16
"""Names that are reported in that time."""


class Versions:
    """What is known of the versions that others speak."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._fluent: dict[Endpoint, None] = {}
        self._may_answer = _quota(ANSWER_INTERVAL_S, ANSWERS_MAX)
        self._may_report = _quota(REPORT_INTERVAL_S, REPORTS_MAX)

    def dialect(self, target: Endpoint) -> Dialect:
        """In which version to speak to whoever listens there."""
        return self._wire.own if target in self._fluent else self._wire.common

    def heard(self, header: Header) -> None:
        """Remember what the sender of a packet speaks, or forget it."""
        if self._wire.own is self._wire.common:
            return
        if header.speaks < self._wire.own.version:
            self._fluent.pop(header.endpoint, None)
        elif header.endpoint not in self._fluent:
            self._fluent[header.endpoint] = None
            if len(self._fluent) > FLUENT_MAX:
                del self._fluent[next(iter(self._fluent))]

    def not_understood(self, header: Header, now: float) -> tuple[bool, list[Report]]:
        """
        What to do about a packet of a version that is not spoken here.

        Returns:
            Whether to send its sender any packet, from which it sees what is spoken here, and what to report.
            There is no answer for whom nobody here could speak to.
        """
        self.heard(header)
        lowest, highest = self._wire.common.version, self._wire.own.version
        apart = highest < header.speaks - 1 or header.speaks < lowest
        if not (self._may_report if apart else self._may_answer)(header.sender.name, now):
            return False, []
        fields: tuple[tuple[str, str | int], ...] = (
            ("peer", str(header.sender)),
            ("endpoint", str(header.endpoint)),
            ("theirs", header.speaks),
            ("ours", highest),
        )
        if not apart:
            return True, [Report(Level.DEBUG, "version-shown", fields)]
        detail = "upgrade by way of the releases in between, and let all daemons reach one before the next"
        return False, [Report(Level.ERROR, "wire-version", (*fields, ("detail", detail)))]


def _quota(interval_s: float, names_max: int) -> Callable[[str, float], bool]:
    """Whether it is a name's turn: once in an interval, and not after so many others."""
    granted: set[str] = set()
    began = -math.inf

    def grant(name: str, now: float) -> bool:
        nonlocal began
        if began + interval_s <= now:
            began = now
            granted.clear()
        if name in granted or len(granted) >= names_max:
            return False
        granted.add(name)
        return True

    return grant
