"""
Bytes to and from what peers say and what a disk remembers; the only importer of msgpack.

A packet is one version byte, four bytes of checksum and a msgpack array `[header, message, ...]`; a message
is `[tag, field, ...]`.
A record is one version byte, eight bytes of digest and a msgpack array `[tag, field, ...]`.

To extend a class, append a field with a default: older daemons ignore it, newer ones fill it in.  A new
message gets a new tag, which older daemons skip.  Use arrays, integers, text, bytes, booleans and None: the
daemons of today refuse maps and extension types, wherever they stand.
Does not know sockets, disks, or whether what was said is true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import Any, get_args
from zlib import crc32

import msgpack

from ring.ring import Peer, Run
from weaveipam.errors import PeerError, StorageError
from weaveipam.protocol import messages, records
from weaveipam.protocol.effects import STREAM_BYTES_MAX
from weaveipam.protocol.fields import ENTRIES_MAX, NAME_BYTES_MAX, U64_MAX, Codec, codec_of
from weaveipam.protocol.messages import Header, Message
from weaveipam.protocol.records import Record
from weaveipam.protocol.values import Birth, Endpoint, RingId

WIRE_VERSION = 1
"""First byte of every packet; another one is refused whole."""

CHECKSUM_BYTES = 4
"""
Of CRC-32, over all that follows, in network order.

Against accidents, which UDP's 16 bits and a network adapter's short-cuts let through: a flipped bit in a run
or in a peer's incarnation would be believed by everybody, and for ever.  Against malice it is nothing.
"""

RECORD_VERSION = 1
"""First byte of every record."""

RECORD_DIGEST_BYTES = 8
"""Of blake2b, over version and body: one flipped record in 2^64 would go unseen."""

MESSAGES_MAX = (1 << 16) - 2
"""Messages of one packet: what a two-byte count holds beside the header."""

FRAME_BYTES = 1 + CHECKSUM_BYTES + 3
"""Of a packet: version, checksum, and the head of the array of its entries."""

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
    14: messages.Outline,
    15: messages.RingShare,
    16: messages.MemberShare,
    17: messages.Synced,
}
"""Tags of messages; never reused for something else."""

_RECORDS: Mapping[int, type] = {
    1: records.Identity,
    2: records.Born,
    3: records.Acquaintance,
    4: records.Owned,
    5: records.Leased,
    6: records.Resting,
    7: records.Outgoing,
    8: records.Frozen,
}
"""Tags of records; never reused for something else."""


def _tagged(classes: Mapping[int, type], union: Any) -> tuple[Mapping[type, int], Mapping[int, Codec]]:
    """The tag of each class of a union, and the codec of each tag."""
    assert set(classes.values()) == set(get_args(union)), "every class of the union has a tag"
    return {of: tag for tag, of in classes.items()}, {tag: codec_of(of) for tag, of in classes.items()}


_MESSAGE_TAGS, _MESSAGE_CODECS = _tagged(_MESSAGES, Message)
_RECORD_TAGS, _RECORD_CODECS = _tagged(_RECORDS, Record)
_SHARED = (messages.Rumour, messages.Ownership)
"""What is heard from many and told to many, so that it pays to remember what the bytes say."""
_SHARED_TAGS = frozenset(bytes((_MESSAGE_TAGS[of],)) for of in _SHARED)
_HEADER = codec_of(Header)
_BIRTH = codec_of(Birth)


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


def _encode(message: Message) -> bytes:
    tag = _MESSAGE_TAGS[type(message)]
    return _pack([tag, *_MESSAGE_CODECS[tag].encode(message)])


_encode_shared = lru_cache(SHARED_MAX)(_encode)


def encode_message(message: Message) -> bytes:
    """
    The bytes that a message adds to a packet, exactly, whatever else the packet carries.

    Invariant: as of `encode_packet`.
    """
    if type(message) is messages.Rumour or (type(message) is messages.Ownership and len(message.runs) == 1):
        return _encode_shared(message)
    return _encode(message)


def encode_header(header: Header) -> bytes:
    """
    The first entry of a packet.

    Invariant: as of `encode_packet`.
    """
    return _pack(_HEADER.encode(header))


def encode_packet(header: Header, messages: Sequence[Message]) -> bytes:
    """
    The packet that says the messages, in their order; may exceed every limit of a channel.

    Invariant: header and messages are within the limits of this module and number at most `MESSAGES_MAX`; a
        ValueError says what is not.
    """
    if len(messages) > MESSAGES_MAX:
        raise ValueError(f"more than {MESSAGES_MAX} messages")
    return join_packet([encode_header(header), *map(encode_message, messages)])


def join_packet(entries: Sequence[bytes]) -> bytes:
    """The packet of an encoded header and then encoded messages: `FRAME_BYTES` more than they are."""
    # The count has two bytes even if it is small, so that a message adds the same bytes to every packet.
    body = b"".join((b"\xdc", len(entries).to_bytes(2, "big"), *entries))
    return bytes((WIRE_VERSION,)) + _checksum(body) + body


def decode_packet(packet: bytes) -> tuple[Header, tuple[Message, ...]]:
    """
    The header and messages of any bytes a peer sent; messages with tags that are not known yet are left out.

    Raises:
        PeerError: anything else than a packet, with a short reason.

    Cost: linear in the bytes, also if they are malicious: memory is at most some hundred times their length.
    """
    if not 1 < len(packet) <= STREAM_BYTES_MAX:
        raise PeerError(f"packet of {len(packet)} bytes")
    if packet[0] != WIRE_VERSION:
        raise PeerError(f"wire version {packet[0]}; this daemon speaks {WIRE_VERSION}")
    body = packet[1 + CHECKSUM_BYTES :]
    if packet[1 : 1 + CHECKSUM_BYTES] != _checksum(body):
        raise PeerError("the checksum does not match the content")
    try:
        first, *rest = _entries(body)
        header = _decode_header(first)
        return header, tuple(message for one in rest if (message := _decode_message(one)) is not None)
    except (ValueError, msgpack.UnpackException) as error:
        raise PeerError(f"malformed packet: {error}") from error


def _checksum(body: bytes) -> bytes:
    return crc32(body).to_bytes(CHECKSUM_BYTES, "big")


def _entries(body: bytes) -> list[bytes]:
    """
    The bytes of each entry of a packet's array, which are not looked into.

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
    if ends[-1] != len(body):
        raise ValueError("bytes behind the last message")
    return [body[start:stop] for start, stop in pairwise(ends)]


