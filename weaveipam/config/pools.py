"""
Pools as an operator writes them: ranges, gateway, exclusions; checked one by one and against each other.

Does not know where they were written, nor who owns their addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ring.address import (
    Family,
    Range,
    format_address,
    format_range,
    parse_address,
    parse_cidr,
    parse_range,
    subtract,
    union,
)
from weaveipam.allocation.poolchange import clashes
from weaveipam.config.options import check_keys
from weaveipam.protocol.values import DEFAULT_NETWORK, Pool, PoolRange

NAME_CHARACTERS_MAX = 63
"""Of a pool or a network; a DNS label's."""
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_KEYS = ("name", "ranges", "gateway", "network", "exclude")

# A subnet this small has no addresses to set aside: point-to-point links use both (RFC 3021, RFC 6164).
_V4_LENGTH_MAX = 30
_V6_LENGTH_MAX = 126


def parse_pools(where: str, tables: Sequence[Mapping[str, Any]], problems: list[str]) -> tuple[Pool, ...]:
    """
    The pools of tables with `name`, `ranges`, and maybe `gateway`, `network`, `exclude`; sorted by name.

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


def parse_pool(table: Mapping[str, Any]) -> Pool:
    """
    The pool of one table.

    A range given as a CIDR sets aside its network and broadcast address (IPv4) or its subnet-router anycast
    address (IPv6, RFC 4291 section 2.6.1); one given as first-last or as one address sets nothing aside.

    Raises:
        ValueError: one line for each thing that is wrong.
    """
    problems = check_keys(table, _KEYS)
    name = _name("name", table.get("name"), problems)
    network = _name("network", table.get("network", DEFAULT_NETWORK), problems)
    ranges = _parsed(_texts("ranges", table.get("ranges"), problems), pool_range, problems)
    gateways = _parsed(_texts("gateway", table.get("gateway", []), problems), parse_address, problems)
    holes = _parsed(_texts("exclude", table.get("exclude", []), problems), parse_range, problems)
    ranges.sort(key=lambda one: (one.family, one.range))
    if not ranges and not problems:
        problems.append("ranges: expected at least one")
    _check_overlaps(ranges, problems)
    ranges = _with_gateways(ranges, gateways, problems)
    ranges = _without(ranges, holes, problems)
    if not problems and not any(subtract((one.range,), one.excluded) for one in ranges):
        problems.append("every address of the pool is set aside, as network, broadcast, gateway or excluded")
    if problems:
        raise ValueError("\n".join(problems))
    return Pool(name, network, tuple(ranges))


def pool_range(text: str) -> PoolRange:
    """
    One range of a pool, with what it sets aside, and no gateway yet.

    Raises:
        ValueError: no range, or host bits are set; says what was meant.
    """
    if "/" not in text:
        family, single = parse_range(text)
        return PoolRange(family, single, family.bits)
    family, cidr, length = parse_cidr(text)
    first, last = Range(cidr.start, cidr.start + 1), Range(cidr.stop - 1, cidr.stop)
    reserved: tuple[Range, ...] = ()
    if family is Family.V4 and length <= _V4_LENGTH_MAX:
        reserved = (first, last)
    elif family is Family.V6 and length <= _V6_LENGTH_MAX:
        reserved = (first,)
    return PoolRange(family, cidr, length, excluded=reserved)


def _name(key: str, value: object, problems: list[str]) -> str:
    if isinstance(value, str) and len(value) <= NAME_CHARACTERS_MAX and _NAME.fullmatch(value):
        return value
    problems.append(
        f"{key}: expected 1 to {NAME_CHARACTERS_MAX} letters, digits and ._- between them, not {value!r}"
    )
    return ""


def _texts(key: str, value: object, problems: list[str]) -> list[str]:
    """A list of strings, or one string for a list of one."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    problems.append(f"{key}: expected a list of strings" + ("" if value is None else f", not {value!r}"))
    return []


def _parsed(texts: Iterable[str], parse: Any, problems: list[str]) -> list[Any]:
    values = []
    for text in texts:
        try:
            values.append(parse(text))
        except ValueError as error:
            problems.append(str(error))
    return values


def _check_overlaps(ranges: Sequence[PoolRange], problems: list[str]) -> None:
    """Ranges of one pool, sorted."""
    for one, other in pairwise(ranges):
        if one.family is other.family and one.range.meet(other.range):
            problems.append(f"{_text(one)} and {_text(other)} overlap")


def _with_gateways(
    ranges: Sequence[PoolRange], gateways: Iterable[tuple[Family, int]], problems: list[str]
) -> list[PoolRange]:
    """
    Each range with the gateway that is on its link, which is set aside.

    That is the one within a CIDR.  Any other range does not tell its link, and takes the one of its family.
    """
    chosen: dict[PoolRange, int] = {}
    for family, gateway in gateways:
        fits = [
            one
            for one in ranges
            if one.family is family and (gateway in one.range or one.prefix_length == family.bits)
        ]
        taken = [one for one in fits if one in chosen]
        text = format_address(family, gateway)
        if not fits:
            problems.append(f"gateway {text} is in none of the pool's ranges")
        elif taken:
            problems.append(f"gateway {text} is the second for {_text(taken[0])}")
        chosen |= dict.fromkeys(fits, gateway)
    return [
        _excluding(one, [Range(chosen[one], chosen[one] + 1)], chosen[one]) if one in chosen else one
        for one in ranges
    ]


def _without(
    ranges: Sequence[PoolRange], holes: Iterable[tuple[Family, Range]], problems: list[str]
) -> list[PoolRange]:
    """Each range with the holes that are in it."""
    holes = list(holes)
    for family, hole in holes:
        if not any(one.family is family and one.range.meet(hole) for one in ranges):
            problems.append(f"exclude {format_range(family, hole)} is in none of the pool's ranges")
    return [
        _excluding(one, [hole for family, hole in holes if family is one.family], one.gateway)
        for one in ranges
    ]


def _excluding(one: PoolRange, holes: Iterable[Range], gateway: int | None) -> PoolRange:
    clipped = (both for hole in holes if (both := one.range.meet(hole)))
    return PoolRange(one.family, one.range, one.prefix_length, gateway, union((*one.excluded, *clipped)))


def _text(one: PoolRange) -> str:
    return format_range(one.family, one.range)
