"""
Everything a disk remembers.

A record replaces the earlier one with the same kind and key.  Does not know how or where it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ring.address import Range
from ring.ring import Peer, Run
from weaveipam.protocol.decisions import Ballot, Charter, Span, Vote
from weaveipam.protocol.values import (
    Allocation,
    Birth,
    BirthBallot,
    ContestStage,
    Endpoint,
    Loan,
    RestingPart,
    RingId,
    RingPart,
)


class RecordKey(NamedTuple):
    """Names one record: its class's name and what is unique within the class."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this daemon is; written once, before anything else, when its data directory is new."""

    peer: Peer

    @property
    def record_key(self) -> RecordKey:
        """There is one."""
        return RecordKey("Identity", "")


@dataclass(frozen=True, slots=True)
class Born:
    """The birth that this daemon is bound to, for as long as it has this store."""

    birth: Birth

    @property
    def record_key(self) -> RecordKey:
        """There is one."""
        return RecordKey("Born", "")


@dataclass(frozen=True, slots=True)
class BirthVote:
    """What this daemon has promised and accepted while a birth is agreed on; means nothing afterwards."""

    promised: BirthBallot
    accepted: BirthBallot | None
    birth: Birth | None
    """Of the accepted ballot."""

    @property
    def record_key(self) -> RecordKey:
        """There is one."""
        return RecordKey("BirthVote", "")


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """A life of another daemon that spoke to this one, and where it listened; remembered for rejoining."""

    peer: Peer
    endpoint: Endpoint

    @property
    def record_key(self) -> RecordKey:
        """One for each life."""
        return RecordKey("Acquaintance", str(self.peer))


@dataclass(frozen=True, slots=True)
class Owned:
    """One run of a ring."""

    ring: RingId
    run: Run

    @property
    def record_key(self) -> RecordKey:
        """By where the run starts; runs of a ring never overlap."""
        return RecordKey("Owned", f"{self.ring}/{self.run.start:032x}")


@dataclass(frozen=True, slots=True)
class Leased:
    """An allocation that was, or is about to be, acknowledged to its client."""

    allocation: Allocation

    @property
    def record_key(self) -> RecordKey:
        """By network and key."""
        return RecordKey("Leased", f"{self.allocation.network}/{self.allocation.key}")


@dataclass(frozen=True, slots=True)
class Resting:
    """Released addresses that must cool down before anybody gets them again."""

    ring: RingId
    range: Range

    @property
    def record_key(self) -> RecordKey:
        """By the first address."""
        return RecordKey("Resting", f"{self.ring}/{self.range.start:032x}")


@dataclass(frozen=True, slots=True)
class Frozen:
    """Addresses that two own with one token: handed out by neither until somebody decides."""

    ring: RingId
    range: Range
    mine: Run | None = None
    """By what this daemon owned them when it was noticed; None: noted by a release that kept no evidence."""
    theirs: Run | None = None
    """What the other one says of the same addresses."""
    stage: ContestStage = ContestStage.OPEN

    @property
    def other(self) -> Peer | None:
        """Who claims them too."""
        return None if self.theirs is None else self.theirs.owner

    @property
    def record_key(self) -> RecordKey:
        """By both ends and who else claims it, as such ranges may overlap."""
        by = "" if self.theirs is None else f"/{self.theirs.owner}"
        return RecordKey("Frozen", f"{self.ring}/{self.range.start:032x}-{self.range.stop:033x}{by}")


