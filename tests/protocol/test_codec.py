"""What is said and remembered survives its bytes; bytes of anybody else's making do no harm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar, get_type_hints
from zlib import crc32

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ring.address import Family, Range
from ring.ring import Peer, Run, Token
from weaveipam.errors import OtherReleaseError, PeerError, StorageError
from weaveipam.protocol import codec, decisions, farewells, fields, messages, records, rollcalls
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX, STREAM_BYTES_MAX
from weaveipam.protocol.messages import FreeHint, Header, Message, Need, Refused
from weaveipam.protocol.records import Record
from weaveipam.protocol.values import (
    ROUND_MAX,
    TTL_MAX_S,
    Allocation,
    Assigned,
    Attributes,
    Birth,
    BirthBallot,
    ContestStage,
    Endpoint,
    Loan,
    MemberState,
    Pool,
    PoolRange,
    Preallocation,
    RestingPart,
    RingId,
    RingPart,
)

T = TypeVar("T")


def some(one: st.SearchStrategy[T], least: int = 0) -> st.SearchStrategy[tuple[T, ...]]:
    """Tuples of up to three."""
    return st.lists(one, min_size=least, max_size=3).map(tuple)


LETTERS = st.characters(exclude_categories=["Cs"])
TEXT = st.text(LETTERS, max_size=12)
NAME = st.text(LETTERS, min_size=1, max_size=fields.NAME_BYTES_MAX // 4)
U64 = st.integers(0, fields.U64_MAX) | st.sampled_from([0, 127, 128, 1 << 32, fields.U64_MAX])
PEER = st.builds(Peer, NAME, U64)
ENDPOINT = st.builds(Endpoint, NAME, st.integers(1, 65535))
TOKEN = st.builds(Token, U64, U64)
FAMILY = st.sampled_from(Family)
HEADER = st.builds(Header, st.binary(min_size=8, max_size=8), PEER, ENDPOINT, st.integers(1, 255))


def address(family: Family) -> st.SearchStrategy[int]:
    """Addresses of a family, those around 2^32, 2^64 and the ends among them."""
    edges = {0, 1 << 31, (1 << 64) - 1, 1 << 64, family.size - 1}
    return st.integers(0, family.size - 1) | st.sampled_from(sorted(x for x in edges if x < family.size))


def span(family: Family) -> st.SearchStrategy[Range]:
    """Ranges of a family, up to all of it."""
    return st.tuples(address(family), address(family)).map(lambda two: Range(min(two), max(two) + 1))


def run(family: Family) -> st.SearchStrategy[Run]:
    """Runs of a ring of a family."""
    return st.builds(
        lambda at, token, owner, author: Run(at.start, at.stop, token, owner, author),
        span(family),
        TOKEN,
        PEER,
        PEER,
    )


def runs(family: Family) -> st.SearchStrategy[tuple[Run, ...]]:
    """Some runs of a ring of a family: sorted, disjoint."""
    return some(run(family)).map(_disjoint)


def _disjoint(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    kept: list[Run] = []
    for one in sorted(runs):
        if not kept or kept[-1].stop <= one.start:
            kept.append(one)
    return tuple(kept)


def ring(family: Family) -> st.SearchStrategy[RingId]:
    """Rings of a family."""
    return st.builds(RingId, TEXT, st.just(family))


def assigned(family: Family) -> st.SearchStrategy[Assigned]:
    """Assigned addresses of a family."""
    length, gateway = st.integers(0, family.bits), st.none() | address(family)
    return st.builds(Assigned, TEXT, st.just(family), span(family), length, gateway)


def pool_range(family: Family) -> st.SearchStrategy[PoolRange]:
    """Ranges of a pool in a family."""
    length, gateway = st.integers(0, family.bits), st.none() | address(family)
    return st.builds(PoolRange, st.just(family), span(family), length, gateway, some(span(family)))


HINT = st.builds(FreeHint, TEXT, FAMILY, st.integers(0, 129))
POOL = st.builds(Pool, TEXT, TEXT, some(FAMILY.flatmap(pool_range)))
BIRTH_BALLOT = st.builds(BirthBallot, st.integers(1, ROUND_MAX), PEER)
BIRTH = st.builds(Birth, st.binary(min_size=16, max_size=16), some(PEER), some(POOL))
ACCEPTED = st.tuples(BIRTH_BALLOT, BIRTH) | st.just((None, None))
RUMOUR = st.builds(messages.Rumour, PEER, ENDPOINT, st.sampled_from(MemberState), U64, TEXT)
OWNERSHIP = FAMILY.flatmap(lambda f: st.builds(messages.Ownership, ring(f), runs(f)))
OUTLINE = st.lists(
    st.tuples(st.integers(1, 1 << 128), st.binary(min_size=6, max_size=6)), min_size=1
).flatmap(
    lambda parts: st.builds(
        messages.Outline,
        st.none() | FAMILY.flatmap(ring),
        st.integers(0, 1 << 128),
        st.just(tuple(length for length, _ in parts)),
        st.just(b"".join(one for _, one in parts)),
    )
)
ALLOCATION = st.builds(
    Allocation,
    TEXT,
    TEXT,
    some(FAMILY.flatmap(assigned)),
    st.booleans(),
    some(st.tuples(TEXT, TEXT)),
    st.none() | st.integers(1, TTL_MAX_S),
)
SPACE_REQUEST = FAMILY.flatmap(
    lambda f: st.builds(
        messages.SpaceRequest,
        U64,
        TEXT,
        ring(f),
        some(span(f)),
        st.integers(0, f.bits).map(lambda bit: 1 << bit),
        st.sampled_from(Need),
    )
)
BALLOT = st.builds(decisions.Ballot, U64, U64, PEER)
STATEMENTS = FAMILY.flatmap(lambda f: st.builds(decisions.Statements, ring(f), runs(f)))
SPAN = FAMILY.flatmap(lambda f: st.builds(decisions.Span, ring(f), some(span(f))))
DECREE = st.builds(
    decisions.Decree,
    *(some(PEER), some(STATEMENTS), some(PEER), some(POOL), some(TEXT), some(TEXT), some(TEXT)),
)
VOTE = st.builds(decisions.Vote, BALLOT, DECREE)
REMOVAL = st.builds(decisions.Removal, U64, PEER)
CHARTER = st.builds(decisions.Charter, U64, some(PEER), some(POOL), some(REMOVAL), some(TEXT))
USE = FAMILY.flatmap(lambda f: st.builds(rollcalls.Use, TEXT, ring(f), span(f)))

LOAN = FAMILY.flatmap(lambda f: st.builds(Loan, ring(f), span(f), TEXT))
LENT = st.builds(records.Lent, LOAN, PEER)

LUGGAGE = (
    some(FAMILY.flatmap(lambda f: st.builds(RingPart, ring(f), runs(f)))),
    some(ALLOCATION),
    some(FAMILY.flatmap(lambda f: st.builds(RestingPart, ring(f), span(f)))),
    some(LENT),
)
MESSAGES: dict[type, st.SearchStrategy[Message]] = {
    messages.Ping: st.builds(messages.Ping, U64, PEER, U64, some(HINT), st.booleans()),
    messages.Ack: st.builds(messages.Ack, U64, st.none() | PEER, U64, some(HINT)),
    messages.PingRequest: st.builds(messages.PingRequest, U64, PEER, ENDPOINT),
    messages.Nack: st.builds(messages.Nack, U64),
    messages.Rumour: RUMOUR,
    messages.Ownership: OWNERSHIP,
    messages.Outline: OUTLINE,
    messages.RingShare: FAMILY.flatmap(
        lambda f: st.builds(
            lambda part, asks, name, said: messages.RingShare(part.start, part.stop, asks, name, said),
            span(f),
            st.booleans(),
            ring(f),
            runs(f),
        )
    ),
    messages.MemberShare: st.builds(
        messages.MemberShare, st.integers(0, 9), st.integers(10, 1 << 64 - 1), st.booleans(), some(RUMOUR)
    ),
    messages.Sync: st.builds(messages.Sync, U64, some(OUTLINE), U64, st.booleans()),
    messages.Synced: st.builds(messages.Synced, U64),
    messages.Elsewhere: st.builds(messages.Elsewhere, U64, PEER, ENDPOINT, st.booleans(), st.booleans()),
    messages.Call: st.builds(messages.Call, U64),
    messages.Here: st.builds(messages.Here, U64, U64, st.booleans()),
    messages.Mark: st.builds(messages.Mark, U64),
    messages.Marked: st.builds(messages.Marked, PEER, U64),
    messages.SpaceRequest: SPACE_REQUEST,
    messages.Grant: FAMILY.flatmap(lambda f: st.builds(messages.Grant, U64, U64, ring(f), runs(f), *LUGGAGE)),
    messages.GrantAck: st.builds(messages.GrantAck, U64),
    messages.SpaceRefusal: st.builds(messages.SpaceRefusal, U64, st.sampled_from(Refused)),
    farewells.Farewell: st.builds(farewells.Farewell, U64),
    farewells.FarewellHeard: st.builds(farewells.FarewellHeard, U64, st.booleans()),
    farewells.Staying: st.builds(farewells.Staying, U64),
    messages.Adopt: st.builds(messages.Adopt, some(LOAN)),
    messages.Adopted: st.builds(
        messages.Adopted, some(LOAN), some(st.builds(messages.Twice, LOAN, TEXT, PEER))
    ),
    messages.LoanQuery: st.builds(messages.LoanQuery, U64, some(LOAN)),
    messages.Returned: st.builds(messages.Returned, U64, some(LOAN)),
    messages.Contest: FAMILY.flatmap(
        lambda f: st.builds(
            messages.Contest,
            ring(f),
            span(f),
            st.sampled_from(ContestStage),
            st.booleans(),
            runs(f),
            some(LENT),
        )
    ),
    messages.PieceSurvey: FAMILY.flatmap(
        lambda f: st.builds(
            messages.PieceSurvey,
            U64,
            TEXT,
            ring(f),
            some(span(f)).map(lambda one: one[: messages.PIECES_MAX]),
        )
    ),
    messages.PieceFindings: FAMILY.flatmap(
        lambda f: st.builds(
            messages.PieceFindings, U64, some(span(f)).map(lambda one: one[: messages.PIECES_MAX])
        )
    ),
    messages.PieceRequest: FAMILY.flatmap(
        lambda f: st.builds(messages.PieceRequest, U64, TEXT, ring(f), span(f))
    ),
    messages.BirthPrepare: st.builds(messages.BirthPrepare, BIRTH_BALLOT, U64),
    messages.BirthPromise: ACCEPTED.flatmap(
        lambda one: st.builds(messages.BirthPromise, BIRTH_BALLOT, BIRTH_BALLOT, *map(st.just, one))
    ),
    messages.BirthAccept: st.builds(messages.BirthAccept, BIRTH_BALLOT, U64, BIRTH),
    messages.BirthAccepted: st.builds(messages.BirthAccepted, BIRTH_BALLOT, BIRTH_BALLOT),
    messages.Inquiry: st.builds(messages.Inquiry, some(TEXT), U64),
    messages.Standing: st.builds(
        messages.Standing, PEER, st.none() | BIRTH, some(TEXT), st.none() | PEER, U64, st.booleans()
    ),
    rollcalls.Enrol: st.builds(rollcalls.Enrol, U64),
    rollcalls.Enrolled: st.builds(rollcalls.Enrolled, U64),
    rollcalls.Postponed: st.builds(rollcalls.Postponed, U64, some(PEER)),
    rollcalls.Prepare: st.builds(
        rollcalls.Prepare, U64, BALLOT, some(PEER), U64, some(SPAN), U64, some(PEER), some(SPAN)
    ),
    rollcalls.Promise: st.builds(
        rollcalls.Promise,
        U64,
        BALLOT,
        U64,
        st.booleans(),
        some(STATEMENTS),
        st.none() | VOTE,
        some(PEER),
        some(USE),
    ),
    rollcalls.Declined: st.builds(
        rollcalls.Declined, U64, BALLOT, st.sampled_from(rollcalls.Objection), st.none() | BALLOT, some(PEER)
    ),
    rollcalls.Accept: st.builds(rollcalls.Accept, U64, BALLOT, DECREE, some(PEER)),
    rollcalls.Accepted: st.builds(rollcalls.Accepted, U64, BALLOT),
    rollcalls.Decided: st.builds(rollcalls.Decided, U64),
    rollcalls.CharterShare: st.builds(rollcalls.CharterShare, CHARTER),
    rollcalls.Closure: st.builds(rollcalls.Closure, some(PEER)),
}
RECORDS: dict[type, st.SearchStrategy[Record]] = {
    records.Identity: st.builds(records.Identity, PEER),
    records.Born: st.builds(records.Born, BIRTH),
    records.BirthVote: ACCEPTED.flatmap(
        lambda one: st.builds(records.BirthVote, BIRTH_BALLOT, *map(st.just, one))
    ),
    records.Acquaintance: st.builds(records.Acquaintance, PEER, ENDPOINT),
    records.Owned: FAMILY.flatmap(lambda f: st.builds(records.Owned, ring(f), run(f))),
    records.Leased: st.builds(records.Leased, ALLOCATION),
    records.Resting: FAMILY.flatmap(lambda f: st.builds(records.Resting, ring(f), span(f))),
    records.Noted: st.builds(records.Noted, PEER, U64),
    records.Frozen: FAMILY.flatmap(
        lambda f: st.builds(
            records.Frozen,
            ring(f),
            span(f),
            st.none() | run(f),
            st.none() | run(f),
            st.sampled_from(ContestStage),
        )
    ),
    records.Lent: LENT,
    records.Outgoing: FAMILY.flatmap(
        lambda f: st.builds(records.Outgoing, U64, PEER, ring(f), runs(f), *LUGGAGE, st.booleans())
    ),
    records.Chartered: st.builds(records.Chartered, CHARTER),
    records.Admitted: st.builds(records.Admitted, U64),
    records.OnRoster: st.builds(records.OnRoster, PEER),
    records.Promised: st.builds(records.Promised, st.none() | BALLOT, some(PEER), st.booleans()),
    records.Voted: st.builds(records.Voted, VOTE),
    records.Leaving: st.builds(records.Leaving, U64),
    records.Left: st.builds(records.Left, PEER),
    records.Departing: st.builds(records.Departing, PEER, U64),
}
ANY_MESSAGE = st.one_of(*MESSAGES.values())
ANY_RECORD = st.one_of(*RECORDS.values())

ME = Peer("node-1", 1 << 60)
HERE = Header(bytes(8), ME, Endpoint("192.0.2.1", 6784))
PING = messages.Ping(7, Peer("node-2", 3), 11)
RING = RingId("default", Family.V4)
RUN = Run(10, 20, Token(0, 1), ME, ME)
RAW_HEADER = [bytes(8), ["node-1", 1 << 60], ["192.0.2.1", 6784]]
RAW_PING = [1, 7, ["node-2", 3], 11, [], False]


def packet(*raw: object, version: int = codec.WIRE_VERSION) -> bytes:
    """A packet of anything, as a daemon with other classes would make it."""
    return framed(msgpack.packb(raw), version)


def framed(body: bytes, version: int = codec.WIRE_VERSION) -> bytes:
    """A packet whose checksum is right, whatever is in it."""
    return bytes((version,)) + crc32(body).to_bytes(4, "big") + body


def record(body: bytes) -> bytes:
    """A stored record with a right digest over anything."""
    return bytes((codec.RECORD_VERSION,)) + codec._record_digest(body) + body


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Valid bytes after a few bits flipped, a piece cut out, or a few bytes put in."""
    content = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["flip", "cut", "end", "put"])):
            case "flip" if content:
                content[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del content[at : at + draw(st.integers(1, 8))]
            case "end":
                del content[at:]
            case _:
                content[at:at] = draw(st.binary(min_size=1, max_size=8))
    return bytes(content)


PACKETS = st.builds(codec.encode_packet, HEADER, some(ANY_MESSAGE))


class TestPackets:
    """Packets of well-behaved daemons."""

    def test_every_message_has_a_strategy(self) -> None:
        """These tests try every class of message and of record there is."""
        assert set(codec._MESSAGES.values()) == set(MESSAGES)
        assert set(codec._RECORDS.values()) == set(RECORDS)

    @pytest.mark.slow
    @given(HEADER, some(ANY_MESSAGE))
    def test_round_trip(self, header: Header, said: tuple[Message, ...]) -> None:
        """A packet says what was put into it."""
        assert (header, said) == codec.decode_packet(codec.encode_packet(header, said))

    @pytest.mark.slow
    @given(HEADER, ANY_MESSAGE, st.sampled_from([0, 1, 13, 14, 15, 16, 30]))
    def test_size_is_exact(self, header: Header, message: Message, others: int) -> None:
        """A message adds the bytes foretold, however many are in the packet already."""
        before = codec.encode_packet(header, [PING] * others)
        after = codec.encode_packet(header, [*[PING] * others, message])

        assert codec.encoded_size(message) == len(after) - len(before)

    def test_equal_values_are_one_object(self) -> None:
        """The same run and member in two packets, in messages of two kinds, become the same objects."""
        here = messages.Rumour(ME, HERE.endpoint, MemberState.ALIVE, 0)
        said = (messages.Ownership(RING, (RUN,)), here)
        shares = (messages.RingShare(0, 99, True, RING, (RUN,)), messages.MemberShare(0, 9, True, (here,)))
        alone = codec.decode_packet(codec.encode_packet(HERE, said))[1]
        together = codec.decode_packet(codec.encode_packet(HERE, shares))[1]

        assert isinstance(alone[0], messages.Ownership)
        assert isinstance(together[0], messages.RingShare)
        assert isinstance(together[1], messages.MemberShare)
        assert alone[0].runs[0] is together[0].runs[0]
        assert alone[1] is together[1].rumours[0]

    @given(HEADER)
    def test_header_is_bounded(self, header: Header) -> None:
        """No header takes more than its bound, which leaves most of a datagram to messages."""
        assert len(codec.encode_packet(header, ())) <= codec.HEADER_BYTES_MAX < DATAGRAM_BYTES_MAX // 2

    def test_bytes_are_stable(self) -> None:
        """The bytes of version 1 are these, so that daemons of different builds understand each other."""
        expected = (
            "01e2da95be"  # version, checksum,
            "dc0002"  # an array of two
            "94c4080000000000000000"  # the header: the cluster id,
            "92a66e6f64652d31cf1000000000000000"  # the sender,
            "92a93139322e302e322e31cd1a80"  # its endpoint,
            "01"  # and the version that it speaks
            "960107"  # a ping, its number,
            "92a66e6f64652d32030b90c2"  # target, fingerprint, hints, and that it is a datagram
        )

        assert expected == codec.encode_packet(HERE, [PING]).hex()

    def test_wide_addresses(self) -> None:
        """The last IPv6 address and the stop behind it travel as bytes and come back as integers."""
        wide = messages.Ownership(
            RingId("default", Family.V6), (RUN._replace(start=(1 << 128) - 1, stop=1 << 128),)
        )

        assert (wide,) == codec.decode_packet(codec.encode_packet(HERE, [wide]))[1]


class TestNewerDaemons:
    """Packets of daemons that know more."""

    def test_unknown_message_is_skipped(self) -> None:
        """A message with a tag of the future is left out and the others are heard."""
        assert (HERE, (PING,)) == codec.decode_packet(packet(RAW_HEADER, [99, "new", [[None]]], RAW_PING))

    def test_appended_fields_are_ignored(self) -> None:
        """Fields appended to a header, a peer and a message change nothing."""
        header = [bytes(8), ["node-1", 1 << 60, True], ["192.0.2.1", 6784, 1], 1, "more"]

        assert (HERE, (PING,)) == codec.decode_packet(packet(header, [*RAW_PING, None, [1, 2]]))

    def test_missing_fields_have_defaults(self) -> None:
        """Trailing fields that an older daemon does not send have their defaults."""
        assert (HERE, (PING,)) == codec.decode_packet(packet(RAW_HEADER, RAW_PING[:-2]))

    def test_missing_field_without_default(self) -> None:
        """A message that lacks a field it always had is malformed."""
        with pytest.raises(PeerError, match="Ping is not an array of at least 3"):
            codec.decode_packet(packet(RAW_HEADER, RAW_PING[:-3]))

    @pytest.mark.parametrize("version", [0, 2, 7, 0x91, 255])
    def test_other_version(self, version: int) -> None:
        """A packet of another version is refused by naming both."""
        with pytest.raises(PeerError, match=f"^wire version {version}; this daemon speaks 1$"):
            codec.decode_packet(packet(RAW_HEADER, version=version))


def nested(depth: int, head: bytes = b"\x91") -> bytes:
    """Arrays in arrays."""
    return head * depth + b"\xc0"


RAW_PEERS = [["a", 1]]
RAW_RUNS = [RAW_PEERS, [10, 10, 0, 1, 0, 0]]
RAW_RING = ["default", 4]
WIDE = (1 << 64).to_bytes(9, "big")

HOSTILE = {
    "nothing": b"",
    "version only": b"\x01",
    "no array": framed(msgpack.packb(5)),
    "empty array": packet(),
    "trailing bytes": framed(msgpack.packb([RAW_HEADER]) + b"\x00"),
    "other checksum": packet(RAW_HEADER)[:-1] + b"\x00",
    "no header": packet(5),
    "message is no array": packet(RAW_HEADER, 5),
    "message is empty": packet(RAW_HEADER, []),
    "tag is text": packet(RAW_HEADER, ["Ping"]),
    "tag is a boolean": packet(RAW_HEADER, [True, *RAW_PING[1:]]),
    "nested 100,000 deep": framed(nested(100_000)),
    "nested in an unknown message": framed(b"\x92" + msgpack.packb(RAW_HEADER) + b"\x92\x63" + nested(5000)),
    "array of 4 billion": framed(b"\xdd\xff\xff\xff\xff"),
    "arrays of a million in each other": framed(nested(300, b"\xdd\x00\x0f\xff\xff")),
    "map of 4 billion": framed(b"\xdf\xff\xff\xff\xff"),
    "text of 4 GiB": framed(b"\x91\xdb\xff\xff\xff\xff"),
    "bytes of 4 GiB": framed(b"\x91\xc6\xff\xff\xff\xff"),
    "extension of 4 GiB": framed(b"\x91\xc9\xff\xff\xff\xff\x01"),
    "timestamp": packet(RAW_HEADER, [99, msgpack.Timestamp(1, 2)]),
    "extension": packet(RAW_HEADER, [99, msgpack.ExtType(3, b"x")]),
    "map": packet(RAW_HEADER, [99, {1: 2}]),
    "reserved byte": framed(b"\x91\xc1"),
    "text that is not UTF-8": framed(b"\x91\xa2\xff\xfe"),
    "surrogate": framed(b"\x91\xa3\xed\xa0\x80"),
    "float for an integer": packet(RAW_HEADER, [9, 1.0]),
    "boolean for an integer": packet(RAW_HEADER, [9, True]),
    "negative": packet(RAW_HEADER, [9, -1]),
    "None": packet(RAW_HEADER, [9, None]),
    "wide for 64 bits": packet(RAW_HEADER, [9, WIDE]),
    "outline without parts": packet(RAW_HEADER, [14, None, 0, [], b""]),
    "outline with a part unsaid": packet(RAW_HEADER, [14, None, 0, [1, 1], bytes(6)]),
    "empty share": packet(RAW_HEADER, [15, 5, 5, True, RAW_RING, RAW_RUNS]),
    "integer for a boolean": packet(RAW_HEADER, [16, 0, 1, 1, []]),
    "cluster id of 7 bytes": packet([bytes(7), *RAW_HEADER[1:]]),
    "nameless": packet([bytes(8), ["", 1], ["h", 1]]),
    "name too long": packet([bytes(8), ["n" * 254, 1], ["h", 1]]),
    "name too long in bytes": packet([bytes(8), ["\u00fc" * 127, 1], ["h", 1]]),
    "port 0": packet([bytes(8), ["n", 1], ["h", 0]]),
    "port 65536": packet([bytes(8), ["n", 1], ["h", 65536]]),
    "no such state": packet(RAW_HEADER, [4, ["n", 1], ["h", 1], 4, 0]),
    "state is an array": packet(RAW_HEADER, [4, ["n", 1], ["h", 1], [], 0]),
    "no such family": packet(RAW_HEADER, [5, ["default", 5], [[], []]]),
    "empty run": packet(RAW_HEADER, [5, RAW_RING, [RAW_PEERS, [10, 0, 0, 0, 0, 0]]]),
    "reversed run": packet(RAW_HEADER, [5, RAW_RING, [RAW_PEERS, [11, -1, 0, 0, 0, 0]]]),
    "part of a run": packet(RAW_HEADER, [5, RAW_RING, [RAW_PEERS, [10, 1, 0, 0, 0]]]),
    "owner that is not named": packet(RAW_HEADER, [5, RAW_RING, [RAW_PEERS, [10, 1, 0, 0, 1, 0]]]),
    "author that is not named": packet(RAW_HEADER, [5, RAW_RING, [RAW_PEERS, [10, 1, 0, 0, 0, 1]]]),
    "run beyond IPv4": packet(RAW_HEADER, [5, RAW_RING, [RAW_PEERS, [10, 1 << 32, 0, 0, 0, 0]]]),
    "run beyond IPv6": packet(
        RAW_HEADER, [5, ["default", 6], [RAW_PEERS, [10, (1 << 128).to_bytes(17, "big"), 0, 0, 0, 0]]]
    ),
    "wide with leading zeros": packet(
        RAW_HEADER, [5, ["default", 6], [RAW_PEERS, [10, b"\x00" + WIDE, 0, 0, 0, 0]]]
    ),
    "narrow as wide": packet(RAW_HEADER, [5, ["default", 6], [RAW_PEERS, [10, b"\x20", 0, 0, 0, 0]]]),
    "negative epoch": packet(RAW_HEADER, [5, RAW_RING, [RAW_PEERS, [10, 10, 0, -1, 0, 0]]]),
    "empty range": packet(RAW_HEADER, [7, 1, "p", RAW_RING, [[5, 5]], 1, 0]),
    "size is no power of two": packet(RAW_HEADER, [7, 1, "p", RAW_RING, [], 3, 0]),
    "size 0": packet(RAW_HEADER, [7, 1, "p", RAW_RING, [], 0, 0]),
    "text too long": packet(RAW_HEADER, [7, 1, "p" * 4097, RAW_RING, [], 1, 0]),
    "too many entries": packet(RAW_HEADER, [11, [""] * (fields.ENTRIES_MAX + 1)]),
    "text for an array": packet(RAW_HEADER, [11, "abc"]),
}


class Inside(NamedTuple):
    """A value that has grown with version 3."""

    name: str
    more: int = 5


@dataclass(frozen=True, slots=True)
class Grown:
    """A message that has grown with version 2, and what is in it with version 3."""

    one: Inside
    many: tuple[Inside, ...]
    perhaps: Inside | None = None
    late: int = 7


@dataclass(frozen=True, slots=True)
class Fresh:
    """A message of version 3."""

    number: int


TABLES = {1: messages.Ping, 4: messages.Rumour, 100: Grown, 101: Fresh}
GROWTH = {"Inside.more": 3, "Grown.perhaps": 2, "Grown.late": 2, "Fresh": 3, "Header.speaks": 2}
WIRES = {version: codec.Wire(codec.Schema(version, TABLES, GROWTH)) for version in (1, 2, 3, 4)}
"""Releases that follow each other; the tables of all are the same, but nobody speaks what is to come."""
FULL: Any = Grown(Inside("a", 1), (Inside("b", 2), Inside("c")), Inside("d", 4), 8)
FRESH: Any = Fresh(1)


class TestVersions:
    """What releases that follow each other say to each other."""

    @pytest.mark.parametrize(
        ("version", "expected"),
        [
            (1, [100, ["a"], [["b"], ["c"]]]),
            (2, [100, ["a"], [["b"], ["c"]], ["d"], 8]),
            (3, [100, ["a", 1], [["b", 2], ["c", 5]], ["d", 4], 8]),
        ],
    )
    def test_what_a_version_lacks_is_left_out(self, version: int, expected: list[object]) -> None:
        """A message has exactly the fields of its version, at every depth."""
        assert expected == msgpack.unpackb(WIRES[version].own.encode_message(FULL))
        assert expected == msgpack.unpackb(WIRES[version + 1].common.encode_message(FULL))

    def test_the_version_before_is_common(self) -> None:
        """What a release says in the version before is, byte for byte, what the release before would say."""
        for version in (2, 3, 4):
            newer, older = WIRES[version].common, WIRES[version - 1].own

            assert older.encode_packet(HERE, [FULL, PING]) == newer.encode_packet(HERE, [FULL, PING])

    def test_a_message_that_a_version_lacks(self) -> None:
        """A message that is not of a version has no bytes in it, and is left out of its packets."""
        wire = WIRES[3]

        assert wire.common.encode_message(FRESH) == b""
        assert wire.common.encoded_size(FRESH) == 0
        assert (HERE, (PING,)) == wire.decode_packet(wire.common.encode_packet(HERE, [FRESH, PING]))
        assert (HERE, (FRESH, PING)) == wire.decode_packet(wire.own.encode_packet(HERE, [FRESH, PING]))

    def test_fields_that_a_version_lacks_have_defaults(self) -> None:
        """What the version before lacks has its default, whatever follows in the bytes."""
        told: Any = WIRES[3].decode_packet(WIRES[2].own.encode_packet(HERE, [FULL]))[1]
        later = packet(RAW_HEADER, [100, ["a", 1], [["b", 2]], ["d", 4], 8], version=2)

        assert (Grown(Inside("a"), (Inside("b"), Inside("c")), Inside("d"), 8),) == told
        told = WIRES[3].decode_packet(later)[1]
        assert (Grown(Inside("a"), (Inside("b"),), Inside("d"), 8),) == told

    def test_one_value_in_two_versions(self) -> None:
        """What is remembered of one version's bytes is not taken for what another one says."""
        rumour = messages.Rumour(ME, HERE.endpoint, MemberState.ALIVE, 9)
        wire = codec.Wire(codec.Schema(2, {4: messages.Rumour}, {"Rumour": 2}))
        raw = [4, ["node-1", 1 << 60], ["192.0.2.1", 6784], 0, 9, ""]
        for _ in range(2):
            assert raw == msgpack.unpackb(wire.own.encode_message(rumour))
            assert wire.common.encode_message(rumour) == b""
            assert (HERE, (rumour,)) == wire.decode_packet(packet(RAW_HEADER, raw, version=2))
            assert (HERE, ()) == wire.decode_packet(packet(RAW_HEADER, raw, version=1))

    @pytest.mark.parametrize(("ours", "theirs"), [(1, 2), (1, 3), (2, 3), (3, 1), (4, 1), (4, 2)])
    def test_versions_apart(self, ours: int, theirs: int) -> None:
        """A packet of neither version is refused, and says nevertheless who has sent it."""
        header = Header(bytes(8), ME, HERE.endpoint, theirs)
        sent = WIRES[theirs].own.encode_packet(header, [FULL])
        with pytest.raises(
            codec.VersionError, match=f"^wire version {theirs}; this daemon speaks"
        ) as refused:
            WIRES[ours].decode_packet(sent)

        assert (ME, HERE.endpoint) == (refused.value.header.sender, refused.value.header.endpoint)

    def test_versions_apart_and_no_header(self) -> None:
        """A packet of neither version that does not even say who sent it is merely a bad one."""
        for bad in (packet(5, version=9), packet(version=9), framed(b"\xc1", version=9)):
            with pytest.raises(PeerError) as refused:
                codec.decode_packet(bad)

            assert not isinstance(refused.value, codec.VersionError)

    def test_what_is_new_stands_last(self) -> None:
        """Tables that would leave out what is not at the end, or always was there, are refused."""
        for since in ({"Grown.perhaps": 2}, {"Grown.many": 2, "Grown.perhaps": 2, "Grown.late": 2}):
            with pytest.raises(AssertionError, match="what is new stands last"):
                codec.Wire(codec.Schema(2, {100: Grown}, since))

    def test_tables_name_what_is_there(self) -> None:
        """Whatever the product's table of versions names is there, and is of a version up to its own."""
        classes = [Range, Run, Peer, Token, Endpoint, RingId, Header, Birth, Pool, PoolRange, FreeHint]
        classes += codec._MESSAGES.values()
        names = {one.__name__ for one in codec._MESSAGES.values()}
        names |= {f"{one.__name__}.{name}" for one in classes for name in get_type_hints(one)}

        assert set(codec.SINCE) <= names
        assert all(1 < version <= codec.WIRE_VERSION for version in codec.SINCE.values())


class TestHostilePackets:
    """Bytes that no daemon of ours would send."""

    @pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
    def test_refused(self, hostile: bytes) -> None:
        """A packet that breaks any one rule is refused with a short reason."""
        with pytest.raises(PeerError) as refused:
            codec.decode_packet(hostile)

        assert 0 < len(str(refused.value)) < 200

    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            ([4, ["n", 1], ["h", 1], 0, 1], [4, ["n", 1], ["h", 1], 0, True]),
            ([4, ["n", 1], ["h", 1], 0, 0], [4, ["n", True], ["h", 1], 0, 0]),
            ([4, ["n", 1], ["h", 1], 0, 0], [4, ["n", 1], ["h", 1.0], 0, 0]),
            ([5, RAW_RING, RAW_RUNS], [5, RAW_RING, [RAW_PEERS, [10, 10, False, True, 0, 0]]]),
            (
                [16, 0, 1, True, [[["n", 1], ["h", 1], 0, 1]]],
                [16, 0, 1, True, [[["n", 1], ["h", 1], 0, True]]],
            ),
        ],
    )
    def test_refused_though_its_like_was_accepted(self, right: list[object], wrong: list[object]) -> None:
        """What has been decoded before makes nothing acceptable that only compares equal to it."""
        codec.decode_packet(packet(RAW_HEADER, right))

        with pytest.raises(PeerError):
            codec.decode_packet(packet(RAW_HEADER, wrong))

    def test_too_long_for_a_stream(self) -> None:
        """A packet above the limit of streams is refused before it is looked into."""
        with pytest.raises(PeerError, match=f"^packet of {STREAM_BYTES_MAX + 1} bytes$"):
            codec.decode_packet(bytes(STREAM_BYTES_MAX + 1))

    @given(st.binary(max_size=200))
    def test_random_bytes(self, content: bytes) -> None:
        """Random bytes, with and without the right version, raise nothing but a peer's error."""
        for attempt in (content, bytes((codec.WIRE_VERSION,)) + content, framed(content)):
            with pytest.raises(PeerError):
                codec.decode_packet(attempt)

    @pytest.mark.slow
    @given(damaged(PACKETS))
    def test_damaged_packets(self, content: bytes) -> None:
        """A damaged packet, its checksum made right, is refused or says something that can be said again."""
        try:
            header, said = codec.decode_packet(framed(content[1 + codec.CHECKSUM_BYTES :]))
        except PeerError:
            return

        assert (header, said) == codec.decode_packet(codec.encode_packet(header, said))

    @pytest.mark.slow
    @given(PACKETS, st.data())
    def test_flipped_packets(self, whole: bytes, data: st.DataObject) -> None:
        """A packet in which any one bit has changed is refused."""
        content = bytearray(whole)
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        with pytest.raises(PeerError):
            codec.decode_packet(bytes(content))

    @pytest.mark.slow
    @given(PACKETS, st.data())
    def test_truncated_packets(self, whole: bytes, data: st.DataObject) -> None:
        """A packet without its end is refused."""
        with pytest.raises(PeerError):
            codec.decode_packet(whole[: data.draw(st.integers(0, len(whole) - 1))])


