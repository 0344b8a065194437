"""
One value of Go's `encoding/gob`, decoded without knowing its type beforehand.

A stream is messages, each with its size: definitions of types, told by negative numbers, and then the value
with its type's number.  Integers are one byte below 128, else a negated count of bytes and those bytes, the
highest first.
Source: the documentation of Go's package encoding/gob.
Does not know what values mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from weaveipam.migration.entries import FormatError

Value: TypeAlias = Any
"""A bool, int, str, list, or dict: a structure by the names of its fields, or a map."""

DEPTH_MAX = 32
"""Of values within values."""

_BOOL, _INT, _UINT, _STRING = 1, 2, 3, 6
_WIRE_TYPE = 16  # how a type is described
_FIRST_DEFINED = 64  # the numbers below are Go's own
_ONE_BYTE_STOP = 0x80
_COUNT_BYTES_MAX = 8


class _Slice(NamedTuple):
    element: int


class _Map(NamedTuple):
    key: int
    element: int


class _Struct(NamedTuple):
    fields: tuple[tuple[str, int], ...]


_Type: TypeAlias = _Slice | _Map | _Struct

# How types are described, which is itself a value: the types that a stream never defines.
_KNOWN: Mapping[int, _Type] = {
    _WIRE_TYPE: _Struct((("array", 17), ("slice", 19), ("struct", 20), ("map", 23))),
    17: _Struct((("common", 18), ("element", _INT), ("length", _INT))),
    18: _Struct((("name", _STRING), ("id", _INT))),
    19: _Struct((("common", 18), ("element", _INT))),
    20: _Struct((("common", 18), ("fields", 22))),
    21: _Struct((("name", _STRING), ("id", _INT))),
    22: _Slice(21),
    23: _Struct((("common", 18), ("key", _INT), ("element", _INT))),
}


def decode(content: bytes) -> Value:
    """
    The first value of a stream.

    Fields that are zero are left out of a structure, as they were when it was written.

    Raises:
        FormatError: no such stream, one that is cut off, or a value of a kind that is not supported
            (bytes, arrays, floats, complex numbers, interfaces, and types that write themselves).
    """
    return _Stream(content).value()


@dataclass(slots=True)
class _Stream:
    content: bytes
    at: int = 0

    def value(self) -> Value:
        types = dict(_KNOWN)
        while True:
            size_bytes = self.unsigned()
            end = self.at + size_bytes
            if end > len(self.content):
                raise self.wrong("a message is longer than what there is")
            kind = self.signed()
            if kind >= 0:
                return self._top(kind, types)
            if -kind < _FIRST_DEFINED:
                raise self.wrong(f"type {-kind} is not for a stream to define")
            types[-kind] = _type(self._of(_WIRE_TYPE, types, 0), self)
            if self.at != end:
                raise self.wrong("a type's definition is not as long as its message")

    def _top(self, kind: int, types: Mapping[int, _Type]) -> Value:
        if not isinstance(types.get(kind), _Struct) and self.unsigned() != 0:
            raise self.wrong("a value that is no structure begins with a zero")
        return self._of(kind, types, 0)

    def _of(self, kind: int, types: Mapping[int, _Type], depth: int) -> Value:
        """A value of a type."""
        if depth > DEPTH_MAX:
            raise self.wrong(f"more than {DEPTH_MAX} values within each other")
        if kind in _BASIC:
            return _BASIC[kind](self)
        match types.get(kind):
            case _Struct(fields):
                return self._fields(fields, types, depth)
            case _Slice(element):
                return [self._of(element, types, depth + 1) for _ in range(self._count())]
            case _Map(key, element) if key in _BASIC:
                pairs = range(self._count())
                return {_BASIC[key](self): self._of(element, types, depth + 1) for _ in pairs}
        raise self.wrong(f"type {kind} is not defined, or not supported")

    def _fields(
        self, fields: tuple[tuple[str, int], ...], types: Mapping[int, _Type], depth: int
    ) -> dict[str, Value]:
        found: dict[str, Value] = {}
        number = -1
        while step := self.unsigned():
            number += step
            if number >= len(fields):
                raise self.wrong(f"a structure of {len(fields)} fields has another one, number {number}")
            name, kind = fields[number]
            found[name] = self._of(kind, types, depth + 1)
        return found

    def _count(self) -> int:
        """How many elements follow; each takes a byte at least."""
        count = self.unsigned()
        if count > len(self.content) - self.at:
            raise self.wrong(f"{count} elements are more than there are bytes")
        return count

    def take(self, size_bytes: int) -> bytes:
        taken = self.content[self.at : self.at + size_bytes]
        if len(taken) < size_bytes:
            raise self.wrong("it ends too early")
        self.at += size_bytes
        return taken

    def unsigned(self) -> int:
        first = self.take(1)[0]
        if first < _ONE_BYTE_STOP:
            return first
        count = 256 - first
        if count > _COUNT_BYTES_MAX:
            raise self.wrong(f"an integer of {count} bytes")
        return int.from_bytes(self.take(count), "big")

    def signed(self) -> int:
        folded = self.unsigned()
        return ~(folded >> 1) if folded & 1 else folded >> 1

    def text(self) -> str:
        return self.take(self.unsigned()).decode(errors="backslashreplace")

    def wrong(self, what: str) -> FormatError:
        return FormatError(f"byte {self.at} of the value: {what}")


_BASIC: Mapping[int, Callable[[_Stream], Value]] = {
    _BOOL: lambda stream: bool(stream.unsigned()),
    _INT: _Stream.signed,
    _UINT: _Stream.unsigned,
    _STRING: _Stream.text,
}


def _type(told: Mapping[str, Any], stream: _Stream) -> _Type:
    """The type that a definition tells."""
    match told:
        case {"struct": dict(fields)}:
            listed = fields.get("fields", [])
            return _Struct(tuple((one.get("name", ""), one.get("id", 0)) for one in listed))
        case {"slice": dict(fields)}:
            return _Slice(fields.get("element", 0))
        case {"map": dict(fields)}:
            return _Map(fields.get("key", 0), fields.get("element", 0))
    raise stream.wrong("a type that is no structure, slice or map is not supported")
