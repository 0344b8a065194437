"""
What is said becomes packets: in the version that its target speaks, as full as they may be.

Does not know why anything is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ring.ring import Peer
from weaveipam.gossip.gossip import Gossip
from weaveipam.gossip.guard import Guard
from weaveipam.gossip.seal import OVERHEAD_BYTES
from weaveipam.gossip.versions import Versions
from weaveipam.protocol import codec
from weaveipam.protocol.codec import Dialect, Wire
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX, Channel, Report, Send
from weaveipam.protocol.keyring import Key
from weaveipam.protocol.messages import UNFORMED, Header, Message
from weaveipam.protocol.values import Endpoint

BULK_BYTES = 8 * DATAGRAM_BYTES_MAX
"""What is said to one at once and is longer goes on a stream: it paces itself, and loses nothing."""


class Packets:
    """
    All that one node sends and hears.

    Args:
        me: This life of this daemon.
        endpoint: Where others reach it.
        wire: What this release can say and hear.
        guard: Seals what is sent, and opens what is heard.
        gossip: Has something to say on every packet that has room, once there is a cluster.
    """

    def __init__(self, me: Peer, endpoint: Endpoint, wire: Wire, guard: Guard, gossip: Gossip) -> None:
        self._me = me
        self._endpoint = endpoint
        self._wire = wire
        self._guard = guard
        self._gossip = gossip
        self._versions = Versions(wire)
        self.introduce(UNFORMED)

    def introduce(self, cluster_id: bytes) -> None:
        """Speak as a member of this cluster from now on."""
        header = Header(cluster_id, self._me, self._endpoint, self._wire.own.version)
        self._heads = {one.version: one.encode_header(header) for one in (self._wire.own, self._wire.common)}
        self._formed = cluster_id != UNFORMED

    def read(self, packet: bytes) -> tuple[Header, tuple[Message, ...], Key]:
        """
        Who sent a packet, what it says, and with which key it is sealed.

        Raises:
            VersionError: it is of a version that is not spoken here; see `not_understood`.
            PeerError: anything else than a packet, with a short reason.
        """
        content, key = self._guard.open(packet)
        header, told = self._wire.decode_content(content)
        if header.sender != self._me:
            self._versions.heard(header)
        return header, told, key

    def not_understood(self, header: Header, now: float) -> tuple[Report | Send, ...]:
        """What to do about a packet of a version that is not spoken here."""
        answered, reports = self._versions.not_understood(header, now)
        return (*reports, *(self.sends(header.endpoint, ()) if answered else ()))

    def sends(self, target: Endpoint, messages: Sequence[Message], *, stream: bool = False) -> Iterator[Send]:
        """
        What is said to one target at once, in order; at least one datagram, if it need not be a stream.

        Args:
            target: Who is told.
            messages: Those that its version does not have are left out.
            stream: Whether it must be one packet on a stream; it is one if longer than `BULK_BYTES`.
        """
        dialect = self._versions.dialect(target)
        said = [entry for one in messages if (entry := dialect.encode_message(one))]
        if stream or sum(map(len, said)) > BULK_BYTES:
            if said:
                # More than one packet holds nobody asks for in good faith; all of it is repeated if need be.
                yield self._packet(target, dialect, said[: codec.MESSAGES_MAX], Channel.STREAM)
            return
        entries: list[bytes] = []
        for entry in said:
            if entries and self._room(dialect, entries) < len(entry):
                yield self._datagram(target, dialect, entries)
                entries = []
            entries.append(entry)
        yield self._datagram(target, dialect, entries)

    def _datagram(self, target: Endpoint, dialect: Dialect, entries: list[bytes]) -> Send:
        """Encoded messages, and what rides along; on a stream, if they are too many bytes."""
        room = self._room(dialect, entries)
        if room < 0:
            return self._packet(target, dialect, entries, Channel.STREAM)
        if self._formed:
            entries += filter(None, map(dialect.encode_message, self._gossip.piggyback(room)))
        return self._packet(target, dialect, entries, Channel.DATAGRAM)

    def _room(self, dialect: Dialect, entries: list[bytes]) -> int:
        """The bytes that a datagram with these messages still has room for; below 0 if they do not fit."""
        head = OVERHEAD_BYTES + codec.FRAME_BYTES + len(self._heads[dialect.version])
        return DATAGRAM_BYTES_MAX - head - sum(map(len, entries))

    def _packet(self, target: Endpoint, dialect: Dialect, entries: Sequence[bytes], channel: Channel) -> Send:
        content = dialect.join_content([self._heads[dialect.version], *entries])
        return Send(target, self._guard.seal(content, stream=channel is Channel.STREAM), channel)
