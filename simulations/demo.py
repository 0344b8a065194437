"""
The demonstration: three real daemons, one of them cut off and one killed, and nothing is given twice.

As root on Linux with the standard `bridge` plugin the daemons are hosts in network namespaces and their pods
ping each other; else they are processes on loopback addresses behind a relay.  Everything claimed at the end
was seen on the way; what was given to whom is judged by the answers of the CNI program alone.
Does not know how daemons work inside.
"""

from __future__ import annotations

import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations, zip_longest
from pathlib import Path
from typing import NamedTuple

from ring.address import parse_cidr
from simulations.hosts.cluster import Cluster, plan_cluster
from simulations.hosts.conflist import DEBIAN_PLUGINS, Attachment, ConflistRunner, PluginError, addresses_of
from simulations.hosts.namespaces import Lab, ping, why_unavailable
from simulations.hosts.place import Network
from simulations.hosts.processes import DaemonError, HttpError
from simulations.hosts.relay import Relay
from simulations.hosts.story import Story, size_of

NAMES = ("alpha", "beta", "gamma")
POOL = "10.32.0.0/24"
"""254 addresses: so few that the demonstration uses most of them, and space has to move."""

FIRST, CROWD, NEIGHBOURS, ISLANDERS = 8, 90, 12, 30
"""Containers on each daemon before the cut; then on alpha (more than its third), beta and gamma."""

WORKERS = 8
"""ADDs under way at once."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A real pod: a namespace that the bridge plugin has plugged into its host."""

    host: str
    attachment: Attachment
    address: str


