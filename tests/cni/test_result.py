"""What is printed in which version."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cni.codes import CniError, Code
from cni.environ import Arguments
from cni.netconf import VERSIONS, Dns, Network, read_ipam
from cni.result import added, failed, read_resolv_conf
from ring.address import Family, Range
from weaveipam.protocol.values import Allocation, Assigned, Attributes, Route

ALLOCATION = Allocation(
    "cni/net/c1/eth0",
    "default",
    (
        Assigned("p", Family.V4, Range(0x0A000005, 0x0A000006), 24, 0x0A000001),
        Assigned("p", Family.V6, Range(5, 6), 128, None),
    ),
    durable=False,
)
ROUTE = {
    "dst": "0.0.0.0/0",
    "gw": "10.0.0.1",
    "mtu": 1400,
    "advmss": 1360,
    "priority": 0,
    "table": 9,
    "scope": 0,
}


def printed(version: str, ipam: dict[str, Any], dns: Dns | None = None, of: Allocation = ALLOCATION) -> Any:
    """The result of an ADD of an allocation."""
    network = Network("net", version, {"ipam": {"type": "weaveipam", **ipam}})
    return json.loads(added(network, read_ipam(network, Arguments()), dns or Dns(), of))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_short_form(version: str) -> None:
    """The result is in the caller's version, without interfaces, and without what is empty."""
    ips = [{"address": "10.0.0.5/24", "gateway": "10.0.0.1"}, {"address": "::5/128"}]
    if version < "1.0.0":
        ips = [{"version": str(number), **ip} for number, ip in zip((4, 6), ips, strict=True)]

    assert printed(version, {}) == {"cniVersion": version, "ips": ips}


@pytest.mark.parametrize("version", VERSIONS)
def test_routes_have_what_their_version_knows(version: str) -> None:
    """What 1.1.0 added to routes is told to callers of 1.1.0 only."""
    expected = ROUTE if version == "1.1.0" else {"dst": "0.0.0.0/0", "gw": "10.0.0.1"}

    assert printed(version, {"routes": [ROUTE]})["routes"] == [expected]


def test_pools_tell_routes_and_dns_where_the_configuration_says_nothing() -> None:
    """Each route of the pools is told once, and the DNS of the first pool that has any; else the caller's."""
    route = Route("0.0.0.0/0", "10.0.0.1")
    one, other = ALLOCATION.addresses
    addresses = (
        replace(one, attributes=Attributes(routes=(route,))),
        replace(other, attributes=Attributes(("10.0.0.53",), "a", ("b",), ("c",), (route, Route("::/0")))),
    )

    told = printed("1.0.0", {}, of=replace(ALLOCATION, addresses=addresses))
    said = printed("1.0.0", {"routes": [{"dst": "10.0.0.0/8"}]}, Dns(domain="z"), of=ALLOCATION)

    assert [{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}, {"dst": "::/0"}] == told["routes"]
    assert {"nameservers": ["10.0.0.53"], "domain": "a", "search": ["b"], "options": ["c"]} == told["dns"]
    assert ([{"dst": "10.0.0.0/8"}], {"domain": "z"}) == (said["routes"], said["dns"])


def test_a_range_says_prefix_and_gateway() -> None:
    """An address of a configured range is told with that range's prefix length and gateway."""
    ranges = [[{"subnet": "10.0.0.0/8", "gateway": "10.9.9.9"}]]

    expected = {"address": "10.0.0.5/8", "gateway": "10.9.9.9"}
    assert printed("1.0.0", {"ranges": ranges})["ips"][0] == expected


def test_a_gateway_overrides_that_of_the_pool() -> None:
    """`gateway` is told for its family only."""
    ips = printed("1.0.0", {"gateway": "10.0.0.254"})["ips"]

    assert ips == [{"address": "10.0.0.5/24", "gateway": "10.0.0.254"}, {"address": "::5/128"}]


def test_dns_is_told_without_empty_fields() -> None:
    """Only what is there."""
    assert printed("1.0.0", {}, Dns(("10.0.0.53",), search=("a", "b")))["dns"] == {
        "nameservers": ["10.0.0.53"],
        "search": ["a", "b"],
    }


def test_resolv_conf_is_read_as_host_local_reads_it(tmp_path: Path) -> None:
    """Keywords add up, comments and other lines are passed over."""
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# nameserver 9.9.9.9\n;x\n\nnameserver 10.0.0.1 extra\n  nameserver\t10.0.0.2\nnameserver\n"
        "domain a.example\nsearch b.example c.example\nsearch d.example\noptions ndots:5\nsortlist x\n"
    )

    assert read_resolv_conf(str(path)) == Dns(
        ("10.0.0.1", "10.0.0.2"), "a.example", ("b.example", "c.example", "d.example"), ("ndots:5",)
    )
    assert read_resolv_conf("") == Dns()


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe", "nul"])
def test_only_files_are_read(tmp_path: Path, kind: str) -> None:
    """What is no regular file is error 7 at once; a pipe that nobody writes holds nothing up."""
    path = tmp_path / "resolv.conf"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(CniError) as caught:
        read_resolv_conf(f"{path}\0" if kind == "nul" else str(path))

    assert caught.value.code is Code.BAD_CONFIG


def test_errors_are_ascii() -> None:
    """Whatever a name is made of, the error is JSON that every runtime reads."""
    text = failed("1.0.0", CniError(Code.BAD_CONFIG, "\udcff ü \n", ""))

    assert text.isascii()
    assert json.loads(text) == {"cniVersion": "1.0.0", "code": 7, "msg": "\udcff ü \n"}
