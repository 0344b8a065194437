"""
Cables that can be made slow: pairs of TAP devices, and one thread that carries frames between them.

For kernels without netem.  Linux' documentation of TAP: Documentation/networking/tuntap.rst.
Does not know hosts or addresses; what it is told to slow down is one cable, both ways.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import threading
import time
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count

from simulations.hosts.closable import Closable
from simulations.hosts.place import within

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_INTERFACE_REQUEST = struct.Struct("16sH22x")
"""`struct ifreq`, as TUNSETIFF reads it: name and flags."""

_FRAME_BYTES_MAX = 9216
_FRAMES_A_TURN = 64
"""Read from one device before the others have their turn."""

_WAITING_MAX = 1000
"""Frames under way in one direction; a slow cable drops what exceeds them, as netem does."""


class _Direction:
    """From one end of a cable to the other."""

    def __init__(self, target: int) -> None:
        self.target = target
        """The descriptor to write to."""
        self.delay_s = 0.0
        self.bytes_per_s = 0.0
        self.free_at = 0.0
        """When the last frame will have left."""
        self.waiting_count = 0


class Wires(Closable):
    """
    The cables, and their thread, which runs from `__init__` to `close` or the end of a `with`.

    >>> with Wires() as wires, Lab(wires.cable) as lab:
    ...     lab.add_host("a", "172.30.0.11/24")
    ...     wires.slow("to-a", delay_s=0.05, bytes_per_s=0)
    """

    def __init__(self) -> None:
        self._directions: dict[int, _Direction] = {}
        """By the descriptor that is read from."""
        self._cables: dict[str, tuple[int, int]] = {}
        self._under_way: list[tuple[float, int, _Direction, bytes]] = []
        self._numbers = count()
        self._poll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._bell, select.EPOLLIN)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="wires", daemon=True)
        self._thread.start()

    def cable(self, here: str, name: str, there: str, peer: str) -> None:
        """
        A new cable (see `namespaces.Cable`), fast at first; both interfaces are gone after `close`.

        Raises:
            OSError: the kernel has no TAP devices.
        """
        ends = _open_tap(here, name), _open_tap(there, peer)
        self._cables[name] = ends
        for source, target in (ends, ends[::-1]):
            self._directions[source] = _Direction(target)
            self._poll.register(source, select.EPOLLIN)

    def slow(self, name: str, *, delay_s: float, bytes_per_s: float) -> None:
        """From now on frames on this cable take so much longer, each way; 0 bytes/s: as fast as it goes."""
        for source in self._cables[name]:
            direction = self._directions[source]
            direction.delay_s, direction.bytes_per_s = delay_s, bytes_per_s

    def close(self) -> None:
        """Ends the thread and pulls every cable; harmless when repeated."""
        if self._poll.closed:
            return
        self._closing = True
        os.eventfd_write(self._bell, 1)
        self._thread.join()
        self._poll.close()
        for descriptor in [self._bell, *self._directions]:
            os.close(descriptor)

    def _run(self) -> None:
        while not self._closing:
            wait_s = max(0.0, self._under_way[0][0] - time.monotonic()) if self._under_way else None
            for source, _ in self._poll.poll(wait_s):
                if source != self._bell:
                    self._read(source)
            self._deliver()

    def _read(self, source: int) -> None:
        direction = self._directions[source]
        for _ in range(_FRAMES_A_TURN):
            try:
                frame = os.read(source, _FRAME_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError:  # the device went with its namespace
                self._poll.unregister(source)
                return
            self._take(direction, frame)

    def _take(self, direction: _Direction, frame: bytes) -> None:
        if not direction.delay_s and not direction.bytes_per_s and not direction.waiting_count:
            _write(direction.target, frame)
        elif direction.waiting_count < _WAITING_MAX:
            left_at = max(time.monotonic(), direction.free_at)
            if direction.bytes_per_s:
                direction.free_at = left_at = left_at + len(frame) / direction.bytes_per_s
            direction.waiting_count += 1
            heappush(self._under_way, (left_at + direction.delay_s, next(self._numbers), direction, frame))

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._under_way and self._under_way[0][0] <= now:
            _, _, direction, frame = heappop(self._under_way)
            direction.waiting_count -= 1
            _write(direction.target, frame)


def _write(target: int, frame: bytes) -> None:
    with suppress(OSError):  # its interface is down, or its queue is full: the frame is lost
        os.write(target, frame)


def _open_tap(namespace: str, name: str) -> int:
    def open_it() -> int:
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            request = _INTERFACE_REQUEST.pack(name.encode(), _IFF_TAP | _IFF_NO_PI)
            fcntl.ioctl(tap, _TUNSETIFF, request)
        except BaseException:
            os.close(tap)
            raise
        return tap

    return within(namespace, open_it)
