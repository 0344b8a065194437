"""What is said of a pool on the command line, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from weaveipam.cli.pooltable import CLEARABLE, pool_options, said_table
from weaveipam.config.pools import parse_pool


def table(*words: str, typed: str = "") -> Any:
    """The table that these options make of pool p; else what was printed."""
    made: list[Any] = []

    @click.command()
    @pool_options
    def command(**said: Any) -> None:
        made.append(said_table("p", said))

    ran = CliRunner().invoke(command, words, input=typed)
    return made[0] if made else ran.output


def test_nothing_is_said_but_the_name() -> None:
    """Options that were not given are not in the table."""
    assert {"name": "p"} == table()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--range 10.0.0.0/24 --range fd00::/64", {"ranges": ("10.0.0.0/24", "fd00::/64")}),
        ("--dns fd00::53 --search a", {"dns": {"nameservers": ("fd00::53",), "search": ("a",)}}),
        ("--route fd00::/64=fd00::1", {"routes": [{"dst": "fd00::/64", "gw": "fd00::1"}]}),
        ("--route 10.0.0.0/8", {"routes": [{"dst": "10.0.0.0/8"}]}),
        ("--label a=b=c --label d= --label e-", {"labels": {"a": "b=c", "d": "", "e": None}}),
        ("--preallocate a=b=::1 --preallocate a=b=1.1.1.1", {"preallocate": {"a=b": ["::1", "1.1.1.1"]}}),
        ("--preallocate a=", {"preallocate": {"a": None}}),
        ("--no-manual --no-set-aside --cooldown 0", {"manual": False, "set_aside": False, "cooldown": 0}),
    ],
)
def test_an_option_is_a_key(words: str, said: dict[str, Any]) -> None:
    """With the value that a file would have."""
    assert {"name": "p", **said} == table(*words.split())


def test_options_go_over_a_file() -> None:
    """In TOML, also below `[[pool]]`, and JSON."""
    expected = {"name": "p", "ranges": ["10.0.0.0/24"], "limit": 5}
    for text in (
        'ranges = ["10.0.0.0/24"]\nlimit = 9',
        '[[pool]]\nname = "p"\nranges = ["10.0.0.0/24"]',
        '{"name": "p", "ranges": ["10.0.0.0/24"]}',
    ):
        assert expected == table("--file", "-", "--limit", "5", typed=text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b'name = "q"', "is about pool q, not p"),
        (b"[[pool]]\n[[pool]]", "has 2 pools; one can be said at a time"),
        (b"{", "Expecting property name"),
        (b"a", "Expected '=' after a key"),
        (b"a = 2020-01-01", "not JSON serializable"),
        (b"\xff", "can't decode byte 0xff"),
    ],
)
def test_a_file_that_is_none_is_refused(text: bytes, sentence: str, tmp_path: Path) -> None:
    """With what is wrong with it, and its name."""
    path = tmp_path / "p.toml"
    path.write_bytes(text)
    said = table("--file", str(path))

    assert said.startswith(f"weaveipam: {path}")
    assert sentence in said


def test_what_can_be_cleared_is_a_key() -> None:
    """Of those that a pool can be without."""
    for key in CLEARABLE:
        with pytest.raises(ValueError, match=f"{key}: expected"):
            parse_pool({"name": "p", "ranges": ["10.0.0.0/24"], key: 7.5})
