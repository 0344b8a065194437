"""
What members say to each other when one of them leaves.

Does not know what is given away meanwhile; that is said with grants.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Farewell:
    """
    I am leaving: give me nothing any more, and take what I give only from my grants.

    Repeated to every member until `FarewellHeard` answers; only who has answered is given anything.
    """

    attempt: int
    """Chosen by chance, once for each time that the sender is told to leave."""


@dataclass(frozen=True, slots=True)
class FarewellHeard:
    """
    You will be given nothing by me, durably, and nothing is under way: answers `Farewell`.

    Also said to one that asks for space though it is leaving, by what the sender knows.
    """

    attempt: int
    takes: bool
    """Whether the sender would own what the other one gives away: it serves, and does not leave itself."""


@dataclass(frozen=True, slots=True)
class Staying:
    """I am not leaving any more, and no grant of that attempt is under way: answers `FarewellHeard`."""

    attempt: int
