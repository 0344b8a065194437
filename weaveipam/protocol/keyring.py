"""
Keys that packets are sealed with, and the text that a key ring is kept as.

A key ring's file has one key a line, in base64; the first is used, all are accepted.  The word `plain` in
place of a key stands for no seal at all, so that a cluster takes its first key, or gives up its last one, as
it changes any other.  Blank lines, and what follows a `#`, count for nothing.
Does not know how packets are sealed, nor where the text is kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from weaveipam.errors import ConfigError

KEY_BYTES = (16, 32)
"""Lengths that a key may have: of AES-128 and of AES-256."""
KEY_ID_BYTES = 3
"""Of what a packet and an operator name a key by; two of a full ring are the same once in 100,000 rings."""
KEYS_MAX = 16
"""Of one ring; a rotation needs two."""
PLAIN_WORD = "plain"
"""Instead of a key: packets without a seal."""


@dataclass(frozen=True)
class Key:
    """
    One key, or none.

    Raises:
        ConfigError: a length that no key has.
    """

    secret: bytes
    """16 or 32 random bytes; empty stands for packets without a seal."""

    def __post_init__(self) -> None:
        if self.secret and len(self.secret) not in KEY_BYTES:
            raise ConfigError(f"a key has 16 or 32 bytes, not {len(self.secret)}")

    def __repr__(self) -> str:
        """Its id: a key must not get into a log."""
        return f"Key({self.id})"

    @cached_property
    def tag(self) -> bytes:
        """The `KEY_ID_BYTES` that name it in packets; they tell nothing about it."""
        # Of a random key even the whole hash would tell nothing; 128 bits cannot be searched.
        return blake2b(self.secret, digest_size=KEY_ID_BYTES, person=b"weaveipam key id").digest()

    @property
    def id(self) -> str:
        """What operators name it by: six hexadecimal digits, or `plain`."""
        return self.tag.hex() if self.secret else PLAIN_WORD

    @property
    def text(self) -> str:
        """Its line in a file."""
        return base64.b64encode(self.secret).decode() if self.secret else PLAIN_WORD


PLAIN = Key(b"")
"""No seal."""


def parse_key(text: str) -> Key:
    """
    The key in one line, without a comment.

    Raises:
        ConfigError: none; the message does not repeat the line.
    """
    if text == PLAIN_WORD:
        return PLAIN
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError("expected a key in base64, or the word plain") from None
    if not secret:
        raise ConfigError("expected a key in base64, or the word plain")
    return Key(secret)


@dataclass(frozen=True)
class KeyRing:
    """
    Keys of which the first is used, and all are accepted.

    Raises:
        ConfigError: no key, too many, or two that share an id.
    """

    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.keys) <= KEYS_MAX:
            raise ConfigError(f"a key ring has 1 to {KEYS_MAX} keys, not {len(self.keys)}")
        ids = [key.id for key in self.keys]
        for one in ids:
            if ids.count(one) > 1:
                raise ConfigError(f"the key ring has two keys of the id {one}; make another one")

    @property
    def used(self) -> Key:
        """What packets are sealed with."""
        return self.keys[0]

    def adding(self, key: Key) -> KeyRing:
        """The ring that accepts this key as well; the same if it does already."""
        return self if key in self.keys else KeyRing((*self.keys, key))

    def using(self, key_id: str) -> KeyRing:
        """
        The ring that uses the key of an id.

        Raises:
            ConfigError: there is none.
        """
        key = self._find(key_id)
        return KeyRing((key, *(one for one in self.keys if one != key)))

    def removing(self, key_id: str) -> KeyRing:
        """
        The ring without the key of an id; the same if there is none.

        Raises:
            ConfigError: it is the one in use.
        """
        if key_id == self.used.id:
            raise ConfigError(f"key {key_id} is the one in use: use another one first")
        return KeyRing(tuple(one for one in self.keys if one.id != key_id))

    def _find(self, key_id: str) -> Key:
        for key in self.keys:
            if key.id == key_id:
                return key
        there_are = ", ".join(key.id for key in self.keys)
        raise ConfigError(f"there is no key {key_id} in the key ring; there are {there_are}")


UNSEALED = KeyRing((PLAIN,))
"""Of a daemon that was given no key."""


def parse_keyring(text: str) -> KeyRing:
    """
    The key ring of a file's text.

    Raises:
        ConfigError: names the line, and does not repeat it.
    """
    keys: list[Key] = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        try:
            keys.append(parse_key(content))
        except ConfigError as error:
            raise ConfigError(f"line {number}: {error}") from None
    return KeyRing(tuple(dict.fromkeys(keys)))


def format_keyring(keys: Iterable[Key]) -> str:
    """The text of a file: a line for each key, with its id as a comment."""
    return "".join(f"{key.text}  # {key.id}\n" if key.secret else f"{key.text}\n" for key in keys)
