"""
What members say to each other in a roll call, and to let newcomers in.

Does not know who answers what; `allocation.ledger` and `allocation.rollcall` do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ring.address import Range
from ring.ring import Peer
from weaveipam.protocol.decisions import Ballot, Charter, Decree, Span, Statements, Vote
from weaveipam.protocol.values import RingId


@dataclass(frozen=True, slots=True)
class Enrol:
    """
    Put me on the roster: from a newcomer to the electors, who each answer.

    With `Enrolled`; with `Charter`, to one that lacks decisions; or, while one is being made, `Postponed`.

    Who has been enrolled by a majority of them may own space.
    """

    number: int
    """Decisions that the newcomer knows of."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """You are on my roster, on stable storage: answers `Enrol`."""

    number: int
    """As there."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """Not now, as a decision is being made, but ask again: answers `Enrol`."""

    number: int
    """As there."""
    missing: tuple[Peer, ...]
    """Who has a say in it and is not seen by the sender; the first ones, sorted."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """
    Promise to take part in this ballot and in none before it; answered by `Promise` or `Declined`.

    Source: Lamport, "Paxos Made Simple" (2001), section 2.2, phase 1; what is about the fenced is our own.
    """

    number: int
    """Of the decision to be made."""
    ballot: Ballot
    fenced: tuple[Peer, ...]
    """All lives that are known to be over; sorted."""
    asked: int
    """How often the proposer has asked for this ballot, as it learned of more addresses to ask about."""
    spans: tuple[Span, ...]
    """Addresses that the fenced own as far as the proposer knows; by ring."""
    digest: int
    """64 bits over what it knows of these addresses, and of all that the fenced have said."""
    forced: tuple[Peer, ...] = ()
    """Of the fenced those on whom an operator insists although they were heard of lately; sorted."""
    vacates: tuple[Span, ...] = ()
    """Addresses that are to belong to no pool any more: none is handed out until the decision."""


@dataclass(frozen=True, slots=True)
class Use:
    """An address that a key holds."""

    key: str
    ring: RingId
    range: Range


@dataclass(frozen=True, slots=True)
class Promise:
    """I take part: answers `Prepare`; it holds even if the proposer does not get it."""

    number: int
    ballot: Ballot
    asked: int
    """As there."""
    same: bool
    """Whether the digest there is mine too; then there are no statements here."""
    statements: tuple[Statements, ...]
    """All I know of the addresses asked about, and of those that the fenced own or have spoken of."""
    vote: Vote | None
    """What I have accepted for that decision before."""
    roster: tuple[Peer, ...]
    """Whom I have enrolled, if I am an elector; sorted."""
    uses: tuple[Use, ...] = ()
    """What is in use here of the addresses to be vacated; the first ones."""


class Objection(IntEnum):
    """Why a member takes no part in a ballot."""

    DECIDED = 1
    """That decision has been made; `Charter` follows."""
    UNKNOWN = 2
    """I lack the decision before."""
    BALLOT = 3
    """I have promised a higher ballot."""
    CLOSED = 4
    """I know of others who are fenced."""
    HEARD = 5
    """I have heard from one of the fenced just now."""
    ENROLLED = 6
    """I have enrolled somebody since I promised: ask again, and ask the newcomer too."""


@dataclass(frozen=True, slots=True)
class Declined:
    """I take no part: answers `Prepare` or `Accept`."""

    number: int
    ballot: Ballot
    """As there."""
    why: Objection
    promised: Ballot | None
    """What I have promised for that decision."""
    closed: tuple[Peer, ...]
    """Whom I have promised to take for fenced, sorted; or who was heard."""


@dataclass(frozen=True, slots=True)
class Accept:
    """Accept this decree (phase 2); answered by `Accepted` or `Declined`."""

    number: int
    ballot: Ballot
    decree: Decree
    roster: tuple[Peer, ...]
    """Everybody who is enrolled anywhere, sorted; told to electors only."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """It is on my stable storage: answers `Accept`."""

    number: int
    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Decided:
    """So many decisions have been made: everybody who is not fenced has accepted them."""

    number: int


@dataclass(frozen=True, slots=True)
class CharterShare:
    """What decisions have made of the cluster, for one who lacks some of them."""

    charter: Charter


@dataclass(frozen=True, slots=True)
class Closure:
    """To one who speaks although its life is over: these are fenced or removed, and you are among them."""

    closed: tuple[Peer, ...]
    """Sorted."""
