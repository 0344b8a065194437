"""Real daemons that are killed, or lose their store: no acknowledged allocation is lost or given twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from simulations.hosts.cluster import Cluster, HostRuntime
from simulations.hosts.conflist import PluginError
from simulations.hosts.processes import Daemon

pytestmark = pytest.mark.slow

SEED = 20
KILLS = 6


class Load:
    """Containers that come and go on one host, up to 16 at once, as fast as the CNI program answers."""

    def __init__(self, runtime: HostRuntime, label: str, chance: random.Random) -> None:
        self.runtime = runtime
        self._label = label
        self._chance = chance
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            with suppress(PluginError):  # its daemon was away for longer than the program waits
                self.runtime.add(f"{self._label}-{number}")
                held = self.runtime.containers()
                if len(held) > 16 or self._chance.random() < 0.2:
                    self.runtime.delete(self._chance.choice(held))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_kill_at_random_times_keeps_every_acknowledged_allocation(
    build_cluster: Callable[..., Cluster],
) -> None:
    """Daemons killed under load and started again still have all that the CNI program answered."""
    trio = build_cluster("a", "b", "c", pool="10.32.0.0/26")  # so small that space moves all the time
    chance = random.Random(SEED)
    names = list(trio.daemons)
    loads = [
        Load(trio.runtimes[name], f"load-{name}", random.Random(SEED + n)) for n, name in enumerate(names)
    ]
    with ExitStack() as stack:
        for load in loads:
            stack.enter_context(load)
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.05, 0.4))  # when, is the point of the test; nothing is waited for
            daemon = trio.daemons[chance.choice(names)]
            daemon.kill()
            daemon.start()
            daemon.wait_ready()
    trio.wait_agreed()

    for runtime in trio.runtimes.values():
        for container in runtime.containers():
            runtime.check(container)
    assert trio.ledger.duplicates == []
    assert trio.ledger.answers_count > 3 * KILLS


def lose_store(daemon: Daemon, *, corrupt: bool) -> None:
    """Deletes what a killed daemon had stored, or overwrites it."""
    data = daemon.plan.directory / "data"
    stored = [path for path in data.rglob("*") if path.is_file()]
    assert stored, f"nothing is stored in {data}"
    for path in stored:
        if corrupt:
            path.write_bytes(b"\xa5" * max(4096, path.stat().st_size))
        else:
            path.unlink()


@pytest.mark.parametrize("corrupt", [False, True], ids=["deleted", "corrupt"])
def test_a_lost_store_means_a_new_incarnation(trio: Cluster, *, corrupt: bool) -> None:
    """A daemon without its store comes back as another life, says so, and takes nothing over."""
    trio.wait_agreed()
    for n in range(5):
        for name, runtime in trio.runtimes.items():
            runtime.add(f"{name}{n}")
    daemon = trio.daemons["b"]
    before = daemon.ask("GET", "/v1/status")["incarnation"]
    lost = [run for run in trio.rings()[0] if run["owner"] == "b"]
    daemon.kill()
    daemon.log.rename(daemon.log.with_suffix(".first"))
    lose_store(daemon, corrupt=corrupt)
    daemon.start()
    daemon.wait_ready()

    after = daemon.ask("GET", "/v1/status")["incarnation"]
    daemon.wait(lambda: trio.rings()[1] == trio.rings()[0], "in agreement on the ring")
    assert after > before
    assert "new-incarnation" in daemon.log_tail(1000)
    assert corrupt == ("store-set-aside" in daemon.log_tail(1000))
    assert lost == [run for run in trio.rings()[0] if run["owner_incarnation"] == before]
    trio.runtimes["b"].add("again")
    assert trio.ledger.duplicates == []


def test_a_deletion_with_the_daemon_down_is_kept(build_cluster: Callable[..., Cluster]) -> None:
    """A DEL while the daemon is away succeeds, lies in the spool, and is done before the first request."""
    cluster = build_cluster("a")
    daemon, runtime = cluster.daemons["a"], cluster.runtimes["a"]
    runtime.add("c1")
    runtime.add("c2")
    daemon.kill()
    runtime.delete("c1")
    spooled = spool(daemon)
    daemon.start()
    daemon.wait_ready()

    keys = [one["key"] for one in daemon.ask("GET", "/v1/allocations")]
    assert (len(spooled), spool(daemon), keys) == (1, [], ["cni/demo/c2/eth0"])


def spool(daemon: Daemon) -> list[Path]:
    """The deletions that wait, beside the sockets."""
    return sorted(path for path in (daemon.plan.directory / "spool").rglob("*") if path.is_file())
