"""
A stage of real daemons: hosts in network namespaces, real time, real trouble, the CNI program as load.

Written for few hosts and short times.  What it cannot do, or does only in part, it says in `unavailable`
and goes on.  Does not know scenarios, nor what is right.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address
from itertools import permutations
from pathlib import Path
from random import Random

from simulations.checkers.convergence import disagreements
from simulations.facts import Condemned, Departed, Down, Forgot, View
from simulations.hosts.cluster import plan_cluster
from simulations.hosts.conflist import DEBIAN_PLUGINS
from simulations.hosts.host import Host, Pod
from simulations.hosts.impair import Segment
from simulations.hosts.journal import Journal
from simulations.hosts.load import Clients
from simulations.hosts.processes import DaemonError, DaemonPlan, HttpError
from simulations.hosts.watcher import Reach, Watcher
from simulations.pools import size_of
from simulations.releases import RELEASES, Release
from simulations.stage import UNOPENED, CannotError
from weaveipam.daemon.keyring import KeyringFile
from weaveipam.protocol.keyring import Key, KeyRing
from weaveipam.protocol.values import Pool

OBSERVE_S = 0.5
"""From one look at the daemons to the next."""

OBSERVE_CLOSELY_S = 0.05
"""While daemons that reach each other hold different rings, and for a while after something was healed."""

CLOSELY_S = 2.0

START_S = 5.0
"""How long a start waits for the daemon to serve; after that it goes on starting by itself."""

SETTLE_S = 30.0
"""In which all must agree once all is healed."""

LOG_LINES_MAX = 100_000
"""Of one daemon that are searched."""

DRAIN_MAX = 1024
"""Addresses that are asked for, at the end, to see whether all can be had."""

_NETWORK = IPv4Address("172.30.0.0")
"""Of the hosts."""
_HOSTS_ADRAIN_MAX = 1024
"""Addresses that are asked for, at the end, to see whether all can be had."""

_NETWORK = IPv4Address("172.30.0.0")
"""Of the hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What there is when a scenario begins."""

    nodes: int
    seconds: float
    pool: Pool
    pool_text: str
    """The same, as on the daemon's command line."""
    preset: str
    rest_s: float
    """How long all addresses must rest before all can be had."""
    seed: int
    directory: Path
    keyring: KeyRing | None = None
    """What daemons start with; None: some key."""
    consensus: bool = False
    """Whether daemons are told only how many form the cluster, and not which."""
    formed: bool = True
    """Whether there is a cluster when the scenario begins."""


