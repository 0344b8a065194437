"""
What is promised to a node, whoever performs its effects: the daemon's driver, or a simulated machine.

Both run the same scripted node; what it is told, and what becomes of its effects, is one list, in order.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Protocol

import pytest

from ring.ring import Peer
from simulations.disk import Disk
from simulations.machine import Answered, Machine
from simulations.network import Network, Quality
from simulations.timeline import Timeline
from simulations.trace import Trace
from weaveipam.daemon.driver import PACKETS_PER_BATCH_MAX, REQUESTS_PER_BATCH_MAX, Driver
from weaveipam.errors import StorageError
from weaveipam.node import Settings
from weaveipam.protocol.effects import (
    Channel,
    Durability,
    Effect,
    Level,
    Persist,
    Reply,
    Report,
    Restart,
    Send,
    Stop,
)
from weaveipam.protocol.keyring import UNSEALED
from weaveipam.protocol.records import Acquaintance, Identity
from weaveipam.protocol.requests import Answer, Pools, Reason, Refusal, Release
from weaveipam.protocol.values import Endpoint

PATIENCE_S = 10.0
HERE, PEER = Endpoint("192.0.2.9", 6783), Endpoint("192.0.2.1", 6783)
REQUEST = Release("k")
ANSWER = Pools(())
REPORT = Report(Level.INFO, "told")


def persist(name: str, durability: Durability = Durability.PROCESS) -> Persist:
    """One record."""
    return Persist((Acquaintance(Peer(name, 1), PEER),), (), durability)


def send(text: str) -> Send:
    """One packet to the peer."""
    return Send(PEER, text.encode(), Channel.DATAGRAM)


def written(persists: Sequence[Persist]) -> str:
    """A commit as it stands in the list; empty for what no script wants."""
    records = [record for one in persists for record in one.put if not isinstance(record, Identity)]
    names = [record.peer.name for record in records if isinstance(record, Acquaintance)]
    return f"write {'+'.join(names)}" if names else ""


class Script:
    """A node that does what a test says."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.times: list[float] = []
        self.wake_at = math.inf
        self.on_packet: Callable[[str], tuple[Effect, ...]] = lambda _text: ()
        self.on_request: Callable[[int], tuple[Effect, ...]] = lambda number: (Reply(number, ANSWER),)
        self.on_wake: Callable[[], tuple[Effect, ...]] = lambda: ()

    def receive(self, packet: bytes, source: Endpoint, now: float) -> tuple[Effect, ...]:
        """As the script says."""
        assert source == PEER
        self._note(f"packet {packet.decode()}", now)
        return self.on_packet(packet.decode())

    def request(self, request_id: int, request: object, now: float) -> tuple[Effect, ...]:
        """As the script says; by default the answer."""
        assert request == REQUEST
        self._note(f"request {request_id}", now)
        return self.on_request(request_id)

    def cancel(self, request_id: int, now: float) -> tuple[Effect, ...]:
        """Nothing."""
        self._note(f"cancel {request_id}", now)
        return ()

    def wake(self, now: float) -> tuple[Effect, ...]:
        """As the script says; by default nothing, and never again."""
        self._note("wake", now)
        self.wake_at = math.inf
        return self.on_wake()

    def again(self, *_: object) -> Script:
        """The node of a life, which is noted as such; this one."""
        self.log.append("life")
        return self

    def _note(self, line: str, now: float) -> None:
        self.log.append(line)
        self.times.append(now)


