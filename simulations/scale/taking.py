"""
Making measurements: each cluster is built once, and each run has a process of its own that begins with it.

Does not know which measurements there are, nor how results are shown.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection

from simulations.scale.fleet import Fleet, Shape
from simulations.scale.measures import Measurement
from simulations.scale.policies import POLICIES
from simulations.scale.results import Results, Taken
from simulations.scale.spreading import Readings
from simulations.sources import commit


class FailedError(Exception):
    """A run ended without readings."""


def take(
    measurements: Sequence[Measurement],
    sizes: Sequence[int],
    results: Results,
    *,
    again: bool,
    tell: Callable[[str], None],
) -> None:
    """
    Make every run that the results lack, the smallest clusters first, and add each to them.

    Args:
        measurements: Which; those of one cluster follow each other.
        sizes: Numbers of nodes.
        results: Where they go, one by one.
        again: Make those as well that are there.
        tell: Called with a line before and after whatever takes long.

    Raises:
        FailedError: a run has failed; those before are kept.
    """
    for nodes in sizes:
        held: tuple[Shape, Fleet] | None = None
        for one in measurements:
            seeds = [
                seed
                for seed in range(one.seeds_count(nodes))
                if again or not results.has(one.name, nodes, seed)
            ]
            shape = one.shape(nodes)
            if seeds and (held is None or held[0] != shape):
                held = None  # before the next one is made: two may be too large
                held = shape, _build(shape, tell)
            for seed in seeds:
                assert held is not None
                began = time.monotonic()
                readings = _forked(one, held[1], seed)
                wall_s = time.monotonic() - began
                results.add(Taken(one.name, nodes, seed, commit(), wall_s, readings))
                tell(f"{one.name}, {nodes} nodes, {seed + 1} of {one.seeds_count(nodes)}: {wall_s:.1f} s")


def _build(shape: Shape, tell: Callable[[str], None]) -> Fleet:
    began = time.monotonic()
    gc.collect()  # the cluster before this one
    gc.disable()
    fleet = Fleet(shape, POLICIES[shape.policy], f"scale/{shape.nodes}")
    gc.enable()
    gc.freeze()  # what there is now stays, and takes long to look through
    words = f"{shape.nodes} nodes" + (f" and {shape.runs_count} runs" if shape.runs_count else "")
    tell(f"a cluster of {words}, {shape.policy}: built in {time.monotonic() - began:.1f} s")
    return fleet


def _forked(one: Measurement, fleet: Fleet, seed: int) -> Readings:
    """One run on a copy of the cluster, which costs memory where it is touched: in the end, as much again."""
    context = get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(theirs, one, fleet, seed))
    process.start()
    theirs.close()
    try:
        readings: Readings = ours.recv()
    except EOFError:
        raise FailedError(f"{one.name} with {fleet.shape.nodes} nodes, seed {seed}, ended early") from None
    finally:
        process.join()
    return readings


def _send(pipe: Connection, one: Measurement, fleet: Fleet, seed: int) -> None:
    pipe.send(one.take(fleet, seed))
