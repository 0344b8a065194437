"""
Bytes to and from what peers say and what a disk remembers; the only importer of msgpack.

What a packet says, its content, is one version byte and a msgpack array `[header, message, ...]`; a message
is `[tag, field, ...]`.  In a packet without a seal four bytes of checksum follow the version byte.
A record is one version byte, eight bytes of digest and a msgpack array `[tag, field, ...]`.

To change what is said, raise `WIRE_VERSION` and write into `SINCE` what is new: a message with a new tag, or
fields with defaults behind the others of a class.  A `Wire` reads and writes that version and the one before
it, from which it leaves out what is new; who needs to do more than that asks which version a `Dialect` is.
Frame and header never change but for what is appended to the header.  A birth is hashed as version 1 has it.

To change what is remembered, append a field with a default.  What releases before this one cannot read at
all (a new kind of record, another `RECORD_VERSION`) is written one release after the first that reads it, so
that one can always go back by one release.

Use arrays, integers, text, bytes, booleans and None: the daemons of today refuse maps and extension types,
wherever they stand.
Does not know sockets, disks, whom to speak which version to, or whether what was said is true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import Any, get_args
from zlib import crc32

import msgpack

from ring.ring import Peer, Run
from weaveipam.errors import OtherReleaseError, PeerError, StorageError
from weaveipam.protocol import farewells, messages, records, rollcalls
from weaveipam.protocol.effects import STREAM_BYTES_MAX
from weaveipam.protocol.fields import ENTRIES_MAX, NAME_BYTES_MAX, U64_MAX, Codec, codec_of
from weaveipam.protocol.messages import Header, Message, Ownership, Rumour
from weaveipam.protocol.records import Record
from weaveipam.protocol.values import Birth, Endpoint, RingId

WIRE_VERSION = 1
"""First byte of what a packet says, below 128 (see `gossip.seal`); only this and the one before are heard."""

SINCE: Mapping[str, int] = {}
"""
The version that brought a message (`Grant`) or a field of any class (`Peer.name`); 1 if it is not here.

What every version that is still spoken has may be left out.
"""

CHECKSUM_BYTES = 4
"""
Of CRC-32, over all that follows, in network order; only in packets without a seal.

