"""Addresses and ranges as text and as integers."""

from __future__ import annotations

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import (
    Family,
    Range,
    blocks,
    format_address,
    format_range,
    meeting,
    parse_address,
    parse_cidr,
    parse_range,
    subtract,
    union,
)

families = st.sampled_from(Family)
small = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda pair: Range(pair[0], sum(pair)))


def members(ranges: object) -> set[int]:
    """The addresses of ranges."""
    return {at for one in ranges for at in range(one.start, one.stop)}  # type: ignore[attr-defined]


@given(families, st.data())
def test_text_and_back(family: Family, data: st.DataObject) -> None:
    """Every address and range is read back as printed, and printed as the standard library prints it."""
    start = data.draw(st.integers(0, family.size - 1))
    stop = data.draw(st.integers(start + 1, family.size))

    assert (family, start) == parse_address(format_address(family, start))
    assert (family, Range(start, stop)) == parse_range(format_range(family, Range(start, stop)))
    standard = ipaddress.IPv4Address(start) if family is Family.V4 else ipaddress.IPv6Address(start)
    if "." not in str(standard)[1:] or family is Family.V4:
        assert int(ipaddress.ip_address(format_address(family, start))) == int(standard)


@pytest.mark.parametrize(
    ("text", "start", "size"),
    [
        ("10.0.0.0/24", 0x0A000000, 256),
        ("10.0.0.1", 0x0A000001, 1),
        ("10.0.0.1-10.0.0.3", 0x0A000001, 3),
        ("0.0.0.0/0", 0, 1 << 32),
        ("255.255.255.255/32", (1 << 32) - 1, 1),
        ("fd00::/127", 0xFD << 120, 2),
        ("::/0", 0, 1 << 128),
        (" 10.0.0.4/31 ", 0x0A000004, 2),
    ],
)
def test_ranges_are_read(text: str, start: int, size: int) -> None:
    """CIDRs, first-last and single addresses."""
    assert Range(start, start + size) == parse_range(text)[1]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("10.0.0.1/24", "did you mean 10.0.0.0/24"),
        ("10.0.0.0/33", "length 0 to 32"),
        ("10.0.0.0/x", "not a CIDR"),
        ("10.0.0.0/-1", "not a CIDR"),
        ("10.0.0.0/²", "not a CIDR"),
        ("10.0.0", "is not an IPv4 or IPv6 address"),
        ("", "is not an IPv4 or IPv6 address"),
        ("10.0.0.9-10.0.0.1", "ends before it starts"),
        ("10.0.0.9-fd00::", "starts in IPv4 and ends in IPv6"),
        ("fd00::%eth0", "is not"),
        ("10.0.0.1-", "is not"),
    ],
)
def test_nonsense_is_refused_with_a_hint(text: str, hint: str) -> None:
    """What is no range says what it should have been."""
    with pytest.raises(ValueError, match=hint.replace(".", r"\.")):
        parse_range(text)


def test_parse_cidr_gives_the_length() -> None:
    """The prefix length is kept beside the range."""
    assert (Family.V4, Range(0, 1 << 30), 2) == parse_cidr("0.0.0.0/2")


@given(st.lists(small, max_size=4), st.lists(small, max_size=4))
def test_set_operations(ranges: list[Range], holes: list[Range]) -> None:
    """Union and difference hold the right addresses, sorted and joined."""
    joined, left = union(ranges), subtract(ranges, holes)

    assert members(ranges) == members(joined)
    assert members(ranges) - members(holes) == members(left)
    for result in (joined, left):
        assert all(one.stop < two.start for one, two in itertools.pairwise(result))


@given(small, small)
def test_meet_and_covers(one: Range, other: Range) -> None:
    """What two ranges share, and whether one is inside the other."""
    both = one.meet(other)

    assert members([one]) & members([other]) == members([both] if both else [])
    assert one.covers(other) == (members([other]) <= members([one]))


@given(st.integers(0, 300), st.integers(1, 300))
def test_blocks_are_aligned_and_few(start: int, size: int) -> None:
    """The blocks make up the range, each aligned to its size, and no two could be one."""
    parts = list(blocks(Range(start, start + size)))

    assert union(parts) == (Range(start, start + size),)
    assert all(part.start % part.size == 0 and part.size & (part.size - 1) == 0 for part in parts)
    for one, two in itertools.pairwise(parts):
        assert one.size != two.size or one.start % (2 * one.size) != 0


def test_an_empty_range_is_no_range() -> None:
    """A range holds at least one address."""
    with pytest.raises(AssertionError):
        Range(4, 4)


@given(st.lists(small, max_size=8), small)
def test_meeting_is_what_ranges_share(ranges: list[Range], what: Range) -> None:
    """Of sorted, disjoint ranges exactly the addresses that are in another one too, as they were split."""
    disjoint = union(ranges)
    met = meeting(disjoint, what)

    assert members(met) == members(disjoint) & members([what])
    assert list(met) == [both for one in disjoint if (both := one.meet(what))]
