"""
What an observer can know of a cluster: what clients asked, what they were told, what daemons show.

Checkers judge facts and nothing else; the simulated cluster and that of real daemons state the same ones.
Does not know who states them, nor what is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ring.address import Range
from ring.ring import Peer, Run
from weaveipam.protocol.requests import Allocate
from weaveipam.protocol.values import Pool, RingId


@dataclass(frozen=True, slots=True)
class Asked:
    """A client asked a daemon to give something to a key, or to take back what the key holds."""

    when: float
    """Seconds since the beginning, as in every fact."""
    request: int
    """Number of the request, unique in the run."""
    machine: str
    life: Peer
    """The daemon's life at that machine."""
    key: str
    give: bool
    """False: take back."""
    durable: bool = False
    size: int = 1
    """Addresses wanted in one aligned block."""
    wish: Allocate | None = None
    """All that was asked for; None: it takes back, or that is not known."""
    node_labels: tuple[tuple[str, str], ...] = ()
    """Of the daemon; sorted."""


@dataclass(frozen=True, slots=True)
class Given:
    """The answer to an `Asked` that gives: what the key holds from now on."""

    when: float
    request: int
    addresses: tuple[tuple[RingId, Range], ...]
    immediate: bool = True
    """Whether the daemon answered without waiting for anything but its disk."""
    free_before: int | None = None
    """Addresses that the daemon showed as free for it when it took the request; None: unknown."""
    held_s: float | None = None
    """Seconds since it was asked for which the key surely holds it, if it asks no more; None: for ever."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to an `Asked` that takes back: what the key held; may be nothing."""

    when: float
    request: int
    addresses: tuple[tuple[RingId, Range], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer to an `Asked` that changed nothing."""

    when: float
    request: int
    reason: str
    """As `weaveipam.protocol.requests.Reason`."""
    detail: str
    free_before: int | None = None
    """As in `Given`."""


@dataclass(frozen=True, slots=True)
class Vanished:
    """The client of a request is gone, or the daemon that it asked: there will be no answer."""

    when: float
    request: int


@dataclass(frozen=True, slots=True)
class Emptied:
    """A machine lost its power: its pods, and with them the keys of what was not durable, are gone."""

    when: float
    machine: str
    for_good: bool = False
    """Whether it does not come back as it was, so that the keys of what was durable are gone too."""


@dataclass(frozen=True, slots=True)
class Forgot:
    """A machine's disk was lost or replaced: its daemon remembers nothing, or less; its pods live on."""

    when: float
    machine: str
    older: bool = False
    """It remembers an earlier time: a snapshot was restored."""
    apart: bool = False
    """Nobody who knows better could be reached meanwhile: what it owned then, it may take for its own."""


@dataclass(frozen=True, slots=True)
class Owns:
    """What a serving daemon shows that it owns itself, whenever that has changed."""

    when: float
    machine: str
    life: Peer
    ranges: Mapping[RingId, tuple[Range, ...]]


@dataclass(frozen=True, slots=True)
class Down:
    """A daemon is no longer there, for whatever reason."""

    when: float
    machine: str


@dataclass(frozen=True, slots=True)
class Condemned:
    """An operator says that lives are over: what they believe counts no longer, what they hand out does."""

    when: float
    lives: tuple[Peer, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """An operator was told that lives are removed: others own what they owned."""

    when: float
    lives: tuple[Peer, ...]


@dataclass(frozen=True, slots=True)
class Departed:
    """A daemon has left its cluster for good, and ended of itself."""

    when: float
    machine: str
    life: Peer


@dataclass(frozen=True, slots=True)
class Moved:
    """What a key held at one machine is shown to be held at another one: its daemon handed it over."""

    when: float
    machine: str
    key: str
    to: str


@dataclass(frozen=True, slots=True)
class View:
    """What one running daemon shows when it is asked."""

    life: Peer
    serving: bool
    rings: Mapping[RingId, tuple[Run, ...]]
    free: Mapping[str, int]
    """Addresses by pool that it owns and that are neither used nor resting."""
    used: Mapping[str, int]
    """Addresses by pool that it owns and has allocated."""
    size: int
    """Addresses that can be allocated in all pools of the whole cluster."""
    unreachable: int
    """Of those, addresses whose owner it does not see alive."""
    keys: frozenset[str]
    """Who holds something there."""
    alive: frozenset[str]
    """Names of the members that it sees alive, itself included."""
    outgoing: int
    """Grants not acknowledged yet."""
    conflicts: tuple[str, ...]
    """Sentences on what follows."""
    contested: int = 0
    """Addresses that it and another daemon own with one token."""
    twice: int = 0
    """Addresses that it knows two keys to hold."""
    foreign: int = 0
    """Addresses in use there that others own."""
    unadopted: int = 0
    """Of those, addresses whose owners have not said that they keep them for their users."""
    lent: int = 0
    """Addresses of its own that it keeps for users at others."""
    withheld: int = 0
    """Addresses of its own that are neither free, nor resting, nor in use there."""
    reserved: int = 0
    """Addresses of its own that are free, and only for who asks for just one of them."""
    pools: tuple[Pool, ...] | None = None
    """All that there are, by name; None: it was not asked, and they are those of the beginning."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What every running daemon shows at one moment."""

    when: float
    views: Mapping[str, View]
    """By machine."""
    settled: bool = False
    """Whether all is healed, all who shall ever run do so, and time enough has passed for all to agree."""
    gone: frozenset[str] = frozenset()
    """Machines that will not come back."""
    reach: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By machine, those with which it could exchange packets both ways ever since the observation before."""


@dataclass(frozen=True, slots=True)
class Changing:
    """
    An operator asked a daemon to change a pool.

    Answered by `Changed` or `Refused`; after `Vanished` it may yet be made.
    """

    when: float
    request: int
    """Number of the request, unique in the run."""
    name: str
    wanted: Pool | None
    """What the pool shall be; None: there shall be none of that name."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The answer to a `Changing`: all members have agreed."""

    when: float
    request: int
    pool: Pool | None
    """What the pool is."""


@dataclass(frozen=True, slots=True)
class Began:
    """The first fact: with what addresses the cluster was configured."""

    when: float
    pools: tuple[Pool, ...]


Fact: TypeAlias = (
    Began
    | Asked
    | Given
    | Taken
    | Refused
    | Vanished
    | Emptied
    | Forgot
    | Owns
    | Down
    | Condemned
    | Removed
    | Changing
    | Changed
    | Departed
    | Moved
    | Observed
)
