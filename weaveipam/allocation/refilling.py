"""
When a node asks for space ahead of need: where it runs low of a part, but not too often.

Where nobody had any it asks again after a pause, which doubles a few times.  Who has just given something
away asks for nothing in its place before some of what is left is used.
Does not know how space is found.
"""

from __future__ import annotations

import math
from random import Random

from weaveipam.allocation.giving import Giver
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.leaving import Leaver
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.allocation.standing import Standing

REFILL_DOUBLINGS_MAX = 4


class Refills:
    """The parts of which one node has little."""

    def __init__(
        self,
        settings: AllocationSettings,
        rng: Random,
        holdings: Holdings,
        giver: Giver,
        leaver: Leaver,
        standing: Standing,
    ) -> None:
        self._settings = settings
        self._rng = rng
        self._holdings = holdings
        self._giver = giver
        self._leaver = leaver
        self._standing = standing
        self._due: dict[Part, tuple[int, float]] = {}
        """How often the pause has doubled, and when to ask again; infinity: some is sought."""

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when to ask for something again."""
        return min([at for _, at in self._due.values()], default=math.inf)

    def is_low(self, part: Part) -> bool:
        """Whether more of a part is wanted; if not, its pauses are forgotten."""
        if self._leaver.leaving or self._leaver.returned or not self._has_little(part):
            self.forget(part)
            return False
        self._giver.content.pop(part, None)
        return True

    def _has_little(self, part: Part) -> bool:
        if part.kept:  # asked for one by one, and by nobody else
            return False
        stock = self._holdings.pools.stocks[part]
        if stock.sequential:  # what comes ahead of need would be above what others have free
            return False
        watermark = self._settings.watermark(stock.owned, stock.size)
        return stock.space.free_count < min(watermark, self._giver.content.get(part, watermark))

    def is_due(self, part: Part, now: float) -> bool:
        """Whether some of a part, of which there is little, may be asked for."""
        _, at = self._due.get(part, (-1, now))
        return self._standing.admitted and at <= now

    def await_search(self, part: Part) -> None:
        """Some of it is sought: no more is before that has ended."""
        doublings, _ = self._due.get(part, (-1, 0.0))
        self._due[part] = (doublings, math.inf)

    def failed(self, part: Part, now: float) -> None:
        """Nobody had any."""
        doublings, _ = self._due.get(part, (-1, 0.0))
        doublings = min(doublings + 1, REFILL_DOUBLINGS_MAX)
        # Nodes that began at one moment should not all ask again at one moment.
        pause_s = self._settings.refill_pause_s * 2**doublings * (0.5 + self._rng.random() / 2)
        self._due[part] = (doublings, now + pause_s)

    def forget(self, part: Part) -> None:
        """Some has come, or is wanted no more: the next time need not wait."""
        self._due.pop(part, None)

    def used(self, part: Part) -> None:
        """Something of it was allocated: if nothing was left before, it cannot become less."""
        if not self._giver.content.get(part, 1):
            del self._giver.content[part]

    def follow_pools(self) -> None:
        """There are other pools: nothing is wanted of those that are gone."""
        for by_part in (self._due, self._giver.content):
            for part in [one for one in by_part if one not in self._holdings.pools.stocks]:
                del by_part[part]
