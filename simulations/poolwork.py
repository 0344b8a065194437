"""
An operator who changes pools: makes new ones, has them grow and shrink, switches them off and on, drops them.

All take their addresses from one small stock, so that what one pool has given up soon belongs to another.
Does not know when pools are changed, nor at whom, nor what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from ring.address import Range, parse_range, subtract
from simulations.policies import drawn_policies, trimmed
from simulations.pools import rings_of
from weaveipam.protocol.nesting import Kind
from weaveipam.protocol.requests import ChangePool
from weaveipam.protocol.values import Pool, PoolRange

NAMES = ("amber", "coral", "ivory", "olive")
"""Of the pools that are made."""
STOCK = {
    "default": ("10.50.0.0/28", "10.50.0.16/29", "10.50.0.24-10.50.0.39", "fd00:50::/124"),
    "red": ("10.50.0.0/28", "10.50.0.16/28"),
    "nest": (
        "10.50.0.0/26",
        "10.50.0.0/27",
        "10.50.0.32/27",
        "10.50.0.0/28",
        "10.50.0.32/28",
        "10.50.0.8/29",
    ),
}
"""The ranges that they are made of, by network; what is in one network does not concern the other."""
NESTED = "nest"
"""The network whose pools have kinds, and lie in one another, if the operator draws what may."""
OWN = 0.8
"""Chance to change a pool that was made, if there is any, and not one of the first."""
DRAIN = 0.4
"""Chance to wait for those who use what is to be given up."""
WAITS_S = (0.5, 3.0, 10.0)
"""How long a change may take."""
NETWORK_ENDS = 0.1
"""Chance that with a change somebody tries to delete a network, which may have pools."""
NEAR_FULL = 3
"""Pools that were made from which on another one is made only now and then."""


_KINDS = (*(Kind.AGGREGATE.value,) * 3, *(kind.value for kind in Kind))
"""Most must be aggregates, as nothing else stands alone."""


def _pieces(network: str) -> list[PoolRange]:
    pieces = []
    for text in STOCK[network]:
        family, held = parse_range(text)
        pieces.append(PoolRange(family, held, family.bits))
    return pieces


def _pool(name: str, network: str, pieces: Sequence[PoolRange]) -> Pool:
    return Pool(name, network, tuple(sorted(pieces, key=lambda one: (one.family, one.range))))


RINGS = rings_of(_pool(network, network, _pieces(network)) for network in STOCK)
"""Every ring on which there may be addresses of theirs."""


def drawn_change(pools: Sequence[Pool], rng: Random, *, name: str = "", policies: bool = False) -> ChangePool:
    """
    What an operator may want who sees these pools.

    Args:
        pools: Those there are.
        rng: Decides what.
        name: Of the pool; if none is given it is drawn.
        policies: Whether a new pool has rules on who gets its addresses.
    """
    own = [pool for pool in pools if pool.name in NAMES]
    free = [one for one in NAMES if one not in {pool.name for pool in pools}]
    if not name:
        fresh = not own or (free and rng.random() < (1 / 3 if len(own) < NEAR_FULL else 0.1))
        among = own if own and rng.random() < OWN else list(pools)
        name = rng.choice(free) if fresh or not among else rng.choice(among).name
    base = next((pool for pool in pools if pool.name == name), None)
    wanted = _made(name, rng) if base is None else rng.choice(KINDS)(base, rng)
    if base is None and wanted is not None and policies:
        wanted = drawn_policies(wanted, rng)
    return ChangePool(name, base, wanted, drain=rng.random() < DRAIN, wait_s=rng.choice(WAITS_S))


def _made(name: str, rng: Random) -> Pool:
    """A pool of one or two pieces of the stock, which others may have; of one, if it has a kind."""
    network = rng.choice(list(STOCK))
    first = rng.choice(_pieces(network))
    if network == NESTED:
        return replace(_pool(name, network, [first]), kind=rng.choice(_KINDS))
    others = [one for one in _pieces(network) if one.family is first.family and one != first]
    return _pool(name, network, [first, *rng.sample(others, min(len(others), rng.randint(0, 1)))])


def _grown(pool: Pool, rng: Random) -> Pool:
    """With one more piece, as far as none of it is there; or as another piece, if it has a kind."""
    if pool.kind:
        return _with(pool, [rng.choice(_pieces(pool.network))])
    family = pool.ranges[0].family
    pieces = [one for one in _pieces(pool.network) if one.family is family] if pool.network in STOCK else []
    held = [one.range for one in pool.ranges]
    fresh = [one for one in pieces if subtract((one.range,), held) == (one.range,)]
    return _with(pool, [*pool.ranges, rng.choice(fresh)]) if fresh else pool


def _shrunk(pool: Pool, rng: Random) -> Pool:
    """Without one of its ranges, or half of one."""
    number = rng.randrange(len(pool.ranges))
    one = pool.ranges[number]
    others = [*pool.ranges[:number], *pool.ranges[number + 1 :]]
    if one.range.size == 1 or (others and rng.random() < 1 / 2):
        return _with(pool, others or [one])
    middle = one.range.start + one.range.size // 2
    half = rng.choice((Range(one.range.start, middle), Range(middle, one.range.stop)))
    excluded = tuple(both for each in one.excluded if (both := each.meet(half)))
    return _with(pool, [*others, replace(one, range=half, gateway=None, excluded=excluded)])


def _set_aside(pool: Pool, rng: Random) -> Pool:
    """With one address excluded, or none any more."""
    number = rng.randrange(len(pool.ranges))
    one = pool.ranges[number]
    where = rng.randrange(one.range.start, one.range.stop)
    excluded = () if one.excluded else (Range(where, where + 1),)
    others = [*pool.ranges[:number], *pool.ranges[number + 1 :]]
    return _with(pool, [*others, replace(one, gateway=None, excluded=excluded)])


def _with(pool: Pool, ranges: Sequence[PoolRange]) -> Pool:
    return trimmed(replace(pool, ranges=_pool(pool.name, pool.network, ranges).ranges))


def _switched(pool: Pool, _rng: Random) -> Pool:
    """Disabled, or enabled."""
    return replace(pool, disabled=not pool.disabled)


def _dropped(_pool: Pool, _rng: Random) -> None:
    """No longer there."""


KINDS: tuple[Callable[[Pool, Random], Pool | None], ...] = (
    _grown,
    _grown,
    _shrunk,
    _shrunk,
    _set_aside,
    _switched,
    _dropped,
    _dropped,
)
"""What may become of a pool that there is."""
