"""
One CNI call and its reply, and their form on the unix socket and in the spool.

A request is `wip1`, u32 bytes of environment, u32 bytes of input, the environment as `K=V` strings each
ended by NUL, and the input; a reply is `wip1`, u32 status, u32 bytes of text, and the text.  Integers are
big-endian.
Kept in step with `shim.c`.
Does not know what a call means.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from weaveipam.errors import WeaveipamError

MAGIC = b"wip1"
HEAD = struct.Struct(">4sII")
"""Of requests and replies: magic, and two integers."""

ENVIRON_BYTES_MAX = 64 << 10
"""Of the CNI variables together; containerd's take some 300 bytes."""

INPUT_BYTES_MAX = 1 << 20
"""Of a network configuration; with a previous result some kilobytes are usual."""

REQUEST_BYTES_MAX = HEAD.size + ENVIRON_BYTES_MAX + INPUT_BYTES_MAX

AGAIN = 256
"""
The status of a reply that says: nothing was done, and it is not the call's fault.

Above every exit status.  The shim takes it like a daemon that it cannot reach: it records a deletion in the
spool, and tries anything else again until its time is up.
"""


@dataclass(frozen=True, slots=True)
class Call:
    """What a runtime started the program with."""

    environ: Mapping[str, str]
    """The variables starting with `CNI_`; bytes that are not UTF-8 as lone surrogates."""
    stdin: bytes


@dataclass(frozen=True, slots=True)
class CniReply:
    """What the program prints, and exits with."""

    status: int
    """0, or 1 for an error."""
    stdout: bytes
    again: bool = False
    """Whether the same call may succeed later with nothing changed by anybody."""


class FramingError(WeaveipamError):
    """Bytes that no shim of ours would send or spool."""


def request_size(head: bytes) -> int:
    """
    The bytes of a whole request, by its first `HEAD.size` ones.

    Raises:
        FramingError: not the start of a request, or one of more than is taken.
    """
    magic, environ_bytes, input_bytes = HEAD.unpack_from(head)
    if magic != MAGIC:
        raise FramingError(f"a request starts with {MAGIC!r}, not {magic!r}")
    if environ_bytes > ENVIRON_BYTES_MAX or input_bytes > INPUT_BYTES_MAX:
        raise FramingError(f"a request of {environ_bytes} and {input_bytes} bytes")
    return HEAD.size + int(environ_bytes) + int(input_bytes)


def decode_request(request: bytes) -> Call:
    """
    The call in a whole request.

    Raises:
        FramingError: anything else.
    """
    if len(request) < HEAD.size or len(request) != request_size(request):
        raise FramingError(f"{len(request)} bytes are no whole request")
    _, environ_bytes, _ = HEAD.unpack_from(request)
    stop = HEAD.size + environ_bytes
    environ: dict[str, str] = {}
    for variable in request[HEAD.size : stop].split(b"\0"):
        name, equals, value = variable.decode("utf-8", "surrogateescape").partition("=")
        if variable and not equals:
            raise FramingError(f"a variable without a value: {name[:40]!r}")
        if variable:
            environ[name] = value
    return Call(environ, request[stop:])


def encode_request(call: Call) -> bytes:
    """The request that `decode_request` reads back."""
    pairs = (f"{name}={value}\0" for name, value in call.environ.items())
    environ = "".join(pairs).encode("utf-8", "surrogateescape")
    return HEAD.pack(MAGIC, len(environ), len(call.stdin)) + environ + call.stdin


def encode_reply(status: int, stdout: bytes) -> bytes:
    """The reply frame with an exit status, or `AGAIN`, and the text to print."""
    return HEAD.pack(MAGIC, status, len(stdout)) + stdout
