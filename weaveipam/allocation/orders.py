"""
From what a client asks to what may be taken where, and whether it makes sense at all.

Does not know what is free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ring.address import Family, Range, format_range
from weaveipam.allocation.choosing import candidates
from weaveipam.allocation.kinds import fitting
from weaveipam.allocation.pools import Part, Pools
from weaveipam.protocol.requests import Allocate, Reason, Refusal, Want
from weaveipam.protocol.values import TTL_MAX_S, Allocation, RingId

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


def resolve(
    request: Allocate, pools: Pools, node_labels: Mapping[str, str] | None = None
) -> tuple[Line, ...] | Refusal:
    """
    What a request amounts to, or why it can never be met.

    Args:
        request: What is asked for.
        pools: All there are.
        node_labels: As of `candidates`.
    """
    wrong = _malformed(request)
    if wrong:
        return Refusal(Reason.INVALID, wrong)
    if not pools.names(request.network):
        return Refusal(Reason.NO_SUCH_POOL, f"network {request.network} has no pools")
    lines: list[Line] = []
    for want in request.wants or (None,):
        names = candidates(request, want or Want(), pools, node_labels)
        if not isinstance(names, Refusal):
            names = fitting(want or Want(), request.network, names, pools)
        if isinstance(names, Refusal):
            return names
        for line in _lines(request, want, names, pools):
            if isinstance(line, Refusal):
                return line
            lines.append(line)
    return tuple(lines)


def _malformed(request: Allocate) -> str:
    """What is wrong with a request, whatever pools there are; empty if nothing is."""
    if not _is_text(request.key, KEY_BYTES_MAX) or not request.key:
        return f"a key is 1 to {KEY_BYTES_MAX} bytes of text"
    if not _is_text(request.name, KEY_BYTES_MAX):
        return f"a name is at most {KEY_BYTES_MAX} bytes of text"
    if len(request.labels) > LABELS_MAX:
        return f"at most {LABELS_MAX} labels can be given"
    if not all(_is_text(text, LABEL_BYTES_MAX) for label in request.labels for text in label):
        return f"a label's name and value have at most {LABEL_BYTES_MAX} bytes"
    if len(request.wants) > WANTS_MAX:
        return f"at most {WANTS_MAX} addresses can be asked for at once"
    if request.ttl_s is not None and not 1 <= request.ttl_s <= TTL_MAX_S:
        return f"a time to live is 1 to {TTL_MAX_S} whole seconds, not {request.ttl_s}"
    return ""


def _is_text(text: str, bytes_max: int) -> bool:
    """Whether the disk can hold it: lone surrogates, which JSON can bring, are no text."""
    try:
        return len(text.encode()) <= bytes_max
    except UnicodeEncodeError:
        return False


def repeated(request: Allocate, held: Allocation) -> Allocate:
    """A request of a key that holds something: where any family or pool will do, that which it was given."""
    if len(request.wants) != len(held.addresses):
        return request
    wants: list[Want] = []
    for want, one in zip(request.wants, held.addresses, strict=True):
        again = replace(want, family=want.family or one.family)
        if want.fallback or not (want.pools or want.selector):
            again = replace(again, pools=(one.pool,), fallback=False)
        wants.append(again)
    return replace(request, wants=tuple(wants))


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


def _lines(
    request: Allocate, want: Want | None, names: Sequence[str], pools: Pools
) -> Iterator[Line | Refusal]:
    """What a want amounts to that any of some pools may serve; none: one of each family that they carry."""
    families = [one for one in Family if any(pools.carries(name, one) for name in names)]
    if want is None:
        for family in families:
            yield _line(request, Want(family), family, names, pools)
        return
    if want.family is not None:
        families = [one for one in families if one is want.family]
    if not families or (want.within and want.family is None):
        detail = f"no IPv{want.family or '4'} addresses in {', '.join(names)}"
        yield Refusal(Reason.INVALID, detail)
        return
    yield _line(request, want, families[0], names, pools)


def _line(
    request: Allocate, want: Want, family: Family, names: Sequence[str], pools: Pools
) -> Line | Refusal:
    ring = RingId(request.network, family)
    if any(one.stop > family.size for one in want.within):
        return Refusal(Reason.INVALID, f"what is wanted goes beyond the addresses of IPv{int(family)}")
    size = _size(want, family)
    if size is None:
        return Refusal(Reason.INVALID, f"a prefix length is 0 to {family.bits}, not {want.prefix_length}")
    within: Sequence[Range] | Refusal = want.within
    if want.index is not None:
        within = _indexed(want, ring, names, pools)
    elif not want.within and size == 1:
        within = _preallocated(request.name, family, names, pools)
    if isinstance(within, Refusal):
        return within
    exact = len(within) == 1 and within[0].size == size
    parts = [Part(name, ring) for name in names]
    if exact:
        keeper = pools.kept_for(ring, within[0])
        if keeper not in {None, request.name}:
            text = format_range(family, within[0])
            return Refusal(Reason.CONFLICT, f"{text} is kept for {keeper}; ask in that name, or for another")
        parts = [pools.part_for(name, ring, within) for name in names]
    parts = [part for part in parts if part in pools.stocks]
    if within:
        parts = [part for part in parts if any(pools.stocks[part].meet(one) for one in within)]
    if not parts:
        wanted = ", ".join(format_range(family, one) for one in within) or f"any IPv{int(family)} address"
        return Refusal(Reason.INVALID, f"{wanted} is not in {', '.join(names)}, or is set aside there")
    return Line(ring, tuple(parts), tuple(within), size)


def _indexed(want: Want, ring: RingId, names: Sequence[str], pools: Pools) -> tuple[Range, ...] | Refusal:
    """The address of a number, in the first of some pools that carries the family."""
    assert want.index is not None, "an address is asked for by its number"
    if want.within or want.prefix_length is not None:
        return Refusal(
            Reason.INVALID, "an index names one address; it goes with no range and no prefix length"
        )
    name = next(one for one in names if pools.carries(one, ring.family))
    left = want.index
    for one in pools[name].ranges:
        if one.family is ring.family:
            if 0 <= left < one.range.size:
                return (Range(one.range.start + left, one.range.start + left + 1),)
            left -= one.range.size
    count = want.index - left
    detail = (
        f"pool {name} has no address {want.index}; its IPv{int(ring.family)} addresses are 0 to {count - 1}"
    )
    return Refusal(Reason.INVALID, detail)


def _preallocated(name: str, family: Family, names: Sequence[str], pools: Pools) -> tuple[Range, ...]:
    """What the first of some pools that keeps an address for a name keeps for it."""
    for pool in names if name else ():
        for one in pools[pool].preallocations:
            if one.name == name and one.family is family:
                return (Range(one.address, one.address + 1),)
    return ()


def _size(want: Want, family: Family) -> int | None:
    if want.prefix_length is None:
        return 1
    if not 0 <= want.prefix_length <= family.bits:
        return None
    return 1 << (family.bits - want.prefix_length)
