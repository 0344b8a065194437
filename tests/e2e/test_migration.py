"""Containers that host-local served, and that real daemons and the CNI program serve from then on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulations.demo import install_cni, why_no_namespaces
from simulations.hosts.cluster import CNI_NETWORK, Cluster, plan_cluster
from simulations.hosts.conflist import (
    DEBIAN_PLUGINS,
    Attachment,
    ConflistRunner,
    PluginError,
    addresses_of,
    call_plugin,
)
from simulations.hosts.namespaces import Lab, ping

HOST_LOCAL = DEBIAN_PLUGINS / "host-local"

pytestmark = pytest.mark.slow


def weaveipam(cluster: Cluster, name: str, *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, answer and standard error of a command to one daemon."""
    command = [sys.executable, "-m", "weaveipam", "--socket", str(cluster.daemons[name].socket), "-o", "json"]
    ran = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    return ran.returncode, json.loads(ran.stdout), ran.stderr


def given(directory: Path, container: str) -> dict[str, Any]:
    """What host-local gives a container, keeping it below a directory."""
    ranges = [[{"subnet": "10.32.0.0/24", "rangeStart": "10.32.0.2"}], [{"subnet": "fd00::/64"}]]
    ipam = {"type": "host-local", "dataDir": str(directory), "ranges": ranges}
    config = {"cniVersion": "1.0.0", "name": CNI_NETWORK, "type": "bridge", "ipam": ipam}
    pod = Attachment(container, f"/var/run/netns/{container}")
    return call_plugin(HOST_LOCAL, "ADD", pod, config, [DEBIAN_PLUGINS])


def keys(cluster: Cluster, name: str) -> list[str]:
    """What a daemon has given out, by its keys."""
    return [one["key"] for one in cluster.daemons[name].ask("GET", "/v1/allocations")]


@pytest.mark.skipif(not HOST_LOCAL.exists(), reason=f"there is no {HOST_LOCAL}")
def test_running_containers_move_from_host_local(
    build_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    """They keep their addresses, and CHECK, ADD again, DEL and GC of the CNI program know them."""
    cluster = build_cluster("a", "b", pool="10.32.0.0/24,fd00::/64")
    results = {container: given(tmp_path / "networks", container) for container in ("c1", "c2", "c3", "c4")}
    addresses = {name: [one["address"].partition("/")[0] for one in results[name]["ips"]] for name in results}
    assert all(len(each) == 2 for each in addresses.values())
    source = ("import", "host-local", str(tmp_path / "networks" / CNI_NETWORK))
    status, answer, _ = weaveipam(cluster, "a", *source)
    assert (0, 8) == (status, answer["taken"])

    runtime = cluster.runtimes["a"]
    runtime.call("CHECK", "c1", prevResult=results["c1"])
    assert addresses["c1"] == list(runtime.add("c1"))
    assert set(runtime.add("new")).isdisjoint(one for each in addresses.values() for one in each)
    runtime.call("DEL", "c1")
    with pytest.raises(PluginError):
        runtime.call("CHECK", "c1", prevResult=results["c1"])
    valid = {"cni.dev/valid-attachments": [{"containerID": "c2", "ifname": "eth0"}]}
    runtime.call("GC", None, cniVersion="1.1.0", **valid)
    assert [f"cni/{CNI_NETWORK}/c2/eth0"] == keys(cluster, "a")


@pytest.mark.root
@pytest.mark.skipif(why_no_namespaces() is not None, reason=f"{why_no_namespaces()}")
def test_a_pod_of_the_bridge_plugin_moves(program: Path, tmp_path: Path) -> None:
    """A conflist in which only the IPAM type has changed serves the pods of before and new ones alike."""
    ipam = {"type": "host-local", "dataDir": str(tmp_path / "networks"), "subnet": "10.32.0.0/24"}
    bridge = {"type": "bridge", "bridge": "mig0", "isGateway": True, "ipam": ipam}
    with Lab() as lab:
        lab.add_host("a", "172.30.0.11/24")
        with Cluster(plan_cluster("a", lab, tmp_path, ("pods=10.32.0.0/16",)), program) as cluster:
            cluster.start()
            daemon = cluster.daemons["a"]
            installed = install_cni(tmp_path / "a", daemon.socket)
            conflist = tmp_path / "10-pods.conflist"
            paths = (installed.program.parent, DEBIAN_PLUGINS)

            def runtime() -> ConflistRunner:
                listed = {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}
                conflist.write_text(json.dumps(listed))
                return ConflistRunner(conflist, paths, daemon.plan.place.namespace)

            old, new = Attachment("old", lab.add_pod()), Attachment("new", lab.add_pod())
            before = runtime()
            (address,) = addresses_of(before.add(old))
            source = ("import", "host-local", str(tmp_path / "networks" / "pods"))
            assert 0 == weaveipam(cluster, "a", *source)[0]
            ipam |= {"type": "weaveipam", "socket": str(daemon.cni_socket)}
            after = runtime()
            after._results = before._results
            after.check(old)
            assert addresses_of(after.add(new)) != (address,)
            assert ping(new.netns, address) is not None
            after.delete(old)
            assert ["cni/pods/new/eth0"] == keys(cluster, "a")
            after.delete(new)
            assert [] == keys(cluster, "a")


def test_addresses_of_a_daemon_that_is_gone_are_told_at_once(
    build_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    """What the others own is had from them; of those that cannot be reached each address is told."""
    cluster = build_cluster("a", "b")
    cluster.wait_agreed()
    (far,) = (one for one in cluster.daemons["a"].ask("GET", "/v1/ring") if one["owner"] == "b")
    base = far["range"].rpartition(".")[0]
    first = int(far["range"].rpartition(".")[2].partition("/")[0])
    listed = tmp_path / "list"
    listed.write_text("".join(f"{base}.{first + number}\n" for number in range(1, 9)))
    assert (0, 8) == (weaveipam(cluster, "a", "import", "addresses", str(listed))[0], len(keys(cluster, "a")))

    cluster.daemons["b"].kill()
    cluster.daemons["a"].wait(lambda: cluster.states("a")["b"] == "dead", "sure that b is gone")
    listed.write_text("".join(f"{base}.{first + number}\n" for number in range(1, 31)))
    before = time.monotonic()
    status, answer, said = weaveipam(cluster, "a", "import", "addresses", str(listed))

    assert (1, 8, 22) == (status, answer["held"], answer["failed"])
    assert {("not-owner", "it is owned by b, which is unreachable"), (None, None)} == {
        (one["reason"], one["detail"]) for one in answer["addresses"]
    }
    assert "weaveipam: 22 of 30 could not be taken over\n" == said
    assert time.monotonic() - before < 8.0
