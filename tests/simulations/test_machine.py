"""
A simulated host: how its daemon begins and ends, and what passes while it is busy, paused or slow.

What it promises as any performer does is in `tests/daemon/test_performers.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random

import pytest

from ring.address import Family
from ring.ring import Peer, Run, Token
from simulations.machine import INBOX_MAX, Answered, Machine, NodeError
from simulations.network import Network, Quality
from simulations.timeline import Timeline
from simulations.trace import Trace
from weaveipam.config.pools import parse_pool
from weaveipam.node import Node, Settings
from weaveipam.protocol.effects import Channel, Durability, Effect, Level, Persist, Reply, Report, Send
from weaveipam.protocol.records import Acquaintance, Owned, Record
from weaveipam.protocol.requests import GetStatus, Pools, Release, Status
from weaveipam.protocol.values import Endpoint, RingId

HERE, PEER = Endpoint("192.0.2.9", 6783), Endpoint("192.0.2.1", 6783)
REQUEST, ANSWER = Release("k"), Pools(())
DELAY_S = 0.001
"""Of every link; a commit with HOST takes at least as long."""


def remembered(name: str, durability: Durability = Durability.PROCESS) -> Persist:
    """One record."""
    return Persist((Acquaintance(Peer(name, 1), PEER),), (), durability)


def said(text: str, channel: Channel = Channel.DATAGRAM) -> Send:
    """One packet to the peer."""
    return Send(PEER, text.encode(), channel)


class Toy:
    """A node that answers packets with what a test says, requests with `ANSWER`, and takes notes."""

    def __init__(self, life: Peer, records: Sequence[Record]) -> None:
        self.life = life
        self.names = [one.peer.name for one in records if isinstance(one, Acquaintance)]
        """What the disk remembered."""
        self.heard: list[str] = []
        self.wake_at = math.inf
        self.on_packet: Callable[[str], tuple[Effect, ...]] = lambda _text: ()
        self.on_request: Callable[[int], tuple[Effect, ...]] = lambda number: (Reply(number, ANSWER),)
        self.on_wake: Callable[[float], tuple[Effect, ...]] = lambda _now: ()

    def receive(self, packet: bytes, source: Endpoint, now: float) -> tuple[Effect, ...]:
        """As the test says."""
        del source, now
        self.heard.append(packet.decode())
        return self.on_packet(packet.decode())

    def request(self, request_id: int, request: object, now: float) -> tuple[Effect, ...]:
        """As the test says."""
        del request, now
        self.heard.append(f"request {request_id}")
        return self.on_request(request_id)

    def cancel(self, request_id: int, now: float) -> tuple[Effect, ...]:
        """Nothing."""
        del now
        self.heard.append(f"cancel {request_id}")
        return ()

    def at(self, when: float) -> tuple[Effect, ...]:
        """Be woken then."""
        self.wake_at = when
        return ()

    def wake(self, now: float) -> tuple[Effect, ...]:
        """As the test says, and not again."""
        self.heard.append("wake")
        self.wake_at = math.inf
        return self.on_wake(now)


class Lab:
    """A machine, and a peer that hears what it sends."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.network = Network(self.timeline, Random(1), Quality(delay_s=DELAY_S, jitter_s=0.0))
        self.sent: list[str] = []
        self.peer = self.network.attach("peer", PEER, lambda packet, _: self.sent.append(packet.decode()))
        self.toys: list[Toy] = []
        self.sessions: list[bytes] = []
        self.trace = Trace(lambda: self.timeline.now)
        self.machine = Machine(
            "me", Settings(endpoint=HERE), self.timeline, self.network, self.trace, "1", self.restore
        )
        self.ends: list[str] = []
        self.machine.on_end = lambda _machine, how: self.ends.append(how)
        self.answers: list[Answered | None] = []

    def restore(
        self, life: Peer, settings: Settings, rng: Random, records: Iterable[Record], now: float
    ) -> Toy:
        """As `Node.restore`."""
        del rng, now
        self.sessions.append(settings.session)
        self.toys.append(Toy(life, tuple(records)))
        return self.toys[-1]

    @property
    def toy(self) -> Toy:
        """The node that was restored last."""
        return self.toys[-1]

    def start(self) -> Toy:
        """Start the daemon; its node."""
        self.machine.start()
        return self.toy

    def deliver(self, *texts: str) -> None:
        """Packets that arrive now, one after the other."""
        for text in texts:
            self.peer.send(Send(HERE, text.encode(), Channel.DATAGRAM))
        self.run(DELAY_S)

    def ask(self, number: int) -> None:
        """A client's request."""
        self.machine.ask(number, REQUEST, self.answers.append)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.timeline.run(self.timeline.now + seconds)


