"""
The configuration as one frozen value, checked as a whole.

Everything that is wrong is found and listed at once, each with where it was said.
Does not know command lines, sockets, or what the host is called.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from weaveipam.allocation.consensus import CONSENSUS_MAX
from weaveipam.allocation.heard import NOT_TO_FORM, Init
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.config.options import CNI_SOCKET_NAME, DEFAULT_SOCKET, Said, gather
from weaveipam.config.pools import parse_pools
from weaveipam.errors import ConfigError
from weaveipam.gossip.settings import GossipSettings
from weaveipam.node import Settings
from weaveipam.protocol.selectors import labels_problems, value_problem
from weaveipam.protocol.values import Endpoint, Pool

T = TypeVar("T")

SOCKET_PATH_BYTES_MAX = 107
"""What the kernel takes for the path of a unix socket (unix(7): 108 bytes, less the final zero)."""
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - named, not bound
"""Hosts that mean every address of this host, and so none that peers could reach."""
HOST_LABEL = "kubernetes.io/hostname"
"""By which Kubernetes knows a node's name, and pools can select one."""
PRESETS = ("lan", "wan", "test")

_NAME_CHARACTERS_MAX = 253
_PORT_MAX = 65535
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything the daemon was told."""

    name: str
    data_dir: Path
    socket: Path
    """Of the API; that of CNI lies beside it."""
    bind: Endpoint
    """Port 0: any free one."""
    advertise: Endpoint | None
    """Where peers reach this daemon; None: to be found out from `bind` and the host's addresses."""
    join: tuple[Endpoint, ...]
    seeds: tuple[str, ...]
    consensus: int
    """Both as in `weaveipam.node.Settings`."""
    pools: tuple[Pool, ...]
    """Sorted by name."""
    labels: tuple[tuple[str, str], ...]
    """Of this node, sorted; that of its name is among them."""
    preset: str
    sync_wait_s: float | None
    """How long a daemon that comes back waits for members before it serves alone; None: by the preset."""
    keyring: Path | None
    """As `weaveipam.protocol.keyring` describes it; None: packets are not sealed."""
    http: Endpoint | None
    http_public: bool
    log_format: str
    """`json` or `console`."""
    log_level: str
    """`debug`, `info`, `warning` or `error`."""
    uvloop: bool
    said: Mapping[str, Said] = field(default_factory=dict, compare=False, repr=False)
    """What was said by whom, by option key; an option of which nothing was said is not there."""

    @property
    def cni_socket(self) -> Path:
        """Of the CNI door."""
        return self.socket.with_name(CNI_SOCKET_NAME)

    def settings(self, endpoint: Endpoint) -> Settings:
        """The node's part of it, when peers reach the daemon at `endpoint`."""
        allocation = AllocationSettings.preset(self.preset)
        allocation = replace(allocation, node_labels=self.labels)
        if self.sync_wait_s is not None:
            allocation = replace(allocation, sync_wait_s=self.sync_wait_s)
        return Settings(
            endpoint=endpoint,
            join=self.join,
            seeds=self.seeds,
            consensus=self.consensus,
            pools=self.pools,
            gossip=GossipSettings.preset(self.preset),
            allocation=allocation,
        )


def load(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    file: Path | None,
    *,
    host_name: str,
    on_terminal: bool = False,
    check: Callable[[Config], Iterable[str]] = lambda _: (),
) -> Config:
    """
    The configuration that flags, environment and file make together.

    Args:
        flags: By option key; None and empty tuples were not said.
        environ: The whole environment.
        file: TOML; None: there is none.
        host_name: The default of `name`.
        on_terminal: Whether logs go to a terminal.
        check: What else is wrong with it, a sentence each.

    Raises:
        ConfigError: one line for each thing that is wrong.
    """
    problems: list[str] = []
    said = gather(flags, environ, file, problems)
    said.setdefault("name", Said("--name (by default the host name)", host_name))
    config = _Reading(said, problems).config("console" if on_terminal else "json")
    problems += check(config)
    if problems:
        raise ConfigError("\n".join(problems))
    return config


