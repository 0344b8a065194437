"""Daemons on hosts in network namespaces, and pods that the bridge plugin attaches with our addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulations.demo import install_cni, why_no_namespaces
from simulations.hosts.cluster import Cluster, plan_cluster
from simulations.hosts.conflist import DEBIAN_PLUGINS, Attachment, ConflistRunner, addresses_of
from simulations.hosts.namespaces import Lab, ping

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(why_no_namespaces() is not None, reason=f"{why_no_namespaces()}"),
]


def test_pods_on_two_hosts_ping_each_other(program: Path, tmp_path: Path) -> None:
    """Through the installed conflist pods on two hosts get addresses of one pool and reach each other."""
    with Lab() as lab:
        for number, name in enumerate("ab", 11):
            lab.add_host(name, f"172.30.0.{number}/24")
        with Cluster(plan_cluster("ab", lab, tmp_path, ("pods=10.32.0.0/24",)), program) as cluster:
            cluster.start()
            pods, answers, runtimes = [], [], []
            for name, daemon in cluster.daemons.items():
                installed = install_cni(tmp_path / name, daemon.socket)
                runtime = ConflistRunner(
                    installed.conflist,
                    (installed.program.parent, DEBIAN_PLUGINS),
                    daemon.plan.place.namespace,
                )
                pod = Attachment(f"pod-{name}", lab.add_pod())
                answers.append(addresses_of(runtime.add(pod))[0])
                runtime.check(pod)
                pods.append(pod)
                runtimes.append(runtime)
            reached = [ping(pods[0].netns, answers[1]), ping(pods[1].netns, answers[0])]
            for runtime, pod in zip(runtimes, pods, strict=True):
                runtime.delete(pod)
            left = [daemon.ask("GET", "/v1/allocations") for daemon in cluster.daemons.values()]

    assert None not in reached
    assert left == [[], []]
