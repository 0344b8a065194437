"""Hosts and pods in network namespaces, with the standard bridge and host-local plugins and no daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyroute2 import netns

from simulations.hosts.conflist import DEBIAN_PLUGINS, Attachment, ConflistRunner, addresses_of
from simulations.hosts.namespaces import HOST_BRIDGE, Lab, ping, why_unavailable

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(why_unavailable() is not None, reason=f"{why_unavailable()}"),
]


@pytest.fixture
def lab() -> Iterator[Lab]:
    """An empty segment."""
    with Lab() as made:
        yield made


def test_hosts_reach_each_other_unless_cut(lab: Lab) -> None:
    """Hosts on the segment answer pings; one that is cut off does not, until it is healed."""
    first = lab.add_host("a", "172.30.0.11/24")
    lab.add_host("b", "172.30.0.12/24")
    before = ping(first, "172.30.0.12")
    lab.cut("b")
    during = ping(first, "172.30.0.12", timeout_s=0.6)
    lab.heal("b")
    after = ping(first, "172.30.0.12")

    assert (before is not None, during, after is not None) == (True, None, True)


def test_close_removes_every_namespace() -> None:
    """Nothing of a lab is left after it, also when its body raised."""
    before = set(netns.listnetns())

    def fail_in_the_middle() -> None:
        with Lab() as lab:
            lab.add_host("a", "172.30.0.11/24")
            lab.add_pod()
            assert len(set(netns.listnetns()) - before) == 3
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail_in_the_middle()

    assert set(netns.listnetns()) <= before


def conflist(directory: Path, host: int) -> Path:
    """A list with the standard plugins alone; each host has a quarter of the pods' network."""
    plugin = {
        "type": "bridge",
        "bridge": HOST_BRIDGE,
        "isGateway": False,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "dataDir": str(directory / f"leases{host}"),
            "ranges": [
                [
                    {
                        "subnet": "10.33.0.0/24",
                        "rangeStart": f"10.33.0.{64 * host + 10}",
                        "rangeEnd": f"10.33.0.{64 * host + 60}",
                    }
                ]
            ],
        },
    }
    path = directory / f"host{host}.conflist"
    path.write_text(json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": [plugin]}))
    return path


@pytest.mark.skipif(not (DEBIAN_PLUGINS / "bridge").exists(), reason="no containernetworking-plugins")
def test_pods_on_two_hosts_ping_each_other(lab: Lab, tmp_path: Path) -> None:
    """Pods that the bridge plugin attached on different hosts are on one segment, until one is deleted."""
    hosts = [lab.add_host(name, f"172.30.0.1{number}/24") for number, name in enumerate("ab")]
    pods = [Attachment(f"pod{number}", lab.add_pod()) for number in range(2)]
    runtimes = [
        ConflistRunner(conflist(tmp_path, number), [DEBIAN_PLUGINS], host)
        for number, host in enumerate(hosts)
    ]
    answers = [addresses_of(runtime.add(pod)) for runtime, pod in zip(runtimes, pods, strict=True)]
    runtimes[0].check(pods[0])
    reached = ping(pods[0].netns, answers[1][0])
    runtimes[1].delete(pods[1])
    lost = ping(pods[0].netns, answers[1][0], timeout_s=0.6)

    assert (answers, reached is not None, lost) == ([("10.33.0.10",), ("10.33.0.74",)], True, None)
