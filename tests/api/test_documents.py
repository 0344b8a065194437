"""Answers against their documents."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ring.address import Family, Range
from ring.ring import Peer, Run, Token
from weaveipam.api.documents import PROBLEMS, answer_document
from weaveipam.protocol.findings import (
    Check,
    Conflicts,
    Contested,
    Foreign,
    Holder,
    LentOut,
    Problem,
    Resolution,
    UsedTwice,
)
from weaveipam.protocol.progress import Departure, Gift, RollCallView
from weaveipam.protocol.requests import (
    Allocated,
    Allocations,
    Answer,
    Found,
    Keyring,
    KeyView,
    Members,
    MemberView,
    NetworkChanged,
    Networks,
    NetworkView,
    Pools,
    PoolUse,
    Reason,
    Refusal,
    Released,
    RingView,
    Status,
)
from weaveipam.protocol.values import (
    Allocation,
    Assigned,
    ContestStage,
    Endpoint,
    MemberState,
    Pool,
    PoolRange,
    RingId,
)

PEER = Peer("n1", 0xAB)
POOL = Pool(
    "p",
    "default",
    (
        PoolRange(Family.V4, Range(0x0A000000, 0x0A000100), 24, 0x0A000001, (Range(0x0A000000, 0x0A000002),)),
        PoolRange(Family.V6, Range(1 << 120, (1 << 120) + 3), 128),
    ),
)
USE = PoolUse(POOL, size=257, owned=100, used=7, cooling=3, unreachable=11, withheld=4, reserved=2)
ALLOCATION = Allocation(
    "k",
    "default",
    (
        Assigned("p", Family.V4, Range(0x0A000005, 0x0A000006), 24, 0x0A000001),
        Assigned("p", Family.V6, Range(1 << 120, (1 << 120) + 2), 128, None),
    ),
    durable=True,
    labels=(("a", "b"),),
)
ALLOCATION_DOCUMENT = {
    "key": "k",
    "network": "default",
    "addresses": [
        {
            "address": "10.0.0.5",
            "range": "10.0.0.5",
            "family": 4,
            "prefix_length": 24,
            "gateway": "10.0.0.1",
            "pool": "p",
        },
        {
            "address": "100::",
            "range": "100::/127",
            "family": 6,
            "prefix_length": 128,
            "gateway": None,
            "pool": "p",
        },
    ],
    "durable": True,
    "labels": {"a": "b"},
    "ttl": None,
    "expires_in": None,
    "expires_at": None,
}
DEFINITION = {
    "name": "p",
    "ranges": [
        {"range": "10.0.0.0/24", "gateway": "10.0.0.1", "set_aside": False, "exclude": ["10.0.0.0"]},
        "100::-100::2",
    ],
}
POOL_DOCUMENT = {
    "name": "p",
    "network": "default",
    "ranges": ["10.0.0.0/24", "100::-100::2"],
    "excluded": ["10.0.0.0/31"],
    "gateways": ["10.0.0.1"],
    "reserved": [],
    "disabled": False,
    "definition": DEFINITION,
    "size": 257,
    "owned": 100,
    "used": 7,
    "cooling": 3,
    "withheld": 4,
    "set_apart": 2,
    "free": 84,
    "unreachable": 11,
    "kind": None,
    "parent": None,
}
STATUS = Status(
    peer=PEER,
    ready=True,
    state="ready",
    why_not_ready="",
    cluster_id="00ff",
    members_alive=1,
    members_total=2,
    pools=(USE,),
    pending=4,
    outgoing=5,
    conflicts=("a sentence",),
    version="0.1.0",
    sealed=True,
    contested=6,
    foreign=7,
    unadopted=8,
    lent=9,
    twice=10,
)
RING = RingId("default", Family.V4)
NINE = Range(9, 10)
MINE, THEIRS = Run(9, 10, Token(1, 2), PEER, PEER), Run(9, 10, Token(1, 2), Peer("n2", 1), PEER)
HOLDER = Holder("k", PEER)
HOLDER_DOCUMENT = {"key": "k", "holder": "n1", "holder_incarnation": "00000000000000ab"}
PLACE = {"network": "default", "family": 4, "range": "0.0.0.9", "size": 1}
CLAIM = {
    "owner_incarnation": "00000000000000ab",
    "generation": 1,
    "epoch": 2,
    "author": "n1",
    "author_incarnation": "00000000000000ab",
}
ANSWERS: list[tuple[Answer, object]] = [
    (
        Refusal(Reason.EXHAUSTED, "none left"),
        {"type": "exhausted", "title": "No free address", "status": 409, "detail": "none left"},
    ),
    (Allocated(ALLOCATION), ALLOCATION_DOCUMENT),
    (Released((ALLOCATION,)), {"released": [ALLOCATION_DOCUMENT]}),
    (
        Departure(
            PEER,
            "leaving",
            "waits",
            (ALLOCATION,),
            256,
            2,
            (Gift(Peer("n2", 1), RingId("default", Family.V4), Range(0x0A000000, 0x0A000100), 3),),
            (("n2", 2),),
            ("n3",),
        ),
        {
            "name": "n1",
            "incarnation": "00000000000000ab",
            "state": "leaving",
            "why": "waits",
            "obstacles": [ALLOCATION_DOCUMENT],
            "addresses": 256,
            "ranges": 2,
            "gifts": [{"heir": "n2", "network": "default", "range": "10.0.0.0/24", "size": 256, "leases": 3}],
            "unacknowledged": {"n2": 2},
            "unheard": ["n3"],
        },
    ),
    (Released(()), {"released": []}),
    (Allocations((ALLOCATION,)), [ALLOCATION_DOCUMENT]),
    (
        Found(ALLOCATION, PEER, "p"),
        {
            "allocation": ALLOCATION_DOCUMENT,
            "owner": "n1",
            "owner_incarnation": "00000000000000ab",
            "pool": "p",
        },
    ),
    (
        Found(None, None, "p"),
        {"allocation": None, "owner": None, "owner_incarnation": None, "pool": "p"},
    ),
    (Pools((USE,)), [POOL_DOCUMENT]),
    (
        STATUS,
        {
            "name": "n1",
            "incarnation": "00000000000000ab",
            "ready": True,
            "state": "ready",
            "why_not_ready": "",
            "cluster_id": "00ff",
            "members_alive": 1,
            "members_total": 2,
            "pools": [POOL_DOCUMENT],
            "pending": 4,
            "outgoing": 5,
            "conflicts": ["a sentence"],
            "contested": 6,
            "foreign": 7,
            "unadopted": 8,
            "lent": 9,
            "twice": 10,
            "version": "0.1.0",
            "sealed": True,
        },
    ),
    (NetworkChanged("red", exists=True), {"name": "red", "exists": True}),
    (
        Networks((NetworkView("red", ("p", "q"), (RingId("red", Family.V6),), 256, 128, 3),)),
        [
            {
                "name": "red",
                "pools": ["p", "q"],
                "families": [6],
                "size": 256,
                "owned": 128,
                "used": 3,
            }
        ],
    ),
    (
        RollCallView(
            number=3,
            busy=True,
            fenced=(PEER,),
            awaited=("n2",),
            agreed=False,
            detail="a sentence",
            electors=(Peer("n2", 1),),
            removed=(Peer("n1", 1),),
        ),
        {
            "decisions": 3,
            "busy": True,
            "fenced": [{"name": "n1", "incarnation": "00000000000000ab"}],
            "awaited": ["n2"],
            "agreed": False,
            "detail": "a sentence",
            "electors": [{"name": "n2", "incarnation": "0000000000000001"}],
            "removed": [{"name": "n1", "incarnation": "0000000000000001"}],
        },
    ),
    (
        Conflicts(
            (Contested(RING, NINE, MINE, THEIRS, ContestStage.OPEN, PEER, ((NINE, HOLDER),), None),),
            (Foreign(RING, NINE, "k", PEER, adopted=True),),
            (LentOut(RING, NINE, HOLDER),),
            (UsedTwice(RING, NINE, HOLDER, HOLDER),),
        ),
        {
            "contested": [
                {
                    **PLACE,
                    "owner": "n1",
                    "owner_incarnation": "00000000000000ab",
                    "stage": "open",
                    "mine": {
                        **CLAIM,
                        "owner": "n1",
                        "allocations": [{"range": "0.0.0.9", **HOLDER_DOCUMENT}],
                    },
                    "theirs": {
                        **CLAIM,
                        "owner": "n2",
                        "owner_incarnation": "0000000000000001",
                        "allocations": None,
                    },
                }
            ],
            "foreign": [
                {
                    **PLACE,
                    "key": "k",
                    "owner": "n1",
                    "owner_incarnation": "00000000000000ab",
                    "adopted": True,
                }
            ],
            "lent": [{**PLACE, **HOLDER_DOCUMENT}],
            "twice": [{**PLACE, "holders": [HOLDER_DOCUMENT, HOLDER_DOCUMENT]}],
        },
    ),
    (Resolution("a sentence"), {"detail": "a sentence"}),
    (Check((Problem("contested", "a sentence"),)), [{"kind": "contested", "detail": "a sentence"}]),
    (
        Keyring((KeyView("00ab12", True, ()), KeyView("plain", False, ("n2", "n3")))),
        [
            {"id": "00ab12", "used": True, "members": []},
            {"id": "plain", "used": False, "members": ["n2", "n3"]},
        ],
    ),
    (
        Members((MemberView(PEER, Endpoint("::1", 6783), MemberState.SUSPECT, 1.23456, 9, is_self=False),)),
        [
            {
                "name": "n1",
                "incarnation": "00000000000000ab",
                "endpoint": "[::1]:6783",
                "state": "suspect",
                "seconds_in_state": 1.235,
                "owned": 9,
                "self": False,
            }
        ],
    ),
    (
        RingView(
            RingId("default", Family.V4), (Run(0x0A000000, 0x0A000080, Token(1, 2), PEER, Peer("n2", 1)),)
        ),
        [
            {
                "network": "default",
                "family": 4,
                "range": "10.0.0.0/25",
                "size": 128,
                "owner": "n1",
                "owner_incarnation": "00000000000000ab",
                "generation": 1,
                "epoch": 2,
                "author": "n2",
                "author_incarnation": "0000000000000001",
            }
        ],
    ),
]


@pytest.mark.parametrize(("answer", "document"), ANSWERS, ids=lambda one: type(one).__name__)
def test_every_answer_has_its_document(answer: Answer, document: object) -> None:
    """Each class of answer becomes exactly the documented JSON."""
    assert document == answer_document(answer)
    assert document == json.loads(json.dumps(answer_document(answer)))


def test_what_ends_says_when() -> None:
    """What is left of an allocation's time is told in seconds and as a time of day, wherever it is shown."""
    held = replace(ALLOCATION, ttl_s=3600)
    told = {
        **ALLOCATION_DOCUMENT,
        "ttl": 3600,
        "expires_in": 90.25,
        "expires_at": "2026-03-01T12:01:30Z",
    }
    at = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    listed = answer_document(Allocations((held, ALLOCATION), (90.25, None)), at)
    found = answer_document(Found(held, PEER, "p", 90.25), at)

    assert answer_document(Allocated(held, 90.25), at) == told
    assert listed == [told, ALLOCATION_DOCUMENT]
    assert isinstance(found, dict)
    assert found["allocation"] == told


def test_every_reason_has_a_status() -> None:
    """No reason for a refusal is without an HTTP status and a title."""
    assert set(Reason) == set(PROBLEMS)
