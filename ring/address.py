"""
Addresses as plain integers, ranges of them, and the two families they come in.

The one place that parses and prints addresses, and the only importer of netaddr.
Does not know who owns anything.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import netaddr


class Family(IntEnum):
    """An address family, valued by its IP version number."""

    V4 = 4
    V6 = 6

    @property
    def bits(self) -> int:
        """The number of bits of an address: 32 or 128."""
        return 32 if self is Family.V4 else 128

    @property
    def size(self) -> int:
        """The number of addresses there are, 2^32 or 2^128; also the stop of the whole family."""
        return 1 << self.bits


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """
    The addresses `[start, stop)` of one family; never empty.

    The family is known from where the range stands (a ring, a pool's range), as addresses are plain integers.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        assert 0 <= self.start < self.stop, f"empty or reversed range [{self.start}, {self.stop})"

    def __contains__(self, address: int) -> bool:
        return self.start <= address < self.stop

    @property
    def size(self) -> int:
        """The number of addresses; at least 1."""
        return self.stop - self.start

    def meet(self, other: Range) -> Range | None:
        """The addresses of both, or None when they share none."""
        start, stop = max(self.start, other.start), min(self.stop, other.stop)
        return Range(start, stop) if start < stop else None

    def covers(self, other: Range) -> bool:
        """Whether every address of `other` is in this range."""
        return self.start <= other.start and other.stop <= self.stop


def subtract(ranges: Iterable[Range], holes: Iterable[Range]) -> tuple[Range, ...]:
    """
    The addresses of `ranges` that are in none of `holes`; sorted, disjoint, touching ranges joined.

    >>> subtract([Range(0, 10)], [Range(3, 5), Range(9, 20)])
    (Range(start=0, stop=3), Range(start=5, stop=9))
    """
    left: list[Range] = []
    cuts = union(holes)
    for whole in union(ranges):
        start = whole.start
        for cut in cuts:
            if cut.stop <= start or cut.start >= whole.stop:
                continue
            if start < cut.start:
                left.append(Range(start, cut.start))
            start = max(start, cut.stop)
        if start < whole.stop:
            left.append(Range(start, whole.stop))
    return tuple(left)


def union(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """
    The addresses of any of `ranges`; sorted, disjoint, touching ranges joined.

    >>> union([Range(5, 7), Range(0, 3), Range(3, 5)])
    (Range(start=0, stop=7),)
    """
    joined: list[Range] = []
    for one in sorted(ranges):
        if joined and one.start <= joined[-1].stop:
            joined[-1] = Range(joined[-1].start, max(joined[-1].stop, one.stop))
        else:
            joined.append(one)
    return tuple(joined)


def meeting(ranges: Sequence[Range], what: Range) -> tuple[Range, ...]:
    """
    The shared addresses of `what` and of sorted, disjoint ranges; logarithmic in those that share none.

    >>> meeting((Range(0, 4), Range(6, 8), Range(10, 12)), Range(3, 7))
    (Range(start=3, stop=4), Range(start=6, stop=7))
    """
    low = bisect_right(ranges, what.start, key=lambda one: one.stop)
    high = bisect_left(ranges, what.stop, key=lambda one: one.start)
    return tuple(both for one in ranges[low:high] if (both := one.meet(what)))


def parse_address(text: str) -> tuple[Family, int]:
    """
    The family and value of one address as text.

    Raises:
        ValueError: the text is not an address; says what was expected.
    """
    try:
        address = netaddr.IPAddress(text.strip(), flags=netaddr.INET_PTON)
    except (netaddr.AddrFormatError, ValueError, TypeError):
        raise ValueError(f"{text!r} is not an IPv4 or IPv6 address") from None
    return Family(address.version), int(address)


def parse_cidr(text: str) -> tuple[Family, Range, int]:
    """
    The family, range and prefix length of `ADDRESS/LENGTH`, whose host bits must be zero.

    Raises:
        ValueError: not a CIDR, or host bits are set; names the CIDR that was probably meant.
    """
    head, slash, length = text.strip().partition("/")
    family, start = parse_address(head)
    if not slash or not length.isascii() or not length.isdigit() or int(length) > family.bits:
        raise ValueError(f"{text!r} is not a CIDR: expected ADDRESS/LENGTH, length 0 to {family.bits}")
    size = 1 << (family.bits - int(length))
    if start % size:
        meant = format_address(family, start - start % size)
        raise ValueError(f"{text!r} has host bits set; did you mean {meant}/{length}?")
    return family, Range(start, start + size), int(length)


def parse_range(text: str) -> tuple[Family, Range]:
    """
    The family and addresses of a CIDR, of `FIRST-LAST` (both included), or of one address.

    Raises:
        ValueError: none of the three, two families in one range, or last before first.
    """
    if "/" in text:
        family, cidr, _ = parse_cidr(text)
        return family, cidr
    first, dash, last = text.partition("-")
    family, start = parse_address(first)
    family_last, end = parse_address(last) if dash else (family, start)
    if family_last is not family:
        raise ValueError(f"{text!r} starts in IPv{family} and ends in IPv{family_last}")
    if end < start:
        raise ValueError(f"{text!r} ends before it starts")
    return family, Range(start, end + 1)


def format_address(family: Family, address: int) -> str:
    """The address as text, IPv6 in its shortest lower-case form (RFC 5952)."""
    return str(netaddr.IPAddress(address, 4 if family is Family.V4 else 6))


def format_range(family: Family, one: Range) -> str:
    """The range as one address, a CIDR when it is aligned, else `FIRST-LAST`; `parse_range` reads it back."""
    first = format_address(family, one.start)
    if one.size == 1:
        return first
    if one.size & (one.size - 1) == 0 and one.start % one.size == 0:
        return f"{first}/{family.bits - one.size.bit_length() + 1}"
    return f"{first}-{format_address(family, one.stop - 1)}"


def blocks(one: Range) -> Iterator[Range]:
    """
    The fewest aligned power-of-two blocks that make up a range, in address order.

    >>> [(b.start, b.size) for b in blocks(Range(3, 10))]
    [(3, 1), (4, 4), (8, 2)]
    """
    start = one.start
    while start < one.stop:
        fits = 1 << (one.stop - start).bit_length() - 1
        size = min(start & -start, fits) if start else fits
        yield Range(start, start + size)
        start += size