class HostStage:
    """See `simulations.stage.Stage`, which says what each method does; to be closed in the end."""

    def __init__(self, setting: Setting, segment: Segment, watch: Callable[[float], None]) -> None:
        """An empty stage; `watch` is told the share of `Setting.seconds` that has passed."""
        self.seconds = setting.seconds
        self.unavailable: dict[str, None] = {}
        """Sentences, in order, each once."""
        self.journal = Journal()
        self._setting = setting
        self._segment = segment
        self._watch = watch
        self._ends_at = time.monotonic() + setting.seconds
        self._closely_until = 0.0
        self._looked_at = 0.0
        self._hosts: dict[str, Host] = {}
        self._saved: dict[str, list[Pod]] = {}
        self._gone: set[str] = set()
        """Hosts that are lost for good."""
        self._retired: set[str] = set()
        """Hosts whose daemon has left, and is not started again."""
        self._rolled_back = False
        """Whether a disk went back in time, so that a life is over whose addresses nobody else may take."""
        has_bridge = (DEBIAN_PLUGINS / "bridge").is_file()
        if not has_bridge:
            self.lack("pods are no namespaces: the bridge plugin is not installed")
        self.watcher = Watcher(self._hosts, (setting.pool,), self.journal, segment.sent_bytes)
        lab = segment.lab if has_bridge else None
        self.clients = Clients(self._hosts, self.journal, Random(f"{setting.seed}/clients"), lab)
        self.nodes = setting.nodes
        """As many as there are at first."""

    def open(self) -> None:
        """
        Make the first hosts, start their daemons, and wait until they serve and agree, if they shall.

        Raises:
            DaemonError: one did not serve, in time.
            ConfigError: the CNI program has not been built.
        """
        setting, names = self._setting, [self._plug_in() for _ in range(self.nodes)]
        for plan in plan_cluster(names, self._segment.lab, setting.directory, (setting.pool_text,)):
            keyring = self._keyring(plan.name, setting.keyring) or plan.keyring
            told = replace(plan, preset=setting.preset, keyring=keyring)
            if setting.consensus:
                told = replace(told, seeds=(), consensus=len(names))
            self._hosts[plan.name] = Host(plan.name, told)
        for host in self._hosts.values():
            host.start()
        if setting.formed:
            for host in self._hosts.values():
                host.daemon.wait_ready()
            self.settle()
        self._ends_at = time.monotonic() + self.seconds

    def close(self) -> None:
        """End all daemons, clients and namespaces, whatever they are doing; harmless when repeated."""
        self.journal.close()
        self.clients.stop()
        self._segment.close()
        self.clients.close()
        self._segment.close()  # a client may just have made a pod
        for host in self._hosts.values():
            host.kill()

    @property
    def names(self) -> Sequence[str]:
        """As of `Stage`."""
        return tuple(self._hosts)

    @property
    def pool_size(self) -> int:
        """As of `Stage`."""
        return size_of((self._setting.pool,))

    def run(self, seconds: float) -> None:
        """As of `Stage`."""
        until = time.monotonic() + seconds
        while True:
            left_s = until - time.monotonic()
            fraction = 1 - (self._ends_at - time.monotonic()) / self.seconds
            self._watch(min(max(fraction, 0.0), 1.0))
            if left_s <= 0:
                return
            closely = self.watcher.differ or time.monotonic() < self._closely_until
            time.sleep(min(left_s, OBSERVE_CLOSELY_S if closely else OBSERVE_S))
            self._observe()

    # Clients

    def load(self, adds_per_s: float, hold_s: float, at: Sequence[str] = ()) -> None:
        """As of `Stage`."""
        self.journal.end("load")
        if adds_per_s:
            text = f"{adds_per_s:g} ADD/s, held for {hold_s:g} s"
            self.journal.mark("load", at, text, lasting=True)
        self.clients.load(adds_per_s, hold_s, at)

    def burst(self, count: int, at: Sequence[str]) -> int:
        """As of `Stage`."""
        self.journal.mark("load", at, f"{count} ADDs at once")
        return self.clients.burst(count, at)

    def release(self, at: Sequence[str] = ()) -> None:
        """As of `Stage`."""
        self.journal.mark("load", at, "all is given back")
        self.clients.release(at)

    # The network

    def split(self, *groups: Sequence[str]) -> None:
        """As of `Stage`."""
        side = {name: number for number, group in enumerate(groups) for name in group}
        pairs = [
            (one, other)
            for one, other in permutations(self._hosts, 2)
            if one not in side or side[one] != side.get(other)
        ]
        text = " | ".join(" ".join(group) for group in groups)
        self._cut(pairs, (), f"split: {text}" if text else "everybody alone")

    def cut(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """As of `Stage`."""
        pairs = [(one, other) for one in sources for other in targets if one != other]
        self._cut(
            pairs, (*sources, *targets), f"nothing passes from {' '.join(sources)} to {' '.join(targets)}"
        )

    def heal(self) -> None:
        """As of `Stage`."""
        self._segment.heal()
        self.journal.end("cut")
        self.journal.end("slow")
        self._closely_until = time.monotonic() + CLOSELY_S
        if self._hosts:
            self._observe()

    def impair(
        self, at: Sequence[str], *, delay_s: float = 0.0, loss: float = 0.0, bytes_per_s: float = 0.0
    ) -> None:
        """As of `Stage`."""
        words = [f"{1000 * delay_s:g} ms"] if delay_s else []
        words += [f"{100 * loss:g} % lost"] if loss else []
        words += [f"{bytes_per_s / 1000:g} kB/s"] if bytes_per_s else []
        self.journal.end("slow", at)
        self.journal.mark("slow", at, ", ".join(words), lasting=True)
        with self._if_possible():
            self._segment.impair(at, delay_s=delay_s, loss=loss, bytes_per_s=bytes_per_s)

    # Machines

    def join(self, count: int) -> Sequence[str]:
        """As of `Stage`."""
        running = tuple(
            host.daemon.plan.place.advertise for host in self._hosts.values() if host.daemon.pid is not None
        )
        fresh = []
        for _ in range(count):
            name = self._plug_in()
            plan = replace(self._plan_alike(name), name=name, seeds=(), consensus=0, pools=(), join=running)
            self._hosts[name] = Host(name, plan)
            fresh.append(name)
        self.journal.mark("join", fresh, "new daemons")
        self._start(fresh)
        return fresh

    def kill(self, *names: str) -> None:
        """As of `Stage`."""
        self._end(names, "crash", "kill -9", Host.kill)

    def stop(self, *names: str) -> None:
        """As of `Stage`."""
        self._end(names, "stop", "SIGTERM", self._stop)

    def leave(self, *names: str) -> None:
        """As of `Stage`."""
        self.clients.release(names)
        self._retired.update(names)
        for name in names:
            life = self._hosts[name].life
            self._end([name], "stop", "told to leave", self._leave)
            self.journal.state(partial(Departed, machine=name, life=life))

    def start(self, *names: str) -> None:
        """As of `Stage`."""
        self._gone.difference_update(names)
        down = [name for name in names if self._hosts[name].daemon.pid is None and name not in self._retired]
        if down:
            self.journal.mark("start", down, "started again")
            self._start(down)

    def power_cut(self, *names: str) -> None:
        """As of `Stage`."""
        self.lack(
            "a power cut ends all processes and pods of a host, but what they wrote without syncing survives"
        )
        self._end(names, "power-cut", "power cut", self.clients.lose_power)

    def lose(self, *names: str) -> None:
        """As of `Stage`."""
        self._end(names, "crash", "lost for good", self.clients.lose_power)
        self._gone.update(names)

    def remove(self, names: Sequence[str], at: str, wait_s: float, *, force: bool = False) -> bool:
        """As of `Stage`; the daemon that is asked goes on by itself."""
        self.journal.mark("phase", (at, *names), f"{at} is to remove {' '.join(names)}")
        self.journal.state(partial(Condemned, lives=tuple(self._hosts[name].life for name in names)))
        deadline = time.monotonic() + wait_s
        survivors: list[str] | None = None
        while True:
            body = {"also": list(names[1:]), "force": force, "survivors": survivors}
            view = self._hosts[at].daemon.ask("POST", f"/v1/peers/{names[0]}/remove", body)
            fenced, removed = ({one["name"] for one in view[part]} for part in ("fenced", "removed"))
            if removed.issuperset(names) and fenced.isdisjoint(names):
                return True
            if "survive" in view["detail"]:
                survivors = [name for name in self._hosts if name not in self._gone]
            if time.monotonic() > deadline:
                return False
            self.run(OBSERVE_S)

    def install(self, release: Release, *names: str) -> None:
        """As of `Stage`, but there is only one release to install."""
        assert release in RELEASES
        assert not any(self._hosts[name].daemon.pid for name in names)
        self.lack("every daemon is of the same release")

    def pause(self, *names: str) -> None:
        """As of `Stage`."""
        for name in names:
            self._hosts[name].pause()
            self.journal.mark("pause", (name,), "SIGSTOP", lasting=True)
        self.watcher.passes(self._reach())

    def resume(self, *names: str) -> None:
        """As of `Stage`."""
        for name in names:
            self._hosts[name].resume()
            self.journal.end("pause", (name,))

    def snapshot(self, name: str) -> None:
        """As of `Stage`."""
        self.lack(
            "a snapshot is a copy of the data directory and the spool, taken while the daemon stands still; "
            "when it is put back, pods made since are gone, and those deleted since are deleted once more"
        )
        host = self._hosts[name]
        host.save(self._saved_at(name))
        self._saved[name] = self.clients.pods_of(host)
        self.journal.mark("disk", (name,), "snapshot")

    def roll_back(self, name: str, *, apart: bool = False) -> None:
        """As of `Stage`."""
        self._end((name,), "disk", "rolled back", partial(self.clients.roll_back, pods=self._saved[name]))
        self._hosts[name].restore(self._saved_at(name))
        self._rolled_back = True
        self.journal.state(partial(Forgot, machine=name, older=True, apart=apart))
        self._start((name,))

    def clone(self, name: str) -> str:
        """As of `Stage`."""
        original, copy = self._hosts[name], self._plug_in()
        source = self._setting.directory / f"{copy}.image"
        original.save(source)
        # An image carries the configuration too, and with it the daemon's name; only the address is new.
        self._hosts[copy] = Host(copy, replace(self._plan_alike(copy), name=original.daemon.plan.name))
        self._hosts[copy].restore(source)
        self.journal.mark("join", (copy,), f"a copy of {name}")
        self._start((copy,))
        return copy

    def scrap(self, name: str) -> None:
        """As of `Stage`."""
        self._gone.add(name)
        self.kill(name)

    # Conflicts

    def contested(self) -> int:
        """As of `Stage`."""
        return sum(view.contested for view in self._observe().values())

    def resolve(self) -> int:
        """As of `Stage`: the first daemon that lists one is asked, and the other one keeps the range."""
        decided: set[str] = set()
        for name, host in self._hosts.items():
            for one in host.daemon.ask("GET", "/v1/conflicts")["contested"] if host.running else ():
                if one["range"] not in decided:
                    decided.add(one["range"])
                    body = {"range": one["range"], "owner": one["theirs"]["owner"], "network": one["network"]}
                    host.daemon.ask("POST", "/v1/conflicts/resolve", body)
                    self.journal.mark("phase", (name,), f"{one['range']} goes to {one['theirs']['owner']}")
        return len(decided)

    # Keys

    def set_keys(self, at: Sequence[str], *keys: Key) -> None:
        """As of `Stage`; only where the scenario begins with a key ring."""
        self.journal.mark("phase", at, f"keys {', '.join(key.id for key in keys)}")
        for name in at:
            daemon = self._hosts[name].daemon
            assert daemon.plan.keyring is not None, "the scenario has a KEYRING"
            KeyringFile(daemon.plan.keyring).write(KeyRing(keys))
            if daemon.pid is not None:
                daemon.ask("POST", "/v1/keyring/reload")

    def unopened(self) -> int:
        """As of `Stage`; at least one for each daemon and kind, as logs tell of one in a minute."""
        count = 0
        for host in self._hosts.values():
            lines = host.daemon.log_tail(LOG_LINES_MAX).splitlines()
            count += sum(f'"event": "{event}"' in line for line in lines for event in UNOPENED)
        return count

    # Judgement

    def claim(self, text: str, held: object) -> None:
        """As of `Stage`."""
        self.journal.mark("phase", (), text if held else f"NOT: {text}")
        if not held:
            self.journal.accuse("claim", text)

    def settle(self) -> None:
        """As of `Stage`."""
        self.heal()
        self.resume(*(name for name, host in self._hosts.items() if host.paused))
        self.start(*(name for name in self._hosts if name not in self._gone))
        self.journal.mark("phase", (), "all is healed")
        deadline = time.monotonic() + SETTLE_S
        while problems := self._problems(self._observe()):
            if time.monotonic() > deadline:
                text = f"no agreement within {SETTLE_S:g} s after healing: {'; '.join(problems)}"
                self.journal.accuse("convergence", text)
                return
            time.sleep(OBSERVE_CLOSELY_S)

    def judge(self) -> None:
        """At the end: all is given back, agrees, rests, and can be handed out again to the last address."""
        self.load(0.0, 0.0)
        self.settle()
        self.clients.release(())
        self.run(self._setting.rest_s)
        views = self._observe(settled=True)
        for name, view in views.items():
            if view.keys:
                self.journal.accuse("durability", f"{name} keeps for nobody: {sorted(view.keys)[:5]}")
        if self.pool_size <= DRAIN_MAX:
            left = [name for name in self._hosts if name not in self._gone | self._retired]
            expected = self.pool_size - self._forgotten(views)
            given = self.burst(self.pool_size, left)
            if given != expected:
                text = f"{given} of {expected} addresses could be had in the end"
                self.journal.accuse("coverage", text)
        self._observe()

    def _forgotten(self, views: Mapping[str, View]) -> int:
        """Addresses that belong to a life whose disk went back in time, until somebody removes that life."""
        return max((view.unreachable for view in views.values()), default=0) if self._rolled_back else 0

    def lack(self, sentence: str) -> None:
        """Note what cannot be done here, or only in part."""
        self.unavailable.setdefault(sentence)

    # Means

    def _observe(self, *, settled: bool = False) -> dict[str, View]:
        self._looked_at = time.monotonic()
        for text in self.clients.misled():
            self.journal.accuse("uniqueness", text)
        for name, host in self._hosts.items():
            if host.expected and host.daemon.pid is None:
                said = host.daemon.log_tail(1)
                self.journal.accuse("node", f"the daemon of {name} has ended by itself; it said: {said}")
                self.journal.state(partial(Down, machine=name))
                host.expected = False
        return self.watcher.observe(self._reach(), settled=settled)

    def _problems(self, views: dict[str, View]) -> list[str]:
        wanted = [name for name in self._hosts if name not in self._gone | self._retired]
        silent = [f"{name} does not answer" for name in wanted if name not in views]
        return [*silent, *disagreements(views)]

    def _reach(self) -> Reach:
        running = [name for name, host in self._hosts.items() if host.running]
        cuts = self._segment.cuts
        return {
            one: frozenset(
                other for other in running if (one, other) not in cuts and (other, one) not in cuts
            )
            for one in running
        }

    def _cut(self, pairs: Iterable[tuple[str, str]], machines: Sequence[str], text: str) -> None:
        self.journal.mark("cut", machines, text, lasting=True)
        with self._if_possible():
            self._segment.cut(pairs)
        self.watcher.passes(self._reach())

    def _end(self, names: Sequence[str], kind: str, text: str, how: Callable[[Host], object]) -> None:
        """End daemons in some way and state that they are down."""
        running = [name for name in names if self._hosts[name].daemon.pid is not None]
        if running:
            self.journal.mark(kind, running, text)
        for name in running:
            self.journal.end("pause", (name,))
            how(self._hosts[name])
            self.journal.state(partial(Down, machine=name))
        self.watcher.passes(self._reach())

    def _stop(self, host: Host) -> None:
        try:
            host.stop()
        except DaemonError as error:
            self.journal.accuse("claim", str(error).partition(";")[0])

    def _leave(self, host: Host) -> None:
        try:
            host.leave()
        except DaemonError as error:
            self.journal.accuse("claim", str(error).partition(";")[0])

    def _start(self, names: Sequence[str]) -> None:
        for name in names:
            self._hosts[name].start()
        deadline = time.monotonic() + START_S
        for name in names:
            host = self._hosts[name]
            self._wait_serving(host, deadline)
            self.clients.power_on(host)

    def _wait_serving(self, host: Host, deadline: float) -> None:
        """Until it serves or the time is up; daemons may have to wait for others until they can serve."""
        while time.monotonic() < deadline and host.daemon.pid is not None:
            try:
                host.daemon.ask("GET", "/readyz")
            except (HttpError, OSError):
                if time.monotonic() > self._looked_at + OBSERVE_S:
                    self._observe()
                time.sleep(0.05)
            else:
                return

    def _plug_in(self) -> str:
        """A new host in the network; its name."""
        number = len(self._segment.names) + 1
        name = f"n{number}"
        self._segment.add_host(name, f"{_NETWORK + number}/16")
        return name

    def _plan_alike(self, name: str) -> DaemonPlan:
        """The plan of the first daemon, for another host."""
        first = next(iter(self._hosts.values())).daemon.plan
        ring = None if first.keyring is None else KeyringFile(first.keyring).read()
        return replace(
            first,
            directory=self._setting.directory / name,
            place=self._segment.lab.place(name),
            keyring=self._keyring(name, ring),
        )

    def _keyring(self, name: str, ring: KeyRing | None) -> Path | None:
        """The file of a host's keys, which is written."""
        if ring is None:
            return None
        path = self._setting.directory / f"{name}.keys"
        KeyringFile(path).write(ring)
        return path

    def _saved_at(self, name: str) -> Path:
        return self._setting.directory / f"{name}.snapshot"

    @contextmanager
    def _if_possible(self) -> Iterator[None]:
        try:
            yield
        except CannotError as error:
            self.lack(str(error))
