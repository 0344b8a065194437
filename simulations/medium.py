"""
What all ports of one simulated network share: time, chance, links, and who listens where.

Does not know datagrams nor streams.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from math import log
from random import Random
from typing import Protocol

from simulations.links import Links, Quality
from simulations.timeline import Timeline
from weaveipam.protocol.values import Endpoint


class Incoming(Protocol):
    """A connection as the process that it leads to sees it."""

    @property
    def idle(self) -> bool:
        """Whether nothing is under way on it."""
        ...

    def refuse(self) -> None:
        """Tell the process that opened it that it is over, if that gets through."""
        ...


@dataclass(slots=True, eq=False)
class Listener:
    """The open port of one process."""

    machine: str
    endpoint: Endpoint
    deliver: Callable[[bytes, Endpoint], None]
    attached: bool = True
    incoming: dict[Incoming, None] = field(default_factory=dict)
    """Connections to it that it knows, the one longest unused first."""


class Medium:
    """Shared by all ports of one network."""

    def __init__(self, timeline: Timeline, rng: Random, links: Links, counters: Counter[str]) -> None:
        self.timeline = timeline
        self.rng = rng
        self.links = links
        self.counters = counters
        """What went wrong."""
        self.sent_bytes: dict[str, int] = {}
        """By machine; packets alone, without headers and repeats."""
        self.listeners: dict[Endpoint, Listener] = {}
        self.machines: dict[Endpoint, str] = {}
        """Whose each endpoint is, or was last."""
        self.dark: set[str] = set()
        """Machines without power; only asked, never walked through."""
        self.connections = count()
        """Numbers of connections."""

    def delay_s(self, link: Quality) -> float:
        """How long one way over the link takes this time."""
        if link.jitter_s:
            return link.delay_s - log(1.0 - self.rng.random()) * link.jitter_s
        return link.delay_s
