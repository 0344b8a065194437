"""
Answers for people and for programs: tables, JSON, YAML.

rich draws tables, and is imported only for a terminal; a pipe gets plain columns.
Does not know what the answers mean.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from weaveipam.cli.common import Failure, output_format


class Column(NamedTuple):
    """One column of a table; its head is the field's name in capitals."""

    field: str
    wide: bool = False
    """Whether only `-o wide` shows it."""


class Table(NamedTuple):
    """Rows that are shown under the columns."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]


def emit(document: object, *tables: Table, facts: Mapping[str, Any] | None = None) -> None:
    """
    Prints a document in the format that was asked for.

    Args:
        document: For `json` and `yaml`.
        tables: What the other formats show of it, an empty line between two.
        facts: Shown above the tables, one a line.

    Raises:
        Failure: standard output cannot be written.
    """
    try:
        _print(document, tables, facts or {})
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # who reads has seen enough: click ends the program quietly
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to fail at the end
        raise Failure(f"cannot write the answer: {error.strerror}") from None


def _print(document: object, tables: Sequence[Table], facts: Mapping[str, Any]) -> None:
    match output_format():
        case "json":
            print(json.dumps(document, indent=2, sort_keys=True))
        case "yaml":
            import yaml  # noqa: PLC0415 - slow to import, and rarely wanted

            print(yaml.safe_dump(document, sort_keys=True, allow_unicode=True), end="")
        case shown:
            _print_facts(facts)
            for index, table in enumerate(tables):
                if index or facts:
                    print()
                _print_table(table, wide=shown == "wide")


def _print_facts(facts: Mapping[str, Any]) -> None:
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        print(f"{name:{width}}  {_cell(value)}")


def _print_table(table: Table, *, wide: bool) -> None:
    columns = [column for column in table.columns if wide or not column.wide]
    heads = [column.field.upper() for column in columns]
    rows = [[_cell(row.get(column.field)) for column in columns] for row in table.rows]
    numeric = [
        bool(table.rows) and all(type(row.get(column.field)) in {int, float} for row in table.rows)
        for column in columns
    ]
    if sys.stdout.isatty():
        _print_rich(heads, rows, numeric)
    else:
        _print_plain(heads, rows, numeric)


def _print_plain(heads: list[str], rows: list[list[str]], numeric: list[bool]) -> None:
    widths = [max(len(row[index]) for row in (heads, *rows)) for index in range(len(heads))]
    for row in (heads, *rows):
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        print("  ".join(cells).rstrip())


def _print_rich(heads: list[str], rows: list[list[str]], numeric: list[bool]) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only for terminals
    from rich.table import Table as RichTable  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    drawn = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head, right in zip(heads, numeric, strict=True):
        drawn.add_column(head, justify="right" if right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def _cell(value: object) -> str:
    match value:
        case None | "" | [] | ():
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.1f}"
        case list() | tuple():
            return ",".join(_cell(one) for one in value)
        case dict():
            return ",".join(f"{name}={_cell(one)}" for name, one in sorted(value.items()))
    # Keys come from anybody: a terminal must not obey what is in them.
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(value))
