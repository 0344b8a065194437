"""
From what a client asks to what may be taken where, and whether it makes sense at all.

Does not know what is free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ring.address import Family, Range, format_range
from weaveipam.allocation.pools import Part, Pools
from weaveipam.protocol.requests import Allocate, Reason, Refusal, Want
from weaveipam.protocol.values import Allocation, RingId

KEY_BYTES_MAX = 512
LABELS_MAX = 64
LABEL_BYTES_MAX = 512
"""Of a label's name, and of its value; Kubernetes allows 317 and 63."""
WANTS_MAX = 16
"""Addresses of one request; an interface with more is a mistake, and each costs a search."""


@dataclass(frozen=True, slots=True)
class Line:
    """One want, resolved: `size` aligned addresses from any of the parts, within the ranges if any."""

    ring: RingId
    parts: tuple[Part, ...]
    within: tuple[Range, ...]
    size: int

    def of(self, wanted: Callable[[Part], bool]) -> Line:
        """The same, of those parts alone that are wanted."""
        return replace(self, parts=tuple(part for part in self.parts if wanted(part)))

    @property
    def exact(self) -> bool:
        """Whether particular addresses are wanted and no others will do."""
        return len(self.within) == 1 and self.within[0].size == self.size


def resolve(request: Allocate, pools: Pools) -> tuple[Line, ...] | Refusal:
    """What a request amounts to, or why it can never be met."""
    if not _is_text(request.key, KEY_BYTES_MAX) or not request.key:
        return Refusal(Reason.INVALID, f"a key is 1 to {KEY_BYTES_MAX} bytes of text")
    if len(request.labels) > LABELS_MAX:
        return Refusal(Reason.INVALID, f"at most {LABELS_MAX} labels can be given")
    if not all(_is_text(text, LABEL_BYTES_MAX) for label in request.labels for text in label):
        return Refusal(Reason.INVALID, f"a label's name and value have at most {LABEL_BYTES_MAX} bytes")
    if len(request.wants) > WANTS_MAX:
        return Refusal(Reason.INVALID, f"at most {WANTS_MAX} addresses can be asked for at once")
    if not pools.names(request.network):
        return Refusal(Reason.NO_SUCH_POOL, f"network {request.network} has no pools")
    lines: list[Line] = []
    for want in request.wants or _one_of_each(request.network, pools):
        line = _line(request.network, want, pools)
        if isinstance(line, Refusal):
            return line
        lines.append(line)
    return tuple(lines)


def _is_text(text: str, bytes_max: int) -> bool:
    """Whether the disk can hold it: lone surrogates, which JSON can bring, are no text."""
    try:
        return len(text.encode()) <= bytes_max
    except UnicodeEncodeError:
        return False


def satisfies(held: Allocation, lines: tuple[Line, ...]) -> bool:
    """Whether what a key holds is what is asked for again."""
    if len(held.addresses) != len(lines):
        return False
    pairs = zip(held.addresses, lines, strict=True)
    return all(
        one.family is line.ring.family
        and one.range.size == line.size
        and one.pool in {part.pool for part in line.parts}
        and (not line.within or any(within.covers(one.range) for within in line.within))
        for one, line in pairs
    )


def _one_of_each(network: str, pools: Pools) -> tuple[Want, ...]:
    return tuple(Want(family) for family in Family if pools.parts(network, (), family))


def _line(network: str, want: Want, pools: Pools) -> Line | Refusal:
    for name in want.pools:
        if name not in pools.names(network):
            known = ", ".join(pools.names(network))
            return Refusal(
                Reason.NO_SUCH_POOL, f"network {network} has no pool {name}; its pools are: {known}"
            )
    families = [want.family] if want.family is not None else list(Family)
    carried = [one for one in families if pools.parts(network, want.pools, one)]
    if not carried or (want.within and want.family is None):
        named = ", ".join(want.pools or pools.names(network))
        return Refusal(Reason.INVALID, f"no IPv{want.family or '4'} addresses in {named}")
    ring = RingId(network, carried[0])
    if any(one.stop > ring.family.size for one in want.within):
        return Refusal(Reason.INVALID, f"what is wanted goes beyond the addresses of IPv{int(ring.family)}")
    size = _size(want, ring.family)
    if size is None:
        return Refusal(
            Reason.INVALID, f"a prefix length is 0 to {ring.family.bits}, not {want.prefix_length}"
        )
    parts = pools.parts(network, want.pools, ring.family)
    if want.within:
        parts = tuple(part for part in parts if any(pools.stocks[part].meet(one) for one in want.within))
    if not parts:
        wanted = ", ".join(format_range(ring.family, one) for one in want.within)
        named = ", ".join(want.pools) or f"any pool of network {network}"
        return Refusal(Reason.INVALID, f"{wanted} is not in {named}, or is set aside there")
    return Line(ring, parts, want.within, size)


def _size(want: Want, family: Family) -> int | None:
    if want.prefix_length is None:
        return 1
    if not 0 <= want.prefix_length <= family.bits:
        return None
    return 1 << (family.bits - want.prefix_length)
