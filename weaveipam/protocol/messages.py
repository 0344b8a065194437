"""
Everything peers say to each other.

A packet carries one header and any number of messages.  Does not know bytes; `codec` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from ring.address import Family, Range
from ring.ring import Peer, Run
from weaveipam.protocol.effects import Persist, Reply, Report, Stop
from weaveipam.protocol.farewells import Farewell, FarewellHeard, Staying
from weaveipam.protocol.records import Lent
from weaveipam.protocol.rollcalls import (
    Accept,
    Accepted,
    CharterShare,
    Closure,
    Decided,
    Declined,
    Enrol,
    Enrolled,
    Postponed,
    Prepare,
    Promise,
)
from weaveipam.protocol.values import (
    Allocation,
    Birth,
    BirthBallot,
    ContestStage,
    Endpoint,
    Loan,
    MemberState,
    RestingPart,
    RingId,
    RingPart,
)

PRINT_BYTES = 6
"""Of a part in an `Outline`: that two parts differ unseen has a chance of one in 2^48, and not twice."""

PIECES_MAX = 24
"""Of a `PieceSurvey`: more IPv6 ranges might not fit into a datagram."""

UNFORMED = bytes(8)
"""The cluster id in packets of a daemon that belongs to no cluster yet."""


@dataclass(frozen=True, slots=True)
class Header:
    """Who speaks, and where to answer; the network's source address is not trusted for either."""

    cluster_id: bytes
    """8 bytes: the hash of the birth, or `UNFORMED`."""
    sender: Peer
    endpoint: Endpoint
    speaks: int = 1
    """
    The highest wire version that the sender reads and writes; it does the one before as well.

    These four fields are the first ones of the header in every version, so that daemons of any two releases
    at least know of each other that they cannot talk.
    """


@dataclass(frozen=True, slots=True)
class FreeHint:
    """About how much of a pool its sender could give away; coarse, and allowed to be wrong."""

    pool: str
    family: Family
    bucket: int
    """0: nothing free; n: at least 2^(n-1) addresses."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?  To one member each probe round; answered with `Ack` (SWIM, section 3.1)."""

    probe: int
    """Number of the probe, chosen by who asks."""
    target: Peer
    """Who is meant: another life at the same endpoint answers with its own rumour, not with an ack."""
    fingerprint: int
    """64 bits over everything shared that the sender knows; unequal ones start a repair."""
    hints: tuple[FreeHint, ...] = ()
    stream: bool = False
    """Whether it came by stream, and the ack must too: datagrams may be what fails."""


@dataclass(frozen=True, slots=True)
class Ack:
    """I am here: answers `Ping`, or relays the answer to a `PingRequest`."""

    probe: int
    subject: Peer | None
    """Who is there; None: the sender itself."""
    fingerprint: int
    """As in `Ping`; of the subject, so a relay leaves it alone."""
    hints: tuple[FreeHint, ...] = ()


@dataclass(frozen=True, slots=True)
class PingRequest:
    """Ping the target on my behalf and pass its ack on (SWIM, section 3.1: indirect probes)."""

    probe: int
    target: Peer
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Nack:
    """No ack so far, but I am here: answers a `PingRequest` in good time (Lifeguard, section IV-A)."""

    probe: int
    """Of the `PingRequest`."""


@dataclass(frozen=True, slots=True)
class Rumour:
    """What is said of a member; spreads on other packets until enough have heard it (SWIM, section 4.1)."""

    peer: Peer
    endpoint: Endpoint
    state: MemberState
    refutation: int
    """How often this life has contradicted suspicions (SWIM calls it the incarnation number)."""
    accuser: str = ""
    """Of a suspicion the name of who suspects, so that accusers can be counted; empty if it is not told."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """Statements of who owns what: pushed at once to a few peers, passed on by whoever learns from it."""

    ring: RingId
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """
    What the sender knows of one table, as fingerprints of consecutive parts; those that differ are answered.

    A table is a ring, whose statements stand at the first address of their runs, or that of the members.
    """

    ring: RingId | None
    """None: the members."""
    low: int
    """Where the first part begins."""
    lengths: tuple[int, ...]
    """Of each part; the next begins where it ends."""
    prints: bytes
    """`PRINT_BYTES` for each part: the lowest of the sum of its statements' digests, in network order."""


@dataclass(frozen=True, slots=True)
class RingShare:
    """All that the sender knows of the part `[low, high)` of a ring, or what it found its partner to lack."""

    low: int
    high: int
    """Above `low`."""
    asks: bool
    """Whether the sender asks for what it lacks there itself."""
    ring: RingId
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class MemberShare:
    """As `RingShare`, of the table of members."""

    low: int
    high: int
    asks: bool
    rumours: tuple[Rumour, ...]


@dataclass(frozen=True, slots=True)
class Sync:
    """
    From one who is about to serve: share now all that differs, and then say `Synced`.

    Who has joined and waits for a `Synced` itself only shares.
    """

    asked: int
    """The number of the sender's process: an answer to an earlier one proves nothing."""
    outlines: tuple[Outline, ...]
    number: int = 0
    """Decisions that the asker knows to be complete."""
    serves: bool = False
    """Whether the sender serves already, and only sees nobody."""


