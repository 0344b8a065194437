"""
One real daemon in a cluster of simulated nodes that live in real time, on this machine's loopback.

Every node of the cluster has real sockets at an address of its own, through which it talks to the daemon and
nobody else; to each other the nodes talk as ever.
Does not know how clusters are made, nor how results are kept.
"""

from __future__ import annotations

import asyncio
import os
import resource
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from random import Random

from simulations.hosts.place import Place
from simulations.hosts.processes import Daemon, DaemonPlan
from simulations.scale.fleet import PORT, PRESET, Fleet, Host
from simulations.scale.spreading import Readings
from weaveipam.daemon.transport import Transport
from weaveipam.protocol.effects import Channel, Send
from weaveipam.protocol.values import Endpoint

HERE = Endpoint("127.2.0.1", PORT)
"""Of the daemon."""
TICK_S = 0.005
"""Real seconds between two looks at virtual time."""
CALM_S = 20.0
"""From when the daemon is ready to when it is measured: by then all have said what they say at a start."""
BURST_S = 5.0
"""How long it gets more than an idle daemon does."""
BURST_PER_TICK = 5
"""Datagrams that the daemon gets at each tick of a burst: a thousand a second, or as many as go."""
FILES_PER_NODE = 2
"""Sockets."""


class _Bridge:
    """The nodes of a cluster at real sockets, in real time."""

    def __init__(self, fleet: Fleet) -> None:
        self.packet: bytes | None = None
        """The datagram that was sent to the daemon last."""
        self.lag_s = 0.0
        """How late virtual time ever was."""
        self._fleet = fleet
        self._transports: dict[Endpoint, Transport] = {}
        self._loop = asyncio.get_running_loop()
        self._ahead_s = fleet.now - self._loop.time()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """With all sockets, and virtual time passing."""
        async with AsyncExitStack() as stack:
            for host in self._fleet.running():
                endpoint = host.settings.endpoint
                transport = await Transport.open(endpoint, partial(self._arrived, host))
                stack.push_async_callback(transport.close)
                self._transports[endpoint] = transport
            self._fleet.network.outside[HERE] = self._send
            self._ahead_s = self._fleet.now - self._loop.time()
            running = asyncio.ensure_future(self._run())
            try:
                yield
            finally:
                running.cancel()

    async def burst(self, seconds: float) -> int:
        """Send the last datagram again and again; how often."""
        assert self.packet is not None
        count, until = 0, self._loop.time() + seconds
        effect = Send(HERE, self.packet, Channel.DATAGRAM)
        transport = next(iter(self._transports.values()))
        while self._loop.time() < until:
            for _ in range(BURST_PER_TICK):
                transport.send(effect)
            count += BURST_PER_TICK
            await asyncio.sleep(TICK_S)
        return count

    async def _run(self) -> None:
        while True:
            due = self._loop.time() + self._ahead_s
            self.lag_s = max(self.lag_s, due - self._fleet.now)
            self._fleet.timeline.run(due)
            await asyncio.sleep(TICK_S)

    def _arrived(self, host: Host, packet: bytes, source: Endpoint) -> None:
        host.deliver(packet, source)

    def _send(self, source: Endpoint, effect: Send) -> None:
        if effect.channel is Channel.DATAGRAM:
            self.packet = effect.packet
        self._transports[source].send(effect)


def daemon(
    fleet: Fleet, _rng: Random, seconds: float, *, calm_s: float = CALM_S, burst_s: float = BURST_S
) -> Readings:
    """CPU and memory of a daemon that joins and is then idle, and what a datagram more costs it."""
    return asyncio.run(_daemon(fleet, seconds, calm_s, burst_s))


async def _daemon(fleet: Fleet, seconds: float, calm_s: float, burst_s: float) -> Readings:
    bridge = _Bridge(fleet)
    with _files_for(fleet), tempfile.TemporaryDirectory(prefix="scale-") as directory:
        async with bridge.opened():
            with Daemon(_plan(fleet, Path(directory))) as one:
                one.start()
                await asyncio.to_thread(one.wait_ready)
                await asyncio.sleep(calm_s)
                assert one.pid is not None
                began_s, bridge.lag_s = _cpu_s(one.pid), 0.0
                await asyncio.sleep(seconds)
                idle_s, lag_s = _cpu_s(one.pid) - began_s, bridge.lag_s
                rss_bytes = _rss_bytes(one.pid)
                began_s = _cpu_s(one.pid)
                count = await bridge.burst(burst_s)
                more_s = _cpu_s(one.pid) - began_s - idle_s * burst_s / seconds
                members = len(await asyncio.to_thread(one.ask, "GET", "/v1/members"))
    return {
        "members": float(members),
        "cpu_share": idle_s / seconds,
        "rss_bytes": rss_bytes,
        "datagram_s": max(0.0, more_s / count),
        "lag_s": lag_s,
    }


def _plan(fleet: Fleet, directory: Path) -> DaemonPlan:
    join = tuple(str(host.settings.endpoint) for host in fleet.running()[:3])
    place = Place(str(HERE), str(HERE), None)
    return DaemonPlan(name="measured", directory=directory, place=place, join=join, preset=PRESET)


@contextmanager
def _files_for(fleet: Fleet) -> Iterator[None]:
    """With room for as many open files as all nodes need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 256 + FILES_PER_NODE * len(fleet.hosts)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, wanted), hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _cpu_s(pid: int) -> float:
    """Of that process, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_bytes(pid: int) -> float:
    return float(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize())
