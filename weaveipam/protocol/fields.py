"""
Values to and from arrays of integers, text, bytes, booleans and None, by their type hints.

Every class is the array of its fields in the order of its definition.  How each field is written and checked
follows from its type hint and from the tables of limits below, and is worked out once for each class.
Does not know bytes, tags or versions; `codec` does, and names the fields that a version lacks.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import IntEnum
from functools import cache, lru_cache
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from ring.address import Family, Range
from ring.ring import Peer, Run, Token
from weaveipam.protocol import decisions, messages, records, rollcalls, runs, values

# Limits, all of them checked in both directions, so that nothing is sent or stored that cannot be read back.

NAME_BYTES_MAX = 253
"""UTF-8 bytes of a peer's name and of an endpoint's host: the longest DNS name (RFC 1035, section 2.3.4)."""

TEXT_BYTES_MAX = 4096
"""UTF-8 bytes of any other text: twice the longest key (512 characters of 4 bytes)."""

ENTRIES_MAX = 1 << 22
"""Entries of any tuple, integers of runs too: seven times the 100,000 runs that a ring is built for."""

U64_MAX = (1 << 64) - 1
"""The greatest integer that msgpack has room for, and of any field without limits of its own."""

_ADDRESS = (0, 1 << 128)
"""An address, or the stop of a range, of either family."""

_INTEGERS: Mapping[str, tuple[int, int]] = {
    "Range.start": _ADDRESS,
    "Range.stop": _ADDRESS,
    "Run.start": _ADDRESS,
    "Run.stop": _ADDRESS,
    "Outline.low": _ADDRESS,
    "Outline.lengths": (1, 1 << 128),
    "RingShare.low": _ADDRESS,
    "RingShare.high": _ADDRESS,
    "PoolRange.gateway": _ADDRESS,
    "Assigned.gateway": _ADDRESS,
    "Preallocation.address": _ADDRESS,
    "Attributes.vlan": (1, 4094),
    "Pool.limit": (1, 1 << 128),
    "Pool.node_limit": (1, 1 << 128),
    "SpaceRequest.size": (1, 1 << 128),
    "Endpoint.port": (1, 65535),
    "Header.speaks": (1, 255),
    "FreeHint.bucket": (0, 129),
    "BirthBallot.round": (1, values.ROUND_MAX),
    "PoolRange.prefix_length": (0, 128),
    "Assigned.prefix_length": (0, 128),
}
"""Least and greatest value of integers that are not just any of 64 bits."""

_TEXTS: Mapping[str, tuple[int, int]] = {
    "Peer.name": (1, NAME_BYTES_MAX),
    "Endpoint.host": (1, NAME_BYTES_MAX),
    "Rumour.accuser": (0, NAME_BYTES_MAX),
}
"""Least and greatest UTF-8 length of text that is not just anything up to `TEXT_BYTES_MAX`."""

PARTS_MAX = 1024
"""Of an outline: finer ones would be as long as what they save."""

_BINARIES: Mapping[str, tuple[int, int]] = {
    "Header.cluster_id": (8, 8),
    "Birth.nonce": (16, 16),
    "Outline.prints": (messages.PRINT_BYTES, messages.PRINT_BYTES * PARTS_MAX),
}
"""Least and greatest length of every bytes field."""


def _inside(family: Family, ranges: Iterable[Range | Run]) -> bool:
    """Whether all of the ranges are addresses of the family."""
    size = family.size
    return all(one.stop <= size for one in ranges)


def _on_link(family: Family, ranges: Sequence[Range], prefix_length: int, gateway: int | None) -> bool:
    """Whether ranges, prefix length and gateway are of the family."""
    return _inside(family, ranges) and prefix_length <= family.bits and (gateway or 0) < family.size


_RULES: Mapping[type, Callable[..., bool]] = {
    Range: lambda start, stop: start < stop,
    Run: lambda start, stop, *_: start < stop,
    values.PoolRange: lambda family, whole, length, gateway=None, excluded=(), reserved=(), _=0, beyond=(): (
        _on_link(family, (whole, *excluded, *reserved, *beyond), length, gateway)
    ),
    values.Assigned: lambda _pool, family, within, length, gateway, _told=None: _on_link(
        family, (within,), length, gateway
    ),
    values.Allocation: lambda _key, _network, _addresses, _durable, _labels=(), ttl_s=None, *_: (
        ttl_s is None or 1 <= ttl_s <= values.TTL_MAX_S
    ),
    values.Preallocation: lambda _name, family, address: address < family.size,
    values.Loan: lambda ring, what, _key: _inside(ring.family, (what,)),
    values.RingPart: lambda ring, said: _inside(ring.family, said),
    values.RestingPart: lambda ring, resting: _inside(ring.family, (resting,)),
    messages.Ownership: lambda ring, said: _inside(ring.family, said),
    messages.Outline: lambda _ring, _low, lengths, prints: len(prints) == messages.PRINT_BYTES * len(lengths),
    messages.RingShare: lambda low, high, _asks, ring, said: low < high and _inside(ring.family, said),
    messages.MemberShare: lambda low, high, *_: low < high,
    messages.Grant: lambda _grant, _request, ring, given, *_: _inside(ring.family, given),
    messages.Contest: lambda ring, what, _stage, _asks, said, _leases: _inside(ring.family, (what, *said)),
    messages.SpaceRequest: lambda _request, _pool, ring, within, size, _need: (
        _inside(ring.family, within) and size <= ring.family.size and size & (size - 1) == 0
    ),
    decisions.Statements: lambda ring, said: _inside(ring.family, said),
    decisions.Span: lambda ring, ranges: _inside(ring.family, ranges),
    rollcalls.Use: lambda _key, ring, used: _inside(ring.family, (used,)),
    messages.PieceSurvey: lambda _request, _pool, ring, pieces: (
        _inside(ring.family, pieces) and len(pieces) <= messages.PIECES_MAX
    ),
    messages.PieceFindings: lambda _request, free: len(free) <= messages.PIECES_MAX,
    messages.PieceRequest: lambda _request, _pool, ring, piece: _inside(ring.family, (piece,)),
    records.Owned: lambda ring, run: _inside(ring.family, (run,)),
    records.Resting: lambda ring, resting: _inside(ring.family, (resting,)),
    messages.BirthPromise: lambda _ballot, _promised, accepted, birth: (accepted is None) == (birth is None),
    records.BirthVote: lambda _promised, accepted, birth: (accepted is None) == (birth is None),
    records.Frozen: lambda ring, what, mine=None, theirs=None, _stage=0: _inside(
        ring.family, [one for one in (what, mine, theirs) if one is not None]
    ),
    records.Outgoing: lambda _grant, _heir, ring, given, *_: _inside(ring.family, given),
}
"""What the fields of a class, in their order, must satisfy together."""


_SHARED = frozenset((Peer, Token, Run, values.Endpoint, values.RingId, values.Attributes, messages.Rumour))
"""What is decoded again and again, and then kept: equal ones are one object, for memory and for speed."""

_FLAT = frozenset((Peer, Token, values.Endpoint, values.RingId))
"""Those without arrays in them: only there a look-up tells True from 1, as it sees the types of entries."""

_SHARED_MAX = 1 << 15
"""Values of one class that are remembered to be shared, those least recently decoded forgotten first."""


_ONLY_INTEGERS = frozenset((int,))
_ONLY_RUNS = frozenset((Run,))
_ONLY_TOKENS = frozenset((Token,))
_TOKEN_OF = operator.attrgetter("token")


class Codec(NamedTuple):
    """
    How values of one type become what msgpack writes, and back.

    Both directions check, and raise ValueError naming the field.  Their types cannot be said here: only the
    hint that the codec was built from knows them.
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _codec(hint: Any, where: str, lacking: frozenset[str]) -> Codec:
    """The codec of a type hint, for the field called `where`; as `codec_of`."""
    if hint is int:
        return _integer(*_INTEGERS.get(where, (0, U64_MAX)), where)
    if hint is str:
        return _text(*_TEXTS.get(where, (0, TEXT_BYTES_MAX)), where)
    if hint is bytes:
        return _binary(*_BINARIES[where], where)
    if hint is bool:
        return _boolean(where)
    arguments = get_args(hint)
    if get_origin(hint) in (UnionType, Union):
        assert len(arguments) == 2 and arguments[1] is type(None), f"{where}: only X | None is understood"  # noqa: PLR2004, PT018  # one claim
        return _optional(_codec(arguments[0], where, lacking))
    if get_origin(hint) is tuple:
        if arguments == (Run, Ellipsis):
            return _runs(where)
        if arguments[-1] is Ellipsis:
            return _tuple(_codec(arguments[0], where, lacking), where)
        return _array(tuple, [_codec(one, where, lacking) for one in arguments], len(arguments), where)
    if issubclass(hint, IntEnum):
        return _enumeration(hint, where)
    return codec_of(hint, lacking)


