"""
One simulated host: its clocks, its disk, and the daemon on it, which is the production node.

It performs the same contract as `weaveipam.daemon.driver`: inputs are taken in batches, all that a batch
wants remembered is one commit, and nothing of the batch is sent or answered before that.  Some machines are
`stepwise` instead: they perform one effect after the other, which the contract allows as well, so that a
daemon can die between any two.
Does not know other machines, nor what inputs and effects mean.
"""

from __future__ import annotations

import math
import traceback
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import ParamSpec, TypeAlias, TypeVar

from ring.ring import Peer
from simulations.clock import Clock
from simulations.disk import Disk
from simulations.network import Network, Port
from simulations.timeline import Timeline
from simulations.trace import Trace
from weaveipam.daemon.driver import StateMachine
from weaveipam.errors import StorageError
from weaveipam.gossip.seal import SESSION_BYTES
from weaveipam.node import Node, Settings
from weaveipam.protocol.effects import Durability, Effect, Persist, Reply, Report, Restart, Send, Stop
from weaveipam.protocol.keyring import KeyRing
from weaveipam.protocol.records import (
    Chartered,
    Identity,
    Leased,
    Leaving,
    Left,
    Noted,
    Outgoing,
    Owned,
    Record,
    Resting,
)
from weaveipam.protocol.requests import Answer, Request
from weaveipam.protocol.values import Endpoint

Inputs = ParamSpec("Inputs")
Result = TypeVar("Result")

WAKES_MAX = 500
"""At one moment; more is a timer that is due for ever."""
REQUESTS_MAX = 256
PACKETS_MAX = 64
"""Inputs that one batch takes, as the daemon's driver."""
INBOX_MAX = 4096
"""Packets that wait; at one more the oldest is dropped, as by the daemon's inbox."""

Callback: TypeAlias = Callable[["Answered | None"], None]
"""Called once: with the answer, or with None if the daemon is gone."""


Restore: TypeAlias = Callable[[Peer, Settings, Random, Sequence[Record], float], StateMachine]
"""As `Node.restore`."""


HASTE = 40
"""
How many times as mortal as elsewhere a daemon is between telling something and remembering something else.

There it matters most in which order the node wants things done.
"""


class NodeError(Exception):
    """A bug of the node: it raised an exception, or wants to be woken for ever at one moment."""


class Answered:
    """An answer, and how the daemon came to it."""

    __slots__ = ("answer", "free_before", "immediate")

    def __init__(self, answer: Answer, *, immediate: bool, free_before: int | None) -> None:
        self.answer = answer
        self.immediate = immediate
        """Whether it came with the request itself, and did not wait for anything else."""
        self.free_before = free_before
        """What `Machine.measure` said of the request when the daemon took it."""


class _Waiting:
    """A client that waits for its answer."""

    __slots__ = ("free_before", "handed", "request", "then")

    def __init__(self, request: Request, then: Callback) -> None:
        self.request = request
        self.then = then
        self.handed = False
        self.free_before: int | None = None