WRONG_VALUES: Iterable[tuple[str, Message]] = [
    ("an integer", messages.GrantAck(-1)),
    ("an integer", messages.GrantAck(1 << 64)),
    ("an integer", messages.GrantAck(True)),
    ("is something else", messages.PingRequest(1, ("n", 1), Endpoint("h", 1))),  # type: ignore[arg-type]
    ("a Refused", messages.SpaceRefusal(1, 1)),  # type: ignore[arg-type]
    ("an array", messages.Inquiry(["a"])),  # type: ignore[arg-type]
    ("text", messages.Inquiry(("n" * 4097,))),
    ("surrogates", messages.Inquiry(("\ud800",))),
    ("Ownership.runs: an empty run", messages.Ownership(RING, (RUN._replace(stop=RUN.start),))),
    ("Ownership.runs: a run beyond", messages.Ownership(RING, (RUN._replace(stop=(1 << 128) + 1),))),
    ("Ownership.runs has", messages.Ownership(RING, (RUN._replace(token=Token(0, 7.0)),))),  # type: ignore[arg-type]
    ("Ownership.runs: a token", messages.Ownership(RING, (RUN._replace(token=Token(0, 1 << 64)),))),
    ("Ownership.runs is not", messages.Ownership(RING, (RUN._replace(token=(0, 7)),))),  # type: ignore[arg-type]
    ("an integer", messages.Ownership(RING, (RUN._replace(owner=Peer("n", -1)),))),
    ("contradicts", messages.Ownership(RING, (RUN._replace(stop=(1 << 32) + 1),))),
]


