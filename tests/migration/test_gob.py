"""
Values of encoding/gob, written by hand after its documentation.

test_weave.py reads some that Go wrote.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaveipam.migration.entries import FormatError
from weaveipam.migration.gob import DEPTH_MAX, decode

POINT = bytes.fromhex("1fff8103010105506f696e7401ff8200010201015801040001015901040000000" + "7ff82012c014200")
"""The documentation's own example: `type Point struct { X, Y int }`, and Point{22, 33}."""


def uint(number: int) -> bytes:
    """An unsigned integer."""
    if number < 128:
        return bytes([number])
    content = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes([256 - len(content)]) + content


def integer(number: int) -> bytes:
    """A signed integer."""
    return uint(~number << 1 | 1 if number < 0 else number << 1)


def message(*parts: bytes) -> bytes:
    """Bytes with their size before them."""
    content = b"".join(parts)
    return uint(len(content)) + content


def top(kind: int, *parts: bytes) -> bytes:
    """A message with a value that is no structure."""
    return message(integer(kind), b"\0", *parts)


def slice_of(number: int, element: int) -> bytes:
    """The definition of a slice: the second field of a type, and in it the second field."""
    return message(integer(-number), b"\x02", b"\x02", integer(element), b"\0", b"\0")


def map_of(number: int, key: int, element: int) -> bytes:
    """The definition of a map."""
    return message(integer(-number), b"\x04", b"\x02", integer(key), b"\x01", integer(element), b"\0", b"\0")


def test_the_example_of_the_documentation() -> None:
    """A structure is read by the names of its fields."""
    assert {"X": 22, "Y": 33} == decode(POINT)


@pytest.mark.parametrize(
    ("stream", "value"),
    [
        pytest.param(top(1, b"\x01"), True, id="bool"),
        pytest.param(top(2, integer(-129)), -129, id="int"),
        pytest.param(top(3, uint((1 << 64) - 1)), (1 << 64) - 1, id="uint"),
        pytest.param(top(6, uint(2), "ä".encode()), "ä", id="string"),
        pytest.param(top(6, uint(1), b"\xff"), "\\xff", id="string-of-bytes"),
        pytest.param(slice_of(65, 3) + top(65, uint(2), uint(7), uint(300)), [7, 300], id="slice"),
        pytest.param(map_of(65, 6, 2) + top(65, uint(1), uint(1), b"a", integer(-1)), {"a": -1}, id="map"),
    ],
)
def test_values_of_each_kind(stream: bytes, value: object) -> None:
    """What Go's documentation says how to write is read back."""
    assert value == decode(stream)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        pytest.param(b"", "ends too early", id="empty"),
        pytest.param(POINT[:20], "longer than what there is", id="cut-off"),
        pytest.param(b"\xf0" + b"\1" * 16, "an integer of 16 bytes", id="long-integer"),
        pytest.param(top(99, b"\1"), "type 99 is not defined", id="undefined"),
        pytest.param(top(4, b"\1"), "not supported", id="float"),
        pytest.param(slice_of(65, 1) + top(65, uint(1 << 40)), "more than there are bytes", id="long-slice"),
        pytest.param(
            map_of(65, 66, 1) + top(65, uint(1), b"\1"),
            "type 65 is not defined, or not supported",
            id="odd-keys",
        ),
        pytest.param(slice_of(65, 65) + top(65, b"\1" * 99), f"more than {DEPTH_MAX} values", id="endless"),
        pytest.param(slice_of(16, 1) + top(2, b"\2"), "not for a stream to define", id="redefined"),
        pytest.param(message(integer(-65), b"\0"), "is not supported", id="no-type"),
        pytest.param(POINT[:-3] + b"\x09\x00\x00", "of 2 fields has another", id="unknown-field"),
    ],
)
def test_what_is_no_value_is_refused(stream: bytes, why: str) -> None:
    """The error says what was wrong, and at which byte."""
    with pytest.raises(FormatError, match=why):
        decode(stream)


@given(st.binary(max_size=200), st.integers(0, len(POINT)))
def test_any_bytes_are_read_or_refused(noise: bytes, kept: int) -> None:
    """Whatever follows a good beginning, the only error is the one that says so."""
    with suppress(FormatError):
        decode(POINT[:kept] + noise)
