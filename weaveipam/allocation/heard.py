"""
What other daemons have said of themselves while this one belongs to no cluster.

Does not know what comes of it; how a birth is decided is the business of `seeds` and `consensus`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ring.ring import Peer
from weaveipam.protocol.messages import Header
from weaveipam.protocol.values import Endpoint

OTHERS_MAX = 20_000
"""Daemons that are remembered while none has told of a cluster; of those that no birth needs."""
INQUIRIES_BEFORE_ALONE = 3
"""How often each endpoint that no birth needs is asked before its silence no longer delays one."""


class Init(NamedTuple):
    """How a daemon was told to form a cluster, if it was."""

    seeds: tuple[str, ...] = ()
    """The names that form it together, sorted."""
    consensus: int = 0
    """How many daemons agree on its birth, this one among them; 0: none do."""

    def __str__(self) -> str:
        if self == NOT_TO_FORM:
            return "observe"
        return f"consensus={self.consensus}" if self.consensus else f"seeds={','.join(self.seeds)}"


NOT_TO_FORM = Init()
"""Of a daemon that only joins."""


@dataclass(slots=True)
class Other:
    """What another daemon has said of itself."""

    header: Header
    init: Init
    answered: bool = False
    earlier: Peer | None = None
    """An earlier life of this daemon that it remembers."""


class Heard:
    """The other daemons, by name, and how often each endpoint was asked."""

    def __init__(self) -> None:
        self.others: dict[str, Other] = {}
        self._asked: dict[Endpoint, int] = {}

    def ask(self, endpoint: Endpoint) -> None:
        """Note that an endpoint is asked once more."""
        self._asked[endpoint] = self._asked.get(endpoint, 0) + 1

    def note(self, header: Header, init: Init, *, needed: bool) -> bool:
        """
        Note who somebody is and how it was told to begin.

        False if there is no room for it; there always is for one that is `needed`.
        """
        name = header.sender.name
        other = self.others.get(name)
        if other is not None and other.header.sender == header.sender:
            other.header, other.init = header, init
            return True
        if other is None and len(self.others) >= OTHERS_MAX and not needed:
            return False
        self.others[name] = Other(header, init)
        return True

    def remembered(self) -> str:
        """Who remembers an earlier life of this daemon, in half a sentence; empty if nobody does."""
        for name, one in self.others.items():
            if one.earlier is not None:
                return (
                    f"{name} remembers an earlier life of this one ({one.earlier}), "
                    "which may have formed a cluster"
                )
        return ""

    def still_asking(self, endpoints: Iterable[Endpoint]) -> str:
        """Whose silence says nothing yet, in one sentence; empty if all have answered or had their chance."""
        answered = {one.header.endpoint for one in self.others.values() if one.answered}
        for one in endpoints:
            if one not in answered and self._asked.get(one, 0) < INQUIRIES_BEFORE_ALONE:
                return f"{one} is still being asked for a cluster"
        return ""

    def unlike(self, init: Init) -> str:
        """Who was told to form a cluster in another way, as the end of a sentence; empty if nobody was."""
        named = [
            f"{name} with {one.init}"
            for name, one in sorted(self.others.items())
            if one.init not in {NOT_TO_FORM, init}
        ]
        return f"; started differently: {', '.join(named)}" if named else ""
