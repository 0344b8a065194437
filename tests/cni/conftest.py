"""A small allocator behind the plugin, the real program, and a server on a real socket."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvloop

from cni.framing import Call
from cni.install import program_path
from cni.plugin import Plugin
from cni.server import CniServer, Limits
from cni.spool import Spool
from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.protocol.effects import Report
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    Answer,
    Collect,
    Found,
    GetStatus,
    Lookup,
    Reason,
    Refusal,
    Release,
    Released,
    Request,
    Status,
    Want,
)
from weaveipam.protocol.values import Allocation, Assigned

ROOT = Path(__file__).resolve().parents[2]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each test that uses a socket on asyncio's loop and on uvloop, the others on asyncio's."""
    del config
    if item.path.stem in ("test_server", "test_shim"):
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@dataclass
class Allocator:
    """
    What the daemon promises to its doors, over two pools: `blue` (10.1.0.0/16 and fd01::/64) and `red`.

    All of `blue` but the first two addresses can be given; it names its first as the gateway.
    `red` is 10.2.0.0/30 with nothing set aside and no gateway.
    """

    held: dict[str, Allocation] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    answers: list[Answer | Exception] = field(default_factory=list)
    """Given instead, in this order, as long as there are any."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Answers wait for it."""
    cancelled: int = 0
    ready: bool = True

    POOLS = (
        Assigned("blue", Family.V4, Range(0x0A010002, 0x0A020000), 16, 0x0A010001),
        Assigned("blue", Family.V6, Range((0xFD01 << 112) + 2, (0xFD01 << 112) + (1 << 64)), 64, None),
        Assigned("red", Family.V4, Range(0x0A020000, 0x0A020004), 30, None),
    )

    def __post_init__(self) -> None:
        self.gate.set()

    async def ask(self, request: Request) -> Answer:
        """The seam."""
        self.asked.append(request)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return self._answer(request)

    def _answer(self, request: Request) -> Answer:
        match request:
            case Allocate():
                return self._allocate(request)
            case Release(key=str() as key):
                gone = self.held.pop(key, None)
                return Released(() if gone is None else (gone,))
            case Collect():
                keys = [key for key in sorted(self.held) if key.startswith(request.prefix)]
                return Released(tuple(self.held.pop(key) for key in keys if key not in request.keep))
            case Lookup(key=str() as key) if key in self.held:
                return Found(self.held[key], Peer("a", 1), self.held[key].addresses[0].pool)
            case Lookup():
                return Refusal(Reason.NOT_FOUND, f"{request.key} holds nothing here")
            case GetStatus():
                why = "" if self.ready else "waiting for seeds b and c"
                state = "ready" if self.ready else "forming"
                return Status(Peer("a", 1), self.ready, state, why, "", 1, 3, (), 0, 0, (), "0")
            case _:
                raise AssertionError(request)

    def _allocate(self, request: Allocate) -> Answer:
        if request.key in self.held:
            return Allocated(self.held[request.key])
        taken: list[Assigned] = []
        for want in request.wants or (Want(Family.V4, ("blue",)), Want(Family.V6, ("blue",))):
            given = self._take(want, taken)
            if isinstance(given, Refusal):
                return given
            taken.append(given)
        allocation = Allocation(request.key, "default", tuple(taken), durable=False, labels=request.labels)
        self.held[request.key] = allocation
        return Allocated(allocation)

    def _take(self, want: Want, taken: list[Assigned]) -> Assigned | Refusal:
        if unknown := sorted(set(want.pools) - {"blue", "red"}):
            return Refusal(Reason.NO_SUCH_POOL, f"no pool {unknown[0]}")
        family = want.family or Family.V4
        used = [one for each in self.held.values() for one in each.addresses] + taken
        inside = False
        for pool in self.POOLS:
            if pool.family is not family or (want.pools and pool.pool not in want.pools):
                continue
            for part in want.within or (pool.range,):
                both = part.meet(pool.range)
                inside = inside or both is not None
                for start in range(both.start, min(both.stop, both.start + 300)) if both else ():
                    if not any(one.family is family and start in one.range for one in used):
                        what = Range(start, start + 1)
                        return Assigned(pool.pool, family, what, pool.prefix_length, pool.gateway)
        if not inside:
            return Refusal(Reason.INVALID, "that is in no pool")
        exact = len(want.within) == 1 and want.within[0].size == 1
        return Refusal(Reason.IN_USE if exact else Reason.EXHAUSTED, "there is no free address")


