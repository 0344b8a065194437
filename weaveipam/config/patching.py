"""
A pool as it shall be, from what it is and what somebody says of it.

Does not know who says it, nor who must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weaveipam.config.pools import parse_pool
from weaveipam.config.printing import pool_table
from weaveipam.config.ranges import LINK_KEYS
from weaveipam.protocol.values import Pool

MERGED_KEYS = ("labels", "preallocate")
"""Tables of which only what is named changes."""


def replaced(held: Pool, said: Mapping[str, Any]) -> Pool:
    """
    The pool that a table describes, in the place of another one.

    It stays in its network, of its kind, and disabled or not, unless the table says otherwise.

    Raises:
        ValueError: as of `parse_pool`.
    """
    kept = {"network": held.network, "disabled": held.disabled, "kind": held.kind}
    return parse_pool({**kept, **_given(said), "name": held.name})


def patched(held: Pool, said: Mapping[str, Any]) -> Pool:
    """
    The pool with some keys changed, and all others as they are.

    What a key says of the pool counts for all of its ranges, whatever they said themselves.

    Args:
        held: What it is.
        said: Keys as `parse_pool` takes them; None for what nothing is to be said of any more.

    Raises:
        ValueError: as of `parse_pool`; or the ranges are named, and not what went with the old ones.
    """
    table = pool_table(held)
    said = {**said, "name": held.name}
    if "ranges" in said and said["ranges"] is None:
        del said["ranges"]
    for key in MERGED_KEYS:
        if isinstance(said.get(key), dict):
            said[key] = _given({**table.get(key, {}), **said[key]})
    entries = [one for one in table["ranges"] if isinstance(one, dict)]
    if "ranges" not in said:
        table["ranges"] = [_without(one, said) for one in table["ranges"]]
    else:
        new = [one for one in _listed(said["ranges"]) if isinstance(one, dict)]
        lost = [
            key for key in LINK_KEYS if any(key in one for one in entries) and not _says(key, (said, *new))
        ]
        if lost:
            raise ValueError(
                f"ranges: say anew what went with the old ones, or null for none: {', '.join(lost)}"
            )
    return parse_pool(_given({**table, **said}))


def _given(said: Mapping[str, Any]) -> dict[str, Any]:
    """What is not None."""
    return {key: value for key, value in said.items() if value is not None}


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _says(key: str, tables: tuple[Mapping[str, Any], ...]) -> bool:
    return any(key in one for one in tables)


def _without(entry: str | dict[str, Any], said: Mapping[str, Any]) -> str | dict[str, Any]:
    """A range that leaves to its pool what the pool says."""
    if isinstance(entry, str):
        return entry
    return {key: value for key, value in entry.items() if key not in said or key not in LINK_KEYS}
