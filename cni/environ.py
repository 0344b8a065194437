"""
The CNI variables of a call, checked.

Source: the CNI specification 1.1.0, sections 2 and 5; for `CNI_ARGS`, CONVENTIONS.md and libcni's `LoadArgs`.
Does not know the network configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cni.codes import CniError, Code

IFNAME_BYTES_MAX = 15
"""The kernel's IFNAMSIZ, less the final zero."""

CONTAINER_ID_MAX = 256
"""Characters; runtimes use 64.  With the longest network name a key still fits its 512."""

LABEL_BYTES_MAX = 253
"""The longest name that Kubernetes allows (a DNS subdomain)."""

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
"""Of container ids and network names."""

_IFNAME = re.compile(r"[^/:\s\0]+")
_LABELS: Mapping[str, str] = {
    "K8S_POD_NAME": "pod",
    "K8S_POD_NAMESPACE": "namespace",
    "K8S_POD_UID": "uid",
}
_KNOWN_ARGS = frozenset({*_LABELS, "IgnoreUnknown", "IP", "K8S_POD_INFRA_CONTAINER_ID"})
_TRUTHS = {"1": True, "true": True, "0": False, "false": False}


class Verb(StrEnum):
    """What a runtime asks."""

    ADD = "ADD"
    DEL = "DEL"
    CHECK = "CHECK"
    GC = "GC"
    STATUS = "STATUS"
    VERSION = "VERSION"


@dataclass(frozen=True, slots=True)
class Arguments:
    """What `CNI_ARGS` says to an IPAM plugin."""

    ips: tuple[str, ...] = ()
    """Addresses asked for, as text; any order, not checked."""
    labels: tuple[tuple[str, str], ...] = ()
    """What Kubernetes' runtimes tell of the pod; sorted by name."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables, as far as the verb needs them."""

    verb: Verb
    container_id: str
    """Empty for GC, STATUS and VERSION."""
    ifname: str
    """As above."""
    args: Arguments
    """Nothing but for ADD."""


def parse_environment(environ: Mapping[str, str]) -> Environment:
    """
    The variables of a call.

    Raises:
        CniError: some are missing or wrong (code 4; names them all), or ADD names the host's own network
            namespace (code 8).
    """
    command = environ.get("CNI_COMMAND", "")
    if command not in Verb.__members__:
        wanted = ", ".join(Verb)
        raise CniError(Code.BAD_ENVIRONMENT, f"CNI_COMMAND={command} is no verb", f"one of {wanted}")
    verb = Verb(command)
    problems = list(_problems(verb, environ))
    args = Arguments()
    if verb is Verb.ADD:
        try:
            args = parse_args(environ.get("CNI_ARGS", ""))
        except ValueError as error:
            problems.append(f"CNI_ARGS: {error}")
    if problems:
        raise CniError(Code.BAD_ENVIRONMENT, "; ".join(problems), "the runtime sets these variables")
    _refuse_own_namespace(verb, environ)
    attached = verb in (Verb.ADD, Verb.DEL, Verb.CHECK)
    container_id = environ["CNI_CONTAINERID"] if attached else ""
    return Environment(verb, container_id, environ["CNI_IFNAME"] if attached else "", args)


def _problems(verb: Verb, environ: Mapping[str, str]) -> list[str]:
    """One phrase for each variable that the verb needs and that is missing or wrong."""
    problems: list[str] = []
    if verb in (Verb.ADD, Verb.DEL, Verb.CHECK):
        container_id, ifname = environ.get("CNI_CONTAINERID", ""), environ.get("CNI_IFNAME", "")
        if not container_id:
            problems.append("CNI_CONTAINERID is missing")
        elif not IDENTIFIER.fullmatch(container_id) or len(container_id) > CONTAINER_ID_MAX:
            problems.append(f"CNI_CONTAINERID={container_id[:CONTAINER_ID_MAX]} is no container id")
        if not ifname:
            problems.append("CNI_IFNAME is missing")
        elif not is_ifname(ifname):
            problems.append(f"CNI_IFNAME={ifname[:CONTAINER_ID_MAX]} is no interface name")
    if verb in (Verb.ADD, Verb.CHECK) and not environ.get("CNI_NETNS"):
        problems.append("CNI_NETNS is missing")
    if verb is Verb.GC and not environ.get("CNI_PATH"):
        problems.append("CNI_PATH is missing")
    return problems


def is_ifname(text: str) -> bool:
    """Whether the kernel would take it as an interface's name."""
    size = len(text.encode("utf-8", "surrogateescape"))
    return size <= IFNAME_BYTES_MAX and text not in (".", "..") and _IFNAME.fullmatch(text) is not None


def _refuse_own_namespace(verb: Verb, environ: Mapping[str, str]) -> None:
    """
    An ADD that would put addresses on the host, as libcni's skel refuses it.

    The shim compares the two, as paths mean something only where the runtime lives, and says so by
    `WEAVEIPAM_NETNS`; the runtime's own variables reach us only if they start with `CNI_`.
    """
    if (
        verb is Verb.ADD
        and environ.get("WEAVEIPAM_NETNS") == "host"
        and not environ.get("CNI_NETNS_OVERRIDE")
    ):
        raise CniError(
            Code.BAD_NETNS,
            f"CNI_NETNS={environ['CNI_NETNS']} is the host's own network namespace",
            "name the container's, or set CNI_NETNS_OVERRIDE if this is meant",
        )


def parse_args(text: str) -> Arguments:
    """
    What `K=V;K=V` says; keys in any order.

    Raises:
        ValueError: a part is not one key and one value, or a key is not known and `IgnoreUnknown` is not set.
    """
    pairs: dict[str, str] = {}
    for part in text.split(";") if text else ():
        key, equals, value = part.partition("=")
        if not key or not equals or "=" in value:
            raise ValueError(f"{part!r} is not one key and one value")
        pairs[key] = value
    ignore = _TRUTHS.get(pairs.get("IgnoreUnknown", "0").lower())
    if ignore is None:
        raise ValueError(f"IgnoreUnknown={pairs['IgnoreUnknown']} is neither true nor false")
    unknown = sorted(pairs.keys() - _KNOWN_ARGS)
    if unknown and not ignore:
        raise ValueError(f"{', '.join(unknown)}: not known, and IgnoreUnknown is not set")
    ips = tuple(ip.strip() for ip in pairs.get("IP", "").split(",") if ip.strip())
    labels = sorted((_LABELS[key], value) for key, value in pairs.items() if key in _LABELS and value)
    for name, value in labels:
        if not value.isprintable() or len(value.encode()) > LABEL_BYTES_MAX:
            raise ValueError(f"the pod's {name} is not text of at most {LABEL_BYTES_MAX} bytes")
    return Arguments(ips, tuple(labels))
