"""
Hosts that send more datagrams than any daemon does: the surplus is dropped, and more of it never gets here.

To receive a datagram and drop it costs some microseconds, so a host that sends as fast as it can would keep
the daemon busy with nothing else.  Such a host is shut out for a while by a filter in the kernel, where its
datagrams cost the daemon nothing.  Network addresses can be forged: whoever can send in a peer's name can
shut that peer's datagrams out, as he could drown them anyway; streams are not concerned.
Does not know what datagrams mean.
"""

from __future__ import annotations

import ctypes
import ipaddress
import math
import socket
import struct
from asyncio.trsock import TransportSocket
from collections.abc import Callable, Sequence
from typing import Protocol

WINDOW_S = 0.25
"""Seconds in which the datagrams of each host are counted."""
WINDOW_DATAGRAMS_MAX = 500
"""
That one host may send in that time; more are dropped.

2,000 in a second are some ten times what a peer sends when all of the cluster changes at once, and take the
driver a hundredth of its time.  A thousand clients who claim addresses of one peer in the same moment exceed
it: what is dropped is asked again, and all have their answers within two seconds.
"""
FLOOD_DATAGRAMS = 1000
"""From so many in that time on the host is shut out."""
SHUT_S = 1.0
"""Seconds that it is shut out for; then it is counted again."""
HOSTS_MAX = 4096
"""Hosts that are told apart in a window; all others share what one may send."""
SHUT_HOSTS_MAX = 64
"""Hosts that are shut out at once; of more the datagrams are merely dropped."""

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; the socket module has no names for them
_SO_DETACH_FILTER = 27
_NETWORK_HEADER = 0x100000000 - 0x100000  # linux/filter.h: SKF_NET_OFF, as 32 bits
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_SOURCE_WORDS = {socket.AF_INET: (12,), socket.AF_INET6: (8, 12, 16, 20)}
"""Where the words of the source address are in the header of each family (RFC 791, RFC 8200)."""


class Timer(Protocol):
    """What will be done later."""

    def cancel(self) -> None:
        """Do it never."""


class Timers(Protocol):
    """What the gate needs of an event loop."""

    def time(self) -> float:
        """Seconds on the monotonic clock."""

    def call_later(self, delay: float, callback: Callable[[str], None], host: str, /) -> Timer:
        """Call back with the host after so many seconds."""


class Gate:
    """
    Counts datagrams by host.

    Args:
        shut: Shuts exactly these numeric hosts out; may do nothing.
        timers: The event loop's.
    """

    def __init__(self, shut: Callable[[Sequence[str]], None], timers: Timers) -> None:
        self._shut = shut
        self._timers = timers
        self._window_ends = -math.inf
        self._counts: dict[str, int] = {}
        self._closed: dict[str, Timer] = {}
        self._stopped = False

    def admits(self, host: str) -> bool:
        """Whether one more datagram of a host is to be looked at."""
        now = self._timers.time()
        if now >= self._window_ends:
            self._window_ends = now + WINDOW_S
            self._counts.clear()
        if host not in self._counts and len(self._counts) >= HOSTS_MAX:
            host = ""
        count = self._counts[host] = self._counts.get(host, 0) + 1
        if count == FLOOD_DATAGRAMS and host and len(self._closed) < SHUT_HOSTS_MAX:
            self._close(host)
        return count <= WINDOW_DATAGRAMS_MAX

    def stop(self) -> None:
        """Set no timer any more, and leave things as they are."""
        self._stopped = True
        for timer in self._closed.values():
            timer.cancel()

    def _close(self, host: str) -> None:
        if host not in self._closed and not self._stopped:
            self._closed[host] = self._timers.call_later(SHUT_S, self._open, host)
            self._shut(tuple(self._closed))

    def _open(self, host: str) -> None:
        del self._closed[host]
        self._shut(tuple(self._closed))


def shut_out(sock: socket.socket | TransportSocket, hosts: Sequence[str]) -> None:
    """
    Let the kernel drop what comes from these numeric hosts, and from no others, before it is queued.

    What it drops counts as dropped by the socket.  Nothing happens where the kernel has no such filters.

    Source: Documentation/networking/filter.rst of Linux (classic BPF).
    """
    try:
        if not hosts:
            sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
            return
        code = _program(sock.family, hosts)
        kept = ctypes.create_string_buffer(code)  # the kernel copies it from there
        program = struct.pack("@HP", len(code) // 8, ctypes.addressof(kept))
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except OSError:
        return


def _program(family: int, hosts: Sequence[str]) -> bytes:
    """Instructions that drop a datagram if its source is one of the hosts."""
    words = _SOURCE_WORDS[socket.AddressFamily(family)]
    drop = struct.pack("=HBBI", _RETURN, 0, 0, 0)
    code = b""
    for host in hosts:
        packed = ipaddress.ip_address(host.partition("%")[0]).packed
        for number, at in enumerate(words):
            left = len(words) - number - 1
            value = int.from_bytes(packed[4 * number : 4 * number + 4], "big")
            # To the next host at the first word that differs: past the other words, two each, and the drop.
            code += struct.pack("=HBBI", _LOAD_WORD, 0, 0, _NETWORK_HEADER + at)
            code += struct.pack("=HBBI", _JUMP_IF_EQUAL, 0, 2 * left + 1, value)
        code += drop
    return code + struct.pack("=HBBI", _RETURN, 0, 0, 0xFFFFFFFF)