@dataclass(frozen=True, slots=True)
class Synced:
    """All that the sender knew and its partner did not is before this: ends the answer to `Sync`."""

    asked: int
    """As there."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another process has your name; see `weaveipam.gossip.twins`."""

    process: int
    """Whom it is for: another process of the same life knows nothing of it."""
    life: Peer
    """The other one's."""
    endpoint: Endpoint
    proved: bool = False
    """Whether it has answered since the receiver spoke last."""
    serves: bool = False
    """Whether it said that it serves."""


@dataclass(frozen=True, slots=True)
class Call:
    """Is anybody there?  Answered with `Here`."""

    call: int


@dataclass(frozen=True, slots=True)
class Here:
    """Answers `Call`."""

    call: int
    process: int
    """The number of the sender's process."""
    serves: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """
    How often the sender's life has noted that it gave something to a client since; answered with `Marked`.

    Some members remember it, so that a life whose disk goes back in time can be told so.
    """

    mark: int
    """On the sender's stable storage."""


@dataclass(frozen=True, slots=True)
class Marked:
    """The highest mark of a life that its sender remembers."""

    life: Peer
    mark: int


class Need(IntEnum):
    """How far a donor should go; but for `LOOK` it gives more the higher the need is."""

    REFILL = 0
    """The asker runs low: only from plenty."""
    FREE = 1
    """A client waits: any free address."""
    COOLING = 2
    """A client waits and nobody has any free: cooling ones too."""
    LOOK = 3
    """Nothing is to be given: the answer is `PieceFindings` with what would be, as for `FREE`."""


@dataclass(frozen=True, slots=True)
class SpaceRequest:
    """Give me space; answered by `Grant` or `SpaceRefusal` with the same request number."""

    request: int
    pool: str
    ring: RingId
    within: tuple[Range, ...]
    """Only from these; empty: anywhere in the pool."""
    size: int
    """
    Addresses needed now: a power of two, granted aligned to it.

    More may be given, but never outside `within`.
    """
    need: Need


@dataclass(frozen=True, slots=True)
class Grant:
    """Runs whose owner is the receiver from now on; repeated until acknowledged, harmless when repeated."""

    grant: int
    """Number of the grant, unique for its sender's life."""
    request: int
    """Of the `SpaceRequest` that it answers; 0 for none."""
    ring: RingId
    runs: tuple[Run, ...]
    also: tuple[RingPart, ...] = ()
    """Runs of other rings that come with it: what one key holds is never given in two grants."""
    leases: tuple[Allocation, ...] = ()
    """What keys hold of these runs; they hold it at the receiver from now on."""
    rests: tuple[RestingPart, ...] = ()
    """What of these runs was released not long ago, and must rest."""
    lent: tuple[Lent, ...] = ()
    """What of these runs keys at other members hold; the receiver is to keep it for them."""


@dataclass(frozen=True, slots=True)
class GrantAck:
    """The grant is on the receiver's stable storage."""

    grant: int


class Refused(IntEnum):
    """Why a donor gives nothing."""

    NONE_FREE = 1
    TAKEN = 2
    """Everything in `within` is allocated to somebody."""
    NOT_READY = 3


@dataclass(frozen=True, slots=True)
class SpaceRefusal:
    """I give nothing: answers `SpaceRequest`."""

    request: int
    reason: Refused


@dataclass(frozen=True, slots=True)
class Adopt:
    """
    What keys at the sender hold and the receiver owns: keep it for them; repeated until `Adopted` answers.

    Loans of what the receiver does not own, by its knowledge, are not answered.
    """

    loans: tuple[Loan, ...]


class Twice(NamedTuple):
    """Somebody else who holds something of a loan."""

    loan: Loan
    key: str
    holder: Peer


@dataclass(frozen=True, slots=True)
class Adopted:
    """These loans are on the sender's stable storage."""

    loans: tuple[Loan, ...]
    twice: tuple[Twice, ...]
    """Those of them that somebody else holds as well: an address is in use twice."""


@dataclass(frozen=True, slots=True)
class LoanQuery:
    """Are these loans still held?  Those that are come back as `Adopt`, the others as `Returned`."""

    query: int
    """Chosen by chance; never 0."""
    loans: tuple[Loan, ...]


@dataclass(frozen=True, slots=True)
class Returned:
    """Nobody at the sender holds these any more; the loans end only if it answers a `LoanQuery`."""

    query: int
    """Of the `LoanQuery`; 0: nobody asked, and the receiver had better do so now."""
    loans: tuple[Loan, ...]


@dataclass(frozen=True, slots=True)
class Contest:
    """
    Where the sender stands on addresses that it and the receiver own with one token; repeated while it is so.

    With `SETTLED` nothing is contested there, by the sender's knowledge; that is never answered, and believed
    only if the runs are above both claims.
    """

    ring: RingId
    range: Range
    stage: ContestStage
    asks: bool
    """Whether the receiver should answer."""
    runs: tuple[Run, ...]
    """What the sender claims of the range, or else all that its ring says there."""
    leases: tuple[Lent, ...]
    """What keys hold there: at the sender, and at those whom it has lent it to."""


