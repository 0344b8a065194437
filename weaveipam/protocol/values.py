"""
Values that peers, clients and disks all speak of.

Does not know who says them to whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from ring.address import Family, Range
from ring.ring import Peer, Run

DEFAULT_NETWORK = "default"
"""The network instance that always exists."""


class Endpoint(NamedTuple):
    """Where a peer listens, for datagrams and streams alike."""

    host: str
    """A numeric IPv4 or IPv6 address, or a name that the daemon resolves; at most 253 characters."""
    port: int
    """1 to 65535."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class RingId(NamedTuple):
    """Which ring: each network instance has one for each address family."""

    network: str
    family: Family

    def __str__(self) -> str:
        return f"{self.network}/v{int(self.family)}"


@dataclass(frozen=True, slots=True)
class Route:
    """A route that an address is handed out with."""

    destination: str
    """A CIDR."""
    gateway: str = ""
    """An address; empty: that of the address itself."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What an address is handed out with beside its gateway; only passed on, and never looked at."""

    nameservers: tuple[str, ...] = ()
    """Addresses, in the order in which a resolver asks them."""
    domain: str = ""
    search: tuple[str, ...] = ()
    resolver_options: tuple[str, ...] = ()
    """As in resolv.conf(5)."""
    routes: tuple[Route, ...] = ()
    vlan: int | None = None
    """1 to 4094 (IEEE 802.1Q)."""


NO_ATTRIBUTES = Attributes()


@dataclass(frozen=True, slots=True)
class PoolRange:
    """A run of addresses of a pool, and what an address in it is handed out with."""

    family: Family
    range: Range
    prefix_length: int
    """Of the network that the addresses are on-link in; the family's bits when nothing else is known."""
    gateway: int | None = None
    """Handed out with each address; itself never allocated."""
    excluded: tuple[Range, ...] = ()
    """Never allocated, though owned: reserved network, broadcast, anycast and gateway addresses."""
    reserved: tuple[Range, ...] = ()
    """Only allocated to who asks for just that address; sorted, disjoint, and apart from `excluded`."""
    attributes: Attributes = NO_ATTRIBUTES
    beyond_limit: tuple[Range, ...] = ()
    """Those of `excluded` that are there for the pool's limit alone."""


class Order(IntEnum):
    """Which of a pool's free addresses is handed out next."""

    SPREAD = 0
    """The next one of those that the daemon owns: asks nobody."""
    SEQUENTIAL = 1
    """The lowest one of the whole pool: asks whoever owns addresses below the lowest free one here."""


class Preallocation(NamedTuple):
    """An address of a pool that only the holder of a name is given."""

    name: str
    family: Family
    address: int


@dataclass(frozen=True, slots=True)
class Pool:
    """
    A named set of address ranges in one network instance.

    Its name is unique in the cluster.  Its ranges are disjoint from those of every other pool of its network,
    but for pools of a kind: those may lie in one another, and what a child has its parent has not.
    """

    name: str
    network: str
    ranges: tuple[PoolRange, ...]
    """At least one; sorted by family and start, disjoint."""
    disabled: bool = False
    """Whether nothing new is handed out of it; what it has handed out stays."""
    labels: tuple[tuple[str, str], ...] = ()
    """What requests select pools by; sorted by name."""
    order: Order = Order.SPREAD
    manual: bool = False
    """Whether it is only used where it is named or selected."""
    node_selector: str = ""
    """
    Whose nodes it serves, where a request names no pool, as a canonical label selector; empty: all.

    See `protocol.selectors` for this and the next two.
    """
    namespace_selector: str = ""
    """The same for the namespaces of those who ask."""
    pod_selector: str = ""
    """The same for those who ask."""
    cooldown_s: int | None = None
    """Whole seconds that a released address rests; None: as the daemon's settings say."""
    limit: int | None = None
    """How many addresses of each family are handed out at most; the others are among `excluded`."""
    node_limit: int | None = None
    """How many of its addresses one daemon hands out at most."""
    preallocations: tuple[Preallocation, ...] = ()
    """Sorted; one for each name and family, and for each address."""
    kind: str = ""
    """
    What it is for, if it may lie in other pools: a `protocol.nesting.Kind`; empty: it lies in none.

    A pool of a kind has one range, which is a CIDR.
    """


@dataclass(frozen=True, slots=True)
class Birth:
    """How a cluster began: decided once, pinned by every member; its hash is the cluster id."""

    nonce: bytes
    """16 random bytes: no two births are equal."""
    seeds: tuple[Peer, ...]
    """Who shares the addresses at first, in this order; sorted, not empty."""
    pools: tuple[Pool, ...]
    """Sorted by name; may be empty."""


class BirthBallot(NamedTuple):
    """One attempt to have a birth decided; ordered by round, and no two proposers ever have the same."""

    round: int
    """1 to `ROUND_MAX`; a proposer never uses one twice."""
    proposer: Peer


ROUND_MAX = 1 << 48
"""More than can ever be tried; a higher one is a lie, and would leave no room for the next."""


class ContestStage(IntEnum):
    """How far a contested range is from having one owner again, by one of the two who claim it."""

    OPEN = 0
    """Claimed by both, handed out by neither."""
    KEEPING = 1
    """Somebody has decided here that this side keeps it; the other one must give up first."""
    YIELDED = 2
    """Given up here, durably; the other one takes it when it hears of that."""
    SETTLED = 3
    """One owner, above all that was contested; only told, never remembered."""


@dataclass(frozen=True, slots=True)
class Loan:
    """
    An address, or a stretch of a block, that a key holds at one peer while another peer owns it.

    The owner keeps it for the key until the holder says that it was released.
    """

    ring: RingId
    range: Range
    key: str


@dataclass(frozen=True, slots=True)
class RingPart:
    """Runs of one ring."""

    ring: RingId
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class RestingPart:
    """Addresses of one ring that were released not long ago."""

    ring: RingId
    range: Range


class MemberState(IntEnum):
    """A peer as the membership protocol sees it; of two equally fresh rumours the higher state wins."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


@dataclass(frozen=True, slots=True)
class Assigned:
    """One address, or an aligned block of them, given to a key."""

    pool: str
    family: Family
    range: Range
    prefix_length: int
    """On-link prefix length of the pool's range."""
    gateway: int | None
    attributes: Attributes = NO_ATTRIBUTES
    """Those of the pool's range when it was given."""


TTL_MAX_S = 10 * 366 * 24 * 3600
"""Seconds for which something is given at most; ten years, as more is a mistake."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What one key holds: all of it was given at once and goes back at once."""

    key: str
    network: str
    addresses: tuple[Assigned, ...]
    """In the order of the wants that asked for them; at least one."""
    durable: bool
    """Whether it outlives the host's death (a claim object's), or only the daemon's (a pod's)."""
    labels: tuple[tuple[str, str], ...] = ()
    """Sorted by name."""
    ttl_s: int | None = None
    """Whole seconds, 1 to `TTL_MAX_S`, after which it ends unless it is asked for again; None: never."""