class Demo:
    """The chapters, in order; each leaves its claims in the story."""

    def __init__(self, story: Story, directory: Path, network: Network) -> None:
        """
        Installs the CNI program and prepares the daemons; starts nothing yet.

        Raises:
            subprocess.CalledProcessError: `weaveipam cni install` failed.
        """
        self.story = story
        self.network = network
        self._lab = network if isinstance(network, Lab) else None
        plans = plan_cluster(NAMES, network, directory, (f"pods={POOL}",))
        installed = {plan.name: install_cni(plan.directory, plan.directory / "api.sock") for plan in plans}
        self.cluster = Cluster(plans, installed[NAMES[0]].program)
        self._pods: list[Pod] = []
        self._bridges = {
            name: ConflistRunner(conflist, (program.parent, DEBIAN_PLUGINS), network.place(name).namespace)
            for name, (program, conflist) in installed.items()
        }

    def run(self) -> None:
        """
        Tells the whole story.

        Raises:
            DaemonError, PluginError, HttpError, OSError: something did not happen that all else needs.
        """
        self.form()
        self.allocate()
        self.cut()
        self.allocate_apart()
        self.heal()
        self.kill()
        self.give_back()
        self.story.claim(
            "nothing was given twice",
            not self.cluster.ledger.duplicates,
            "; ".join(self.cluster.ledger.duplicates[:3])
            or f"{self.cluster.ledger.answers_count} answers of the CNI program",
        )

    def form(self) -> None:
        """Three daemons become one ring."""
        self.story.chapter("A ring of three")
        with self.story.waiting("three daemons start, find each other and share the addresses"):
            self.cluster.start()
            self.cluster.wait_agreed()
        parts = [self._owned(name) for name in NAMES]
        whole = parse_cidr(POOL)[1].size
        seen = " + ".join(map(str, parts)) + f" = {sum(parts)} addresses"
        self.story.claim("three daemons formed one ring", min(parts) > 0 and sum(parts) == whole, seen)
        self._show_ring()

    def allocate(self) -> None:
        """The first addresses, on every daemon."""
        self.story.chapter("Addresses through the CNI program")
        if self._lab is not None:
            for name in NAMES:
                self._add_pod(name)
        seconds = self._add_all(dict.fromkeys(NAMES, FIRST), "first")
        self.story.table(NAMES, self._addresses_by_host())
        evidence = f"{len(seconds)} ADDs, median {1000 * statistics.median(seconds):.1f} ms"
        self.story.claim("every ADD got an address", len(seconds) == FIRST * len(NAMES), evidence)
        self._ping_all("pods ping each other across hosts")

    def cut(self) -> None:
        """One daemon loses all others."""
        self.story.chapter("gamma is cut off")
        self.network.cut("gamma")
        way = "its host's plug is pulled" if self._lab is not None else "the relay drops all its packets"
        self.story.say(f"{way}; nobody tells the daemons")

    def allocate_apart(self) -> None:
        """Both sides go on; the crowd on alpha needs space that beta owns."""
        self.story.chapter("Both sides go on allocating")
        before = self._owned("alpha")
        wanted = {"alpha": CROWD, "beta": NEIGHBOURS, "gamma": ISLANDERS}
        with self.story.waiting(", ".join(f"{count} ADDs on {name}" for name, count in wanted.items())):
            seconds = self._add_all(wanted, "apart")
        evidence = f"{len(seconds)} of {sum(wanted.values())} ADDs, slowest {1000 * max(seconds):.0f} ms"
        self.story.claim("both sides went on allocating", len(seconds) == sum(wanted.values()), evidence)
        with self.story.waiting("both sides notice"):
            self.cluster.daemons["alpha"].wait(self._seen_apart, "aware of the cut")
        self.story.claim("each side saw the other die", held=True)
        for viewer in ("alpha", "gamma"):
            states = ", ".join(f"{name} {state}" for name, state in self.cluster.states(viewer).items())
            self.story.say(f"{viewer} sees {states}; its ring:")
            self.story.strip(POOL, self.cluster.daemons[viewer].ask("GET", "/v1/ring"))
        after = self._owned("alpha")
        self.story.claim(
            "space moved to where it was needed", after > before, f"alpha {before}, then {after}"
        )
        if self._lab is not None:
            self._add_pod("beta")
            self._add_pod("gamma")
            self._ping_across_cut()

    def heal(self) -> None:
        """All agree again."""
        self.story.chapter("The cut is healed")
        self.network.heal("gamma")
        started = time.monotonic()
        with self.story.waiting("all three agree on the ring, and on who is alive"):
            self.cluster.wait_agreed()
        seen = f"{1000 * (time.monotonic() - started):.0f} ms after the heal"
        self.story.claim("all agree again", held=True, evidence=seen)
        self._show_ring()
        self._ping_all("pods added during the cut ping too")
        held, listed = set(self._addresses_held()), self._addresses_listed()
        self.story.claim(
            "all tables match the answers",
            len(listed) == len(held) and set(listed) == held,
            f"{len(held)} addresses in use",
        )

    def kill(self) -> None:
        """A daemon dies without warning, a container is deleted meanwhile, and the daemon comes back."""
        self.story.chapter("beta is killed with kill -9, and started again")
        beta, runtime = self.cluster.daemons["beta"], self.cluster.runtimes["beta"]
        beta.kill()
        gone = runtime.containers()[0]
        runtime.delete(gone)
        self.story.say(f"while it is down the deletion of {gone} is kept for it")
        with self.story.waiting("beta starts again"):
            beta.start()
            beta.wait_ready()
        kept = [name for name in runtime.containers() if self._passes_check("beta", name)]
        self.story.claim(
            "kill -9 lost no allocation",
            kept == runtime.containers(),
            f"CHECK passes for {len(kept)} of {len(runtime.containers())}",
        )
        keys = [one["key"] for one in beta.ask("GET", "/v1/allocations")]
        self.story.claim(
            "nor a deletion while it was down",
            not any(f"/{gone}/" in key for key in keys),
            gone,
        )
        with self.story.waiting("all three agree again"):
            self.cluster.wait_agreed()

    def give_back(self) -> None:
        """Every container is deleted."""
        self.story.chapter("Everything is given back")
        for pod in self._pods:
            self.cluster.ledger.returned(pod.attachment.container_id)
            self._bridges[pod.host].delete(pod.attachment)
        jobs = [
            (name, one) for name, runtime in self.cluster.runtimes.items() for one in runtime.containers()
        ]
        with (
            self.story.waiting(f"{len(jobs) + len(self._pods)} DELs"),
            ThreadPoolExecutor(WORKERS) as workers,
        ):
            list(workers.map(lambda job: self.cluster.runtimes[job[0]].delete(job[1]), jobs))
        left = self._addresses_listed()
        self.story.claim("every address came back", not left, f"{len(left)} left")

    def _add_all(self, wanted: dict[str, int], label: str) -> list[float]:
        """Seconds that each ADD took, of those that succeeded; daemons are called in turn, many at once."""
        lists = ([(name, f"{label}-{name}-{n:02}") for n in range(count)] for name, count in wanted.items())
        jobs = [job for turn in zip_longest(*lists) for job in turn if job is not None]
        with ThreadPoolExecutor(WORKERS) as workers:
            outcomes = list(workers.map(lambda job: self._add(*job), jobs))
        refusals = [outcome for outcome in outcomes if isinstance(outcome, PluginError)]
        if len(refusals) == len(jobs):
            raise refusals[0]  # there is nothing to show
        for refusal in refusals[:3]:
            self.story.say(str(refusal))
        return [outcome for outcome in outcomes if isinstance(outcome, float)]

    def _add(self, name: str, container: str) -> float | PluginError:
        """Seconds, or why not."""
        started = time.monotonic()
        try:
            self.cluster.runtimes[name].add(container)
        except PluginError as error:
            return error
        return time.monotonic() - started

    def _add_pod(self, host: str) -> None:
        assert self._lab is not None
        container = f"pod{len(self._pods) + 1}-{host}"
        attachment = Attachment(container, self._lab.add_pod())
        addresses = addresses_of(self._bridges[host].add(attachment))
        self.cluster.ledger.given(container, addresses)
        self._pods.append(Pod(host, attachment, addresses[0]))
        self.story.say(f"{container} has {', '.join(addresses)}, plugged in by the bridge plugin")

    def _ping_all(self, claim: str) -> None:
        pairs = [pair for pair in combinations(self._pods, 2) if pair[0].host != pair[1].host]
        if pairs:
            answered = [ping(here.attachment.netns, there.address) is not None for here, there in pairs]
            self.story.claim(claim, all(answered), f"{sum(answered)} of {len(pairs)} pairs")

    def _ping_across_cut(self) -> None:
        """Within a side pods reach each other, across the cut they do not: the cut is real."""
        alpha, beta, gamma = (next(pod for pod in self._pods if pod.host == name) for name in NAMES)
        inside = ping(alpha.attachment.netns, beta.address)
        across = ping(alpha.attachment.netns, gamma.address, timeout_s=0.6)
        words = ["silence" if answer is None else "an answer" for answer in (inside, across)]
        evidence = "beta: {}, gamma: {}".format(*words)
        self.story.claim("no ping crosses the cut", inside is not None and across is None, evidence)

    def _seen_apart(self) -> bool:
        here, there = self.cluster.states("alpha"), self.cluster.states("gamma")
        return (
            here["gamma"] == "dead" and here["beta"] == "alive" and there["alpha"] == there["beta"] == "dead"
        )

    def _owned(self, name: str) -> int:
        runs = self.cluster.daemons[name].ask("GET", "/v1/ring")
        return size_of(runs, name, parse_cidr(POOL)[1])

    def _show_ring(self) -> None:
        used = {
            name: sum(len(one["addresses"]) for one in daemon.ask("GET", "/v1/allocations"))
            for name, daemon in self.cluster.daemons.items()
        }
        self.story.ring(POOL, self.cluster.rings()[0], used)

    def _addresses_by_host(self) -> list[tuple[str, ...]]:
        """The ledger as columns, one for each host; as many rows as keep the page calm."""
        held = sorted(self.cluster.ledger.held().items())
        columns = [[" ".join(got) for one, got in held if name in one] for name in NAMES]
        return list(zip_longest(*(column[:4] for column in columns), fillvalue=""))

    def _addresses_held(self) -> list[str]:
        return [address for addresses in self.cluster.ledger.held().values() for address in addresses]

    def _addresses_listed(self) -> list[str]:
        """The addresses in every daemon's table."""
        tables = (daemon.ask("GET", "/v1/allocations") for daemon in self.cluster.daemons.values())
        return [each["address"] for table in tables for one in table for each in one["addresses"]]

    def _passes_check(self, name: str, container: str) -> bool:
        try:
            self.cluster.runtimes[name].check(container)
        except PluginError as error:
            self.story.say(f"{container}: {error}")
            return False
        return True


