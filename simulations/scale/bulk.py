"""
What it takes to bring together what differs much: after a split, for a newcomer to a large ring, for many.

Does not know how clusters are made, nor how results are kept.
"""

from __future__ import annotations

from math import ceil
from random import Random

from simulations.scale.fleet import Fleet, Host
from simulations.scale.spreading import Readings
from weaveipam.protocol.requests import Allocate, Allocated

CHANGED = 0.1
"""Share of the authors of each side that make a new statement during a split."""
EQUAL_WITHIN_S = 120.0
"""Longest wait for equal state."""
SERVED_WITHIN_S = 30.0
"""Longest wait for addresses."""


def split(fleet: Fleet, rng: Random, seconds: float) -> Readings:
    """The cluster in halves, and changes on both sides; then when all have all of them."""
    hosts = list(fleet.hosts.values())
    names = [host.name for host in hosts]
    sides = [names[::2], names[1::2]]
    fleet.network.cut(sides[0], sides[1])
    fleet.network.cut(sides[1], sides[0])
    for side in sides:
        for name in rng.sample(side, ceil(CHANGED * len(side))):
            fleet.timeline.after(rng.uniform(0.0, seconds), _state, fleet, fleet.hosts[name])
    fleet.run(seconds)
    fleet.run(1.0)  # what was said last is known on its side
    differing = len({host.fingerprint for host in hosts})
    before, began = fleet.network.total.copy(), fleet.now
    accounts = {name: fleet.network.accounts[name].sent.copy() for name in names}
    fleet.network.heal()
    equal = fleet.run_until(lambda: len({host.fingerprint for host in hosts}) == 1, EQUAL_WITHIN_S)
    equal_s = fleet.now - began
    state = fleet.network.total.since(before)
    most = max(fleet.network.accounts[name].sent.since(accounts[name]).all_bytes for name in names)
    seen = fleet.run_until(
        lambda: all(host.gossip.members.alive_count == len(hosts) - 1 for host in hosts), EQUAL_WITHIN_S, 0.1
    )
    members = fleet.network.total.since(before)
    return {
        "seconds": seconds,
        "differing": float(differing),
        "equal_s": equal_s if equal else None,
        "sent_bytes_per_node": state.all_bytes / len(hosts),
        "sent_bytes_max": float(most),
        "streamed_bytes_per_node": state.streamed_bytes / len(hosts),
        "all_see_all_s": fleet.now - began if seen else None,
        "sent_bytes_per_node_until_seen": members.all_bytes / len(hosts),
    }


def _state(fleet: Fleet, host: Host) -> None:
    fleet.state(host)


def newcomer(fleet: Fleet, _rng: Random) -> Readings:
    """One more node, which joins by three: when it knows all that is owned, and serves."""
    pattern = next(iter(fleet.hosts.values()))
    fresh = fleet.newcomer()
    began = fleet.now
    fresh.start()
    account = fleet.network.accounts[fresh.name]
    equal = fleet.run_until(lambda: fresh.fingerprint == pattern.fingerprint, EQUAL_WITHIN_S)
    equal_s, received = fleet.now - began, account.received.copy()
    ready = fleet.run_until(lambda: fresh.reports["ready"] > 0, EQUAL_WITHIN_S)
    ready_s = fleet.now - began
    fleet.run(5.0)
    return {
        "equal_s": equal_s if equal else None,
        "ready_s": ready_s if ready else None,
        "received_bytes": float(received.all_bytes),
        "received_bytes_after_5_s": float(account.received.all_bytes),
        "sent_bytes": float(account.sent.all_bytes),
    }


def mass_join(fleet: Fleet, _rng: Random, seconds: float) -> Readings:
    """Many nodes start at one moment, each with a client that waits; then so many seconds of quiet."""
    fresh = [fleet.newcomer() for _ in range(fleet.shape.joiners)]
    pattern = next(iter(fleet.hosts.values()))
    before, began = fleet.network.total.copy(), fleet.now
    given: list[float] = []
    refused: list[float] = []

    def heard(answered: object) -> None:
        allocated = isinstance(getattr(answered, "answer", None), Allocated)
        (given if allocated else refused).append(fleet.now - began)

    for number, host in enumerate(fresh, start=1):
        host.start()
        host.ask(number, Allocate("pod"), heard)
    fleet.run_until(lambda: len(given) + len(refused) == len(fresh), SERVED_WITHIN_S)
    served, served_runs, grants = fleet.network.total.since(before), pattern.runs_count, _grants(fleet)
    fleet.run(seconds)
    quiet = fleet.network.total.since(before)
    nodes, count = len(fleet.hosts), len(fresh)
    return {
        "seconds": seconds,
        "served": float(len(given)),
        "refused": float(len(refused)),
        "half_s": given[len(given) // 2] if given else None,
        "all_s": given[-1] if len(given) == count else None,
        "grants_per_node": grants / count,
        "sent_bytes_per_node": served.all_bytes / nodes,
        "datagrams_per_node": served.datagrams / nodes,
        "runs": float(served_runs),
        "runs_after_quiet": float(pattern.runs_count),
        "grants_per_node_in_quiet": (_grants(fleet) - grants) / count,
        "sent_bytes_per_node_in_quiet": (quiet.all_bytes - served.all_bytes) / nodes,
    }


def _grants(fleet: Fleet) -> int:
    """How often space has moved from one node to another so far."""
    return sum(host.reports["space-granted"] + host.reports["space-drifted"] for host in fleet.hosts.values())
