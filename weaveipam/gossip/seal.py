"""
Sealing packets with the cluster's keys, and opening them: the only importer of cryptography.

A sealed packet is a header of 16 bytes, which is authenticated, and AES-GCM's ciphertext and tag:

    1 byte    SEALED, which no packet without a seal begins with
    3 bytes   the key's tag, see `Key.tag`
    8 bytes   the session: who sends, since its start
    4 bytes   the counter: packets of this session, from 1

The key of a session is derived from the cluster's key, so that a nonce need be unique within a session only:
it is the counter.  A session begins with every start of a daemon and is never taken up again, so that a crash
cannot make a counter repeat.  Who speaks, and of which cluster, is in the sealed content.
Does not know what packets say, nor chance: whoever makes a `Seal` hands in a session that nobody had before.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from weaveipam.errors import PeerError
from weaveipam.protocol import codec
from weaveipam.protocol.effects import STREAM_BYTES_MAX
from weaveipam.protocol.keyring import KEY_ID_BYTES, PLAIN, Key, KeyRing

SEALED: Final = 0x81
"""First byte of a sealed packet: version 1, with a bit that no version of a plain packet has."""
NOTICE: Final = 0x82
"""
First byte of a packet without a seal that says no more than that one could not be opened.

The tag of the key that its sender uses follows, or zeros.  Anybody can make one up, so it is only reported.
"""
NOTICE_BYTES: Final = 1 + KEY_ID_BYTES
SESSION_BYTES: Final = 8
"""Random: the chance that any two of a million are the same is one in 37 million."""
COUNTER_BYTES: Final = 4
TAG_BYTES: Final = 16
"""Of AES-GCM, behind the ciphertext."""
HEADER_BYTES: Final = 1 + KEY_ID_BYTES + SESSION_BYTES + COUNTER_BYTES
OVERHEAD_BYTES: Final = HEADER_BYTES + TAG_BYTES
"""By which a packet is longer than what it says, at most: without a seal it is less."""

PACKETS_MAX: Final = 1 << 28
"""
Of one session; the next packet begins another one.

With `BLOCKS_MAX` the bound that TLS 1.3 sets itself for AES-GCM (RFC 8446, section 5.5: 2^24.5 records of
2^10 blocks), which leaves an attacker an advantage of 2^-57.
"""
BLOCKS_MAX: Final = 1 << 34
"""Of 16 bytes, in one session: 256 GiB."""
WINDOW: Final = 1024
"""
Counters below a session's highest in which a packet may still be the first of its number; older ones are
refused.

At 200 packets a second, which a storm of pushes makes, a packet may be five seconds late.
"""
SESSIONS_MAX: Final = 1 << 14
"""Sessions whose counters a daemon remembers: two of each of 8,192 members; the one longest silent goes."""
CIPHERS_MAX: Final = 1 << 15
"""Derived keys that the process keeps at hand."""

_FIRST: Final = bytes((SEALED,))
_DERIVATION: Final = b"weaveipam seal 1"
_COUNTER_MASK: Final = (1 << 8 * COUNTER_BYTES) - 1
_WINDOW_MASK: Final = (1 << WINDOW) - 1
_NONCE_HEAD: Final = bytes(12 - COUNTER_BYTES)


class UnopenedError(PeerError):
    """A packet that is refused before it is read."""

    def __init__(self, event: str, why: str) -> None:
        super().__init__(why)
        self.event = event
        """`unsealed-packet`, `unknown-key`, `forged-packet`, `replayed-packet` or `refused-by-peer`."""


def _cipher(secret: bytes, session: bytes) -> AESGCM:
    """AES-128-GCM or AES-256-GCM, by the key's length, under the key of one session."""
    return AESGCM(blake2b(session, key=secret, digest_size=len(secret), person=_DERIVATION).digest())


_kept_cipher = lru_cache(CIPHERS_MAX)(_cipher)
"""Of sessions that are known to be true; shared by all daemons of the process."""


def _another(session: bytes, purpose: bytes) -> bytes:
    """A session that follows from one, and is as new as it."""
    return blake2b(session, digest_size=SESSION_BYTES, person=purpose).digest()


class _Lane:
    """
    What this daemon sends by one channel: a session of its own.

    A stream may take seconds while thousands of datagrams pass it: numbered with them it would come too late.
    """

    __slots__ = ("_blocks", "_counter", "_session")

    def __init__(self, session: bytes) -> None:
        self._session = session
        self._counter = 0
        self._blocks = 0

    def seal(self, key: Key, content: bytes) -> bytes:
        if self._counter >= PACKETS_MAX or self._blocks >= BLOCKS_MAX:
            self._session = _another(self._session, b"weaveipam next 1")
            self._counter = self._blocks = 0
        self._counter += 1
        self._blocks += len(content) // 16 + 2  # a broken one, and that of the tag
        counter = self._counter.to_bytes(COUNTER_BYTES, "big")
        header = b"".join((_FIRST, key.tag, self._session, counter))
        return header + _kept_cipher(key.secret, self._session).encrypt(
            _NONCE_HEAD + counter, content, header
        )