@lru_cache(SHARED_MAX)
def _decode_header(entry: bytes) -> Header:
    header: Header = _HEADER.decode(_unpack(entry))
    return header


def _decode(entry: bytes) -> Message | None:
    """A message; None if its tag is not known."""
    tag, *fields = _unpack(entry)
    if type(tag) is not int:
        raise ValueError("a message is not an array with a tag")
    codec = _MESSAGE_CODECS.get(tag)
    return None if codec is None else codec.decode(tuple(fields))


_decode_shared = lru_cache(SHARED_MAX)(_decode)


def _decode_message(entry: bytes) -> Message | None:
    shared = entry[1:2] in _SHARED_TAGS and len(entry) <= _SHARED_BYTES_MAX
    return _decode_shared(entry) if shared else _decode(entry)


def encoded_size(message: Message) -> int:
    """The length of `encode_message`."""
    return len(encode_message(message))


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
        StorageError: the bytes are not what `encode_record` made, or of a newer daemon's record.
    """
    if not stored or stored[0] != RECORD_VERSION:
        raise StorageError(
            f"record version {stored[:1].hex() or 'missing'}; this daemon reads {RECORD_VERSION:02x}"
        )
    digest, body = stored[1 : 1 + RECORD_DIGEST_BYTES], stored[1 + RECORD_DIGEST_BYTES :]
    if digest != _record_digest(body):
        raise StorageError("a record's digest does not match its content")
    try:
        return _known_record(_unpack(body))
    except (ValueError, msgpack.UnpackException) as error:
        raise StorageError(f"malformed record: {error}") from error


def _known_record(raw: tuple[Any, ...]) -> Record:
    tag = raw[0]
    if type(tag) is not int or tag not in _RECORD_CODECS:
        raise ValueError("a record's tag is not known")
    record: Record = _RECORD_CODECS[tag].decode(raw[1:])
    return record


def _record_digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=RECORD_DIGEST_BYTES, person=bytes((RECORD_VERSION,))).digest()


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
    encode_packet(
        Header(bytes(8), Peer("n" * NAME_BYTES_MAX, U64_MAX), Endpoint("h" * NAME_BYTES_MAX, 65535)), ()
    )
)
"""Bytes of a packet without messages, when names are as long as they may be."""
