"""
Hosts and pods as Linux network namespaces, on one layer-2 segment.

    [host a: cni0 - uplink]----+          every `cni0` is a bridge that carries the host's own address,
                               |          and that the CNI `bridge` plugin plugs pods into
    [host b: cni0 - uplink]----+ switch
                               |          the switch is a bridge in a namespace of its own, so that nothing
    [host c: cni0 - uplink]----+          is added to the namespace the machine lives in

Needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN).  Names carry the process id, so several labs live side by side,
and what a killed process left behind can be told from what is in use.
Does not know daemons, nor how addresses are chosen.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import IPv4Interface
from itertools import count
from pathlib import Path
from typing import TypeAlias

from pyroute2 import IPRoute, netns

from simulations.hosts.closable import Closable
from simulations.hosts.place import GOSSIP_PORT, Place, within

HOST_BRIDGE = "cni0"
"""The bridge of every host; what the `bridge` plugin's configuration must name."""

_SWITCH = "switch0"
UPLINK = "uplink0"
"""A host's interface that is plugged into the switch."""

_CLONE_NEWNET = 0x40000000
_ECHO_REQUEST, _ECHO_REPLY = 8, 0
_PING_HEADER = struct.Struct("!BBHHH")
"""Type, code, checksum, identifier, sequence number (RFC 792, page 14)."""

_TAG = re.compile(r"weaveipam-(\d+)-")
"""How the name of a namespace begins, with the id of the process that made it."""

Cable: TypeAlias = Callable[[str, str, str, str], None]
"""Makes two connected interfaces: the one in this namespace with this name, the other in that with that."""

_lab_numbers = count()


def why_unavailable() -> str | None:
    """Why this process cannot make network namespaces, as a sentence; None if it can."""
    if sys.platform != "linux":
        return "network namespaces exist on Linux only"
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    name = f"weaveipam-{os.getpid()}-probe"
    try:
        _create(name)
    except OSError as error:
        return f"this root may not make network namespaces ({error})"
    netns.remove(name)
    return None


def ping(namespace: str, target: str, timeout_s: float = 2.0) -> float | None:
    """
    Seconds until `target` (an IPv4 address) answered an ICMP echo sent from a namespace; None if it did not.

    Asks again every quarter of a second: the first packet to a neighbour may be lost while ARP looks for it.
    """
    return within(namespace, lambda: _ping(target, timeout_s))


def veth(here: str, name: str, there: str, peer: str) -> None:
    """The kernel's own cable (see `Cable`): a pair of virtual Ethernet devices."""

    def add() -> None:
        with IPRoute() as route:
            route.link("add", ifname=name, kind="veth", peer={"ifname": peer, "net_ns_fd": there})

    within(here, add)


def port_of(host: str) -> str:
    """The interface of the switch that a host is plugged into."""
    return f"to-{host}"


def remove_leftovers() -> list[str]:
    """
    Removes the namespaces of processes that are gone, and ends what still runs in them.

    Returns:
        Their names.
    """
    dead = [
        name
        for name in netns.listnetns()
        if (tag := _TAG.match(name)) is not None and not Path("/proc", tag[1]).exists()
    ]
    _remove(dead)
    return dead


