"""Configurations that are printed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from weaveipam.config.config import load
from weaveipam.config.printing import pool_table
from weaveipam.config.running import option_values
from weaveipam.config.writing import toml_text

POOLS = (
    {
        "name": "p",
        "ranges": ["10.0.0.0/24", {"range": "10.0.1.0/24", "vlan": 7, "routes": [{"dst": "10.0.0.0/8"}]}],
        "labels": {"example.org/zone": "a"},
        "preallocate": {'vm "1"': ["10.0.0.7"]},
        "network": "red",
        "limit": 1 << 70,
    },
    {"name": "q", "ranges": ["fd00::/32"], "dns": {"nameservers": ["fd00::53"]}},
)


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"join": ("a:1", "b:2"), "init": "seeds=a,host", "http": "[::1]:1", "http_public": True},
        {"join": ("a:1",), "sync_wait": 7, "keyring": 'k "\\ #\u00fc', "data_dir": "/a\nb", "uvloop": False},
    ],
    ids=["defaults", "seed", "odd"],
)
@pytest.mark.parametrize("pools", [(), POOLS], ids=["no-pools", "pools"])
def test_what_is_printed_is_read_as_the_same(
    flags: dict[str, object], pools: tuple[dict[str, Any], ...], tmp_path: Path
) -> None:
    """A file of the text alone makes the same configuration, on any host."""
    made = load({**flags, "pool": list(pools) or None}, {}, None, host_name="host")
    options = {key: (value, "default") for key, value in option_values(made).items() if key != "pool"}
    file = tmp_path / "c.toml"
    file.write_text(toml_text(options, [pool_table(one) for one in made.pools], "Note."))

    assert made == load({}, {}, file, host_name="another", on_terminal=True)


def test_who_said_what_stands_behind_it() -> None:
    """As comments, which nothing can break out of; what a pool is called comes first."""
    pools = [{"disabled": True, "ranges": ["10.0.0.0/24"], "name": "p"}]
    text = toml_text({"name": ("a", "a\nb = 1"), "http": (None, "default")}, pools, "Note.")

    assert ['name = "a"  # a?b = 1', "# http: none (default)", "", "# Note."] == text.splitlines()[:4]
    assert ["name", "ranges", "disabled"] == list(tomllib.loads(text)["pool"][0])