@pytest.fixture
def lab() -> Lab:
    """A machine whose daemon does not run yet."""
    return Lab()


# Lives


def test_a_life_is_on_disk_before_it_begins(lab: Lab) -> None:
    """A daemon without a past names its life and remembers it; after a restart it is the same."""
    first = lab.start().life
    assert first.name == "me"
    lab.machine.kill()

    assert lab.start().life == first
    assert lab.machine.lives_count == 1


@pytest.mark.parametrize("how", ["kill", "stop", "lose_power"])
def test_what_was_synced_outlives_every_end(lab: Lab, how: str) -> None:
    """However a daemon ends, the next one finds its life and what was on stable storage."""
    toy = lab.start()
    toy.on_packet = lambda text: (remembered(text, Durability.HOST),)
    lab.deliver("a")
    lab.run(30.0)

    getattr(lab.machine, how)()

    assert not lab.machine.running
    assert len(lab.ends) == 1
    assert lab.start().names == ["a"]
    assert lab.toy.life == toy.life


def test_another_disk_is_another_life(lab: Lab) -> None:
    """A daemon that finds an empty disk begins a new life, later than the one before."""
    first = lab.start().life
    lab.machine.kill()
    lab.machine.disk.wipe()
    lab.run(1.0)

    second = lab.start().life

    assert second.name == first.name
    assert second.incarnation > first.incarnation
    assert lab.machine.reports["second-life"] == 1


def test_without_room_for_a_life_nothing_begins(lab: Lab) -> None:
    """A daemon that cannot write its identity does not run; once there is room it does."""
    lab.machine.disk.fill()
    lab.machine.start()
    assert not lab.machine.running

    lab.machine.disk.free()

    assert lab.start().life.name == "me"


def test_the_node_is_told_what_the_disk_holds() -> None:
    """Without anything else a machine runs the node of production."""
    timeline = Timeline()
    network = Network(timeline, Random(1), Quality())
    pools = (parse_pool({"name": "default", "ranges": ["10.0.0.0/28"]}),)
    settings = replace(Settings(endpoint=HERE), seeds=("me",), pools=pools)
    machine = Machine("me", settings, timeline, network, Trace(lambda: timeline.now), "1")
    for _ in range(2):
        machine.start()
        timeline.run(timeline.now + 5.0)
        assert isinstance(machine.node, Node)
        status = machine.show(GetStatus())
        assert isinstance(status, Status)
        assert status.ready
        assert status.peer == machine.life
        machine.stop()


# Ends


@pytest.mark.parametrize("how", ["kill", "stop", "lose_power"])
def test_everybody_who_waits_is_told_of_the_end(lab: Lab, how: str) -> None:
    """Clients of a daemon that has ended get no answer, and get that once."""
    toy = lab.start()
    toy.on_request = lambda _number: ()
    lab.ask(1)
    lab.ask(2)

    getattr(lab.machine, how)()
    lab.run(10.0)

    assert lab.answers == [None, None]


def test_every_start_has_a_session_of_its_own(lab: Lab) -> None:
    """However a daemon ended, and whatever became of its disk, what it seals with is new; runs repeat."""
    for end in (lab.machine.kill, lab.machine.stop, lab.machine.lose_power, lab.machine.kill):
        disk = lab.machine.disk.copy(Random(1))
        lab.start()
        end()
        lab.machine.disk = disk
    again = Lab()
    again.start()

    assert 4 == len(set(lab.sessions))
    assert again.sessions == lab.sessions[:1]


