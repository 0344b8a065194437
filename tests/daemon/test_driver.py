"""
The driver's own promises: threads, fairness, bounds, failure, stopping.

What it promises as any performer does is in `test_performers.py`.

The node is a script, the store a list, the transport a list: small real things behind the driver's seams.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

import pytest

from ring.ring import Peer
from weaveipam.daemon import driver as module
from weaveipam.daemon.driver import Driver, Inbox
from weaveipam.errors import StorageError
from weaveipam.protocol.effects import Channel, Durability, Effect, Level, Persist, Reply, Report, Send
from weaveipam.protocol.records import Acquaintance
from weaveipam.protocol.requests import Answer, GetPools, Lookup, Pools, Reason, Refusal
from weaveipam.protocol.values import Endpoint

PATIENCE_S = 10.0
SOURCE = Endpoint("192.0.2.1", 6783)
ANSWER = Pools(())
REQUEST = GetPools()
REPORT = Report(Level.INFO, "told")


def _persist(name: str, durability: Durability = Durability.PROCESS) -> Persist:
    return Persist((Acquaintance(Peer(name, 1), SOURCE),), (), durability)


def _send(text: str) -> Send:
    return Send(SOURCE, text.encode(), Channel.DATAGRAM)


class _World:
    """Everything around the driver, writing down what happens in one list, in order."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.wake_at = math.inf
        self.on_packet: Callable[[str], tuple[Effect, ...]] = lambda _text: ()
        self.on_request: Callable[[int], tuple[Effect, ...]] = lambda number: (Reply(number, ANSWER),)
        self.on_write: Callable[[], None] = lambda: None
        self.inbox = Inbox()
        self.driver = Driver(self, self, self, self.report, self.inbox)
        self.running: asyncio.Task[None] | None = None

    # As a node.

    def receive(self, packet: bytes, source: Endpoint, now: float) -> tuple[Effect, ...]:
        assert source == SOURCE
        del now
        self.log.append(f"packet {packet.decode()}")
        return self.on_packet(packet.decode())

    def request(self, request_id: int, request: object, now: float) -> tuple[Effect, ...]:
        del request, now
        self.log.append(f"request {request_id}")
        return self.on_request(request_id)

    def cancel(self, request_id: int, now: float) -> tuple[Effect, ...]:
        del now
        self.log.append(f"cancel {request_id}")
        return ()

    def wake(self, now: float) -> tuple[Effect, ...]:
        del now
        self.log.append("wake")
        self.wake_at = math.inf
        return ()

    # As a store.

    def write(self, persists: Sequence[Persist]) -> None:
        self.on_write()
        records = [record for one in persists for record in one.put]
        names = [record.peer.name for record in records if isinstance(record, Acquaintance)]
        self.log.append("write " + "+".join(names))

    # As a transport and a reporter.

    def send(self, effect: Send) -> None:
        self.log.append(f"send {effect.packet.decode()}")

    def report(self, report: Report) -> None:
        self.log.append(f"report {report.event}")

    # As the test.

    def deliver(self, *texts: str) -> None:
        for text in texts:
            self.driver.deliver(text.encode(), SOURCE)

    def start(self) -> None:
        self.running = asyncio.ensure_future(self.driver.run())

    async def finish(self) -> None:
        """Stop and run to the end."""
        self.driver.stop()
        if self.running is None:
            self.start()
        assert self.running is not None
        await asyncio.wait_for(self.running, PATIENCE_S)

    async def logged(self, line: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while line not in self.log:  # noqa: ASYNC110 - a list knows of no event
                await asyncio.sleep(0)


@pytest.fixture
async def world() -> AsyncIterator[_World]:
    """A driver that does not run yet, and everything around it."""
    made = _World()
    yield made
    if made.running is not None:
        made.running.cancel()
        with suppress(asyncio.CancelledError, StorageError, ZeroDivisionError):
            await made.running


async def test_a_commit_is_as_durable_as_its_strongest_part(world: _World) -> None:
    """One write to stable storage serves the whole batch; a batch without any waits for no disk."""
    loop_thread = threading.get_ident()
    threads: list[bool] = []
    world.on_write = lambda: threads.append(threading.get_ident() == loop_thread)
    durabilities = {"process": Durability.PROCESS, "host": Durability.HOST}
    world.on_packet = lambda text: (_persist(text, durabilities[text]),)
    world.deliver("process", "host", "process")
    world.start()
    await world.logged("write process+host+process")
    world.deliver("process")
    await world.finish()

    assert [False, True] == threads
    assert (1, 1) == (world.driver.counters["commits.host"], world.driver.counters["commits.process"])


async def test_the_loop_goes_on_while_the_disk_is_slow(world: _World) -> None:
    """During a commit to stable storage packets are accepted, and nothing of the batch is sent yet."""
    disk = threading.Event()
    world.on_write = lambda: _wait_for(disk)
    world.on_packet = lambda text: (_persist(text, Durability.HOST), _send(text))
    world.deliver("a")
    world.start()
    await world.logged("packet a")

    for _ in range(10):
        await asyncio.sleep(0)
    world.deliver("b")
    assert ["packet a"] == world.log
    disk.set()
    await world.finish()

    assert ["packet a", "write a", "send a", "packet b", "write b", "send b"] == world.log


def _wait_for(event: threading.Event) -> None:
    assert event.wait(PATIENCE_S), "the event loop did not go on"


async def test_a_request_does_not_wait_behind_a_flood(world: _World) -> None:
    """However many packets wait, a request is served before them, and later ones after one batch at most."""
    world.deliver(*(["p"] * 1000))
    world.start()
    assert await world.driver.ask(REQUEST) == ANSWER
    assert world.log[0] == "request 1"

    while len(world.log) < 500:  # noqa: ASYNC110 - a list knows of no event
        await asyncio.sleep(0)
    before = len(world.log)
    assert before < 600, "the loop had no turn between batches"
    assert await world.driver.ask(REQUEST) == ANSWER

    assert world.log.index("request 2") - before <= 2 * module.PACKETS_PER_BATCH_MAX


async def test_too_many_requests_are_refused(world: _World) -> None:
    """Beyond PENDING_REQUESTS_MAX a request is refused at once as overloaded; answers make room again."""
    world.on_request = lambda _number: ()
    world.start()
    waiting = [asyncio.ensure_future(world.driver.ask(REQUEST)) for _ in range(module.PENDING_REQUESTS_MAX)]
    await world.logged(f"request {module.PENDING_REQUESTS_MAX}")

    refused = await world.driver.ask(REQUEST)
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.OVERLOADED
    waiting[0].cancel()
    await world.logged("cancel 1")
    world.on_request = lambda number: (Reply(number, ANSWER),)

    assert await world.driver.ask(REQUEST) == ANSWER
    await world.finish()
    assert world.driver.counters["refused.overloaded"] == 1
    await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize("durability", list(Durability))
async def test_a_disk_that_refuses_stops_everything(world: _World, durability: Durability) -> None:
    """After a StorageError nothing of the batch is said, every asker is refused and `run` raises it."""

    def refuse() -> None:
        raise StorageError("the disk is full")

    world.on_write = refuse
    world.on_packet = lambda _text: (_send("early"), _persist("a", durability), _send("late"), REPORT)
    asking = asyncio.ensure_future(world.driver.ask(REQUEST))
    await asyncio.sleep(0)
    world.deliver("p")
    world.start()

    answer = await asyncio.wait_for(asking, PATIENCE_S)

    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.NOT_READY
    assert world.running is not None
    with pytest.raises(StorageError, match="the disk is full"):
        await world.running
    assert ["request 1", "packet p"] == world.log
    later = await world.driver.ask(REQUEST)
    assert isinstance(later, Refusal)
    assert later.reason is Reason.NOT_READY


async def test_a_bug_in_the_node_stops_everything(world: _World) -> None:
    """An exception out of the node is raised by `run`, and what came before it in the batch is not said."""

    def buggy(text: str) -> tuple[Effect, ...]:
        return (_persist(text), _send(f"{1 // (text != 'bad')}"))

    world.on_packet = buggy
    world.deliver("good", "bad", "good")
    world.start()

    assert world.running is not None
    with pytest.raises(ZeroDivisionError):
        await world.running
    assert ["packet good", "packet bad"] == world.log


async def test_stopping_works_off_the_queue(world: _World) -> None:
    """What was queued before stop is done, what waits at the node is refused, what comes later too."""
    world.on_request = lambda number: (Reply(number, ANSWER),) if number == 1 else ()
    asking = [asyncio.ensure_future(world.driver.ask(REQUEST)) for _ in range(2)]
    await asyncio.sleep(0)
    world.deliver(*(["p"] * 200))

    world.driver.stop()
    world.deliver("too late")
    refused = await world.driver.ask(REQUEST)
    await world.finish()

    assert ["request 1", "request 2", *["packet p"] * 200] == world.log
    answers: list[Answer] = [await asking[0], await asking[1], refused]
    assert answers[0] == ANSWER
    for answer in answers[1:]:
        assert isinstance(answer, Refusal)
        assert answer.reason is Reason.NOT_READY


async def test_stopping_an_idle_driver_returns(world: _World) -> None:
    """A driver that waits for inputs stops at once, and stopping twice does no harm."""
    world.start()
    await asyncio.sleep(0)

    world.driver.stop()
    await world.finish()

    assert world.log == []


async def test_no_commit_outlives_the_driver(world: _World) -> None:
    """When `run` is cancelled in the middle of a commit, the commit is over when `run` is."""
    begun, disk = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        _wait_for(disk)

    world.on_write = slow
    world.on_packet = lambda _text: (_persist("a", Durability.HOST), _send("s"))
    world.deliver("p")
    world.start()
    assert world.running is not None
    await world.logged("packet p")

    world.running.cancel()
    disk.set()
    with pytest.raises(asyncio.CancelledError):
        await world.running

    assert ["packet p", "write a"] == world.log


def test_the_inbox_is_bounded_by_bytes() -> None:
    """Packets beyond the bound in bytes push out the oldest, but the newest is always kept."""
    inbox = Inbox(packets_max=100, bytes_max=10)

    for packet in (b"1234", b"5678", b"9abc", b"far too long for it"):
        inbox.deliver(packet, SOURCE)

    assert [(b"far too long for it", SOURCE)] == list(inbox.take(10))
    assert inbox.dropped_count == 3
    inbox.deliver(b"123456", SOURCE)
    inbox.deliver(b"1234", SOURCE)
    assert [(b"123456", SOURCE), (b"1234", SOURCE)] == list(inbox.take(10))


async def test_everything_is_counted(world: _World) -> None:
    """Inputs are counted by kind, and every name is there from the start."""
    assert set(module.COUNTERS) == set(world.driver.counters)
    world.deliver("p", "p")
    world.start()
    await world.driver.ask(Lookup("k"))
    await world.finish()

    counters = world.driver.counters
    assert world.driver.pending_count == 0
    assert (2, 1, 0) == tuple(counters[f"inputs.{kind}"] for kind in ("packet", "request", "cancel"))
