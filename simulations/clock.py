"""
A machine's clocks: one that only goes forward, a little too fast or too slow, and one that people set.

Does not know who reads them.
"""

from __future__ import annotations

from simulations.timeline import Timeline

WALL_EPOCH_S = 1_700_000_000.0
"""What every wall clock shows at the beginning, in seconds since 1970."""


class Clock:
    """The monotonic and the wall clock of one machine."""

    def __init__(self, timeline: Timeline, offset_s: float = 0.0) -> None:
        self._timeline = timeline
        self._rate = 1.0
        self._since = timeline.now
        self._then = offset_s
        self._wall_offset_s = 0.0

    def read(self) -> float:
        """Seconds on the monotonic clock."""
        return self._then + (self._timeline.now - self._since) * self._rate

    def when(self, local: float) -> float:
        """The virtual time at which the monotonic clock will show `local`, if nobody touches it."""
        return self._since + (local - self._then) / self._rate

    def wall(self) -> float:
        """Seconds since 1970, as this machine believes."""
        return WALL_EPOCH_S + self.read() + self._wall_offset_s

    def drift(self, rate: float) -> None:
        """From now on a virtual second is so many of this machine's."""
        self._then, self._since = self.read(), self._timeline.now
        self._rate = rate

    def jump(self, seconds: float) -> None:
        """Let the monotonic clock jump forward, as it seems to a virtual machine that was suspended."""
        self._then += max(0.0, seconds)

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back."""
        self._wall_offset_s += seconds