Against accidents, which UDP's 16 bits and a network adapter's short-cuts let through: a flipped bit in a run
or in a peer's incarnation would be believed by everybody, and for ever.  Against malice it is nothing.
"""

RECORD_VERSION = 1
"""First byte of every record."""

RECORD_DIGEST_BYTES = 8
"""Of blake2b, over version and body: one flipped record in 2^64 would go unseen."""

MESSAGES_MAX = (1 << 16) - 2
"""Messages of one packet: what a two-byte count holds beside the header."""

FRAME_BYTES = 1 + 3
"""Of what a packet says: version, and the head of the array of its entries."""

SHARED_MAX = 1 << 14
"""Messages that are kept as bytes, and bytes that are kept as messages; some 10 MB if all are used."""

_SHARED_BYTES_MAX = 256
"""Of a message that is kept: room for any rumour but the longest names, and for a few runs."""

_MESSAGES: Mapping[int, type] = {
    1: messages.Ping,
    2: messages.Ack,
    3: messages.PingRequest,
    4: messages.Rumour,
    5: messages.Ownership,
    6: messages.Sync,
    7: messages.SpaceRequest,
    8: messages.Grant,
    9: messages.GrantAck,
    10: messages.SpaceRefusal,
    11: messages.Inquiry,
    12: messages.Standing,
    20: messages.BirthPrepare,
    21: messages.BirthPromise,
    22: messages.BirthAccept,
    23: messages.BirthAccepted,
    13: messages.Nack,
    14: messages.Outline,
    15: messages.RingShare,
    16: messages.MemberShare,
    17: messages.Synced,
    45: messages.PieceSurvey,
    46: messages.PieceFindings,
    47: messages.PieceRequest,
    50: rollcalls.Enrol,
    51: rollcalls.Enrolled,
    52: rollcalls.Prepare,
    53: rollcalls.Promise,
    54: rollcalls.Declined,
    55: rollcalls.Accept,
    56: rollcalls.Accepted,
    57: rollcalls.Decided,
    58: rollcalls.CharterShare,
    59: rollcalls.Closure,
    60: rollcalls.Postponed,
    30: messages.Mark,
    31: messages.Marked,
    32: messages.Elsewhere,
    33: messages.Call,
    34: messages.Here,
    35: messages.Adopt,
    36: messages.Adopted,
    37: messages.LoanQuery,
    38: messages.Returned,
    39: messages.Contest,
    40: farewells.Farewell,
    41: farewells.FarewellHeard,
    42: farewells.Staying,
}
"""Tags of messages; never reused for something else."""

_RECORDS: Mapping[int, type] = {
    1: records.Identity,
    2: records.Born,
    3: records.Acquaintance,
    20: records.BirthVote,
    4: records.Owned,
    5: records.Leased,
    6: records.Resting,
    7: records.Outgoing,
    8: records.Frozen,
    50: records.Chartered,
    51: records.Admitted,
    52: records.OnRoster,
    53: records.Promised,
    54: records.Voted,
    30: records.Noted,
    35: records.Lent,
    40: records.Leaving,
    41: records.Left,
    42: records.Departing,
}
"""Tags of records; never reused for something else."""


def _tagged(classes: Mapping[int, type], lacking: frozenset[str]) -> tuple[dict[type, int], dict[int, Codec]]:
    """The tag of each class, and the codec of each tag, but for what is lacking."""
    known = {tag: of for tag, of in classes.items() if of.__name__ not in lacking}
    return {of: tag for tag, of in known.items()}, {tag: codec_of(of, lacking) for tag, of in known.items()}


assert set(_MESSAGES.values()) == set(get_args(Message)), "every message has a tag"
assert set(_RECORDS.values()) == set(get_args(Record)), "every record has a tag"
_RECORD_TAGS, _RECORD_CODECS = _tagged(_RECORDS, frozenset())
_SHARED = (Rumour, Ownership)
"""What is heard from many and told to many, so that it pays to remember what the bytes say."""
_SHARED_TAGS = frozenset(bytes((tag,)) for tag, of in _MESSAGES.items() if of in _SHARED)


def _pack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed


def _unpack(packed: bytes | memoryview) -> tuple[Any, ...]:
    """
    The non-empty array in some bytes, with tuples for arrays; maps and extension types are refused.

    Raises:
        ValueError, msgpack.UnpackException: anything else.
    """
    entries_max = min(len(packed), ENTRIES_MAX)
    raw = msgpack.unpackb(packed, use_list=False, max_array_len=entries_max, max_map_len=0, max_ext_len=0)
    if type(raw) is not tuple or not raw:
        raise ValueError("not an array of anything")
    return raw


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """What a release can say; the product's is `SCHEMA`, and simulations upgrade between two others."""

    version: int = WIRE_VERSION
    """1 to 127."""
    messages: Mapping[int, type] = field(default_factory=lambda: _MESSAGES)
    """Classes by tag; tags below 128, never reused for something else."""
    since: Mapping[str, int] = field(default_factory=lambda: SINCE)
    """As `SINCE`; the tables of one release hold all that its version and the one before know."""

    def lacks(self, version: int) -> frozenset[str]:
        """What a version does not have, as `SINCE` names it."""
        return frozenset(name for name, since in self.since.items() if since > version)


class VersionError(PeerError):
    """A packet of a version that is not spoken here; its header can be read nevertheless."""

    def __init__(self, why: str, header: Header) -> None:
        super().__init__(why)
        self.header = header


