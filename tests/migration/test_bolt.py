"""Files of BoltDB: written by it, and spoiled."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaveipam.migration.bolt import read_bucket
from weaveipam.migration.entries import FormatError

PAGE = 4096


def test_a_bucket_of_many_pages_is_read_whole(buckets: bytes) -> None:
    """Every pair below a branch is found, and a bucket within is none."""
    expected = {b"key-%04d" % number: b"value-%d" % number**2 for number in range(300)}

    assert expected == read_bucket(buckets, b"many")


def test_a_small_bucket_is_read_in_its_parents_page(buckets: bytes) -> None:
    """A bucket that has no page of its own is found as well."""
    assert {b"a": b"1"} == read_bucket(buckets, b"small")


def test_a_torn_meta_leaves_the_other_one(buckets: bytes) -> None:
    """With one of the first two pages spoiled what the other one says is read; with both, nothing."""
    newest = max((0, PAGE), key=lambda at: struct.unpack_from("<Q", buckets, at + 64)[0])
    older = PAGE - newest
    torn = bytearray(buckets)
    torn[older + 40] ^= 1
    assert read_bucket(buckets, b"many") == read_bucket(bytes(torn), b"many")

    torn[newest + 40] ^= 1
    with pytest.raises(FormatError, match="first two pages are spoiled"):
        read_bucket(bytes(torn), b"many")


@pytest.mark.parametrize("content", [b"", b"\0" * 100_000, b"x" * 100_000], ids=["empty", "zeros", "text"])
def test_another_file_is_refused(content: bytes) -> None:
    """What is no such file is called that."""
    with pytest.raises(FormatError, match="no BoltDB file"):
        read_bucket(content, b"top")


def test_a_bucket_that_is_not_there_is_named(buckets: bytes) -> None:
    """The error says which."""
    with pytest.raises(FormatError, match="no bucket 'top'"):
        read_bucket(buckets, b"top")


def test_a_file_that_was_cut_off_is_refused(buckets: bytes) -> None:
    """A page that is not there is named."""
    with pytest.raises(FormatError, match=r"page \d+ is beyond the end"):
        read_bucket(buckets[: 3 * PAGE], b"many")


def test_pages_in_a_circle_are_refused(buckets: bytes) -> None:
    """A branch whose children are itself ends in an error, not in a walk without end."""
    (branch,) = (at for at in range(0, len(buckets), PAGE) if struct.unpack_from("<QH", buckets, at)[1] == 1)
    looped = bytearray(buckets)
    struct.pack_into("<Q", looped, branch + 16 + 8, branch // PAGE)

    with pytest.raises(FormatError, match="larger than the file"):
        read_bucket(bytes(looped), b"many")


def test_elements_that_overlap_are_refused(buckets: bytes) -> None:
    """Leaves whose elements are all the same long stretch do not make a small file a large answer."""
    swollen = bytearray(buckets)
    for leaf in range(0, len(buckets), PAGE):
        kind, count = struct.unpack_from("<HH", buckets, leaf + 8)
        for at in range(leaf + 16, leaf + 16 + 16 * count, 16) if kind == 2 and count > 9 else ():
            struct.pack_into("<IIII", swollen, at, 0, 16, 1, PAGE // 4)

    with pytest.raises(FormatError, match="longer than the page"):
        read_bucket(bytes(swollen), b"many")


@given(st.lists(st.tuples(st.integers(0, 1 << 18), st.integers(1, 255)), min_size=1, max_size=8))
def test_a_spoiled_file_is_read_or_refused(buckets: bytes, flips: list[tuple[int, int]]) -> None:
    """Whatever bytes are changed, the only error is the one that says so."""
    spoiled = bytearray(buckets)
    for at, mask in flips:
        spoiled[at % len(spoiled)] ^= mask

    with suppress(FormatError):
        read_bucket(bytes(spoiled), b"many")
