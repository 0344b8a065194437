"""
What an allocation costs as pools and allocations grow: `python tests/bench/bench_model.py [--json FILE]`.

One daemon's state machine without its sockets and its disk: an allocation and its release.  Cases take turns,
and the medians of many rounds are compared.  Beside it how long a daemon takes to start with so many.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.config.pools import parse_pool
from weaveipam.gossip.settings import GossipSettings
from weaveipam.node import Node, Settings
from weaveipam.protocol import codec
from weaveipam.protocol.effects import Persist, Reply
from weaveipam.protocol.records import Born, Identity, Leased, Record
from weaveipam.protocol.requests import Allocate, Release, Request, Want
from weaveipam.protocol.values import Allocation, Assigned, Birth, Endpoint, Pool

ROUNDS = 2000
MANY_POOLS = 1_000
MANY_LIVE = 1_000_000
BAR = 1.5
"""How much more an allocation may cost than in the small case."""
START_S_MAX = 10.0

ME = Peer("n1", 1)


def pool(name: str, ranges: str) -> Pool:
    """A pool of one range, nothing of which is set aside."""
    return parse_pool({"name": name, "ranges": [{"range": ranges, "set_aside": False}]})


def leases(count: int) -> Iterable[Leased]:
    """So many pods' allocations, of the first addresses of pool p."""
    for index in range(count):
        what = Range(0x0A00_0000 + index, 0x0A00_0001 + index)
        one = Assigned("p", Family.V4, what, 8, None)
        yield Leased(Allocation(f"cni/pods/{index:064x}/eth0", "default", (one,), durable=False))


class Daemon:
    """The state machine of a daemon that is alone."""

    def __init__(self, pools: list[Pool], live: int) -> None:
        birth = Birth(bytes(16), (ME,), tuple(sorted(pools, key=lambda one: one.name)))
        records = [codec.encode_record(Identity(ME)), codec.encode_record(Born(birth))]
        records += [codec.encode_record(lease) for lease in leases(live)]
        began = perf_counter()
        decoded: list[Record] = [codec.decode_record(one) for one in records]
        self.node = Node.restore(ME, settings(), Random(1), decoded, 0.0)
        self.now = 0.0
        while not any(
            isinstance(one, Reply) for one in self.ask(Allocate("ready", wants=(Want(pools=("p",)),)))
        ):
            self.now = max(self.now + 0.01, self.node.wake_at)
            self.node.wake(self.now)
        self.started_s = perf_counter() - began

    def ask(self, request: Request) -> tuple[object, ...]:
        """What follows from a request."""
        return self.node.request(1, request, self.now)

    def turn(self) -> float:
        """An allocation and its release, in seconds."""
        began = perf_counter()
        given = self.ask(Allocate("bench", wants=(Want(pools=("p",)),)))
        back = self.ask(Release("bench"))
        took = perf_counter() - began
        assert isinstance(given[-1], Reply) or any(isinstance(one, Reply) for one in given)
        assert any(isinstance(one, Persist) for one in back)
        self.now += 0.001
        if self.node.wake_at <= self.now:
            self.node.wake(self.now)
        return took


def settings() -> Settings:
    """Of a daemon that forms a cluster alone."""
    return Settings(
        endpoint=Endpoint("127.0.0.1", 1),
        join=(),
        seeds=(ME.name,),
        pools=(),
        gossip=GossipSettings.preset("lan"),
        allocation=AllocationSettings.preset("test"),
    )


def main() -> int:
    """Measure, print a table, and compare with the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write what was measured")
    parser.add_argument("--live", type=int, default=MANY_LIVE, help="allocations of the large case")
    options = parser.parse_args()
    others = [pool(f"q{index}", f"11.{index // 256}.{index % 256}.0/24") for index in range(MANY_POOLS - 1)]
    made = {
        "one pool, 100 live": Daemon([pool("p", "10.0.0.0/8")], 100),
        f"{MANY_POOLS} pools": Daemon([pool("p", "10.0.0.0/8"), *others], 100),
        "a pool of an IPv6 /32": Daemon([pool("p", "fd00::/32")], 0),
        f"{options.live} live": Daemon([pool("p", "10.0.0.0/8")], options.live),
    }
    times: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(ROUNDS):
        for name, daemon in made.items():
            times[name].append(daemon.turn())
    small = median(times["one pool, 100 live"])
    results = {
        name: {"us": median(each) * 1e6, "ratio": median(each) / small} for name, each in times.items()
    }
    for name, each in results.items():
        print(f"{name:24} {each['us']:8.1f} us  {each['ratio']:5.2f} of the small case (bar {BAR})")
    large = made[f"{options.live} live"]
    print(f"start with {options.live:<14}{large.started_s:7.1f} s, without the disk (bar {START_S_MAX:g})")
    if options.json:
        told = {"cases": results, "start_s": large.started_s}
        options.json.write_text(json.dumps(told, indent=2) + "\n")
    return int(any(each["ratio"] > BAR for each in results.values()) or large.started_s > START_S_MAX)


if __name__ == "__main__":
    sys.exit(main())
