"""Real daemons whose store goes back in time, or is copied: they are told so by the others."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from simulations.hosts.cluster import plan_cluster
from simulations.hosts.processes import Daemon, DaemonPlan
from simulations.hosts.relay import Relay
from weaveipam.cli.compose import STORE_NAME

pytestmark = pytest.mark.slow

MARK_S = 1.0
"""Longer than the quick preset takes to have others remember what a daemon gave."""


@pytest.fixture
def trio(relay: Relay, tmp_path: Path, start_daemon: Callable[[DaemonPlan], Daemon]) -> dict[str, Daemon]:
    """Daemons a, b and c, ready."""
    plans = plan_cluster(["a", "b", "c"], relay, tmp_path, ("pods=10.32.0.0/24",))
    daemons = {plan.name: start_daemon(plan) for plan in plans}
    for one in daemons.values():
        one.wait_ready()
    return daemons


def give(daemon: Daemon, key: str, *, durable: bool = True) -> str:
    """The address that a key is given."""
    answer = daemon.ask("POST", "/v1/allocations", {"key": key, "durable": durable})
    (one,) = answer["addresses"]
    return str(one["address"])


def wal(daemon: Daemon) -> Path:
    """The log of a daemon's store, which holds all that no checkpoint has moved."""
    return daemon.plan.directory / "data" / f"{STORE_NAME}-wal"


def test_a_restored_data_directory_gives_nothing_twice(trio: dict[str, Daemon], tmp_path: Path) -> None:
    """A data directory of yesterday is found out before its daemon serves; nothing given since is free."""
    a = trio["a"]
    give(a, "before")
    data, saved = a.plan.directory / "data", tmp_path / "saved"
    a.terminate()
    shutil.copytree(data, saved)
    a.start()
    a.wait_ready()
    since = {give(a, f"since-{number}") for number in range(5)}
    time.sleep(MARK_S)
    a.terminate()
    shutil.rmtree(data)
    shutil.copytree(saved, data)
    a.start()
    a.wait_ready()

    assert since.isdisjoint(give(a, f"after-{number}") for number in range(20))
    assert '"event": "next-life"' in a.log.read_text()
    assert "before" in {one["key"] for one in a.ask("GET", "/v1/allocations")}


def test_a_log_without_its_end_is_found_out(trio: dict[str, Daemon]) -> None:
    """A store whose log has lost its end opens as if nothing were wrong; the others know better."""
    a = trio["a"]
    give(a, "before")
    time.sleep(MARK_S)
    size = wal(a).stat().st_size
    since = {give(a, f"since-{number}") for number in range(5)}
    time.sleep(MARK_S)
    a.kill()
    assert wal(a).stat().st_size > size
    os.truncate(wal(a), size + 100)
    a.start()
    a.wait_ready()

    assert since.isdisjoint(give(a, f"after-{number}") for number in range(20))
    assert '"event": "next-life"' in a.log.read_text()
    assert '"event": "store-set-aside"' not in a.log.read_text()


def test_a_copied_data_directory_does_not_serve(
    trio: dict[str, Daemon], relay: Relay, tmp_path: Path, start_daemon: Callable[[DaemonPlan], Daemon]
) -> None:
    """A copy beside its original becomes another life, which waits for the name; the original goes on."""
    a = trio["a"]
    give(a, "before")
    time.sleep(MARK_S)
    other = plan_cluster(["a", "b", "c", "d"], relay, tmp_path, ())[3]
    shutil.copytree(a.plan.directory / "data", other.directory / "data")
    copy = start_daemon(replace(other, name="a", seeds=a.plan.seeds))
    wanted = "give this daemon another --name"
    copy.wait(lambda: wanted in copy.ask("GET", "/v1/status")["why_not_ready"], "refused")

    assert '"event": "next-life"' in copy.log.read_text()
    assert not copy.ask("GET", "/v1/status")["ready"]
    a.wait(lambda: '"event": "clone"' in a.log.read_text(), "told of its copy")
    assert give(a, "after")
