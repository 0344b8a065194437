"""
One simulated connection: packets go one way, in order, whole or not at all, and sometimes very late.

What a cut or loss holds up is repeated ever more slowly, until it gets through or the connection breaks, and
then all that waits is lost.  When the process at the other end is gone, packets are sent in vain until its
machine says that it knows no such connection: at once, unless it has no power or a cut is in the way.
A packet is one event, or as many as it is tried.
Does not know what packets mean, nor when connections are opened.
"""

from __future__ import annotations

from collections import deque
from math import ceil, inf
from typing import NamedTuple

from simulations.links import Quality
from simulations.medium import Listener, Medium
from weaveipam.daemon.streams import StreamLimits
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX
from weaveipam.protocol.values import Endpoint

COUNTERS = (
    "stream.opened",
    "stream.unreachable",
    "stream.crowded",
    "stream.repeated",
    "stream.reset",
    "stream.broken",
    "stream.half-open",
    "stream.queue-full",
    "stream.lost",
)
"""
Names that are counted.

Connections by why they ended: `unreachable`: nobody answered; `crowded`: the other side had no room;
`reset`: a fault, or the other side, ended them while something was under way; `broken`: they got nowhere for
too long.  `half-open` counts arrivals where nobody knows the connection (any more), `queue-full` the packets
that gave way to newer ones, `lost` those that were lost with their connection.
"""

REPEAT_S = 0.2
"""Until a segment is repeated for the first time; doubles each time.  The least that Linux waits."""
REDIAL_S = 1.0
"""Until a connection is asked for a second time; doubles each time."""
SEGMENT_BYTES = DATAGRAM_BYTES_MAX
WINDOW_BYTES = 1 << 16
"""What is sent ahead of confirmations; the packet that crosses it is still sent."""
EPHEMERAL_PORTS = range(32768, 61000)
"""Connections come from these ports in turn."""


class _Flight(NamedTuple):
    """A packet that the kernel has taken to send."""

    arrives_at: float
    """Unless one before it arrives later, which holds it up."""
    left_at: float
    """When its last byte has left the machine."""
    deadline: float
    """When the connection breaks if it has not arrived."""
    packet: bytes


