"""Lists of addresses in use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import format_address
from weaveipam.migration.listing import read_list


def test_a_list_is_addresses_and_maybe_keys() -> None:
    """A line is an address, with the key that has it or one made of it; comments and prefix lengths go."""
    text = b"# in use\n10.0.0.1\n\n10.0.0.2/24\tvm/1 # old\r\nFD00::1/64 vm/1\n"
    found = read_list(text, "list")

    assert [
        ("10.0.0.1", "imported/10.0.0.1", "list:2"),
        ("10.0.0.2", "vm/1", "list:4"),
        ("fd00::1", "vm/1", "list:5"),
    ] == [(format_address(*one.address), one.holder, one.where) for one in found.entries]
    assert () == found.faults


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"10.0.0", "'10.0.0' is no address"),
        (b"10.0.0.1/", "no prefix length behind the slash"),
        (b"10.0.0.1/33", "no prefix length behind the slash"),
        (b"10.0.0.1/" + b"9" * 5000, "no prefix length behind the slash"),
        (b"10.0.0.1-10.0.0.9", "is no address"),
        (b"10.0.0.1 a b", "found 3 words"),
        (b"10.0.0.1 \xff", "byte 9 of the line is not UTF-8"),
    ],
)
def test_a_wrong_line_is_told_by_its_number(line: bytes, why: str) -> None:
    """It is a fault, and the lines around it are read."""
    found = read_list(b"10.0.1.1\n" + line + b"\n10.0.1.2", "list")

    assert ["list:2"] == [one.where for one in found.faults]
    assert why in found.faults[0].detail
    assert len(found.faults[0].detail) < 200
    assert ["list:1", "list:3"] == [one.where for one in found.entries]


@given(st.binary())
def test_any_bytes_are_a_list(text: bytes) -> None:
    """Nothing is raised, and no line is both an address and a fault."""
    found = read_list(text, "list")
    wheres = [one.where for one in found.entries] + [one.where for one in found.faults]

    assert len(wheres) == len(set(wheres))
