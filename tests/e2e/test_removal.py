"""Real daemons are removed by the command, wait for who has not answered, and come back as another life."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulations.hosts.cluster import Cluster
from simulations.hosts.processes import Daemon
from simulations.hosts.relay import Relay

HOME = Path(__file__).parents[2]
USABLE = 254
"""Addresses of the pool that can be allocated."""

pytestmark = pytest.mark.slow


def remove(at: Daemon, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """`weaveipam peer remove`, given to a daemon."""
    command = [sys.executable, "-m", "weaveipam", "--socket", str(at.socket), "peer", "remove", *arguments]
    return subprocess.run(
        command, cwd=HOME, input=typed, capture_output=True, text=True, check=False, timeout=60
    )


def owners(at: Daemon) -> set[str]:
    """Who owns anything, as a daemon sees it."""
    return {run["owner"] for run in at.ask("GET", "/v1/ring")}


def life(at: Daemon, name: str) -> Any:
    """The incarnation of a member, as a daemon sees it; None if it is not alive."""
    members = at.ask("GET", "/v1/members")
    return next(
        (one["incarnation"] for one in members if one["name"] == name and one["state"] == "alive"), None
    )


def test_the_space_of_a_killed_daemon_is_usable_again(trio: Cluster) -> None:
    """After `kill -9` and the command two daemons hand out every address of three."""
    trio.wait_agreed()
    a, b, c = trio.daemons.values()
    c.kill()
    ran = remove(a, "c")

    assert 0 == ran.returncode, ran.stderr
    assert "weaveipam: " in ran.stderr, "how far it was"
    assert ran.stdout.splitlines()[1].startswith("c ")
    b.wait(lambda: owners(a) == owners(b) == {"a", "b"}, "the owner of what c had, with a")
    assert 0 == a.ask("GET", "/v1/pools")[0]["unreachable"]
    for number in range(USABLE):
        (a, b)[number % 2].ask("POST", "/v1/allocations", {"key": f"k{number}"})


def test_a_removal_waits_for_everybody_and_says_for_whom(trio: Cluster, relay: Relay) -> None:
    """While a survivor is cut off the command fails in time, with its name; once it is back it is done."""
    trio.wait_agreed()
    a, b, c = trio.daemons.values()
    relay.cut("b")
    c.kill()
    ran = remove(a, "c", "--timeout", "6")
    assert (1, "") == (ran.returncode, ran.stdout)
    assert "waiting for b" in ran.stderr
    assert "agreed to goes on" in ran.stderr
    assert "c" in owners(a) & owners(b)

    relay.heal("b")
    ran = remove(b, "c")
    assert 0 == ran.returncode, ran.stderr
    assert {"a", "b"} == owners(b)


def test_a_daemon_that_is_there_is_removed_by_force_alone(trio: Cluster) -> None:
    """It is refused; with force the name is asked for again; it then comes back with nothing."""
    trio.wait_agreed()
    a, b, c = trio.daemons.values()
    before = life(a, "c")
    ran = remove(a, "c", "--timeout", "2")
    assert 1 == ran.returncode
    assert "c" in ran.stderr.partition("has heard from")[2]
    assert 1 == remove(a, "c", "--force", typed="b\n").returncode
    assert before == life(b, "c"), "nothing was done"

    ran = remove(a, "c", "--force", typed="c\n")
    assert 0 == ran.returncode, ran.stderr
    a.wait(lambda: life(a, "c") not in {None, before}, "aware of c's next life")
    c.wait_ready()
    trio.wait_agreed()
    trio.runtimes["c"].add("c1")
    trio.runtimes["a"].add("a1")
    assert [] == trio.ledger.duplicates