def _integer(least: int, greatest: int, where: str) -> Codec:
    """Integers; those that msgpack has no room for, from 2^64 on, as shortest big-endian bytes."""
    wrong = f"{where} is not an integer of {least} to {greatest}"

    def encode(value: Any) -> int | bytes:
        if type(value) is not int or not least <= value <= greatest:
            raise ValueError(wrong)
        return value if value <= U64_MAX else value.to_bytes((value.bit_length() + 7) // 8, "big")

    def decode(raw: Any) -> int:
        if type(raw) is int and least <= raw <= greatest:
            return raw
        if type(raw) is bytes and 8 < len(raw) <= 17 and raw[0]:  # noqa: PLR2004  # 2^64 has 9 bytes, 2^128 has 17
            value = int.from_bytes(raw, "big")
            if value <= greatest:
                return value
        raise ValueError(wrong)

    return Codec(encode, decode)


def _text(least: int, greatest: int, where: str) -> Codec:
    """Text whose UTF-8 form has `least` to `greatest` bytes."""
    wrong = f"{where} is not text of {least} to {greatest} bytes"

    def check(value: Any) -> str:
        if type(value) is not str or not least <= len(value) <= greatest:
            raise ValueError(wrong)
        if not value.isascii() and len(value.encode()) > greatest:
            raise ValueError(wrong)
        return value

    return Codec(check, check)


def _binary(least: int, greatest: int, where: str) -> Codec:
    """Bytes, of a length within these bounds."""
    wrong = f"{where} is not {least} to {greatest} bytes"

    def check(value: Any) -> bytes:
        if type(value) is not bytes or not least <= len(value) <= greatest:
            raise ValueError(wrong)
        return value

    return Codec(check, check)


def _boolean(where: str) -> Codec:
    """True and False, and nothing that merely acts like them."""

    def check(value: Any) -> bool:
        if value is not True and value is not False:
            raise ValueError(f"{where} is not a boolean")
        return value

    return Codec(check, check)


def _enumeration(members: type[IntEnum], where: str) -> Codec:
    """Members of an enumeration, as their values."""
    by_value = {member.value: member for member in members}

    def encode(value: Any) -> int:
        if type(value) is not members:
            raise ValueError(f"{where} is not a {members.__name__}")
        return int(value)

    def decode(raw: Any) -> IntEnum:
        if type(raw) is not int or raw not in by_value:
            raise ValueError(f"{where} is not a {members.__name__}")
        return by_value[raw]

    return Codec(encode, decode)


def _runs(where: str) -> Codec:
    """Sorted, disjoint runs, as `runs` writes them: peers, then integers."""
    peers, integer = _tuple(codec_of(Peer), where), _integer(*_ADDRESS, where)

    def encode(value: Any) -> list[Any]:
        if type(value) is not tuple or len(value) > ENTRIES_MAX // runs.INTEGERS:
            raise ValueError(f"{where} is not a tuple of a sendable length")
        if not _ONLY_RUNS.issuperset(map(type, value)) or not _ONLY_TOKENS.issuperset(
            map(type, map(_TOKEN_OF, value))
        ):
            raise ValueError(f"{where} is not runs")
        try:
            named, integers = runs.flattened(value)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if not _ONLY_INTEGERS.issuperset(map(type, integers)):
            raise ValueError(f"{where} has runs of something else than integers")
        wide = max(integers, default=0) > U64_MAX
        return [peers.encode(named), [integer.encode(one) for one in integers] if wide else integers]

    def decode(raw: Any) -> tuple[Run, ...]:
        if type(raw) is not tuple or len(raw) != 2 or type(raw[1]) is not tuple:  # noqa: PLR2004  # as encoded
            raise ValueError(f"{where} is not peers and integers")
        wide = not _ONLY_INTEGERS.issuperset(map(type, raw[1]))
        integers = [integer.decode(one) for one in raw[1]] if wide else raw[1]
        return runs.restored(peers.decode(raw[0]), integers)

    return Codec(encode, decode)


def _optional(of: Codec) -> Codec:
    """None as None; anything else as what it is."""
    encode, decode = of
    return Codec(
        lambda value: None if value is None else encode(value),
        lambda raw: None if raw is None else decode(raw),
    )


def _tuple(of: Codec, where: str) -> Codec:
    """Tuples of any length with entries of one type."""
    wrong = f"{where} is not an array of at most {ENTRIES_MAX}"

    def both(one: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
        def check(value: Any) -> tuple[Any, ...]:
            if type(value) is not tuple or len(value) > ENTRIES_MAX:
                raise ValueError(wrong)
            return tuple(map(one, value))

        return check

    return Codec(both(of.encode), both(of.decode))


@cache
def codec_of(of: type, lacking: frozenset[str] = frozenset()) -> Codec:
    """
    A dataclass or NamedTuple, as the array of its fields.

    Args:
        of: The class.
        lacking: Fields that are left out, here and in all classes below, as `Class.field`.  Those of a class
            are its last ones, and have defaults.
    """
    hints = get_type_hints(of)
    if is_dataclass(of):
        names = [field.name for field in fields(of)]
        required = sum(field.default is MISSING for field in fields(of))
    else:
        names = list(hints)
        required = len(names) - len(getattr(of, "_field_defaults", ()))
    kept = [name for name in names if f"{of.__name__}.{name}" not in lacking]
    assert required <= len(kept) and kept == names[: len(kept)], f"{of.__name__}: what is new stands last"  # noqa: PT018  # one claim
    names = kept
    parts = [_codec(hints[name], f"{of.__name__}.{name}", lacking) for name in names]
    codec = _array(of, parts, required, of.__name__, names)
    return _remembering(of, codec) if of in _SHARED else codec


def _array(of: type, parts: Sequence[Codec], required: int, where: str, names: Sequence[str] = ()) -> Codec:
    """
    Values built from one entry for each part.

    Entries beyond the parts are ignored; those beyond `required` may be missing and then have their defaults.
    """
    encoders = [part.encode for part in parts]
    decoders = [part.decode for part in parts]
    rule = _RULES.get(of)
    build = _builder(of)
    entries_of: Callable[[Any], tuple[Any, ...]]
    if issubclass(of, tuple) and len(getattr(of, "_fields", parts)) == len(parts):
        entries_of = lambda value: value  # noqa: E731  # as below
    elif len(names) == 1:
        entries_of = lambda value: (getattr(value, names[0]),)  # noqa: E731  # one of three ways, side by side
    else:
        entries_of = operator.attrgetter(*names)

    def encode(value: Any) -> list[Any]:
        if type(value) is not of:
            raise ValueError(f"{where} is something else")
        entries = entries_of(value)
        encoded = [one(entry) for one, entry in zip(encoders, entries, strict=True)]
        if rule is not None and not rule(*entries):
            raise ValueError(f"{where} contradicts itself")
        return encoded

    def decode(raw: Any) -> Any:
        if type(raw) is not tuple or len(raw) < required:
            raise ValueError(f"{where} is not an array of at least {required}")
        entries = [one(entry) for one, entry in zip(decoders, raw, strict=False)]
        if rule is not None and not rule(*entries):
            raise ValueError(f"{where} contradicts itself")
        return build(*entries)

    return Codec(encode, decode)


@cache
def _builder(of: type) -> Callable[..., Any]:
    """What makes a value of its entries, which are checked: those of equal value are of one type too."""
    if of is tuple:
        return lambda *entries: entries
    return lru_cache(_SHARED_MAX)(of) if of in _SHARED else of


def _remembering(of: type, codec: Codec) -> Codec:
    """The same, which looks up what it has encoded before, and of flat arrays what it has decoded."""
    encode = lru_cache(_SHARED_MAX, typed=True)(codec.encode)
    if of not in _FLAT:
        return Codec(encode, codec.decode)
    known = lru_cache(_SHARED_MAX, typed=True)(lambda *entries: codec.decode(entries))

    def decode(raw: Any) -> Any:
        if type(raw) is not tuple:
            raise ValueError(f"{of.__name__} is not an array")
        return known(*raw)

    return Codec(encode, decode)
