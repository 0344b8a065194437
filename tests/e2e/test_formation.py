"""Real daemons form a ring, or refuse to run beside another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ring.address import parse_range
from simulations.hosts.cluster import Cluster, HostRuntime, plan_cluster
from simulations.hosts.processes import Daemon, DaemonPlan, HttpError
from simulations.hosts.relay import Relay

pytestmark = pytest.mark.slow


def test_three_daemons_form_one_ring(trio: Cluster) -> None:
    """All three come to hold the same ring, in which every address of the pool has one owner."""
    trio.wait_agreed()

    runs = trio.rings()[0]
    spans = sorted((parse_range(run["range"])[1] for run in runs), key=lambda span: span.start)
    whole = parse_range("10.32.0.0/24")[1]
    assert sum(span.size for span in spans) == whole.size
    assert (spans[0].start, spans[-1].stop) == (whole.start, whole.stop)
    assert {run["owner"] for run in runs} == {"a", "b", "c"}


def test_one_daemon_forms_alone(build_cluster: Callable[..., Cluster]) -> None:
    """A daemon that is its own only seed is ready without anybody else, and owns everything."""
    cluster = build_cluster("a")

    assert {run["owner"] for run in cluster.rings()[0]} == {"a"}
    assert cluster.runtimes["a"].add("c1") == ("10.32.0.1",)


def test_a_newcomer_joins_and_allocates(
    trio: Cluster, program: Path, relay: Relay, tmp_path: Path, start_daemon: Callable[[DaemonPlan], Daemon]
) -> None:
    """A daemon that is no seed joins the ring that is there, and gets space when it needs some."""
    plan = plan_cluster(["a", "b", "c", "d"], relay, tmp_path, ("pods=10.32.0.0/24",))[3]
    newcomer = start_daemon(replace(plan, seeds=()))
    newcomer.wait_ready()
    runtime = HostRuntime(program, newcomer.cni_socket, None, trio.ledger)
    for n in range(10):
        trio.runtimes["a"].add(f"a{n}")
        runtime.add(f"d{n}")

    assert trio.ledger.duplicates == []
    assert "d" in {run["owner"] for run in newcomer.ask("GET", "/v1/ring")}


def test_a_second_daemon_on_the_same_data_refuses_to_run(
    build_cluster: Callable[..., Cluster], start_daemon: Callable[[DaemonPlan], Daemon]
) -> None:
    """A second process on a data directory ends at once and says why; the first does not notice."""
    cluster = build_cluster("a")
    first = cluster.daemons["a"]
    second = start_daemon(first.plan)

    assert second.wait_end() == 1
    assert "data" in second.log_tail(3)
    assert cluster.runtimes["a"].add("c1") == ("10.32.0.1",)


def test_a_second_daemon_with_a_name_in_use_is_told_so(
    trio: Cluster, relay: Relay, tmp_path: Path, start_daemon: Callable[[DaemonPlan], Daemon]
) -> None:
    """A daemon of the name of one that runs does not become ready, says why, and disturbs nobody."""
    plan = plan_cluster(["a", "b", "c", "d"], relay, tmp_path, ())[3]
    double = start_daemon(replace(plan, name="a", directory=tmp_path / "double", seeds=()))
    double.wait(lambda: "name-in-use" in double.log_tail(1000), "told that its name is in use")
    trio.wait_agreed()

    with pytest.raises(HttpError, match="503"):
        double.ask("GET", "/readyz")
    assert "in use" in double.ask("GET", "/v1/status")["why_not_ready"]
    assert trio.runtimes["a"].add("c1") != trio.runtimes["b"].add("c2")


def test_sigterm_ends_a_daemon_in_good_order(build_cluster: Callable[..., Cluster]) -> None:
    """After SIGTERM the exit status is 0, the sockets are gone, and the next start has every allocation."""
    cluster = build_cluster("a")
    daemon, runtime = cluster.daemons["a"], cluster.runtimes["a"]
    runtime.add("c1")
    status = daemon.terminate()
    left = daemon.socket.exists() or daemon.cni_socket.exists()
    daemon.start()
    daemon.wait_ready()
    runtime.check("c1")

    assert (status, left) == (0, False)
