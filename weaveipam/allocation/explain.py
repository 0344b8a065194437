"""
Why a request came to nothing, in a sentence that says what would help.

Changes nothing.  Does not know how the request was tried.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ring.address import format_range
from ring.ring import Peer
from ring.space import largest_block
from weaveipam.allocation.donors import Search
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.orders import Line
from weaveipam.allocation.pending import Waiting
from weaveipam.allocation.pools import Pools
from weaveipam.protocol.requests import Reason

NAMED_MAX = 5
"""Peers that a sentence names; the others are counted."""


def why_none(
    holdings: Holdings, line: Line, waiting: Waiting, reachable: Collection[Peer]
) -> tuple[Reason, str]:
    """Why a line found nothing after every search for it has failed."""
    withheld = _withheld(holdings, line) if line.exact else None
    if withheld is not None:
        return withheld
    taken = line.exact and any(search.taken for search in waiting.failed.values())
    here = holdings.leases.at(line.ring, line.within[0].start) if line.exact else None
    if taken or here is not None:
        run = holdings.rings[line.ring].at(line.within[0].start)
        where = "here" if here is not None or run is None else f"at {run.owner.name}"
        by = f", by key {here.key}" if here is not None else ""
        return Reason.IN_USE, f"{format_range(line.ring.family, line.within[0])} is in use {where}{by}"
    owner = holdings.rings[line.ring].at(line.within[0].start) if line.exact else None
    if owner is not None and owner.owner not in reachable:
        text = format_range(line.ring.family, line.within[0])
        return Reason.NOT_OWNER, f"{text} is owned by {owner.owner.name}, which is unreachable"
    names = ", ".join(part.pool for part in line.parts)
    free = sum(holdings.pools.stocks[part].space.free_count for part in line.parts)
    size = sum(holdings.pools.stocks[part].size for part in line.parts)
    what = f"block of {line.size} addresses" if line.size > 1 else "address"
    count = f"{free} of {size} free here{_largest(holdings, line)}"
    detail = f"no free {what} in pool {names}: {count}, none at the members that answered"
    return Reason.EXHAUSTED, detail + _nearest(line, waiting) + _away(holdings, line, reachable)


def why_closed(pools: Pools, line: Line) -> tuple[Reason, str] | None:
    """Why nothing may be handed out of any of a line's pools, whatever is free; None if it may."""
    if any(pools.is_open(line.size, part) for part in line.parts):
        return None
    off = [part.pool for part in line.parts if not pools.enabled(part)]
    if len(off) == len(line.parts):
        return Reason.CONFLICT, f"pool {', '.join(off)} is disabled; weaveipam pool enable changes that"
    limits = ", ".join(
        f"{part.pool} ({pools.used_of(part.pool)} of {pools[part.pool].node_limit})"
        for part in line.parts
        if pools.enabled(part)
    )
    return Reason.EXHAUSTED, f"this node may use no more addresses of pool {limits}: its node_limit"


def _withheld(holdings: Holdings, line: Line) -> tuple[Reason, str] | None:
    """Whether the one address wanted is here, but contested or kept for somebody at another daemon."""
    what = line.within[0]
    text = format_range(line.ring.family, what)
    for lent in holdings.loans.meeting(line.ring, what):
        detail = f"{text} is in use at {lent.holder.name}, by key {lent.loan.key}"
        return Reason.IN_USE, detail
    if holdings.contests.meeting(line.ring, what):
        return Reason.CONFLICT, f"{text} has two owners, and waits for a decision; see weaveipam conflicts"
    return None


def why_late(waiting: Waiting, search: Search | None, *, ready: bool) -> str:
    """
    Why a request waited until its deadline.

    Args:
        waiting: The request.
        search: The one that it waits for, if there is one.
        ready: Whether this daemon could ask for space at all.
    """
    if not ready:
        return "this daemon is not ready yet; see weaveipam status, and try again"
    searches = [one for one in (*waiting.failed.values(), search) if one is not None]
    silent = {peer.name for one in searches for peer in (*one.silent, *one.tries)}
    by = f": no answer from {_listed(sorted(silent))}" if silent else ""
    return f"space was asked for from peers, and none came within {waiting.request.wait_s:g} s{by}; try again"


def _largest(holdings: Holdings, line: Line) -> str:
    """How large a block is free here, if a block is wanted."""
    ranges = [one for part in line.parts for one in holdings.pools.stocks[part].space.free_ranges()]
    if line.size == 1 or not ranges:
        return ""
    return f" (at most {max(largest_block(one).size for one in ranges)} in one block)"


def _nearest(line: Line, waiting: Waiting) -> str:
    """How near it came to a block of several owners' addresses."""
    near = [search.near for search in waiting.failed.values() if search.near is not None]
    if not near:
        return ""
    block, free = max(near, key=lambda one: one[1])
    text = format_range(line.ring.family, block)
    return f"; of {text}, which several own, {free} of {block.size} could be had"


def _away(holdings: Holdings, line: Line, reachable: Collection[Peer]) -> str:
    away: dict[str, int] = {}
    region = line.within or tuple(
        one for part in line.parts for one in holdings.pools.stocks[part].assignable
    )
    for one in region:
        for run in holdings.rings[line.ring].within(one):
            if run.owner not in reachable:
                away[run.owner.name] = away.get(run.owner.name, 0) + run.stop - run.start
    if not away:
        return "; release some, or add a pool"
    most = sorted(away, key=lambda name: (-away[name], name))
    total = sum(away.values())
    shares = _listed([f"{name} ({away[name]})" for name in most])
    return f"; {total} {'is' if total == 1 else 'are'} out of reach, at {shares}"


def _listed(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
