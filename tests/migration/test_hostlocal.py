"""Files as host-local writes them, and as it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import format_address
from weaveipam.migration.entries import Attachment
from weaveipam.migration.hostlocal import FILE_BYTES_MAX, read_directory


@pytest.mark.parametrize(
    ("name", "content", "address", "holder"),
    [
        pytest.param("10.1.0.2", b"c1\r\neth0", "10.1.0.2", Attachment("c1", "eth0"), id="now"),
        pytest.param("10.1.0.2", b"c1", "10.1.0.2", Attachment("c1"), id="an-id-alone"),
        pytest.param("10.1.0.2", b"c1\n", "10.1.0.2", Attachment("c1"), id="a-line-of-an-id"),
        pytest.param("10.1.0.2", b"c1\r\n", "10.1.0.2", Attachment("c1"), id="no-interface"),
        pytest.param("10.1.0.2", b"c1\neth0\n", "10.1.0.2", Attachment("c1", "eth0"), id="lines"),
        pytest.param("fd00::2", b"c1\r\nnet1", "fd00::2", Attachment("c1", "net1"), id="v6"),
        pytest.param("fd00__2", b"c1\r\nnet1", "fd00::2", Attachment("c1", "net1"), id="v6-escaped"),
        pytest.param("FD00:0:0::2", b"c1\r\nnet1", "fd00::2", Attachment("c1", "net1"), id="v6-long"),
    ],
)
def test_a_file_is_an_address_in_use(name: str, content: bytes, address: str, holder: Attachment) -> None:
    """Its name is the address, and it holds who has it; old releases knew no interface."""
    found = read_directory([(name, f"dir/{name}", content)])

    assert [(address, holder, f"dir/{name}")] == [
        (format_address(*one.address), one.holder, one.where) for one in found.entries
    ]
    assert () == found.faults


@pytest.mark.parametrize("name", ["lock", "last_reserved_ip", "last_reserved_ip.0", "last_reserved_ip.17"])
def test_its_notes_are_no_addresses(name: str) -> None:
    """The lock and the marks of where it stopped are left out without a word."""
    found = read_directory([(name, name, b"10.1.0.2")])

    assert ((), ()) == (found.entries, found.faults)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("10.1.0", b"c1\r\neth0", "the file's name, '10.1.0', is no address"),
        ("10.1.0.2.swp", b"c1\r\neth0", "is no address"),
        ("10.1.0.2", b"", "found 0 lines"),
        ("10.1.0.2", b"\r\neth0", "expected a container's id"),
        ("10.1.0.2", b"c1\r\neth0\r\nx", "found 3 lines"),
        ("10.1.0.2", b"c1\xff", "byte 2 is not ASCII"),
        ("10.1.0.2", b"c" * (FILE_BYTES_MAX + 1), f"more than {FILE_BYTES_MAX} bytes"),
    ],
)
def test_what_host_local_does_not_write_is_told(name: str, content: bytes, why: str) -> None:
    """It is a fault with its file, and the addresses of the others are read."""
    found = read_directory([(name, "dir/it", content), ("10.1.0.9", "dir/10.1.0.9", b"c9")])

    assert ["dir/it"] == [one.where for one in found.faults]
    assert why in found.faults[0].detail
    assert ["dir/10.1.0.9"] == [one.where for one in found.entries]


@given(st.lists(st.tuples(st.text(), st.just("where"), st.binary()), max_size=5))
def test_any_directory_is_read_to_its_end(files: list[tuple[str, str, bytes]]) -> None:
    """Whatever its files are called and hold, each is an address, a fault or a note; nothing is raised."""
    found = read_directory(files)

    assert len(found.entries) + len(found.faults) <= len(files)
