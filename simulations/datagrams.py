"""
Simulated datagrams: lost, doubled, late, overtaken, changed; one event for each that arrives.

Stands for `weaveipam.daemon.udp` and the network below it.
Does not know streams, nor what packets mean.
"""

from __future__ import annotations

from math import inf

from simulations.links import Quality
from simulations.medium import Listener, Medium
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX
from weaveipam.protocol.values import Endpoint

COUNTERS = (
    "datagram.lost",
    "datagram.duplicated",
    "datagram.late",
    "datagram.corrupted",
    "datagram.cut",
    "datagram.oversize",
    "datagram.queue-full",
    "datagram.nobody",
)
"""Names that are counted; `oversize`: empty ones too, `nobody`: nobody listened where it arrived."""

QUEUE_BYTES_MAX = 1 << 18
"""Of datagrams that wait for bandwidth on one link; one that would exceed it is dropped."""
CORRUPT_BYTES_MAX = 4
"""Bytes of a datagram that are changed at once."""


class Datagrams:
    """All datagrams of a network."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium
        self._counters = medium.counters
        self._random = medium.rng.random
        # When a link of limited bandwidth, by machines, will have sent all that waits for it.
        self._free_at: dict[tuple[str, str], float] = {}

    @property
    def drained_at(self) -> float:
        """When all that waits now on links of limited bandwidth will have left, in virtual seconds."""
        return max(self._free_at.values(), default=0.0)

    def send(self, source: Listener, target: Endpoint, packet: bytes) -> None:
        """Send one, or lose it; the cost of this and `_launch` bounds what can be simulated."""
        medium, counters = self._medium, self._counters
        size_bytes = len(packet)
        if not 0 < size_bytes <= DATAGRAM_BYTES_MAX:
            counters["datagram.oversize"] += 1
            return
        here = source.machine
        medium.sent_bytes[here] += size_bytes
        there = medium.machines.get(target)
        if there is None:
            counters["datagram.nobody"] += 1
            return
        if not medium.links.reaches(here, there):
            counters["datagram.cut"] += 1
            return
        link = medium.links.between(here, there)
        if size_bytes > link.mtu_bytes:
            counters["datagram.oversize"] += 1
            return
        wait_s = self._wait_s(here, there, link, size_bytes) if link.bytes_per_s < inf else 0.0
        if wait_s == inf:
            counters["datagram.queue-full"] += 1
            return
        if link.loss and self._random() < link.loss:
            counters["datagram.lost"] += 1
            return
        if link.duplicate and self._random() < link.duplicate:
            counters["datagram.duplicated"] += 1
            self._launch(source.endpoint, target, packet, link, wait_s)
        self._launch(source.endpoint, target, packet, link, wait_s)

    def _launch(
        self, source: Endpoint, target: Endpoint, packet: bytes, link: Quality, wait_s: float
    ) -> None:
        """Let one arrive, at some time and in some shape."""
        medium = self._medium
        delay_s = wait_s + medium.delay_s(link)
        if link.late and self._random() < link.late:
            self._counters["datagram.late"] += 1
            delay_s += self._random() * link.late_s
        if link.corrupt and self._random() < link.corrupt:
            self._counters["datagram.corrupted"] += 1
            packet = self._corrupted(packet)
        medium.timeline.after(delay_s, self._arrive, source, target, packet)

    def _arrive(self, source: Endpoint, target: Endpoint, packet: bytes) -> None:
        listener = self._medium.listeners.get(target)
        if listener is None:
            self._counters["datagram.nobody"] += 1
        elif packet:
            listener.deliver(packet, source)

    def _wait_s(self, here: str, there: str, link: Quality, size_bytes: int) -> float:
        """How long until one has left, after those that wait already; infinity if there is no room."""
        now = self._medium.timeline.now
        free_at = max(now, self._free_at.get((here, there), 0.0)) + size_bytes / link.bytes_per_s
        if (free_at - now) * link.bytes_per_s > QUEUE_BYTES_MAX:
            return inf
        self._free_at[here, there] = free_at
        return free_at - now

    def _corrupted(self, packet: bytes) -> bytes:
        """Cut short, or with some bytes changed."""
        rng = self._medium.rng
        size_bytes = len(packet)
        if rng.random() < 1 / 2:
            return packet[: rng.randrange(size_bytes)]
        changed = bytearray(packet)
        for place in rng.sample(range(size_bytes), rng.randint(1, min(CORRUPT_BYTES_MAX, size_bytes))):
            changed[place] ^= rng.randint(1, 255)
        return bytes(changed)