def test_nothing_of_a_life_reaches_the_next(lab: Lab) -> None:
    """Commits, timers and packets that were planned for a process are for nobody when it has ended."""
    toy = lab.start()
    toy.wake_at = lab.machine.clock.read() + 5.0
    toy.on_packet = lambda text: (remembered(text, Durability.HOST), said(text))
    lab.deliver("a", "b")
    assert not lab.machine.idle

    lab.machine.kill()
    lab.start()
    lab.run(60.0)

    assert toy.heard == ["a"]
    assert lab.toy.heard == []
    assert lab.sent == []
    assert lab.machine.idle


def test_a_commit_under_way_is_there_whole_or_not_at_all() -> None:
    """Killed in the middle of a commit, some daemons find it afterwards and others do not."""
    found = set()
    for seed in range(20):
        lab = Lab()
        lab.machine.disk = type(lab.machine.disk)(Random(seed))
        lab.start().on_packet = lambda text: (remembered(text + "1"), remembered(text + "2", Durability.HOST))
        lab.deliver("a")
        lab.machine.kill()
        found.add(tuple(lab.start().names))

    assert found == {(), ("a1", "a2")}


def test_stopping_works_off_what_it_can(lab: Lab) -> None:
    """A daemon that is stopped ends in good order; one in the middle of a commit, or paused, is killed."""
    lab.start()
    lab.machine.stop()
    lab.machine.stop()
    lab.start().on_packet = lambda text: (remembered(text, Durability.HOST),)
    lab.deliver("a")
    lab.machine.stop()
    lab.start()
    lab.machine.pause()
    lab.machine.stop()

    assert lab.ends == ["stopped", *["killed, as it did not stop in time"] * 2]
    assert not lab.machine.paused


def test_a_disk_that_refuses_ends_the_daemon(lab: Lab) -> None:
    """Nothing that stands behind what could not be remembered is said, in batches or step by step."""
    for stepwise in (False, True):
        lab.machine.stepwise = stepwise
        lab.start().on_packet = lambda text: (remembered(text), said("after"))
        lab.machine.disk.fill()
        lab.deliver("a")
        lab.run(1.0)
        assert not lab.machine.running
        lab.machine.disk.free()

    assert lab.sent == []
    assert lab.machine.reports["storage-error"] == 2


def test_a_host_without_power_tells_nobody(lab: Lab) -> None:
    """Who is connected to a host learns of its daemon's death, but not of the loss of its power."""
    resets = []
    for how in ("kill", "lose_power"):
        toy = lab.start()
        toy.on_packet = lambda _text: (said("hello", Channel.STREAM),)
        lab.deliver("a")
        lab.peer.send(Send(HERE, b"stream", Channel.STREAM))
        lab.run(1.0)
        getattr(lab.machine, how)()
        lab.run(1.0)
        lab.peer.send(Send(HERE, b"stream", Channel.STREAM))
        lab.run(0.1)
        resets.append(lab.network.counters["stream.half-open"])

    assert resets == [0, 1]


# Dying between effects


def test_death_comes_between_any_two_effects() -> None:
    """A mortal daemon dies before a commit, or before any effect after it, and says nothing out of order."""
    ends = set()
    for seed in range(200):
        lab = Lab()
        lab.machine = Machine(
            "me",
            Settings(endpoint=HERE),
            lab.timeline,
            lab.network,
            lab.trace,
            str(seed),
            lab.restore,
        )
        lab.machine.stepwise = seed % 2 == 0
        lab.start().on_packet = lambda text: (remembered(text), said("1"), said("2"))
        lab.machine.mortality = 0.3
        lab.deliver("a")
        lab.run(1.0)
        lab.machine.mortality = 0.0
        lab.machine.kill()
        ends.add((tuple(lab.start().names), tuple(lab.sent)))

    assert ends == {((), ()), (("a",), ()), (("a",), ("1",)), (("a",), ("1", "2"))}