class Performer(Protocol):
    """Who runs the node; it begins with `start`, and what has come until then it takes together."""

    script: Script
    answers: dict[int, list[Answer | None]]
    """By request; None: the daemon ended before it could answer."""

    def now(self) -> float:
        """The node's time."""
        ...

    def deliver(self, *texts: str) -> None:
        """Packets from the peer."""
        ...

    async def ask(self) -> int:
        """A client's request; its number."""
        ...

    async def give_up(self, number: int) -> None:
        """The client goes away."""
        ...

    def refuse(self) -> None:
        """The disk refuses from now on."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    async def until(self, line: str) -> None:
        """Go on until something is in the list."""
        ...

    async def finish(self) -> None:
        """Work everything off, and end."""
        ...


class DriverPerformer:
    """The daemon's driver on an event loop, with lists for a store, a transport and a log."""

    def __init__(self) -> None:
        self.script = Script()
        self.answers: dict[int, list[Answer | None]] = {}
        self._asking: dict[int, asyncio.Task[Answer]] = {}
        self._refuses = False
        self._driver = Driver(self.script, self, self, self._told, rebuild=self.script.again)
        self._running: asyncio.Task[None] | None = None

    def write(self, persists: Sequence[Persist]) -> None:
        """As a store."""
        if self._refuses:
            raise StorageError("the disk is full")
        self.script.log.append(written(persists))

    def send(self, effect: Send) -> None:
        """As a transport."""
        self.script.log.append(f"send {effect.packet.decode()}")

    def _told(self, report: Report) -> None:
        self.script.log.append(f"report {report.event}")

    def now(self) -> float:
        """As `Performer.now`."""
        return asyncio.get_running_loop().time()

    def deliver(self, *texts: str) -> None:
        """As `Performer.deliver`."""
        for text in texts:
            self._driver.deliver(text.encode(), PEER)

    async def ask(self) -> int:
        """As `Performer.ask`."""
        number = len(self._asking) + 1
        self.answers[number] = []
        self._asking[number] = asyncio.ensure_future(self._driver.ask(REQUEST))
        self._asking[number].add_done_callback(lambda task: self._answered(number, task))
        await asyncio.sleep(0)
        return number

    def _answered(self, number: int, task: asyncio.Task[Answer]) -> None:
        if not task.cancelled():
            answer = task.result()
            gone = isinstance(answer, Refusal) and answer.reason is Reason.NOT_READY
            self.answers[number].append(None if gone else answer)

    async def give_up(self, number: int) -> None:
        """As `Performer.give_up`."""
        self._asking[number].cancel()
        with suppress(asyncio.CancelledError):
            await self._asking[number]

    def refuse(self) -> None:
        """As `Performer.refuse`."""
        self._refuses = True

    def start(self) -> None:
        """As `Performer.start`."""
        self._running = asyncio.ensure_future(self._driver.run())

    async def until(self, line: str) -> None:
        """As `Performer.until`."""
        async with asyncio.timeout(PATIENCE_S):
            while line not in self.script.log:  # noqa: ASYNC110 - a list knows of no event
                await asyncio.sleep(0)

    async def finish(self) -> None:
        """As `Performer.finish`."""
        assert self._running is not None
        if not self._refuses:
            self._driver.stop()
        with suppress(StorageError):
            await asyncio.wait_for(self._running, PATIENCE_S)
        await asyncio.sleep(0)


class _Disk(Disk):
    """A simulated disk that notes commits when they are done."""

    def __init__(self, log: list[str]) -> None:
        super().__init__(Random(1))
        self._log = log
        self._line = ""

    def begin(self, persists: Sequence[Persist]) -> float:
        """As `Disk.begin`."""
        self._line = written(persists)
        return super().begin(persists)

    def finish(self) -> None:
        """As `Disk.finish`."""
        super().finish()
        self._log.extend([self._line] if self._line else [])


class _Trace(Trace):
    """A trace that notes what leaves the node."""

    def __init__(self, timeline: Timeline, log: list[str]) -> None:
        super().__init__(lambda: timeline.now)
        self._log = log

    def note(self, machine: str, event: str, detail: object = "") -> None:
        """As `Trace.note`."""
        super().note(machine, event, detail)
        if event == "send" and isinstance(detail, bytes):
            self._log.append(f"send {detail.decode()}")
        elif event == "report" and isinstance(detail, tuple):
            self._log.append(f"report {detail[0]}")