class Dialect:
    """Packets of one version; holds nothing but what it has worked out before."""

    def __init__(self, schema: Schema, version: int) -> None:
        lacking = schema.lacks(version)
        self.version = version
        self._first = bytes((version,))
        self._tags, self._codecs = _tagged(schema.messages, lacking)
        self._header = codec_of(Header, lacking)
        self._encode_shared = lru_cache(SHARED_MAX)(self._encode)
        self._decode_shared = lru_cache(SHARED_MAX)(self._decode)
        self._decode_header = lru_cache(SHARED_MAX)(self.decode_header)

    def encode_message(self, message: Message) -> bytes:
        """
        The bytes that a message adds to a packet, exactly, whatever else the packet carries.

        None at all if this version has no such message; never more than a later version's.

        Invariant: as of `encode_content`.
        """
        if type(message) is Rumour or (type(message) is Ownership and len(message.runs) == 1):
            return self._encode_shared(message)
        return self._encode(message)

    def encoded_size(self, message: Message) -> int:
        """The length of `encode_message`."""
        return len(self.encode_message(message))

    def encode_header(self, header: Header) -> bytes:
        """
        The first entry of a packet.

        Invariant: as of `encode_content`.
        """
        return _pack(self._header.encode(header))

    def encode_content(self, header: Header, messages: Sequence[Message]) -> bytes:
        """
        What a packet with these messages says, in their order; may exceed every limit of a channel.

        Invariant: header and messages are within the limits of this module and number at most `MESSAGES_MAX`;
            a ValueError says what is not.
        """
        if len(messages) > MESSAGES_MAX:
            raise ValueError(f"more than {MESSAGES_MAX} messages")
        return self.join_content(
            [self.encode_header(header), *filter(None, map(self.encode_message, messages))]
        )

    def encode_packet(self, header: Header, messages: Sequence[Message]) -> bytes:
        """The packet without a seal of `encode_content`."""
        return plain_packet(self.encode_content(header, messages))

    def join_content(self, entries: Sequence[bytes]) -> bytes:
        """What an encoded header and then encoded messages say together: `FRAME_BYTES` more than they are."""
        # The count has two bytes even if it is small, so that a message adds the same bytes to every packet.
        return b"".join((self._first, b"\xdc", len(entries).to_bytes(2, "big"), *entries))

    def decode_entries(self, entries: Sequence[bytes]) -> tuple[Header, tuple[Message, ...]]:
        """
        The header and messages of a packet's entries; messages with tags that are not known are left out.

        Raises:
            ValueError, msgpack.UnpackException: they are not what their version says.
        """
        first, *rest = entries
        header = self._decode_header(first)
        told = []
        for one in rest:
            shared = one[1:2] in _SHARED_TAGS and len(one) <= _SHARED_BYTES_MAX
            message = self._decode_shared(one) if shared else self._decode(one)
            if message is not None:
                told.append(message)
        return header, tuple(told)

    def decode_header(self, entry: bytes) -> Header:
        """
        The header of a packet of this or any other version.

        Raises:
            ValueError, msgpack.UnpackException: it is none.
        """
        header: Header = self._header.decode(_unpack(entry))
        return header

    def _encode(self, message: Message) -> bytes:
        tag = self._tags.get(type(message))
        return b"" if tag is None else _pack([tag, *self._codecs[tag].encode(message)])

    def _decode(self, entry: bytes) -> Message | None:
        """A message; None if its tag is not known."""
        tag, *fields = _unpack(entry)
        if type(tag) is not int:
            raise ValueError("a message is not an array with a tag")
        codec = self._codecs.get(tag)
        return None if codec is None else codec.decode(tuple(fields))


class Wire:
    """All that a release can say and hear: its own version, and the one before."""

    def __init__(self, schema: Schema) -> None:
        self.own = Dialect(schema, schema.version)
        """What is spoken to those who are known to speak it."""
        self.common = Dialect(schema, schema.version - 1) if schema.version > 1 else self.own
        """What is spoken to anybody else: the version before, if there is one."""
        self._dialects = {one.version: one for one in (self.own, self.common)}
        self._versions = " and ".join(map(str, sorted(self._dialects)))

    def decode_packet(self, packet: bytes) -> tuple[Header, tuple[Message, ...]]:
        """As `decode_content`, of a packet without a seal."""
        return self.decode_content(plain_content(packet))

    def decode_content(self, content: bytes) -> tuple[Header, tuple[Message, ...]]:
        """
        The header and messages of whatever a peer said; messages with tags that are not known are left out.

        Raises:
            VersionError: it is of a version that is not spoken here.
            PeerError: anything else than the content of a packet, with a short reason.

        Cost: linear in the bytes, also if they are malicious: memory is at most some hundred times their
            length.
        """
        if not 1 < len(content) <= STREAM_BYTES_MAX:
            raise PeerError(f"packet of {len(content)} bytes")
        dialect = self._dialects.get(content[0])
        try:
            entries = _entries(content[1:])
            if dialect is not None:
                return dialect.decode_entries(entries)
            header = self.own.decode_header(entries[0])
        except (ValueError, msgpack.UnpackException) as error:
            raise PeerError(f"malformed packet: {error}") from error
        raise VersionError(f"wire version {content[0]}; this daemon speaks {self._versions}", header)


def plain_packet(content: bytes) -> bytes:
    """The packet without a seal that says this: `CHECKSUM_BYTES` more."""
    return content[:1] + _checksum(content[1:]) + content[1:]


def plain_content(packet: bytes) -> bytes:
    """
    What a packet without a seal says.

    Raises:
        PeerError: it is damaged, or none.
    """
    if not 1 + CHECKSUM_BYTES < len(packet) <= STREAM_BYTES_MAX:
        raise PeerError(f"packet of {len(packet)} bytes")
    body = packet[1 + CHECKSUM_BYTES :]
    if packet[1 : 1 + CHECKSUM_BYTES] != _checksum(body):
        raise PeerError("the checksum does not match the content")
    return packet[:1] + body


def _checksum(body: bytes) -> bytes:
    return crc32(body).to_bytes(CHECKSUM_BYTES, "big")


