"""
Everything that happened in a run, as a hash, and the last of it as lines that a person reads.

A line is `seconds machine event details`.  Does not know what events mean.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from struct import Struct

from weaveipam.errors import PeerError
from weaveipam.gossip.seal import SESSION_BYTES, Seal
from weaveipam.protocol import codec
from weaveipam.protocol.keyring import UNSEALED, KeyRing

TAIL_EVENTS = 60
"""Events that a failing run prints."""
_DETAIL_CHARACTERS_MAX = 240
_TIME = Struct("<d")


class Trace:
    """Takes note of events in order."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.keyring = UNSEALED
        """What packets are opened with, for people to read."""
        self._hash = blake2b(digest_size=16)
        self._tail: deque[tuple[float, str, str, object]] = deque(maxlen=TAIL_EVENTS)
        self._frozen: tuple[str, ...] = ()

    def note(self, machine: str, event: str, detail: object = "") -> None:
        """
        Take note of one event.

        `detail`: a packet as bytes, or anything whose `repr` is the same in every process.
        """
        now = self._now()
        content = detail if isinstance(detail, bytes) else repr(detail).encode()
        self._hash.update(_TIME.pack(now) + f"{machine} {event} {len(content)} ".encode() + content)
        self._tail.append((now, machine, event, detail))

    def freeze(self) -> None:
        """Keep the last events as they are now; only the first time counts."""
        if not self._frozen:
            self._frozen = tuple(_line(*one, self.keyring) for one in self._tail)

    @property
    def tail(self) -> tuple[str, ...]:
        """The lines kept by `freeze`, oldest first."""
        return self._frozen

    def digest(self) -> str:
        """32 hexadecimal digits over everything so far."""
        return self._hash.hexdigest()


def _line(at: float, machine: str, event: str, detail: object, ring: KeyRing) -> str:
    text = _packet(detail, ring) if isinstance(detail, bytes) else str(detail)
    if len(text) > _DETAIL_CHARACTERS_MAX:
        text = text[:_DETAIL_CHARACTERS_MAX] + "..."
    return f"{at:12.6f} {machine:<8} {event:<10} {text}".rstrip()


def _packet(packet: bytes, ring: KeyRing) -> str:
    """Who speaks, and what is said."""
    try:
        content, _ = Seal(ring, bytes(SESSION_BYTES)).open(packet)
        header, messages = codec.decode_content(content)
    except PeerError as error:
        return f"{len(packet)} bytes, {error}"
    return f"{len(packet)} bytes from {header.sender}: {', '.join(map(repr, messages))}"
