"""
Which pools a want may come from by their kinds: the rules of nested prefixes, for those who ask.

Does not know what is free, nor by what else pools are chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

from ring.address import Family, Range
from weaveipam.allocation.nest import prefixes
from weaveipam.allocation.pools import Pools
from weaveipam.protocol.nesting import (
    ADDRESS_PARENTS,
    ADDRESS_SOURCES,
    PARENTS,
    Kind,
    Prefix,
    Refused,
    address_parent_of,
)
from weaveipam.protocol.requests import Reason, Refusal, Want
from weaveipam.protocol.values import RingId

PLAIN = ""
"""The kind of pools that are no nested prefixes."""
ANY_ADDRESS = (PLAIN, Kind.NETWORK, Kind.POOL, Kind.LOOPBACK)
"""
Kinds of pools that addresses come from when nobody says what kind of address it is to be.

But where nobody names a pool either, nor the address, it is none of a loopback: those are for who says so.
"""
ANY_BLOCK = (PLAIN, Kind.AGGREGATE, Kind.POOL)
"""The same of blocks: in the other two there are only addresses."""
SHOWN_MAX = 5
"""Pools that a sentence names."""


def fitting(want: Want, network: str, names: Sequence[str], pools: Pools) -> tuple[str, ...] | Refusal:
    """
    Those of some pools that a want may come from, the best kinds first; or why it may come from none.

    Args:
        want: What is asked for.
        network: Whose pools they are.
        names: Of the pools, in the order in which they would be tried.
        pools: All there are.
    """
    if not want.kind and not pools.has_kinds(network):
        return tuple(names)
    if want.kind and want.kind not in list(Kind):
        return Refusal(Reason.INVALID, f"there is no kind {want.kind}; there are: {', '.join(Kind)}")
    block, exact = _is_block(want, names, pools), _exact(want)
    allowed = _allowed(want.kind, block=block, exact=exact is not None)
    if not (block or want.kind or want.pools or want.selector or exact is not None):
        allowed = tuple(kind for kind in allowed if kind != Kind.LOOPBACK)
    if exact is not None and not block:
        found = pools.range_at(RingId(network, exact[0]), exact[1].start)
        if found is not None and found[0] in names:
            names = (found[0],)
    fits = [name for name in names if pools[name].kind in allowed]
    if fits:
        return tuple(sorted(fits, key=lambda name: allowed.index(pools[name].kind)) if want.kind else fits)
    if exact is not None and not block and want.kind:
        there = prefixes(list(pools), network)
        why = address_parent_of(there, Prefix("", Kind(want.kind), exact[0], exact[1]))
        if isinstance(why, Refused):
            return Refusal(Reason.INVALID, why.detail)
    return Refusal(Reason.INVALID, _why(want, block, allowed, names, pools, network))


def _is_block(want: Want, names: Sequence[str], pools: Pools) -> bool:
    family = want.family or (Family.V4 if any(pools.carries(one, Family.V4) for one in names) else Family.V6)
    return want.prefix_length is not None and want.prefix_length < family.bits


def _exact(want: Want) -> tuple[Family, Range] | None:
    """The one address that is asked for by its number, if it is."""
    if want.family is None or len(want.within) != 1 or want.within[0].size != 1:
        return None
    return want.family, want.within[0]


def _allowed(kind: str, *, block: bool, exact: bool) -> tuple[str, ...]:
    if not kind:
        return ANY_BLOCK if block else ANY_ADDRESS
    if block:
        return PARENTS[Kind(kind)]
    return (ADDRESS_PARENTS if exact else ADDRESS_SOURCES)[Kind(kind)]


def _why(
    want: Want, block: bool, allowed: Sequence[str], names: Sequence[str], pools: Pools, network: str
) -> str:
    """Why none of some pools will do, and which would."""
    what = f"a block of kind {want.kind}" if block and want.kind else "a block"
    if not block:
        what = f"an address of kind {want.kind}" if want.kind else "an address"
    if not allowed:
        return f"{what} is nothing to be picked; ask for a block in it, or for kind network, pool or loopback"
    kinds = " or ".join(f"kind {kind}" if kind else "no kind" for kind in allowed)
    others = [name for name in pools.names(network) if pools[name].kind in allowed]
    would = f"{_listed(others)} would do" if others else "name a pool, or say of what kind it is to be"
    return f"{what} comes from a pool of {kinds}, and not from {_shown(names, pools)}; {would}"


def _shown(names: Sequence[str], pools: Pools) -> str:
    return _listed([f"{name} ({pools[name].kind or 'no kind'})" for name in names])


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - SHOWN_MAX
    return ", ".join(texts[:SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