class Installed(NamedTuple):
    """What `weaveipam cni install` put in place."""

    program: Path
    conflist: Path


def install_cni(directory: Path, api_socket: Path) -> Installed:
    """
    The CNI program and the example conflist for the daemon with this socket, in a directory.

    Raises:
        subprocess.CalledProcessError: the command failed; it has said why on our standard error.
        OSError: it wrote no conflist.
    """
    bin_dir, conf_dir = directory / "bin", directory / "net.d"
    command = [sys.executable, "-m", "weaveipam", "--socket", str(api_socket), "cni", "install"]
    directories = ["--bin-dir", str(bin_dir), "--conf-dir", str(conf_dir)]
    subprocess.run([*command, *directories], check=True, stdout=subprocess.DEVNULL)
    conflists = sorted(conf_dir.glob("*.conflist"))
    if not conflists:
        raise FileNotFoundError(f"weaveipam cni install wrote no conflist into {conf_dir}")
    return Installed(bin_dir / "weaveipam", conflists[0])


def why_no_namespaces() -> str | None:
    """Why hosts cannot be network namespaces here, as a sentence; None if they can."""
    if not (DEBIAN_PLUGINS / "bridge").is_file():
        return f"the bridge plugin is not in {DEBIAN_PLUGINS}"
    return why_unavailable()


