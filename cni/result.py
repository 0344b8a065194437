"""
What a call prints: results, versions and errors, in the version that the caller speaks.

An IPAM plugin's result is the short one: no `interfaces`, and no `interface` in `ips` (specification 1.1.0,
section 4).  Does not know how anything was decided.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from typing import Any

from cni.codes import CniError
from cni.fields import wrong
from cni.netconf import VERSIONS, Dns, Ipam, Network, Route
from ring.address import format_address
from weaveipam.protocol.values import Allocation, Assigned

RESOLV_CONF_BYTES_MAX = 64 << 10
"""Of the file that `resolvConf` names; resolvers read far less."""


def added(network: Network, ipam: Ipam, dns: Dns, allocation: Allocation) -> bytes:
    """The result of an ADD, or of its repetition."""
    result: dict[str, Any] = {
        "cniVersion": network.version,
        "ips": [_ip(network.version, ipam, one) for one in allocation.addresses],
    }
    routes = ipam.routes or _routes_of(allocation)
    if routes:
        result["routes"] = [_route(network.version, route) for route in routes]
    if dns == Dns():
        dns = _dns_of(allocation)
    if dns != Dns():
        result["dns"] = _dns(dns)
    return _printed(result)


def _routes_of(allocation: Allocation) -> tuple[Route, ...]:
    """Those of the pools, each once."""
    routes = (route for one in allocation.addresses for route in one.attributes.routes)
    return tuple(Route(one.destination, one.gateway, ()) for one in dict.fromkeys(routes))


def _dns_of(allocation: Allocation) -> Dns:
    """That of the first address whose pool says anything of it."""
    for one in allocation.addresses:
        told = one.attributes
        dns = Dns(told.nameservers, told.domain, told.search, told.resolver_options)
        if dns != Dns():
            return dns
    return Dns()


def _ip(version: str, ipam: Ipam, one: Assigned) -> dict[str, Any]:
    address = one.range.start
    prefix_length, gateway = ipam.told_with(one.family, address) or (one.prefix_length, one.gateway)
    if ipam.gateway is not None and ipam.gateway[0] is one.family:
        gateway = ipam.gateway[1]
    ip: dict[str, Any] = {}
    if version in ("0.3.1", "0.4.0"):
        ip["version"] = str(int(one.family))
    ip["address"] = f"{format_address(one.family, address)}/{prefix_length}"
    if gateway is not None:
        ip["gateway"] = format_address(one.family, gateway)
    return ip


def _route(version: str, route: Route) -> dict[str, Any]:
    printed: dict[str, Any] = {"dst": route.dst}
    if route.gw:
        printed["gw"] = route.gw
    if version == "1.1.0":
        printed.update(route.numbers)
    return printed


def _dns(dns: Dns) -> dict[str, Any]:
    fields: dict[str, Sequence[str]] = {
        "nameservers": dns.nameservers,
        "domain": dns.domain,
        "search": dns.search,
        "options": dns.options,
    }
    return {name: value for name, value in fields.items() if value}


def read_resolv_conf(path: str) -> Dns:
    """
    What a file in the form of resolv.conf(5) says; nothing for no path.

    Raises:
        CniError: code 7; the file cannot be read.
    """
    if not path:
        return Dns()
    try:
        content = _read_regular(path)
    except (OSError, ValueError) as error:
        wrong("ipam.resolvConf", f"{path!r} cannot be read: {error}")
    nameservers: list[str] = []
    domain = ""
    search: list[str] = []
    options: list[str] = []
    for line in content.decode(errors="replace").splitlines():
        keyword, *values = line.split() or [""]
        if keyword == "nameserver":
            nameservers += values[:1]
        elif keyword == "domain" and values:
            domain = values[0]
        elif keyword == "search":
            search += values
        elif keyword == "options":
            options += values
    return Dns(tuple(nameservers), domain, tuple(search), tuple(options))


def _read_regular(path: str) -> bytes:
    """The start of a regular file; a pipe or device could hold the daemon up."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a regular file")
        return os.read(descriptor, RESOLV_CONF_BYTES_MAX)
    finally:
        os.close(descriptor)


def versions(version: str) -> bytes:
    """The answer to VERSION."""
    return _printed({"cniVersion": version, "supportedVersions": list(VERSIONS)})


def failed(version: str, error: CniError) -> bytes:
    """An error as the specification wants it."""
    printed = {"cniVersion": version, "code": int(error.code), "msg": error.message}
    if error.details:
        printed["details"] = error.details
    return _printed(printed)


def _printed(document: dict[str, Any]) -> bytes:
    """JSON in ASCII: whatever a name was made of, the runtime can read it."""
    return json.dumps(document).encode() + b"\n"
