"""
What it takes to have other pools and networks than there are, and what keeps them from being one cluster's.

Pure.  Does not know who must agree, nor what is in use.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

from ring.address import format_range
from weaveipam.allocation.campaign import Wanted
from weaveipam.allocation.extent import founded, given_up
from weaveipam.allocation.nest import prefix_of, prefixes
from weaveipam.protocol import nesting
from weaveipam.protocol.decisions import Charter
from weaveipam.protocol.nesting import Prefix
from weaveipam.protocol.requests import Change, ChangeNetwork, ChangePool, Reason, Refusal
from weaveipam.protocol.values import DEFAULT_NETWORK, Pool, RingId

NETWORKS_MAX = 1_000
"""Network instances of a cluster: each is named in every charter."""


def clashes(pools: Collection[Pool]) -> list[str]:
    """What keeps these pools from being those of one cluster, a sentence for each thing."""
    names = sorted(pool.name for pool in pools)
    found = [f"there are two pools named {one}" for one, other in pairwise(names) if one == other]
    found += [f"pool {pool.name} has no ranges" for pool in pools if not pool.ranges]
    found += _misplaced(pools)
    held = sorted(
        (RingId(pool.network, one.family), one.range, pool.name, pool.kind)
        for pool in pools
        for one in pool.ranges
    )
    both: dict[tuple[str, str], str] = {}
    for index, (ring, one, name, kind) in enumerate(held):
        for other_ring, other, other_name, other_kind in held[index + 1 :]:
            if other_ring != ring or other.start >= one.stop:
                break
            if kind and other_kind:
                continue
            texts = [format_range(ring.family, each) for each in (one, other)]
            both[name, other_name] = (
                f"pools {name} ({texts[0]}) and {other_name} ({texts[1]}) overlap in network {ring.network}"
            )
    return [*found, *both.values()]


def _misplaced(pools: Collection[Pool]) -> list[str]:
    """What is wrong with pools of a kind by themselves, or else with how they lie in one another."""
    found: list[str] = []
    placed: dict[str, list[Prefix]] = {}
    for pool in pools:
        if pool.kind and pool.ranges:
            try:
                placed.setdefault(pool.network, []).append(prefix_of(pool))
            except ValueError as error:
                found.append(f"pool {pool.name}: {error}")
    return found or [
        f"network {network}: {one}" for network in sorted(placed) for one in nesting.clashes(placed[network])
    ]


def wanted_for(change: Change, charter: Charter) -> Wanted | Refusal | None:
    """
    What is to be decided for a change; a refusal if it cannot be; None if it is so already.

    Args:
        change: What somebody asks for.
        charter: What there is.
    """
    if isinstance(change, ChangeNetwork):
        return _network_for(change, charter)
    pools = charter.pools
    held = next((pool for pool in pools if pool.name == change.name), None)
    if held == change.wanted:
        return None
    if held != change.base:
        return Refusal(Reason.CONFLICT, _meanwhile(change, held))
    if change.wanted is not None and change.wanted.network not in charter.all_networks:
        return Refusal(Reason.NOT_FOUND, _no_network(change.wanted.network, charter))
    others = [pool for pool in pools if pool.name != change.name]
    after = others if change.wanted is None else [*others, change.wanted]
    refusal = None if held is None else _unchangeable(held, change.wanted, others)
    problems = clashes(after)
    if refusal is None and problems:
        refusal = Refusal(Reason.CONFLICT, "; ".join(problems))
    return refusal or Wanted(
        put=() if change.wanted is None else (change.wanted,),
        drop=(change.name,) if change.wanted is None else (),
        founds=founded(pools, after),
        vacates=given_up(pools, after),
    )


def _unchangeable(held: Pool, wanted: Pool | None, others: Collection[Pool]) -> Refusal | None:
    """Why a pool that there is cannot become that, or go; None if its own nature does not keep it."""
    if wanted is None:
        for gone in prefixes([held], held.network):
            inside = nesting.removal_refusal(prefixes(others, held.network), gone)
            if inside is not None:
                return Refusal(Reason.IN_USE, inside.detail)
    elif held.network != wanted.network:
        return Refusal(Reason.INVALID, f"a pool stays in its network; {held.name} is in {held.network}")
    elif held.kind != wanted.kind:
        kind = f"kind {held.kind}" if held.kind else "no kind"
        return Refusal(Reason.INVALID, f"a pool keeps its kind; {held.name} is of {kind}")
    return None


def _network_for(change: ChangeNetwork, charter: Charter) -> Wanted | Refusal | None:
    if change.exists == (change.name in charter.all_networks):
        return None
    if change.exists:
        if len(charter.networks) >= NETWORKS_MAX:
            detail = f"there are {NETWORKS_MAX} networks already; delete one that is not used any more"
            return Refusal(Reason.CONFLICT, detail)
        return Wanted(open=(change.name,))
    if change.name == DEFAULT_NETWORK:
        return Refusal(Reason.INVALID, f"network {DEFAULT_NETWORK} always exists; delete its pools instead")
    inside = [pool.name for pool in charter.pools if pool.network == change.name]
    if inside:
        detail = f"network {change.name} has pools: {', '.join(inside)}; delete them first"
        return Refusal(Reason.IN_USE, detail)
    return Wanted(close=(change.name,))


def _no_network(name: str, charter: Charter) -> str:
    there = ", ".join(charter.all_networks)
    return f"there is no network {name}; there are: {there}; create it with weaveipam network create {name}"


def _meanwhile(change: ChangePool, held: Pool | None) -> str:
    if held is None:
        return f"there is no pool {change.name}"
    if change.base is None:
        return f"there is another pool {change.name} already"
    return f"pool {change.name} was changed meanwhile; look at it, and say again what it shall be"
