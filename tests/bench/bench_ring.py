"""
What a change of the ring costs as the ring grows: `python tests/bench/bench_ring.py [--json FILE]`.

Sizes take turns within each round, and the medians of many rounds are compared, so that a noisy machine
disturbs all sizes alike.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter

from ring.address import Range
from ring.changes import grant
from ring.merge import merge
from ring.ring import Peer, Ring, Run, Token

SIZES = (1_000, 10_000, 100_000)
RUN_ADDRESSES = 64
ROUNDS = 300
BAR = 3.0
"""How much more a change may cost in the largest ring than in the smallest."""

PEERS = [Peer(f"node-{index}", 1) for index in range(100)]


def ring_of(runs_count: int) -> Ring:
    """A ring of so many runs, whose owners take turns."""
    return Ring.of(
        Run(at * RUN_ADDRESSES, (at + 1) * RUN_ADDRESSES, Token(0, 0), peer, peer)
        for at, peer in ((at, PEERS[at % len(PEERS)]) for at in range(runs_count))
    )


def granted(ring: Ring, runs_count: int, rng: Random) -> Callable[[], object]:
    """Granting half of a random run and merging the grant."""
    at = rng.randrange(runs_count)
    what = Range(at * RUN_ADDRESSES, at * RUN_ADDRESSES + RUN_ADDRESSES // 2)
    owner = PEERS[at % len(PEERS)]
    return lambda: merge(ring, grant(ring, what, owner, PEERS[(at + 1) % len(PEERS)]))


def looked_up(ring: Ring, runs_count: int, rng: Random) -> Callable[[], object]:
    """Finding the owners of a hundred random addresses, whose runs are in the processor's cache."""
    cold = looked_up_cold(ring, runs_count, rng)
    cold()
    return cold


def looked_up_cold(ring: Ring, runs_count: int, rng: Random) -> Callable[[], object]:
    """Finding the owners of a hundred random addresses; in a large ring each waits for memory."""
    addresses = [rng.randrange(runs_count * RUN_ADDRESSES) for _ in range(100)]
    return lambda: [ring.at(address) for address in addresses]


def merged(ring: Ring, runs_count: int, rng: Random) -> Callable[[], object]:
    """Merging what ten random owners said of ten random runs."""
    delta = Ring.of(
        Run(at * RUN_ADDRESSES, (at + 1) * RUN_ADDRESSES, Token(0, 1), PEERS[at % 7], PEERS[at % 100])
        for at in sorted(rng.sample(range(runs_count), 10))
    )
    return lambda: merge(ring, delta)


WORK = {
    "grant": granted,
    "100 look-ups": looked_up,
    "the same, cold": looked_up_cold,
    "merge of 10 runs": merged,
}
UNBARRED = {"the same, cold"}
"""Shown for honesty: it measures the machine's memory more than the search."""


def measure() -> dict[str, dict[int, float]]:
    """The median seconds of each piece of work in each size."""
    rng = Random(1)
    rings = {size: ring_of(size) for size in SIZES}
    taken: dict[str, dict[int, list[float]]] = {name: {size: [] for size in SIZES} for name in WORK}
    for _ in range(ROUNDS):
        for name, prepare in WORK.items():
            for size, ring in rings.items():
                work = prepare(ring, size, rng)
                before = perf_counter()
                work()
                taken[name][size].append(perf_counter() - before)
    return {name: {size: median(times) for size, times in sizes.items()} for name, sizes in taken.items()}


def main() -> int:
    """Print the table; 1 if a ratio is above the bar."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the results there")
    arguments = parser.parse_args()
    results = measure()
    print("ring, microseconds, medians of", ROUNDS, "rounds")
    print(f"{'':18}" + "".join(f"{size:>12,}" for size in SIZES) + "   largest / smallest")
    ratios = {name: sizes[SIZES[-1]] / sizes[SIZES[0]] for name, sizes in results.items()}
    for name, sizes in results.items():
        row = "".join(f"{sizes[size] * 1e6:12.1f}" for size in SIZES)
        bar = "" if name in UNBARRED else f" (bar: {BAR:g})"
        print(f"{name:18}{row}   {ratios[name]:.2f}{bar}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"seconds": results, "ratios": ratios}, indent=2) + "\n")
    return int(max(ratio for name, ratio in ratios.items() if name not in UNBARRED) > BAR)


if __name__ == "__main__":
    sys.exit(main())
