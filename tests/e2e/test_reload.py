"""Real daemons that share a file, which changes while they run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from simulations.hosts.cluster import Cluster, plan_cluster
from simulations.hosts.processes import Daemon
from simulations.hosts.relay import Relay
from weaveipam.protocol.keyring import Key

HOME = Path(__file__).parents[2]
POD = '[[pool]]\nname = "pods"\nranges = ["10.32.0.0/24"]\n'
MORE = '[[pool]]\nname = "more"\nranges = ["10.33.0.0/24"]\n'
LAST = '[[pool]]\nname = "last"\nranges = ["fd00::/64"]\n'

pytestmark = pytest.mark.slow


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """What all daemons read."""
    file = tmp_path / "config.toml"
    file.write_text(POD)
    return file


@pytest.fixture
def cluster(program: Path, relay: Relay, tmp_path: Path, file: Path) -> Iterator[Cluster]:
    """Daemons a, b and c, ready."""
    plans = [replace(one, config=file) for one in plan_cluster("abc", relay, tmp_path, ())]
    with Cluster(plans, program) as running:
        running.start()
        running.wait_agreed()
        yield running


def cli(at: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    """A command, asked of this daemon."""
    command = [sys.executable, "-m", "weaveipam", "--socket", str(at.socket), *words]
    return subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False, timeout=60)


def hang_up(daemons: list[Daemon]) -> None:
    """SIGHUP to all of them, one right after the other."""
    for one in daemons:
        assert one.pid is not None
        os.kill(one.pid, signal.SIGHUP)


def told(daemon: Daemon, event: str) -> list[dict[str, Any]]:
    """The lines of its log with this event."""
    lines = (json.loads(one) for one in daemon.log.read_text().splitlines() if one.startswith("{"))
    return [one for one in lines if one["event"] == event]


def has_reloaded(daemon: Daemon) -> bool:
    """Whether it says so."""
    return bool(told(daemon, "reloaded"))


def test_all_daemons_read_one_file_at_once(cluster: Cluster, file: Path, tmp_path: Path) -> None:
    """Each takes over what is its own, and together they change the pools; none is in the others' way."""
    daemons = list(cluster.daemons.values())
    file.write_text(
        'log_level = "debug"\nhttp = "127.0.0.1:6799"\n' + POD + 'labels = { zone = "a" }\n' + MORE + LAST
    )
    new = Key(bytes(range(16)))
    with (tmp_path / "keyring").open("a") as keys:
        keys.write(f"{new.text}\n")

    hang_up(daemons)

    for one in daemons:
        one.wait(partial(has_reloaded, one), "reloaded")
        (line,) = told(one, "reloaded")
        assert ("log_level,keyring", "http") == (line["applied"], line["restart"])
        assert {"more", "last"} == set(line["created"].split(","))
        assert "pods" == line["changed"]
        assert [] == told(one, "pool-not-reloaded")
        assert {new.id} < {key["id"] for key in one.ask("GET", "/v1/keyring")}
        assert {"zone": "a"} == one.ask("GET", "/v1/pools")[2]["definition"]["labels"]
        given = one.ask("POST", "/v1/allocations", {"key": "k", "pool": "more"})
        assert given["addresses"][0]["address"].startswith("10.33.0.")
    cluster.wait_agreed()
    assert [0, 0, 0] == [one.ask("GET", "/v1/status")["contested"] for one in daemons]

    again = cli(daemons[0], "reload", "-o", "json")
    assert (0, "") == (again.returncode, again.stderr)
    assert {"unchanged"} == {one["outcome"] for one in json.loads(again.stdout)["pools"]}


def test_a_file_that_cannot_work_changes_nothing(cluster: Cluster, file: Path) -> None:
    """All that is wrong is in the log and in the answer, and the daemon goes on as it was."""
    one = cluster.daemons["a"]
    before = one.ask("GET", "/v1/config")
    file.write_text(MORE + 'limit = 0\nlabls = {}\n[[pool]]\nname = "x"\nranges = ["10.0.0.1/8"]')
    hang_up([one])
    one.wait(lambda: bool(told(one, "reload-refused")), "told")
    ran = cli(one, "reload")

    assert 1 == ran.returncode
    assert 3 == len(ran.stderr.splitlines())
    (line, _) = told(one, "reload-refused")
    assert 3 == line["problems"]
    for what in ("limit: expected", "did you mean labels?", "did you mean 10.0.0.0/8?"):
        assert what in ran.stderr
        assert what in line["detail"]
    assert before == one.ask("GET", "/v1/config")
    one.ask("POST", "/v1/allocations", {"key": "k"})


def test_pools_wait_for_all_members_and_the_rest_does_not(cluster: Cluster, relay: Relay, file: Path) -> None:
    """While one is cut off its name is told; once it is back the same reload does what was left."""
    one = cluster.daemons["a"]
    relay.cut("c")
    file.write_text('log_level = "warning"\n' + MORE)

    ran = cli(one, "reload", "--timeout", "3", "-o", "json")

    assert 1 == ran.returncode
    assert "weaveipam: pool more: not-ready: not done: " in ran.stderr
    assert " c" in ran.stderr
    outcomes = {each["name"]: each["outcome"] for each in json.loads(ran.stdout)["pools"]}
    assert {"more": "refused", "pods": "unlisted"} == outcomes
    assert "warning" == one.ask("GET", "/v1/config")["options"]["log_level"]["value"]

    relay.heal("c")
    cluster.wait_agreed()
    ran = cli(one, "reload", "--timeout", "30", "-o", "json")
    assert (0, "") == (ran.returncode, ran.stderr)
    assert {"name": "more", "outcome": "created", "detail": ""} in json.loads(ran.stdout)["pools"]
    assert ["more", "pods"] == [each["name"] for each in cluster.daemons["c"].ask("GET", "/v1/pools")]