def test_deaths_are_told_apart_by_what_did_not_happen(lab: Lab) -> None:
    """A death before a commit is counted as one, whatever stands before it in the batch."""
    lab.start().on_packet = lambda text: (said("early"), remembered(text), said("late"))
    lab.machine.mortality = 1.0
    lab.deliver("a")

    assert lab.machine.reports["death-before-persist"] == 1
    assert lab.ends == ["died between two effects"]


# Busy, paused, slow


def test_a_commit_keeps_the_daemon_busy(lab: Lab) -> None:
    """While a commit is under way inputs wait, and nothing of the batch is seen outside."""
    lab.start().on_packet = lambda text: (remembered(text, Durability.HOST), said(text))
    lab.deliver("a", "b")
    lab.ask(1)

    assert lab.toy.heard == ["a"]
    assert not lab.machine.idle
    lab.run(30.0)
    assert lab.toy.heard == ["a", "request 1", "b"]
    assert lab.sent == ["a", "b"]
    assert lab.machine.idle


def test_a_paused_process_does_nothing(lab: Lab) -> None:
    """Packets, requests, timers and commits that are done wait until it goes on; then all of it happens."""
    toy = lab.start()
    toy.on_packet = lambda text: (remembered(text, Durability.HOST), said(text))
    lab.deliver("a")
    lab.machine.pause()
    toy.wake_at = lab.machine.clock.read()
    lab.deliver("b")
    lab.ask(1)
    lab.run(60.0)
    assert toy.heard == ["a"]
    assert lab.sent == []
    assert lab.answers == []

    lab.machine.resume()
    lab.run(60.0)

    assert toy.heard == ["a", "request 1", "b", "wake"]
    assert lab.sent == ["a", "b"]
    assert len(lab.answers) == 1


def test_ownership_is_looked_at_when_it_is_on_disk(lab: Lab) -> None:
    """After each commit that says who owns what, and at no other time, also when it is late."""
    calls: list[float] = []
    lab.machine.on_ownership = lambda _machine: calls.append(lab.timeline.now)
    owned = Owned(RingId("default", Family.V4), Run(1, 2, Token(0, 1), Peer("a", 1), Peer("a", 1)))
    lab.start().on_packet = lambda text: (
        Persist((owned,), (), Durability.HOST) if text == "owned" else remembered(text, Durability.HOST),
    )
    lab.deliver("met")
    lab.run(20.0)
    assert calls == []

    lab.deliver("owned")
    lab.machine.pause()
    lab.run(20.0)
    assert calls == []
    lab.machine.resume()

    assert calls == [lab.timeline.now]


def test_a_slow_machine_needs_its_time(lab: Lab) -> None:
    """Each batch keeps a slow machine busy, whether or not there is anything to remember."""
    lab.machine.work_s = 0.5
    times: list[float] = []

    def note(_text: str) -> tuple[Effect, ...]:
        times.append(lab.timeline.now)
        return ()

    lab.start().on_packet = note
    lab.deliver("a", "b")
    lab.run(0.1)
    lab.deliver("c")
    lab.run(5.0)

    assert times == [DELAY_S, DELAY_S + 0.5, DELAY_S + 0.5]


def test_the_newest_packets_are_kept(lab: Lab) -> None:
    """Of more packets than wait for a daemon the oldest are dropped."""
    toy = lab.start()
    lab.machine.pause()
    for number in range(INBOX_MAX + 2):
        lab.deliver(str(number))
    lab.machine.resume()

    assert len(toy.heard) == INBOX_MAX
    assert toy.heard[0] == "2"


# Time


@pytest.mark.parametrize("rate", [0.9, 1.0, 1.1])
def test_timers_are_kept_by_the_machines_own_clock(lab: Lab, rate: float) -> None:
    """A fast clock wakes the node early, a slow one late, in virtual time; on its own clock never early."""
    toy = lab.start()
    lab.machine.clock.drift(rate)
    due = lab.machine.clock.read() + 10.0
    woken: list[tuple[float, float]] = []

    def note(now: float) -> tuple[Effect, ...]:
        woken.append((lab.timeline.now, now))
        return ()

    toy.on_wake = note
    toy.on_packet = lambda _text: toy.at(due)
    lab.deliver("p")
    lab.run(20.0)

    ((at, now),) = woken
    assert at == pytest.approx(10.0 / rate)
    assert now >= due


