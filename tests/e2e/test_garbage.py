"""Bytes that are no packets, thrown at a real daemon that is working."""

from __future__ import annotations

import random
import socket
import threading
from typing import Self, get_args

import pytest

from simulations.hosts.cluster import Cluster
from simulations.hosts.flood import Flood, Kind

pytestmark = pytest.mark.slow


class Garbage:
    """Sends random datagrams, and opens streams of random bytes, for as long as it is entered."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._chance = random.Random(7)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent_count = 0

    def _run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            while not self._stop.wait(0.001):
                for _ in range(20):
                    size_bytes = self._chance.choice((0, 1, 20, 1400, 9000))
                    datagrams.sendto(self._chance.randbytes(size_bytes), self._target)
                    self.sent_count += 1
                with socket.create_connection(self._target, timeout=2) as stream:
                    stream.sendall(self._chance.randbytes(64))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_adds_go_on_under_a_flood_of_garbage(trio: Cluster) -> None:
    """A daemon flooded with random datagrams and streams answers every ADD, and counts the garbage."""
    trio.wait_agreed()
    with Garbage(trio.daemons["a"].plan.place.bind) as garbage:
        for n in range(40):
            trio.runtimes["a"].add(f"c{n}")
    trio.wait_agreed()

    assert garbage.sent_count > 20
    assert trio.ledger.answers_count == 40
    metrics = trio.daemons["a"].ask("GET", "/metrics")
    assert [line for line in metrics.splitlines() if "bad-packet" in line]


def dropped(cluster: Cluster, reason: str) -> float:
    """How many packets a daemon says that it has dropped for a reason."""
    metrics: str = cluster.daemons["a"].ask("GET", "/metrics")
    name = f'weaveipam_gossip_dropped_total{{reason="{reason}"}} '
    return float(next(line for line in metrics.splitlines() if line.startswith(name)).removeprefix(name))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_adds_go_on_while_one_host_sends_all_it_can(trio: Cluster, kind: Kind) -> None:
    """Though one address floods a daemon with all it can, every ADD succeeds; what is dropped is counted."""
    trio.wait_agreed()
    log_bytes = trio.daemons["a"].log.stat().st_size
    with Flood("127.0.0.2", trio.daemons["a"].plan.place.bind, kind) as flood:
        for n in range(40):
            trio.runtimes["a"].add(f"c{n}")
    trio.wait_agreed()

    assert trio.ledger.answers_count == 40
    assert flood.sent_count > 1000
    assert dropped(trio, "datagram-flood") + dropped(trio, "kernel") > 0
    assert trio.daemons["a"].log.stat().st_size - log_bytes < 100_000
