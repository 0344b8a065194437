"""How answers are shown."""

from __future__ import annotations

import json
import os
import pty
import sys

import click
import pytest
import yaml

from weaveipam.cli.common import Failure
from weaveipam.cli.output import Column, Table, emit

COLUMNS = (Column("name"), Column("size"), Column("more", wide=True))
ROWS = (
    {"name": "a", "size": 1, "more": ["x", "y"], "hidden": 1},
    {"name": "\x1b[31mred\n", "size": 1000, "more": None},
)


def show(form: str, *tables: Table, **facts: object) -> None:
    """What `emit` prints for the rows in a format."""
    context = click.Context(click.Command("test"), obj=None)
    context.meta["weaveipam.output"] = form
    with context.scope():
        emit(list(ROWS), *tables, facts=facts)


def test_a_pipe_gets_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Heads are capitals, numbers end flush, and what steers a terminal is written out."""
    show("table", Table(COLUMNS, ROWS))

    expected = "NAME           SIZE\na                 1\n\\x1b[31mred\\n  1000\n"
    assert expected == capsys.readouterr().out


def test_wide_has_the_other_columns_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Lists are joined by commas, and a dash stands for nothing."""
    show("wide", Table(COLUMNS, ROWS))

    lines = capsys.readouterr().out.splitlines()
    assert ["NAME", "SIZE", "MORE"] == lines[0].split()
    assert ["x,y", "-"] == [line.split()[-1] for line in lines[1:]]


def test_facts_stand_above_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """Facts are aligned lines, and an empty table still has its head."""
    show("table", Table(COLUMNS, ()), name="n1", state=True)

    assert "name   n1\nstate  yes\n\nNAME  SIZE\n" == capsys.readouterr().out


def test_json_and_yaml_are_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the document itself, whatever the tables show."""
    show("json", Table(COLUMNS, ()))
    assert list(ROWS) == json.loads(capsys.readouterr().out)

    show("yaml", Table(COLUMNS, ()))
    assert list(ROWS) == yaml.safe_load(capsys.readouterr().out)


def test_a_terminal_gets_a_table_that_fits() -> None:
    """On a terminal every cell is shown, and markup in it is text."""
    master, slave = pty.openpty()
    before, sys.stdout = sys.stdout, os.fdopen(slave, "w")
    try:
        show("table", Table(COLUMNS, ({"name": "[bold]k[/bold]", "size": 7},)))
        sys.stdout.flush()
        shown = os.read(master, 4096).decode()
    finally:
        sys.stdout.close()
        sys.stdout = before
        os.close(master)

    assert "NAME" in shown
    assert "[bold]k[/bold]" in shown


def test_a_full_disk_is_one_sentence() -> None:
    """An answer that cannot be written is a failure with its reason, and nothing more fails at the end."""
    before, sys.stdout = sys.stdout, os.fdopen(os.open("/dev/full", os.O_WRONLY), "w")
    try:
        with pytest.raises(Failure, match="cannot write the answer: No space left on device"):
            show("json", Table(COLUMNS, ROWS))
    finally:
        sys.stdout.close()
        sys.stdout = before
