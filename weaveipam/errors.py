"""
Errors, named by whose fault they are.

Does not know how an error is shown; doors translate.
"""

from __future__ import annotations


class WeaveipamError(Exception):
    """Anything that went wrong and has a sentence for the person who can mend it."""


class ConfigError(WeaveipamError):
    """The operator's: configuration or flags that cannot work.  The daemon does not start."""


class PeerError(WeaveipamError):
    """A peer's: bytes that no daemon of ours would send.  Dropped and counted; nothing changes."""


class StorageError(WeaveipamError):
    """The machine's: the disk refused or lied.  The daemon stops before it answers anybody else."""


class OtherReleaseError(StorageError):
    """The operator's after all: another release has written what is stored, and this one cannot read it."""
