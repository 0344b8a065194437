"""
Worlds: who is there, who owns what, what may happen, and from where a search begins.

Does not know how worlds are searched.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ring.address import Range
from ring.ring import Peer, Ring, Run, Token
from simulations.explorer.member import POOL, RING, Member
from weaveipam.allocation.ledger import Ledger
from weaveipam.protocol.values import Birth, Pool, PoolRange


class Word(Enum):
    """What an operator's word is worth that somebody is gone."""

    TRUE = "true"
    """Who is named is gone."""
    WRONG = "wrong"
    """Anybody may be named, by mistake; who is alive is heard."""
    FORCED = "forced"
    """Anybody may be named, and no objection counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a search is about."""

    seeds: str
    """The names of the members at first, a letter each; they are the electors."""
    newcomers: str = ""
    """The names of those who may join."""
    owners: str
    """Who owns each address at first."""
    word: Word = Word.TRUE
    deaths_max: int = 2
    grants_max: int = 2
    """Epochs of an address."""
    rounds_max: int = 2
    """Of ballots for one decision."""
    decisions_max: int = 2
    coalesces: bool = False
    restarts: bool = False
    """Whether members forget what is not on disk; they may leave it unused in any case."""
    idle_decisions_max: int = 0
    """Of the first ones so many may remove nobody, as those on pools do."""
    mortals: str = ""
    """Who may die; empty: anybody."""
    heirs: str = ""
    """Who may be granted addresses; empty: anybody."""
    callers: str = ""
    """Who may call for decisions; empty: anybody."""
    extents: tuple[Range | None, ...] = ()
    """What the pool may be changed to; None: there is none."""
    users: str = ""
    """Who may hand out addresses; empty: nobody."""
    leavers: str = ""
    """Of those who may hand over what they have handed out; empty: nobody."""
    asked_max: int = 1
    """How often the same ballot is called again at most while addresses are in use."""
    beginning: tuple[str, ...] = ()
    """Steps that come first, by their first words; `SETTLE` delivers all that is under way."""

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Everybody."""
        return tuple(Peer(name, 1) for name in self.seeds + self.newcomers)

    def members(self) -> tuple[Member, ...]:
        """Everybody as they begin."""
        pools = (pool(Range(0, len(self.owners))),)
        birth = Birth(b"", tuple(Peer(name, 1) for name in sorted(self.seeds)), pools)
        owners = [Peer(name, 1) for name in self.owners]
        ring = Ring.of(Run(at, at + 1, Token(0, 0), one, one) for at, one in enumerate(owners))
        return tuple(Member(Ledger.begin(peer, birth), ring) for peer in self.peers)


SETTLE = "everything arrives"
"""In a beginning: everybody hears all that is under way, in a fixed order, until there is nothing new."""


def pool(extent: Range) -> Pool:
    """The pool, if it has these addresses."""
    return Pool(POOL, RING.network, (PoolRange(RING.family, extent, RING.family.bits),))
