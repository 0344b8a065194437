"""
What a daemon finds wrong, as it tells those who ask: contested, foreign and lent addresses, and problems.

Does not know how they are found, nor who asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ring.address import Range
from ring.ring import Peer, Run
from weaveipam.protocol.values import ContestStage, RingId


class Holder(NamedTuple):
    """A key and where it holds what it holds."""

    key: str
    peer: Peer


@dataclass(frozen=True, slots=True)
class Contested:
    """A range that this daemon and another one own with one token."""

    ring: RingId
    range: Range
    mine: Run | None
    """This daemon's statement; None where an older release noticed the conflict and kept no evidence."""
    theirs: Run | None
    """The other one's, of the same addresses."""
    stage: ContestStage
    owner: Peer | None
    """Who has it by the order of equal statements, so that all others agree."""
    here: tuple[tuple[Range, Holder], ...]
    """What keys hold of it, at this daemon or where this one has lent it to."""
    there: tuple[tuple[Range, Holder], ...] | None
    """The same of the other side; None as long as it has not said so."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Addresses that a key holds here and another daemon owns."""

    ring: RingId
    range: Range
    key: str
    owner: Peer
    adopted: bool
    """Whether the owner has said that it keeps them for their user."""


@dataclass(frozen=True, slots=True)
class LentOut:
    """Addresses of this daemon that a key holds elsewhere."""

    ring: RingId
    range: Range
    holder: Holder


@dataclass(frozen=True, slots=True)
class UsedTwice:
    """Addresses that two keys hold."""

    ring: RingId
    range: Range
    one: Holder
    other: Holder


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Answers `GetConflicts`; each sorted by ring and address."""

    contested: tuple[Contested, ...]
    foreign: tuple[Foreign, ...]
    lent: tuple[LentOut, ...]
    twice: tuple[UsedTwice, ...]


@dataclass(frozen=True, slots=True)
class Resolution:
    """Answers `ResolveConflict`: it is decided."""

    detail: str
    """One sentence: what is so now, and what is waited for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong."""

    kind: str
    """A stable kebab-case name."""
    detail: str
    """One sentence: what it is, and what to do."""


@dataclass(frozen=True, slots=True)
class Check:
    """Answers `GetCheck`; the problems are by kind, and may be none."""

    problems: tuple[Problem, ...]