@dataclass(frozen=True, slots=True)
class PieceSurvey:
    """Which of these could you give whole?  Answered by `PieceFindings`, or `SpaceRefusal` if not ready."""

    request: int
    pool: str
    ring: RingId
    pieces: tuple[Range, ...]
    """At most `PIECES_MAX`, each of which the sender takes for the receiver's."""


@dataclass(frozen=True, slots=True)
class PieceFindings:
    """These I could give now; it is no promise."""

    request: int
    """Of the `PieceSurvey`, or of the `SpaceRequest` that only looks."""
    free: tuple[Range, ...]
    """Those of its pieces that are free in whole; or the one block that would be given."""


@dataclass(frozen=True, slots=True)
class PieceRequest:
    """Give me exactly this, or nothing: answered by `Grant` or `SpaceRefusal` with the same number."""

    request: int
    pool: str
    ring: RingId
    piece: Range


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Are you in a cluster?  From a daemon in none, to everybody it was told of; answered by `Standing`."""

    seeds: tuple[str, ...]
    """The seed names it was started with, sorted; empty if it has none."""
    consensus: int = 0
    """How many daemons it was told to form a cluster with, itself among them; 0 if it was not."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where I stand: answers `Inquiry`, and brings a birth to the seeds that wait for it."""

    asker: Peer
    """Whom it is for: a late answer to an earlier life says nothing to the next one."""
    birth: Birth | None
    """None: unformed."""
    seeds: tuple[str, ...]
    """As in `Inquiry`, of the sender."""
    earlier: Peer | None
    """Another life of the asker that the sender has known."""
    consensus: int = 0
    """As in `Inquiry`, of the sender."""
    in_use: bool = False
    """Whether the sender sees that other life alive, at another endpoint: two daemons have one name."""


@dataclass(frozen=True, slots=True)
class BirthPrepare:
    """Promise this ballot: phase 1a (Lamport, "Paxos Made Simple", section 2.2)."""

    ballot: BirthBallot
    """Of the sender."""
    consensus: int
    """As in `Inquiry`: votes among other numbers of daemons do not count."""


@dataclass(frozen=True, slots=True)
class BirthPromise:
    """Answers `BirthPrepare`: phase 1b."""

    ballot: BirthBallot
    """As asked."""
    promised: BirthBallot
    """The highest that the sender has promised; if it is a higher one, this is a refusal."""
    accepted: BirthBallot | None
    """The highest that the sender has accepted."""
    birth: Birth | None
    """Of that."""


@dataclass(frozen=True, slots=True)
class BirthAccept:
    """Accept this birth: phase 2a."""

    ballot: BirthBallot
    consensus: int
    birth: Birth


@dataclass(frozen=True, slots=True)
class BirthAccepted:
    """Answers `BirthAccept`: phase 2b."""

    ballot: BirthBallot
    """As asked."""
    promised: BirthBallot
    """As in `BirthPromise`."""


BirthPaxos: TypeAlias = BirthPrepare | BirthPromise | BirthAccept | BirthAccepted
"""What is said while a birth is agreed on."""


Message: TypeAlias = (
    Ping
    | Ack
    | PingRequest
    | Nack
    | Rumour
    | Ownership
    | Outline
    | RingShare
    | MemberShare
    | Sync
    | Synced
    | Elsewhere
    | Call
    | Here
    | Mark
    | Marked
    | SpaceRequest
    | Grant
    | GrantAck
    | SpaceRefusal
    | Adopt
    | Adopted
    | LoanQuery
    | Returned
    | Contest
    | PieceSurvey
    | PieceFindings
    | PieceRequest
    | Farewell
    | FarewellHeard
    | Staying
    | Inquiry
    | Standing
    | BirthPrepare
    | BirthPromise
    | BirthAccept
    | BirthAccepted
    | Enrol
    | Enrolled
    | Postponed
    | Prepare
    | Promise
    | Declined
    | Accept
    | Accepted
    | Decided
    | CharterShare
    | Closure
)


@dataclass(frozen=True, slots=True)
class Tell:
    """A machine's wish to say something; the node turns the wishes to one target into packets."""

    target: Endpoint
    message: Message
    stream: bool = False
    """Whether it may exceed a datagram."""


@dataclass(frozen=True, slots=True)
class Publish:
    """A machine's wish that everybody learns a statement of ownership."""

    ownership: Ownership


@dataclass(frozen=True, slots=True)
class End:
    """A machine's wish that this life ends and the next one begins; nothing that comes after it is done."""

    why: str
    """One sentence, for the operator."""
    later: Peer | None = None
    """Another life of this daemon that is known; the next one comes after it too."""


@dataclass(frozen=True, slots=True)
class Depart:
    """
    A machine's wish that this life ends for good: it has left.

    The disk is the next life's from then on; this one only says to others that it has gone, until `Stop`.
    """


Step: TypeAlias = Persist | Reply | Report | Stop | Tell | Publish | End | Depart
"""What a machine inside a node may ask for; the node turns steps into effects, in order."""
