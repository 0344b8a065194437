"""
Prefixes inside of prefixes: which kind may stand directly in which, and what would work instead.

A prefix is a CIDR with a purpose, its kind.  Its parent is the longest other one that covers it, its children
are those that it is the parent of; CIDRs are disjoint or inside of each other, never anything between.  An
address is a /32 or a /128: it has a kind and a parent too, but never a child, and is no prefix.

Source: nokia/k8s-ipam, "ipam use cases" in its README, and what pkg/backend/ipam/validator_functions.go does.
Two differences: above existing children every one of them counts, not only the first; and a prefix that has
children is not removed, where there the children are dropped and their owners told.
Does not know pools, who owns what, or what is handed out; `existing` has whatever shall count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ring.address import Family, Range, blocks, format_address, format_range, subtract


class Kind(StrEnum):
    """What a prefix is for."""

    AGGREGATE = "aggregate"
    """A space to be divided: the top of every nest."""
    NETWORK = "network"
    """A subnet that hosts share, and their addresses in it."""
    POOL = "pool"
    """A supply of addresses without a subnet, such as for NAT or for subscribers."""
    LOOPBACK = "loopback"
    """Addresses of hosts that are in no subnet."""


PARENTS: Mapping[Kind, tuple[Kind, ...]] = {
    Kind.AGGREGATE: (Kind.AGGREGATE,),
    Kind.NETWORK: (Kind.AGGREGATE,),
    Kind.POOL: (Kind.POOL, Kind.AGGREGATE),
    Kind.LOOPBACK: (Kind.AGGREGATE,),
}
"""The kinds that may stand directly above a prefix of a kind."""

ADDRESS_PARENTS: Mapping[Kind, tuple[Kind, ...]] = {
    Kind.AGGREGATE: (),
    Kind.NETWORK: (Kind.NETWORK,),
    Kind.POOL: (Kind.POOL, Kind.AGGREGATE),
    Kind.LOOPBACK: (Kind.LOOPBACK, Kind.AGGREGATE),
}
"""The kinds that may stand directly above an address of a kind that is asked for by its number."""

ADDRESS_SOURCES: Mapping[Kind, tuple[Kind, ...]] = {
    Kind.AGGREGATE: (),
    Kind.NETWORK: (Kind.NETWORK, Kind.AGGREGATE),
    Kind.POOL: (Kind.POOL,),
    Kind.LOOPBACK: (Kind.LOOPBACK, Kind.AGGREGATE),
}
"""The kinds that any address of a kind is taken from, the first that there is."""

_A: Mapping[Kind, str] = {
    Kind.AGGREGATE: "an aggregate",
    Kind.NETWORK: "a network prefix",
    Kind.POOL: "a pool prefix",
    Kind.LOOPBACK: "a loopback prefix",
}
_ASK_FOR_ADDRESS = "ask for an address of kind network, pool or loopback"

_LISTED_MAX = 3
"""Prefixes that a sentence names, when there are more of them."""

_TRIED_MAX = 8
"""Prefixes that are looked into for room, the nearest, so that a refusal stays cheap among thousands."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """
    One CIDR of a network, or one address.

    Raises:
        ValueError: the range is no CIDR; says which CIDRs it is made of.
    """

    name: str
    """For people; of an address whatever it was given to."""
    kind: Kind
    family: Family
    range: Range

    def __post_init__(self) -> None:
        assert self.range.stop <= self.family.size, f"{self.range} is beyond all addresses"
        parts = list(blocks(self.range))
        if len(parts) > 1:
            texts = _listed([format_range(self.family, one) for one in parts])
            raise ValueError(f"{format_range(self.family, self.range)} is no CIDR, but is made of {texts}")

    def __str__(self) -> str:
        return f"{self.cidr} {self.name!r}"

    @property
    def cidr(self) -> str:
        """As text; an address without its length."""
        return format_range(self.family, self.range)

    @property
    def is_address(self) -> bool:
        """Whether it is a single address, a /32 or a /128."""
        return self.range.size == 1

    def inside(self, other: Prefix) -> bool:
        """Whether it is a part of another one, and smaller."""
        return self.family is other.family and self.range != other.range and other.range.covers(self.range)


class Refused(NamedTuple):
    """What cannot be; its text is `detail`."""

    detail: str
    """One sentence: which rule is broken, and what would work."""

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True, slots=True)
class Claim:
    """
    What somebody asks for, before it is known where it could be.

    An address comes with its family and a length.
    """

    kind: Kind
    creates: bool = False
    """Whether a prefix shall be there afterwards, with room for others, rather than an address."""
    family: Family | None = None
    """Of `address`."""
    address: int | None = None
    """As it was written, maybe with host bits, as in 10.0.0.1/24; None: any."""
    length: int | None = None
    """Of the prefix.  Of an address of kind network, that of its subnet."""

    def __post_init__(self) -> None:
        assert (self.address is None) == (self.family is None), "an address and its family come together"
        assert self.address is None or self.length is not None, "an address comes with a length"


def claim_refusal(claim: Claim) -> Refused | None:
    """What is wrong with a claim wherever it may end up; None: nothing."""
    if claim.address is None or claim.family is None or claim.length is None:
        return _refusal_of_any(claim)
    bits = claim.family.bits
    start = claim.address >> (bits - claim.length) << (bits - claim.length)
    written = f"{format_address(claim.family, claim.address)}/{claim.length}"
    meant = f"{format_address(claim.family, start)}/{claim.length}"
    if claim.length == bits and claim.creates:
        return Refused(_address_as_prefix(claim.family, claim.address))
    if claim.length == bits and claim.kind is Kind.AGGREGATE:
        return Refused(f"{written} is an address, and {_A[claim.kind]} is none; {_ASK_FOR_ADDRESS}")
    if claim.length == bits and claim.kind is Kind.NETWORK:
        return Refused(f"an address of a network is written with the length of its subnet, not as {written}")
    if start != claim.address and claim.kind is not Kind.NETWORK:
        return Refused(f"only a network is written with an address in it; for {written} say {meant}")
    return None


def _refusal_of_any(claim: Claim) -> Refused | None:
    """What is wrong with a claim that leaves it open which address or prefix it shall be."""
    if claim.kind is Kind.AGGREGATE:
        return Refused("an aggregate is nothing to be picked; say which prefix it shall be")
    if claim.creates and claim.length is None:
        return Refused("a prefix that is to be picked needs a length, such as 26")
    if not claim.creates and claim.length is not None:
        return Refused("an address has no length; leave it out, or ask for a prefix to be made")
    if not claim.creates and claim.kind is Kind.POOL:
        return Refused("of kind pool only prefixes are picked; ask for one to be made, with a length")
    return None


def parent_of(existing: Collection[Prefix], new: Prefix, *, own: bool = False) -> Prefix | Refused | None:
    """
    The prefix directly above a new one, by the longest match; None: it stands at the top.

    What is there already is refused, also to whoever put it there: to know them is the caller's part.

    Args:
        existing: All there is in its network, in any order.
        new: Not an address, for which there is `address_parent_of`.
        own: The network is made with it; such an aggregate needs no parent.
    """
    if new.is_address:
        return Refused(_address_as_prefix(new.family, new.range.start))
    if same := _same(existing, new):
        return Refused(f"{same.cidr} is {same.name!r} already, {_A[same.kind]}; {_way_out(existing, new)}")
    parent, needed = _above(existing, new), f"{_A[new.kind]} needs {_any_of(PARENTS[new.kind])}"
    if parent is None and new.kind is Kind.AGGREGATE and own:
        return None
    if parent is None:
        unless = " unless the network is made with it" if new.kind is Kind.AGGREGATE else ""
        return Refused(
            f"{needed} above it{unless}, and nothing is above {new.cidr}; {_way_out(existing, new)}"
        )
    if parent.kind not in PARENTS[new.kind]:
        return Refused(
            f"{needed} directly above it, and {new.cidr} is in {_kinded(parent)}; {_way_out(existing, new)}"
        )
    below = [one for one in existing if one.inside(new) and not _fits_below(new.kind, one)]
    if below:
        rule = "put only above its addresses" if new.kind is Kind.NETWORK else "never put above anything"
        return Refused(
            f"{_A[new.kind]} is {rule}, and {_those(below)} in {new.cidr}; {_way_out(existing, new)}"
        )
    return parent


def address_parent_of(existing: Collection[Prefix], new: Prefix) -> Prefix | Refused:
    """The prefix directly above a new address that is asked for by its number, by the longest match."""
    assert new.is_address, f"{new} is a prefix"
    allowed = ADDRESS_PARENTS[new.kind]
    if not allowed:
        return Refused(f"{_A[new.kind]} is never an address; {_ASK_FOR_ADDRESS}")
    parent = _above(existing, new)
    if parent is not None and parent.kind in allowed:
        same = _same(existing, new)
        return Refused(f"{same} is there already; ask for another address of {parent}") if same else parent
    near = _nearest([one for one in existing if one.kind in allowed], new)
    return Refused(
        f"an address of kind {new.kind} needs {_any_of(allowed)} directly above it, and {new.cidr} is in"
        f" {'no prefix' if parent is None else _kinded(parent)}; "
        + (f"{near[0]} would do" if near else f"there is none of IPv{new.family}, add one first")
    )


def removal_refusal(existing: Collection[Prefix], gone: Prefix) -> Refused | None:
    """What keeps a prefix from being removed: whatever is in it; None: nothing is."""
    below = [one for one in existing if one.inside(gone)]
    return Refused(f"{_those(below)} in {gone}; what is in it is removed first") if below else None


def clashes(prefixes: Collection[Prefix]) -> list[str]:
    """
    What keeps these from being the prefixes of one network that is made with them, a sentence for each.

    The order does not count: each is judged as if it had come after all that it is inside of.
    """
    found: list[str] = []
    above: list[Prefix] = []
    ordered = sorted(
        prefixes, key=lambda one: (one.family, one.range.start, -one.range.size, one.name, one.kind)
    )
    for at, one in enumerate(ordered):
        while above and not (above[-1].family is one.family and above[-1].range.covers(one.range)):
            above.pop()
        if isinstance(parent_of(above, one, own=True), Refused):
            # Whoever is refused is told what would work among all that there will be.
            found.append(f"{one}: {parent_of([*ordered[:at], *ordered[at + 1 :]], one, own=True)}")
        above.append(one)
    return found


def _fits_below(kind: Kind, child: Prefix) -> bool:
    """Whether a new prefix of a kind may be put above what is there."""
    return kind is Kind.AGGREGATE or (kind is Kind.NETWORK and child.is_address and child.kind is kind)


def _same(existing: Collection[Prefix], new: Prefix) -> Prefix | None:
    return next((one for one in existing if (one.family, one.range) == (new.family, new.range)), None)


def _above(existing: Collection[Prefix], new: Prefix) -> Prefix | None:
    """The longest match: the smallest prefix that the new one is inside of."""
    return min((one for one in existing if new.inside(one)), key=lambda one: one.range.size, default=None)


def _way_out(existing: Collection[Prefix], new: Prefix) -> str:
    """Where a prefix of this kind and length could be, as near as there is room."""
    hosts = [one for one in existing if one.kind in PARENTS[new.kind] and one.range.size > new.range.size]
    for host in _nearest(hosts, new)[:_TRIED_MAX]:
        holes = [one.range for one in existing if one.inside(host)]
        free = _free(host.range, holes, new.range)
        if free is not None:
            return f"{format_range(new.family, free)} in {host} is free"
    length = new.family.bits - new.range.size.bit_length() + 1
    return f"add {_any_of(PARENTS[new.kind])} with room for a /{length} first"


def _free(space: Range, holes: Sequence[Range], like: Range) -> Range | None:
    """The block of the same size, nearest to another one, that is in a space and in none of the holes."""
    starts: list[int] = []
    for gap in subtract((space,), holes):
        first, last = -(-gap.start // like.size) * like.size, (gap.stop // like.size - 1) * like.size
        if first <= last:
            starts.append(min(max(like.start, first), last))
    start = min(starts, key=lambda start: abs(start - like.start), default=None)
    return None if start is None else Range(start, start + like.size)


def _nearest(some: Sequence[Prefix], new: Prefix) -> list[Prefix]:
    """Prefixes of the family of a new one, the nearest first, and of those around it the smallest."""
    at = new.range
    return sorted(
        (one for one in some if one.family is new.family and not one.is_address),
        key=lambda one: (
            max(0, one.range.start - at.stop, at.start - one.range.stop),
            one.range.size,
            one.range,
        ),
    )


def _address_as_prefix(family: Family, address: int) -> str:
    pair = Range(address & ~1, (address & ~1) + 2)
    return (
        f"{format_address(family, address)}/{family.bits} is an address, no prefix;"
        f" ask for it as an address, or for {format_range(family, pair)} or larger"
    )


def _kinded(one: Prefix) -> str:
    return f"{one} ({one.kind})"


def _any_of(kinds: Sequence[Kind]) -> str:
    return " or ".join(_A[kind] for kind in kinds)


def _those(below: Sequence[Prefix]) -> str:
    """The outermost of what is inside of something, as the subject of a sentence and its verb."""
    outermost: list[Prefix] = []
    for one in sorted(below, key=lambda one: (one.range.start, -one.range.size)):
        if not outermost or one.range.start >= outermost[-1].range.stop:
            outermost.append(one)
    return f"{_listed([_kinded(one) for one in outermost])} {'is' if len(outermost) == 1 else 'are'}"


def _listed(texts: Sequence[str]) -> str:
    """Some of the texts, and how many more there are."""
    more = len(texts) - _LISTED_MAX
    return ", ".join(texts[:_LISTED_MAX]) + (f" and {more} more" if more > 0 else "")
