"""
Packets on simulated streams, as one process sends them.

Stands for `weaveipam.daemon.streams` and the kernels below it, with the same limits.
Does not know what passes on a connection, nor what packets mean.
"""

from __future__ import annotations

from collections import OrderedDict

from simulations import connection as connections
from simulations.connection import Connection
from simulations.medium import Listener, Medium
from weaveipam.daemon.streams import StreamLimits
from weaveipam.protocol.effects import STREAM_BYTES_MAX
from weaveipam.protocol.values import Endpoint

COUNTERS = (*connections.COUNTERS, "stream.oversize", "stream.nobody")
"""Names that are counted; `nobody`: packets to an endpoint where nobody ever listened."""


class Streams:
    """The connections that one process opens, and the end of those to it."""

    def __init__(self, medium: Medium, listener: Listener, limits: StreamLimits) -> None:
        self._medium = medium
        self._listener = listener
        self._limits = limits
        # Longest unused first.
        self._outgoing: OrderedDict[Endpoint, Connection] = OrderedDict()

    def send(self, packet: bytes, target: Endpoint) -> None:
        """Queue one packet; one that is empty or too long is dropped, as is one to an unknown endpoint."""
        if not 0 < len(packet) <= STREAM_BYTES_MAX:
            self._medium.counters["stream.oversize"] += 1
            return
        if target not in self._medium.machines:
            self._medium.counters["stream.nobody"] += 1
            return
        connection = self._outgoing.get(target)
        if connection is not None and self._idle_for_long(connection):
            connection.finish()
        if connection is None or connection.over:
            self._make_room()
            connection = Connection(self._medium, self._listener, target, self._limits)
            self._outgoing[target] = connection
        self._outgoing.move_to_end(target)
        connection.offer(packet)

    def close(self) -> None:
        """Send what waits, and end; others are told that nobody listens any more."""
        for connection in self._outgoing.values():
            connection.finish()
        self._forget_peers(tell=True)

    def abort(self, *, silent: bool) -> None:
        """End at once; others are told unless the machine has lost its power."""
        for connection in self._outgoing.values():
            connection.abandon(powerless=silent)
        self._forget_peers(tell=not silent)

    def _forget_peers(self, *, tell: bool) -> None:
        known = list(self._listener.incoming)
        self._listener.incoming.clear()
        if tell:
            for connection in known:
                connection.refuse()

    def _idle_for_long(self, connection: Connection) -> bool:
        return connection.idle and self._medium.timeline.now - connection.used_at >= self._limits.idle_s

    def _make_room(self) -> None:
        """Forget connections that are over, and end the one longest unused if there are too many."""
        for target in [target for target, one in self._outgoing.items() if one.over]:
            del self._outgoing[target]
        if len(self._outgoing) >= self._limits.outgoing_max:
            idle = (target for target, one in self._outgoing.items() if one.idle)
            self._outgoing.pop(next(idle, next(iter(self._outgoing)))).abandon()
