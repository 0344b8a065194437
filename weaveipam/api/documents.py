"""
Answers as JSON documents; docs/reference/http.md is their description for users.

Addresses, ranges and endpoints are strings, incarnations and cluster ids 16 hexadecimal digits, families the
numbers 4 and 6.  Counts of addresses are plain JSON numbers, and those of IPv6 exceed 2^53.
Does not know HTTP, sockets or tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias, assert_never

from ring.address import Range, format_address, format_range
from ring.ring import Peer, Run
from weaveipam.protocol.requests import (
    Allocated,
    Allocations,
    Answer,
    Found,
    Keyring,
    Members,
    MemberView,
    PoolChanged,
    Pools,
    PoolUse,
    Reason,
    Refusal,
    Released,
    RingView,
    RollCallView,
    Status,
)
from weaveipam.protocol.values import Allocation, Assigned, Pool

Document: TypeAlias = dict[str, Any] | list[Any]
"""What `json.dumps` takes."""

PROBLEMS: Final[Mapping[Reason, tuple[int, str]]] = MappingProxyType(
    {
        Reason.EXHAUSTED: (409, "No free address"),
        Reason.IN_USE: (409, "Address in use"),
        Reason.NOT_OWNER: (409, "Owned by another daemon"),
        Reason.NO_SUCH_POOL: (404, "No such pool"),
        Reason.NOT_READY: (503, "Not ready"),
        Reason.NOT_FOUND: (404, "Not found"),
        Reason.CONFLICT: (409, "Conflict"),
        Reason.INVALID: (400, "Invalid request"),
        Reason.OVERLOADED: (503, "Overloaded"),
    }
)
"""HTTP status and title of each reason; every reason is here."""


def answer_document(answer: Answer) -> Document:  # noqa: C901, PLR0912 - a case for each answer
    """The document of any answer; a refusal's is its problem document."""
    match answer:
        case Refusal():
            return problem(answer)
        case Allocated(allocation):
            return _allocation(allocation)
        case Released(allocations):
            return {"released": [_allocation(one) for one in allocations]}
        case Found():
            return _found(answer)
        case Status():
            return _status(answer)
        case Members(members):
            return [_member(one) for one in members]
        case RingView():
            return _ring(answer)
        case Pools(pools):
            return [_pool(one) for one in pools]
        case Allocations(allocations):
            return [_allocation(one) for one in allocations]
        case Keyring(keys):
            return [{"id": one.id, "used": one.used, "members": list(one.members)} for one in keys]
        case PoolChanged(pool):
            return {"pool": None if pool is None else _pool_of(pool)}
        case RollCallView():
            return _roll_call(answer)
        case _:
            assert_never(answer)


def problem(refusal: Refusal) -> dict[str, Any]:
    """The problem document (RFC 9457) of a refusal."""
    status, title = PROBLEMS[refusal.reason]
    return {"type": refusal.reason.value, "title": title, "status": status, "detail": refusal.detail}


def _incarnation(peer: Peer | None) -> str | None:
    return None if peer is None else f"{peer.incarnation:016x}"


def _allocation(one: Allocation) -> dict[str, Any]:
    return {
        "key": one.key,
        "network": one.network,
        "addresses": [_assigned(each) for each in one.addresses],
        "durable": one.durable,
        "labels": dict(one.labels),
    }


def _assigned(one: Assigned) -> dict[str, Any]:
    return {
        "address": format_address(one.family, one.range.start),
        "range": format_range(one.family, one.range),
        "family": int(one.family),
        "prefix_length": one.prefix_length,
        "gateway": None if one.gateway is None else format_address(one.family, one.gateway),
        "pool": one.pool,
    }


def _found(answer: Found) -> dict[str, Any]:
    return {
        "allocation": None if answer.allocation is None else _allocation(answer.allocation),
        "owner": None if answer.owner is None else answer.owner.name,
        "owner_incarnation": _incarnation(answer.owner),
        "pool": answer.pool,
    }


def _status(answer: Status) -> dict[str, Any]:
    return {
        "name": answer.peer.name,
        "incarnation": _incarnation(answer.peer),
        "ready": answer.ready,
        "state": answer.state,
        "why_not_ready": answer.why_not_ready,
        "cluster_id": answer.cluster_id,
        "members_alive": answer.members_alive,
        "members_total": answer.members_total,
        "pools": [_pool(one) for one in answer.pools],
        "pending": answer.pending,
        "outgoing": answer.outgoing,
        "conflicts": list(answer.conflicts),
        "version": answer.version,
        "sealed": answer.sealed,
    }


def _roll_call(answer: RollCallView) -> dict[str, Any]:
    return {
        "decisions": answer.number,
        "busy": answer.busy,
        "fenced": [_life(one) for one in answer.fenced],
        "awaited": list(answer.awaited),
        "agreed": answer.agreed,
        "detail": answer.detail,
        "electors": [_life(one) for one in answer.electors],
        "removed": [_life(one) for one in answer.removed],
    }


def _life(peer: Peer) -> dict[str, Any]:
    return {"name": peer.name, "incarnation": _incarnation(peer)}


def _member(one: MemberView) -> dict[str, Any]:
    return {
        "name": one.peer.name,
        "incarnation": _incarnation(one.peer),
        "endpoint": str(one.endpoint),
        "state": one.state.name.lower(),
        "seconds_in_state": round(one.seconds_in_state, 3),
        "owned": one.owned,
        "self": one.is_self,
    }


def _ring(answer: RingView) -> list[dict[str, Any]]:
    return [_run(answer, one) for one in answer.runs]


def _run(answer: RingView, run: Run) -> dict[str, Any]:
    family = answer.ring.family
    return {
        "network": answer.ring.network,
        "family": int(family),
        "range": format_range(family, Range(run.start, run.stop)),
        "size": run.stop - run.start,
        "owner": run.owner.name,
        "owner_incarnation": _incarnation(run.owner),
        "generation": run.token.generation,
        "epoch": run.token.epoch,
        "author": run.author.name,
        "author_incarnation": _incarnation(run.author),
    }


def _pool_of(pool: Pool) -> dict[str, Any]:
    ranges = pool.ranges
    gateways = dict.fromkeys((one.family, one.gateway) for one in ranges if one.gateway is not None)
    return {
        "name": pool.name,
        "network": pool.network,
        "ranges": [format_range(one.family, one.range) for one in ranges],
        "excluded": [format_range(one.family, hole) for one in ranges for hole in one.excluded],
        "gateways": [format_address(family, gateway) for family, gateway in gateways],
        "disabled": pool.disabled,
    }


def _pool(use: PoolUse) -> dict[str, Any]:
    return {
        **_pool_of(use.pool),
        "size": use.size,
        "owned": use.owned,
        "used": use.used,
        "cooling": use.cooling,
        "free": use.free,
        "unreachable": use.unreachable,
    }
