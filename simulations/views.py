"""
What daemons show: the answers to questions that change nothing, as facts and samples need them.

Does not know what is right, nor when to look.
"""

from __future__ import annotations

from collections.abc import Mapping

from ring.address import Range
from ring.ring import Run
from simulations.facts import View
from simulations.machine import Machine
from simulations.pools import is_mixed
from weaveipam.protocol.requests import (
    Allocate,
    Allocations,
    GetAllocations,
    GetMembers,
    GetPools,
    GetRing,
    GetStatus,
    RingView,
    Status,
)
from weaveipam.protocol.requests import Members as MembersAnswer
from weaveipam.protocol.requests import Pools as PoolsAnswer
from weaveipam.protocol.values import Allocation, MemberState, Pool, RingId


def addresses_of(allocation: Allocation) -> tuple[tuple[RingId, Range], ...]:
    """What an allocation gives, as facts say it."""
    return tuple((RingId(allocation.network, one.family), one.range) for one in allocation.addresses)


def runs_of(machine: Machine, ring: RingId) -> tuple[Run, ...]:
    """The runs that a daemon shows; none while it belongs to no cluster."""
    answer = machine.show(GetRing(ring))
    return answer.runs if isinstance(answer, RingView) else ()


def is_ready(machine: Machine) -> bool:
    """Whether a daemon says that it serves."""
    answer = machine.show(GetStatus())
    assert isinstance(answer, Status)
    return answer.ready


def pools_of(machine: Machine) -> tuple[Pool, ...]:
    """The pools that a daemon shows."""
    answer = machine.show(GetPools())
    assert isinstance(answer, PoolsAnswer)
    return tuple(one.pool for one in answer.pools)


def owns(machine: Machine) -> bool:
    """Whether a daemon says that what it shows as its own is so: it serves, or leaves."""
    answer = machine.show(GetStatus())
    assert isinstance(answer, Status)
    return answer.ready or answer.state == "leaving"


def members_of(machine: Machine) -> frozenset[str]:
    """The names of all members that a daemon knows, in whatever state, itself included."""
    answer = machine.show(GetMembers())
    assert isinstance(answer, MembersAnswer)
    return frozenset(one.peer.name for one in answer.members)


def owned_by(machine: Machine, rings: tuple[RingId, ...]) -> Mapping[RingId, tuple[Range, ...]] | None:
    """What a daemon shows that it owns itself, by ring; None while it does not serve."""
    if not owns(machine):
        return None
    return {
        ring: tuple(Range(run.start, run.stop) for run in runs_of(machine, ring) if run.owner == machine.life)
        for ring in rings
    }


def free_for(machine: Machine, request: Allocate) -> int | None:
    """
    Addresses that a daemon shows as free for a request for any one address; None: it does not show that.

    It does not for other requests, nor for a pool of both families, nor how near it is to a pool's limit.
    """
    if len(request.wants) != 1 or not is_ready(machine):
        return None
    (want,) = request.wants
    if want.within or want.prefix_length is not None or want.family is not None or want.index is not None:
        return None
    if request.name or want.fallback or not want.pools:
        return None
    answer = machine.show(GetPools())
    assert isinstance(answer, PoolsAnswer)
    asked = [one for one in answer.pools if one.pool.name in want.pools]
    hidden = any(is_mixed(one.pool) or one.pool.node_limit is not None for one in asked)
    return None if hidden else sum(one.free for one in asked)


def view_of(machine: Machine, rings: tuple[RingId, ...]) -> View:
    """All that a daemon shows."""
    status = machine.show(GetStatus())
    members = machine.show(GetMembers())
    leases = machine.show(GetAllocations())
    assert isinstance(status, Status)
    assert isinstance(members, MembersAnswer)
    return View(
        life=machine.life,
        serving=status.ready or status.state == "leaving",
        rings={ring: runs_of(machine, ring) for ring in rings},
        free={one.pool.name: one.free for one in status.pools},
        used={one.pool.name: one.used for one in status.pools},
        size=sum(one.size for one in status.pools),
        unreachable=sum(one.unreachable for one in status.pools),
        keys=frozenset(one.key for one in leases.allocations)
        if isinstance(leases, Allocations)
        else frozenset(),
        alive=frozenset(one.peer.name for one in members.members if one.state is MemberState.ALIVE),
        outgoing=status.outgoing,
        conflicts=status.conflicts,
        contested=status.contested,
        twice=status.twice,
        foreign=status.foreign,
        unadopted=status.unadopted,
        lent=status.lent,
        withheld=sum(one.withheld for one in status.pools),
        reserved=sum(one.reserved for one in status.pools),
        pools=tuple(one.pool for one in status.pools),
    )
