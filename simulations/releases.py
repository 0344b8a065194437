"""
Two releases to upgrade and downgrade between: what the product says today, and that without what is newest.

They differ as two releases would that follow each other: the newer one has a message and some fields more,
and a version of its own, which the older one does not hear.
Does not know which machine runs which.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from weaveipam.protocol.codec import SINCE, WIRE_VERSION, Schema, Wire
from weaveipam.protocol.messages import Header, Message

Release: TypeAlias = Literal["older", "newer"]

_SINCE = {
    **SINCE,
    "PingRequest": WIRE_VERSION + 1,
    "Ping.hints": WIRE_VERSION + 1,
    "Ping.stream": WIRE_VERSION + 1,
    "Ack.hints": WIRE_VERSION + 1,
    "Standing.in_use": WIRE_VERSION + 1,
}


class Strict(Wire):
    """A wire that hears nothing but exactly what it would have said itself."""

    def decode_content(self, content: bytes) -> tuple[Header, tuple[Message, ...]]:
        """As of `Wire`; an AssertionError if there is anything in it that its version does not have."""
        header, told = super().decode_content(content)
        dialect = self.own if content[0] == self.own.version else self.common
        assert dialect.encode_content(header, told) == content, f"{told} is not of version {content[0]}"
        return header, told


RELEASES: dict[Release, Wire] = {
    "older": Strict(Schema(WIRE_VERSION, since=_SINCE)),
    "newer": Strict(Schema(WIRE_VERSION + 1, since=_SINCE)),
}
