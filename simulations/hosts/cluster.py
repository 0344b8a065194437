"""
A cluster of real daemons, the CNI program called on each of its hosts, and a ledger of every answer.

The ledger is the judge: it knows only what the CNI program printed, never what a daemon believes.
Does not know whether the network between the daemons is namespaces or a relay.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulations.hosts.closable import Closable
from simulations.hosts.conflist import Attachment, addresses_of, call_plugin
from simulations.hosts.place import Network, within
from simulations.hosts.processes import READY_TIMEOUT_S, Daemon, DaemonPlan, HttpError
from weaveipam.daemon.keyring import KeyringFile
from weaveipam.protocol.keyring import Key, KeyRing

CNI_NETWORK = "demo"
"""Name of the network in configurations that call our program directly."""


@dataclass(slots=True)
class Ledger:
    """Which container holds which addresses, by the answers of the CNI program; safe among threads."""

    duplicates: list[str] = field(default_factory=list)
    """One sentence for each address that was answered while another container held it; must stay empty."""
    answers_count: int = 0
    """Addresses answered, ever."""
    _held: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _holders: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def given(self, container: str, addresses: Sequence[str]) -> None:
        """Writes an answer down; to be called as soon as it is there."""
        with self._lock:
            for address in addresses:
                holder = self._holders.setdefault(address, container)
                if holder != container:
                    self.duplicates.append(f"{address} was given to {container}, but {holder} has it")
            if container not in self._held:
                self.answers_count += len(addresses)
            elif self._held[container] != tuple(addresses):
                self.duplicates.append(f"{container} had {self._held[container]}, was told {addresses}")
            self._held[container] = tuple(addresses)

    def returned(self, container: str) -> None:
        """Strikes a container out; to be called before its DEL, since another may get the address at once."""
        with self._lock:
            for address in self._held.pop(container, ()):
                del self._holders[address]

    def held(self) -> dict[str, tuple[str, ...]]:
        """A copy of who holds what now, keyed by container."""
        with self._lock:
            return dict(self._held)


class HostRuntime:
    """What a container runtime's main plugin does on one host: calls the IPAM program, and nothing else."""

    def __init__(self, program: Path, socket: Path, namespace: str | None, ledger: Ledger) -> None:
        self._program = program
        self._socket = socket
        self._namespace = namespace
        self._ledger = ledger
        self._results: dict[str, dict[str, Any]] = {}

    def add(self, container: str) -> tuple[str, ...]:
        """
        The addresses of a container, written into the ledger.

        Raises:
            PluginError: the program refused.
        """
        result = self.call("ADD", container)
        addresses = addresses_of(result)
        self._ledger.given(container, addresses)
        self._results[container] = result
        return addresses

    def check(self, container: str) -> None:
        """
        Asks whether the container still has what it was given.

        Raises:
            PluginError: it has not.
        """
        self.call("CHECK", container, prevResult=self._results[container])

    def delete(self, container: str) -> None:
        """
        Gives a container's addresses back.

        Raises:
            PluginError: the program refused.
        """
        self._ledger.returned(container)
        self.call("DEL", container)
        self._results.pop(container, None)

    def containers(self) -> list[str]:
        """Who was added here and not deleted since, sorted."""
        return sorted(self._results)

    def call(self, verb: str, container: str | None, **extra: Any) -> dict[str, Any]:
        """The program's answer to one verb, with further configuration keys; nothing is written down."""
        ipam = {"type": "weaveipam", "socket": str(self._socket)}
        config = {"cniVersion": "1.0.0", "name": CNI_NETWORK, "type": "bridge", "ipam": ipam, **extra}
        attachment = None if container is None else Attachment(container, f"/var/run/netns/{container}")
        directories = [self._program.parent]
        return within(
            self._namespace, lambda: call_plugin(self._program, verb, attachment, config, directories)
        )


class Cluster(Closable):
    """Daemons by name; all are ended by `close`, or at the end of a `with`."""

    def __init__(self, plans: Iterable[DaemonPlan], program: Path, ledger: Ledger | None = None) -> None:
        """Takes the daemons and the CNI program; starts nothing yet."""
        self.ledger = ledger if ledger is not None else Ledger()
        self.daemons = {plan.name: Daemon(plan) for plan in plans}
        self.runtimes = {
            name: HostRuntime(program, daemon.cni_socket, daemon.plan.place.namespace, self.ledger)
            for name, daemon in self.daemons.items()
        }

    def start(self) -> None:
        """
        Starts every daemon, and waits until all are ready.

        Raises:
            DaemonError: one was not, in time.
        """
        for daemon in self.daemons.values():
            daemon.start()
        first = next(iter(self.daemons.values()))
        first.wait(self._all_ready, "ready, with all others", READY_TIMEOUT_S)

    def _all_ready(self) -> bool:
        """Whether all can allocate; raises DaemonError if one has ended: the others might wait in vain."""
        for daemon in self.daemons.values():
            daemon.demand_running()
        return all(daemon.ask("GET", "/readyz") is not None for daemon in self.daemons.values())

    def close(self) -> None:
        """Ends every daemon; harmless when repeated."""
        for daemon in self.daemons.values():
            daemon.ask_to_end()
        for daemon in self.daemons.values():
            daemon.close()

    def rings(self) -> list[Any]:
        """What each daemon says of who owns what, in order of the daemons."""
        return [daemon.ask("GET", "/v1/ring") for daemon in self.daemons.values()]

    def states(self, viewer: str) -> dict[str, str]:
        """The state of each member by name, as one daemon sees it."""
        members = self.daemons[viewer].ask("GET", "/v1/members")
        return {member["name"]: member["state"] for member in members}

    def agrees(self) -> bool:
        """Whether all daemons hold the same ring, and each sees all others alive."""
        try:
            rings = self.rings()
            states = [self.states(name) for name in self.daemons]
        except (HttpError, OSError):
            return False
        alive = dict.fromkeys(self.daemons, "alive")
        return all(ring == rings[0] for ring in rings) and all(state == alive for state in states)

    def wait_agreed(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """
        Waits until all agree.

        Raises:
            DaemonError: they did not, in time.
        """
        next(iter(self.daemons.values())).wait(self.agrees, "in agreement with the others", timeout_s)


def plan_cluster(
    names: Sequence[str], network: Network, directory: Path, pools: tuple[str, ...]
) -> list[DaemonPlan]:
    """
    Daemons that form one ring together: each is a seed, was told of all others, and has the same key.

    The key lies in the directory, and is made if it is not there yet.
    """
    keyring = directory / "keyring"
    if not keyring.exists():
        KeyringFile(keyring).write(KeyRing((Key(secrets.token_bytes(16)),)))
    places = {name: network.place(name) for name in names}
    return [
        DaemonPlan(
            name=name,
            directory=directory / name,
            place=places[name],
            join=tuple(place.advertise for other, place in places.items() if other != name),
            seeds=tuple(sorted(names)),
            pools=pools,
            keyring=keyring,
        )
        for name in names
    ]
