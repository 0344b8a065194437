"""
The ranges of a pool as an operator writes them, and what their addresses are handed out with.

What the pool says counts for each range that does not say otherwise itself.
Does not know other pools, nor what a pool is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from ring.address import (
    Family,
    Range,
    format_address,
    format_range,
    parse_address,
    parse_cidr,
    parse_range,
    subtract,
    union,
)
from weaveipam.config.tables import Table
from weaveipam.protocol.values import NO_ATTRIBUTES, Attributes, PoolRange, Route

LINK_KEYS = ("gateway", "prefix_length", "set_aside", "exclude", "reserve", "dns", "routes", "vlan")
"""What pools and ranges can say alike."""
_RANGE_KEYS = ("range", *LINK_KEYS)
_DNS_KEYS = ("nameservers", "domain", "search", "options")
VLAN_MAX = 4094

# A subnet this small has no addresses to set aside: point-to-point links use both (RFC 3021, RFC 6164).
_V4_LENGTH_MAX = 30
_V6_LENGTH_MAX = 126


@dataclass(slots=True)
class _Draft:
    """One range while it is read."""

    family: Family
    range: Range
    length: int
    """Of its link; the family's bits if nobody says what that is."""
    aside: bool
    """Whether the first and the last address of the link are set aside."""
    gateway: int | None = None
    excluded: list[Range] = field(default_factory=list)
    reserved: list[Range] = field(default_factory=list)
    attributes: Attributes = NO_ATTRIBUTES

    def __str__(self) -> str:
        return format_range(self.family, self.range)

    @property
    def link(self) -> Range:
        """The addresses of the link on which the range begins."""
        size = 1 << (self.family.bits - self.length)
        start = self.range.start // size * size
        return Range(start, start + size)

    def finished(self) -> PoolRange:
        """What the pool has."""
        holes = list(self.excluded)
        if self.aside:
            holes += _set_aside(self.family, self.length, self.link)
        if self.gateway is not None:
            holes.append(Range(self.gateway, self.gateway + 1))
        excluded = union(both for one in holes if (both := self.range.meet(one)))
        return PoolRange(
            self.family,
            self.range,
            self.length,
            self.gateway,
            excluded,
            subtract(union(both for one in self.reserved if (both := self.range.meet(one))), excluded),
            self.attributes,
        )


def pool_range(text: str, length: int | None = None, *, aside: bool | None = None) -> PoolRange:
    """
    One range of a pool that says nothing but these, with what it sets aside, and no gateway.

    Args:
        text: The range.
        length: Of its link; None: as the range says.
        aside: Whether it sets addresses aside; None: if it is a CIDR.

    Raises:
        ValueError: no range, or host bits are set; says what was meant.
    """
    return _draft(text, length, aside).finished()


def read_ranges(table: Table, *, aside: bool | None = None) -> tuple[PoolRange, ...]:
    """
    The ranges of a pool: `ranges`, and what else of `LINK_KEYS` it says; sorted, and disjoint.

    A range given as a CIDR sets aside the network and broadcast address of its link (IPv4) or the
    subnet-router anycast address (IPv6, RFC 4291 section 2.6.1); one given as first-last or as one address
    sets nothing aside, unless it is told to, or `aside` is for what does not say.
    """
    said, length = table.switch("set_aside"), table.number("prefix_length", 0, Family.V6.bits)
    aside = aside if said is None else said
    told = _attributes(table, NO_ATTRIBUTES)
    drafts: list[_Draft] = []
    for entry in _entries(table):
        draft = _read(entry, length, told, aside=aside)
        if draft is not None:
            drafts.append(draft)
    drafts.sort(key=lambda one: (one.family, one.range))
    if not drafts and not table.problems:
        table.wrong("ranges", "expected at least one")
    for one, other in pairwise(drafts):
        if one.family is other.family and one.range.meet(other.range):
            table.wrong("ranges", f"{one} and {other} overlap")
    _share_gateways(table, drafts)
    for key in ("exclude", "reserve"):
        for family, what in table.parsed(key, parse_range):
            inside = [one for one in drafts if one.family is family and one.range.meet(what)]
            if not inside:
                table.wrong(key, f"{format_range(family, what)} is in none of the pool's ranges")
            for one in inside:
                (one.excluded if key == "exclude" else one.reserved).append(what)
    return tuple(one.finished() for one in drafts)


def limited(ranges: Sequence[PoolRange], limit: int | None) -> tuple[PoolRange, ...]:
    """The same ranges, of which no more than the first `limit` addresses of each family are handed out."""
    if limit is None:
        return tuple(ranges)
    left = dict.fromkeys(Family, limit)
    found: list[PoolRange] = []
    for one in ranges:
        beyond: list[Range] = []
        for piece in subtract((one.range,), one.excluded):
            kept = min(piece.size, left[one.family])
            left[one.family] -= kept
            if kept < piece.size:
                beyond.append(Range(piece.start + kept, piece.stop))
        excluded = union((*one.excluded, *beyond))
        reserved = subtract(one.reserved, excluded)
        found.append(replace(one, excluded=excluded, reserved=reserved, beyond_limit=union(beyond)))
    return tuple(found)


