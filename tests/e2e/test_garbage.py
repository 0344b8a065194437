"""Bytes that are no packets, thrown at a real daemon that is working."""

from __future__ import annotations

import random
import socket
import threading
from typing import Self

import pytest

from simulations.hosts.cluster import Cluster

pytestmark = pytest.mark.slow


class Flood:
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
    with Flood(trio.daemons["a"].plan.place.bind) as flood:
        for n in range(40):
            trio.runtimes["a"].add(f"c{n}")
    trio.wait_agreed()

    assert flood.sent_count > 20
    assert trio.ledger.answers_count == 40
    metrics = trio.daemons["a"].ask("GET", "/metrics")
    assert [line for line in metrics.splitlines() if "bad-packet" in line]
