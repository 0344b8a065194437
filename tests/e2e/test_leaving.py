"""Real daemons leave: the command waits for them, what was durable is at others, and they come back anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from simulations.hosts.cluster import Cluster
from simulations.hosts.processes import Daemon

pytestmark = pytest.mark.slow


def command(daemon: Daemon, *arguments: str) -> list[str]:
    """What asks this daemon by the command line."""
    return [sys.executable, "-m", "weaveipam", *arguments, "--socket", str(daemon.socket)]


def run(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, when it has ended."""
    return subprocess.run(
        command(daemon, *arguments), capture_output=True, text=True, timeout=60, check=False
    )


def held(cluster: Cluster, *names: str) -> dict[str, Any]:
    """What every key holds at these daemons."""
    return {
        one["key"]: [each["address"] for each in one["addresses"]]
        for name in names
        for one in cluster.daemons[name].ask("GET", "/v1/allocations")
    }


def test_leave_waits_until_all_is_handed_over(trio: Cluster) -> None:
    """Refused with a list while a pod is there; then progress, exit status 0 of both, and nothing is lost."""
    a, b, c = trio.daemons.values()
    for n in range(3):
        a.ask("POST", "/v1/allocations", {"key": f"claim-{n}", "durable": True})
    a.ask("POST", "/v1/allocations", {"key": "pod-1"})
    before = held(trio, "a")
    refused = run(a, "leave")
    preview = run(a, "leave", "--dry-run")

    assert refused.returncode == 1
    assert "pod-1" in refused.stdout
    assert "drain this node first" in refused.stderr
    assert preview.returncode == 1
    assert "heir" in preview.stdout.lower()
    assert a.ask("GET", "/v1/status")["state"] == "ready"

    a.ask("DELETE", "/v1/allocations/pod-1")
    del before["pod-1"]
    left = run(a, "leave")
    assert left.returncode == 0, left.stderr
    assert "a has left the cluster" in left.stderr
    assert "addresses in" in left.stderr
    assert a.wait_end() == 0
    assert held(trio, "b", "c") == before
    b.wait(lambda: trio.states("b")["a"] == "left", "told that a has left")
    owners = {one["owner"] for one in b.ask("GET", "/v1/ring")}
    assert owners == {"b", "c"}
    assert sum(one["unreachable"] for one in c.ask("GET", "/v1/pools")) == 0

    a.start()
    a.wait_ready()
    assert a.ask("POST", "/v1/allocations", {"key": "again"})["addresses"]
    trio.wait_agreed()


def test_an_interrupted_leave_goes_on(trio: Cluster) -> None:
    """The command may be interrupted and the daemon killed: started again it goes on, and then it ends."""
    a, b, c = trio.daemons.values()
    a.ask("POST", "/v1/allocations", {"key": "claim", "durable": True})
    before = held(trio, "a")
    for other in (b, c):
        assert other.pid is not None
        os.kill(other.pid, signal.SIGSTOP)
    # What shells start in the background ignores interrupts, and so would all that it starts.
    before_us = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command(a, "leave"), stderr=subprocess.PIPE, text=True) as asking:
        signal.signal(signal.SIGINT, before_us)
        assert asking.stderr is not None
        assert "addresses in" in asking.stderr.readline()
        asking.send_signal(signal.SIGINT)
        assert "goes on leaving" in asking.stderr.read()
    assert asking.returncode == 1
    assert a.ask("GET", "/v1/status")["state"] == "leaving"
    a.kill()
    for other in (b, c):
        assert other.pid is not None
        os.kill(other.pid, signal.SIGCONT)
    a.start()

    assert a.wait_end(30) == 0
    assert held(trio, "b", "c") == before


def test_a_leave_can_be_called_off(trio: Cluster) -> None:
    """`--cancel` lets a daemon that waits stay, and it serves again."""
    a, b, c = trio.daemons.values()
    for other in (b, c):
        assert other.pid is not None
        os.kill(other.pid, signal.SIGSTOP)
    with subprocess.Popen(command(a, "leave"), stderr=subprocess.PIPE, text=True) as asking:
        assert asking.stderr is not None
        assert "addresses in" in asking.stderr.readline()
        assert run(a, "leave", "--cancel").returncode == 0
        assert "told to stay" in asking.stderr.read()
    assert asking.returncode == 1
    for other in (b, c):
        assert other.pid is not None
        os.kill(other.pid, signal.SIGCONT)
    a.wait_ready()
    trio.wait_agreed()
    assert a.ask("POST", "/v1/allocations", {"key": "k"})["addresses"]
