"""
What a container runtime waits for: ADD and DEL through our CNI program, beside host-local in the same minute.

A real daemon, alone in its ring, and the real programs.  Each call is timed from the start of the program to
its exit; the programs are called in turn, so that whatever else the machine does hits all of them alike.
`nothing` is a static program that returns at once: what starting any program costs here.  Trust the ratios
more than the milliseconds.
Does not know how either program works.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from simulations.hosts.conflist import DEBIAN_PLUGINS, find_plugin
from simulations.hosts.place import Place
from simulations.hosts.processes import Daemon, DaemonPlan, HttpError

RANGE = "10.99.0.0/16"
READY_SECONDS_MAX = 30.0
VERBS = ("ADD", "DEL")
FIGURES = ("rss_fresh_mib", "rss_mib", "pss_mib", "first_start_ms", "restart_ms")
"""Of the daemon."""


class CallError(Exception):
    """A program did not exit with 0; a time is worth nothing then."""


@dataclass
class Caller:
    """One program as a runtime calls it."""

    name: str
    program: Path
    config: Path
    """The network configuration, given as standard input."""
    seconds: dict[str, list[float]] = field(default_factory=lambda: {verb: [] for verb in VERBS})

    def call(self, verb: str, container: str) -> float:
        """
        Seconds from starting the program to its exit, its answer read.

        Raises:
            CallError: the program refused; says what it answered.
        """
        environ = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": container,
            "CNI_NETNS": "/var/run/netns/bench",  # an IPAM program never enters it
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(self.program.parent),
        }
        stdin = os.open(self.config, os.O_RDONLY)
        reader, writer = os.pipe()
        try:
            began = time.perf_counter()
            pid = os.posix_spawn(
                self.program,
                [str(self.program)],
                environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, writer, 1)],
            )
            os.close(writer)
            answer = b"".join(iter(lambda: os.read(reader, 65536), b""))
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            took = time.perf_counter() - began
        finally:
            os.close(stdin)
            os.close(reader)
        if status != 0:
            raise CallError(f"{self.name} {verb} exited with {status}: {answer.decode(errors='replace')}")
        return took

    def measure(self, verb: str, container: str) -> None:
        """Calls once and keeps the time."""
        self.seconds[verb].append(self.call(verb, container))


def our_caller(directory: Path, daemon: Daemon) -> Caller:
    """The program that `weaveipam cni install` puts in place, for this daemon."""
    where = [f"--bin-dir={directory / 'bin'}", f"--conf-dir={directory / 'net.d'}"]
    command = [sys.executable, "-m", "weaveipam", "cni", "install", *where]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    ipam = {"type": "weaveipam", "socket": str(daemon.cni_socket)}
    return Caller("weaveipam", directory / "bin" / "weaveipam", configuration(directory, "weaveipam", ipam))


def host_local(directory: Path) -> Caller | None:
    """The standard plugin; None if it is not installed."""
    if not (DEBIAN_PLUGINS / "host-local").is_file():
        return None
    ipam = {"type": "host-local", "ranges": [[{"subnet": RANGE}]], "dataDir": str(directory / "host-local")}
    program = find_plugin("host-local", (DEBIAN_PLUGINS,))
    return Caller("host-local", program, configuration(directory, "host-local", ipam))


def nothing(directory: Path) -> Caller | None:
    """A static program that returns at once; None without the compiler that builds our own."""
    source, program = directory / "nothing.c", directory / "nothing"
    source.write_text("int main(void) { return 0; }\n")
    target = f"{platform.machine()}-linux-musl"
    compiler = [sys.executable, "-m", "ziglang", "cc", "-Os", "-s", "-static", "-target", target]
    # The cache that our own program is built with: without it the first build takes half a minute.
    cache = str(Path(__file__).resolve().parents[2] / ".cache" / "zig")
    environ = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    arguments = [*compiler, "-o", str(program), str(source)]
    if subprocess.run(arguments, env=environ, check=False, capture_output=True).returncode != 0:
        return None
    return Caller("nothing", program, configuration(directory, "nothing", {}))


def configuration(directory: Path, name: str, ipam: Mapping[str, object]) -> Path:
    """A file with what the main plugin would hand to the IPAM plugin."""
    path = directory / f"{name}.json"
    path.write_text(json.dumps({"cniVersion": "1.0.0", "name": "bench", "type": "bridge", "ipam": ipam}))
    return path


def start(daemon: Daemon) -> float:
    """
    Milliseconds from starting the daemon's process until it says that it can allocate.

    Raises:
        TimeoutError: it did not in READY_SECONDS_MAX.
    """
    began = time.perf_counter()
    daemon.start()
    while time.perf_counter() - began < READY_SECONDS_MAX:
        with suppress(OSError, HttpError):
            daemon.ask("GET", "/readyz")
            return 1000 * (time.perf_counter() - began)
        time.sleep(0.002)
    raise TimeoutError(f"not ready after {READY_SECONDS_MAX:g} s:\n{daemon.log_tail()}")


def memory_mib(pid: int | None, name: str) -> float:
    """A figure of the process from /proc/PID/smaps_rollup, in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and least, in milliseconds."""
    ordered = sorted(seconds)
    return {
        "median_ms": 1000 * statistics.median(ordered),
        "p99_ms": 1000 * ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
        "min_ms": 1000 * ordered[0],
    }


def run(directory: Path, rounds: int, held: int) -> dict[str, object]:
    """
    The whole measurement.

    Args:
        directory: Empty; everything is made in it.
        rounds: Calls of each program and verb.
        held: Addresses that are in use all the while, in each of the tables.
    """
    endpoint = "127.0.0.1:16783"
    place = Place(endpoint, endpoint, None)
    plan = DaemonPlan(
        name="bench", directory=directory / "daemon", place=place, seeds=("bench",), pools=(f"bench={RANGE}",)
    )
    with Daemon(plan) as daemon:
        first_start_ms = start(daemon)
        fresh_mib = memory_mib(daemon.pid, "Rss")
        ours, theirs, floor = our_caller(directory, daemon), host_local(directory), nothing(directory)
        callers = [one for one in (ours, theirs, floor) if one is not None]
        for number in range(held):
            for caller in callers:
                caller.call("ADD", f"held-{number}")
        for number in range(rounds):
            for verb in VERBS:
                for caller in callers:
                    caller.measure(verb, f"pod-{number}")
        figures = {
            "rss_fresh_mib": fresh_mib,
            "rss_mib": memory_mib(daemon.pid, "Rss"),
            "pss_mib": memory_mib(daemon.pid, "Pss"),
            "first_start_ms": first_start_ms,
        }
        daemon.terminate()
        figures["restart_ms"] = start(daemon)
    latency = {one.name: {verb: summary(one.seconds[verb]) for verb in VERBS} for one in callers}
    return {"rounds": rounds, "held": held, "latency": latency, "daemon": figures}


def lines(result: dict[str, object]) -> list[str]:
    """The result as a table for people."""
    latency, daemon = result["latency"], result["daemon"]
    assert isinstance(latency, dict)
    assert isinstance(daemon, dict)
    table = [f"{'':12}{'verb':>5}{'median ms':>11}{'p99 ms':>9}{'min ms':>9}{'of host-local':>15}"]
    for name, verbs in latency.items():
        for verb, figures in verbs.items():
            base = latency.get("host-local", {}).get(verb)
            ratio = f"{figures['median_ms'] / base['median_ms']:.2f}" if base else "-"
            times = f"{figures['median_ms']:11.2f}{figures['p99_ms']:9.2f}{figures['min_ms']:9.2f}"
            table.append(f"{name:12}{verb:>5}{times}{ratio:>15}")
    fresh, rss, pss, first, restart = (daemon[key] for key in FIGURES)
    table.append(f"{result['rounds']} calls each, in turn, with {result['held']} addresses in use")
    table.append(f"daemon: {fresh:.1f} MiB resident when fresh, {rss:.1f} at the end ({pss:.1f} of its own)")
    table.append(f"daemon: ready {first:.0f} ms after its first start, {restart:.0f} ms after a restart")
    return table


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description="ADD and DEL as a container runtime sees them, beside host-local"
    )
    parser.add_argument("--rounds", type=int, default=400, help="calls of each program and verb (400)")
    parser.add_argument("--held", type=int, default=100, help="addresses in use all the while (100)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="weaveipam-bench-"))
    try:
        result = run(directory, options.rounds, options.held)
    finally:
        shutil.rmtree(directory)
    print("\n".join(lines(result)))
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
