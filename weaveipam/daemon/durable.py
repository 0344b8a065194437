"""
Files that are whole, and there for good, whenever the host dies.

Does not know what is in them.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def sync(path: Path) -> None:
    """
    The file's content, or the directory's entries, on stable storage.

    Raises:
        OSError: they are not.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes, mode: int) -> None:
    """
    A file with this content, on stable storage, which is never seen half written.

    A program that runs keeps its old file.  Until it is complete nobody else can read it, whatever its mode.

    Effects: the draft is in the same directory, and on disk before it takes the name.

    Raises:
        OSError: it could not be written, and is as it was; or it was, but may not survive the host's death.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(draft, "xb", opener=_private) as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