class MachinePerformer:
    """A simulated machine; it is paused until it shall begin."""

    def __init__(self, *, stepwise: bool) -> None:
        self.script = Script()
        self.answers: dict[int, list[Answer | None]] = {}
        self._timeline = Timeline()
        network = Network(self._timeline, Random(1), Quality(delay_s=0.001, jitter_s=0.0))
        self._peer = network.attach("peer", PEER, lambda _packet, _source: None)
        trace = _Trace(self._timeline, self.script.log)
        self._machine = Machine(
            "me", Settings(endpoint=HERE), self._timeline, network, trace, "1", self.script.again
        )
        self._machine.stepwise = stepwise
        self._machine.disk = _Disk(self.script.log)
        self._machine.start()
        self._machine.pause()
        self.script.log.clear()

    def now(self) -> float:
        """As `Performer.now`."""
        return self._machine.clock.read()

    def deliver(self, *texts: str) -> None:
        """As `Performer.deliver`."""
        for text in texts:
            self._peer.send(Send(HERE, text.encode(), Channel.DATAGRAM))
        self._timeline.run(self._timeline.now + 0.01)

    async def ask(self) -> int:
        """As `Performer.ask`."""
        number = len(self.answers) + 1
        self.answers[number] = []
        self._machine.ask(number, REQUEST, lambda answered: self._answered(number, answered))
        return number

    def _answered(self, number: int, answered: Answered | None) -> None:
        self.answers[number].append(None if answered is None else answered.answer)

    async def give_up(self, number: int) -> None:
        """As `Performer.give_up`."""
        self._machine.cancel(number)

    def refuse(self) -> None:
        """As `Performer.refuse`."""
        self._machine.disk.fill()

    def start(self) -> None:
        """As `Performer.start`."""
        self._machine.resume()

    async def until(self, line: str) -> None:
        """As `Performer.until`."""
        until = self._timeline.now + PATIENCE_S
        while line not in self.script.log:
            assert self._timeline.now < until
            self._timeline.run(self._timeline.now + 0.001)

    async def finish(self) -> None:
        """As `Performer.finish`."""
        self._timeline.run(self._timeline.now + PATIENCE_S)
        self._machine.stop()
        self._timeline.run(self._timeline.now)


PERFORMERS: dict[str, Callable[[], Performer]] = {
    "driver": DriverPerformer,
    "machine": lambda: MachinePerformer(stepwise=False),
    "machine, stepwise": lambda: MachinePerformer(stepwise=True),
}


@pytest.fixture(params=PERFORMERS)
async def performer(request: pytest.FixtureRequest) -> AsyncIterator[Performer]:
    """Each that performs effects, not begun yet; whatever it has begun is ended."""
    made = PERFORMERS[request.param]()
    yield made
    with suppress(AssertionError):
        await made.finish()


@pytest.fixture(params=["driver", "machine"])
async def batcher(request: pytest.FixtureRequest) -> AsyncIterator[Performer]:
    """Of those, who takes inputs in batches."""
    made = PERFORMERS[request.param]()
    yield made
    with suppress(AssertionError):
        await made.finish()


async def test_a_request_is_answered_once(performer: Performer) -> None:
    """The asker gets what the node replies, and nothing after that."""
    performer.script.on_request = lambda number: (Reply(number, ANSWER), Reply(number, ANSWER))
    number = await performer.ask()
    performer.start()
    await performer.finish()

    assert performer.answers == {number: [ANSWER]}


async def test_each_asker_gets_its_own_answer(performer: Performer) -> None:
    """Answers find their askers, in whatever order the node gives them."""
    waiting: list[int] = []

    def answer_in_reverse(number: int) -> tuple[Effect, ...]:
        waiting.append(number)
        if len(waiting) < 3:
            return ()
        return tuple(Reply(one, Refusal(Reason.INVALID, str(one))) for one in reversed(waiting))

    performer.script.on_request = answer_in_reverse
    numbers = [await performer.ask() for _ in range(3)]
    performer.start()
    await performer.finish()

    assert performer.answers == {one: [Refusal(Reason.INVALID, str(one))] for one in numbers}