def main(*, loopback: bool = False) -> int:
    """
    Runs the demonstration, and says how it went by the exit status: 0 only if every claim held.

    Args:
        loopback: Whether to stay on loopback addresses although namespaces could be had.
    """
    story = Story(NAMES)
    if sys.platform != "linux":
        story.failure("the demonstration needs Linux: its CNI program runs nowhere else")
        return 1
    reason = "asked for" if loopback else why_no_namespaces()
    directory = Path(tempfile.mkdtemp(prefix="weaveipam-demo-"))
    where = "in network namespaces" if reason is None else f"on loopback addresses ({reason})"
    story.title("weaveipam demo", f"three daemons {where}", f"files in {directory}")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # both: clean up
    try:
        with ExitStack() as stack:
            network = _lab() if reason is None else Relay(list(NAMES))
            stack.enter_context(network)
            demo = Demo(story, directory, network)
            stack.enter_context(demo.cluster)
            demo.run()
    except (DaemonError, PluginError, HttpError, OSError, subprocess.SubprocessError) as error:
        story.claim("the demonstration ran to its end", False, type(error).__name__)
        story.failure(str(error))
    except KeyboardInterrupt:
        story.failure("interrupted")
        shutil.rmtree(directory)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    story.summary()
    if story.held:
        shutil.rmtree(directory)
        return 0
    story.failure(f"logs, data and this text are kept in {directory}")
    story.save(directory / "demo.txt")
    return 1


def _lab() -> Lab:
    lab = Lab()
    try:
        for number, name in enumerate(NAMES, 11):
            lab.add_host(name, f"172.30.0.{number}/24")
    except BaseException:
        lab.close()
        raise
    return lab
