"""
Whom to believe, and what: nobody who is fenced or removed, and nothing beyond the decisions in force here.

Does not know how decisions are made, nor what becomes of what is believed.
"""

from __future__ import annotations

from collections.abc import Iterator

from ring.ring import Peer, Ring, Run
from weaveipam.allocation.pools import Pools
from weaveipam.allocation.rings import Rings
from weaveipam.allocation.rules import RULES
from weaveipam.protocol.messages import Ownership

EPOCH_MAX = 1 << 62
"""Above it nothing is believed: owners raise epochs one by one, and the next one must still have 64 bits."""


class Belief:
    """What one node believes of what others state."""

    def __init__(self) -> None:
        self._closed: frozenset[Peer] = frozenset()
        """Whose statements are not believed any more."""
        self._over: frozenset[Peer] = frozenset()
        """Whom nothing is given to."""
        self._generation_max = 0
        """Of the last decision that is in force here."""

    def trust(self, closed: frozenset[Peer], gone: frozenset[Peer], generation_max: int) -> None:
        """
        Whom to believe from now on.

        Args:
            closed: Fenced; a decision will tell what they have said.
            gone: Removed.
            generation_max: What later decisions have brought is unknown here.
        """
        self._closed, self._over, self._generation_max = closed, closed | gone, generation_max

    def is_over(self, peer: Peer) -> bool:
        """Whether a life is fenced or removed, so that nothing is given to it."""
        return not RULES.serves(peer, self._over)

    def is_removed(self, peer: Peer) -> bool:
        """Whether a decision has removed a life."""
        return peer in self._over and peer not in self._closed

    def checked(self, ownership: Ownership, rings: Rings, pools: Pools) -> Ring | None:
        """
        Peers' runs as a ring, but for those that are not to be believed; None for what no daemon would say.

        What is left out is no news: who is fenced has said nothing that a decision does not repeat, and of
        addresses of no pool, and by decisions unknown here, those speak who are ahead.
        """
        if rings.says(ownership):
            return rings[ownership.ring]
        if any(run.token.epoch > EPOCH_MAX for run in ownership.runs):
            return None
        try:
            return Ring.of(self._believed(ownership, pools))
        except ValueError:
            return None

    def _believed(self, ownership: Ownership, pools: Pools) -> Iterator[Run]:
        for run in ownership.runs:
            if RULES.believes(run, self._closed, self._generation_max):
                yield from pools.inside(ownership.ring, run)
