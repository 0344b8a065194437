"""Tables that are read key by key."""

from __future__ import annotations

from typing import Any

import pytest

from weaveipam.config.tables import Table

KEYS = ("one", "other")


def test_what_is_not_there_is_nothing() -> None:
    """Every way to read a key has its nothing, and none of it is a problem."""
    problems: list[str] = []
    table = Table({}, KEYS, problems)

    assert ("", "x", [], None, None, {}, []) == (
        table.text("one"),
        table.text("one", "x"),
        table.texts("one"),
        table.number("one", 0, 9),
        table.switch("one"),
        table.pairs("one"),
        table.tables("one", KEYS),
    )
    assert "one" not in table.table("one", KEYS)
    assert [] == problems


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("x", ["number", "switch", "pairs", "table", "tables"]),
        (["x"], ["text", "number", "switch", "pairs", "table", "tables"]),
        (5, ["text", "texts", "switch", "pairs", "table", "tables"]),
        (10, ["text", "texts", "number", "switch", "pairs", "table", "tables"]),
        (True, ["text", "texts", "number", "pairs", "table", "tables"]),
        ({"one": "x"}, ["text", "texts", "number", "switch", "tables"]),
        ([{"one": "x"}], ["text", "texts", "number", "switch", "pairs", "table"]),
    ],
)
def test_a_value_of_a_wrong_type_is_a_problem(value: Any, wrong: list[str]) -> None:
    """A sentence that names the key and shows the value, and reading goes on."""
    found = []
    ways: dict[str, tuple[Any, ...]] = {
        "text": (),
        "texts": (),
        "number": (0, 9),
        "switch": (),
        "pairs": (),
        "table": (KEYS,),
        "tables": (KEYS,),
    }
    for way, arguments in ways.items():
        problems: list[str] = []
        getattr(Table({"one": value}, KEYS, problems), way)("one", *arguments)
        if problems:
            found.append(way)
            assert problems[0].startswith("one: expected ")
            assert repr(value) in problems[0]
    assert wrong == found


def test_a_table_within_says_where_it_is() -> None:
    """What is wrong in it is named by the way to it, unknown keys as well."""
    problems: list[str] = []
    table = Table({"one": [{}, {"other": 7, "on": 1}]}, KEYS, problems)
    for inner in table.tables("one", KEYS):
        inner.text("other")

    assert [
        "one[1].there is no 'on'; did you mean one?",
        "one[1].other: expected a string, not 7",
    ] == problems
