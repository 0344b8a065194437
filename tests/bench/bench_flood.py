"""
What a container runtime waits for while a stranger floods the daemon: ADD through the CNI socket.

A real daemon, alone in its ring, and one process that sends it datagrams as fast as it can, from another
address.  ADDs go straight to the daemon's socket, so that what starting a program costs does not flatter the
ratio.  Flooded and quiet spells follow each other in turn.  The flood and the daemon share the machine: with
few cores a part of the ratio is the machine's, and the same flood to a port where nobody listens shows it.
Does not know how the daemon defends itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import get_args

from cni.framing import HEAD, Call, encode_request
from simulations.hosts.flood import Flood, Kind
from simulations.hosts.place import Place
from simulations.hosts.processes import Daemon, DaemonPlan

ENDPOINT = "127.0.0.1:16784"
NOBODY = "127.0.0.1:16785"
STRANGER = "127.0.0.2"
CONFIG = {"cniVersion": "1.0.0", "name": "bench", "type": "bridge", "ipam": {"type": "weaveipam"}}


def call(path: Path, verb: str, container: str) -> float:
    """
    Seconds from the connection to the reply.

    Raises:
        RuntimeError: the daemon refused.
    """
    environ = {
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": container,
        "CNI_NETNS": "/var/run/netns/bench",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/opt/cni/bin",
    }
    request = encode_request(Call(environ, json.dumps(CONFIG).encode()))
    began = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(path))
        door.sendall(request)
        reply = b"".join(iter(lambda: door.recv(65536), b""))
    took = time.perf_counter() - began
    _, status, _ = HEAD.unpack_from(reply)
    if status != 0:
        raise RuntimeError(f"{verb} {container}: {reply[HEAD.size :].decode()}")
    return took


@contextmanager
def weather(target: str, kind: Kind | None) -> Iterator[list[float]]:
    """A flood, or none; in the end the datagrams that it sent in each second."""
    rate: list[float] = []
    with ExitStack() as stack:
        flood = None if kind is None else stack.enter_context(Flood(STRANGER, target, kind))
        began = time.perf_counter()
        yield rate
    if flood is not None:
        rate.append(flood.sent_count / (time.perf_counter() - began))


def cpu_s(daemon: Daemon) -> float:
    """Seconds of processor time that a daemon has used so far."""
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="ADD during a flood of datagrams from one address")
    parser.add_argument("--rounds", type=int, default=5, help="spells of each weather (5)")
    parser.add_argument("--calls", type=int, default=200, help="ADDs of each spell (200)")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="weaveipam-bench-"))
    weathers: dict[str, tuple[str, Kind | None]] = {
        "quiet": (ENDPOINT, None),
        "elsewhere": (NOBODY, "noise"),
        **{kind: (ENDPOINT, kind) for kind in get_args(Kind)},
    }
    seconds: dict[str, list[float]] = {name: [] for name in weathers}
    shares: dict[str, list[float]] = {name: [] for name in weathers}
    rates: dict[str, list[float]] = {name: [] for name in weathers}
    plan = DaemonPlan(
        name="bench",
        directory=directory / "daemon",
        place=Place(ENDPOINT, ENDPOINT, None),
        seeds=("bench",),
        pools=("bench=10.99.0.0/16",),
    )
    try:
        with Daemon(plan) as daemon:
            daemon.start()
            daemon.wait_ready()
            for spell in range(options.rounds):
                for name, (target, kind) in weathers.items():
                    with weather(target, kind) as rate:
                        began, spent = time.perf_counter(), cpu_s(daemon)
                        for number in range(options.calls):
                            seconds[name].append(call(daemon.cni_socket, "ADD", f"{spell}-{name}-{number}"))
                        shares[name].append((cpu_s(daemon) - spent) / (time.perf_counter() - began))
                    rates[name] += rate
                    for number in range(options.calls):
                        call(daemon.cni_socket, "DEL", f"{spell}-{name}-{number}")
            metrics = daemon.ask("GET", "/metrics")
            log_bytes = daemon.log.stat().st_size
    finally:
        shutil.rmtree(directory)
    quiet = statistics.median(seconds["quiet"])
    print(f"{'':16}{'median ms':>11}{'p99 ms':>9}{'of quiet':>10}{'daemon CPU':>12}{'datagrams/s':>13}")
    for name, taken in seconds.items():
        ordered, sent = sorted(taken), statistics.mean(rates[name] or [0.0])
        share = statistics.mean(shares[name])
        median, p99 = statistics.median(ordered), ordered[len(ordered) * 99 // 100]
        print(
            f"{name:16}{1000 * median:11.2f}{1000 * p99:9.2f}{median / quiet:10.2f}{share:12.0%}{sent:13,.0f}"
        )
    print(f"{options.rounds} spells of {options.calls} ADDs each, in turn; {log_bytes} bytes of log")
    for line in metrics.splitlines():
        if "gossip_dropped_total{" in line and not line.endswith(" 0.0"):
            print(line)


if __name__ == "__main__":
    main()
