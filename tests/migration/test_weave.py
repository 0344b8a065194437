"""What Weave Net has given out, as each of its ways to tell says it."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import format_address
from weaveipam.migration.entries import Attachment, Findings, FormatError
from weaveipam.migration.weave import read_weave

POD = "0" * 60 + "beef"
FACTS = {"peers": "2", "range": "10.32.0.0/12", "pool_option": "--pool pods=10.32.0.0/12"}


def told(found: Findings) -> list[tuple[str, Attachment | str]]:
    """Who has which address."""
    return [(format_address(*one.address), one.holder) for one in found.entries]


def test_the_store_tells_who_has_what(netdata: bytes) -> None:
    """Containers are attachments; the bridge, and what was found in use, have keys of their own."""
    found = read_weave(netdata, "db")

    assert sorted(told(found), key=str) == sorted(
        [
            ("10.32.0.1", "imported/weave:expose"),
            ("10.32.0.9", "imported/10.32.0.9"),
            ("10.32.0.10", Attachment(POD)),
            ("192.168.7.5", Attachment(POD)),
            *((f"10.32.0.{16 + n}", Attachment("0" * 56 + f"c0ffee0{n}")) for n in range(3)),
        ],
        key=str,
    )
    assert {"peer": "7e:3a:01:02:03:04", **FACTS} == found.facts
    assert f"db: '{POD}'" in {one.where for one in found.entries}


def test_its_daemon_tells_the_same() -> None:
    """The answer of GET /ip names whole ids, as the store does."""
    owned = [{"containerid": POD, "addrs": ["10.32.0.10/12"]}, {"containerid": "weave:expose", "addrs": None}]
    found = read_weave(json.dumps({"owned": owned}).encode(), "ip")

    assert [("10.32.0.10", Attachment(POD))] == told(found)
    assert [] == told(read_weave(b'{"owned":null}\n', "ip"))


def test_a_report_tells_the_range() -> None:
    """`weave report` names no addresses in use, but what to configure."""
    entries = [{"Token": "10.32.0.0", "Peer": "a"}, {"Token": "10.40.0.0", "Peer": "b"}]
    report = {"Ready": True, "IPAM": {"Range": "10.32.0.0/12", "Entries": entries}}
    found = read_weave(json.dumps(report).encode(), "report")

    assert ([], FACTS) == (told(found), found.facts)


def test_its_list_of_containers_has_no_whole_ids() -> None:
    """The addresses of `weave ps` have keys of their own, as no container is known by a cut id."""
    lines = b"""weave:expose 7a:c4:8b:a1:e6:ad 10.2.5.2/24
b07565b06c53 ae:e3:07:9c:8c:d4
caa1d4ee2570 ba:8c:b9:dc:e1:c9 10.2.1.1/24 bogus
"""
    found = read_weave(lines, "ps")

    assert [("10.2.5.2", "imported/weave:expose"), ("10.2.1.1", "imported/caa1d4ee2570")] == told(found)
    assert [("ps:3", "'bogus' is no address")] == [(one.where, one.detail) for one in found.faults]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"7e:3a:01:02:03:04(n1)   524288 IPs (50.0% of total) (3 active)\n", "does not say which; take"),
        (b"able ce:15:34:a9:b5:6d 10.2.5.1/24\nsomething else\n", "line 2: expected one of `weave ps`"),
        (b"{", "Expecting property name"),
        (b"{}", "a field owned, or IPAM"),
        (b'{"owned": 7}', "a int where a list was expected"),
        (b'{"owned": [{"addrs": []}]}', "a NoneType where a text was expected"),
        (b'{"IPAM": {"Range": "all"}}', "'all' is not an IPv4 or IPv6 address"),
        (b'{"a":' * 100_000, "recursion"),
        (b"\0" * 4096, "no BoltDB file"),
    ],
)
def test_what_weave_net_does_not_say_is_refused(content: bytes, why: str) -> None:
    """The error names the file, and what was expected."""
    with pytest.raises(FormatError, match=f"^file: .*{why}"):
        read_weave(content, "file")


def test_a_store_of_another_program_is_refused(buckets: bytes) -> None:
    """A BoltDB file without what Weave Net keeps in it is none of its stores."""
    with pytest.raises(FormatError, match="file: there is no bucket 'top'"):
        read_weave(buckets, "file")


@given(st.lists(st.tuples(st.integers(0, 1 << 15), st.integers(1, 255)), min_size=1, max_size=4))
def test_a_spoiled_store_is_read_or_refused(netdata: bytes, flips: list[tuple[int, int]]) -> None:
    """Whatever bytes are changed, the only error is the one that says so; addresses stay addresses."""
    spoiled = bytearray(netdata)
    for at, mask in flips:
        spoiled[at % len(spoiled)] ^= mask

    with suppress(FormatError):
        told(read_weave(bytes(spoiled), "file"))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """Nothing but the one error is raised."""
    with suppress(FormatError):
        told(read_weave(content, "file"))
