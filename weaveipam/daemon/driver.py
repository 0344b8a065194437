"""
Runs one node: feeds it packets, requests and the time, and performs its effects in order.

Inputs queue up while the driver is busy and are taken in batches.  All that a batch wants remembered is
written in one commit, and nothing of the batch is sent, answered or told before that: a group commit, which
keeps "persist before you send" true for every input.  One task does all of it; nothing else touches the node.
Does not know what inputs and effects mean.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, assert_never

from weaveipam.protocol.effects import (
    STREAM_BYTES_MAX,
    Durability,
    Effect,
    Persist,
    Reply,
    Report,
    Restart,
    Send,
    Stop,
)
from weaveipam.protocol.requests import Answer, Reason, Refusal, Request
from weaveipam.protocol.values import Endpoint

PENDING_REQUESTS_MAX = 1024
"""Requests that wait for an answer; at 1,025 it is refused: overloaded.  A host has at most some 250 pods."""
REQUESTS_PER_BATCH_MAX = 256
"""Requests and cancellations that one batch takes; they go before its packets."""
PACKETS_PER_BATCH_MAX = 64
"""
Packets that one batch takes, so that a request never waits for more than these.

At 0.1 to 0.2 ms for each that is about 10 ms; fewer would let fewer of them share a commit.
"""
INBOX_PACKETS_MAX = 4096
"""Packets that wait for the driver; at 4,097 the oldest is dropped: the newest knows more of the present."""
INBOX_BYTES_MAX = 4 * STREAM_BYTES_MAX
"""Bytes of those packets; the newest one is always kept."""

COUNTERS = (
    "inputs.packet",
    "inputs.request",
    "inputs.cancel",
    "inputs.wake",
    "batches",
    "commits.process",
    "commits.host",
    "dropped.inbox-full",
    "refused.overloaded",
)
"""Names that `Driver.counters` always has."""


class StateMachine(Protocol):
    """What the driver needs of a node; `weaveipam.node.Node` is one, and says what each call means."""

    @property
    def wake_at(self) -> float:
        """When `wake` is due next, in seconds of the loop's clock; `math.inf` for never."""
        ...

    def receive(self, packet: bytes, source: Endpoint, now: float) -> tuple[Effect, ...]:
        """What to do about a packet."""
        ...

    def request(self, request_id: int, request: Request, now: float) -> tuple[Effect, ...]:
        """What to do about a client's request."""
        ...

    def cancel(self, request_id: int, now: float) -> tuple[Effect, ...]:
        """What to do about a client that has gone."""
        ...

    def wake(self, now: float) -> tuple[Effect, ...]:
        """What is due by now."""
        ...


class Journal(Protocol):
    """What the driver needs of a store; `weaveipam.daemon.store.Store` is one."""

    def write(self, persists: Sequence[Persist]) -> None:
        """
        Make all of them true in one commit, in this order, as durable as the strongest of them.

        Called in the loop's thread for PROCESS and in one other thread for HOST, never in both at once.

        Raises:
            StorageError: nothing of it can be relied on; the driver stops.
        """
        ...


class Outbound(Protocol):
    """What the driver needs of a transport; `weaveipam.daemon.transport.Transport` is one."""

    def send(self, effect: Send) -> None:
        """Send some time soon; neither waits nor raises."""
        ...


class Inbox:
    """
    Packets that wait for the driver; drops the oldest when there are too many.

    Made before the transport and handed to both it and the driver, so that neither needs the other first.
    """

    def __init__(self, packets_max: int = INBOX_PACKETS_MAX, bytes_max: int = INBOX_BYTES_MAX) -> None:
        self._packets_max = packets_max
        self._bytes_max = bytes_max
        self._packets: deque[tuple[bytes, Endpoint]] = deque()
        self._bytes = 0
        self._closed = False
        self.on_arrival: Callable[[], None] | None = None
        """Called after each packet that is kept; the driver's."""
        self.dropped_count = 0

    def __len__(self) -> int:
        return len(self._packets)

    def deliver(self, packet: bytes, source: Endpoint) -> None:
        """Keep a packet for the driver, in the event loop's thread; ignored once closed."""
        if self._closed:
            return
        self._packets.append((packet, source))
        self._bytes += len(packet)
        while len(self._packets) > 1 and (
            len(self._packets) > self._packets_max or self._bytes > self._bytes_max
        ):
            dropped, _ = self._packets.popleft()
            self._bytes -= len(dropped)
            self.dropped_count += 1
        if self.on_arrival is not None:
            self.on_arrival()

    def take(self, count_max: int) -> Iterator[tuple[bytes, Endpoint]]:
        """The oldest packets and their sources, at most so many; each is gone once it is yielded."""
        for _ in range(min(count_max, len(self._packets))):
            packet, source = self._packets.popleft()
            self._bytes -= len(packet)
            yield packet, source

    def close(self) -> None:
        """Keep what is here, and nothing more."""
        self._closed = True


