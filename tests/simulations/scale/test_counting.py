"""What is sent and received is counted, by machine and channel."""

from __future__ import annotations

from random import Random

from simulations.network import Quality
from simulations.scale.counting import CountingNetwork, Traffic
from simulations.timeline import Timeline
from weaveipam.protocol.effects import Channel, Send
from weaveipam.protocol.values import Endpoint

HERE, THERE = Endpoint("192.0.2.1", 6783), Endpoint("192.0.2.2", 6783)


def test_both_ends_count_by_channel() -> None:
    """Bytes and packets of datagrams and of streams, at who sent and at who received them."""
    timeline = Timeline()
    network = CountingNetwork(timeline, Random(1), Quality())
    heard: list[bytes] = []
    port = network.attach("a", HERE, lambda *_: None)
    network.attach("b", THERE, lambda packet, _source: heard.append(packet))
    port.send(Send(THERE, b"12345", Channel.DATAGRAM))
    port.send(Send(THERE, b"123", Channel.STREAM))
    timeline.run(1.0)

    both = Traffic(1, 5, 1, 3)
    assert sorted(heard) == [b"123", b"12345"]
    assert network.accounts["a"].sent == network.accounts["b"].received == network.total == both
    assert network.accounts["b"].sent == network.accounts["a"].received == Traffic()
    assert (both.packets, both.all_bytes) == (2, 8)


def test_what_is_lost_was_sent() -> None:
    """A datagram that never arrives counts where it was sent only."""
    timeline = Timeline()
    network = CountingNetwork(timeline, Random(1), Quality(loss=1.0))
    port = network.attach("a", HERE, lambda *_: None)
    network.attach("b", THERE, lambda *_: None)
    port.send(Send(THERE, b"12345", Channel.DATAGRAM))
    timeline.run(1.0)

    assert network.accounts["a"].sent.datagrams == 1
    assert network.accounts["b"].received.datagrams == 0


def test_a_machine_that_starts_again_has_the_account_it_had() -> None:
    """Counts go on, and `since` tells what came after a copy."""
    network = CountingNetwork(Timeline(), Random(1), Quality())
    first = network.attach("a", HERE, lambda *_: None)
    first.send(Send(THERE, b"1", Channel.DATAGRAM))
    before = network.accounts["a"].sent.copy()
    first.abort()
    second = network.attach("a", first.endpoint, lambda *_: None)
    second.send(Send(THERE, b"123", Channel.DATAGRAM))
    second.close()

    assert network.accounts["a"].sent.since(before).datagram_bytes == 3
