"""
What this node's holdings show to those who ask: pools, rings, allocations, look-ups.

Changes nothing.  Does not know who is a member beyond who seems alive.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ring.address import format_address
from ring.ring import Peer
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.pools import Part
from weaveipam.protocol.requests import (
    Allocations,
    Found,
    GetAllocations,
    GetRing,
    Lookup,
    NetworkView,
    PoolUse,
    Reason,
    Refusal,
    RingView,
)
from weaveipam.protocol.values import Loan, Pool, RingId


def pool_uses(holdings: Holdings, reachable: Collection[Peer]) -> tuple[PoolUse, ...]:
    """Every pool and how full it is, by name; linear in the runs of the rings."""
    away = _unreachable(holdings, reachable)
    return tuple(_pool_use(holdings, pool, away) for pool in holdings.pools)


def networks(names: Iterable[str], uses: Collection[PoolUse]) -> tuple[NetworkView, ...]:
    """The network instances of some names, and what their pools come to."""
    return tuple(_network(name, [use for use in uses if use.pool.network == name]) for name in names)


def _network(name: str, uses: Collection[PoolUse]) -> NetworkView:
    return NetworkView(
        name,
        pools=tuple(use.pool.name for use in uses),
        rings=tuple(sorted({RingId(name, one.family) for use in uses for one in use.pool.ranges})),
        size=sum(use.size for use in uses),
        owned=sum(use.owned for use in uses),
        used=sum(use.used for use in uses),
    )


def ring_view(holdings: Holdings, asked: GetRing) -> RingView | Refusal:
    """The runs of one ring."""
    if asked.ring not in holdings.pools.rings():
        known = ", ".join(str(one) for one in holdings.pools.rings()) or "none"
        return Refusal(Reason.NOT_FOUND, f"there is no ring {asked.ring}; there are: {known}")
    return RingView(asked.ring, tuple(holdings.rings[asked.ring]))


def allocations(holdings: Holdings, asked: GetAllocations, now: float) -> Allocations | Refusal:
    """What is allocated here, of one pool or of all."""
    if asked.pool is not None and asked.pool not in holdings.pools:
        return Refusal(Reason.NO_SUCH_POOL, f"there is no pool {asked.pool}")
    found = tuple(
        one
        for one in holdings.leases
        if asked.pool is None or any(each.pool == asked.pool for each in one.addresses)
    )
    terms = holdings.leases.terms
    return Allocations(found, tuple(terms.left_s(one, now) for one in found) if terms else ())


def lookup(holdings: Holdings, me: Peer, asked: Lookup, now: float) -> Found | Refusal:
    """Who holds a key here, or an address anywhere."""
    if asked.key is not None:
        held = holdings.leases.get(asked.network, asked.key)
        if held is None:
            return Refusal(Reason.NOT_FOUND, f"key {asked.key} holds nothing at this daemon")
        return Found(held, me, held.addresses[0].pool, holdings.leases.terms.left_s(held, now))
    if asked.address is None:
        return Refusal(Reason.INVALID, "a look-up names a key or an address")
    family, address = asked.address
    if not 0 <= address < family.size:
        return Refusal(Reason.INVALID, f"{address} is no address of IPv{int(family)}")
    ring = RingId(asked.network, family)
    found = holdings.pools.range_at(ring, address)
    if found is None:
        text = format_address(family, address)
        return Refusal(Reason.NOT_FOUND, f"{text} is in no pool of network {asked.network}")
    run = holdings.rings[ring].at(address)
    owner = None if run is None else run.owner
    held = holdings.leases.at(ring, address)
    left_s = None if held is None else holdings.leases.terms.left_s(held, now)
    return Found(held, owner, found[0], left_s)


def _unreachable(holdings: Holdings, reachable: Collection[Peer]) -> dict[Part, int]:
    away: dict[Part, int] = {}
    for part, stock in holdings.pools.stocks.items():
        away[part] = sum(
            run.stop - run.start
            for one in stock.assignable
            for run in holdings.rings[part.ring].within(one)
            if run.owner not in reachable
        )
    return away


def _pool_use(holdings: Holdings, pool: Pool, away: dict[Part, int]) -> PoolUse:
    stocks = {part: holdings.pools.stocks[part] for part in holdings.pools.parts_of(pool.name)}
    owned = sum(stock.owned for stock in stocks.values())
    foreign = sum(loan.range.size for part in stocks for loan in _foreign_in(holdings, part))
    used = sum(stock.used for stock in stocks.values()) - foreign
    cooling = sum(stock.space.cooling_count for stock in stocks.values())
    return PoolUse(
        pool,
        size=sum(stock.size for stock in stocks.values()),
        owned=owned,
        used=used,
        cooling=cooling,
        unreachable=sum(away[part] for part in stocks),
        withheld=owned - used - cooling - sum(stock.space.free_count for stock in stocks.values()),
        reserved=sum(stock.space.free_count for part, stock in stocks.items() if part.kept),
        parent=holdings.pools.parent(pool.name),
    )


def _foreign_in(holdings: Holdings, part: Part) -> list[Loan]:
    """Addresses of a part that are leased here and owned by others."""
    return [
        loan
        for loan, _ in holdings.foreign.loans(holdings.rings)
        if loan.ring == part.ring
        and any(one.meet(loan.range) for one in holdings.pools.stocks[part].assignable)
    ]
