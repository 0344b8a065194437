"""
A configuration as it runs: what each option is, where that was said, and what another one would change.

Does not know how anything is changed, nor who else must agree to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weaveipam.allocation.heard import Init
from weaveipam.config.config import HOST_LABEL, Config
from weaveipam.config.options import OPTIONS, Said
from weaveipam.config.printing import pool_table
from weaveipam.protocol.values import Endpoint, Pool

AT_RUN_TIME = ("join", "http_public", "log_level")
"""Options that a daemon takes over while it runs, beside its pools, and the keys in the file of `keyring`."""
OF_A_BIRTH = ("init",)
"""Options that count for nothing once there is a cluster."""


@dataclass(frozen=True, slots=True)
class PoolStep:
    """What is to be done about one pool."""

    base: Pool | None
    """What it is; None: there is none."""
    wanted: Pool
    """What it shall be."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What it takes to get from the configuration that runs to another one."""

    applied: tuple[str, ...]
    """Options that are taken over at once."""
    restart: tuple[str, ...]
    """Options that stay as they are until the daemon is started again."""
    pools: tuple[PoolStep, ...]
    """Pools to create and change, in an order in which each is possible, if there is one."""
    same: tuple[str, ...]
    """Pools that are what they shall be."""
    unlisted: tuple[str, ...]
    """Pools that there are, and of which the configuration says nothing: they stay."""


def option_values(config: Config) -> dict[str, Any]:
    """Each option by its key, in the order of the reference, as a file would say it; None for nothing."""
    told = {
        "init": str(Init(config.seeds, config.consensus)),
        "label": [
            f"{key}={value}" for key, value in config.labels if (key, value) != (HOST_LABEL, config.name)
        ],
        "pool": [pool_table(one) for one in config.pools],
        "sync_wait": config.sync_wait_s,
    }
    return {
        option.key: told[option.key] if option.key in told else _plain(getattr(config, option.key))
        for option in OPTIONS
    }


def plan(running: Config, read: Config, in_force: Sequence[Pool] | None) -> Plan:
    """
    What it takes to get from one configuration to another.

    Args:
        running: The one that the daemon has.
        read: The one that it shall have.
        in_force: The cluster's pools; None: there is no cluster yet.
    """
    before, after = option_values(running), option_values(read)
    differ = [key for key in before if before[key] != after[key]]
    silent = () if in_force is None else (*OF_A_BIRTH, "pool")
    held = {pool.name: pool for pool in in_force or ()}
    wanted = [_kept(one, held.get(one.name), read) for one in read.pools] if in_force is not None else []
    return Plan(
        applied=tuple(key for key in differ if key in AT_RUN_TIME),
        restart=tuple(key for key in differ if key not in (*AT_RUN_TIME, *silent)),
        pools=_in_order(held, [one for one in wanted if held.get(one.name) != one]),
        same=tuple(one.name for one in wanted if held.get(one.name) == one),
        unlisted=tuple(sorted(held.keys() - {one.name for one in wanted})),
    )


def applied_to(running: Config, read: Config, keys: Sequence[str]) -> Config:
    """The configuration that runs once these options are taken over from another one."""
    said = {key: one for key, one in running.said.items() if key not in keys}
    said |= {key: one for key, one in read.said.items() if key in keys}
    fields = ["pools" if key == "pool" else key for key in keys]
    return replace(running, said=said, **{name: getattr(read, name) for name in fields})


def source_of(config: Config, key: str) -> Said:
    """Who said what an option is."""
    return config.said.get(key, Said("default", None))


def _kept(pool: Pool, held: Pool | None, read: Config) -> Pool:
    """The pool, disabled or not as it is if its table does not say it: that is switched by hand."""
    tables: Sequence[Mapping[str, Any]] = source_of(read, "pool").value or ()
    says = any(one.get("name") == pool.name and "disabled" in one for one in tables)
    return pool if says or held is None else replace(pool, disabled=held.disabled)


def _in_order(held: Mapping[str, Pool], wanted: Sequence[Pool]) -> tuple[PoolStep, ...]:
    """Addresses that one pool gives up for another have to be given up first."""
    now = dict(held)
    left, steps = list(wanted), []
    while left:
        chosen = next((one for one in left if not _overlaps(one, now)), left[0])
        left.remove(chosen)
        steps.append(PoolStep(held.get(chosen.name), chosen))
        now[chosen.name] = chosen
    return tuple(steps)


def _overlaps(pool: Pool, others: Mapping[str, Pool]) -> bool:
    """Whether a pool has addresses that are in another one now."""
    return any(
        one.family is each.family and one.range.meet(each.range)
        for other in others.values()
        if other.name != pool.name and other.network == pool.network
        for each in other.ranges
        for one in pool.ranges
    )


def _plain(value: Any) -> Any:
    """As TOML has it."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Endpoint():
            return str(value)
        case tuple():
            return [_plain(one) for one in value]
        case _:
            return str(value)