@pytest.fixture
def allocator() -> Allocator:
    """An empty one."""
    return Allocator()


@pytest.fixture
def plugin(allocator: Allocator) -> Plugin:
    """A plugin that asks the allocator."""
    return Plugin(allocator.ask)


def configuration(version: str = "1.0.0", ipam: Any = None, **more: Any) -> bytes:
    """A network configuration as a runtime hands it over."""
    document = {"cniVersion": version, "name": "net", "type": "bridge", "ipam": {"type": "weaveipam"}}
    if ipam is not None:
        document["ipam"] = ipam
    return json.dumps({**document, **more}).encode()


def variables(verb: str, container: str = "c1", **more: str) -> dict[str, str]:
    """The variables that a runtime sets."""
    attached = {"CNI_CONTAINERID": container, "CNI_NETNS": "/run/netns/x", "CNI_IFNAME": "eth0"}
    return {"CNI_COMMAND": verb, "CNI_PATH": "/opt/cni/bin", **attached, **more}


@pytest.fixture
def conf() -> Callable[..., bytes]:
    """`configuration`."""
    return configuration


@pytest.fixture
def env() -> Callable[..., dict[str, str]]:
    """`variables`."""
    return variables


@pytest.fixture
def make_call() -> Callable[..., Call]:
    """A call from a verb, a container, more variables as keywords, and the bytes of a configuration."""

    def make(verb: str, stdin: bytes | None = None, container: str = "c1", **more: str) -> Call:
        return Call(variables(verb, container, **more), configuration() if stdin is None else stdin)

    return make


@pytest.fixture(scope="session")
def program() -> Path:
    """The real program for this machine; built first if this is a checkout."""
    if (ROOT / "cni" / "shim.c").exists():
        subprocess.run([sys.executable, ROOT / "hatch_build.py"], check=True)
    return program_path()


@dataclass
class Host:
    """One host's socket, spool and program; a daemon may serve there or not."""

    socket: Path
    program: Path
    plugin: Plugin
    allocator: Allocator
    reports: list[Report] = field(default_factory=list)
    server: CniServer | None = None

    @property
    def spool(self) -> Path:
        """Beside the socket."""
        return self.socket.parent / "spool"

    async def serve(self, **limits: Any) -> None:
        """The daemon's door opens."""
        spool = Spool(self.spool, self.reports.append)
        self.server = await CniServer.start(
            self.socket, self.plugin, spool, self.reports.append, Limits(**limits)
        )

    async def stop(self) -> None:
        """It closes, if it is open."""
        if self.server is not None:
            await self.server.close()
            self.server = None

    async def run(
        self, verb: str, stdin: bytes | None = None, container: str = "c1", **more: str
    ) -> tuple[int, Any]:
        """The exit status of the real program, and its output as JSON, or None for no output."""
        environ = {**variables(verb, container), "WEAVEIPAM_CNI_SOCKET": str(self.socket), **more}
        process = await asyncio.create_subprocess_exec(
            self.program,
            env=environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate(configuration() if stdin is None else stdin)
        assert process.returncode is not None
        return process.returncode, json.loads(output) if output else None

    def drafts(self) -> list[str]:
        """The names of everything in the spool, sorted."""
        return sorted(path.name for path in self.spool.glob("*"))


@pytest.fixture
async def host(tmp_path: Path, program: Path, plugin: Plugin, allocator: Allocator) -> AsyncIterator[Host]:
    """A host whose daemon is away; closed at the end."""
    made = Host(tmp_path / "run" / "cni.sock", program, plugin, allocator)
    yield made
    allocator.gate.set()
    await made.stop()


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Waits, turn by turn of the loop, until something has come true."""

    async def wait(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110  # what is awaited is another program's doing
                await asyncio.sleep(0.001)

    return wait