def parse_endpoint(text: str, port_min: int = 1) -> Endpoint:
    """
    The endpoint of `HOST:PORT` or `[IPv6]:PORT`.

    Raises:
        ValueError: it is none; says what is missing.
    """
    match = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\]:(\d+)|([^\s:\[\]]+):(\d+)", text.strip(), re.ASCII)
    if match is None:
        bare = text.count(":") > 1 and "[" not in text
        hint = "; an IPv6 address is written in brackets, as in [::1]:6783" if bare else ""
        raise ValueError(f"expected HOST:PORT, not {text!r}{hint}")
    host, port = match[1] or match[3], match[2] or match[4]
    if len(host) > _NAME_CHARACTERS_MAX:
        raise ValueError(f"a host has at most {_NAME_CHARACTERS_MAX} characters")
    if not port_min <= int(port) <= _PORT_MAX:
        raise ValueError(f"a port is {port_min} to {_PORT_MAX}, not {port}")
    return Endpoint(host, int(port))


class _Reading:
    """Turns what was said into values; what cannot be one becomes a problem, and its default instead."""

    def __init__(self, said: Mapping[str, Said], problems: list[str]) -> None:
        self._said = said
        self._problems = problems

    def config(self, log_format: str) -> Config:
        """The configuration; not to be used if there are problems now."""
        name = self._value("name", _node_name, "")
        bind = self._value("bind", _bind, Endpoint(WILDCARDS[0], 6783))
        join = tuple(dict.fromkeys(self._values("join", parse_endpoint)))
        advertise = self._value("advertise", _reachable, None)
        http = self._value("http", parse_endpoint, None)
        self._check_http(bind, http)
        self._check_families(bind, advertise, join)
        init = self._init(name, join)
        pools = self._said.get("pool", Said("pool", []))
        return Config(
            said=self._said,
            name=name,
            data_dir=self._value("data_dir", _path, Path("/var/lib/weaveipam")),
            socket=self._value("socket", _socket_path, Path(DEFAULT_SOCKET)),
            bind=bind,
            advertise=advertise,
            join=join,
            seeds=init.seeds,
            consensus=init.consensus,
            pools=parse_pools(pools.where, pools.value, self._problems),
            labels=self._labels(name),
            preset=self._value("preset", _one_of(*PRESETS), "lan"),
            sync_wait_s=self._value("sync_wait", _seconds, None),
            keyring=self._value("keyring", _path, None),
            http=http,
            http_public=self._value("http_public", bool, default=False),
            log_format=self._value("log_format", _one_of("json", "console"), log_format),
            log_level=self._value("log_level", _one_of("debug", "info", "warning", "error"), "info"),
            uvloop=self._value("uvloop", bool, default=True),
        )

    def _value(self, key: str, parse: Callable[[Any], T], default: T) -> T:
        said = self._said.get(key)
        if said is None:
            return default
        try:
            return parse(said.value)
        except ValueError as error:
            self._problems.append(f"{said.where}: {error}")
            return default

    def _values(self, key: str, parse: Callable[[str], T]) -> list[T]:
        said = self._said.get(key, Said(key, []))
        parsed = []
        for value in said.value:
            try:
                parsed.append(parse(value))
            except ValueError as error:
                self._problems.append(f"{said.where}: {error}")
        return parsed

    def _labels(self, name: str) -> tuple[tuple[str, str], ...]:
        """Of this node; by its name it can always be selected."""
        said = self._said.get("label", Said("label", []))
        labels = {} if value_problem(name) else {HOST_LABEL: name}
        for text in said.value:
            key, equals, value = text.partition("=")
            if not equals:
                self._problems.append(f"{said.where}: expected KEY=VALUE, not {text!r}")
            labels[key] = value
        self._problems += [f"{said.where}: {one}" for one in labels_problems(labels)]
        return tuple(sorted(labels.items()))

    def _init(self, name: str, join: tuple[Endpoint, ...]) -> Init:
        """Who forms a cluster, from `init`, or from whether there is anybody to join."""
        said = self._said.get("init")
        if said is None:
            return NOT_TO_FORM if join else Init((name,))
        init = self._value("init", _init, None)
        if init is not None and init not in {Init((name,)), Init(consensus=1)} and not join:
            others = " or ".join(one for one in init.seeds if one != name) or "a member of the cluster"
            if init.consensus:
                others = "another one of them"
            self._problems.append(f"{said.where}: needs --join too, the address of {others}")
        return init or NOT_TO_FORM

    def _check_families(self, bind: Endpoint, advertise: Endpoint | None, join: tuple[Endpoint, ...]) -> None:
        """What is bound speaks one family and reaches no address of the other; a name may have both."""
        family = _ip_version(bind.host)
        for key, endpoints in (("advertise", () if advertise is None else (advertise,)), ("join", join)):
            versions = {_ip_version(one.host) for one in endpoints}
            if family is not None and versions and not versions & {None, family}:
                where = self._said[key].where
                self._problems.append(f"{where}: {endpoints[0]} is not IPv{family}, as --bind {bind} is")

    def _check_http(self, bind: Endpoint, http: Endpoint | None) -> None:
        if http is None:
            if self._value("http_public", bool, default=False):
                where = self._said["http_public"].where
                self._problems.append(f"{where}: says how --http is served, which is off; give it an address")
            return
        same_host = http.host == bind.host or {http.host, bind.host} & set(WILDCARDS)
        if same_host and http.port == bind.port:
            self._problems.append(f"{self._said['http'].where}: {http} is taken by --bind {bind}")