@dataclass(slots=True, eq=False)
class _Waiting:
    """A client that waits for its answer."""

    future: asyncio.Future[Answer]
    handed: bool = False
    """Whether the node knows of the request."""


class Driver:
    """The one task that touches the node: `run` it, `ask` it, `stop` it."""

    def __init__(
        self,
        node: StateMachine,
        store: Journal,
        transport: Outbound,
        report: Callable[[Report], None],
        inbox: Inbox | None = None,
        rebuild: Callable[[Restart], StateMachine] | None = None,
    ) -> None:
        """
        Nothing runs yet.

        Args:
            node: What to drive.
            store: Where what it wants remembered is written.
            transport: By which it sends.
            report: Told what it reports.
            inbox: Packets that wait for it.
            rebuild: Makes the node that the store now remembers; called in another thread, while nothing is
                written.  None: the node never asks for that.
        """
        self._node = node
        self._rebuild = rebuild
        self._store = store
        self._transport = transport
        self._report = report
        self._inbox = Inbox() if inbox is None else inbox
        self._inbox.on_arrival = self._poke
        self._poked = asyncio.Event()
        # In the order in which they came; None cancels.
        self._requests: deque[tuple[int, Request | None]] = deque()
        self._waiting: dict[int, _Waiting] = {}
        self._last_request_id = 0
        self._refusal = ""
        self._timer: asyncio.TimerHandle | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        self._counts = dict.fromkeys(COUNTERS, 0)
        self.commit_seconds = {Durability.PROCESS: 0.0, Durability.HOST: 0.0}
        """Seconds spent in commits, by durability."""
        self.timer_lag_s = 0.0
        """Seconds by which the last timer was late: how far the event loop is behind."""

    @property
    def counters(self) -> dict[str, int]:
        """A copy of all counts, by the names in COUNTERS."""
        return {**self._counts, "dropped.inbox-full": self._inbox.dropped_count}

    @property
    def pending_count(self) -> int:
        """Requests that wait for an answer, in the queue or at the node."""
        return len(self._waiting)

    def deliver(self, packet: bytes, source: Endpoint) -> None:
        """Queue a packet for the node; in the event loop's thread."""
        self._inbox.deliver(packet, source)

    async def ask(self, request: Request) -> Answer:
        """
        The node's answer to a request.

        When the asking task is cancelled, so is the request.

        Returns:
            Also a Refusal of the driver's own: OVERLOADED when PENDING_REQUESTS_MAX wait already, NOT_READY
            when the driver stops before the node has answered.
        """
        if self._refusal:
            return Refusal(Reason.NOT_READY, self._refusal)
        if max(len(self._waiting), len(self._requests)) >= PENDING_REQUESTS_MAX:
            self._counts["refused.overloaded"] += 1
            return Refusal(
                Reason.OVERLOADED, f"{PENDING_REQUESTS_MAX} requests wait already; try again later"
            )
        self._last_request_id += 1
        request_id = self._last_request_id
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = _Waiting(future)
        self._requests.append((request_id, request))
        self._poke()
        try:
            return await future
        except asyncio.CancelledError:
            waiting = self._waiting.pop(request_id, None)
            if waiting is not None and waiting.handed:
                self._requests.append((request_id, None))
                self._poke()
            raise

    async def run(self) -> None:
        """
        Drive the node until `stop`; call it once.

        However it ends, whoever still waits for an answer is refused and no commit is under way any more.

        Raises:
            StorageError: the disk refused.  Nothing of the batch was sent, answered or told; the node is
                ahead of its disk and must not be used again.
            Exception: the node's own, a bug; as above.
        """
        why = "the daemon has failed"
        try:
            self._arm_timer()
            while not self._refusal or self._requests or self._inbox:
                await self._poked.wait()
                self._poked.clear()
                await self._turn()
                if self._requests or self._inbox:
                    self._poke()
                # Whatever the backlog: sockets are read and clients heard between any two batches.
                await asyncio.sleep(0)
            why = "the daemon has stopped"
        finally:
            self._end(why)

    def stop(self) -> None:
        """Take no more inputs; `run` works off what is queued and returns."""
        self._refusal = self._refusal or "the daemon is stopping"
        self._inbox.close()
        self._poke()

    def _poke(self) -> None:
        self._poked.set()

    async def _turn(self) -> None:
        """One batch: feed the node, commit, perform."""
        effects = self._feed(asyncio.get_running_loop().time())
        self._counts["batches"] += 1
        persists = [effect for effect in effects if isinstance(effect, Persist)]
        if persists:
            await self._commit(persists)
        self._perform(effects)
        if _ends(effects):
            await self._restart(effects[-1])
        self._arm_timer()

    async def _restart(self, last: Effect) -> None:
        """Go on with the node of the next life, which knows nothing of who still waits for the last."""
        assert isinstance(last, Restart)
        assert self._rebuild is not None, "this node was not to ask for another one"
        loop = asyncio.get_running_loop()
        self._node = await loop.run_in_executor(self._executor, self._rebuild, last)
        self._give_up("the daemon's life ended", [one for one in self._waiting.values() if one.handed])

    def _feed(self, now: float) -> list[Effect]:
        """
        The effects of one batch of inputs: requests, then packets, then the timer if it is due.

        What comes after the end of a node's life waits for the next one.
        """
        node, counts = self._node, self._counts
        effects: list[Effect] = []
        for _ in range(min(len(self._requests), REQUESTS_PER_BATCH_MAX)):
            request_id, request = self._requests.popleft()
            if request is None:
                counts["inputs.cancel"] += 1
                effects += node.cancel(request_id, now)
            elif (waiting := self._waiting.get(request_id)) is not None:
                waiting.handed = True
                counts["inputs.request"] += 1
                effects += node.request(request_id, request, now)
            if _ends(effects):
                return effects
        for packet, source in self._inbox.take(PACKETS_PER_BATCH_MAX):
            counts["inputs.packet"] += 1
            effects += node.receive(packet, source, now)
            if _ends(effects):
                return effects
        if node.wake_at <= now:
            self.timer_lag_s = now - node.wake_at
            counts["inputs.wake"] += 1
            effects += node.wake(now)
        return effects

    async def _commit(self, persists: Sequence[Persist]) -> None:
        loop = asyncio.get_running_loop()
        durability = max(persist.durability for persist in persists)
        started = loop.time()
        if durability is Durability.HOST:
            # Waits for the disk, for milliseconds: elsewhere, so that sockets are read meanwhile.
            await loop.run_in_executor(self._executor, self._store.write, persists)
            self._counts["commits.host"] += 1
        else:
            self._store.write(persists)
            self._counts["commits.process"] += 1
        self.commit_seconds[durability] += loop.time() - started

    def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._transport.send(effect)
                case Reply():
                    waiting = self._waiting.pop(effect.request_id, None)
                    if waiting is not None and not waiting.future.done():
                        waiting.future.set_result(effect.answer)
                case Report():
                    self._report(effect)
                case Stop():
                    self.stop()
                case Persist() | Restart():
                    pass  # committed before the first of the others; to come after the last of them
                case _:
                    assert_never(effect)

    def _arm_timer(self) -> None:
        """Be poked when the node wants to be woken."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._node.wake_at < math.inf:
            self._timer = asyncio.get_running_loop().call_at(self._node.wake_at, self._poke)

    def _end(self, why: str) -> None:
        self._refusal = why
        self._inbox.close()
        if self._timer is not None:
            self._timer.cancel()
        # A commit may be under way if `run` was cancelled; nobody may close the store below it.
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._give_up(why, self._waiting.values())
        self._waiting.clear()

    def _give_up(self, why: str, clients: Iterable[_Waiting]) -> None:
        """Refuse clients who will get no other answer; what they asked for may yet be done."""
        for waiting in clients:
            if not waiting.future.done():
                waiting.future.set_result(Refusal(Reason.NOT_READY, f"{why} before it could answer"))


def _ends(effects: Sequence[Effect]) -> bool:
    """Whether the node that wants these is to be made anew."""
    return bool(effects) and type(effects[-1]) is Restart