class TestEncoding:
    """What the codec demands of its own daemon."""

    @pytest.mark.parametrize(("reason", "message"), WRONG_VALUES)
    def test_nothing_is_said_that_nobody_could_read(self, reason: str, message: Message) -> None:
        """A message beyond the limits is refused when it is encoded, by a sentence that names the field."""
        with pytest.raises(ValueError, match=reason):
            codec.encode_packet(HERE, [message])

    @pytest.mark.slow
    def test_too_many_messages(self) -> None:
        """A packet holds as many messages as its count can tell, and no more."""
        most = [messages.GrantAck(1)] * codec.MESSAGES_MAX

        assert tuple(most) == codec.decode_packet(codec.encode_packet(HERE, most))[1]
        with pytest.raises(ValueError, match="more than 65534 messages"):
            codec.encode_packet(HERE, [*most, messages.GrantAck(1)])


class TestRecords:
    """What a disk remembers."""

    @pytest.mark.slow
    @given(ANY_RECORD)
    def test_round_trip(self, one: Record) -> None:
        """A record comes back as it was."""
        assert one == codec.decode_record(codec.encode_record(one))

    @pytest.mark.slow
    @given(ANY_RECORD, st.data())
    def test_every_bit_counts(self, one: Record, data: st.DataObject) -> None:
        """A single flipped bit anywhere in a record is found."""
        content = bytearray(codec.encode_record(one))
        bit = data.draw(st.integers(0, 8 * len(content) - 1))
        content[bit // 8] ^= 1 << bit % 8

        with pytest.raises(StorageError):
            codec.decode_record(bytes(content))

    @pytest.mark.slow
    @given(st.binary(max_size=100) | damaged(ANY_RECORD.map(codec.encode_record)))
    def test_random_and_damaged_bytes(self, content: bytes) -> None:
        """Bytes that are no record raise nothing but a storage error."""
        try:
            one = codec.decode_record(content)
        except StorageError:
            return

        assert content == codec.encode_record(one)

    @pytest.mark.slow
    @given(st.binary(max_size=100) | damaged(ANY_RECORD.map(lambda one: codec.encode_record(one)[9:])))
    def test_digest_is_not_trusted(self, body: bytes) -> None:
        """A body that is no record raises nothing but a storage error, even if its digest is right."""
        try:
            one = codec.decode_record(record(body))
        except StorageError:
            return

        assert one == codec.decode_record(codec.encode_record(one))

    def test_unknown_kind(self) -> None:
        """A record of a kind that is not known is refused, for forgetting it could be unsafe."""
        with pytest.raises(OtherReleaseError, match="tag is not known"):
            codec.decode_record(record(msgpack.packb([99, 1])))

    def test_appended_fields_are_ignored(self) -> None:
        """A record with fields of a later release, also in what it holds, is read without them."""
        raw = [1, ["node-1", 1 << 60, "more"], None]

        assert records.Identity(ME) == codec.decode_record(record(msgpack.packb(raw)))

    def test_other_version(self) -> None:
        """A record of another version, as it was written, is not damaged, and refused by naming both."""
        body = msgpack.packb([1, ["node-1", 1 << 60]])
        with pytest.raises(OtherReleaseError, match="record version 2; this release reads 1"):
            codec.decode_record(b"\x02" + codec._record_digest(body, 2) + body)

    def test_damaged_version(self) -> None:
        """A record whose first byte was damaged is damaged, and not one of another version."""
        with pytest.raises(StorageError, match="digest") as refused:
            codec.decode_record(b"\x02" + codec.encode_record(records.Identity(ME))[1:])

        assert not isinstance(refused.value, OtherReleaseError)


class TestDigests:
    """Hashes that daemons compare with each other."""

    def test_cluster_id_is_stable(self) -> None:
        """The cluster id is the keyless hash of the birth's bytes, the same on every build."""
        birth = Birth(bytes(range(16)), (ME,), ())
        content = msgpack.packb([bytes(range(16)), [["node-1", 1 << 60]], []])

        assert blake2b(content, digest_size=8, person=b"birth").digest() == codec.cluster_id(birth)

    @pytest.mark.slow
    @settings(max_examples=25)
    @given(BIRTH, BIRTH)
    def test_cluster_ids_differ(self, one: Birth, other: Birth) -> None:
        """Two births have one cluster id only if they are equal."""
        assert (one == other) == (codec.cluster_id(one) == codec.cluster_id(other))

    @pytest.mark.parametrize("family", Family)
    def test_run_digest_depends_on_everything(self, family: Family) -> None:
        """Ring, every field of the run, and the key each change the digest, which has 64 bits."""
        ring_id, key = RingId("default", family), bytes(16)
        runs = [
            RUN,
            RUN._replace(start=11),
            RUN._replace(stop=family.size),
            RUN._replace(token=Token(1, 0)),
            RUN._replace(owner=Peer("node-1", 2)),
            RUN._replace(author=Peer("node-1", 2)),
        ]
        digests = [codec.run_digests(ring_id, key)(one) for one in runs]
        digests.append(codec.run_digests(RingId("other", family), key)(RUN))
        digests.append(codec.run_digests(ring_id, bytes(15) + b"\x01")(RUN))

        assert len(digests) == len(set(digests))
        assert all(0 <= one < 1 << 64 for one in digests)
        assert digests[0] == codec.run_digests(ring_id, key)(Run(10, 20, Token(0, 1), ME, ME))


def test_limits_name_fields_that_exist() -> None:
    """Every limit in the tables belongs to a field of a class, so that no limit is lost by a renaming."""
    classes = [Range, Run, Peer, Endpoint, RingId, Header, Birth, BirthBallot]
    classes += [Pool, PoolRange, Attributes, Preallocation, Assigned, FreeHint]
    classes += [*codec._MESSAGES.values(), *codec._RECORDS.values()]
    names = {f"{one.__name__}.{name}" for one in classes for name in get_type_hints(one)}

    assert {*fields._INTEGERS, *fields._TEXTS, *fields._BINARIES} <= names
