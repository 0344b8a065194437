"""
The ring: for each address the highest token that was ever seen for it, and its owner.

Does not know which addresses are in use, nor how statements travel.
"""

from __future__ import annotations

from typing import NamedTuple


class Peer(NamedTuple):
    """
    One life of a daemon.

    `incarnation` is 0 to 2^64 - 1 and never used twice with one name; a later life has a higher one.
    """

    name: str
    incarnation: int

    def __str__(self) -> str:
        return f"{self.name}#{self.incarnation:016x}"


class Token(NamedTuple):
    """
    The version of an address's ownership; it only grows, ordered by generation and then epoch.

    Epochs are raised by owners, generations by completed decisions (a birth, a removal, a new pool).
    """

    generation: int
    epoch: int


class Run(NamedTuple):
    """The neighbouring addresses `[start, stop)` for which the ring holds one and the same statement."""

    start: int
    stop: int
    token: Token
    owner: Peer
    author: Peer
