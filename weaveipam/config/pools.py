"""
Pools as an operator writes them; checked one by one and against each other.

Does not know where they were written, nor who owns their addresses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ring.address import Family, Range, format_address, parse_address, subtract
from weaveipam.allocation.poolchange import clashes
from weaveipam.config.ranges import LINK_KEYS, limited, read_ranges
from weaveipam.config.tables import Table
from weaveipam.protocol.nesting import Kind
from weaveipam.protocol.selectors import labels_problems, parse_selector
from weaveipam.protocol.values import DEFAULT_NETWORK, Order, Pool, PoolRange, Preallocation

NAME_CHARACTERS_MAX = 63
"""Of a pool or a network; a DNS label's."""
COOLDOWN_S_MAX = 86_400 * 365
_ADDRESSES_MAX = 1 << 128
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_SELECTORS = ("node_selector", "namespace_selector", "pod_selector")
_KEYS = (
    "name",
    "network",
    "ranges",
    *LINK_KEYS,
    "disabled",
    "labels",
    "order",
    "manual",
    *_SELECTORS,
    "cooldown",
    "limit",
    "node_limit",
    "preallocate",
    "kind",
)
WHOLE_KINDS = (Kind.AGGREGATE, Kind.POOL, Kind.LOOPBACK)
"""Kinds of which no address is set aside unless that is said: they are no subnets."""


def parse_pools(where: str, tables: Sequence[Mapping[str, Any]], problems: list[str]) -> tuple[Pool, ...]:
    """
    The pools of tables as `parse_pool` takes them; sorted by name.

    Args:
        where: They were said, for messages.
        tables: Values may be anything that TOML has.
        problems: One sentence is added for each thing that is wrong; such pools are left out.
    """
    pools: dict[str, Pool] = {}
    for table in tables:
        name = table.get("name")
        place = f"{where} {name}" if isinstance(name, str) and name else where
        try:
            pool = parse_pool(table)
        except ValueError as error:
            problems += [f"{place}: {line}" for line in str(error).splitlines()]
            continue
        if pool.name in pools:
            problems.append(f"{place}: there are two pools of that name")
        pools[pool.name] = pool
    problems += [f"{where}: {sentence}" for sentence in clashes(tuple(pools.values()))]
    return tuple(pools[name] for name in sorted(pools))


def parse_pool(values: Mapping[str, Any]) -> Pool:
    """
    The pool of one table; docs/reference/config.md has the keys.

    Raises:
        ValueError: one line for each thing that is wrong.
    """
    problems: list[str] = []
    table = Table(values, _KEYS, problems)
    limit = table.number("limit", 1, _ADDRESSES_MAX)
    kind = _kind(table)
    ranges = limited(read_ranges(table, aside=False if kind in WHOLE_KINDS else None), limit)
    pool = Pool(
        name=_name(table, "name", None),
        network=_name(table, "network", DEFAULT_NETWORK),
        ranges=ranges,
        disabled=bool(table.switch("disabled")),
        labels=_labels(table),
        order=_order(table),
        manual=bool(table.switch("manual")),
        cooldown_s=table.number("cooldown", 0, COOLDOWN_S_MAX),
        limit=limit,
        node_limit=table.number("node_limit", 1, _ADDRESSES_MAX),
        preallocations=_preallocations(table, ranges),
        kind=kind,
        **{key: _selector(table, key) for key in _SELECTORS},
    )
    if not problems and not any(subtract((one.range,), one.excluded) for one in ranges):
        problems.append("every address of the pool is set aside, as network, broadcast, gateway or excluded")
    if problems:
        raise ValueError("\n".join(problems))
    return pool


def _name(table: Table, key: str, default: str | None) -> str:
    value = table.get(key)
    if value is None and default is not None:
        return default
    problem = name_problem(value)
    if problem:
        table.wrong(key, problem)
        return ""
    return str(value)


def name_problem(value: object) -> str:
    """What keeps a value from being the name of a pool or a network, in a sentence; empty if nothing does."""
    if isinstance(value, str) and len(value) <= NAME_CHARACTERS_MAX and _NAME.fullmatch(value):
        return ""
    return f"expected 1 to {NAME_CHARACTERS_MAX} letters, digits and ._- between them, not {value!r}"


def _order(table: Table) -> Order:
    text = table.text("order", Order.SPREAD.name.lower())
    for order in Order:
        if order.name.lower() == text:
            return order
    table.wrong("order", f"expected {' or '.join(one.name.lower() for one in Order)}, not {text!r}")
    return Order.SPREAD


def _kind(table: Table) -> str:
    kind = table.text("kind")
    if kind and kind not in list(Kind):
        table.wrong("kind", f"expected {', '.join(Kind)} or nothing, not {kind!r}")
    return kind


def _labels(table: Table) -> tuple[tuple[str, str], ...]:
    labels = table.pairs("labels")
    for problem in labels_problems(labels):
        table.wrong("labels", problem)
    return tuple(sorted(labels.items()))


def _selector(table: Table, key: str) -> str:
    try:
        return str(parse_selector(table.text(key)))
    except ValueError as error:
        table.wrong(key, str(error))
        return ""


def _preallocations(table: Table, ranges: Sequence[PoolRange]) -> tuple[Preallocation, ...]:
    """Of `preallocate`: an address, or one of each family, by name."""
    said = table.get("preallocate")
    if said is not None and not isinstance(said, dict):
        table.wrong("preallocate", f"expected a table of addresses by name, not {said!r}")
    names = said if isinstance(said, dict) else {}
    found: dict[tuple[Family, int], Preallocation] = {}
    inner = Table(names, names, table.problems, "preallocate.")
    for name in names:
        given = inner.parsed(name, parse_address)
        if not name or len({family for family, _ in given}) < len(given):
            inner.wrong(name, "expected a name, and at most one address of each family")
        for family, address in given:
            text, what = format_address(family, address), Range(address, address + 1)
            if not any(
                one.family is family and subtract((what,), one.excluded) and one.range.meet(what)
                for one in ranges
            ):
                inner.wrong(name, f"{text} is in none of the pool's ranges, or is set aside")
            if (family, address) in found:
                inner.wrong(name, f"{text} is that of {found[family, address].name} already")
            found[family, address] = Preallocation(name, family, address)
    return tuple(sorted(found.values()))
