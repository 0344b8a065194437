"""What is said becomes packets that are as full as they may be, and no fuller."""

from __future__ import annotations

from random import Random

import pytest

from ring.address import Family
from ring.ring import Peer
from weaveipam.gossip.gossip import Gossip
from weaveipam.gossip.guard import Guard
from weaveipam.gossip.settings import GossipSettings
from weaveipam.packets import BULK_BYTES, Packets
from weaveipam.protocol import codec
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX, Channel, Send
from weaveipam.protocol.keyring import UNSEALED
from weaveipam.protocol.messages import FreeHint, Message, Ping, Rumour
from weaveipam.protocol.values import Endpoint, MemberState

ME, HERE, THERE = Peer("me", 1), Endpoint("me", 1), Endpoint("you", 1)


@pytest.fixture
def packets() -> Packets:
    """Of a node in a cluster, whose gossip has rumours of forty members to spread."""
    gossip = Gossip(ME, HERE, GossipSettings(), Random(1), 0.0)
    for number in range(40):
        gossip._believe(Rumour(Peer(f"n{number}", 1), Endpoint(f"n{number}", 1), MemberState.ALIVE, 0), 0.0)
    made = Packets(ME, HERE, codec.WIRE, Guard(UNSEALED, b""), gossip)
    made.introduce(b"cluster1")
    return made


def pings(count: int) -> list[Message]:
    """Of some 220 bytes each."""
    return [Ping(number, Peer("n" * 200, 1), 7) for number in range(count)]


def said(sends: list[Send]) -> list[Message]:
    """Everything in some packets, but for rumours that rode along."""
    told = [one for send in sends for one in codec.decode_packet(send.packet)[1]]
    return [one for one in told if not isinstance(one, Rumour)]


@pytest.mark.parametrize("count", [0, 1, 6, 7, 30])
def test_datagrams_hold_all_in_order_and_are_full(packets: Packets, count: int) -> None:
    """What is said arrives in order, in datagrams of the allowed size, of which all but the last are full."""
    sends = list(packets.sends(THERE, pings(count)))

    assert said(sends) == pings(count)
    assert {Channel.DATAGRAM} == {send.channel for send in sends}
    assert max(len(send.packet) for send in sends) <= DATAGRAM_BYTES_MAX
    assert len(sends) == max(1, -(-count // 6))


def test_much_at_once_goes_on_a_stream(packets: Packets) -> None:
    """What would take more than some datagrams, or must be a stream, is one packet on a stream."""
    many = pings(BULK_BYTES // 200)
    (bulk,) = packets.sends(THERE, many)
    (asked,) = packets.sends(THERE, pings(1), stream=True)

    assert [Channel.STREAM] * 2 == [bulk.channel, asked.channel]
    assert said([bulk]) == many
    assert list(packets.sends(THERE, [], stream=True)) == []


def test_what_fits_into_no_datagram_goes_on_a_stream(packets: Packets) -> None:
    """One message that is too long for a datagram does not stop those beside it."""
    long = Ping(1, Peer("n", 1), 7, (FreeHint("p" * 250, Family.V4, 3),) * 6)
    sends = list(packets.sends(THERE, [*pings(1), long, *pings(1)]))

    assert [*pings(1), long, *pings(1)] == said(sends)
    assert [Channel.DATAGRAM, Channel.STREAM, Channel.DATAGRAM] == [send.channel for send in sends]