@pytest.mark.parametrize("durability", list(Durability))
async def test_nothing_is_said_before_it_is_remembered(performer: Performer, durability: Durability) -> None:
    """What an input wants remembered is written before anything that it wants sent or told later."""
    performer.script.on_packet = lambda _text: (persist("a", durability), send("s"), REPORT)
    performer.deliver("p")
    performer.start()
    await performer.finish()

    assert performer.script.log == ["packet p", "write a", "send s", "report told"]


async def test_inputs_keep_their_order(performer: Performer) -> None:
    """Packets are taken as they came, and what each wants is done in order."""
    performer.script.on_packet = lambda text: (send(f"{text}1"), send(f"{text}2"))
    performer.deliver("a", "b", "c")
    performer.start()
    await performer.finish()

    log = performer.script.log
    assert [one for one in log if one.startswith("packet")] == ["packet a", "packet b", "packet c"]
    assert [one for one in log if one.startswith("send")] == [
        f"send {text}{number}" for text in "abc" for number in (1, 2)
    ]


async def test_a_batch_shares_one_commit_and_keeps_its_order(batcher: Performer) -> None:
    """Inputs that wait together are written together, and then performed in the order they came in."""
    batcher.script.on_packet = lambda text: (send(f"{text}1"), persist(text), send(f"{text}2"))
    batcher.deliver("a", "b", "c")
    batcher.start()
    await batcher.finish()

    performed = ["send a1", "send a2", "send b1", "send b2", "send c1", "send c2"]
    assert batcher.script.log == ["packet a", "packet b", "packet c", "write a+b+c", *performed]


async def test_packets_do_not_wait_behind_a_flood_of_requests(batcher: Performer) -> None:
    """A batch takes a limited number of requests, before its packets."""
    for _ in range(REQUESTS_PER_BATCH_MAX + 100):
        await batcher.ask()
    batcher.deliver("p")
    batcher.start()
    await batcher.finish()

    assert batcher.script.log.index("packet p") == REQUESTS_PER_BATCH_MAX


async def test_a_timer_keeps_its_turn_during_a_flood(batcher: Performer) -> None:
    """A due timer is served with the batch that makes it due, however many packets wait."""

    def due(_text: str) -> tuple[Effect, ...]:
        batcher.script.wake_at = math.inf if "wake" in batcher.script.log else 0.0
        return ()

    batcher.script.on_packet = due
    batcher.deliver(*["p"] * 1000)
    batcher.start()
    await batcher.finish()

    assert batcher.script.log.index("wake") == PACKETS_PER_BATCH_MAX


async def test_a_client_that_goes_away_is_cancelled_at_the_node(performer: Performer) -> None:
    """Who goes away is cancelled at the node, once; the node's late reply harms nobody."""
    performer.script.on_request = lambda _number: ()
    performer.script.on_packet = lambda _text: (Reply(1, ANSWER),)
    number = await performer.ask()
    performer.start()
    await performer.until("request 1")

    await performer.give_up(number)
    await performer.until("cancel 1")
    performer.deliver("late")
    await performer.finish()

    assert performer.script.log == ["request 1", "cancel 1", "packet late"]
    assert performer.answers == {number: []}


async def test_a_request_cancelled_in_the_queue_never_reaches_the_node(performer: Performer) -> None:
    """A client that goes away before its turn leaves no trace."""
    number = await performer.ask()
    await performer.give_up(number)
    performer.start()
    await performer.finish()

    assert performer.script.log == []


async def test_the_timer_is_kept(performer: Performer) -> None:
    """The node is woken when it asked to be, not before, and again when it asks again."""
    due: list[float] = []

    def again() -> tuple[Effect, ...]:
        if len(due) < 3:
            due.append(performer.now() + 0.01)
            performer.script.wake_at = due[-1]
        elif not performer.script.log[-1].startswith("packet"):
            return (send("woken"),)
        return ()

    performer.script.on_wake = again
    performer.script.on_packet = lambda _text: again()
    performer.start()
    performer.deliver("p")
    await performer.until("send woken")

    assert performer.script.log == ["packet p", "wake", "wake", "wake", "send woken"]
    woken = performer.script.times[1:]
    assert all(at >= wanted for at, wanted in zip(woken, due, strict=True))


