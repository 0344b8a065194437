"""Pools as operators write them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range, format_range, parse_address, parse_range, subtract
from weaveipam.config.pools import parse_pool, parse_pools
from weaveipam.config.printing import pool_table
from weaveipam.config.ranges import pool_range
from weaveipam.protocol.values import Attributes, Pool, Route


def pool(ranges: list[Any], **more: Any) -> Pool:
    """The pool `p` of these ranges."""
    return parse_pool({"name": "p", "ranges": ranges, **more})


def excluded(found: Pool) -> list[str]:
    """What its ranges set aside, as text."""
    return [format_range(one.family, hole) for one in found.ranges for hole in one.excluded]


@pytest.mark.parametrize(
    ("text", "length", "aside"),
    [
        ("10.0.0.0/24", 24, ["10.0.0.0", "10.0.0.255"]),
        ("10.0.0.0/30", 30, ["10.0.0.0", "10.0.0.3"]),
        ("10.0.0.0/31", 31, []),
        ("10.0.0.5/32", 32, []),
        ("0.0.0.0/0", 0, ["0.0.0.0", "255.255.255.255"]),  # noqa: S104 - an address, not bound to
        ("10.0.0.0-10.0.0.255", 32, []),
        ("10.0.0.7", 32, []),
        ("fd00::/64", 64, ["fd00::"]),
        ("fd00::/126", 126, ["fd00::"]),
        ("fd00::/127", 127, []),
        ("fd00::1/128", 128, []),
        ("fd00::-fd00::ff", 128, []),
        ("fd00::7", 128, []),
        ("::/0", 0, ["::"]),
    ],
)
def test_only_a_cidr_sets_addresses_aside(text: str, length: int, aside: list[str]) -> None:
    """A CIDR reserves network and broadcast, or the anycast address; small ones and other ranges nothing."""
    found = pool_range(text)

    assert parse_range(text) == (found.family, found.range)
    assert length == found.prefix_length
    assert aside == [format_range(found.family, hole) for hole in found.excluded]
    assert found.gateway is None


def test_a_gateway_is_set_aside_in_its_own_subnet() -> None:
    """Each CIDR gets the gateway within it, and it is never allocated; without one there is none."""
    found = pool(["10.0.1.0/24", "10.0.0.0/24", "fd00::/64"], gateway=["10.0.0.1", "fd00::1"])

    gateways = [one.gateway for one in found.ranges]
    assert [parse_address("10.0.0.1")[1], None, parse_address("fd00::1")[1]] == gateways
    assert ["10.0.0.0/31", "10.0.0.255", "10.0.1.0", "10.0.1.255", "fd00::/127"] == excluded(found)


def test_a_range_that_is_no_cidr_takes_the_gateway_of_its_family() -> None:
    """A gateway outside of a first-last range is handed out with it; one within is set aside as well."""
    found = pool(["10.0.0.10-10.0.0.20", "fd00::1-fd00::9"], gateway=["10.0.0.1", "fd00::1"])

    gateways = [one.gateway for one in found.ranges]
    assert [parse_address("10.0.0.1")[1], parse_address("fd00::1")[1]] == gateways
    assert ["fd00::1"] == excluded(found)


def test_exclusions_are_cut_to_the_ranges() -> None:
    """What is excluded beyond a range does not matter, and neighbours are joined."""
    found = pool(["10.0.0.0/24", "10.0.2.0-10.0.2.9"], exclude=["10.0.0.250-10.0.2.1", "10.0.0.1"])

    assert ["10.0.0.0/31", "10.0.0.250-10.0.0.255", "10.0.2.0/31"] == excluded(found)


def test_ranges_are_sorted_by_family_and_start() -> None:
    """However they are written, ranges come in order."""
    found = pool(["fd00::/64", "10.1.0.0/24", "10.0.0.0/24"])

    texts = [format_range(one.family, one.range) for one in found.ranges]
    assert ["10.0.0.0/24", "10.1.0.0/24", "fd00::/64"] == texts


@pytest.mark.parametrize(
    ("table", "sentences"),
    [
        ({"name": "p", "ranges": ["10.0.0.7/24"]}, ["did you mean 10.0.0.0/24?"]),
        ({"name": "p", "ranges": ["10.0.0.0/33"]}, ["is not a CIDR"]),
        ({"name": "p", "ranges": ["10.0.0.9-10.0.0.1"]}, ["ends before it starts"]),
        ({"name": "p", "ranges": ["10.0.0.9-fd00::1"]}, ["ends in IPv6"]),
        ({"name": "p", "ranges": []}, ["ranges: expected at least one"]),
        ({"name": "p"}, ["ranges: expected a list"]),
        ({"name": "p", "ranges": [7]}, ["ranges: expected a list"]),
        ({"ranges": ["10.0.0.0/24"]}, ["name: expected 1 to 63"]),
        ({"name": "a/b", "ranges": ["10.0.0.0/24"], "network": 1}, ["name: ", "network: "]),
        ({"name": "p", "ranges": ["10.0.0.0/24"], "gatway": "10.0.0.1"}, ["did you mean gateway?"]),
        (
            {"name": "p", "ranges": ["10.0.0.0/24"], "gateway": "10.0.1.1"},
            ["gateway: 10.0.1.1 is on the link of none"],
        ),
        (
            {"name": "p", "ranges": ["10.0.0.0/24"], "gateway": "fd00::1"},
            ["gateway: fd00::1 is on the link of none"],
        ),
        (
            {"name": "p", "ranges": ["10.0.0.0/24"], "gateway": ["10.0.0.1", "10.0.0.2"]},
            ["gateway: 10.0.0.2 is the second for 10.0.0.0/24"],
        ),
        ({"name": "p", "ranges": ["10.0.0.0/24"], "exclude": ["10.0.1.0/24"]}, ["exclude: 10.0.1.0/24"]),
        (
            {"name": "p", "ranges": ["10.0.0.0/24", "10.0.0.128-10.0.1.5"]},
            ["10.0.0.0/24 and 10.0.0.128-10.0.1.5 overlap"],
        ),
        ({"name": "p", "ranges": ["10.0.0.0/30"], "exclude": ["10.0.0.0/30"]}, ["every address of the pool"]),
        (
            {"name": "p", "ranges": ["10.0.0.0-10.0.1.9"], "prefix_length": 24},
            ["10.0.0.0-10.0.1.9 is more than one link of /24"],
        ),
        ({"name": "p", "ranges": ["10.0.0.0/24"], "prefix_length": 64}, ["10.0.0.0/24 has no link of /64"]),
        (
            {"name": "p", "ranges": [{"range": "10.0.0.0/24", "gateway": "10.0.1.1", "vlan": 0, "mtu": 1}]},
            ["ranges[0].gateway: 10.0.1.1", "ranges[0].vlan: ", "ranges[0].there is no 'mtu'"],
        ),
        (
            {"name": "p", "ranges": [{"range": "10.0.0.0/24", "reserve": "10.0.1.1", "exclude": ["::1"]}]},
            ["ranges[0].reserve: 10.0.1.1 is not in", "ranges[0].exclude: ::1 is not in"],
        ),
        (
            {"name": "p", "ranges": ["10.0.0.0/24"], "dns": {"nameservers": "x", "srch": []}, "routes": 5},
            ["dns.there is no 'srch'", "dns.nameservers: 'x'", "routes: expected a list of tables"],
        ),
        (
            {
                "name": "p",
                "ranges": ["10.0.0.0/24"],
                "routes": [{"gw": "::1"}, {"dst": "::/0", "gw": "1.1.1.1"}],
            },
            ["routes[0].dst: expected one CIDR", "routes[1].gw: 1.1.1.1 is not IPv6"],
        ),
        (
            {"name": "p", "ranges": ["10.0.0.0/24"], "order": "random", "limit": 0, "cooldown": -1},
            ["order: expected spread or sequential", "limit: expected", "cooldown: expected"],
        ),
        (
            {"name": "p", "ranges": ["10.0.0.0/24"], "labels": {"-": "x"}, "pod_selector": "a in b"},
            ["labels: ", "pod_selector: "],
        ),
        (
            {"name": "p", "ranges": ["10.0.0.0/24"], "preallocate": {"a": "10.0.0.0", "b": ["10.0.0.2"] * 2}},
            ["preallocate.a: 10.0.0.0 is in none", "preallocate.b: expected a name", "is that of b already"],
        ),
        (
            {"name": "", "ranges": ["x", "10.0.0.1/8"], "gateway": "y", "exclude": "z"},
            ["name: ", "'x'", "10.0.0.0/8", "'y'", "'z'"],
        ),
    ],
    ids=lambda one: repr(one)[:70],
)
def test_everything_wrong_with_a_pool_is_said_at_once(table: dict[str, Any], sentences: list[str]) -> None:
    """Each fault of a pool is a line of its own that names it."""
    with pytest.raises(ValueError, match=re.escape(sentences[0])) as refused:
        parse_pool(table)

    lines = str(refused.value).splitlines()
    unnamed = [one for one in sentences if not any(one in line for line in lines)]
    assert [] == unnamed


def test_pools_of_one_network_must_not_overlap() -> None:
    """Two pools that share addresses of one network are named both; those of different networks may."""
    tables = [
        {"name": "a", "ranges": ["10.0.0.0/8"]},
        {"name": "b", "ranges": ["11.0.0.0/24"]},
        {"name": "c", "ranges": ["10.1.0.0-10.1.0.9", "fd00::/64"]},
        {"name": "d", "ranges": ["10.0.0.0/8"], "network": "blue"},
    ]
    problems: list[str] = []

    parse_pools("--pool", tables, problems)

    assert ["--pool: pools a (10.0.0.0/8) and c (10.1.0.0-10.1.0.9) overlap in network default"] == problems


def test_pool_names_are_unique() -> None:
    """Two pools of one name are a problem, even in two networks."""
    tables = [
        {"name": "a", "ranges": ["10.0.0.0/8"]},
        {"name": "a", "ranges": ["10.0.0.0/8"], "network": "b"},
    ]
    problems: list[str] = []

    parse_pools("config.toml: pool", tables, problems)

    assert ["config.toml: pool a: there are two pools of that name"] == problems


def test_what_a_pool_says_counts_for_ranges_that_say_nothing_else() -> None:
    """Gateway, prefix length, DNS, routes and VLAN of a range replace those of its pool, one by one."""
    found = pool(
        [
            "10.0.0.10-10.0.0.99",
            {"range": "10.0.1.10-10.0.1.99", "gateway": "10.0.1.254", "vlan": 7, "dns": {"search": ["b"]}},
        ],
        prefix_length=24,
        gateway="10.0.0.1",
        vlan=5,
        dns={"nameservers": ["10.0.0.53"], "domain": "a"},
        routes=[{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}],
    )

    one, other = found.ranges
    default = Route("0.0.0.0/0", "10.0.0.1")
    assert (24, parse_address("10.0.0.1")[1]) == (one.prefix_length, one.gateway)
    assert Attributes(("10.0.0.53",), "a", routes=(default,), vlan=5) == one.attributes
    assert (24, parse_address("10.0.1.254")[1]) == (other.prefix_length, other.gateway)
    assert Attributes(search=("b",), routes=(default,), vlan=7) == other.attributes


@pytest.mark.parametrize(
    ("entry", "aside"),
    [
        ({"range": "10.0.0.0/24", "set_aside": False}, []),
        ({"range": "10.0.0.0-10.0.0.99", "prefix_length": 24}, []),
        ({"range": "10.0.0.0-10.0.0.99", "prefix_length": 24, "set_aside": True}, ["10.0.0.0"]),
        ({"range": "10.0.0.128/25", "prefix_length": 24}, ["10.0.0.255"]),
        ({"range": "fd00::-fd00::9", "prefix_length": 64, "set_aside": True}, ["fd00::"]),
    ],
)
def test_what_is_set_aside_can_be_said(entry: dict[str, Any], aside: list[str]) -> None:
    """First and last address of the link, whether the range has one of them or not, as it is told."""
    assert aside == excluded(pool([entry]))


def test_a_limit_leaves_the_first_addresses_of_each_family() -> None:
    """So many of each family can be handed out, counted from the lowest, without those set aside."""
    found = pool(["10.0.0.0/29", "10.0.1.0-10.0.1.9", "fd00::/126"], limit=8)

    assert ["10.0.0.0", "10.0.0.7", "10.0.1.2-10.0.1.9", "fd00::"] == excluded(found)


def test_a_reservation_is_apart_from_what_is_never_handed_out() -> None:
    """Reserved addresses can be asked for; those that are excluded as well cannot."""
    found = pool(["10.0.0.0/24"], reserve=["10.0.0.0-10.0.0.9"], exclude=["10.0.0.5"])

    assert ["10.0.0.1-10.0.0.4", "10.0.0.6-10.0.0.9"] == [
        format_range(one.family, each) for one in found.ranges for each in one.reserved
    ]


@pytest.mark.parametrize(
    "table",
    [
        {"ranges": ["10.0.0.0/24", "fd00::/64"], "gateway": ["10.0.0.1", "fd00::1"]},
        {"ranges": ["10.0.0.0/24"], "exclude": ["10.0.0.0-10.0.0.9"], "reserve": ["10.0.0.20"], "limit": 9},
        {"ranges": ["10.0.0.0-10.0.0.255"], "prefix_length": 20, "gateway": "10.0.1.1"},
        {"ranges": ["10.0.0.0/31", "10.0.0.4/30"], "prefix_length": 24, "set_aside": True},
        {"ranges": [{"range": "10.0.0.0/24", "set_aside": False, "vlan": 3}], "network": "red"},
        {
            "ranges": ["10.0.0.0/24", {"range": "fd00::/64", "routes": [{"dst": "::/0"}]}],
            "dns": {"nameservers": ["10.0.0.53"], "domain": "a", "search": ["b"], "options": ["ndots:2"]},
            "labels": {"zone": "a", "example.org/x": ""},
            "disabled": True,
            "manual": True,
            "order": "sequential",
            "cooldown": 0,
            "limit": 50,
            "node_limit": 5,
            "node_selector": "zone in (b, a), !gpu",
            "namespace_selector": "team=x",
            "pod_selector": "app!=y",
            "preallocate": {"vm-1": ["10.0.0.7", "fd00::7"], "vm-2": "10.0.0.8"},
        },
    ],
    ids=lambda one: repr(one)[:70],
)
def test_a_pool_that_is_printed_is_the_same_pool(table: dict[str, Any]) -> None:
    """What is shown of a pool is read as that pool, also as JSON and with what it set aside by itself."""
    found = parse_pool({"name": "p", **table})

    assert found == parse_pool(json.loads(json.dumps(pool_table(found))))


CIDRS = st.builds(
    lambda family, length, seed: (
        family,
        length,
        seed % (1 << length) << (family.bits - length) if length else 0,
    ),
    st.sampled_from(Family),
    st.integers(0, 32),
    st.integers(0, 2**32 - 1),
)


@given(CIDRS)
def test_a_cidr_keeps_all_but_its_reserved_addresses(cidr: tuple[Family, int, int]) -> None:
    """What can be allocated of a CIDR is all of it but one or two addresses at its ends."""
    family, length, start = cidr
    whole = Range(start, start + (1 << (family.bits - length)))

    found = pool_range(format_range(family, whole) if whole.size > 1 else f"{format_range(family, whole)}/32")

    assert (family, whole, length) == (found.family, found.range, found.prefix_length)
    left = subtract((whole,), found.excluded)
    small = family is Family.V4 and length > 30
    cut = (0, 0) if small else (1, 1 if family is Family.V4 else 0)
    assert (Range(whole.start + cut[0], whole.stop - cut[1]),) == left


@pytest.mark.parametrize(
    ("kind", "aside"),
    [("aggregate", []), ("pool", []), ("loopback", []), ("network", ["10.0.0.0", "10.0.0.255"])],
)
def test_only_networks_set_their_edges_aside(kind: str, aside: list[str]) -> None:
    """The other kinds are no subnets, unless that is said; and a table of such a pool makes it again."""
    found = pool(["10.0.0.0/24"], kind=kind)

    assert (kind, aside) == (found.kind, excluded(found))
    assert ["10.0.0.0", "10.0.0.255"] == excluded(pool(["10.0.0.0/24"], kind=kind, set_aside=True))
    assert found == parse_pool(json.loads(json.dumps(pool_table(found))))


def test_a_kind_is_one_that_there_is() -> None:
    """The sentence names those."""
    with pytest.raises(ValueError, match="kind: expected aggregate, network, pool, loopback or nothing"):
        pool(["10.0.0.0/24"], kind="odd")


def test_nested_pools_are_checked_against_each_other() -> None:
    """What lies where it may not is told with where it could."""
    tables = [
        {"name": "top", "ranges": ["10.0.0.0/16"], "kind": "aggregate"},
        {"name": "net", "ranges": ["10.0.1.0/24"], "kind": "network"},
        {"name": "sub", "ranges": ["10.0.1.0/28"], "kind": "network"},
        {"name": "two", "ranges": ["10.1.0.0/24", "10.2.0.0/24"], "kind": "pool"},
    ]
    problems: list[str] = []
    parse_pools("pool", tables[:2], problems)
    assert [] == problems
    parse_pools("pool", tables[:3], problems)
    (sentence,) = problems
    assert "10.0.1.0/28 'sub': a network prefix needs an aggregate directly above it" in sentence
    problems.clear()
    parse_pools("pool", tables[3:], problems)
    assert ["pool: pool two: a pool of a kind is one CIDR, and not 2 ranges; make several pools"] == problems
