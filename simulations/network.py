"""
A simulated network: machines attach ports to it, and bytes pass between them, mostly.

Stands for `weaveipam.daemon.transport` and everything below it.  Nothing but bytes passes.  All chance comes
from one generator, so equal seeds make equal networks.
Does not know what packets mean, what machines do, nor when something breaks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from random import Random

from simulations import datagrams, streams
from simulations.datagrams import Datagrams
from simulations.links import Links, Quality
from simulations.medium import Listener, Medium
from simulations.streams import Streams
from simulations.timeline import Timeline
from weaveipam.daemon.streams import StreamLimits
from weaveipam.protocol.effects import Channel, Send
from weaveipam.protocol.values import Endpoint

__all__ = ["Network", "Port", "Quality"]

COUNTERS = (*datagrams.COUNTERS, *streams.COUNTERS)
"""Names that `Network.counters` always has."""


class Network:
    """Links between all machines, and ports at endpoints; what passes does so in the timeline."""

    def __init__(self, timeline: Timeline, rng: Random, quality: Quality | None = None) -> None:
        self.counters: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        """What went wrong, by the names in COUNTERS."""
        self._links = Links(quality or Quality())
        self._medium = Medium(timeline, rng, self._links, self.counters)
        self._datagrams = Datagrams(self._medium)
        self.sent_bytes = self._medium.sent_bytes
        """By machine, on both channels; packets alone, without headers and repeats."""

    @property
    def quality(self) -> Quality:
        """Of all links between machines that are not impaired; may be replaced at any time."""
        return self._links.quality

    @quality.setter
    def quality(self, quality: Quality) -> None:
        self._links.quality = quality

    def attach(self, name: str, endpoint: Endpoint, deliver: Callable[[bytes, Endpoint], None]) -> Port:
        """
        A port of a machine that has power, at a free endpoint.

        Args:
            name: The machine.
            endpoint: Where others reach it.
            deliver: Called with each packet that arrives, and its source: the sender's endpoint for a
                datagram, a passing port of its host for a stream.
        """
        medium = self._medium
        assert endpoint not in medium.listeners, f"{endpoint} is taken"
        listener = Listener(name, endpoint, deliver)
        medium.listeners[endpoint] = listener
        medium.machines[endpoint] = name
        medium.dark.discard(name)
        medium.sent_bytes.setdefault(name, 0)
        return Port(medium, listener, self._datagrams)

    def cut(self, sources: Collection[str], targets: Collection[str]) -> None:
        """
        Let nothing pass from these machines to those; adds to the cuts there are.

        Datagrams that are on their way arrive; packets on streams wait, and are lost if it lasts.
        """
        self._links.cut(sources, targets)

    def heal(self) -> None:
        """End every cut."""
        self._links.heal()

    @property
    def drained_at(self) -> float:
        """When all datagrams that wait on slow links now will have left, in virtual seconds."""
        return self._datagrams.drained_at

    @property
    def is_cut(self) -> bool:
        """Whether there is any cut between any two."""
        return self._links.is_cut

    def reaches(self, source: str, target: str) -> bool:
        """Whether no cut is on the way from one machine to another; each always reaches itself."""
        return self._links.reaches(source, target)

    def impair(self, names: Collection[str], quality: Quality | None) -> None:
        """Make links from and to these machines at least as bad as that; None ends it."""
        self._links.impair(names, quality)


class Port:
    """What one process sends through; made by `Network.attach`, ended by `close` or `abort`."""

    def __init__(self, medium: Medium, listener: Listener, shared: Datagrams) -> None:
        self._medium = medium
        self._listener = listener
        self._datagrams = shared
        self._streams = Streams(medium, listener, StreamLimits())

    @property
    def endpoint(self) -> Endpoint:
        """Where others reach it."""
        return self._listener.endpoint

    def send(self, effect: Send) -> None:
        """Send a packet, or lose it; neither waits nor raises.  Nothing is sent once this is closed."""
        if not self._listener.attached:
            return
        if effect.channel is Channel.DATAGRAM:
            self._datagrams.send(self._listener, effect.target, effect.packet)
        else:
            self._streams.send(effect.packet, effect.target)

    def close(self) -> None:
        """The process has ended in good order: what it sent may still arrive.  Can be called twice."""
        if self._detach():
            self._streams.close()

    def abort(self, *, silent: bool = False) -> None:
        """
        The process has died: what has left it may still arrive.  Can be called twice.

        Args:
            silent: Its machine has lost its power too: nobody is told, until it attaches a port again.
        """
        if silent:
            self._medium.dark.add(self._listener.machine)
        if self._detach():
            self._streams.abort(silent=silent)

    def _detach(self) -> bool:
        """Whether it was attached."""
        attached = self._listener.attached
        if attached:
            self._listener.attached = False
            del self._medium.listeners[self._listener.endpoint]
        return attached
