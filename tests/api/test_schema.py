"""JSON documents against requests and answers."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range, parse_address
from ring.ring import Peer, Run, Token
from weaveipam.api import schema
from weaveipam.api.schema import InvalidError
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    Allocations,
    Answer,
    Found,
    Lookup,
    Members,
    MemberView,
    Pools,
    PoolUse,
    Reason,
    Refusal,
    Release,
    Released,
    RingView,
    Status,
    Want,
)
from weaveipam.protocol.values import Allocation, Assigned, Endpoint, MemberState, Pool, PoolRange, RingId

PEER = Peer("n1", 0xAB)
POOL = Pool(
    "p",
    "default",
    (
        PoolRange(Family.V4, Range(0x0A000000, 0x0A000100), 24, 0x0A000001, (Range(0x0A000000, 0x0A000002),)),
        PoolRange(Family.V6, Range(1 << 120, (1 << 120) + 3), 128),
    ),
)
USE = PoolUse(POOL, size=257, owned=100, used=7, cooling=3, unreachable=11)
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
}
POOL_DOCUMENT = {
    "name": "p",
    "network": "default",
    "ranges": ["10.0.0.0/24", "100::-100::2"],
    "excluded": ["10.0.0.0/31"],
    "gateways": ["10.0.0.1"],
    "size": 257,
    "owned": 100,
    "used": 7,
    "cooling": 3,
    "free": 90,
    "unreachable": 11,
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
)
ANSWERS: list[tuple[Answer, object]] = [
    (
        Refusal(Reason.EXHAUSTED, "none left"),
        {"type": "exhausted", "title": "No free address", "status": 409, "detail": "none left"},
    ),
    (Allocated(ALLOCATION), ALLOCATION_DOCUMENT),
    (Released((ALLOCATION,)), {"released": [ALLOCATION_DOCUMENT]}),
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
            "version": "0.1.0",
        },
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
    assert document == schema.answer_document(answer)
    assert document == json.loads(json.dumps(schema.answer_document(answer)))


def test_every_reason_has_a_status() -> None:
    """No reason for a refusal is without an HTTP status and a title."""
    assert set(Reason) == set(schema.PROBLEMS)


V4 = parse_address("10.0.0.16")[1]
REQUESTS: list[tuple[dict[str, object], Allocate]] = [
    ({"key": "k"}, Allocate("k", wants=(Want(),))),
    (
        {"key": "k", "network": None, "pool": None, "family": None, "address": None, "prefix_length": None},
        Allocate("k", wants=(Want(),)),
    ),
    (
        {
            "key": "k",
            "network": "blue",
            "pool": "p",
            "family": 6,
            "durable": True,
            "labels": {"b": "", "a": "x"},
        },
        Allocate(
            "k",
            network="blue",
            wants=(Want(Family.V6, ("p",)),),
            durable=True,
            labels=(("a", "x"), ("b", "")),
        ),
    ),
    (
        {"key": "k", "family": "dual", "pool": "p"},
        Allocate("k", wants=(Want(Family.V4, ("p",)), Want(Family.V6, ("p",)))),
    ),
    ({"key": "k", "prefix_length": 28}, Allocate("k", wants=(Want(prefix_length=28),))),
    (
        {"key": "k", "address": "10.0.0.16"},
        Allocate("k", wants=(Want(Family.V4, within=(Range(V4, V4 + 1),)),)),
    ),
    (
        {"key": "k", "address": "10.0.0.16", "prefix_length": 28, "family": 4},
        Allocate("k", wants=(Want(Family.V4, within=(Range(V4, V4 + 16),), prefix_length=28),)),
    ),
]


@pytest.mark.parametrize(
    ("document", "request_"), REQUESTS, ids=lambda one: json.dumps(one, default=str)[:60]
)
def test_an_allocation_is_read_as_documented(document: dict[str, object], request_: Allocate) -> None:
    """Every field of a body reaches the request, and null is the same as leaving it out."""
    assert request_ == schema.allocate_request(document)


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ([], "object"),
        (None, "object"),
        ({}, "key: missing"),
        ({"key": ""}, "key: "),
        ({"key": 7}, "key: "),
        ({"key": "k" * 513}, "key: "),
        ({"key": "a\nb"}, "key: "),
        ({"key": "\ud800"}, "key: "),
        ({"key": "k", "poool": "p"}, '"poool": unknown'),
        ({"key": "k", "pool": ["p"]}, "pool: "),
        ({"key": "k", "network": 1}, "network: "),
        ({"key": "k", "family": 5}, "family: "),
        ({"key": "k", "family": "4"}, "family: "),
        ({"key": "k", "family": True}, "family: "),
        ({"key": "k", "family": 4.0}, "family: "),
        ({"key": "k", "family": [4]}, "family: "),
        ({"key": "k", "family": 6, "address": "10.0.0.1"}, "family: "),
        ({"key": "k", "family": "dual", "address": "10.0.0.1"}, "dual"),
        ({"key": "k", "family": "dual", "prefix_length": 28}, "dual"),
        ({"key": "k", "address": "10.0.0"}, "address: "),
        ({"key": "k", "address": 7}, "address: "),
        ({"key": "k", "address": "10.0.0.17", "prefix_length": 28}, "starts at 10.0.0.16"),
        ({"key": "k", "address": "10.0.0.17", "prefix_length": 33}, "prefix_length: "),
        ({"key": "k", "prefix_length": 129}, "prefix_length: "),
        ({"key": "k", "prefix_length": -1}, "prefix_length: "),
        ({"key": "k", "prefix_length": True}, "prefix_length: "),
        ({"key": "k", "prefix_length": 28.0}, "prefix_length: "),
        ({"key": "k", "durable": 1}, "durable: "),
        ({"key": "k", "labels": ["a"]}, "labels: "),
        ({"key": "k", "labels": {"a": 1}}, "labels.a: "),
        ({"key": "k", "labels": {"": "x"}}, "labels: "),
        ({"key": "k", "labels": {str(one): "" for one in range(65)}}, "labels: "),
    ],
    ids=lambda one: repr(one)[:60],
)
def test_a_wrong_allocation_is_refused_by_field(document: object, named: str) -> None:
    """What is unknown, missing, of a wrong type or contradictory is refused, and the field is named."""
    with pytest.raises(InvalidError) as refused:
        schema.allocate_request(document)

    assert named in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff{}",
        b'{"key": NaN}',
        b'{"key": Infinity}',
        b'{"key": "a", "key": "b"}',
        b"[" * 100_000,
        b'{"key":' * 100_000,
        b"9" * 10_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """Bytes that are no JSON, or no sane JSON, are refused."""
    with pytest.raises(InvalidError):
        schema.parse_json(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No body makes anything but a request or a refusal."""
    with contextlib.suppress(InvalidError):
        assert isinstance(schema.allocate_request(schema.parse_json(body)), Allocate)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("key", "network", "pool", "family", "address", "prefix_length", "durable", "labels", "other")


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5), st.text(max_size=5))
def test_any_document_is_read_or_refused(document: dict[str, object], key: str) -> None:
    """No values in known fields make anything but a request or a refusal."""
    with contextlib.suppress(InvalidError):
        assert isinstance(schema.allocate_request({"key": key, **document}), Allocate)


def test_a_lookup_is_for_an_address_if_it_reads_as_one() -> None:
    """A subject that is an address is looked up as one, and anything else as a key."""
    assert Lookup(address=parse_address("10.0.0.1")) == schema.lookup_request("10.0.0.1", None)
    assert Lookup(address=parse_address("fd00::1"), network="b") == schema.lookup_request("fd00::1", "b")
    assert Lookup(key="cni/net/1/eth0") == schema.lookup_request("cni/net/1/eth0", None)


def test_a_release_names_one_thing() -> None:
    """A release names a key or an address, and never both or neither."""
    assert Release(key="k") == schema.release_request("k", None, None)
    assert Release(address=parse_address("::1"), network="b") == schema.release_request(None, "::1", "b")
    for key, address in (("k", "::1"), (None, None)):
        with pytest.raises(InvalidError):
            schema.release_request(key, address, None)
