"""
Addresses in use, as another address manager wrote them down, and what to claim here for them.

Does not know any format, nor how keys are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ring.address import Family, format_address

TEXT_CHARACTERS_MAX = 100
"""Of what was read, in a sentence about it."""

ADDRESSES_MAX = 16
"""Of one key, as many as the allocator takes."""

Address: TypeAlias = tuple[Family, int]


class FormatError(ValueError):
    """A source is not what it was said to be; the message says where and what was expected."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """Who has an address: a container, by one of its interfaces."""

    container_id: str
    ifname: str = ""
    """Empty: it was not written down."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One address in use."""

    where: str
    """File, and line or record, for messages."""
    address: Address
    holder: Attachment | str
    """A string: the key, as it is."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that cannot be taken over."""

    where: str
    detail: str
    address: Address | None = None
    """If one can be told."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a source says."""

    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else it tells that helps to set the new cluster up: a name and a sentence each."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Everything that one key is to have, all at once."""

    key: str
    places: tuple[tuple[Address, str], ...]
    """Addresses, and where each was first found; at least one, sorted, without repeats."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Sorted by family and value."""
        return tuple(address for address, _ in self.places)


def claims_of(
    entries: Iterable[Entry], key_of: Callable[[Attachment], str]
) -> tuple[tuple[Claim, ...], tuple[Fault, ...]]:
    """
    One claim for each key, in order of their first addresses, and the entries that allow none.

    An address that two keys have is claimed for the first of them.

    Args:
        entries: In any order.
        key_of: The key of an attachment; raises ValueError, with a sentence, if it can have none.
    """
    holders: dict[Address, str] = {}
    held: dict[str, dict[Address, str]] = {}
    faults: list[Fault] = []
    for one in entries:
        try:
            key = one.holder if isinstance(one.holder, str) else key_of(one.holder)
        except ValueError as error:
            faults.append(Fault(one.where, str(error), one.address))
            continue
        if holders.setdefault(one.address, key) != key:
            both = f"for {short(holders[one.address])} and for {short(key)}"
            detail = f"{format_address(*one.address)} is there twice, {both}"
            faults.append(Fault(one.where, detail, one.address))
            continue
        held.setdefault(key, {}).setdefault(one.address, one.where)
    claims: list[Claim] = []
    for key, places in held.items():
        if len(places) <= ADDRESSES_MAX:
            claims.append(Claim(key, tuple(sorted(places.items()))))
            continue
        detail = f"{short(key)} has {len(places)} addresses; a key can have {ADDRESSES_MAX}"
        faults += [Fault(where, detail, address) for address, where in places.items()]
    return tuple(sorted(claims, key=lambda one: one.places)), tuple(faults)


def short(text: str) -> str:
    """What was read, quoted and cut to fit a sentence."""
    return ascii(text if len(text) <= TEXT_CHARACTERS_MAX else text[:TEXT_CHARACTERS_MAX] + "...")
