"""
The network configuration that a runtime hands over, as far as address management needs it.

Read as Go programs read theirs: unknown keys are ignored, since those of the outer plugin are there too.
Source: the CNI specification 1.1.0, CONVENTIONS.md, and host-local's `ipam` block.
Does not know what has been allocated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cni.codes import CniError, Code
from cni.environ import IDENTIFIER, Arguments, Verb, is_ifname
from cni.fields import (
    Document,
    a_list,
    a_text,
    address_of,
    an_address,
    an_object,
    interface_of,
    objects,
    texts,
    wrong,
)
from cni.ranges import RangeSet, read_range_sets
from ring.address import Family, Range, format_address
from weaveipam.protocol.requests import Want

VERSIONS = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")
"""Of the specification, oldest first; kept in step with `shim.c`."""

FALLBACK_VERSION = "1.0.0"
"""Errors are told in it if the caller names none."""

NAME_CHARACTERS_MAX = 200
"""Of a network; with the longest container id a key still fits its 512."""

IPS_MAX = 16
"""Addresses that one interface may ask for, as many as the allocator takes."""

_SINCE: Mapping[Verb, str] = {Verb.CHECK: "0.4.0", Verb.GC: "1.1.0", Verb.STATUS: "1.1.0"}
_LIKELY_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,32}", re.ASCII)
_FAMILIES: Mapping[str, tuple[Family, ...]] = {
    "": (),
    "4": (Family.V4,),
    "6": (Family.V6,),
    "dual": (Family.V4, Family.V6),
}
_ROUTE_NUMBERS = ("mtu", "advmss", "priority", "table", "scope")


@dataclass(frozen=True, slots=True)
class Network:
    """What every verb needs."""

    name: str
    version: str
    """One of `VERSIONS`, except for DEL and VERSION, which any caller may use."""
    document: Document

    def key(self, container_id: str, ifname: str) -> str:
        """What the allocator knows an attachment by."""
        return f"{self.prefix}{container_id}/{ifname}"

    @property
    def prefix(self) -> str:
        """What all keys of this network start with; no other network's do, as names have no slash."""
        return f"cni/{self.name}/"


@dataclass(frozen=True, slots=True)
class Route:
    """One route for the container, as configured."""

    dst: str
    gw: str
    """Empty: the address's gateway, as the outer plugin decides."""
    numbers: tuple[tuple[str, int], ...]
    """What version 1.1.0 added, such as `mtu`."""


@dataclass(frozen=True, slots=True)
class Dns:
    """Name resolution for the container; all may be empty."""

    nameservers: tuple[str, ...] = ()
    domain: str = ""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ipam:
    """What an ADD asks for, and what its result is told with."""

    pools: tuple[str, ...]
    """Tried in this order; empty: any."""
    range_sets: tuple[RangeSet, ...]
    """One address of each; empty: from anywhere in the pools."""
    requested: tuple[tuple[Family, int], ...]
    """Exactly these; in the order said, without repeats."""
    families: tuple[Family, ...]
    """One address of each; empty: those that the pools carry."""
    gateway: tuple[Family, int] | None
    """Told instead of the pool's; ranges have their own."""
    routes: tuple[Route, ...]
    dns: Dns | None
    """None: that of `resolv_conf`."""
    resolv_conf: str
    """Path of a file, or empty."""

    def told_with(self, family: Family, address: int) -> tuple[int, int] | None:
        """The prefix length and gateway of the range that an address is in; None if it is in none."""
        for span in (span for one in self.range_sets for span in one):
            if span.gives(family, address):
                return span.prefix_length, span.gateway
        return None

    def wants(self) -> tuple[Want, ...]:
        """
        What to ask of the allocator; empty: one address of each family that its pools carry.

        Raises:
            CniError: code 7; an address was asked for that no range, or no family, has room for.
        """
        left = list(self.requested)
        wants = self._wants_of_ranges(left) if self.range_sets else self._wants_of_families(left)
        if left:
            names = ", ".join(format_address(*one) for one in left)
            wrong("ips", f"no range gives {names}; a range set gives one address and never its gateway")
        if not wants and self.pools:
            return (Want(pools=self.pools),)
        return tuple(wants)

    def _wants_of_ranges(self, left: list[tuple[Family, int]]) -> list[Want]:
        wants: list[Want] = []
        for one in self.range_sets:
            family = one[0].family
            asked = next((each for each in left if any(span.gives(*each) for span in one)), None)
            if asked is None:
                wants.append(Want(family, self.pools, tuple(free for span in one for free in span.free)))
            else:
                left.remove(asked)
                wants.append(_exactly(asked, self.pools))
        return wants

    def _wants_of_families(self, left: list[tuple[Family, int]]) -> list[Want]:
        wants: list[Want] = []
        for family in self.families or Family:
            asked = [one for one in left if one[0] is family]
            wants += [_exactly(one, self.pools) for one in asked]
            if not asked and self.families:
                wants.append(Want(family, self.pools))
            for one in asked:
                left.remove(one)
        return wants


