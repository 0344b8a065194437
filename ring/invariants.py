"""
What must hold of every ring; one list, used to refuse peers' data, to check our own, and in tests.

Does not know how a ring came about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from ring.address import Range, subtract
from ring.ring import Run


def violations(runs: Iterable[Run], domain: Sequence[Range] | None = None) -> list[str]:
    """
    What is wrong with runs that should be a ring; empty if nothing is.

    Args:
        runs: A ring, or its runs in order.
        domain: The addresses that it must cover exactly; None if it may be partial.
    """
    held = tuple(runs)
    found = [f"run {run.start} to {run.stop} is empty" for run in held if run.start >= run.stop]
    found += [f"run at {run.start} has a negative token" for run in held if min(run.token) < 0]
    for before, after in pairwise(held):
        if after.start < before.stop:
            found.append(f"runs overlap or are out of order at {after.start}")
        elif after.continues(before):
            found.append(f"runs at {before.start} and {after.start} say the same and should be one")
    if domain is None or found:
        return found
    covered = [Range(run.start, run.stop) for run in held]
    found += [f"nothing is said of {one.start} to {one.stop}" for one in subtract(domain, covered)]
    found += [f"{one.start} to {one.stop} is outside every pool" for one in subtract(covered, domain)]
    return found
