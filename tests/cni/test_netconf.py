"""The network configuration: what is asked for, by whom, and that nothing unreadable gets further."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.codes import CniError, Code
from cni.environ import Arguments, Verb
from cni.fields import interface_of
from cni.netconf import (
    Dns,
    Ipam,
    Network,
    Route,
    read_ipam,
    read_network,
    read_previous,
    read_valid,
    told_version,
)
from ring.address import Family, Range, parse_address
from weaveipam.protocol.requests import Want

Conf = Callable[..., bytes]
RANGES = [[{"subnet": "10.0.0.0/29"}], [{"subnet": "fd00::/126"}]]


def exactly(text: str, pools: tuple[str, ...] = ()) -> Want:
    """A want of one particular address."""
    family, address = parse_address(text)
    return Want(family, pools, (Range(address, address + 1),))


def asked(conf: Conf, ipam: dict[str, Any], old_ip: str = "", **more: Any) -> Ipam:
    """What a configuration and `IP=` ask for."""
    network = read_network(Verb.ADD, conf(ipam={"type": "weaveipam", **ipam}, **more))
    return read_ipam(network, Arguments((old_ip,) if old_ip else ()))


@pytest.mark.parametrize(
    ("ipam", "expected"),
    [
        ({}, ()),
        ({"pools": []}, ()),
        ({"pools": ["a", "b"]}, (Want(None, ("a", "b")),)),
        ({"family": 4}, (Want(Family.V4),)),
        ({"family": "6", "pools": ["a"]}, (Want(Family.V6, ("a",)),)),
        ({"family": "dual"}, (Want(Family.V4), Want(Family.V6))),
    ],
)
def test_wants_of_pools(conf: Conf, ipam: dict[str, Any], expected: tuple[Want, ...]) -> None:
    """Pools and family become wants; with neither the daemon gives one of each family it has."""
    assert expected == asked(conf, ipam).wants()


def test_wants_of_ranges(conf: Conf) -> None:
    """Each range set is one want, within its addresses without the gateway, from the pools named."""
    v4 = Range(0x0A000002, 0x0A000007)
    v6 = Range((0xFD00 << 112) + 2, (0xFD00 << 112) + 4)

    expected = (Want(Family.V4, ("a",), (v4,)), Want(Family.V6, ("a",), (v6,)))
    assert expected == asked(conf, {"ranges": RANGES, "pools": ["a"]}).wants()


def test_addresses_asked_for_are_a_union(conf: Conf) -> None:
    """The capability, `args` and CNI_ARGS are taken together; what two of them say counts once."""
    found = asked(
        conf,
        {"pools": ["a"]},
        "10.0.0.1",
        runtimeConfig={"ips": ["10.0.0.2/24", "fd00::1"]},
        args={"cni": {"ips": ["10.0.0.2"]}},
    )

    wanted = ("10.0.0.2", "10.0.0.1", "fd00::1")
    assert tuple(exactly(one, ("a",)) for one in wanted) == found.wants()


def test_an_address_asked_for_fills_its_range_set(conf: Conf) -> None:
    """With ranges, an address asked for is the one of its set, and other sets give any."""
    wants = asked(conf, {"ranges": RANGES}, "10.0.0.5").wants()

    assert (exactly("10.0.0.5"), Family.V6) == (wants[0], wants[1].family)


@pytest.mark.parametrize(
    "ips", [["10.0.0.1"], ["10.0.0.0"], ["10.0.0.7"], ["10.9.9.9"], ["10.0.0.2", "10.0.0.3"]]
)
def test_addresses_outside_of_ranges_are_refused(conf: Conf, ips: list[str]) -> None:
    """The gateway, an address of no range, and a second one of one set are error 7, as with host-local."""
    with pytest.raises(CniError, match="no range gives") as caught:
        asked(conf, {"ranges": RANGES}, runtimeConfig={"ips": ips}).wants()

    assert caught.value.code is Code.BAD_CONFIG


def test_a_family_bounds_what_is_asked_for(conf: Conf) -> None:
    """With a family named, an address of the other one is refused, and what is not named is any."""
    with pytest.raises(CniError, match="fd00::1"):
        asked(conf, {"family": "4"}, "fd00::1").wants()
    assert (Want(Family.V4), exactly("fd00::1")) == asked(conf, {"family": "dual"}, "fd00::1").wants()


@pytest.mark.parametrize(
    ("ipam", "where"),
    [
        (None, "ipam"),
        ([], "ipam"),
        ({"pools": "a"}, r"ipam\.pools"),
        ({"pools": [1]}, r"ipam\.pools"),
        ({"pools": [""]}, r"ipam\.pools"),
        ({"family": 5}, r"ipam\.family"),
        ({"family": True}, r"ipam\.family"),
        ({"family": {}}, r"ipam\.family"),
        ({"family": 4, "ranges": RANGES}, r"ipam\.family"),
        ({"gateway": "x"}, r"ipam\.gateway"),
        ({"routes": {}}, r"ipam\.routes"),
        ({"routes": [{}]}, r"ipam\.routes\[0\]\.dst"),
        ({"routes": [{"dst": "10.0.0.0"}]}, r"ipam\.routes\[0\]\.dst"),
        ({"routes": [{"dst": "10.0.0.0/33"}]}, r"ipam\.routes\[0\]\.dst"),
        ({"routes": [{"dst": "::/0", "gw": "x"}]}, r"ipam\.routes\[0\]\.gw"),
        ({"routes": [{"dst": "::/0", "mtu": "x"}]}, r"ipam\.routes\[0\]"),
        ({"dns": []}, r"ipam\.dns"),
        ({"dns": {"search": "a"}}, r"ipam\.dns\.search"),
        ({"resolvConf": 1}, r"ipam\.resolvConf"),
    ],
)
def test_a_wrong_key_is_named(conf: Conf, ipam: Any, where: str) -> None:
    """What makes no sense is error 7 and says where it stands."""
    document = {**json.loads(conf()), "ipam": ipam} if ipam != {} else {}
    with pytest.raises(CniError, match=where) as caught:
        read_ipam(Network("net", "1.0.0", document), Arguments())

    assert caught.value.code is Code.BAD_CONFIG


@pytest.mark.parametrize(
    "more",
    [
        {"runtimeConfig": {"ips": "10.0.0.1"}},
        {"runtimeConfig": {"ips": ["x"]}},
        {"runtimeConfig": {"ips": ["10.0.0.1/33"]}},
        {"runtimeConfig": {"ips": ["10.0.0.1"] * 49}},
        {"runtimeConfig": []},
        {"runtimeConfig": {"ipRanges": [[{}]]}},
        {"runtimeConfig": {"dns": {"servers": 1}}},
        {"args": {"cni": {"ips": [None]}}},
        {"args": {"cni": []}},
    ],
)
def test_a_wrong_wish_is_refused(conf: Conf, more: dict[str, Any]) -> None:
    """What the runtime adds is checked as the configuration is."""
    with pytest.raises(CniError) as caught:
        asked(conf, {}, **more)

    assert caught.value.code is Code.BAD_CONFIG


def test_routes_and_dns(conf: Conf) -> None:
    """Routes are taken as they are written, host bits and all; unknown keys are ignored."""
    routes = [
        {"dst": "10.5.6.7/16", "mtu": 1400, "color": "red"},
        {"dst": "::/0", "gw": "fd00::1", "table": 0},
    ]
    dns = {"nameservers": ["10.0.0.53"], "domain": "a", "search": ["b"], "options": ["c"]}
    found = asked(conf, {"routes": routes, "dns": dns, "dataDir": "/x"}, mtu="outer")

    assert (
        Route("10.5.6.7/16", "", (("mtu", 1400),)),
        Route("::/0", "fd00::1", (("table", 0),)),
    ) == found.routes
    assert Dns(("10.0.0.53",), "a", ("b",), ("c",)) == found.dns


def test_the_runtime_has_the_last_word_on_dns(conf: Conf) -> None:
    """The `dns` capability overrides the configuration."""
    told = {"servers": ["192.0.2.1"], "searches": ["s"], "options": ["o"]}
    found = asked(conf, {"dns": {"nameservers": ["10.0.0.53"]}}, runtimeConfig={"dns": told, "mac": "x"})

    assert Dns(("192.0.2.1",), "", ("s",), ("o",)) == found.dns


@pytest.mark.parametrize(
    "previous", [None, 1, [], {"ips": 1}, {"ips": [{}]}, {"ips": [{"address": "10.0.0.1"}]}]
)
def test_check_needs_a_result(conf: Conf, previous: Any) -> None:
    """A prevResult that is absent or no result is error 7."""
    with pytest.raises(CniError) as caught:
        read_previous(read_network(Verb.CHECK, conf(prevResult=previous)))

    assert caught.value.code is Code.BAD_CONFIG


def test_keys_to_keep_are_sorted_and_unique(conf: Conf) -> None:
    """What GC must keep comes as keys of this network."""
    pairs = [("c2", "eth0"), ("c1", "eth0"), ("c2", "eth0")]
    valid = [{"containerID": one, "ifname": two} for one, two in pairs]
    network = read_network(Verb.GC, conf("1.1.0", **{"cni.dev/valid-attachments": valid}))

    assert read_valid(network) == ("cni/net/c1/eth0", "cni/net/c2/eth0")


@pytest.mark.parametrize(
    ("stdin", "expected"),
    [
        (b'{"cniVersion": "0.4.0"}', "0.4.0"),
        (b'{"cniVersion": "9.9.9-rc1"}', "9.9.9-rc1"),
        (b'{"cniVersion": "\\""}', "1.0.0"),
        (b'{"cniVersion": 1}', "1.0.0"),
        (b"{}", "1.0.0"),
        (b"nonsense", "1.0.0"),
    ],
)
def test_errors_are_told_in_the_callers_version(stdin: bytes, expected: str) -> None:
    """If it names one that can be one; else in a version that everybody reads."""
    assert expected == told_version(stdin)


# fmt: off
INNER_KEYS = [
    "subnet", "rangeStart", "rangeEnd", "gateway", "dst", "gw", "mtu", "ips", "cni", "address", "containerID",
    "ifname", "servers",
]
KEYS = [
    "pools", "ranges", "subnet", "rangeStart", "rangeEnd", "gateway", "routes", "resolvConf", "dns", "family",
    "socket",
]
# fmt: on
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["10.0.0.0/29", "10.0.0.3", "fd00::/64", "fd00::1", "0.0.0.0/0", "/etc/hostname"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(INNER_KEYS),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
DOCUMENTS = st.fixed_dictionaries(
    {"name": st.just("net"), "cniVersion": st.just("1.1.0")},
    optional={
        "ipam": st.one_of(JSON, st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6)),
        "runtimeConfig": st.one_of(
            JSON, st.dictionaries(st.sampled_from(["ips", "ipRanges", "dns"]), JSON, max_size=3)
        ),
        "args": JSON,
        "prevResult": st.one_of(JSON, st.fixed_dictionaries({"ips": JSON})),
        "cni.dev/valid-attachments": JSON,
    },
)


def understood(stdin: bytes) -> None:
    """Read everything that any verb reads."""
    for verb in Verb:
        try:
            network = read_network(verb, stdin)
        except CniError:
            continue
        for read in (lambda one: read_ipam(one, Arguments()).wants(), read_previous, read_valid):
            try:
                read(network)
            except CniError as error:
                assert error.code is Code.BAD_CONFIG  # noqa: PT017  # either outcome is right


@pytest.mark.slow
@given(DOCUMENTS)
def test_any_document_is_understood_or_refused(document: dict[str, Any]) -> None:
    """Whatever stands under the keys, the outcome is a value or one of our own errors."""
    understood(json.dumps(document).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_understood_or_refused(stdin: bytes) -> None:
    """Whatever comes in, the outcome is a value or one of our own errors."""
    understood(stdin)
    understood(b'{"name": "net", "cniVersion": "1.1.0", "ipam": {"pools": ["' + stdin + b'"]}}')


@given(st.text(max_size=12))
def test_any_text_is_an_interface_or_refused(text: str) -> None:
    """No address text raises anything but our own error."""
    for one in (text, f"{text}/8", f"10.0.0.0/{text}"):
        try:
            family, address, length = interface_of(one, "here")
        except CniError:
            continue
        assert 0 <= address < family.size
        assert 0 <= length <= family.bits