def _entries(body: bytes) -> list[bytes]:
    """
    The bytes of each entry of a packet's array, which are not looked into; at least one.

    Raises:
        ValueError, msgpack.UnpackException: the body is not one array of something.
    """
    unpacker = msgpack.Unpacker(max_buffer_size=len(body))
    unpacker.feed(body)
    count = unpacker.read_array_header()
    ends = [unpacker.tell()]
    for _ in range(count):
        unpacker.skip()
        ends.append(unpacker.tell())
    if ends[-1] != len(body) or not count:
        raise ValueError("not an array of something, or bytes behind the last message")
    return [body[start:stop] for start, stop in pairwise(ends)]


SCHEMA = Schema()
"""What this release can say."""
WIRE = Wire(SCHEMA)
encode_message = WIRE.own.encode_message
encoded_size = WIRE.own.encoded_size
encode_header = WIRE.own.encode_header
encode_packet = WIRE.own.encode_packet
encode_content = WIRE.own.encode_content
decode_packet = WIRE.decode_packet
decode_content = WIRE.decode_content
_BIRTH = codec_of(Birth, SCHEMA.lacks(1))


def encode_record(record: Record) -> bytes:
    """
    The bytes that a disk remembers a record by.

    Invariant: the record is within the limits of this module; a ValueError says what is not.
    """
    tag = _RECORD_TAGS[type(record)]
    body = _pack([tag, *_RECORD_CODECS[tag].encode(record)])
    return bytes((RECORD_VERSION,)) + _record_digest(body) + body


def decode_record(stored: bytes) -> Record:
    """
    The record that was stored as these bytes.

    Raises:
        OtherReleaseError: the bytes are as they were written, by a release that knew more than this one.
        StorageError: they are not.
    """
    if not stored:
        raise StorageError("a record without any bytes")
    version, digest, body = stored[0], stored[1 : 1 + RECORD_DIGEST_BYTES], stored[1 + RECORD_DIGEST_BYTES :]
    if digest != _record_digest(body, version):
        raise StorageError("a record's digest does not match its content")
    if version != RECORD_VERSION:
        raise OtherReleaseError(f"record version {version}; this release reads {RECORD_VERSION}")
    try:
        return _known_record(_unpack(body))
    except (ValueError, msgpack.UnpackException) as error:
        raise OtherReleaseError(f"a record that this release cannot read: {error}") from error


def _known_record(raw: tuple[Any, ...]) -> Record:
    tag = raw[0]
    if type(tag) is not int or tag not in _RECORD_CODECS:
        raise ValueError("its tag is not known")
    record: Record = _RECORD_CODECS[tag].decode(raw[1:])
    return record


def _record_digest(body: bytes, version: int = RECORD_VERSION) -> bytes:
    return blake2b(body, digest_size=RECORD_DIGEST_BYTES, person=bytes((version,))).digest()


def cluster_id(birth: Birth) -> bytes:
    """The 8 bytes by which packets name the cluster of a birth: blake2b of its encoding."""
    return blake2b(_pack(_BIRTH.encode(birth)), digest_size=8, person=b"birth").digest()


def digest_key(birth: Birth) -> bytes:
    """
    The key of all digests in the cluster of a birth; it lasts as long as the cluster.

    The birth's nonce is told to members only, so where packets are sealed nobody else can make two different
    states with one fingerprint.
    """
    return blake2b(_pack(_BIRTH.encode(birth)), digest_size=16, person=b"digests").digest()


@cache
def run_digests(ring_id: RingId, key: bytes) -> Callable[[Run], int]:
    """64 bits for each run of a ring that depend on every bit of it; one function for one ring and key."""
    name = _pack(ring_id)

    def digest(run: Run) -> int:
        # Not by the codec of runs: this is done for every run that changes, and is three times as fast.
        start, stop = run.start.to_bytes(17, "big"), run.stop.to_bytes(17, "big")
        content = name + _pack((start, stop, run.token, run.owner, run.author))
        return int.from_bytes(blake2b(content, digest_size=8, key=key).digest(), "big")

    return digest


@lru_cache(1 << 16)
def member_digest(peer: Peer, endpoint: Endpoint, refutation: int, key: bytes) -> tuple[int, int]:
    """16 bits that depend on a member's name alone, and 64 bits that depend on all of it."""
    place = blake2b(peer.name.encode(), digest_size=2, key=key).digest()
    content = _pack((peer, endpoint, refutation))
    return int.from_bytes(place, "big"), int.from_bytes(
        blake2b(content, digest_size=8, key=key).digest(), "big"
    )


HEADER_BYTES_MAX = len(
    WIRE.own.encode_content(
        Header(bytes(8), Peer("n" * NAME_BYTES_MAX, U64_MAX), Endpoint("h" * NAME_BYTES_MAX, 65535), 255), ()
    )
)
"""Bytes of what a packet without messages says, when names are as long as they may be."""
