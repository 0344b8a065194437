"""
What a node may ask of the world, and what it hands to whoever performs it.

Effects come out of a node as one ordered tuple.  Whoever performs them keeps the order, and makes a
`Persist` as durable as it says before the next effect starts.  A crash between two effects is allowed.
Does not know how anything is performed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from weaveipam.protocol.keyring import KeyRing
from weaveipam.protocol.records import Record, RecordKey
from weaveipam.protocol.requests import Answer
from weaveipam.protocol.values import Endpoint


class Channel(IntEnum):
    """How a packet travels."""

    DATAGRAM = 1
    """At most `DATAGRAM_BYTES_MAX`; may be lost, doubled, reordered."""
    STREAM = 2
    """At most `STREAM_BYTES_MAX`; may be lost whole, when a connection breaks."""


class Durability(IntEnum):
    """What a `Persist` survives; a higher value survives more."""

    PROCESS = 1
    """The death of the daemon at any instruction, but not of the host."""
    HOST = 2
    """The death of the host: on stable storage."""


class Level(IntEnum):
    """How loudly a report is told; the values are those of `logging`."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes to a peer.  Nothing is promised: loss is answered by the node's own repeats."""

    target: Endpoint
    packet: bytes
    channel: Channel


@dataclass(frozen=True, slots=True)
class Persist:
    """Write and forget records, all or none of them."""

    put: tuple[Record, ...]
    delete: tuple[RecordKey, ...]
    durability: Durability


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer the client that asked `request_id`; at most one for each request."""

    request_id: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the operator: a log line, and a counter by `event`."""

    level: Level
    event: str
    """A stable kebab-case name from a small fixed set, e.g. `member-dead`."""
    fields: tuple[tuple[str, str | int], ...] = ()


@dataclass(frozen=True, slots=True)
class Restart:
    """
    Make the node anew from what the disk holds, which is another identity: always the last effect of a node.

    Nothing is put to it any more; sockets and inputs that wait are for the next one, as is its session.
    """

    keyring: KeyRing
    """The keys of the node so far, which may be others than those that it was started with."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the daemon in good order: it has nothing left to do here."""


Effect: TypeAlias = Send | Persist | Reply | Report | Restart | Stop

DATAGRAM_BYTES_MAX = 1400
"""Payload bytes of a datagram, below the MTU of any path that users run (memberlist uses the same)."""

STREAM_BYTES_MAX = 64 << 20
"""Bytes of one packet on a stream; 100,000 runs take about 1 MiB."""
