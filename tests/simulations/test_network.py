"""What only the simulated network does: every fault, at will and in virtual time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from simulations.connection import WINDOW_BYTES
from simulations.datagrams import QUEUE_BYTES_MAX
from simulations.network import COUNTERS, Network, Port, Quality
from simulations.streams import Streams
from simulations.timeline import Timeline
from weaveipam.daemon.streams import StreamLimits
from weaveipam.protocol.effects import Channel, Send
from weaveipam.protocol.values import Endpoint

LIMITS = StreamLimits()
PLAIN = Quality(delay_s=0.01, jitter_s=0.0)
"""One way takes exactly this."""
WILD = Quality(loss=0.1, duplicate=0.1, late=0.1, corrupt=0.1, reset=0.02, bytes_per_s=100_000.0)
BOTH = pytest.mark.parametrize("channel", list(Channel))


class Net:
    """A network, machines by name with a port each, and everything that arrived."""

    def __init__(self, quality: Quality = PLAIN, seed: int = 1) -> None:
        self.timeline = Timeline()
        self.network = Network(self.timeline, Random(seed), quality)
        self.ports: dict[str, Port] = {}
        self.arrived: list[tuple[float, str, bytes, Endpoint]] = []
        """When, at which machine, what, and from where."""

    def attach(self, *names: str) -> None:
        """A new process at each of these machines."""
        for name in names:
            self.ports[name] = self.network.attach(
                name,
                Endpoint(name, 6783),
                lambda packet, source, name=name: self.arrived.append(  # type: ignore[misc]
                    (self.timeline.now, name, packet, source)
                ),
            )

    def send(self, source: str, target: str, packet: bytes, channel: Channel = Channel.DATAGRAM) -> None:
        """Send from one machine to another."""
        self.ports[source].send(Send(Endpoint(target, 6783), packet, channel))

    def stream(self, source: str, target: str, packet: bytes) -> None:
        """Send on a stream."""
        self.send(source, target, packet, Channel.STREAM)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.timeline.run(self.timeline.now + seconds)

    def packets(self, name: str) -> list[bytes]:
        """What arrived at a machine, in order."""
        return [packet for _, at, packet, _ in self.arrived if at == name]

    def count(self, name: str) -> int:
        """A counter, one of those that there always are."""
        assert name in COUNTERS
        return self.network.counters[name]

    def connected(self) -> Net:
        """Machines a and b, and a connection from a to b that has carried `first`."""
        self.attach("a", "b")
        self.stream("a", "b", b"first")
        self.run(1)
        assert self.packets("b") == [b"first"]
        self.arrived.clear()
        return self


def numbered(count: int, size_bytes: int = 4) -> list[bytes]:
    """So many different packets of one size."""
    return [number.to_bytes(4, "big").ljust(size_bytes, b".") for number in range(count)]


def are_in_order(packets: list[bytes]) -> bool:
    """Whether numbered packets are in the order of sending, each at most once."""
    return all(one < other for one, other in pairwise(packets))


# Datagrams.


def test_datagrams_are_lost_at_the_given_rate() -> None:
    """Of many datagrams the given share does not arrive, and each loss is counted."""
    net = Net(replace(PLAIN, loss=0.3))
    net.attach("a", "b")

    for packet in numbered(2000):
        net.send("a", "b", packet)
    net.run(1)

    assert len(net.arrived) == pytest.approx(1400, rel=0.05)
    assert len(net.arrived) + net.count("datagram.lost") == 2000


def test_datagrams_arrive_twice_at_the_given_rate() -> None:
    """Of many datagrams all arrive, and the given share twice."""
    net = Net(replace(PLAIN, duplicate=0.2))
    net.attach("a", "b")

    for packet in numbered(1000):
        net.send("a", "b", packet)
    net.run(1)

    assert set(net.packets("b")) == set(numbered(1000))
    assert len(net.arrived) - 1000 == net.count("datagram.duplicated") == pytest.approx(200, rel=0.2)


def test_jitter_lets_datagrams_overtake_each_other() -> None:
    """Datagrams that leave at one moment arrive in another order, none before the minimum delay."""
    net = Net(Quality(delay_s=0.01, jitter_s=0.005))
    net.attach("a", "b")

    for packet in numbered(100):
        net.send("a", "b", packet)
    net.run(1)

    assert net.packets("b") != numbered(100) == sorted(net.packets("b"))
    assert min(when for when, *_ in net.arrived) >= 0.01


def test_late_datagrams_are_overtaken() -> None:
    """The given share is held back, by at most the given time; the others keep their order."""
    net = Net(replace(PLAIN, late=0.1, late_s=5.0))
    net.attach("a", "b")

    for packet in numbered(1000):
        net.send("a", "b", packet)
    net.run(0.01)
    punctual = net.packets("b")
    net.run(2.5)
    half_time = len(net.arrived) - len(punctual)
    net.run(2.5)

    assert half_time == pytest.approx(50, rel=0.3)
    assert 1000 - len(punctual) == net.count("datagram.late") == pytest.approx(100, rel=0.3)
    assert are_in_order(punctual)
    assert sorted(net.packets("b")) == numbered(1000)
    assert max(when for when, *_ in net.arrived) > 4


def test_corrupted_datagrams_are_changed_or_cut_short() -> None:
    """None arrives as it was sent, some have their length, some are shorter, and none is empty."""
    net = Net(replace(PLAIN, corrupt=1.0))
    net.attach("a", "b")
    sent = bytes(range(50))

    for _ in range(500):
        net.send("a", "b", sent)
    net.run(1)

    lengths = [len(packet) for packet in net.packets("b")]
    assert sent not in net.packets("b")
    assert net.count("datagram.corrupted") == 500
    assert min(lengths) >= 1
    assert lengths.count(50) == pytest.approx(250, rel=0.2)
    assert 450 < len(lengths) <= 500


def test_datagrams_above_the_mtu_are_lost() -> None:
    """A datagram of exactly the MTU passes, a byte more does not; a stream cuts packets to fit."""
    net = Net(replace(PLAIN, mtu_bytes=1000))
    net.attach("a", "b")

    net.send("a", "b", bytes(1000))
    net.send("a", "b", bytes(1001))
    net.stream("a", "b", bytes(1002))
    net.run(1)

    assert [len(packet) for packet in net.packets("b")] == [1000, 1002]
    assert net.count("datagram.oversize") == 1


def test_bandwidth_spaces_datagrams() -> None:
    """Datagrams leave one after the other, each when those before it have, on each link for itself."""
    net = Net(replace(PLAIN, bytes_per_s=10_000.0))
    net.attach("a", "b", "c")

    for packet in numbered(3, size_bytes=1000):
        net.send("a", "b", packet)
    net.send("a", "c", bytes(500))
    net.run(1)

    assert [(round(when, 6), name) for when, name, *_ in net.arrived] == [
        (0.06, "c"),
        (0.11, "b"),
        (0.21, "b"),
        (0.31, "b"),
    ]


def test_the_queue_before_a_narrow_link_is_bounded() -> None:
    """When too many bytes wait the newest datagrams are lost, until there is room again."""
    net = Net(replace(PLAIN, bytes_per_s=100_000.0))
    net.attach("a", "b")
    room = QUEUE_BYTES_MAX // 1000

    for packet in numbered(room + 10, size_bytes=1000):
        net.send("a", "b", packet)
    net.run(10)
    net.send("a", "b", b"later")
    net.run(1)

    assert [*numbered(room, size_bytes=1000), b"later"] == net.packets("b")
    assert net.count("datagram.queue-full") == 10


def test_a_datagram_arrives_at_who_is_there_at_arrival() -> None:
    """A process that took over an endpoint gets what was sent to the one before; nobody gets the rest."""
    net = Net()
    net.attach("a", "b")

    net.send("a", "b", b"to the next life")
    net.ports["b"].abort()
    net.attach("b")
    net.run(1)
    net.send("a", "b", b"to nobody")
    net.ports["b"].abort()
    net.run(1)
    net.send("a", "nowhere", b"to nobody")

    assert net.packets("b") == [b"to the next life"]
    assert net.count("datagram.nobody") == 2


# Cuts, impairments, and what else holds for both channels.


@BOTH
def test_a_partial_partition(channel: Channel) -> None:
    """A and B, and B and C talk to each other while A and C do not, until it heals."""
    net = Net()
    net.attach("a", "b", "c")
    net.network.cut(["a"], ["c"])
    net.network.cut(["c"], ["a"])

    for source, target in ("ab", "ba", "bc", "cb", "ac", "ca"):
        net.send(source, target, source.encode(), channel)
    net.run(10)
    parted = {name: sorted(net.packets(name)) for name in "abc"}
    net.network.heal()
    net.send("a", "c", b"healed", channel)
    net.run(1)

    assert parted == {"a": [b"b"], "b": [b"a", b"c"], "c": [b"b"]}
    assert net.packets("c")[-1] == b"healed"


def test_an_asymmetric_cut_stops_datagrams_one_way() -> None:
    """What is sent against the cut is lost and counted, what comes the other way arrives."""
    net = Net()
    net.attach("a", "b")
    net.network.cut(["a"], ["b"])

    net.send("a", "b", b"lost")
    net.send("b", "a", b"passes")
    net.run(1)

    assert [(name, packet) for _, name, packet, _ in net.arrived] == [("a", b"passes")]
    assert net.count("datagram.cut") == 1
    assert not net.network.reaches("a", "b")


@BOTH
def test_a_slow_machine_is_slow_both_ways(channel: Channel) -> None:
    """What an impaired machine sends and gets is slow, what others exchange is not, and then it ends."""
    net = Net()
    net.attach("a", "b", "slow")
    net.network.impair(["slow"], replace(PLAIN, delay_s=1.0))

    for source, target in (("a", "slow"), ("slow", "b"), ("a", "b")):
        net.send(source, target, b"x", channel)
    net.run(0.5)
    fast = [name for _, name, *_ in net.arrived]
    net.run(3)
    slow = sorted(name for _, name, *_ in net.arrived[1:])
    net.network.impair(["slow"], None)
    net.send("a", "slow", b"x", channel)
    net.run(0.5)

    assert (fast, slow) == (["b"], ["b", "slow"])
    assert net.arrived[-1][1] == "slow"


def test_sent_bytes_are_counted_by_machine() -> None:
    """The packets that a machine sent on both channels are added up over its lives."""
    net = Net()
    net.attach("a", "b")

    net.send("a", "b", bytes(100))
    net.stream("a", "b", bytes(20))
    net.run(1)
    net.ports["a"].close()
    net.attach("a")
    net.send("a", "b", bytes(3))

    assert net.network.sent_bytes == {"a": 123, "b": 0}


def test_an_endpoint_has_one_process() -> None:
    """A second process cannot attach to an endpoint before the first has ended."""
    net = Net()
    net.attach("a")

    with pytest.raises(AssertionError, match="a:6783 is taken"):
        net.attach("a")

    net.ports["a"].abort()
    net.attach("a")


def test_a_port_that_has_ended_sends_nothing() -> None:
    """What a dead process would send is not sent, however often it ends."""
    net = Net()
    net.attach("a", "b")
    old = net.ports["a"]
    old.abort()
    net.attach("a")
    old.close()

    old.send(Send(Endpoint("b", 6783), b"x", Channel.DATAGRAM))
    old.send(Send(Endpoint("b", 6783), b"x", Channel.STREAM))
    net.send("a", "b", b"alive")
    net.run(1)

    assert net.packets("b") == [b"alive"]


# Streams.


def test_the_first_packet_waits_for_the_connection() -> None:
    """The first packet takes a round trip more than those after it, and all come from one passing port."""
    net = Net()
    net.attach("a", "b")

    net.stream("a", "b", b"first")
    net.run(1)
    net.stream("a", "b", b"second")
    net.run(1)

    (first, *_, source), (second, *_, same) = net.arrived
    assert (round(first, 6), round(second, 6)) == (0.03, 1.01)
    assert source == same != net.ports["a"].endpoint
    assert source.host == "a"


def test_packets_held_up_by_a_short_cut_arrive_late_and_in_order() -> None:
    """What is sent into a cut of a few seconds arrives soon after it, in order, and nothing twice."""
    net = Net().connected()

    net.network.cut(["a"], ["b"])
    for packet in numbered(5):
        net.stream("a", "b", packet)
        net.run(1)
    during = net.packets("b")
    net.network.heal()
    net.run(10)

    assert during == []
    assert net.packets("b") == numbered(5)
    assert net.count("stream.repeated") >= 4


def test_packets_held_up_for_too_long_are_lost() -> None:
    """A cut of more than the packet's time breaks the connection and all that waits on it, but no more."""
    net = Net().connected()

    net.network.cut(["a"], ["b"])
    for packet in numbered(3):
        net.stream("a", "b", packet)
    net.run(LIMITS.packet_s - 0.1)
    unbroken = net.count("stream.broken")
    net.run(0.2)
    broken = net.count("stream.broken")
    net.network.heal()
    net.stream("a", "b", b"next")
    net.run(1)

    assert (unbroken, broken, net.count("stream.lost")) == (0, 1, 3)
    assert net.packets("b") == [b"next"]


