"""
The address ranges of a network configuration, in host-local's form and with its meaning.

Each range set gives one address; its ranges are of one family and disjoint, from each other and from every
other set's.  Differs from host-local only in where addresses come from: they must lie in configured pools.

Source: containernetworking/plugins, host-local's documentation and behaviour (version 1.1.1).
Does not know pools.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from cni.fields import Document, a_list, a_text, an_address, subnet_of, wrong
from ring.address import Family, Range, format_range, subtract

RANGES_MAX = 64
"""Of one configuration; more than anybody writes by hand, and each costs the allocator a look."""

_HOST_BITS_MIN = 2
"""A subnet has room for its own address, a gateway and one more: /30 and /126 at most."""


@dataclass(frozen=True, slots=True)
class Span:
    """One range: which addresses may be given, and what they are given with."""

    family: Family
    addresses: Range
    """From its start to its end; the gateway may be among them and is not given."""
    prefix_length: int
    gateway: int

    @property
    def free(self) -> tuple[Range, ...]:
        """The addresses that may be given; sorted, never empty."""
        return subtract([self.addresses], [Range(self.gateway, self.gateway + 1)])

    def gives(self, family: Family, address: int) -> bool:
        """Whether an address may be given."""
        return family is self.family and address in self.addresses and address != self.gateway


RangeSet: TypeAlias = tuple[Span, ...]
"""The ranges that one address may come from; at least one."""


def read_range_sets(ipam: Document, runtime: Document) -> tuple[RangeSet, ...]:
    """
    The range sets of `runtimeConfig.ipRanges`, of the single range of old configurations, and of `ranges`.

    Raises:
        CniError: code 7; one of them makes no sense.
    """
    sets = [
        *_sets(runtime, "ipRanges", "runtimeConfig.ipRanges"),
        *_single(ipam),
        *_sets(ipam, "ranges", "ipam.ranges"),
    ]
    spans = [span for one in sets for span in one]
    if len(spans) > RANGES_MAX:
        wrong("ipam.ranges", f"{len(spans)} ranges are more than {RANGES_MAX}")
    spans.sort(key=lambda span: (span.family, span.addresses))
    for one, other in pairwise(spans):
        both = one.addresses.meet(other.addresses)
        if one.family is other.family and both is not None:
            wrong("ipam.ranges", f"two of them hold {format_range(one.family, both)}")
    return tuple(sets)


def _single(ipam: Document) -> list[RangeSet]:
    if a_text(ipam, "subnet", "ipam.subnet"):
        return [(_span(ipam, "ipam"),)]
    for key in ("rangeStart", "rangeEnd"):
        if ipam.get(key):
            wrong(f"ipam.{key}", "has no meaning without ipam.subnet")
    return []


def _sets(document: Document, key: str, where: str) -> list[RangeSet]:
    value = a_list(document, key, where)
    if not all(isinstance(one, list) for one in value):
        wrong(where, "expected a list of lists of objects")
    if len(value) > RANGES_MAX:
        wrong(where, f"{len(value)} range sets are more than {RANGES_MAX}")
    sets: list[RangeSet] = []
    for index, one in enumerate(value):
        place = f"{where}[{index}]"
        if not all(isinstance(each, dict) for each in one):
            wrong(place, "expected a list of objects")
        spans = tuple(_span(each, f"{place}[{number}]") for number, each in enumerate(one))
        if not spans:
            wrong(place, "a range set must have at least one range")
        if len({span.family for span in spans}) > 1:
            wrong(place, "a range set gives one address, so its ranges must be of one family")
        sets.append(spans)
    return sets


def _span(document: Document, where: str) -> Span:
    """One range with host-local's defaults: gateway the first address, end the last but for the broadcast."""
    text = a_text(document, "subnet", f"{where}.subnet")
    family, subnet, length = subnet_of(text, f"{where}.subnet")
    if family.bits - length < _HOST_BITS_MIN:
        wrong(f"{where}.subnet", f"{text} is too small to allocate from")
    broadcast = 1 if family is Family.V4 else 0
    start = _inside(document, "rangeStart", where, subnet, family, subnet.start + 1)
    end = _inside(document, "rangeEnd", where, subnet, family, subnet.stop - 1 - broadcast)
    if end < start:
        wrong(f"{where}.rangeEnd", "lies before rangeStart")
    # Of the family, but not necessarily in the subnet: routers with an address outside of it exist.
    gateway = an_address(document, "gateway", f"{where}.gateway") or (family, subnet.start + 1)
    if gateway[0] is not family:
        wrong(f"{where}.gateway", f"is not of the same family as {text}")
    span = Span(family, Range(start, end + 1), length, gateway[1])
    if not span.free:
        wrong(where, "its only address is the gateway, which is never given")
    return span


def _inside(document: Document, key: str, where: str, subnet: Range, family: Family, default: int) -> int:
    found = an_address(document, key, f"{where}.{key}")
    if found is None:
        return default
    if found[0] is not family or found[1] not in subnet:
        wrong(f"{where}.{key}", f"{document[key]} is not in {document['subnet']}")
    return found[1]
