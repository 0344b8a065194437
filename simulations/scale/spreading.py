"""
How fast a new statement is everywhere, and what it costs: alone, and where one node has missed it.

Does not know how clusters are made, nor how results are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from random import Random
from typing import TypeAlias

from simulations.scale.fleet import Fleet, Host
from simulations.scale.policies import SelectiveGossip
from weaveipam.protocol.records import Owned

Readings: TypeAlias = dict[str, float | list[float] | None]
"""What one run measured, by name: numbers, samples, or None for what never came."""

STATEMENTS = 20
"""One after the other in each run."""
WITHIN_S = 60.0
"""Longest wait for the last node to have a statement."""
PAUSE_S = 1.0
"""From when the last has it to the next, and at least as long as copies are sent."""
BASELINE_S = 10.0
"""How long the idle cluster is watched before."""


class Wave:
    """When which node had one statement on its disk."""

    def __init__(self, fleet: Fleet, author: Host) -> None:
        self._fleet = fleet
        self._began = fleet.now
        self._had: set[str] = set()
        self.times_s: list[float] = []
        """Since it was made, ascending."""
        for host in fleet.hosts.values():
            host.on_owned = self._owned
        self._statement = fleet.state(author)

    def _owned(self, host: Host, owned: Owned) -> None:
        if (owned.run.start, owned.run.token.epoch) == self._statement and host.name not in self._had:
            self._had.add(host.name)
            self.times_s.append(self._fleet.now - self._began)

    def has(self, host: Host) -> bool:
        """Whether it has got there."""
        return host.name in self._had

    def at(self, share: float) -> float | None:
        """When that share of all running nodes had it; None if never."""
        count = ceil(share * len(self._fleet.running()))
        return self.times_s[count - 1] if len(self.times_s) >= count else None


def spread(fleet: Fleet, rng: Random, loss: float) -> Readings:
    """Statements of random authors, one after the other, where that share of datagrams is lost."""
    count = len(fleet.hosts)
    hosts = list(fleet.hosts.values())
    fleet.network.quality = replace(fleet.network.quality, loss=loss)
    idle = fleet.network.total.copy()
    fleet.run(BASELINE_S)
    idle = fleet.network.total.since(idle)
    before, began = fleet.network.total.copy(), fleet.now
    waves: list[Wave] = []
    for _ in range(STATEMENTS):
        wave = Wave(fleet, rng.choice(hosts))
        fleet.run_until(lambda wave=wave: wave.at(1.0) is not None, WITHIN_S)  # type: ignore[misc]  # bound now
        fleet.run(PAUSE_S + rng.random())
        waves.append(wave)
    sent, passed = fleet.network.total.since(before), (fleet.now - began) / BASELINE_S
    each = STATEMENTS * count
    return {
        "half_s": _samples(waves, 0.5),
        "most_s": _samples(waves, 0.99),
        "last_s": _samples(waves, 1.0),
        "missed": float(sum(wave.at(1.0) is None for wave in waves)),
        "copies": (sent.datagrams - passed * idle.datagrams) / each,
        "copy_bytes": (sent.datagram_bytes - passed * idle.datagram_bytes) / each,
        "streamed_bytes": sent.streamed_bytes / each,
    }


def _samples(waves: list[Wave], share: float) -> list[float]:
    return [round(at, 6) for at in (wave.at(share) for wave in waves) if at is not None]


def missed(fleet: Fleet, rng: Random) -> Readings:
    """One statement that no push brings to one node: when that has it nevertheless, and at what price."""
    hosts = list(fleet.hosts.values())
    author, deaf = rng.sample(hosts, 2)
    for host in hosts:
        assert isinstance(host.gossip, SelectiveGossip)
        host.gossip.push_past(deaf.settings.endpoint)
    fleet.run(rng.random())
    both = _Both(fleet, deaf)
    fleet.run(BASELINE_S)
    idle_bytes_per_s = both.bytes() / BASELINE_S
    before, began = both.bytes(), fleet.now
    wave = Wave(fleet, author)
    fleet.run_until(lambda: wave.has(deaf), WITHIN_S, 0.001)
    repaired_bytes = both.bytes() - before - idle_bytes_per_s * (fleet.now - began)
    fleet.run(2 * PAUSE_S)
    after_bytes = both.bytes() - before - idle_bytes_per_s * (fleet.now - began)
    return {
        "repaired_s": wave.times_s[-1] if wave.has(deaf) else None,
        "repaired_bytes": max(0.0, repaired_bytes),
        "after_bytes": max(0.0, after_bytes),
    }


class _Both:
    """Bytes from and to one host."""

    def __init__(self, fleet: Fleet, host: Host) -> None:
        self._account = fleet.network.accounts[host.name]
        self._before = self._sum()

    def _sum(self) -> int:
        return self._account.sent.all_bytes + self._account.received.all_bytes

    def bytes(self) -> int:
        """Since the beginning."""
        return self._sum() - self._before


Measure: TypeAlias = Callable[[Fleet, Random], Readings]
"""One run on a settled cluster that nobody else uses."""
