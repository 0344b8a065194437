"""
Tables as TOML and JSON have them, read key by key.

Whatever is wrong becomes a sentence, and reading goes on, so that all of it is told at once.
Does not know what keys mean, nor where a table was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from weaveipam.config.options import check_keys

T = TypeVar("T")


class Table:
    """
    One table.

    Args:
        values: Anything that TOML or JSON has.
        keys: Those that may be there.
        problems: One sentence is added for each thing that is wrong.
        place: Of the table within the outermost one, in front of each key that is named.
    """

    def __init__(
        self, values: Mapping[str, Any], keys: Iterable[str], problems: list[str], place: str = ""
    ) -> None:
        self._values = values
        self._place = place
        self.problems = problems
        problems += [f"{place}{one}" for one in check_keys(values, tuple(keys))]

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> Any:
        """What is there, whatever it is; None for nothing."""
        return self._values.get(key)

    def wrong(self, key: str, sentence: str) -> None:
        """Something is wrong with a key."""
        self.problems.append(f"{self._place}{key}: {sentence}")

    def text(self, key: str, default: str = "") -> str:
        """A string."""
        value = self._values.get(key)
        if value is None or isinstance(value, str):
            return default if value is None else value
        self.wrong(key, f"expected a string, not {value!r}")
        return default

    def texts(self, key: str) -> list[str]:
        """A list of strings, or one string for a list of one; nothing for an empty one."""
        value = self._values.get(key)
        if value is None:
            return []
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return value
        self.wrong(key, f"expected a list of strings, not {value!r}")
        return []

    def number(self, key: str, least: int, greatest: int) -> int | None:
        """A whole number of `least` to `greatest`."""
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= greatest:
            return value
        self.wrong(key, f"expected a whole number of {least} to {greatest}, not {value!r}")
        return None

    def switch(self, key: str) -> bool | None:
        """True or false; None if nothing is said."""
        value = self._values.get(key)
        if value is None or isinstance(value, bool):
            return value
        self.wrong(key, f"expected true or false, not {value!r}")
        return None

    def pairs(self, key: str) -> dict[str, str]:
        """A table of strings."""
        value = self._values.get(key)
        if value is None:
            return {}
        if isinstance(value, dict) and all(isinstance(one, str) for one in value.values()):
            return value
        self.wrong(key, f"expected a table of strings, not {value!r}")
        return {}

    def table(self, key: str, keys: Iterable[str]) -> Table:
        """A table in this one; an empty one if there is none."""
        value = self._values.get(key)
        if value is not None and not isinstance(value, dict):
            self.wrong(key, f"expected a table, not {value!r}")
            value = None
        return Table(value or {}, keys, self.problems, f"{self._place}{key}.")

    def tables(self, key: str, keys: Iterable[str]) -> list[Table]:
        """A list of tables in this one."""
        value = self._values.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.wrong(key, f"expected a list of tables, not {value!r}")
            return []
        keys = tuple(keys)
        return [
            Table(one, keys, self.problems, f"{self._place}{key}[{index}].")
            for index, one in enumerate(value)
        ]

    def parsed(self, key: str, parse: Callable[[str], T]) -> list[T]:
        """As `texts`, each turned into something by a function that raises ValueError with a sentence."""
        values: list[T] = []
        for text in self.texts(key):
            try:
                values.append(parse(text))
            except ValueError as error:
                self.wrong(key, str(error))
        return values
