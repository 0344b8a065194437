"""
The file that a daemon's key ring is kept in, and changes of it while the daemon runs.

A change is written before it is used: a daemon that dies in between comes back with the keys that it was
told.  Does not know what keys are for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from weaveipam.daemon import durable
from weaveipam.errors import ConfigError
from weaveipam.protocol.keyring import KeyRing, format_keyring, parse_key, parse_keyring
from weaveipam.protocol.requests import Answer, Reason, Refusal, Request, SetKeyring

FILE_BYTES_MAX = 1 << 16
"""A full ring with a page of comments takes far less."""
_OTHERS = 0o007


class KeyringFile:
    """The text of a key ring on disk, as `weaveipam.protocol.keyring` describes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> KeyRing:
        """
        What it holds.

        Raises:
            ConfigError: it cannot be read, or every user of this host could read it, or it is no key ring.
        """
        try:
            with self._path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(FILE_BYTES_MAX).decode()
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read the key ring {self._path}: {_reason(error)}") from None
        if mode & _OTHERS:
            raise ConfigError(f"the key ring {self._path} is open to every user: chmod 600 {self._path}")
        try:
            return parse_keyring(text)
        except ConfigError as error:
            raise ConfigError(f"the key ring {self._path}: {error}") from None

    def write(self, ring: KeyRing) -> None:
        """
        Hold this ring instead, on stable storage, for its owner alone; comments are lost.

        Raises:
            ConfigError: it cannot be written; it is as it was.
        """
        path = self._path.resolve()
        try:
            durable.replace(path, format_keyring(ring.keys).encode(), 0o600)
        except OSError as error:
            raise ConfigError(f"cannot write the key ring {path}: {_reason(error)}") from None


class Keeper:
    """
    Changes a daemon's key ring, file first, one change at a time.

    Args:
        file: None: the daemon was given no key ring, and every change is refused.
        ask: The node.
    """

    def __init__(self, file: KeyringFile | None, ask: Callable[[Request], Awaitable[Answer]]) -> None:
        self._file = file
        self._ask = ask
        self._turn = asyncio.Lock()

    async def add(self, line: str) -> Answer:
        """Accept the key in a line of a key ring file as well."""
        return await self._change(lambda ring: ring.adding(parse_key(line.partition("#")[0].strip())))

    async def use(self, key_id: str) -> Answer:
        """Send with a key that is accepted."""
        return await self._change(lambda ring: ring.using(key_id))

    async def remove(self, key_id: str) -> Answer:
        """Accept a key no more."""
        return await self._change(lambda ring: ring.removing(key_id))

    async def reload(self) -> Answer:
        """Take what the file holds now."""
        return await self._change(lambda ring: ring)

    async def _change(self, change: Callable[[KeyRing], KeyRing]) -> Answer:
        if self._file is None:
            detail = "this daemon has no key ring to change: start it with --keyring FILE"
            return Refusal(Reason.INVALID, detail)
        async with self._turn:
            try:
                before = self._file.read()
                after = change(before)
                if after != before:
                    self._file.write(after)
            except ConfigError as error:
                return Refusal(Reason.INVALID, str(error))
            return await self._ask(SetKeyring(after))


def _reason(error: OSError | ValueError) -> str:
    return error.strerror or "" if isinstance(error, OSError) else "it is not UTF-8"