class Seal:
    """
    Seals what one daemon says and opens what it hears, from its start to its end.

    Args:
        ring: Keys to begin with.
        session: `SESSION_BYTES` that no daemon ever had under these keys, not even this one before a restart;
            may be empty if no key is ever used.
    """

    def __init__(self, ring: KeyRing, session: bytes) -> None:
        self._datagrams = _Lane(session)
        self._streams = _Lane(_another(session, b"weaveipam stream"))
        self._has_session = len(session) == SESSION_BYTES
        self._windows: dict[bytes, int] = {}
        """
        By session, the one longest silent first: the highest counter, and above it a bit for each of the
        `WINDOW` counters from there down that has been seen.
        """
        self._keys: dict[bytes, Key] = {}
        self._plain = True
        self.ring = ring
        self.use(ring)

    def use(self, ring: KeyRing) -> None:
        """Other keys from now on; what was seen under the old ones stays seen."""
        assert self._has_session or not ring.used.secret, "sealing needs a session that nobody had before"
        self.ring = ring
        self._plain = PLAIN in ring.keys
        self._keys = {key.tag: key for key in ring.keys if key.secret}

    def seal(self, content: bytes, *, stream: bool) -> bytes:
        """The packet that says this: sealed, or with a checksum if the key in use is `PLAIN`."""
        key = self.ring.used
        if not key.secret:
            return codec.plain_packet(content)
        return (self._streams if stream else self._datagrams).seal(key, content)

    def open(self, packet: bytes) -> tuple[bytes, Key]:
        """
        What a packet says, and the key that it is sealed with; the same packet cannot be opened twice.

        Raises:
            UnopenedError: it is sealed with no key of the ring, or was changed, or was opened before, or
                comes too late to tell.
            PeerError: it has no seal, and is damaged.
            Nothing has changed then.
        """
        if packet[:1] != _FIRST:
            return self._open_plain(packet), PLAIN
        key, session, counter = self._header(packet)
        window = self._windows.get(session)
        after = _advanced(window, counter)
        # The ciphers of made-up sessions are not kept: they would push out those in use.
        cipher = (_cipher if window is None else _kept_cipher)(key.secret, session)
        nonce = _NONCE_HEAD + packet[HEADER_BYTES - COUNTER_BYTES : HEADER_BYTES]
        try:
            content = cipher.decrypt(nonce, packet[HEADER_BYTES:], packet[:HEADER_BYTES])
        except InvalidTag:
            raise UnopenedError("forged-packet", f"it is not what was sealed with key {key.id}") from None
        self._windows.pop(session, None)
        self._windows[session] = after
        if len(self._windows) > SESSIONS_MAX:
            del self._windows[next(iter(self._windows))]
        return content, key

    def _open_plain(self, packet: bytes) -> bytes:
        if packet[:1] == bytes((NOTICE,)) and len(packet) == NOTICE_BYTES:
            raise UnopenedError("refused-by-peer", _meaning(packet, self.ring))
        content = codec.plain_content(packet)
        if not self._plain:
            raise UnopenedError("unsealed-packet", "it has no seal, and this daemon takes only sealed ones")
        return content

    def _header(self, packet: bytes) -> tuple[Key, bytes, int]:
        """The key, the session and the counter that a packet names."""
        if not OVERHEAD_BYTES <= len(packet) <= STREAM_BYTES_MAX:
            raise UnopenedError("forged-packet", f"sealed packet of {len(packet)} bytes")
        tag = packet[1 : 1 + KEY_ID_BYTES]
        key = self._keys.get(tag)
        if key is None:
            raise UnopenedError(
                "unknown-key", f"it is sealed with key {tag.hex()}, which is not in the key ring"
            )
        session = packet[1 + KEY_ID_BYTES : HEADER_BYTES - COUNTER_BYTES]
        return key, session, int.from_bytes(packet[HEADER_BYTES - COUNTER_BYTES : HEADER_BYTES], "big")


def notice(ring: KeyRing) -> bytes:
    """The packet that tells a sender that this daemon, with these keys, could not open what it sent."""
    return bytes((NOTICE,)) + (ring.used.tag if ring.used.secret else bytes(KEY_ID_BYTES))


def _meaning(packet: bytes, ring: KeyRing) -> str:
    """What a notice tells an operator."""
    tag = packet[1 : 1 + KEY_ID_BYTES]
    theirs = f"key {tag.hex()}" if any(tag) else "no key"
    ours = f"key {ring.used.id}" if ring.used.secret else "no key"
    return f"it does not open what this daemon sends: it uses {theirs}, this daemon {ours}"


def _advanced(window: int | None, counter: int) -> int:
    """
    A session's window once a packet of this counter is opened.

    Raises:
        UnopenedError: one was opened, or nobody remembers whether.
    """
    if window is None:
        return 1 << 8 * COUNTER_BYTES | counter
    highest, seen = window & _COUNTER_MASK, window >> 8 * COUNTER_BYTES
    if counter > highest:
        ahead = counter - highest
        seen = seen << ahead & _WINDOW_MASK if ahead < WINDOW else 0
        return (seen | 1) << 8 * COUNTER_BYTES | counter
    behind = highest - counter
    if behind >= WINDOW:
        raise UnopenedError("replayed-packet", f"it is older than the last {WINDOW} packets of its sender")
    if seen >> behind & 1:
        raise UnopenedError("replayed-packet", "it was opened before")
    return (seen | 1 << behind) << 8 * COUNTER_BYTES | highest
