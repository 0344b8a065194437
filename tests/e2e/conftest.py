"""Clusters of real daemons for the end-to-end tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cni.install import program_path
from simulations.hosts.cluster import Cluster, plan_cluster
from simulations.hosts.processes import Daemon, DaemonPlan
from simulations.hosts.relay import Relay
from weaveipam.errors import ConfigError

BuildCluster = Callable[..., Cluster]


@pytest.fixture(scope="session")
def program() -> Path:
    """The CNI program, as the build left it."""
    try:
        return program_path()
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture
def relay() -> Iterator[Relay]:
    """The network between daemons a, b and c, and one more."""
    with Relay(["a", "b", "c", "d"]) as running:
        yield running


@pytest.fixture
def build_cluster(program: Path, relay: Relay, tmp_path: Path) -> Iterator[BuildCluster]:
    """Makes a cluster of daemons with these names that share a pool; they are ended after the test."""
    clusters: list[Cluster] = []

    def build(*names: str, pool: str = "10.32.0.0/24") -> Cluster:
        cluster = Cluster(plan_cluster(names, relay, tmp_path, (f"pods={pool}",)), program)
        clusters.append(cluster)
        cluster.start()
        return cluster

    yield build
    for cluster in clusters:
        cluster.close()


@pytest.fixture
def trio(build_cluster: BuildCluster) -> Cluster:
    """Daemons a, b and c, ready, with 254 addresses."""
    return build_cluster("a", "b", "c")


@pytest.fixture
def start_daemon() -> Iterator[Callable[[DaemonPlan], Daemon]]:
    """Starts one more daemon; it is ended after the test."""
    daemons: list[Daemon] = []

    def start(plan: DaemonPlan) -> Daemon:
        daemon = Daemon(plan)
        daemons.append(daemon)
        daemon.start()
        return daemon

    yield start
    for daemon in daemons:
        daemon.close()
