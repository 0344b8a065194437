"""`weaveipam network`, through the real command line, against a daemon that is a cluster of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def run(socket: Path, *words: str) -> tuple[int, Any, str]:
    """Exit status, answer and standard error of a command."""
    command = [sys.executable, "-m", "weaveipam", "--socket", str(socket), "-o", "json", *words]
    ran = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    return ran.returncode, json.loads(ran.stdout) if ran.stdout else None, ran.stderr


def test_the_life_of_a_network(place: Path) -> None:
    """It is created, listed, filled with addresses that are in use elsewhere, emptied and deleted."""
    status, _, said = run(place, "pool", "create", "r", "--range", "10.32.0.0/24", "--network", "red")
    assert (1, True) == (status, "weaveipam network create red" in said)
    for _ in range(2):
        assert (0, {"name": "red", "exists": True}, "") == run(place, "network", "create", "red")
    assert 0 == run(place, "pool", "create", "r", "--range", "10.32.0.0/24", "--network", "red")[0]
    taken = run(place, "claim", "--key", "first", "--network", "red", "10.32.0.1")
    assert (0, "r") == (taken[0], taken[1]["addresses"][0]["pool"])

    default, red = run(place, "network", "list")[1]
    assert ("default", ["p"], 1) == (default["name"], default["pools"], default["used"])
    assert {"families": [4], "name": "red", "owned": 254, "pools": ["r"], "size": 254, "used": 1} == red

    status, _, said = run(place, "network", "delete", "red")
    assert (1, "weaveipam: in-use: network red has pools: r; delete them first\n") == (status, said)
    assert 0 == run(place, "release", "--key", "first", "--network", "red")[0]
    assert 0 == run(place, "pool", "delete", "r")[0]
    for _ in range(2):
        assert (0, {"name": "red", "exists": False}, "") == run(place, "network", "delete", "red")
    assert 1 == len(run(place, "network", "list")[1])


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("delete", "default"), 1, "always exists"),
        (("create", "a b"), 1, "letters, digits"),
        (("create",), 2, "NAME"),
    ],
)
def test_what_cannot_be_meant_is_refused(place: Path, words: tuple[str, ...], status: int, said: str) -> None:
    """With a sentence that names it."""
    ended = run(place, "network", *words)
    assert (status, True) == (ended[0], said in ended[2])
