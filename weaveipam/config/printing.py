"""
Pools as tables that `parse_pool` takes: the same pool comes of them again.

Does not know where they are shown.
"""

from __future__ import annotations

from typing import Any

from ring.address import Range, format_address, format_range, subtract
from weaveipam.config.pools import WHOLE_KINDS
from weaveipam.config.ranges import pool_range
from weaveipam.protocol.values import DEFAULT_NETWORK, Attributes, Order, Pool, PoolRange


def pool_table(pool: Pool) -> dict[str, Any]:
    """What an operator would write for a pool; what is as by default is left out."""
    named: dict[str, list[str]] = {}
    for one in pool.preallocations:
        named.setdefault(one.name, []).append(format_address(one.family, one.address))
    table = {
        "network": "" if pool.network == DEFAULT_NETWORK else pool.network,
        "kind": pool.kind,
        "disabled": pool.disabled,
        "labels": dict(pool.labels),
        "order": "" if pool.order is Order.SPREAD else pool.order.name.lower(),
        "manual": pool.manual,
        "node_selector": pool.node_selector,
        "namespace_selector": pool.namespace_selector,
        "pod_selector": pool.pod_selector,
        "limit": pool.limit,
        "node_limit": pool.node_limit,
        "preallocate": named,
    }
    cooldown = {} if pool.cooldown_s is None else {"cooldown": pool.cooldown_s}
    return {
        "name": pool.name,
        "ranges": [_range(one, whole=pool.kind in WHOLE_KINDS) for one in pool.ranges],
        **{key: value for key, value in table.items() if value},
        **cooldown,
    }


def _range(one: PoolRange, *, whole: bool) -> str | dict[str, Any]:
    """A range alone where it says all; nothing of it is set aside by default if it is `whole`."""
    text = format_range(one.family, one.range)
    table: dict[str, Any] = {}
    if one.prefix_length != pool_range(text).prefix_length:
        table["prefix_length"] = one.prefix_length
    if one.gateway is not None:
        table["gateway"] = format_address(one.family, one.gateway)
    excluded = subtract(one.excluded, one.beyond_limit)
    aside = pool_range(text, one.prefix_length, aside=True).excluded
    if aside:
        sets_aside = not subtract(aside, excluded)
        if sets_aside is not ("/" in text and not whole):
            table["set_aside"] = sets_aside
        aside = aside if sets_aside else ()
    gateway = () if one.gateway is None else (Range(one.gateway, one.gateway + 1),)
    for key, ranges in (
        ("exclude", subtract(excluded, (*aside, *gateway))),
        ("reserve", one.reserved),
    ):
        if ranges:
            table[key] = [format_range(one.family, each) for each in ranges]
    table |= attributes_table(one.attributes)
    return {"range": text, **table} if table else text


def attributes_table(told: Attributes) -> dict[str, Any]:
    """What addresses are handed out with; what there is nothing of is left out."""
    dns = {
        "nameservers": list(told.nameservers),
        "domain": told.domain,
        "search": list(told.search),
        "options": list(told.resolver_options),
    }
    dns = {key: value for key, value in dns.items() if value}
    routes = [{"dst": one.destination, **({"gw": one.gateway} if one.gateway else {})} for one in told.routes]
    table = {"dns": dns, "routes": routes, "vlan": told.vlan}
    return {key: value for key, value in table.items() if value}