def _node_name(text: str) -> str:
    if len(text) > _NAME_CHARACTERS_MAX or not _NAME.fullmatch(text):
        raise ValueError(
            f"a name is 1 to {_NAME_CHARACTERS_MAX} letters, digits and ._- between them, not {text!r}"
        )
    return text


def _init(text: str) -> Init:
    """What `--init` says."""
    word, _, value = text.partition("=")
    if text == "observe":
        return NOT_TO_FORM
    if word == "consensus":
        if not re.fullmatch(r"[0-9]{1,9}", value) or not 1 <= int(value) <= CONSENSUS_MAX:
            raise ValueError(
                f"consensus= takes how many daemons form the cluster, 1 to {CONSENSUS_MAX}, not {value!r}"
            )
        return Init(consensus=int(value))
    if word != "seeds":
        raise ValueError(f"expected consensus=N, seeds=A,B,C or observe, not {text!r}")
    seeds = [_node_name(one.strip()) for one in value.split(",")]
    for one in seeds:
        if seeds.count(one) > 1:
            raise ValueError(f"names {one} twice")
    return Init(tuple(sorted(seeds)))


def _seconds(value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError(f"expected a number of seconds, not {value:g}")
    return value


def _ip_version(host: str) -> int | None:
    """4 or 6; None for a name."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return None


def _bind(text: str) -> Endpoint:
    return parse_endpoint(text, port_min=0)


def _reachable(text: str) -> Endpoint:
    endpoint = parse_endpoint(text)
    if _ip_version(endpoint.host) is not None and ipaddress.ip_address(endpoint.host).is_unspecified:
        raise ValueError(f"{endpoint.host} is no address that peers could send to")
    return endpoint


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("expected a path")
    return Path(text)


def _socket_path(text: str) -> Path:
    path = _path(text)
    beside = path.with_name(CNI_SOCKET_NAME)
    if path == beside:
        raise ValueError(f"{path} is the name of the CNI socket, which lies in the same directory")
    longest = max(len(str(one).encode()) for one in (path, beside))
    if longest > SOCKET_PATH_BYTES_MAX:
        raise ValueError(
            f"the path of a unix socket has at most {SOCKET_PATH_BYTES_MAX} bytes, not {longest}"
        )
    return path


def _one_of(*choices: str) -> Callable[[str], str]:
    def choose(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected {', '.join(choices[:-1])} or {choices[-1]}, not {text!r}")
        return text

    return choose
