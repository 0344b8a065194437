"""
Answers as JSON documents; docs/reference/http.md is their description for users.

Addresses, ranges and endpoints are strings, incarnations and cluster ids 16 hexadecimal digits, families the
numbers 4 and 6.  Counts of addresses are plain JSON numbers, and those of IPv6 exceed 2^53.
Does not know HTTP, sockets or tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, TypeAlias, assert_never

from ring.address import Range, format_address, format_range
from ring.ring import Peer, Run
from weaveipam.config.printing import attributes_table, pool_table
from weaveipam.protocol.findings import Check, Conflicts, Contested, Holder, Resolution
from weaveipam.protocol.progress import Departure, RollCallView
from weaveipam.protocol.requests import (
    Allocated,
    Allocations,
    Answer,
    Found,
    Keyring,
    Members,
    MemberView,
    NetworkChanged,
    Networks,
    NetworkView,
    PoolChanged,
    Pools,
    PoolUse,
    Reason,
    Refusal,
    Released,
    RingView,
    Status,
)
from weaveipam.protocol.values import Allocation, Assigned, Pool, RingId

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


def answer_document(answer: Answer, at: datetime | None = None) -> Document:  # noqa: C901, PLR0912 - a case for each answer
    """
    The document of any answer; a refusal's is its problem document.

    Args:
        answer: What was answered.
        at: When, as the times of day in the document follow from it; None: now.
    """
    at = at or datetime.now(UTC)
    match answer:
        case Refusal():
            return problem(answer)
        case Allocated(allocation, left_s):
            return _allocation(allocation, left_s, at)
        case Released(allocations):
            return {"released": [_allocation(one) for one in allocations]}
        case Found():
            return _found(answer, at)
        case Status():
            return _status(answer)
        case Members(members):
            return [_member(one) for one in members]
        case RingView():
            return _ring(answer)
        case Pools(pools):
            return [_pool(one) for one in pools]
        case Allocations(allocations, left_s):
            pairs = zip(allocations, left_s or (None,) * len(allocations), strict=True)
            return [_allocation(one, each_s, at) for one, each_s in pairs]
        case Keyring(keys):
            return [{"id": one.id, "used": one.used, "members": list(one.members)} for one in keys]
        case PoolChanged(pool):
            return {"pool": None if pool is None else _pool_of(pool)}
        case NetworkChanged(name, exists):
            return {"name": name, "exists": exists}
        case Networks(networks):
            return [_network(one) for one in networks]
        case RollCallView():
            return _roll_call(answer)
        case Conflicts():
            return _conflicts(answer)
        case Resolution(detail):
            return {"detail": detail}
        case Check(problems):
            return [{"kind": one.kind, "detail": one.detail} for one in problems]
        case Departure():
            return _departure(answer)
        case _:
            assert_never(answer)


def problem(refusal: Refusal) -> dict[str, Any]:
    """The problem document (RFC 9457) of a refusal."""
    status, title = PROBLEMS[refusal.reason]
    return {"type": refusal.reason.value, "title": title, "status": status, "detail": refusal.detail}


def _incarnation(peer: Peer | None) -> str | None:
    return None if peer is None else f"{peer.incarnation:016x}"


def _allocation(one: Allocation, left_s: float | None = None, at: datetime | None = None) -> dict[str, Any]:
    """An allocation; if it is held now, and ends, with the seconds that are left of its time from then on."""
    ends_at = None if left_s is None or at is None else at.astimezone(UTC) + timedelta(seconds=left_s)
    return {
        "key": one.key,
        "network": one.network,
        "addresses": [_assigned(each) for each in one.addresses],
        "durable": one.durable,
        "labels": dict(one.labels),
        "ttl": one.ttl_s,
        "expires_in": None if left_s is None else round(left_s, 3),
        "expires_at": None if ends_at is None else f"{ends_at:%Y-%m-%dT%H:%M:%SZ}",
    }


def _assigned(one: Assigned) -> dict[str, Any]:
    return {
        "address": format_address(one.family, one.range.start),
        "range": format_range(one.family, one.range),
        "family": int(one.family),
        "prefix_length": one.prefix_length,
        "gateway": None if one.gateway is None else format_address(one.family, one.gateway),
        "pool": one.pool,
        **attributes_table(one.attributes),
    }


def _found(answer: Found, at: datetime) -> dict[str, Any]:
    held = answer.allocation
    return {
        "allocation": None if held is None else _allocation(held, answer.expires_in_s, at),
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
        "contested": answer.contested,
        "foreign": answer.foreign,
        "unadopted": answer.unadopted,
        "lent": answer.lent,
        "twice": answer.twice,
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


def _departure(answer: Departure) -> dict[str, Any]:
    return {
        "name": answer.peer.name,
        "incarnation": _incarnation(answer.peer),
        "state": answer.state,
        "why": answer.why,
        "obstacles": [_allocation(one) for one in answer.obstacles],
        "addresses": answer.addresses,
        "ranges": answer.ranges,
        "gifts": [
            {
                "heir": one.heir.name,
                "network": one.ring.network,
                "range": format_range(one.ring.family, one.range),
                "size": one.range.size,
                "leases": one.leases,
            }
            for one in answer.gifts
        ],
        "unacknowledged": dict(answer.unacknowledged),
        "unheard": list(answer.unheard),
    }


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
        "reserved": [format_range(one.family, each) for one in ranges for each in one.reserved],
        "disabled": pool.disabled,
        "kind": pool.kind or None,
        "definition": pool_table(pool),
    }


def _pool(use: PoolUse) -> dict[str, Any]:
    return {
        **_pool_of(use.pool),
        "size": use.size,
        "owned": use.owned,
        "used": use.used,
        "cooling": use.cooling,
        "withheld": use.withheld,
        "set_apart": use.reserved,
        "free": use.free,
        "parent": use.parent or None,
        "unreachable": use.unreachable,
    }


def _network(one: NetworkView) -> dict[str, Any]:
    return {
        "name": one.name,
        "pools": list(one.pools),
        "families": [int(ring.family) for ring in one.rings],
        "size": one.size,
        "owned": one.owned,
        "used": one.used,
    }


def _conflicts(answer: Conflicts) -> dict[str, Any]:
    return {
        "contested": [_contested(one) for one in answer.contested],
        "foreign": [
            {
                **_place(one.ring, one.range),
                "key": one.key,
                "owner": one.owner.name,
                "owner_incarnation": _incarnation(one.owner),
                "adopted": one.adopted,
            }
            for one in answer.foreign
        ],
        "lent": [{**_place(one.ring, one.range), **_holder(one.holder)} for one in answer.lent],
        "twice": [
            {**_place(one.ring, one.range), "holders": [_holder(one.one), _holder(one.other)]}
            for one in answer.twice
        ],
    }


def _contested(one: Contested) -> dict[str, Any]:
    return {
        **_place(one.ring, one.range),
        "owner": None if one.owner is None else one.owner.name,
        "owner_incarnation": _incarnation(one.owner),
        "stage": one.stage.name.lower(),
        "mine": _claim(one.ring, one.mine, one.here),
        "theirs": _claim(one.ring, one.theirs, one.there),
    }


def _claim(ring: RingId, run: Run | None, held: Sequence[tuple[Range, Holder]] | None) -> dict[str, Any]:
    """One side's statement, and what keys hold there by it; None for what is not known."""
    return {
        "owner": None if run is None else run.owner.name,
        "owner_incarnation": _incarnation(None if run is None else run.owner),
        "generation": None if run is None else run.token.generation,
        "epoch": None if run is None else run.token.epoch,
        "author": None if run is None else run.author.name,
        "author_incarnation": _incarnation(None if run is None else run.author),
        "allocations": None
        if held is None
        else [{"range": format_range(ring.family, what), **_holder(holder)} for what, holder in held],
    }


def _holder(one: Holder) -> dict[str, Any]:
    return {"key": one.key, "holder": one.peer.name, "holder_incarnation": _incarnation(one.peer)}


def _place(ring: RingId, what: Range) -> dict[str, Any]:
    return {
        "network": ring.network,
        "family": int(ring.family),
        "range": format_range(ring.family, what),
        "size": what.size,
    }
