"""
One host of a run: its daemon, its pods, and the CNI program that its container runtime would call.

Does not know other hosts, nor who asks for pods.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from cni.install import PROGRAM, conflist, program_path
from ring.ring import Peer
from simulations.hosts.conflist import DEBIAN_PLUGINS, Attachment, ConflistRunner, addresses_of, call_plugin
from simulations.hosts.namespaces import processes_in
from simulations.hosts.place import within
from simulations.hosts.processes import Daemon, DaemonPlan

_IFNAME = "eth0"

LEAVE_S = 30.0
"""How long a daemon may take until it can leave, and then until it has."""


@dataclass(slots=True)
class Pod:
    """A pod, and what the CNI program has printed for it."""

    container: str
    namespace: str | None
    """The path of its network namespace, plugged in by the bridge plugin; None: it is only asked for."""
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def attachment(self) -> Attachment:
        """As the CNI program is told."""
        return Attachment(self.container, self.namespace or f"/var/run/netns/{self.container}", _IFNAME)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those that were printed."""
        return addresses_of(self.result)


class Host:
    """A host in its namespace; nothing runs on it at first."""

    def __init__(self, name: str, plan: DaemonPlan) -> None:
        """
        Prepares its directory.

        Args:
            name: The host's; a copied host runs a daemon of another name.
            plan: Of its daemon.

        Raises:
            ConfigError: the CNI program has not been built.
        """
        self.name = name
        self.daemon = Daemon(plan)
        self.life = Peer(plan.name, 0)
        """The latest that the daemon has shown."""
        self.paused = False
        self.expected = False
        """Whether the daemon was started and nobody has ended it."""
        self.lost: list[Pod] = []
        """Pods that went with the host's power; the runtime deletes them when it is back."""
        self.powers_count = 0
        """How often the host lost its power."""
        programs = plan.directory / "bin"
        programs.mkdir(parents=True)
        self._program = programs / PROGRAM
        self._program.symlink_to(program_path())
        self._paths = (programs, DEBIAN_PLUGINS)
        document = conflist(self.daemon.cni_socket, ())
        self._config = {
            "cniVersion": document["cniVersion"],
            "name": document["name"],
            **document["plugins"][0],
        }
        self.network: str = document["name"]
        file = plan.directory / "pods.conflist"
        file.write_text(json.dumps(document))
        self._runner = ConflistRunner(file, self._paths, plan.place.namespace)

    @property
    def running(self) -> bool:
        """Whether the daemon's process exists and is not paused."""
        return self.daemon.pid is not None and not self.paused

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.daemon.plan.directory / "data"

    @property
    def _spool(self) -> Path:
        return self.daemon.plan.directory / "spool"

    def key(self, pod: Pod) -> str:
        """Under which the daemon keeps what a pod holds."""
        return f"cni/{self.network}/{pod.container}/{_IFNAME}"

    # The container runtime

    def add(self, pod: Pod) -> None:
        """
        Plug a pod in, or only ask for its addresses; what was printed is in the pod then.

        Raises:
            PluginError: a plugin refused, or died.
        """
        if pod.namespace is not None:
            pod.result = self._runner.add(pod.attachment)
        else:
            pod.result = self._call("ADD", pod, {})

    def check(self, pod: Pod) -> None:
        """
        Ask the daemon whether it still has what the pod was given.

        Raises:
            PluginError: it has not, or does not answer.
        """
        self._call("CHECK", pod, {"prevResult": pod.result})

    def delete(self, pod: Pod) -> None:
        """
        Take a pod down.

        Raises:
            PluginError: a plugin refused, or died.
        """
        if pod.namespace is not None:
            self._runner.delete(pod.attachment)
        else:
            self._call("DEL", pod, {})

    def _call(self, verb: str, pod: Pod, extra: Mapping[str, Any]) -> dict[str, Any]:
        config = {**self._config, **extra}
        return within(
            self.daemon.plan.place.namespace,
            lambda: call_plugin(self._program, verb, pod.attachment, config, self._paths),
        )

    # The machine

    def pause(self) -> None:
        """Stop the daemon's process without ending it; nothing if it does not run."""
        self._signal(signal.SIGSTOP)
        self.paused = self.daemon.pid is not None

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)
        self.paused = False

    def start(self) -> None:
        """Start the daemon, which must not run."""
        self.daemon.start()
        self.expected = True

    def stop(self) -> None:
        """
        SIGTERM, and wait until the daemon has ended.

        Raises:
            DaemonError: it did not, in time; it is killed then.
        """
        self.resume()
        self.expected = False
        self.daemon.terminate()

    def leave(self) -> None:
        """
        Tell the daemon to leave for good, as soon as it can, and wait until it has ended.

        Raises:
            DaemonError: it did not, in time; it goes on.
        """
        self.daemon.wait(lambda: self.daemon.ask("POST", "/v1/leave") is not None, "about to leave", LEAVE_S)
        self.expected = False
        self.daemon.wait_end(LEAVE_S)

    def kill(self) -> None:
        """`kill -9` the daemon; nothing if it does not run."""
        self.expected = False
        if self.daemon.pid is not None:
            self.daemon.kill()
        self.paused = False

    def lose_power(self) -> None:
        """End all processes of the host at once: the daemon, and the runtime's calls."""
        namespace = self.daemon.plan.place.namespace
        assert namespace is not None
        self.expected = False
        for pid in processes_in([namespace]):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.kill()
        self.powers_count += 1

    def save(self, target: Path) -> None:
        """
        Copy the disk: the data directory, and the deletions that wait for the daemon.

        The process is stopped meanwhile, so that the copy is what `kill -9` would have left.
        """
        was_running = self.running
        self._signal(signal.SIGSTOP)
        shutil.rmtree(target, ignore_errors=True)
        for source in (self.data, self._spool):
            if source.exists():
                shutil.copytree(source, target / source.name)
        if was_running:
            self._signal(signal.SIGCONT)

    def restore(self, source: Path) -> None:
        """Make the disk what was saved there; the daemon must not run."""
        for target in (self.data, self._spool):
            shutil.rmtree(target, ignore_errors=True)
            if (source / target.name).exists():
                shutil.copytree(source / target.name, target)

    def _signal(self, number: signal.Signals) -> None:
        if self.daemon.pid is not None:
            os.kill(self.daemon.pid, number)


def addresses_in(namespace: str) -> tuple[str, ...]:
    """
    The IPv4 addresses that a pod's namespace holds, sorted.

    Raises:
        OSError: the namespace is gone.
    """
    return within(namespace, _addresses_here)


def _addresses_here() -> tuple[str, ...]:
    with IPRoute() as route:
        index = route.link_lookup(ifname=_IFNAME)
        found = route.get_addr(index=index[0], family=2) if index else ()
        return tuple(sorted(one.get_attr("IFA_ADDRESS") for one in found))
