"""
Clients on real hosts: container runtimes that call the CNI program, wait, and call it again to delete.

Every call is stated as facts, by what the program printed: `Asked` before it is called, the answer once its
output is read.  Before a deletion the program is asked to CHECK, so that it shows whether the daemon still
has what it gave.  Does not know what is right, nor when trouble is due.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random

from cni.codes import Code
from ring.address import Range, parse_address
from simulations.facts import Asked, Emptied, Given, Refused, Taken, Vanished
from simulations.hosts.conflist import PluginError
from simulations.hosts.host import Host, Pod, addresses_in
from simulations.hosts.journal import Journal
from simulations.hosts.namespaces import Lab
from weaveipam.protocol.requests import Reason
from weaveipam.protocol.values import DEFAULT_NETWORK, RingId

WORKERS = 24
"""Calls under way at once; a runtime that finds all of them busy leaves out its turn."""

REPEATED = 0.05
"""The share of ADDs that the runtime repeats, as if it had not seen the answer."""

PLUGGED_MAX = 6
"""Pods at one time that are real namespaces, plugged in by the bridge plugin; each call takes far longer."""

DELETIONS_MAX = 3
"""Attempts; the program succeeds if the daemon is away, too, so that only its own death makes it fail."""

_REASONS = {
    Code.EXHAUSTED: Reason.EXHAUSTED,
    Code.IN_USE: Reason.IN_USE,
    Code.NOT_OWNER: Reason.NOT_OWNER,
    Code.CONFLICT: Reason.CONFLICT,
    Code.BAD_CONFIG: Reason.INVALID,
}
"""Codes by which the daemon says that it did nothing.  Any other leaves open whether it did."""

_FORGOTTEN = frozenset({Code.NOTHING_HELD, Code.DIFFERENT})

Addresses = tuple[tuple[RingId, Range], ...]


@dataclass(frozen=True, slots=True)
class _Demand:
    """What clients want as time passes."""

    adds_per_s: float = 0.0
    hold_s: float = 0.0
    hosts: tuple[str, ...] = ()


class Clients:
    """The runtimes of all hosts; their threads run from `__init__` to `close`."""

    def __init__(
        self, hosts: dict[str, Host], journal: Journal, chance: Random, lab: Lab | None = None
    ) -> None:
        """
        Nobody asks for anything at first.

        Args:
            hosts: By name; may grow.
            journal: Where facts go.
            chance: For who is asked, and when.
            lab: Where pods get namespaces; None: pods are only asked for.
        """
        self._hosts = hosts
        self._journal = journal
        self._chance = chance
        self._lab = lab
        self._demand = _Demand()
        self._next_add_at = 0.0
        self._pods: dict[str, tuple[Host, Pod]] = {}
        """What is held, by container."""
        self._due: list[tuple[float, str]] = []
        """When which container is deleted."""
        self._numbers = count(1)
        self._plugged_count = 0
        self._busy_count = 0
        self._closing = False
        self._changed = threading.Condition(journal.lock)
        self._workers = ThreadPoolExecutor(WORKERS, "runtime")
        self._thread = threading.Thread(target=self._run, name="clients", daemon=True)
        self._thread.start()

    def load(self, adds_per_s: float, hold_s: float, at: Sequence[str]) -> None:
        """As of `Stage.load`."""
        with self._changed:
            self._demand = _Demand(adds_per_s, hold_s, tuple(at))
            self._plan_add()
            self._changed.notify()

    def burst(self, number: int, at: Sequence[str]) -> int:
        """As of `Stage.burst`, at daemons that are not down; pods hold what they get until it is released."""
        up = [self._hosts[name] for name in at if self._hosts[name].daemon.pid is not None]
        hosts = [up[turn % len(up)] for turn in range(number if up else 0)]
        return sum(self._workers.map(partial(self._add, hold_s=None), hosts))

    def release(self, at: Sequence[str]) -> None:
        """Delete all pods at these hosts, or anywhere, and wait until that is done."""
        with self._changed:
            names = [container for container, (host, _) in self._pods.items() if not at or host.name in at]
        list(self._workers.map(self._delete, names))

    def lose_power(self, host: Host) -> None:
        """The host's processes and pods are gone at once."""
        host.lose_power()
        with self._changed:
            self._journal.state(partial(Emptied, machine=host.name))
            for pod in self.pods_of(host):
                self._drop(host, pod)

    def roll_back(self, host: Host, pods: Sequence[Pod]) -> None:
        """The host's processes are gone, and of its pods those that it had not had when it had these."""
        host.lose_power()
        with self._changed:
            known = {pod.container for pod in pods}
            for pod in self.pods_of(host):
                if pod.container not in known:
                    number = self._ask(host, pod, give=False)
                    self._journal.state(partial(Vanished, request=number))
                    self._drop(host, pod)
            host.lost = [pod for pod in pods if pod.container not in self._pods]

    def power_on(self, host: Host) -> None:
        """The runtime deletes the pods that are gone, as soon as its daemon answers."""
        lost, host.lost = host.lost, []
        for pod in lost:
            self._submit(self._end, host, pod)

    def pods_of(self, host: Host) -> list[Pod]:
        """What is held there."""
        with self._changed:
            return [pod for other, pod in self._pods.values() if other is host]

    def misled(self) -> list[str]:
        """A sentence for each pod whose namespace holds other addresses than were printed for it."""
        with self._changed:
            pods = [(pod, pod.namespace) for _, pod in self._pods.values() if pod.namespace is not None]
        found = []
        for pod, namespace in pods:
            with suppress(OSError):  # it has just been removed
                found.append((pod, addresses_in(namespace)))
        with self._changed:  # of those that are being deleted nobody knows what they should hold
            return [
                f"{pod.container} holds {held}, and was told {pod.addresses}"
                for pod, held in found
                if pod.container in self._pods and held != tuple(sorted(pod.addresses))
            ]

    def stop(self) -> None:
        """Begin no more calls."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def close(self) -> None:
        """As `stop`, and wait for those under way."""
        self.stop()
        self._thread.join()
        self._workers.shutdown(cancel_futures=True)

    # Time

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closing and self._wait_s() > 0:
                    self._changed.wait(min(self._wait_s(), threading.TIMEOUT_MAX))
                if self._closing:
                    return
                self._begin()

    def _wait_s(self) -> float:
        due = [self._due[0][0]] if self._due else []
        if self._demand.adds_per_s:
            due.append(self._next_add_at)
        return min(due, default=float("inf")) - self._journal.now

    def _begin(self) -> None:
        """Begin whatever is due."""
        now = self._journal.now
        while self._due and self._due[0][0] <= now:
            self._submit(self._delete, heappop(self._due)[1])
        if self._demand.adds_per_s and self._next_add_at <= now:
            self._plan_add()
            names = self._demand.hosts or tuple(self._hosts)
            hosts = [self._hosts[name] for name in names if self._hosts[name].running]
            if hosts and self._busy_count < WORKERS:
                hold_s = self._chance.expovariate(1 / max(self._demand.hold_s, 1e-3))
                self._submit(self._add, self._chance.choice(hosts), hold_s)

    def _plan_add(self) -> None:
        if self._demand.adds_per_s:
            self._next_add_at = self._journal.now + self._chance.expovariate(self._demand.adds_per_s)

    def _submit(self, job: Callable[..., object], *args: object) -> None:
        with self._changed:
            if self._closing:
                return
            self._busy_count += 1
            self._workers.submit(job, *args).add_done_callback(self._done)

    def _done(self, job: Future[object]) -> None:
        with self._changed:
            self._busy_count -= 1
        error = None if job.cancelled() else job.exception()
        if error is not None and not self._closing:
            self._journal.accuse("claim", f"the CNI program answers: {error!r}")

    # One call

    def _add(self, host: Host, hold_s: float | None) -> bool:
        """Whether a new pod got an address; it is deleted after `hold_s`, or stays if that is None."""
        pod, powers = self._make_pod(may_plug=hold_s is not None), host.powers_count
        if not self._ask_for(host, pod, powers):
            return False
        if pod.namespace is None and self._chance.random() < REPEATED:
            self._ask_for(host, pod, powers)
        with self._changed:
            lives = host.powers_count == powers
            if lives:
                self._pods[pod.container] = host, pod
                if hold_s is not None:
                    heappush(self._due, (self._journal.now + hold_s, pod.container))
                    self._changed.notify()
        if not lives:
            self._end(host, pod)
        return lives

    def _make_pod(self, *, may_plug: bool) -> Pod:
        container = f"pod{next(self._numbers)}"
        with self._changed:
            if self._lab is None or not may_plug or self._plugged_count >= PLUGGED_MAX or self._closing:
                return Pod(container, None)
            self._plugged_count += 1
        return Pod(container, self._lab.add_pod())

    def _unplug(self, pod: Pod) -> None:
        if pod.namespace is not None and self._lab is not None:
            with self._changed:
                self._plugged_count -= 1
            self._lab.remove_pod(pod.namespace)
            pod.namespace = None

    def _drop(self, host: Host, pod: Pod) -> None:
        """A pod is gone without having been deleted."""
        del self._pods[pod.container]
        self._unplug(pod)
        host.lost.append(pod)

    def _ask_for(self, host: Host, pod: Pod, powers: int) -> bool:
        number = self._ask(host, pod, give=True)
        try:
            host.add(pod)
        except PluginError as error:
            reason = _REASONS.get(Code(error.code)) if error.code in set(Code) else None
            self._fail(host, pod, number, reason, str(error))
            return False
        addresses = _addresses(pod.addresses)
        with self._changed:
            lives = host.powers_count == powers
            if lives:
                self._journal.state(partial(Given, request=number, addresses=addresses, immediate=False))
            else:  # whoever asked is gone, and so is the pod
                self._journal.state(partial(Vanished, request=number))
        if not lives:
            self._end(host, pod)
        return lives

    def _fail(self, host: Host, pod: Pod, number: int, reason: Reason | None, detail: str) -> None:
        with self._changed:
            self._journal.failures[str(reason or "no-answer")] += 1
            if reason is None:
                self._journal.state(partial(Vanished, request=number))
            else:
                self._journal.state(partial(Refused, request=number, reason=str(reason), detail=detail))
        if reason is None:  # a runtime deletes what it does not know to have failed
            self._end(host, pod)
        else:
            self._unplug(pod)

    def _delete(self, container: str) -> None:
        with self._changed:
            found = self._pods.pop(container, None)
        if found is None:  # somebody else has deleted it, or it went with its host
            return
        host, pod = found
        self._end(host, pod, checked=True)

    def _end(self, host: Host, pod: Pod, *, checked: bool = False) -> None:
        """Delete a pod; `checked`: the daemon is asked beforehand whether it still has what it gave."""
        shown = self._checked(host, pod) if checked else None
        for _ in range(DELETIONS_MAX):
            number = self._ask(host, pod, give=False)
            try:
                host.delete(pod)
            except PluginError:  # it was killed, with its host, and comes again
                self._journal.state(partial(Vanished, request=number))
                continue
            if shown is None:
                self._journal.state(partial(Vanished, request=number))
            else:
                self._journal.state(partial(Taken, request=number, addresses=shown))
            break
        self._unplug(pod)

    def _checked(self, host: Host, pod: Pod) -> Addresses | None:
        """What the daemon says that a pod holds; None if it does not say."""
        if not host.running:
            return None
        try:
            host.check(pod)
        except PluginError as error:
            return () if error.code in _FORGOTTEN else None
        return _addresses(pod.addresses)

    def _ask(self, host: Host, pod: Pod, *, give: bool) -> int:
        number, key = self._journal.next_request(), host.key(pod)
        self._journal.state(
            partial(Asked, request=number, machine=host.name, life=host.life, key=key, give=give)
        )
        return number


def _addresses(printed: Sequence[str]) -> Addresses:
    found = []
    for one in printed:
        family, address = parse_address(one)
        found.append((RingId(DEFAULT_NETWORK, family), Range(address, address + 1)))
    return tuple(found)
