"""
Names of peers turned into numeric addresses, without ever holding up the event loop.

Numeric hosts take no detour.  Names are looked up in threads of their own, remembered, looked up again
when stale, and used in turn when they have several addresses (a headless service has one for each peer).
Does not know ports, packets or peers.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

Lookup: TypeAlias = Callable[[str, socket.AddressFamily], tuple[str, ...]]
"""Blocks; the numeric addresses of a name, at least one; raises OSError or ValueError when there is none."""

FRESH_S = 30.0
"""Seconds that an answer is used before the name is looked up again; cluster DNS commonly says 5 to 30."""
RETRY_S = 2.0
"""Seconds between two attempts at a name that cannot be resolved."""
NAMES_MAX = 1024
"""Names remembered; at 1,025 the oldest is forgotten.  Names come from peers, so they need a bound."""
LOOKUPS_MAX = 4
"""Look-ups at a time; beyond, a name without an address counts as unresolved, and its sender repeats."""
WAITING_MAX = 64
"""Callers that wait for one name; at 65 the oldest is told that there is no address."""


def system_lookup(host: str, family: socket.AddressFamily) -> tuple[str, ...]:
    """
    What the host's resolver says; blocks for as long as it likes.

    Raises:
        OSError: no such name, or nobody answers.
        ValueError: not a name at all (UnicodeError is one).
    """
    found = socket.getaddrinfo(host, None, family=family, type=socket.SOCK_DGRAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


@functools.lru_cache(maxsize=8192)
def numeric_family(host: str) -> socket.AddressFamily | None:
    """The family of a numeric address; None for a name."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    return socket.AF_INET if version == 4 else socket.AF_INET6  # noqa: PLR2004 - IP's version number


@dataclass(slots=True, eq=False)
class _Name:
    addresses: tuple[str, ...] = ()
    turn: int = 0
    stale_at: float = 0.0
    looking: bool = False
    waiting: deque[Callable[[str | None], None]] = field(default_factory=deque)

    def next_address(self) -> str | None:
        if not self.addresses:
            return None
        self.turn += 1
        return self.addresses[self.turn % len(self.addresses)]


class Resolver:
    """Resolves for sockets of one family; belongs to the event loop that runs when it is made."""

    def __init__(
        self,
        family: socket.AddressFamily,
        lookup: Lookup = system_lookup,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._family = family
        self._lookup = lookup
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._names: dict[str, _Name] = {}
        self._lookups_running = 0
        self._closed = False

    def resolve(self, host: str, then: Callable[[str | None], None]) -> None:
        """
        Call `then` with a numeric address of the host, or with None when there is none.

        At once for a numeric host and for a name with a remembered address, stale or not; else when the
        look-up ends.  Never for a look-up that is under way when the resolver is closed.
        """
        family = numeric_family(host)
        if family is not None:
            then(host if family == self._family else None)
            return
        name = self._names.get(host) or self._remember(host)
        if not name.looking and self._clock() >= name.stale_at and self._lookups_running < LOOKUPS_MAX:
            self._look_up(host, name)
        address = name.next_address()
        if address is not None or not name.looking:
            then(address)
            return
        name.waiting.append(then)
        if len(name.waiting) > WAITING_MAX:
            name.waiting.popleft()(None)

    def close(self) -> None:
        """Forget everything; look-ups that still run end unheard."""
        self._closed = True
        self._names.clear()

    def _remember(self, host: str) -> _Name:
        if len(self._names) >= NAMES_MAX:
            forgotten = self._names.pop(next(iter(self._names)))
            while forgotten.waiting:
                forgotten.waiting.popleft()(None)
        return self._names.setdefault(host, _Name())

    def _look_up(self, host: str, name: _Name) -> None:
        name.looking = True
        self._lookups_running += 1
        # Daemon threads and not an executor's: the interpreter would wait for those at exit, and a
        # resolver that nobody answers takes half a minute.
        threading.Thread(target=self._ask_system, args=(host, name), daemon=True, name="resolve").start()

    def _ask_system(self, host: str, name: _Name) -> None:
        try:
            addresses = self._lookup(host, self._family)
        except (OSError, ValueError):
            addresses = ()
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._found, name, addresses)
            except RuntimeError:
                return  # the loop was closed in between: the daemon has gone

    def _found(self, name: _Name, addresses: tuple[str, ...]) -> None:
        self._lookups_running -= 1
        name.looking = False
        if self._closed:
            return
        # A name that stops resolving keeps its last addresses: the resolver's trouble is not the peer's.
        name.addresses = addresses or name.addresses
        name.stale_at = self._clock() + (FRESH_S if addresses else RETRY_S)
        while name.waiting:
            name.waiting.popleft()(name.next_address())