def _entries(table: Table) -> list[Table]:
    """A table for each range: a string says nothing but the range."""
    said = table.get("ranges")
    if isinstance(said, str):
        said = [said]
    if not isinstance(said, list) or not all(isinstance(one, str | dict) for one in said):
        table.wrong("ranges", f"expected a list of ranges{'' if said is None else f', not {said!r}'}")
        return []
    values: list[dict[str, Any]] = [{"range": one} if isinstance(one, str) else one for one in said]
    return [
        Table(one, _RANGE_KEYS, table.problems, f"ranges[{index}]." if isinstance(said[index], dict) else "")
        for index, one in enumerate(values)
    ]


def _read(entry: Table, length: int | None, told: Attributes, *, aside: bool | None) -> _Draft | None:
    own_length, own_aside = entry.number("prefix_length", 0, Family.V6.bits), entry.switch("set_aside")
    try:
        draft = _draft(
            entry.text("range"),
            length if own_length is None else own_length,
            aside if own_aside is None else own_aside,
        )
    except ValueError as error:
        entry.problems.append(str(error))  # which names the range
        return None
    gateways = entry.parsed("gateway", parse_address)
    for family, gateway in gateways[:1]:
        if family is not draft.family or (draft.length < family.bits and gateway not in draft.link):
            entry.wrong("gateway", f"{format_address(family, gateway)} is not on the link of {draft}")
        draft.gateway = gateway
    if gateways[1:]:
        entry.wrong("gateway", f"{draft} has one gateway, not {len(gateways)}")
    for key, into in (("exclude", draft.excluded), ("reserve", draft.reserved)):
        for family, what in entry.parsed(key, parse_range):
            if family is not draft.family or not draft.range.meet(what):
                entry.wrong(key, f"{format_range(family, what)} is not in {draft}")
            into.append(what)
    draft.attributes = _attributes(entry, told)
    return draft


def _draft(text: str, length: int | None, aside: bool | None) -> _Draft:
    """A range, whose link is a CIDR's own if nobody says otherwise; ValueError if it cannot be."""
    if "/" in text:
        family, what, own = parse_cidr(text)
    else:
        family, what = parse_range(text)
        own = family.bits
    if length is None:
        length = own
    draft = _Draft(family, what, length, "/" in text if aside is None else aside)
    if length > family.bits:
        raise ValueError(f"{text} has no link of /{length}: IPv{int(family)} has {family.bits} bits")
    if length < family.bits and not draft.link.covers(what):
        raise ValueError(f"{text} is more than one link of /{length}; say a range for each, or no length")
    return draft


def _set_aside(family: Family, length: int, link: Range) -> list[Range]:
    first, last = Range(link.start, link.start + 1), Range(link.stop - 1, link.stop)
    if family is Family.V4 and length <= _V4_LENGTH_MAX:
        return [first, last]
    return [first] if family is Family.V6 and length <= _V6_LENGTH_MAX else []


def _share_gateways(table: Table, drafts: Sequence[_Draft]) -> None:
    """
    To each range that names no gateway the one that is on its link.

    A range of which nobody says its link takes the one of its family.
    """
    open_ = [one for one in drafts if one.gateway is None]
    for family, gateway in table.parsed("gateway", parse_address):
        fits = [
            one
            for one in open_
            if one.family is family and (one.length == family.bits or gateway in one.link)
        ]
        text = format_address(family, gateway)
        if not fits:
            table.wrong("gateway", f"{text} is on the link of none of the pool's ranges")
        taken = [one for one in fits if one.gateway is not None]
        if taken:
            table.wrong("gateway", f"{text} is the second for {taken[0]}")
        for one in fits:
            one.gateway = gateway


def _attributes(table: Table, default: Attributes) -> Attributes:
    """What a table says, and for what it does not say the default."""
    dns = table.table("dns", _DNS_KEYS)
    told = default
    if "dns" in table:
        told = replace(
            told,
            nameservers=tuple(_address(one) for one in dns.parsed("nameservers", parse_address)),
            domain=dns.text("domain"),
            search=tuple(dns.texts("search")),
            resolver_options=tuple(dns.texts("options")),
        )
    if "routes" in table:
        told = replace(told, routes=tuple(_routes(table.tables("routes", ("dst", "gw")))))
    if "vlan" in table:
        told = replace(told, vlan=table.number("vlan", 1, VLAN_MAX))
    return told


def _routes(tables: Iterable[Table]) -> Iterable[Route]:
    for one in tables:
        destinations, gateways = one.parsed("dst", parse_cidr), one.parsed("gw", parse_address)
        if len(destinations) != 1 or len(gateways) > 1:
            one.wrong("dst", "expected one CIDR, and at most one gw")
            continue
        family, what, length = destinations[0]
        if gateways and gateways[0][0] is not family:
            one.wrong("gw", f"{_address(gateways[0])} is not IPv{int(family)}, as dst is")
        destination = f"{format_address(family, what.start)}/{length}"
        yield Route(destination, _address(gateways[0]) if gateways else "")


def _address(parsed: tuple[Family, int]) -> str:
    return format_address(*parsed)
