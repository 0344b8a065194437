"""`weaveipam pool`, through the real command line, against a daemon that is a cluster of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def run(socket: Path, *words: str, typed: str = "") -> tuple[int, Any, str]:
    """Exit status, answer and standard error of a command."""
    command = [sys.executable, "-m", "weaveipam", "--socket", str(socket), "-o", "json", *words]
    ran = subprocess.run(command, cwd=HOME, input=typed, capture_output=True, text=True, check=False)
    return ran.returncode, json.loads(ran.stdout) if ran.stdout else None, ran.stderr


def test_the_life_of_a_pool(place: Path) -> None:
    """It is created, twice without harm, handed out of, disabled, enabled, drained and deleted."""
    made = run(place, "pool", "create", "q", "--range", "10.9.0.0/28", "--gateway", "10.9.0.1")
    assert (0, "") == (made[0], made[2])
    assert ["10.9.0.1"] == made[1]["pool"]["gateways"]
    assert made == run(place, "pool", "create", "q", "--range", "10.9.0.0/28", "--gateway", "10.9.0.1")
    assert 0 == run(place, "allocate", "--key", "k", "--pool", "q")[0]

    assert run(place, "pool", "disable", "q")[1]["pool"]["disabled"]
    assert run(place, "pool", "show", "q")[1]["disabled"]
    status, _, said = run(place, "allocate", "--key", "l", "--pool", "q")
    assert (1, True) == (status, "pool q is disabled" in said)
    assert not run(place, "pool", "enable", "q")[1]["pool"]["disabled"]

    status, _, said = run(place, "pool", "delete", "q")
    assert (1, True) == (status, "at n1 by k" in said)
    status, _, said = run(place, "pool", "delete", "q", "--drain", "--timeout", "1")
    assert 1 == status
    assert "still in use: 10.9.0.2 at n1 by k; release them, or wait longer\n" in said
    assert 0 == run(place, "release", "--key", "k")[0]
    assert {"pool": None} == run(place, "pool", "delete", "q")[1]
    assert {"pool": None} == run(place, "pool", "delete", "q")[1]
    assert 1 == run(place, "pool", "show", "q")[0]


def test_a_pool_grows(place: Path) -> None:
    """All of its ranges are named, and what is new can be handed out."""
    ranges = ("--range", "10.32.0.0/24", "--range", "10.33.0.0/24")
    assert 0 == run(place, "pool", "change", "p", *ranges)[0]
    assert ["10.32.0.0/24", "10.33.0.0/24"] == run(place, "pool", "show", "p")[1]["ranges"]
    assert 0 == run(place, "claim", "--key", "c", "10.33.0.7")[0]


def test_everything_can_be_said_of_a_pool(place: Path) -> None:
    """By options, one by one, and by a table in TOML or JSON; what is not said stays."""
    options = (
        "--range 10.50.0.0-10.50.0.99 --prefix-length 24 --set-aside --gateway 10.50.0.1 --exclude 10.50.0.9"
    )
    options += (
        " --reserve 10.50.0.8 --dns 10.0.0.53 --search a.example --domain a --route 10.0.0.0/8=10.50.0.1"
    )
    options += (
        " --route 10.9.0.0/16 --vlan 7 --label zone=a --label x= --order sequential --manual --cooldown 9"
    )
    options += " --node-selector zone=a --namespace-selector team --pod-selector !b --limit 50 --node-limit 5"
    options += " --preallocate vm=1=10.50.0.7 --network red --disabled"
    assert run(place, "network", "create", "red")[0] == 0
    status, made, said = run(place, "pool", "create", "full", *options.split())
    assert (0, "") == (status, said)
    routes = [{"dst": "10.0.0.0/8", "gw": "10.50.0.1"}, {"dst": "10.9.0.0/16"}]
    ranges: dict[str, Any] = {
        "range": "10.50.0.0-10.50.0.99",
        "prefix_length": 24,
        "set_aside": True,
        "vlan": 7,
        "routes": routes,
    }
    ranges |= {"gateway": "10.50.0.1", "exclude": ["10.50.0.9"], "reserve": ["10.50.0.8"]}
    ranges["dns"] = {"nameservers": ["10.0.0.53"], "domain": "a", "search": ["a.example"]}
    table: dict[str, Any] = {
        "name": "full",
        "ranges": [ranges],
        "labels": {"zone": "a", "x": ""},
        "order": "sequential",
    }
    table |= {"manual": True, "node_selector": "zone=a", "namespace_selector": "team", "pod_selector": "!b"}
    table |= {"cooldown": 9, "limit": 50, "node_limit": 5, "preallocate": {"vm=1": ["10.50.0.7"]}}
    table |= {"network": "red", "disabled": True}
    assert table == made["pool"]["definition"]

    words = (
        "--label",
        "zone-",
        "--label",
        "rack=3",
        "--preallocate",
        "vm=1=",
        "--clear",
        "limit",
        "--vlan",
        "8",
    )
    changed = run(place, "pool", "change", "full", *words)[1]["pool"]["definition"]
    del table["limit"], table["preallocate"]
    assert table | {"ranges": [ranges | {"vlan": 8}], "labels": {"rack": "3", "x": ""}} == changed

    again = run(place, "pool", "change", "full", "--file", "-", "--manual", typed=json.dumps(changed))
    assert (0, changed) == (again[0], again[1]["pool"]["definition"])
    toml = '[[pool]]\nranges = ["10.50.0.0/24"]\ndisabled = false\nlabels = { a = "b" }'
    last = run(place, "pool", "change", "full", "--file", "-", "--limit", "3", typed=toml)[1]["pool"]
    short = {"name": "full", "network": "red", "ranges": ["10.50.0.0/24"], "labels": {"a": "b"}, "limit": 3}
    assert short == last["definition"]
    assert 0 == run(place, "pool", "delete", "full")[0]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("create", "r", "--range", "10.32.0.128/25"), 1, "overlap in network default"),
        (("create", "r", "--range", "nonsense"), 1, "nonsense"),
        (("create", "r"), 2, "--range"),
        (("change", "nobody", "--range", "10.1.0.0/24"), 1, "no pool nobody"),
        (("disable", "nobody"), 1, "no pool nobody"),
        (("change", "p"), 2, "say what is to change"),
        (("change", "p", "--label", "x"), 2, "--label takes K=V"),
        (("change", "p", "--preallocate", "x"), 2, "--preallocate takes NAME=ADDRESS"),
        (("change", "p", "--clear", "ranges"), 2, "'ranges' is not one of"),
        (("change", "p", "--limit", "0", "--order", "random"), 1, "order: expected spread"),
        (("create", "r", "--file", "/dev/null"), 2, "--range"),
        (("create", "r", "--file", "README.md"), 1, "README.md: "),
    ],
)
def test_what_cannot_be_meant_is_refused(place: Path, words: tuple[str, ...], status: int, said: str) -> None:
    """With a sentence that names it, and nothing is changed."""
    before = run(place, "pools")[1]
    ended = run(place, "pool", *words)
    assert status == ended[0]
    assert said in ended[2]
    assert before == run(place, "pools")[1]


def test_pools_in_a_pool(place: Path) -> None:
    """A child is carved out of its parent, which is shown as such, and goes before it does."""
    top = ("--range", "10.60.0.0/24", "--kind", "aggregate")
    assert 0 == run(place, "pool", "create", "top", *top)[0]
    status, _, said = run(place, "pool", "create", "net", "--range", "10.60.0.0/26")
    assert (1, True) == (status, "overlap in network default" in said)
    assert 0 == run(place, "pool", "create", "net", "--range", "10.60.0.0/26", "--kind", "network")[0]
    shown = run(place, "pool", "show", "net")[1]
    assert ("network", "top", 62) == (shown["kind"], shown["parent"], shown["size"])
    assert 192 == run(place, "pool", "show", "top")[1]["size"]

    status, _, said = run(place, "allocate", "--key", "x", "--pool", "top")
    assert (1, True) == (status, "an address comes from a pool of" in said)
    assert 1 == run(place, "claim", "--key", "lo", "10.60.0.99")[0]
    assert 0 == run(place, "claim", "--key", "lo", "--kind", "loopback", "10.60.0.99")[0]
    block = run(place, "allocate", "--key", "vpc", "--kind", "network", "--prefix-length", "27")[1]
    assert "top" == block["addresses"][0]["pool"]
    kept = run(place, "pool", "change", "net", "--range", "10.60.0.0/27")[1]["pool"]
    assert ("network", 224) == (kept["kind"], run(place, "pool", "show", "top")[1]["size"])

    assert 1 == run(place, "pool", "delete", "top")[0]
    for key in ("lo", "vpc"):
        run(place, "release", "--key", key)
    assert [0, 0] == [run(place, "pool", "delete", name)[0] for name in ("net", "top")]