class Connection:
    """From one process to one endpoint; it is opened by being made."""

    def __init__(self, medium: Medium, source: Listener, target: Endpoint, limits: StreamLimits) -> None:
        self.over = False
        """What would be offered from now on is lost."""
        self.used_at = medium.timeline.now
        """When the last packet was offered."""
        self._medium = medium
        self._here = source.machine
        self._there = medium.machines[target]
        port = EPHEMERAL_PORTS[next(medium.connections) % len(EPHEMERAL_PORTS)]
        self._source = Endpoint(source.endpoint.host, port)
        self._target = target
        self._limits = limits
        self._peer: Listener | None = None
        self._queue: deque[bytes] = deque()
        self._queue_bytes = 0
        self._flying: deque[_Flight] = deque()
        self._unconfirmed_bytes = 0
        self._confirm_by = inf
        self._free_at = 0.0
        self._last = False
        self._powerless = False
        medium.timeline.after(limits.connect_s, self._give_up)
        self._dial(REDIAL_S)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way on it."""
        return not self._queue and not self._flying and self._confirm_by == inf

    def offer(self, packet: bytes) -> None:
        """Send a packet after all those before; drops the oldest that waits if there are too many."""
        limits = self._limits
        self.used_at = self._medium.timeline.now
        self._queue.append(packet)
        self._queue_bytes += len(packet)
        if self._peer is not None:
            self._write()
        while len(self._queue) > 1 and (
            len(self._queue) > limits.queue_max or self._queue_bytes > limits.queue_bytes_max
        ):
            self._queue_bytes -= len(self._queue.popleft())
            self._medium.counters["stream.queue-full"] += 1

    def finish(self) -> None:
        """Send what waits, for at most `close_s`, and end; the kernel goes on with what it has taken."""
        self._last = True
        if self.idle:
            self._end()
        else:
            self._medium.timeline.after(self._limits.close_s, self._drop_queue)

    def abandon(self, *, powerless: bool = False) -> None:
        """
        End: the process is gone, and with it what waits and what has not wholly left.

        Args:
            powerless: So is the kernel, which would repeat what was held up on its way.
        """
        self._last = True
        self._powerless = powerless
        now = self._medium.timeline.now
        while self._flying and self._flying[-1].left_at > now:
            self._flying.pop()
            self._medium.counters["stream.lost"] += 1
        self._drop_queue()

    def refuse(self) -> None:
        """Tell the process that opened it that it is over, if that gets through."""
        medium = self._medium
        if medium.links.reaches(self._there, self._here):
            medium.timeline.after(medium.delay_s(self._back()), self._refused)

    # Ends

    def _drop_queue(self) -> None:
        self._medium.counters["stream.lost"] += len(self._queue)
        self._queue.clear()
        self._end_if_done()

    def _refused(self) -> None:
        if not self.over:
            self._end("" if self.idle else "stream.reset")

    def _give_up(self) -> None:
        if self._peer is None and not self.over:
            self._end("stream.unreachable")

    def _end_if_done(self) -> None:
        if self._last and self.idle:
            self._end()

    def _end(self, why: str = "") -> None:
        self.over = True
        if why:
            self._medium.counters[why] += 1
        self._medium.counters["stream.lost"] += len(self._queue) + len(self._flying)
        self._queue.clear()
        self._flying.clear()
        if self._peer is not None:
            self._peer.incoming.pop(self, None)

    # The way there and back

    def _forth(self) -> Quality:
        return self._medium.links.between(self._here, self._there)

    def _back(self) -> Quality:
        return self._medium.links.between(self._there, self._here)

    def _reaches_there(self) -> bool:
        return self._medium.links.reaches(self._here, self._there)

    def _reaches_back(self) -> bool:
        """Whether what the other machine says is heard; without power it says nothing."""
        medium = self._medium
        return medium.links.reaches(self._there, self._here) and self._there not in medium.dark

    # Opening

    def _dial(self, wait_s: float) -> None:
        """Ask to be let in; the answer takes a round trip."""
        medium = self._medium
        if not self.over:
            round_trip_s = medium.delay_s(self._forth()) + medium.delay_s(self._back())
            medium.timeline.after(round_trip_s, self._dialled, medium.timeline.now + wait_s, wait_s)

    def _dialled(self, redial_at: float, wait_s: float) -> None:
        """What came of it."""
        medium = self._medium
        if self.over:
            return
        if not self._reaches_there() or not self._reaches_back() or self._loses_segment():
            medium.timeline.at(redial_at, self._dial, 2 * wait_s)
            return
        peer = medium.listeners.get(self._target)
        if peer is None:
            self._end("stream.unreachable")
        elif not self._admitted(peer):
            self._end("stream.crowded")
        else:
            medium.counters["stream.opened"] += 1
            self._peer = peer
            peer.incoming[self] = None
            self._write()

    def _loses_segment(self) -> bool:
        random = self._medium.rng.random
        return any(link.loss and random() < link.loss for link in (self._forth(), self._back()))

    def _admitted(self, peer: Listener) -> bool:
        """Whether the other side has room, or can make some by ending what is longest idle."""
        if len(peer.incoming) < self._limits.incoming_max:
            return True
        longest_idle = next((one for one in peer.incoming if one.idle), None)
        if longest_idle is None:
            return False
        del peer.incoming[longest_idle]
        longest_idle.refuse()
        return True

    # Sending

    def _write(self) -> None:
        """Hand to the kernel what it takes."""
        medium = self._medium
        while self._queue and self._unconfirmed_bytes < WINDOW_BYTES:
            packet = self._queue.popleft()
            size_bytes = len(packet)
            self._queue_bytes -= size_bytes
            self._unconfirmed_bytes += size_bytes
            medium.sent_bytes[self._here] += size_bytes
            link = self._forth()
            begins_at = max(medium.timeline.now, self._free_at)
            left_at = begins_at + size_bytes / link.bytes_per_s + self._repeats_s(size_bytes, link)
            self._free_at = left_at
            arrives_at = left_at + medium.delay_s(link)
            self._flying.append(_Flight(arrives_at, left_at, begins_at + self._limits.packet_s, packet))
            if len(self._flying) == 1:
                self._await_arrival()

    def _repeats_s(self, size_bytes: int, link: Quality) -> float:
        """By how much lost segments hold a packet up; past its deadline nothing more is drawn."""
        total_s = 0.0
        if link.loss:
            random = self._medium.rng.random
            for _ in range(ceil(size_bytes / SEGMENT_BYTES)):
                wait_s = REPEAT_S
                while total_s <= self._limits.packet_s and random() < link.loss:
                    self._medium.counters["stream.repeated"] += 1
                    total_s += wait_s
                    wait_s *= 2
        return total_s

    # Arriving

    def _await_arrival(self) -> None:
        first = self._flying[0]
        self._medium.timeline.at(min(first.arrives_at, first.deadline), self._arrive, REPEAT_S)

    def _arrive(self, wait_s: float) -> None:
        """The first packet on the way is due."""
        if self.over or not self._flying:
            return
        medium, peer, first = self._medium, self._peer, self._flying[0]
        assert peer is not None
        link = self._forth()
        if medium.timeline.now >= first.deadline:
            self._end("stream.broken")
        elif not self._reaches_there():
            self._repeat(first, wait_s)
        elif link.reset and medium.rng.random() < link.reset:
            self._end("stream.reset")
        elif self in peer.incoming:
            self._flying.popleft()
            del peer.incoming[self]
            peer.incoming[self] = None
            if self._flying:
                self._await_arrival()
            self._confirm(first)
            peer.deliver(first.packet, self._source)  # last: it may send on this connection
        else:
            medium.counters["stream.half-open"] += 1
            if self._reaches_back():
                self.refuse()
            else:
                self._repeat(first, wait_s)

    def _repeat(self, first: _Flight, wait_s: float) -> None:
        if self._powerless:
            self._end()
            return
        timeline = self._medium.timeline
        self._medium.counters["stream.repeated"] += 1
        timeline.at(min(timeline.now + wait_s, first.deadline), self._arrive, 2 * wait_s)

    # Confirming

    def _confirm(self, arrived: _Flight) -> None:
        """Tell the sender; if nothing gets back to it, it must not send much more, and breaks in the end."""
        if self._reaches_back():
            self._confirmed()
        elif self._confirm_by == inf:
            self._confirm_by = arrived.deadline
            self._await_confirmation(REPEAT_S)

    def _await_confirmation(self, wait_s: float) -> None:
        timeline, deadline = self._medium.timeline, self._confirm_by
        timeline.at(min(timeline.now + wait_s, deadline), self._reconfirm, deadline, 2 * wait_s)

    def _reconfirm(self, deadline: float, wait_s: float) -> None:
        if self.over or self._confirm_by != deadline:
            return
        if self._medium.timeline.now >= deadline:
            self._end("stream.broken")
        elif self._reaches_there() and self._reaches_back():  # what got no answer is sent once more
            self._confirmed()
        else:
            self._medium.counters["stream.repeated"] += 1
            self._await_confirmation(wait_s)

    def _confirmed(self) -> None:
        """All that has arrived is confirmed."""
        self._confirm_by = inf
        self._unconfirmed_bytes = sum(len(flight.packet) for flight in self._flying)
        self._write()
        self._end_if_done()
