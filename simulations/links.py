"""
What lies between machines: how good each link is, and which are cut.

Links are directed and there is one from every machine to every other.  Groups of machines are kept as sets,
so that a thousand machines split in two cost a thousand entries and not a quarter of a million.
Does not know packets, endpoints, nor time.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import reduce
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """One direction of a link; the defaults are those of a local network in good order."""

    delay_s: float = 0.0003
    """Minimum one-way delay."""
    jitter_s: float = 0.0002
    """Mean of what an exponential distribution adds to it; datagrams may overtake each other by it."""
    loss: float = 0.0
    """Chance that a datagram is lost, or that a segment of a stream must be repeated, which holds it up."""
    duplicate: float = 0.0
    """Chance that a datagram arrives twice."""
    late: float = 0.0
    """Chance that a datagram is held back, so that others overtake it."""
    late_s: float = 1.0
    """It is held back by up to so much, uniformly."""
    corrupt: float = 0.0
    """Chance that a datagram is changed or cut short and no checksum finds it, as with a broken adapter."""
    bytes_per_s: float = inf
    """Bandwidth, each channel for itself; datagrams wait for it in a bounded queue, streams as they must."""
    reset: float = 0.0
    """Chance by packet on a stream that the connection is reset, and what is in it lost."""
    mtu_bytes: int = 1472
    """A longer datagram is lost without a word."""


def worse(one: Quality, other: Quality) -> Quality:
    """In every respect the worse of both."""
    return Quality(
        delay_s=max(one.delay_s, other.delay_s),
        jitter_s=max(one.jitter_s, other.jitter_s),
        loss=max(one.loss, other.loss),
        duplicate=max(one.duplicate, other.duplicate),
        late=max(one.late, other.late),
        late_s=max(one.late_s, other.late_s),
        corrupt=max(one.corrupt, other.corrupt),
        bytes_per_s=min(one.bytes_per_s, other.bytes_per_s),
        reset=max(one.reset, other.reset),
        mtu_bytes=min(one.mtu_bytes, other.mtu_bytes),
    )


class Links:
    """The quality of every link, and cuts."""

    def __init__(self, quality: Quality) -> None:
        self._quality = quality
        self._impaired: dict[str, Quality] = {}
        # By the impaired ends of a link; "" stands for all that are not.
        self._between: dict[tuple[str, str], Quality] = {}
        self._cuts: dict[str, list[frozenset[str]]] = {}

    @property
    def quality(self) -> Quality:
        """Of every link between machines that are not impaired."""
        return self._quality

    @quality.setter
    def quality(self, quality: Quality) -> None:
        self._quality = quality
        self._between.clear()

    def impair(self, names: Collection[str], quality: Quality | None) -> None:
        """Make links from and to these machines at least as bad as that; None: no worse than all."""
        for name in names:
            if quality is None:
                self._impaired.pop(name, None)
            else:
                self._impaired[name] = quality
        self._between.clear()

    def cut(self, sources: Collection[str], targets: Collection[str]) -> None:
        """Let nothing pass from these to those; adds to the cuts there are."""
        group = frozenset(targets)
        for source in sources:
            groups = self._cuts.setdefault(source, [])
            if group not in groups:
                groups.append(group)

    def heal(self) -> None:
        """End every cut."""
        self._cuts.clear()

    @property
    def is_cut(self) -> bool:
        """Whether there is any cut."""
        return bool(self._cuts)

    def reaches(self, source: str, target: str) -> bool:
        """Whether no cut is on the way from one machine to another; each always reaches itself."""
        groups = self._cuts.get(source)
        return groups is None or source == target or not any(target in group for group in groups)

    def between(self, source: str, target: str) -> Quality:
        """The link from one machine to another."""
        impaired = self._impaired
        if not impaired:
            return self._quality
        ends = (source if source in impaired else "", target if target in impaired else "")
        found = self._between.get(ends)
        if found is None:
            found = reduce(worse, (impaired[end] for end in ends if end), self._quality)
            self._between[ends] = found
        return found