@pytest.mark.parametrize("cut", ["ab", "ba"])
def test_connecting_is_tried_again_but_not_for_long(cut: str) -> None:
    """A cut either way holds a new connection up; its packets are lost unless it heals in seconds."""
    net = Net()
    net.attach("a", "b")

    net.network.cut(cut[0], cut[1])
    net.stream("a", "b", b"in time")
    net.run(0.5)
    net.network.heal()
    net.run(1)
    in_time = net.packets("b")
    net.attach("c")
    net.network.cut("ca", "ca")
    net.stream("c", "a", b"lost")
    net.run(LIMITS.connect_s)
    net.network.heal()
    net.run(10)

    assert in_time == [b"in time"]
    assert net.packets("a") == []
    assert net.count("stream.unreachable") == 1


def test_a_stream_without_confirmation_stalls() -> None:
    """When only the way back is cut a window's worth arrives, and then the connection breaks."""
    net = Net().connected()
    sent = numbered(20, size_bytes=WINDOW_BYTES // 10)

    net.network.cut(["b"], ["a"])
    for packet in sent:
        net.stream("a", "b", packet)
    net.run(LIMITS.packet_s - 0.1)
    arrived = net.packets("b")
    unbroken = net.count("stream.broken")
    net.run(0.2)

    assert arrived == sent[:11]
    assert (unbroken, net.count("stream.broken")) == (0, 1)
    assert net.count("stream.lost") == 9
    assert net.count("stream.repeated") < 10


def test_a_stream_goes_on_when_confirmations_do() -> None:
    """When the way back heals in time everything arrives, in order and once."""
    net = Net().connected()
    sent = numbered(20, size_bytes=WINDOW_BYTES // 10)

    net.network.cut(["b"], ["a"])
    for packet in sent:
        net.stream("a", "b", packet)
    net.run(10)
    net.network.heal()
    net.run(10)

    assert net.packets("b") == sent
    assert net.count("stream.lost") == 0


def test_a_confirmation_is_given_only_when_asked_for_again() -> None:
    """After a cut of the way back that became one of the way there, the sender still knows of nothing."""
    net = Net().connected()

    net.network.cut(["b"], ["a"])
    net.stream("a", "b", b"x")
    net.run(1)
    net.network.heal()
    net.network.cut(["a"], ["b"])
    net.run(LIMITS.packet_s)

    assert net.packets("b") == [b"x"]
    assert net.count("stream.broken") == 1


def test_a_machine_that_lost_its_power_answers_when_it_is_back() -> None:
    """What is sent to it meanwhile is lost with a connection that its next life does not know."""
    net = Net().connected()

    net.ports["b"].abort(silent=True)
    net.run(1)
    net.stream("a", "b", b"into the void")
    net.run(5)
    silence = net.count("stream.reset")
    net.attach("b")
    net.run(10)
    net.stream("a", "b", b"next")
    net.run(1)

    assert (silence, net.count("stream.reset")) == (0, 1)
    assert net.count("stream.half-open") > 1
    assert net.packets("b") == [b"next"]


def test_a_machine_that_stays_without_power_breaks_connections() -> None:
    """The sender gives up after the packet's time, and a new connection is not answered either."""
    net = Net().connected()

    net.ports["b"].abort(silent=True)
    net.stream("a", "b", b"x")
    net.run(LIMITS.packet_s)
    net.stream("a", "b", b"y")
    net.run(LIMITS.connect_s - 0.1)
    early = net.count("stream.unreachable")
    net.run(0.1)

    assert net.count("stream.broken") == 1
    assert (early, net.count("stream.unreachable")) == (0, 1)


def test_a_dead_process_is_told_of_at_once() -> None:
    """Its machine ends idle connections to it; a restarted process misses nothing, a dead one refuses."""
    net = Net().connected()

    net.ports["b"].abort()
    net.run(0.1)
    net.stream("a", "b", b"refused")
    net.run(0.02)
    refused = net.count("stream.unreachable")
    net.attach("b")
    net.stream("a", "b", b"next")
    net.run(1)

    assert refused == 1
    assert net.packets("b") == [b"next"]
    assert net.count("stream.reset") == 0


def test_a_restart_behind_a_cut_leaves_the_connection_half_open() -> None:
    """Who was not told sends into the void until told, and the new process gets nothing of it."""
    net = Net().connected()

    net.network.cut(["b"], ["a"])
    net.ports["b"].abort()
    net.attach("b")
    net.run(1)
    net.network.heal()
    for packet in numbered(3):
        net.stream("a", "b", packet)
    net.run(0.015)
    net.stream("a", "b", b"still unaware")
    net.run(1)
    net.stream("a", "b", b"next")
    net.run(1)

    assert net.packets("b") == [b"next"]
    assert (net.count("stream.half-open"), net.count("stream.reset")) == (1, 1)
    assert net.count("stream.lost") == 4


def test_resets_lose_what_is_in_flight() -> None:
    """With resets some packets are lost; the rest arrive in order, and later ones on new connections."""
    net = Net(replace(PLAIN, reset=0.1))
    net.attach("a", "b")

    for packet in numbered(300):
        net.stream("a", "b", packet)
        net.run(0.008)
    net.run(1)

    arrived = net.packets("b")
    assert are_in_order(arrived)
    assert 100 < len(arrived) < 290
    assert len(arrived) + net.count("stream.lost") == 300
    assert net.count("stream.opened") in (net.count("stream.reset"), net.count("stream.reset") + 1)
    assert net.count("stream.reset") > 10


def test_the_oldest_of_too_many_packets_gives_way() -> None:
    """While nothing can be sent the newest packets wait, as many as may."""
    net = Net()
    net.attach("a", "b")

    for packet in numbered(LIMITS.queue_max + 8):
        net.stream("a", "b", packet)
    net.run(1)

    assert net.packets("b") == numbered(LIMITS.queue_max + 8)[8:]
    assert net.count("stream.queue-full") == 8


def test_loss_delays_streams() -> None:
    """With loss every packet arrives, in order, and later than without."""
    net = Net().connected()
    net.network.quality = replace(PLAIN, loss=0.2)

    for packet in numbered(20):
        net.stream("a", "b", packet)
    net.run(0.1)
    soon = len(net.arrived)
    net.run(30)

    assert soon < 20
    assert net.packets("b") == numbered(20)
    assert net.count("stream.repeated") > 0


def test_total_loss_breaks_streams() -> None:
    """Repeats come ever more slowly, until the connection breaks; a new one is not answered."""
    net = Net().connected()
    net.network.quality = replace(PLAIN, loss=1.0)

    net.stream("a", "b", b"x")
    net.run(LIMITS.packet_s - 0.1)
    unbroken = net.count("stream.broken")
    net.run(0.1)
    broken = net.count("stream.broken")
    net.stream("a", "b", b"y")
    net.run(LIMITS.connect_s)

    assert (unbroken, broken) == (0, 1)
    assert net.count("stream.repeated") == 8
    assert net.count("stream.unreachable") == 1
    assert net.arrived == []


def test_streams_repair_what_datagrams_suffer() -> None:
    """On a stream nothing is doubled, changed or out of order."""
    net = Net(Quality(jitter_s=0.1, duplicate=1.0, late=1.0, corrupt=1.0))
    net.attach("a", "b")

    for packet in numbered(30):
        net.stream("a", "b", packet)
    net.run(10)

    assert net.packets("b") == numbered(30)


def test_bandwidth_delays_streams_and_breaks_slow_ones() -> None:
    """A packet takes its size's time, and one that would take longer than a packet may never arrives."""
    net = Net(replace(PLAIN, bytes_per_s=10_000.0))
    net.attach("a", "b")

    for packet in numbered(2, size_bytes=50_000):
        net.stream("a", "b", packet)
    net.run(11)
    net.stream("a", "b", bytes(301_000))
    net.run(LIMITS.packet_s + 1)
    net.stream("a", "b", b"next")
    net.run(1)

    assert [round(when, 6) for when, *_ in net.arrived[:2]] == [5.03, 10.03]
    assert net.packets("b") == [*numbered(2, size_bytes=50_000), b"next"]
    assert net.count("stream.broken") == 1


def test_a_process_that_ends_well_flushes_its_streams() -> None:
    """What it handed over arrives although a cut holds it up; what waits longer than it may is lost."""
    net = Net().connected()
    net.attach("c")

    net.network.cut(["a"], ["b", "c"])
    net.stream("a", "b", b"handed over")
    net.stream("a", "c", b"not connected yet")
    net.ports["a"].close()
    net.run(LIMITS.close_s / 2)
    net.network.heal()
    net.run(10)

    assert net.packets("b") == [b"handed over"]
    assert net.packets("c") == []
    assert net.count("stream.lost") == 1
    assert [list(net.ports[name]._listener.incoming) for name in "bc"] == [[], []]


def test_a_killed_process_leaves_its_kernel_to_finish() -> None:
    """What it handed over arrives, what waited in it does not."""
    net = Net().connected()
    net.attach("c")

    net.network.cut(["a"], ["b"])
    net.stream("a", "b", b"handed over")
    net.stream("a", "c", b"connecting")
    net.ports["a"].abort()
    net.run(LIMITS.close_s / 2)
    net.network.heal()
    net.run(10)

    assert net.packets("b") == [b"handed over"]
    assert net.packets("c") == []


def test_a_power_cut_ends_repeats() -> None:
    """What is on the way when the sender's machine loses power arrives, what was held up does not."""
    net = Net().connected()
    net.attach("c")
    net.stream("a", "c", b"first")
    net.run(1)

    net.network.cut(["a"], ["b"])
    net.stream("a", "b", b"held up")
    net.stream("a", "c", b"on its way")
    net.ports["a"].abort(silent=True)
    net.network.heal()
    net.run(0.005)
    net.network.cut(["a"], ["b"])
    net.run(5)
    net.network.heal()
    net.run(30)

    assert net.packets("b") == []
    assert net.packets("c") == [b"first", b"on its way"]


def test_half_a_packet_never_arrives() -> None:
    """A packet that had not wholly left when its process died is lost whole."""
    net = Net(replace(PLAIN, bytes_per_s=10_000.0)).connected()

    net.stream("a", "b", bytes(10_000))
    net.run(0.5)
    net.ports["a"].abort()
    net.run(10)

    assert net.packets("b") == []
    assert net.count("stream.lost") == 1


def test_an_idle_connection_is_closed() -> None:
    """After the idle time a packet goes on a new connection, before it on the old one."""
    net = Net().connected()

    net.run(LIMITS.idle_s - 2)
    net.stream("a", "b", b"old")
    net.run(LIMITS.idle_s + 1)
    net.stream("a", "b", b"new")
    net.run(1)

    assert net.packets("b") == [b"old", b"new"]
    assert net.count("stream.opened") == 2


def test_a_process_keeps_so_many_connections_open() -> None:
    """At one more the connection longest unused is closed; to use it again opens it again."""
    net = Net()
    names = [f"n{number}" for number in range(LIMITS.outgoing_max + 1)]
    net.attach("a", *names)
    streams: Streams = net.ports["a"]._streams

    for name in [*names[:-1], names[0], names[-1], names[0]]:
        net.stream("a", name, b"x")
        net.run(0.1)
    opened = net.count("stream.opened")
    net.stream("a", names[1], b"again")
    net.run(0.1)

    assert [len(net.packets(name)) for name in names] == [3, 2, *[1] * (len(names) - 2)]
    assert (opened, net.count("stream.opened")) == (len(names), len(names) + 1)
    assert len(streams._outgoing) == LIMITS.outgoing_max


def test_a_busy_connection_is_not_closed_for_another() -> None:
    """When one must be closed it is one on which nothing waits, although another is longer unused."""
    net = Net()
    names = [f"n{number}" for number in range(LIMITS.outgoing_max + 1)]
    net.attach("a", *names)

    net.network.cut(["a"], names[:1])
    for name in names[:-1]:
        net.stream("a", name, b"x")
    net.run(0.1)
    net.stream("a", names[-1], b"x")
    net.network.heal()
    net.run(2)

    assert [net.packets(name) for name in names] == [[b"x"]] * len(names)


def test_a_process_lets_so_many_connections_in() -> None:
    """At one more the connection longest idle is ended; its opener loses nothing by it."""
    net = Net()
    names = [f"n{number:03}" for number in range(LIMITS.incoming_max + 1)]
    net.attach("b", *names)

    senders = [*names[:-1], names[0], names[-1], names[0]]
    for name in senders:
        net.stream(name, "b", name.encode())
        net.run(0.05)
    opened = net.count("stream.opened")
    net.stream(names[1], "b", b"again")
    net.run(0.05)

    assert net.packets("b") == [*(name.encode() for name in senders), b"again"]
    assert (opened, net.count("stream.opened")) == (len(names), len(names) + 1)


# Chance.


def life(seed: int) -> list[tuple[float, str, bytes, Endpoint]]:
    """What arrives in a random life of three machines, with every fault there is."""
    chance = Random(seed)
    net = Net(WILD, seed)
    net.attach(*"abc")
    for packet in numbered(300):
        source, target = chance.sample("abc", 2)
        net.send(source, target, packet, chance.choice(list(Channel)))
        net.run(chance.choice((0.0, 0.0003, 0.1)))
        trouble = chance.random()
        name = chance.choice("abc")
        if trouble < 0.05:
            net.ports[name].abort(silent=trouble < 0.02)
            net.attach(name)
        elif trouble < 0.1:
            net.network.cut([source], [target])
        elif trouble < 0.2:
            net.network.heal()
        elif trouble < 0.25:
            net.network.impair([name], chance.choice([None, replace(WILD, delay_s=0.2, loss=0.3)]))
    net.network.heal()
    net.run(60)
    return net.arrived


def test_equal_seeds_make_equal_networks() -> None:
    """Everything that arrives is the same, at the same time, for the same seed, and not for another."""
    assert life(1) == life(1)
    assert [packet for *_, packet, _ in life(1)] != [packet for *_, packet, _ in life(2)]


@pytest.mark.parametrize("seed", range(20))
def test_streams_keep_their_promise_in_any_life(seed: int) -> None:
    """What comes on one connection is in order and whole, and nothing arrives on streams twice."""
    streams: dict[tuple[str, Endpoint], list[bytes]] = {}
    for _, name, packet, source in life(seed):
        if source.port != 6783:
            streams.setdefault((name, source), []).append(packet)

    every = [packet for packets in streams.values() for packet in packets]
    assert len(every) > 30
    assert set(every) <= set(numbered(300))
    assert len(every) == len(set(every))
    assert all(are_in_order(packets) for packets in streams.values())