def _exactly(asked: tuple[Family, int], pools: tuple[str, ...]) -> Want:
    family, address = asked
    return Want(family, pools, (Range(address, address + 1),))


# --- reading ---------------------------------------------------------------------------------------------


def read_document(stdin: bytes) -> Document:
    """
    The object in some bytes.

    Raises:
        CniError: code 6; they are not one object of JSON.
    """
    try:
        document = json.loads(stdin)
    except (ValueError, RecursionError) as error:
        raise CniError(
            Code.CANNOT_DECODE, f"the network configuration is not JSON: {error}", "correct the file"
        ) from None
    if not isinstance(document, dict):
        raise CniError(Code.CANNOT_DECODE, "the network configuration is not an object", "correct the file")
    return document


def told_version(stdin: bytes, fallback: str = FALLBACK_VERSION) -> str:
    """The version that a caller names, if it looks like one; never raises."""
    try:
        version = read_document(stdin).get("cniVersion")
    except CniError:
        return fallback
    if isinstance(version, str) and _LIKELY_VERSION.fullmatch(version):
        return version
    return fallback


def read_network(verb: Verb, stdin: bytes) -> Network:
    """
    What every verb needs of a network configuration.

    DEL is served in any version, as it prints nothing and addresses would leak otherwise.

    Raises:
        CniError: not JSON (6), a version that is not supported or lacks the verb (1), or no name (7).
    """
    document = read_document(stdin)
    version = document.get("cniVersion", "0.1.0")  # what an absent one means in the specification's library
    if verb is not Verb.DEL:
        _check_version(verb, version)
    name = document.get("name")
    if not isinstance(name, str) or not IDENTIFIER.fullmatch(name) or len(name) > NAME_CHARACTERS_MAX:
        wrong("name", f"expected letters, digits, '_', '.' and '-', at most {NAME_CHARACTERS_MAX}")
    return Network(name, str(version), document)


def _check_version(verb: Verb, version: object) -> None:
    if version not in VERSIONS:
        raise CniError(
            Code.INCOMPATIBLE_VERSION,
            f"cniVersion {version} is not supported",
            f"set cniVersion to one of {', '.join(VERSIONS)}",
        )
    since = _SINCE.get(verb, VERSIONS[0])
    if VERSIONS.index(str(version)) < VERSIONS.index(since):
        raise CniError(
            Code.INCOMPATIBLE_VERSION, f"{verb} is not part of CNI {version}", f"set cniVersion to {since}"
        )


def read_ipam(network: Network, args: Arguments) -> Ipam:
    """
    What an ADD asks for.

    Addresses asked for are the union of `runtimeConfig.ips`, `args.cni.ips` and `IP` of `CNI_ARGS`, as
    host-local takes them; a prefix length on them is ignored, the range or pool has its own.

    Raises:
        CniError: code 7; says where and what.
    """
    document = network.document
    ipam = an_object(document, "ipam", "ipam")
    if not ipam:
        wrong("ipam", "missing")
    runtime = an_object(document, "runtimeConfig", "runtimeConfig")
    range_sets = read_range_sets(ipam, runtime)
    family = ipam.get("family", "")
    families = _FAMILIES.get(str(family)) if isinstance(family, (str, int)) else None
    if families is None:
        wrong("ipam.family", "expected 4, 6 or dual")
    if families and range_sets:
        wrong("ipam.family", "has no meaning beside ranges, which each give one address")
    gateway = None if range_sets else an_address(ipam, "gateway", "ipam.gateway")
    return Ipam(
        pools=texts(ipam, "pools", "ipam.pools"),
        range_sets=range_sets,
        requested=_requested(document, runtime, args),
        families=families,
        gateway=gateway,
        routes=_routes(ipam),
        dns=_dns(ipam, runtime),
        resolv_conf=a_text(ipam, "resolvConf", "ipam.resolvConf"),
    )


