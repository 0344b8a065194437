"""
Runs as integers: those of a ring are many, and much alike.

Each peer is named once, and each run is six integers: the distance of its start from the stop of the run
before, its length, generation and epoch, and which of the peers are its owner and its author.  Runs of a
whole ring so take some 10 bytes each, however long names and addresses are.

Does not know limits of types, nor bytes; `fields` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ring.ring import Peer, Run, Token

INTEGERS = 6
"""Of each run: skip, length, generation, epoch, owner, author."""

ADDRESSES = 1 << 128
"""Where every run stops at the latest, of either family."""

VERSIONS = 1 << 64
"""Generations and epochs are below this."""

_SHARED_MAX = 1 << 15
"""Runs and tokens that are remembered, so that equal ones are one object: smaller and faster."""

_run = lru_cache(_SHARED_MAX)(Run)
_token = lru_cache(_SHARED_MAX)(Token)


def flattened(runs: Sequence[Run]) -> tuple[tuple[Peer, ...], list[int]]:
    """
    The peers that runs name, and `INTEGERS` for each run.

    Raises:
        ValueError: the runs are not sorted, overlap, or are no runs.
    """
    peers: dict[Peer, int] = {}
    integers: list[int] = []
    stop = 0
    for run in runs:
        if run.start < stop:
            raise ValueError("runs that are not sorted, or overlap")
        owner = peers.setdefault(run.owner, len(peers))
        author = peers.setdefault(run.author, len(peers))
        integers += (run.start - stop, run.stop - run.start, *run.token, owner, author)
        stop = run.stop
    check(len(peers), integers)
    return tuple(peers), integers


def check(peers_count: int, integers: Sequence[int]) -> None:
    """
    Refuse integers that are not those of runs of so many peers.

    Raises:
        ValueError: says why.
    """
    if len(integers) % INTEGERS or min(integers, default=0) < 0:
        raise ValueError("integers that are no runs")
    if max(max(integers[4::INTEGERS], default=-1), max(integers[5::INTEGERS], default=-1)) >= peers_count:
        raise ValueError("a run of a peer that is not named")
    if max(max(integers[2::INTEGERS], default=0), max(integers[3::INTEGERS], default=0)) >= VERSIONS:
        raise ValueError("a token beyond all limits")
    if not min(integers[1::INTEGERS], default=1):
        raise ValueError("an empty run")
    if sum(integers[::INTEGERS]) + sum(integers[1::INTEGERS]) > ADDRESSES:
        raise ValueError("a run beyond all addresses")


def restored(peers: Sequence[Peer], integers: Sequence[int]) -> tuple[Run, ...]:
    """
    The runs that were flattened: sorted, disjoint, not empty.

    Raises:
        ValueError: no runs give these.
    """
    check(len(peers), integers)
    runs: list[Run] = []
    stop = 0
    for skip, length, generation, epoch, owner, author in zip(*[iter(integers)] * INTEGERS, strict=True):
        start = stop + skip
        stop = start + length
        runs.append(_run(start, stop, _token(generation, epoch), peers[owner], peers[author]))
    return tuple(runs)