class Machine:
    """One host.  Its daemon runs from `start` until `kill`, `stop`, `lose_power` or a fault of its disk."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        timeline: Timeline,
        network: Network,
        trace: Trace,
        seed: str,
        restore: Restore = Node.restore,
    ) -> None:
        self.name = name
        self.settings = settings
        """What its daemon is started with next; a session is drawn for each start."""
        self.seed = seed
        self.clock = Clock(timeline, offset_s=Random(f"{seed}/clock").uniform(10.0, 1e5))
        self.disk = Disk(Random(f"{seed}/disk"))
        self.node: StateMachine | None = None
        self.life = Peer(name, 0)
        """The latest."""
        self.lives_count = 0
        self.unmarked = False
        """Whether its daemon has given something to a client since it raised its mark."""
        self.paused = False
        self.stepwise = False
        self.mortality = 0.0
        """The chance before each effect that the daemon dies there."""
        self.work_s = 0.0
        """Seconds that each batch keeps the daemon busy; a slow machine has more."""
        self.reports: Counter[str] = Counter()
        """What the daemons here reported, by event."""
        self.on_report: Callable[[Machine, Report], None] = lambda _machine, _report: None
        self.on_ownership: Callable[[Machine], None] = lambda _machine: None
        """Called after commits that say who owns what, or which pools there are."""
        self.on_left: Callable[[Machine], None] = lambda _machine: None
        """Called when its disk says that the daemon has left, perhaps more than once."""
        self.on_end: Callable[[Machine, str], None] = lambda _machine, _how: None
        """Called when the daemon is gone: why."""
        self.measure: Callable[[Machine, Request], int | None] = lambda _machine, _request: None
        """Asked when the daemon takes a request: addresses that it could give at once."""
        self._restore = restore
        self._timeline = timeline
        self._network = network
        self._trace = trace
        self._port: Port | None = None
        self._rng = Random(f"{seed}/machine")
        self._starts = 0
        self._packets: deque[tuple[bytes, Endpoint]] = deque()
        self._requests: deque[tuple[int, bool]] = deque()
        self._waiting: dict[int, _Waiting] = {}
        self._busy = False
        self._overdue: Callable[[], None] | None = None
        """What the process would have done while it was paused."""
        self._local = -math.inf
        self._armed = math.inf
        self._due = math.inf
        """When the node wants to be woken; only its inputs change that."""
        self._wakes = (-math.inf, 0)

    # Life and death

    @property
    def running(self) -> bool:
        """Whether the daemon's process exists, perhaps paused."""
        return self.node is not None

    @property
    def idle(self) -> bool:
        """Whether what the daemon would show now is on its disk: no commit is under way."""
        return self.node is not None and not self._busy

    def start(self) -> None:
        """Start the daemon from what the disk holds; a new life if it holds nothing."""
        assert self.node is None, f"{self.name} runs already"
        opened = self.disk.open()
        held = next((one.peer for one in opened.records if isinstance(one, Identity)), None)
        if any(isinstance(one, Left) and one.peer == self.life for one in opened.records):
            self.on_left(self)
        if held is None:
            held = Peer(self.name, int(self.clock.wall() * 1e6) << 10 | self._rng.getrandbits(10))
            try:
                self.disk.write([Persist((Identity(held),), (), Durability.HOST)])
            except StorageError:
                self.disk.die()
                self._trace.note(self.name, "unstarted", "the disk is full")
                return
            self.lives_count += 1
            self.reports["second-life"] += self.lives_count > 1
        self.reports["restart-with-grant"] += any(isinstance(one, Outgoing) for one in opened.records)
        self.reports["restart-with-resting"] += any(isinstance(one, Resting) for one in opened.records)
        self.reports["restart-leaving"] += any(isinstance(one, Leaving) for one in opened.records)
        self._starts += 1
        self._trace.note(self.name, "start", f"{held} {len(opened.records)} {opened.damage}")
        self._local = self.clock.read()
        self._port = self._network.attach(self.name, self.settings.endpoint, self.deliver)
        self._make_node(held, opened.records, self.settings.keyring)
        self._pump()

    def _make_node(self, life: Peer, records: Sequence[Record], keyring: KeyRing) -> None:
        self.life = life
        rng = Random(f"{self.seed}/{self._starts}")
        session = Random(f"{self.seed}/{self._starts}/session").randbytes(SESSION_BYTES)
        settings = replace(self.settings, session=session, keyring=keyring)
        self.node = self._call(self._restore, life, settings, rng, records, self._local)
        self._due = self.node.wake_at

    def _restart(self, effect: Restart) -> None:
        """The node of the next life takes the place of the last; the process goes on."""
        records = self.disk.read()
        life = next(one.peer for one in records if isinstance(one, Identity))
        self._starts += 1
        self._armed = math.inf
        self._trace.note(self.name, "restart", f"{life} {len(records)}")
        self.lives_count += 1
        self._make_node(life, records, effect.keyring)
        for request_id in [one for one, waiting in self._waiting.items() if waiting.handed]:
            self._timeline.after(0.0, self._waiting.pop(request_id).then, None)
        self.on_ownership(self)

    def kill(self, how: str = "killed") -> None:
        """`kill -9`; nothing if the daemon does not run."""
        if self.node is not None:
            self._end(how)
            self.disk.die()

    def stop(self) -> None:
        """SIGTERM: what waits is worked off, as far as it goes at once; then the store is closed."""
        if self.node is None:
            return
        if self._busy or self.paused:
            self.kill("killed, as it did not stop in time")
            return
        self._pump()
        if self._busy:
            self.kill("killed, as it did not stop in time")
        elif self.node is not None:
            if self._port is not None:
                self._port.close()
            self._end("stopped")
            self.disk.close()

    def lose_power(self) -> None:
        """The whole host is off at once, its kernel too."""
        if self._port is not None:
            self._port.abort(silent=True)
        self._end("lost its power")
        self.disk.lose_power()

    def pause(self) -> None:
        """The process stops running; its kernel goes on.  Nothing if the daemon does not run."""
        if self.node is None:
            return
        self.paused = True
        self.reports["paused"] += 1
        self._trace.note(self.name, "pause")

    def resume(self) -> None:
        """The process goes on, late."""
        self.paused = False
        self._trace.note(self.name, "resume")
        overdue, self._overdue = self._overdue, None
        if overdue is not None:
            overdue()
        self._pump()

    def touch(self) -> None:
        """Look at the clock again: it is not what it was."""
        self._armed = math.inf
        self._pump()

    def _end(self, how: str) -> None:
        if self.node is None:
            return
        self._trace.note(self.name, "end", how)
        self.node = None
        self.paused = self._busy = False
        self._overdue = None
        self._starts += 1  # what was planned for this process is for nobody
        self._armed = math.inf
        self._packets.clear()
        self._requests.clear()
        if self._port is not None:
            self._port.abort()
        waiting, self._waiting = self._waiting, {}
        self.on_end(self, how)
        for one in waiting.values():
            self._timeline.after(0.0, one.then, None)

    # Inputs

    def ask(self, request_id: int, request: Request, then: Callback) -> None:
        """Put a request to the daemon, which must run; `request_id` is new in the run."""
        assert self.node is not None
        self._waiting[request_id] = _Waiting(request, then)
        self._requests.append((request_id, True))
        self._trace.note(self.name, "ask", (request_id, request))
        self._pump()

    def cancel(self, request_id: int) -> None:
        """The client that asked goes away; nothing if it has its answer."""
        waiting = self._waiting.pop(request_id, None)
        if waiting is not None and waiting.handed:
            self._requests.append((request_id, False))
            self._pump()

    def show(self, request: Request) -> Answer:
        """What the daemon answers to a question that changes nothing; it must be `idle`."""
        assert self.node is not None
        effects = self.node.request(0, request, self._local)
        (reply,) = effects
        assert isinstance(reply, Reply)
        return reply.answer

    def deliver(self, packet: bytes, source: Endpoint) -> None:
        """A packet has arrived at the daemon, which runs."""
        self._packets.append((packet, source))
        if len(self._packets) > INBOX_MAX:
            self._packets.popleft()
        self._pump()

    # The driver

    def _pump(self) -> None:
        """Take batches until nothing waits or the daemon is busy."""
        while self.node is not None and not self._busy and not self.paused:
            now = self._local = max(self._local, self.clock.read())
            if not (self._due <= now or self._packets or self._requests):
                break
            self._take(self._feed(now))
        self._arm()

    def _feed(self, now: float) -> Sequence[Effect]:
        """
        The effects of one batch: requests, then packets, then the timer; just one input if stepwise.

        What comes after the end of a node's life waits for the next one.
        """
        node = self.node
        assert node is not None
        effects: list[Effect] = []
        for _ in range(min(len(self._requests), 1 if self.stepwise else REQUESTS_MAX)):
            effects += self._feed_request(node, now)
            if _ends(effects):
                return effects
        packets_max = PACKETS_MAX if not self.stepwise else int(not effects)
        for _ in range(min(len(self._packets), packets_max)):
            packet, source = self._packets.popleft()
            self._trace.note(self.name, "receive", packet)
            effects += self._call(node.receive, packet, source, now)
            if _ends(effects):
                return effects
        self._due = node.wake_at
        if self._due <= now and not (self.stepwise and effects):
            self._guard(now)
            self._trace.note(self.name, "wake")
            effects += self._call(node.wake, now)
            self._due = node.wake_at
        return effects

    def _feed_request(self, node: StateMachine, now: float) -> Sequence[Effect]:
        request_id, asked = self._requests.popleft()
        if not asked:
            return self._call(node.cancel, request_id, now)
        waiting = self._waiting.get(request_id)
        if waiting is None:
            return ()
        waiting.free_before = self.measure(self, waiting.request)
        effects = self._call(node.request, request_id, waiting.request, now)
        waiting.handed = not any(isinstance(one, Reply) and one.request_id == request_id for one in effects)
        return effects

    def _guard(self, now: float) -> None:
        at, count = self._wakes
        self._wakes = (now, count + 1 if at == now else 1)
        if self._wakes[1] > WAKES_MAX:
            raise NodeError(f"{self.name} wants to be woken for ever at {self._timeline.now}")

    def _call(self, method: Callable[Inputs, Result], *args: Inputs.args, **options: Inputs.kwargs) -> Result:
        """
        What a method of the node returns.

        Raises:
            NodeError: it raised.
        """
        try:
            return method(*args, **options)
        except Exception as error:
            *_, last = traceback.extract_tb(error.__traceback__)
            where = f"{last.name} ({Path(last.filename).name}:{last.lineno})"
            raise NodeError(f"the daemon at {self.name} raised {error!r} in {where}") from error

    def _take(self, effects: Sequence[Effect]) -> None:
        """Do what a batch wants, now or when its commit is done."""
        if self.stepwise:
            for number, effect in enumerate(effects):
                if self._dies(effects, number):
                    return
                self._step(effect)
                if self.node is None:
                    return
            self._work()
            return
        persists = [one for one in effects if type(one) is Persist]
        if not persists:
            self._perform(effects)
            self._work()
            return
        if self._dies(effects, effects.index(persists[0])):
            return
        try:
            delay_s = self.disk.begin(persists)
        except StorageError as error:
            self._fail(error)
            return
        self._busy = True
        self._timeline.after(delay_s, self._committed, self._starts, persists, effects)

    def _committed(self, starts: int, persists: Sequence[Persist], effects: Sequence[Effect]) -> None:
        if starts != self._starts:
            return
        if self.paused:  # the disk is done, but nobody goes on from there
            self._overdue = partial(self._committed, starts, persists, effects)
            return
        self.disk.finish()
        self._busy = False
        self._wrote(persists)
        self._perform(effects)
        self._work()
        self._pump()

    def _work(self) -> None:
        """A slow machine is busy with a batch for a while."""
        if self.work_s and self.node is not None:
            self._busy = True
            self._timeline.after(self.work_s, self._worked, self._starts)

    def _worked(self, starts: int) -> None:
        if starts == self._starts:
            self._busy = False
            self._pump()

    def _wrote(self, persists: Sequence[Persist]) -> None:
        for one in persists:
            self._trace.note(self.name, "persist", (one.durability, one.delete, one.put))
            for record in one.put:
                if type(record) is Leased:
                    self.unmarked = True
                elif type(record) is Noted and record.peer == self.life:
                    self.unmarked = False
        if any(type(record) in {Owned, Chartered} for one in persists for record in one.put):
            self.on_ownership(self)
        if any(type(record) is Left and record.peer == self.life for one in persists for record in one.put):
            self.on_left(self)

    def _perform(self, effects: Sequence[Effect]) -> None:
        for number, effect in enumerate(effects):
            if type(effect) is not Persist:
                if self._dies(effects, number):
                    return
                self._step(effect)
                if self.node is None:  # whoever heard of it has ended the daemon
                    return

    def _step(self, effect: Effect) -> None:
        match effect:
            case Send():
                self._trace.note(self.name, "send", effect.packet)
                if self._port is not None:
                    self._port.send(effect)
            case Persist():
                try:
                    self.disk.write([effect])
                except StorageError as error:
                    self._fail(error)
                    return
                self._wrote([effect])
            case Reply():
                self._reply(effect)
            case Restart():
                self._restart(effect)
            case Stop():
                if self._port is not None:
                    self._port.close()
                self._end("left")
                self.disk.close()
            case Report():
                self._trace.note(self.name, "report", (effect.event, effect.fields))
                self.reports[effect.event] += 1
                self.on_report(self, effect)

    def _reply(self, reply: Reply) -> None:
        self._trace.note(self.name, "reply", (reply.request_id, reply.answer))
        waiting = self._waiting.pop(reply.request_id, None)
        if waiting is not None:
            answered = Answered(reply.answer, immediate=not waiting.handed, free_before=waiting.free_before)
            # Not from within: what the client does next is another input, and this batch is not done yet.
            self._timeline.after(0.0, waiting.then, answered)

    def _dies(self, effects: Sequence[Effect], number: int) -> bool:
        """Whether the daemon dies before the effect of this number."""
        if not self.mortality:
            return False
        told = number and type(effects[number]) is Persist and type(effects[number - 1]) is not Persist
        if self._rng.random() >= self.mortality * (HASTE if told else 1):
            return False
        self._trace.note(self.name, "dies", (number, len(effects)))
        before = "Persist" if type(effects[number]) is Persist else type(effects[number]).__name__
        self.reports[f"death-before-{before.lower()}"] += 1
        self.kill("died between two effects")
        return True

    def _fail(self, error: StorageError) -> None:
        """The daemon ends when its disk refuses."""
        self._trace.note(self.name, "refused", str(error))
        self.reports["storage-error"] += 1
        self.kill("ended: the disk refused")

    # Time

    def _arm(self) -> None:
        """Plan the next wake, unless an earlier one is planned, which will plan it."""
        if self.node is None or self.paused or self._busy:
            return
        due = self._due
        if due == math.inf:
            return
        when = max(self.clock.when(due), self._timeline.now)
        if when < self._armed:
            self._armed = when
            self._timeline.at(when, self._timer, self._starts, when)

    def _timer(self, starts: int, when: float) -> None:
        if starts != self._starts or when != self._armed or self.node is None:
            return
        self._armed = math.inf
        due = self._due
        # The clock may read a hair less than what it was asked to read now.
        if self.clock.when(due) <= self._timeline.now:
            self._local = max(self._local, due)
        self._pump()


def _ends(effects: Sequence[Effect]) -> bool:
    """Whether the node that wants these is to be made anew."""
    return bool(effects) and type(effects[-1]) is Restart