@dataclass(frozen=True, slots=True)
class Lent:
    """What this daemon owns and a key at another one holds: not free until the holder says so."""

    loan: Loan
    holder: Peer
    """The life that has asked for it last."""

    @property
    def record_key(self) -> RecordKey:
        """By holder's name, range and key: two may hold one address, and that must not be forgotten."""
        ring, what = self.loan.ring, self.loan.range
        place = f"{ring}/{what.start:032x}-{what.stop:033x}"
        return RecordKey("Lent", f"{place}/{self.holder.name}/{self.loan.key}")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A grant that its receiver has not acknowledged yet; repeated until it has."""

    grant: int
    heir: Peer
    ring: RingId
    runs: tuple[Run, ...]
    also: tuple[RingPart, ...] = ()
    """What is given with it in other rings."""
    leases: tuple[Allocation, ...] = ()
    """What keys hold of it; from this record on they hold it at the heir."""
    rests: tuple[RestingPart, ...] = ()
    """What of it was released not long ago."""
    lent: tuple[Lent, ...] = ()
    """What of it keys at other members hold."""
    acknowledged: bool = False
    """Whether the heir has it: kept only to know where the leases went, while this daemon leaves."""

    @property
    def record_key(self) -> RecordKey:
        """By the grant's number."""
        return RecordKey("Outgoing", f"{self.grant:016x}")


@dataclass(frozen=True, slots=True)
class Chartered:
    """What decisions have made of the cluster, up to the last one that is known to be complete."""

    charter: Charter

    @property
    def record_key(self) -> RecordKey:
        """There is one."""
        return RecordKey("Chartered", "")


@dataclass(frozen=True, slots=True)
class Admitted:
    """That this daemon may own space."""

    number: int
    """Decisions that had been made when it was admitted."""

    @property
    def record_key(self) -> RecordKey:
        """There is one."""
        return RecordKey("Admitted", "")


@dataclass(frozen=True, slots=True)
class OnRoster:
    """That this daemon, an elector, has enrolled a life."""

    peer: Peer

    @property
    def record_key(self) -> RecordKey:
        """One for each life."""
        return RecordKey("OnRoster", str(self.peer))


@dataclass(frozen=True, slots=True)
class Promised:
    """What this daemon has promised as to the next decision; never withdrawn, only superseded."""

    ballot: Ballot | None
    """None: only that some are fenced, which outlives the decision it was promised for."""
    closed: tuple[Peer, ...]
    """Sorted."""
    enrolled: bool
    """Whether it has enrolled somebody since."""
    vacates: tuple[Span, ...] = ()
    """Addresses of which it hands out none until that decision."""

    @property
    def record_key(self) -> RecordKey:
        """There is one."""
        return RecordKey("Promised", "")


@dataclass(frozen=True, slots=True)
class Voted:
    """What this daemon has accepted as the next decision; in force once it is known to be made."""

    vote: Vote

    @property
    def record_key(self) -> RecordKey:
        """There is one."""
        return RecordKey("Voted", "")


@dataclass(frozen=True, slots=True)
class Noted:
    """The highest mark of a life that is known here, of this one too; see `weaveipam.allocation.marks`."""

    peer: Peer
    mark: int

    @property
    def record_key(self) -> RecordKey:
        """One for each name."""
        return RecordKey("Noted", self.peer.name)


@dataclass(frozen=True, slots=True)
class Leaving:
    """This daemon was told to leave: it gives away all that it owns, and ends."""

    attempt: int
    """Chosen by chance, once for each time that it was told to."""

    @property
    def record_key(self) -> RecordKey:
        """There is one."""
        return RecordKey("Leaving", "")


@dataclass(frozen=True, slots=True)
class Left:
    """
    This life has left its cluster, with nothing; written together with the identity of the next one.

    Kept until that one leaves too, as it may be the only one that can tell the others.
    """

    peer: Peer
    used: bool = False
    """Whether a client has asked the next one for something."""

    @property
    def record_key(self) -> RecordKey:
        """There is one."""
        return RecordKey("Left", "")


@dataclass(frozen=True, slots=True)
class Departing:
    """A member that leaves: nothing is given to it, and what it gives is used only once its grant is here."""

    peer: Peer
    attempt: int
    """As it said."""

    @property
    def record_key(self) -> RecordKey:
        """One for each life."""
        return RecordKey("Departing", str(self.peer))


Record: TypeAlias = (
    Identity
    | Born
    | BirthVote
    | Acquaintance
    | Owned
    | Leased
    | Resting
    | Outgoing
    | Frozen
    | Lent
    | Noted
    | Chartered
    | Admitted
    | OnRoster
    | Promised
    | Voted
    | Leaving
    | Left
    | Departing
)
"""Anything of which a disk holds some."""
