"""
How soon deaths and returns are known, how often a death is wrong, and what an idle cluster costs.

Does not know how clusters are made, nor how results are kept.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from math import ceil
from pathlib import Path
from random import Random
from resource import getpagesize

from simulations.machine import Machine
from simulations.scale.fleet import Fleet, Host
from simulations.scale.spreading import Readings
from weaveipam.protocol.effects import Report

DEATH_WITHIN_S = 120.0
"""Longest wait for a crash to be known."""
RETURN_WITHIN_S = 120.0
"""Longest wait for a return to be known."""
SLOWED = 0.3
"""Share of nodes that are slowed."""
SLOWED_INPUTS = 0.1
"""Share of their packets that are late."""
SLOWED_S = (0.5, 5.0)
"""By so much, uniformly."""
MASS = 0.9
"""Share of nodes that restart at once."""
OFF_S = 5.0
"""How long they are away."""
STARTS_S = 1.0
"""They start within so much of each other."""


class _Gone:
    """Who has told of which deaths, by what nodes report."""

    def __init__(self, fleet: Fleet) -> None:
        self.believers: dict[str, set[str]] = {}
        """Who believes in a death, by the name of who is said to be dead."""
        self.dead: set[str] = set()
        """Of whom anybody ever believed it."""
        self.told = 0
        """How often anybody began to believe in one."""
        for host in fleet.hosts.values():
            host.on_report = self._heard

    def _heard(self, host: Machine, report: Report) -> None:
        if report.event not in {"member-dead", "member-alive", "member-joined"}:
            return
        name = str(dict(report.fields)["peer"]).partition("#")[0]
        believers = self.believers.setdefault(name, set())
        if report.event == "member-dead":
            self.told += 1
            self.dead.add(name)
            believers.add(host.name)
        else:
            believers.discard(host.name)

    def of(self, name: str) -> Collection[str]:
        """Who believes that it is dead."""
        return self.believers.get(name, ())


def idle(fleet: Fleet, _rng: Random, seconds: float) -> Readings:
    """What a cluster in sync sends and receives while nothing happens, and what simulating it costs."""
    count = len(fleet.hosts)
    before = {name: account.sent.copy() for name, account in fleet.network.accounts.items()}
    heard = {name: account.received.copy() for name, account in fleet.network.accounts.items()}
    cpu_s = time.process_time()
    fleet.run(seconds)
    cpu_s = time.process_time() - cpu_s
    sent = [account.sent.since(before[name]) for name, account in fleet.network.accounts.items()]
    received = [account.received.since(heard[name]) for name, account in fleet.network.accounts.items()]
    each = count * seconds
    return {
        "sent_bytes_per_s": sum(one.all_bytes for one in sent) / each,
        "sent_bytes_per_s_max": max(one.all_bytes for one in sent) / seconds,
        "received_bytes_per_s": sum(one.all_bytes for one in received) / each,
        "packets_per_s": sum(one.packets for one in sent) / each,
        "cpu_s_per_s": cpu_s / seconds,
        "rss_bytes_per_pair": _resident_bytes() / count**2,
        "rss_bytes": float(_resident_bytes()),
    }


def _resident_bytes() -> int:
    """Of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()


def crash(fleet: Fleet, rng: Random) -> Readings:
    """One node is gone; and when it starts again once all have noticed."""
    gone = _Gone(fleet)
    host = rng.choice(list(fleet.hosts.values()))
    others = len(fleet.hosts) - 1
    fleet.run(rng.random())
    host.lose_power()
    began = fleet.now
    first = fleet.run_until(lambda: bool(gone.of(host.name)), DEATH_WITHIN_S)
    first_s = fleet.now - began
    known = fleet.run_until(lambda: len(gone.of(host.name)) == others, DEATH_WITHIN_S)
    known_s = fleet.now - began
    false_deaths = gone.told - len(gone.of(host.name))
    host.start()
    began = fleet.now
    back = fleet.run_until(lambda: not gone.of(host.name) and _sees_all(fleet, host), RETURN_WITHIN_S)
    return {
        "first_s": first_s if first else None,
        "dead_to_all_s": known_s if known else None,
        "false_deaths": float(false_deaths),
        "alive_to_all_s": fleet.now - began if back else None,
    }


def _sees_all(fleet: Fleet, host: Host) -> bool:
    return host.gossip.members.alive_count == len(fleet.hosts) - 1


def lossy(fleet: Fleet, _rng: Random, seconds: float) -> Readings:
    """Deaths that are none while a tenth of all datagrams is lost."""
    gone = _Gone(fleet)
    fleet.network.quality = replace(fleet.network.quality, loss=0.1)
    return _false_deaths(fleet, gone, seconds)


def slowed(fleet: Fleet, rng: Random, seconds: float) -> Readings:
    """Deaths that are none while some nodes take some of their packets late."""
    gone = _Gone(fleet)
    hosts = list(fleet.hosts.values())
    for host in rng.sample(hosts, ceil(SLOWED * len(hosts))):
        host.delayed = lambda: rng.uniform(*SLOWED_S) if rng.random() < SLOWED_INPUTS else 0.0
    return _false_deaths(fleet, gone, seconds)


def _false_deaths(fleet: Fleet, gone: _Gone, seconds: float) -> Readings:
    before = fleet.network.total.copy()
    suspicions = sum(host.reports["member-suspect"] for host in fleet.hosts.values())
    fleet.run(seconds)
    sent = fleet.network.total.since(before)
    suspicions = sum(host.reports["member-suspect"] for host in fleet.hosts.values()) - suspicions
    return {
        "seconds": seconds,
        "false_deaths": float(len(gone.dead)),
        "believed": float(gone.told),
        "suspicions_per_node": suspicions / len(fleet.hosts),
        "sent_bytes_per_s": sent.all_bytes / seconds / len(fleet.hosts),
    }


def mass_restart(fleet: Fleet, rng: Random) -> Readings:
    """Nine tenths lose their power at once, and start again after some seconds: when all see all."""
    hosts = list(fleet.hosts.values())
    chosen = rng.sample(hosts, ceil(MASS * len(hosts)))
    for host in chosen:
        host.lose_power()
    fleet.run(OFF_S)
    before, began = fleet.network.total.copy(), fleet.now
    for host in chosen:
        fleet.timeline.after(rng.uniform(0.0, STARTS_S), host.start)
    fleet.run(STARTS_S)
    unseen = iter(hosts)
    blind = next(unseen, None)

    def done() -> bool:
        """Whether all see all; goes on from the first that did not when it was asked last."""
        nonlocal blind, unseen
        while blind is not None and _sees_all(fleet, blind):
            blind = next(unseen, None)
        if blind is None and not all(_sees_all(fleet, host) for host in hosts):
            unseen = iter(hosts)
            blind = next(unseen)
        return blind is None

    back = fleet.run_until(done, RETURN_WITHIN_S, 0.1)
    return {
        "all_see_all_s": fleet.now - began if back else None,
        "sent_bytes_per_node": fleet.network.total.since(before).all_bytes / len(hosts),
    }