class Lab(Closable):
    """A switch, hosts on it, and pods; all of it is gone after `close`, or at the end of a `with`."""

    def __init__(self, cable: Cable = veth) -> None:
        """Builds the switch; hosts will be plugged in with such cables."""
        self._tag = f"weaveipam-{os.getpid()}-{next(_lab_numbers)}-"
        self._cable = cable
        self._places: dict[str, Place] = {}
        self._pods = count(1)
        try:
            self.switch = self._add("switch")
            """The namespace of the switch."""
            within(self.switch, self._build_switch)
        except BaseException:
            self.close()
            raise

    def add_host(self, name: str, address: str) -> str:
        """
        The namespace of a new host on the segment.

        Args:
            name: Unique in this lab, at most 12 characters (it names a network interface).
            address: The host's own, with the segment's prefix length: `172.30.0.11/24`.
        """
        host = self._add(name)
        self._cable(self.switch, port_of(name), host, UPLINK)
        within(self.switch, lambda: self._plug(name))
        interface = IPv4Interface(address)
        within(host, lambda: self._build_host(interface))
        endpoint = f"{interface.ip}:{GOSSIP_PORT}"
        self._places[name] = Place(endpoint, endpoint, host)
        return host

    def place(self, name: str) -> Place:
        """Where a daemon on this host lives."""
        return self._places[name]

    def add_pod(self) -> str:
        """The path of a new namespace with only a loopback device: what a runtime makes for a pod."""
        pod = self._add(f"pod{next(self._pods)}")
        within(pod, _loopback_up)
        return f"{netns.NETNS_RUN_DIR}/{pod}"

    def remove_pod(self, path: str) -> None:
        """Removes a pod's namespace; its end of any veth pair takes the host's end along."""
        netns.remove(os.path.basename(path))  # noqa: PTH119  a namespace's name, not a file's

    def cut(self, name: str) -> None:
        """Pulls the host's plug out of the switch."""
        within(self.switch, lambda: self._set_port(name, "down"))

    def heal(self, name: str) -> None:
        """Puts the plug back in."""
        within(self.switch, lambda: self._set_port(name, "up"))

    def close(self) -> None:
        """Removes every namespace of this lab and ends all that was in them; harmless when repeated."""
        _remove([name for name in netns.listnetns() if name.startswith(self._tag)])

    def _add(self, name: str) -> str:
        namespace = f"{self._tag}{name}"
        _create(namespace)
        return namespace

    def _build_switch(self) -> None:
        with IPRoute() as route:
            route.link("add", ifname=_SWITCH, kind="bridge")
            route.link("set", index=_index(route, _SWITCH), state="up")

    def _plug(self, name: str) -> None:
        with IPRoute() as route:
            port, switch = _index(route, port_of(name)), _index(route, _SWITCH)
            route.link("set", index=port, master=switch, state="up")

    def _build_host(self, address: IPv4Interface) -> None:
        with IPRoute() as route:
            # Without an address of its own a bridge takes the lowest of its ports', and changes it as pods
            # come and go: the neighbours' ARP entries would go stale in the middle of an experiment.
            mac = "02:" + ":".join(f"{byte:02x}" for byte in (0, *address.ip.packed))
            route.link("add", ifname=HOST_BRIDGE, kind="bridge", address=mac)
            bridge, uplink = _index(route, HOST_BRIDGE), _index(route, UPLINK)
            route.link("set", index=uplink, master=bridge, state="up")
            route.link("set", index=bridge, state="up")
            route.addr("add", index=bridge, address=str(address.ip), prefixlen=address.network.prefixlen)
        _loopback_up()

    def _set_port(self, name: str, state: str) -> None:
        with IPRoute() as route:
            route.link("set", index=_index(route, port_of(name)), state=state)


def _index(route: IPRoute, name: str) -> int:
    return int(route.link_lookup(ifname=name)[0])


def _loopback_up() -> None:
    with IPRoute() as route:
        route.link("set", index=_index(route, "lo"), state="up")


def _create(name: str) -> None:
    """Makes a named namespace on a thread of its own: `netns.create` would fork, unsafe among threads."""

    def unshare_and_attach() -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"unshare: {os.strerror(ctypes.get_errno())}")
        netns.attach(name, threading.get_native_id())

    with ThreadPoolExecutor(max_workers=1) as lane:
        lane.submit(unshare_and_attach).result()


def processes_in(names: list[str]) -> list[int]:
    """The ids of the processes in these namespaces, whoever started them."""
    paths = [Path(netns.NETNS_RUN_DIR, name) for name in names]
    inodes = {path.stat().st_ino for path in paths if path.exists()}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if (process / "ns/net").stat().st_ino in inodes:
                found.append(int(process.name))
    return found


def _remove(names: list[str]) -> None:
    """Ends every process in these namespaces, and removes them."""
    for pid in processes_in(names):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for name in names:
        with suppress(FileNotFoundError):  # another process has cleaned up, too
            netns.remove(name)


def _ping(target: str, timeout_s: float) -> float | None:
    started = time.monotonic()
    identifier = threading.get_native_id() & 0xFFFF
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.settimeout(0.25)
        for sequence in count():
            if time.monotonic() - started > timeout_s:
                return None
            try:
                raw.sendto(_echo_request(identifier, sequence), (target, 0))
                while not _is_reply(raw.recv(2048), identifier):
                    pass
                return time.monotonic() - started
            except TimeoutError:
                continue
            except OSError:  # no route, or no neighbour: the next attempt tells
                time.sleep(0.1)
    return None


def _echo_request(identifier: int, sequence: int) -> bytes:
    bare = _PING_HEADER.pack(_ECHO_REQUEST, 0, 0, identifier, sequence & 0xFFFF)
    total = sum(struct.unpack("!4H", bare))
    checksum = ~((total >> 16) + (total & 0xFFFF)) & 0xFFFF
    return _PING_HEADER.pack(_ECHO_REQUEST, 0, checksum, identifier, sequence & 0xFFFF)


def _is_reply(packet: bytes, identifier: int) -> bool:
    header_bytes = (packet[0] & 0x0F) * 4  # a raw socket hands out the IP header too (RFC 791, section 3.1)
    kind, _, _, theirs, _ = _PING_HEADER.unpack_from(packet, header_bytes)
    return bool(kind == _ECHO_REPLY and theirs == identifier)
