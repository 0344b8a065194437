"""
Keeps a daemon from running beside another on the same data directory or under the same name.

One lock lies in the data directory.  Two more lie outside of it, in the run directory, for the data
directory's path and for the name: a process that still runs on a deleted data directory holds a lock in it
that nobody can see.  Locks are flock's: they end with the process, however it ends, and the files stay.
Does not know what is in the data directory.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from weaveipam.errors import ConfigError


class DaemonLock:
    """Held from `acquire` until `release`, the end of its `with` block, or the death of the process."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    @classmethod
    def acquire(cls, data_dir: Path, run_dir: Path, name: str) -> DaemonLock:
        """
        The lock for one data directory and one name.

        Args:
            data_dir: Made, with its parents, if missing.
            run_dir: As above; that of the sockets, the same for all daemons of one host.
            name: The daemon's.

        Raises:
            ConfigError: another process holds it, and which; or the files cannot be made.  Nothing is held.
        """
        lock = cls()
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            run_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
            place = data_dir.resolve()
            lock._hold(run_dir / f"data-{_digest(str(place))}.lock", f"on the data directory {place}")
            lock._hold(run_dir / f"name-{_digest(name)}.lock", f"under the name {name!r}")
            lock._hold(place / "lock", f"on the data directory {place}")
        except OSError as error:
            lock.release()
            raise ConfigError(f"cannot lock {error.filename or data_dir}: {error.strerror}") from error
        except ConfigError:
            lock.release()
            raise
        return lock

    def release(self) -> None:
        """Let go of it; more than once does no harm."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _hold(self, path: Path, what: str) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        self._descriptors.append(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            who = f"process {holder}" if holder.isdecimal() else "a process that is just starting"
            raise ConfigError(f"another daemon runs {what}: {who} (it holds {path})") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _digest(text: str) -> str:
    """A short file name for any text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