def test_a_timer_stays_true_when_the_clock_changes_its_pace(lab: Lab) -> None:
    """A clock that becomes slower while a timer is set wakes the node later, and once."""
    toy = lab.start()
    due = lab.machine.clock.read() + 10.0
    toy.on_packet = lambda _text: toy.at(due)
    lab.deliver("p")
    lab.machine.clock.drift(0.5)
    lab.run(15.0)
    assert toy.heard == ["p"]

    lab.run(10.0)

    assert toy.heard == ["p", "wake"]


def test_a_clock_that_jumps_makes_timers_due(lab: Lab) -> None:
    """Once somebody touches the machine, the node is woken for what the jump has made due."""
    toy = lab.start()
    due = lab.machine.clock.read() + 100.0
    toy.on_packet = lambda _text: toy.at(due)
    lab.deliver("p")
    lab.machine.clock.jump(200.0)
    lab.machine.touch()

    assert toy.heard == ["p", "wake"]
    lab.run(300.0)
    assert toy.heard == ["p", "wake"]


# Bugs


def test_a_timer_that_is_due_for_ever_is_a_bug(lab: Lab) -> None:
    """A node that wants to be woken again and again at one moment is found, not waited for."""
    toy = lab.start()
    toy.wake_at = -math.inf
    toy.on_wake = lambda _now: toy.at(-math.inf)

    with pytest.raises(NodeError, match="me wants to be woken for ever"):
        lab.ask(1)


@pytest.mark.parametrize("what", ["packet", "request", "wake"])
def test_an_exception_of_the_node_is_a_bug(lab: Lab, what: str) -> None:
    """It says which machine it was, what was raised, and where."""

    def fail(_what: object) -> tuple[Effect, ...]:
        raise KeyError("lost")

    toy = lab.start()
    setattr(toy, f"on_{what}", fail)
    toy.wake_at = -math.inf if what == "wake" else math.inf

    with pytest.raises(NodeError, match=r"at me raised KeyError\('lost'\) in fail \(test_machine.py:\d+\)"):
        lab.ask(1) if what == "request" else lab.deliver("p")


# Clients


def test_answers_tell_how_they_came_about(lab: Lab) -> None:
    """Whether an answer came with the request, and what could be measured when the request was taken."""
    toy = lab.start()
    lab.machine.measure = lambda _machine, _request: 7
    lab.ask(1)
    toy.on_request = lambda _number: ()
    lab.ask(2)
    toy.on_packet = lambda _text: (Reply(2, ANSWER),)
    lab.machine.measure = lambda _machine, _request: 0
    lab.deliver("p")
    lab.run(1.0)

    told = [(one.answer, one.immediate, one.free_before) for one in lab.answers if one is not None]
    assert told == [(ANSWER, True, 7), (ANSWER, False, 7)]


def test_a_client_is_heard_before_it_hears(lab: Lab) -> None:
    """Whoever asks again when it is answered does not break into what the daemon is doing."""
    toy = lab.start()
    order: list[str] = []

    def reply(number: int) -> tuple[Effect, ...]:
        order.append(f"request {number}")
        return (Reply(number, ANSWER), Report(Level.INFO, "told"))

    def again(_answered: object) -> None:
        if len(order) < 4:
            lab.machine.ask(2, REQUEST, lambda _: None)

    toy.on_request = reply
    lab.machine.on_report = lambda _machine, report: order.append(report.event)
    lab.machine.ask(1, REQUEST, again)
    lab.run(1.0)

    assert order == ["request 1", "told", "request 2", "told"]


def test_the_identity_is_synced(lab: Lab) -> None:
    """A host that loses its power right after its daemon's first start knows its life afterwards."""
    first = lab.start().life
    lab.machine.lose_power()

    assert lab.start().life == first
