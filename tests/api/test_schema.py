"""What clients send against requests."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range, parse_address
from weaveipam.api import schema
from weaveipam.api.schema import InvalidError
from weaveipam.protocol.requests import (
    Allocate,
    Lookup,
    Release,
    RemovePeers,
    Want,
)

V4 = parse_address("10.0.0.16")[1]
V6 = parse_address("fd00::1")[1]
REQUESTS: list[tuple[dict[str, object], Allocate]] = [
    ({"key": "k"}, Allocate("k", wants=(Want(),))),
    (
        dict.fromkeys(
            ("network", "pool", "family", "address", "addresses", "prefix_length", "durable", "labels")
        )
        | {"key": "k"},
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
    ({"key": "k", "kind": "loopback"}, Allocate("k", wants=(Want(kind="loopback"),))),
    ({"key": "k", "ttl": 3600}, Allocate("k", wants=(Want(),), ttl_s=3600)),
    ({"key": "k", "ttl": None}, Allocate("k", wants=(Want(),))),
    (
        {"key": "k", "address": "10.0.0.16"},
        Allocate("k", wants=(Want(Family.V4, within=(Range(V4, V4 + 1),)),)),
    ),
    (
        {"key": "k", "addresses": ["fd00::1", "10.0.0.16"], "pool": "p"},
        Allocate(
            "k",
            wants=(
                Want(Family.V6, ("p",), (Range(V6, V6 + 1),)),
                Want(Family.V4, ("p",), (Range(V4, V4 + 1),)),
            ),
        ),
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
        ({"key": "ü" * 257}, "key: expected at most 512 bytes"),
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
        ({"key": "k", "addresses": "10.0.0.1"}, "addresses: "),
        ({"key": "k", "addresses": []}, "addresses: "),
        ({"key": "k", "addresses": ["10.0.0"]}, "addresses: "),
        ({"key": "k", "addresses": [7]}, "addresses: "),
        ({"key": "k", "addresses": ["10.0.0.1", "10.0.0.1"]}, "twice"),
        ({"key": "k", "addresses": [f"10.0.0.{n}" for n in range(17)]}, "1 to 16"),
        ({"key": "k", "addresses": ["10.0.0.1"], "address": "10.0.0.1"}, "neither"),
        ({"key": "k", "addresses": ["10.0.0.1"], "family": 4}, "neither"),
        ({"key": "k", "addresses": ["10.0.0.1"], "prefix_length": 32}, "neither"),
        ({"key": "k", "address": 7}, "address: "),
        ({"key": "k", "address": "10.0.0.17", "prefix_length": 28}, "starts at 10.0.0.16"),
        ({"key": "k", "address": "10.0.0.17", "prefix_length": 33}, "prefix_length: "),
        ({"key": "k", "prefix_length": 129}, "prefix_length: "),
        ({"key": "k", "prefix_length": -1}, "prefix_length: "),
        ({"key": "k", "prefix_length": True}, "prefix_length: "),
        ({"key": "k", "prefix_length": 28.0}, "prefix_length: "),
        ({"key": "k", "durable": 1}, "durable: "),
        ({"key": "k", "ttl": 0}, "ttl: "),
        ({"key": "k", "ttl": 1.5}, "ttl: "),
        ({"key": "k", "ttl": True}, "ttl: "),
        ({"key": "k", "ttl": "1h"}, "ttl: "),
        ({"key": "k", "ttl": 1 << 40}, "ttl: "),
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
FIELDS = (
    "key",
    "network",
    "pool",
    "family",
    "address",
    "addresses",
    "prefix_length",
    "durable",
    "labels",
    "ttl",
    "other",
)


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


@pytest.mark.parametrize(
    ("document", "request_"),
    [
        ({}, RemovePeers(("n7",))),
        ({"also": ["n8", "n2", "n7"], "force": True}, RemovePeers(("n2", "n7", "n8"), forced=True)),
        ({"survivors": ["b", "a"]}, RemovePeers(("n7",), survivors=("a", "b"))),
        ({"survivors": []}, RemovePeers(("n7",), survivors=())),
        ({"survivors": None}, RemovePeers(("n7",))),
    ],
    ids=repr,
)
def test_a_removal_is_read_as_documented(document: object, request_: RemovePeers) -> None:
    """The name in the path and those in the body are removed together; nobody survives by being left out."""
    assert request_ == schema.remove_request("n7", document)


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ([], "object"),
        ({"names": ["n8"]}, '"names": unknown'),
        ({"also": "n8"}, "also: "),
        ({"also": [8]}, "also: "),
        ({"also": [""]}, "also: "),
        ({"force": 1}, "force: "),
        ({"survivors": "a,b"}, "survivors: "),
    ],
    ids=repr,
)
def test_a_wrong_removal_is_refused_by_field(document: object, named: str) -> None:
    """What cannot be meant is refused, and the field is named."""
    with pytest.raises(InvalidError) as refused:
        schema.remove_request("n7", document)

    assert named in str(refused.value)


def test_a_release_names_one_thing() -> None:
    """A release names a key or an address, and never both or neither."""
    assert Release(key="k") == schema.release_request("k", None, None)
    assert Release(address=parse_address("::1"), network="b") == schema.release_request(None, "::1", "b")
    for key, address in (("k", "::1"), (None, None)):
        with pytest.raises(InvalidError):
            schema.release_request(key, address, None)


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ([], "the body"),
        ({"range": "10.0.0.8"}, "owner"),
        ({"owner": "n1"}, "range"),
        ({"range": "10.0.0.9/29", "owner": "n1"}, "range"),
        ({"range": "10.0.0.8", "owner": ""}, "owner"),
        ({"range": "10.0.0.8", "owner": "n1", "network": 5}, "network"),
        ({"range": "10.0.0.8", "owner": "n1", "force": True}, "force"),
    ],
)
def test_a_wrong_decision_is_refused_by_field(document: object, named: str) -> None:
    """What cannot be meant names the field."""
    with pytest.raises(InvalidError, match=named):
        schema.resolve_request(document)