def _requested(document: Document, runtime: Document, args: Arguments) -> tuple[tuple[Family, int], ...]:
    inner = an_object(an_object(document, "args", "args"), "cni", "args.cni")
    said = (
        *texts(runtime, "ips", "runtimeConfig.ips"),
        *texts(inner, "ips", "args.cni.ips"),
        *args.ips,
    )
    if len(said) > 3 * IPS_MAX:
        wrong("ips", f"at most {IPS_MAX} addresses can be asked for")
    found = [interface_of(ip, "ips")[:2] if "/" in ip else address_of(ip, "ips") for ip in said]
    return tuple(dict.fromkeys(found))


def _routes(ipam: Document) -> tuple[Route, ...]:
    routes: list[Route] = []
    for index, route in enumerate(objects(ipam, "routes", "ipam.routes")):
        where = f"ipam.routes[{index}]"
        dst, gw = a_text(route, "dst", f"{where}.dst"), a_text(route, "gw", f"{where}.gw")
        interface_of(dst, f"{where}.dst")
        if gw:
            address_of(gw, f"{where}.gw")
        numbers = tuple((name, route[name]) for name in _ROUTE_NUMBERS if route.get(name) is not None)
        if any(type(value) is not int for _, value in numbers):
            wrong(where, f"{', '.join(_ROUTE_NUMBERS)} are whole numbers")
        routes.append(Route(dst, gw, numbers))
    return tuple(routes)


def _dns(ipam: Document, runtime: Document) -> Dns | None:
    """What the runtime asks for, else what the configuration says."""
    told = an_object(runtime, "dns", "runtimeConfig.dns")
    if told:
        where = "runtimeConfig.dns"
        return Dns(
            texts(told, "servers", f"{where}.servers"),
            search=texts(told, "searches", f"{where}.searches"),
            options=texts(told, "options", f"{where}.options"),
        )
    own = an_object(ipam, "dns", "ipam.dns")
    if not own:
        return None
    return Dns(
        texts(own, "nameservers", "ipam.dns.nameservers"),
        a_text(own, "domain", "ipam.dns.domain"),
        texts(own, "search", "ipam.dns.search"),
        texts(own, "options", "ipam.dns.options"),
    )


def read_previous(network: Network) -> frozenset[tuple[Family, int]]:
    """
    The addresses in `prevResult`, which CHECK compares with.

    Raises:
        CniError: code 7; it is absent, or no result.
    """
    if not isinstance(network.document.get("prevResult"), dict):
        wrong("prevResult", "expected the result of the ADD")
    result = an_object(network.document, "prevResult", "prevResult")
    found = [
        interface_of(a_text(ip, "address", "prevResult.ips"), "prevResult.ips")[:2]
        for ip in objects(result, "ips", "prevResult.ips")
    ]
    return frozenset(found)


def read_valid(network: Network) -> tuple[str, ...]:
    """
    The keys of the attachments that GC must keep, of those of this network; sorted.

    libcni has sent the list under either name.  An empty list means that nothing is valid; an absent one is
    refused, and so is one with an entry that cannot be understood: nothing is given back on bad evidence.

    Raises:
        CniError: code 7; as said.
    """
    for name in ("cni.dev/valid-attachments", "cni.dev/attachments"):
        if network.document.get(name) is not None:
            break
    else:
        wrong("cni.dev/valid-attachments", "missing, and without it everything would be given back")
    keys: set[str] = set()
    for one in a_list(network.document, name, name):
        container_id = one.get("containerID") if isinstance(one, dict) else None
        ifname = one.get("ifname") if isinstance(one, dict) else None
        if not isinstance(container_id, str) or not isinstance(ifname, str):
            wrong(name, "expected a list of objects with containerID and ifname")
        if not IDENTIFIER.fullmatch(container_id) or not is_ifname(ifname):
            wrong(name, "an entry names no container or no interface")
        keys.add(network.key(container_id, ifname))
    return tuple(sorted(keys))
