"""
What scenarios may expect of daemons that are asked, however many there are and however small the pool is.

Does not know what trouble they are in.
"""

from __future__ import annotations

from collections.abc import Sequence

from simulations.stage import Stage

CAUTION = 5
"""What is asked for at one time is at most this part of what there is; clients hold some, and some rests."""
UNEVEN = 16
"""
Who owns least has this part of an even share at least.

A newcomer is given half of the largest aligned block that is free at some other daemon.
"""


def share(stage: Stage) -> int:
    """Addresses that each daemon surely has free while clients hold few, even cut off; may be 0."""
    return stage.pool_size // (UNEVEN * len(stage.names))


def serve(stage: Stage, at: Sequence[str]) -> bool:
    """Whether these daemons, or as many of them as the pool has room for, give an address each."""
    count = min(len(at), stage.pool_size // CAUTION)
    return stage.burst(count, at) == count
