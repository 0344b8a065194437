"""
Drift: in quiet times small free islands go to the neighbours that can join them to what they have.

Space moves in small pieces, so the ring breaks up as it is used; drift makes it whole again.  An *island* is
a stretch of addresses of one owner, between those of others, of which nothing is in use: all that can be
assigned is free.  Of each part an owner keeps its largest islands; each other one it grants, unasked and
whole, to the owner of the stretch before or after it, if that is a member that is there.  Those beside larger
runs go first, so that the neighbours of the others can give what lies between.

*It ends.*  Call a place where one owner's addresses touch another's a border.  A grant of a whole island to
its neighbour makes no border and removes one, or two between stretches of the same neighbour; where that
neighbour grants its own stretch away at that moment, it may remove none.  Such a coincidence needs two grants
within the time that a packet takes, and the moments are drawn at random, so there are few of them.  Nothing
else makes borders in quiet times but refills, and whoever has given islands away asks for no refill before
it has used some of what it kept.  So there are finitely many refills, and a grant for each border at most.

What is reserved or pre-allocated is asked for by its address, wherever it is: no owner keeps islands of it.

*What is left* is, of each part that is for anybody, `KEPT` islands of each member, the stretches with
something in use, and islands that only touch addresses of those who are not there.

Does not know how grants are made, nor what clients do.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from random import Random
from typing import NamedTuple

from ring.address import Range, union
from ring.ring import Peer, Ring
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.pools import Stock
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.values import RingId

KEPT = 2
"""Islands of each part that an owner keeps, the largest: the last free address of a part is never given."""
GIFTS_MAX = 16
"""Islands that go at once; others follow later, so that a wrong idea of who is there costs few of them."""
PATIENCE = 10
"""Times `drift_s`: islands go even if clients never cease to ask, else a busy ring would only break up."""


class Timer:
    """When to look for islands to give: after a while without new allocations, but not never."""

    def __init__(self, settings: AllocationSettings, rng: Random) -> None:
        self._settings = settings
        self._rng = rng
        self.wake_at = math.inf
        """Seconds on the monotonic clock; infinity while there can be nothing to give."""
        self.first = False
        """Whether the next look is the first one since there was nothing to give."""
        self._since = -math.inf

    def arm(self, now: float) -> None:
        """There may be more islands than before."""
        if self.wake_at == math.inf:
            self.restart(now)
            self.first = True

    def put_off(self, now: float) -> None:
        """Something was allocated: what is free may be needed here."""
        if self.wake_at < math.inf:
            self.wake_at = min(self._drawn(now), self._since + PATIENCE * self._settings.drift_s)

    def restart(self, now: float) -> None:
        """Look (again) a while from now."""
        self.first = False
        self._since = now
        self.wake_at = self._drawn(now)

    def stop(self) -> None:
        """There is nothing to give until something happens."""
        self.wake_at = math.inf

    def _drawn(self, now: float) -> float:
        """One to two times `drift_s` from now: neighbours should not look at one moment."""
        return now + self._settings.drift_s * (1 + self._rng.random())


class Island(NamedTuple):
    """Addresses that their owner need not keep."""

    ring: RingId
    what: Range
    heir: Peer | None
    """Who shall have them; None if nobody can at present."""


def islands(holdings: Holdings, me: Peer, there: Container[Peer], *, larger: bool = False) -> list[Island]:
    """All that a node need not keep of what it holds; with heirs as `heir_of` finds them."""
    found = []
    for ring in holdings.pools.rings():
        held = holdings.rings[ring]
        stocks = {part: stock for part, stock in holdings.pools.stocks.items() if part.ring == ring}
        common = [stock for part, stock in stocks.items() if not part.kept]
        asked_for = [stock for part, stock in stocks.items() if part.kept]
        spare = surplus(held, me, common, holdings.contests.ranges(ring), asked_for)
        found += [Island(ring, what, heir_of(what, held, there, larger=larger)) for what in spare]
    return found


def surplus(
    ring: Ring, me: Peer, stocks: Sequence[Stock], frozen: Sequence[Range], asked_for: Sequence[Stock] = ()
) -> list[Range]:
    """
    The islands that an owner need not keep, sorted.

    Those of which nothing can be assigned are among them: nobody has any use for them.

    Args:
        ring: Who owns what.
        me: The owner.
        stocks: What it has of each part of the ring that is for anybody.
        frozen: What it may not give to anybody.
        asked_for: What it has of the other parts.
    """
    whole: list[tuple[Range, list[int]]] = []
    for one in union(Range(run.start, run.stop) for run in ring.owned_by(me)):
        free = [stock.free_of(one) for stock in stocks]
        unused = None not in free and all(stock.free_of(one) is not None for stock in asked_for)
        if unused and not any(one.meet(what) for what in frozen):
            whole.append((one, [count or 0 for count in free]))
    kept: set[Range] = set()
    for index in range(len(stocks)):
        useful = [(-free[index], one) for one, free in whole if free[index]]
        kept.update(one for _, one in sorted(useful)[:KEPT])
    return [one for one, _ in whole if one not in kept]


def heir_of(island: Range, ring: Ring, there: Container[Peer], *, larger: bool = False) -> Peer | None:
    """
    Who can join an island to what it has: the owner of the larger run beside it; None if nobody can.

    Args:
        island: Between addresses of others.
        ring: Who owns what.
        there: The other members that seem to be there.
        larger: Whether only a run that is larger than the island will do.
    """
    beside = [ring.at(island.start - 1), ring.at(island.stop)]
    runs = [(run.stop - run.start, run.owner) for run in beside if run is not None and run.owner in there]
    size, heir = max(runs, default=(0, None))
    return None if larger and size <= island.size else heir
