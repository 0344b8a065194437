"""
Finding what two daemons know differently, and sharing that and little more.

What is shared by all stands in tables: one for each ring, and the members.  A table is a set of statements,
each at a place, an integer; its fingerprint is the sum of the digests of them all.  Where two fingerprints
differ one side says in outline what it has: fingerprints of consecutive parts.  Of the parts that differ the
other side shares what it has if that is little, and else answers with finer outlines.  A share is answered
with what its receiver has there and the sharer has not.  So every message says all that its answer needs:
nobody keeps a walk in mind, and one that is lost is begun anew by the next fingerprint that differs.

Cost: rounds grow with the logarithm of a table's size, bytes with the differences times the rounds.  Where
all differs that is spread by rumours as well, as when a partition has healed, a walk takes some of it: nearly
all that is told then has still to be refuted, or is on its way.

Source: range-based set reconciliation (Meyer, arXiv 2212.13567), with sums of digests for fingerprints.
Differs from a hash trie of versions by author: what is compared is the content itself, so that nothing needs
numbers without gaps, and what differs for any other reason than loss, a bug or a bit flip, heals in the same
way.

Does not know what statements mean, nor how they travel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from random import Random
from typing import Protocol, TypeAlias

from weaveipam.protocol.messages import PRINT_BYTES, MemberShare, Outline, RingShare
from weaveipam.protocol.values import RingId

PARTS = 16
"""Of the outline of one part that differs: fewer take more rounds, more take more bytes if little differs."""

SHARED_MAX = 4
"""Statements of a part that are shared at once: about as many bytes as a finer outline of it."""

BULK_MAX = 64
"""The same where all that differs is followed and most parts do, as most finer ones would then too."""

FOLLOWED_MAX = 4
"""Parts of an outline that are followed where all of them differ and rumours will bring most of that."""

SYNC_STATEMENTS = 16
"""Statements for each part in the outline of one that wants all at once: bounds what is shared needlessly."""

SYNC_PARTS_MAX = 1024
"""Of that outline."""

Share: TypeAlias = RingShare | MemberShare
Name: TypeAlias = RingId | None
"""Of a table: its ring, or None for the members."""


class Table(Protocol):
    """Statements by place."""

    @property
    def places(self) -> int:
        """Every place is at least 0 and below this."""

    def count(self, low: int, high: int) -> int:
        """How many statements stand in `[low, high)`."""

    def total(self, low: int, high: int) -> int:
        """The sum of their digests, modulo 2^64."""

    def cuts(self, low: int, high: int, parts: int) -> Sequence[int]:
        """Increasing places above `low` and below `high` that divide them into so many parts, or fewer."""

    def share(self, low: int, high: int) -> Share:
        """All of them, asking for others."""


def begin(tables: Iterable[tuple[Name, Table]]) -> list[Outline]:
    """The shortest outline of every table: what a walk begins with."""
    return [_outline(name, table, (0, table.places)) for name, table in tables]


def sync(tables: Iterable[tuple[Name, Table]]) -> tuple[Outline, ...]:
    """Outlines of every table so fine that all that differs may be shared without any finer ones."""
    outlines = []
    for name, table in tables:
        parts = min(1 + table.count(0, table.places) // SYNC_STATEMENTS, SYNC_PARTS_MAX)
        outlines.append(_outline(name, table, _bounds(table, 0, table.places, parts)))
    return tuple(outlines)


def answer(outline: Outline, table: Table, rng: Random | None = None) -> list[Outline | Share]:
    """
    Where the table differs from an outline of it: what is there, or finer outlines of that.

    Args:
        outline: What another daemon knows.
        table: What this one knows.
        rng: Chooses the parts that are followed where all of them differ; None: whatever differs is.
    """
    differing = list(_differing(outline, table))
    if rng is not None and len(differing) == len(outline.lengths) > FOLLOWED_MAX:
        differing = sorted(rng.sample(differing, FOLLOWED_MAX))
    most = rng is None and 2 * len(differing) > len(outline.lengths) > 1
    shared_max = BULK_MAX if most else SHARED_MAX
    said: list[Outline | Share] = []
    little: list[tuple[int, int]] = []
    for low, high in differing:
        if table.count(low, high) <= shared_max:
            little.append((low, high))
        else:
            said.append(_outline(outline.ring, table, _bounds(table, low, high, PARTS)))
    return [*said, *(table.share(low, high) for low, high in _joined(little))]


def shares(outline: Outline, table: Table) -> list[Share]:
    """Everything wherever the table differs from an outline of it."""
    return [table.share(low, high) for low, high in _joined(_differing(outline, table))]


def _bounds(table: Table, low: int, high: int, parts: int) -> tuple[int, ...]:
    return (low, *table.cuts(low, high, parts), high)


def _outline(name: Name, table: Table, bounds: Sequence[int]) -> Outline:
    parts = tuple(pairwise(bounds))
    lengths = tuple(high - low for low, high in parts)
    return Outline(name, bounds[0], lengths, b"".join(_print(table, low, high) for low, high in parts))


def _print(table: Table, low: int, high: int) -> bytes:
    return table.total(low, high).to_bytes(8, "big")[-PRINT_BYTES:]


def _differing(outline: Outline, table: Table) -> Iterator[tuple[int, int]]:
    """The parts of an outline, as far as there are such places, in which the table says something else."""
    bounds = accumulate(outline.lengths, initial=outline.low)
    for index, (low, high) in enumerate(pairwise(bounds)):
        said = outline.prints[index * PRINT_BYTES : (index + 1) * PRINT_BYTES]
        if low < table.places and _print(table, low, min(high, table.places)) != said:
            yield low, min(high, table.places)


def _joined(parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted parts, with those that touch made one."""
    joined: list[tuple[int, int]] = []
    for low, high in parts:
        if joined and joined[-1][1] == low:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined
