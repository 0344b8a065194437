"""
Everything clients ask, and the answers.

All doors (CNI, HTTP, CLI) translate to and from these.  Does not know any door.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ring.address import Family, Range
from ring.ring import Peer, Run
from weaveipam.protocol.findings import Check, Conflicts, Resolution
from weaveipam.protocol.keyring import KeyRing
from weaveipam.protocol.progress import Departure, RollCallView
from weaveipam.protocol.values import (
    DEFAULT_NETWORK,
    Allocation,
    Endpoint,
    MemberState,
    Pool,
    RingId,
)


@dataclass(frozen=True, slots=True)
class Want:
    """One address, or one aligned block, that a client asks for."""

    family: Family | None = None
    """None: IPv4 when the pools carry it, else IPv6."""
    pools: tuple[str, ...] = ()
    """Tried in this order, whoever they select; empty: those of the network that select who asks."""
    within: tuple[Range, ...] = ()
    """Only from these addresses (`family` must be given); empty: anywhere in the pools."""
    prefix_length: int | None = None
    """Of the aligned block wanted; None: a single address."""
    selector: str = ""
    """Where no pools are named: those whose labels it selects, in order of their names."""
    index: int | None = None
    """
    Which address of the first of the pools, counted from 0 over its ranges of the family in their order.

    What is set aside is counted as well, so that the number of an address does not depend on it.
    """
    fallback: bool = False
    """Whether, with nothing left in the pools named, those will do that select who asks."""
    kind: str = ""
    """
    What it is for: a `protocol.nesting.Kind`, which says of what kinds the pools are that it comes from.

    Empty: whatever it is for, an address comes from no aggregate, and a block from no network or loopback.
    """


@dataclass(frozen=True, slots=True)
class Subject:
    """Who an address is for, as pools select it."""

    namespace: str = ""
    name: str = ""
    """Of the pod."""
    labels: tuple[tuple[str, str], ...] = ()
    """Of the pod; sorted by name."""
    namespace_labels: tuple[tuple[str, str], ...] = ()
    """Sorted by name."""


NOBODY = Subject()
"""Of whom nothing is known: only pools without selectors serve it."""


@dataclass(frozen=True, slots=True)
class Allocate:
    """Give the key what it wants, all or nothing; the same again if it holds an allocation already."""

    key: str
    """1 to 512 characters."""
    network: str = DEFAULT_NETWORK
    wants: tuple[Want, ...] = ()
    """At most 16; empty: one address of each family that the network's pools carry."""
    durable: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    wait_s: float = 8.0
    """Seconds that the request may wait for space from peers, or for the ring to form."""
    name: str = ""
    """Who gets what pools keep for that name; it outlives keys, and need not be unique.  Empty: nobody."""
    subject: Subject = NOBODY
    ttl_s: int | None = None
    """
    Whole seconds, 1 to `values.TTL_MAX_S`, after which what the key holds is given back unless it asks again.

    The time begins anew each time that it asks; None: as long as before, and of a key that held nothing for
    ever.  It is that of the daemon's monotonic clock while the daemon serves: one that starts again, or takes
    the key over from one that leaves, lets it begin anew.  So it may end late, and by that clock never early.
    """


@dataclass(frozen=True, slots=True)
class Release:
    """Give back what a key, or an address (exactly one of the two), holds; no error if nothing does."""

    key: str | None = None
    address: tuple[Family, int] | None = None
    network: str = DEFAULT_NETWORK


@dataclass(frozen=True, slots=True)
class Collect:
    """Give back everything whose key starts with `prefix` and is not in `keep` (garbage collection)."""

    prefix: str
    keep: tuple[str, ...]
    network: str = DEFAULT_NETWORK


@dataclass(frozen=True, slots=True)
class Lookup:
    """Who holds a key, or an address; exactly one of the two is given."""

    key: str | None = None
    address: tuple[Family, int] | None = None
    network: str = DEFAULT_NETWORK


@dataclass(frozen=True, slots=True)
class GetStatus:
    """How this daemon is."""


@dataclass(frozen=True, slots=True)
class GetMembers:
    """The members this daemon knows."""


@dataclass(frozen=True, slots=True)
class GetRing:
    """The runs of one ring."""

    ring: RingId


@dataclass(frozen=True, slots=True)
class GetPools:
    """The pools and how full they are."""


@dataclass(frozen=True, slots=True)
class GetAllocations:
    """What this daemon has allocated."""

    pool: str | None = None


@dataclass(frozen=True, slots=True)
class GetKeyring:
    """The keys that packets are sealed with, and who still sends with others than the one in use."""


@dataclass(frozen=True, slots=True)
class SetKeyring:
    """Use these keys from now on; whoever asks sees to it that they are there after a restart as well."""

    ring: KeyRing


@dataclass(frozen=True, slots=True)
class SetJoin:
    """Ask these for a cluster from now on, and for what was missed; answered by `Status`."""

    join: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class RemovePeers:
    """
    Take over what these daemons own: they are gone for good, and so are the users of their addresses.

    Repeating it shows how far that has got; answered by `RollCallView`.
    """

    names: tuple[str, ...]
    forced: bool = False
    """Whether to go on although some have been heard of lately."""
    survivors: tuple[str, ...] | None = None
    """All other daemons, if most electors are among those to be removed."""


@dataclass(frozen=True, slots=True)
class GetRollCall:
    """What is being decided, and what was; answered by `RollCallView`."""

    names: tuple[str, ...] = ()
    """Whose removal is asked about."""


@dataclass(frozen=True, slots=True)
class ChangePool:
    """
    Create, change or delete a pool; answered by `PoolChanged`, once all members have agreed.

    Asking for what is so already is no error.
    """

    name: str
    base: Pool | None
    """What the pool is, as far as the asker knows; None: there is none.  Another one is a conflict."""
    wanted: Pool | None
    """What it shall be; None: no pool."""
    drain: bool = False
    """Whether to wait for addresses that are in use, and are to belong to no pool; else that is refused."""
    wait_s: float = 8.0
    """How long all this may take; then it is withdrawn, if it can be."""


@dataclass(frozen=True, slots=True)
class ChangeNetwork:
    """
    Create or delete a network instance; answered by `NetworkChanged`, once all members have agreed.

    Asking for what is so already is no error.
    """

    name: str
    exists: bool
    """Whether it shall be there.  It is only deleted when no pool is in it."""
    wait_s: float = 8.0
    """As of `ChangePool`."""


Change: TypeAlias = ChangePool | ChangeNetwork
"""What all members decide on when an operator asks for it."""


@dataclass(frozen=True, slots=True)
class GetNetworks:
    """The network instances, and what is in them."""


@dataclass(frozen=True, slots=True)
class GetConflicts:
    """What is contested, foreign, lent or in use twice, as far as this daemon is concerned."""


@dataclass(frozen=True, slots=True)
class GetCheck:
    """What is wrong, as far as this daemon can see."""


@dataclass(frozen=True, slots=True)
class ResolveConflict:
    """Decide which of the two daemons that claim a range keeps it; this daemon is one of them."""

    family: Family
    range: Range
    owner: str
    """The name of the daemon that keeps what is contested of the range."""
    network: str = DEFAULT_NETWORK


@dataclass(frozen=True, slots=True)
class Leave:
    """Give away all that this daemon owns, and end; asked again, it goes on."""


@dataclass(frozen=True, slots=True)
class Stay:
    """Do not leave after all; what is given away already stays given."""


@dataclass(frozen=True, slots=True)
class GetDeparture:
    """How far leaving has come; before it, what would stand in its way, and who would be given what."""


Question: TypeAlias = (
    Lookup
    | GetStatus
    | GetMembers
    | GetRing
    | GetPools
    | GetNetworks
    | GetAllocations
    | GetKeyring
    | GetRollCall
    | GetConflicts
    | GetCheck
    | GetDeparture
)
"""What is only asked: nothing changes."""

Request: TypeAlias = (
    Allocate
    | Release
    | Collect
    | SetKeyring
    | SetJoin
    | RemovePeers
    | Change
    | ResolveConflict
    | Leave
    | Stay
    | Question
)


class Reason(StrEnum):
    """Why a request was refused; stable, the `type` of HTTP's problem documents."""

    EXHAUSTED = "exhausted"
    IN_USE = "in-use"
    NOT_OWNER = "not-owner"
    NO_SUCH_POOL = "no-such-pool"
    NOT_READY = "not-ready"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    INVALID = "invalid"
    OVERLOADED = "overloaded"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The request was not done and nothing changed."""

    reason: Reason
    detail: str
    """One sentence: what is wrong and what would help."""


@dataclass(frozen=True, slots=True)
class Allocated:
    """Answers `Allocate`."""

    allocation: Allocation
    expires_in_s: float | None = None
    """Seconds until it ends unless it is asked for again, by this daemon's clock; None: it does not."""


@dataclass(frozen=True, slots=True)
class Released:
    """Answers `Release` and `Collect`."""

    allocations: tuple[Allocation, ...]
    """What was given back; may be empty."""


@dataclass(frozen=True, slots=True)
class Found:
    """Answers `Lookup`; a key that holds nothing here, and an address of no pool, are refused instead."""

    allocation: Allocation | None
    """None: the address is not allocated here."""
    owner: Peer | None
    """Of the address looked up; for a key, this daemon.  None: nobody yet."""
    pool: str | None
    expires_in_s: float | None = None
    """As in `Allocated`."""


@dataclass(frozen=True, slots=True)
class PoolUse:
    """A pool and how full it is."""

    pool: Pool
    size: int
    """Addresses that can be allocated in the whole cluster, exclusions left out."""
    owned: int
    """Of those, owned by this daemon."""
    used: int
    """Of those owned, allocated."""
    cooling: int
    """Of those owned, released and still resting."""
    unreachable: int
    """Addresses of `size` whose owner is not alive."""
    withheld: int = 0
    """Of those owned, handed out by nobody: contested, or lent to a key at another daemon."""
    reserved: int = 0
    """Of those owned, free only for who asks for just one of them: reserved, or pre-allocated."""
    parent: str = ""
    """The name of the pool that it lies in; empty: none."""

    @property
    def free(self) -> int:
        """Owned, and neither used, cooling, withheld nor reserved."""
        return self.owned - self.used - self.cooling - self.withheld - self.reserved


@dataclass(frozen=True, slots=True)
class Status:
    """Answers `GetStatus`."""

    peer: Peer
    ready: bool
    state: str
    """`forming`, `joining`, `syncing`, `ready`, `leaving` or `left`."""
    why_not_ready: str
    """One sentence; empty when ready."""
    cluster_id: str
    """16 hexadecimal digits; empty while unformed."""
    members_alive: int
    members_total: int
    """This daemon counts in both."""
    pools: tuple[PoolUse, ...]
    pending: int
    """Requests that wait."""
    outgoing: int
    """Grants not acknowledged yet."""
    conflicts: tuple[str, ...]
    """One sentence for each range that is contested, foreign or in use twice; at most 100."""
    version: str
    sealed: bool = False
    """Whether every packet must be sealed with a key: none without is sent or taken."""
    contested: int = 0
    """Addresses that another daemon owns with the same token; nobody hands them out."""
    foreign: int = 0
    """Addresses in use here that other daemons own."""
    unadopted: int = 0
    """Of those, addresses whose owner has not said that it keeps them for their users."""
    lent: int = 0
    """Addresses that this daemon keeps for users at other daemons."""
    twice: int = 0
    """Addresses that are known to be in use by two keys at once."""


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member as this daemon sees it."""

    peer: Peer
    endpoint: Endpoint
    state: MemberState
    seconds_in_state: float
    owned: int
    """Addresses over all rings."""
    is_self: bool


@dataclass(frozen=True, slots=True)
class Members:
    """Answers `GetMembers`; sorted by name and incarnation."""

    members: tuple[MemberView, ...]


@dataclass(frozen=True, slots=True)
class RingView:
    """Answers `GetRing`; the runs are sorted and may be none."""

    ring: RingId
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Pools:
    """Answers `GetPools`; sorted by name."""

    pools: tuple[PoolUse, ...]


@dataclass(frozen=True, slots=True)
class Allocations:
    """Answers `GetAllocations`; sorted by network and key."""

    allocations: tuple[Allocation, ...]
    expires_in_s: tuple[float | None, ...] = ()
    """Of each of them, as in `Allocated`; none at all: none of them ends."""


@dataclass(frozen=True, slots=True)
class KeyView:
    """One key of a ring; the key itself is never told."""

    id: str
    """Six hexadecimal digits, or `plain`."""
    used: bool
    """Whether this daemon sends with it; all are accepted."""
    members: tuple[str, ...]
    """
    Names of members whose last packet was sent with it, sorted; always empty for the one in use.

    A member that has not been heard since the key in use was chosen counts with the one before.
    """


@dataclass(frozen=True, slots=True)
class Keyring:
    """Answers `GetKeyring` and `SetKeyring`; the one in use first."""

    keys: tuple[KeyView, ...]


@dataclass(frozen=True, slots=True)
class PoolChanged:
    """Answers `ChangePool`."""

    pool: Pool | None
    """What it is now; None: there is none of that name."""


@dataclass(frozen=True, slots=True)
class NetworkChanged:
    """Answers `ChangeNetwork`."""

    name: str
    exists: bool
    """Whether it is there now."""


@dataclass(frozen=True, slots=True)
class NetworkView:
    """One network instance; what it counts are addresses."""

    name: str
    pools: tuple[str, ...]
    """Sorted."""
    rings: tuple[RingId, ...]
    """Sorted; one for each address family of its pools."""
    size: int
    """That can be handed out, in the whole cluster."""
    owned: int
    """Of those, owned by this daemon."""
    used: int
    """Of those, in use."""


@dataclass(frozen=True, slots=True)
class Networks:
    """Answers `GetNetworks`; sorted by name."""

    networks: tuple[NetworkView, ...]


Answer: TypeAlias = (
    Refusal
    | PoolChanged
    | NetworkChanged
    | RollCallView
    | Allocated
    | Released
    | Found
    | Status
    | Members
    | RingView
    | Pools
    | Networks
    | Allocations
    | Keyring
    | Conflicts
    | Resolution
    | Check
    | Departure
)
