"""
Error codes of CNI, the one exception that carries them, and what each of the allocator's refusals becomes.

| code | when | source |
| --- | --- | --- |
| 1 | the version is not supported, or has no such verb | specification, section 5 |
| 4 | a variable is missing or wrong; all of them are named at once | as above |
| 5 | the shim cannot read its standard input | as above |
| 6 | standard input is not JSON | as above |
| 7 | the configuration is wrong, or names what no pool has | as above |
| 8 | ADD into the host's own network namespace | libcni's skel |
| 11 | try again: no daemon, not ready, too busy, no space yet | specification, section 5 |
| 50 | STATUS: the plugin is not available | as above |
| 100 | no free address | ours, from here on |
| 101 | the address asked for is in use | |
| 102 | another daemon owns the address | |
| 103 | the container already has another address, or ownership is contested | |
| 104 | CHECK: the container has no address | |
| 105 | CHECK: the container has another address than the result says | |

Does not know how an error is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from weaveipam.errors import WeaveipamError
from weaveipam.protocol.requests import Reason, Refusal


class Code(IntEnum):
    """As in the module's table."""

    INCOMPATIBLE_VERSION = 1
    BAD_ENVIRONMENT = 4
    CANNOT_DECODE = 6
    BAD_CONFIG = 7
    BAD_NETNS = 8
    TRY_LATER = 11
    NOT_AVAILABLE = 50
    EXHAUSTED = 100
    IN_USE = 101
    NOT_OWNER = 102
    CONFLICT = 103
    NOTHING_HELD = 104
    DIFFERENT = 105


class CniError(WeaveipamError):
    """A call that fails: the runtime's, the operator's or the cluster's fault, as the code says."""

    def __init__(self, code: Code, message: str, details: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        """What is wrong."""
        self.details = details
        """What would help; may be empty."""


_REFUSALS: Mapping[Reason, tuple[Code, str]] = {
    Reason.EXHAUSTED: (Code.EXHAUSTED, "more pools can be named in ipam.pools; see `weaveipam pools`"),
    Reason.IN_USE: (Code.IN_USE, "ask for another address, or release this one first"),
    Reason.NOT_OWNER: (Code.NOT_OWNER, "ask the daemon that owns the address"),
    Reason.NO_SUCH_POOL: (Code.BAD_CONFIG, "correct ipam.pools, or create the pool"),
    Reason.NOT_READY: (Code.TRY_LATER, "see `weaveipam status`, then try again"),
    Reason.NOT_FOUND: (Code.NOTHING_HELD, "run DEL and ADD again"),
    Reason.CONFLICT: (
        Code.CONFLICT,
        "run DEL for this container, then ADD again",
    ),
    Reason.INVALID: (
        Code.BAD_CONFIG,
        "what ipam and the runtime ask for must lie in a configured pool; see `weaveipam pools`",
    ),
    Reason.OVERLOADED: (Code.TRY_LATER, "too many requests wait; try again"),
}


def refused(refusal: Refusal) -> CniError:
    """The error that a refusal of the allocator becomes."""
    code, details = _REFUSALS[refusal.reason]
    return CniError(code, refusal.detail, details)