async def test_an_input_can_move_the_timer(performer: Performer) -> None:
    """A packet that makes the node want to be woken sooner is enough."""

    def sooner(_text: str) -> tuple[Effect, ...]:
        performer.script.wake_at = performer.now()
        return ()

    performer.script.wake_at = performer.now() + 3600
    performer.script.on_packet = sooner
    performer.start()
    performer.deliver("p")

    await performer.until("wake")


async def test_time_never_goes_back(performer: Performer) -> None:
    """Each input is given a time that is not before the one before."""
    performer.start()
    for number in range(20):
        performer.deliver(str(number))
        await performer.ask()
    await performer.finish()

    assert len(performer.script.times) == 40
    assert sorted(performer.script.times) == performer.script.times


async def test_a_node_is_made_anew(performer: Performer) -> None:
    """
    A node that ends its life is made anew once all that it wanted is done, and before its next input.

    What came together with the end is for the next node, and so are later inputs.
    """
    end = (persist("end", Durability.HOST), send("last"), REPORT, Restart(UNSEALED))
    performer.script.on_packet = lambda text: end if text == "end" else (send(text),)
    performer.script.on_request = lambda number: end if number == 1 else (Reply(number, ANSWER),)
    await performer.ask()
    number = await performer.ask()
    performer.deliver("a", "end", "b")
    performer.start()
    await performer.finish()

    ended = ["write end", "send last", "report told", "life"]
    first, second = ["request 1", *ended], ["request 2", "packet a", "packet end"]
    log = [one for one in performer.script.log if one != "send a"]  # which comes sooner if nothing is batched
    assert log == [*first, *second, *ended, "packet b", "send b"]
    assert performer.answers[number] == [ANSWER]


async def test_who_waits_for_a_life_that_ends_is_told(performer: Performer) -> None:
    """Whoever waits for an answer that the next life knows nothing of learns that there will be none."""
    end = (persist("end", Durability.HOST), Restart(UNSEALED))
    performer.script.on_packet = lambda text: end if text == "end" else (send(text),)
    performer.script.on_request = lambda number: () if number == 1 else (Reply(number, ANSWER),)
    waits = await performer.ask()
    performer.start()
    await performer.until("request 1")
    performer.deliver("end")
    await performer.until("life")
    number = await performer.ask()
    await performer.until("request 2")
    await performer.finish()

    assert performer.answers == {waits: [None], number: [ANSWER]}


@pytest.mark.parametrize("durability", list(Durability))
async def test_a_disk_that_refuses_ends_everything(batcher: Performer, durability: Durability) -> None:
    """When a commit is refused nothing of its batch is said, and nobody is answered any more."""
    batcher.refuse()
    batcher.script.on_packet = lambda _text: (send("early"), persist("a", durability), send("late"), REPORT)
    number = await batcher.ask()
    batcher.deliver("p")
    batcher.start()
    await batcher.finish()

    assert batcher.script.log == ["request 1", "packet p"]
    assert batcher.answers == {number: [None]}


async def test_a_node_can_end_its_daemon(performer: Performer) -> None:
    """What a node wants before it is done is done, and nothing that comes later reaches it."""
    performer.script.on_packet = lambda text: (persist("a"), send("last"), Stop()) if text == "p" else ()
    performer.start()
    performer.deliver("p")
    await performer.until("send last")
    performer.deliver("late")
    await performer.finish()

    assert performer.script.log == ["packet p", "write a", "send last"]


async def test_who_waits_when_it_ends_is_told(performer: Performer) -> None:
    """Whoever waits for the node when the daemon is stopped learns that there will be no answer."""
    performer.script.on_request = lambda _number: ()
    number = await performer.ask()
    performer.start()
    await performer.until("request 1")
    await performer.finish()

    assert performer.answers == {number: [None]}
