"""
A configuration as the file that says it; the only importer of tomlkit.

Does not know what the options mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit

_FIRST = ("name", "network", "range", "ranges")


def toml_text(options: Mapping[str, tuple[Any, str]], pools: Sequence[Mapping[str, Any]], note: str) -> str:
    """
    A file that `load` reads.

    Args:
        options: Value and origin by key; those whose value is None are only mentioned.
        pools: As tables that `parse_pool` takes.
        note: What is to be known of the pools.
    """
    lines = []
    for key, (value, origin) in options.items():
        comment = "".join(one if one.isprintable() else "?" for one in origin)
        lines.append(
            f"# {key}: none ({comment})" if value is None else f"{key} = {_value(value)}  # {comment}"
        )
    lines += ["", f"# {note}", ""]
    return "\n".join(lines) + (tomlkit.dumps({"pool": [_sorted(one) for one in pools]}) if pools else "")


def _sorted(value: Any) -> Any:
    """Tables with what they are about first, and then by key."""
    match value:
        case dict():
            keys = sorted(value, key=lambda key: (_FIRST.index(key) if key in _FIRST else len(_FIRST), key))
            return {key: _sorted(value[key]) for key in keys}
        case list():
            return [_sorted(one) for one in value]
    return value


def _value(value: Any) -> str:
    text: str = tomlkit.item(value).as_string()
    return text
