"""memberlist's parameters: what its sources say, on our nodes."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from random import Random

import pytest

from ring.address import Family
from ring.ring import Peer, Run, Token
from simulations.scale.fleet import Fleet
from simulations.scale.memberlist import GOSSIP_S, MemberlistPush, push_pull_s, transmissions
from simulations.scale.spreading import Wave
from weaveipam.gossip.members import Member
from weaveipam.gossip.settings import GossipSettings
from weaveipam.protocol.codec import encoded_size
from weaveipam.protocol.messages import Ownership, Tell
from weaveipam.protocol.values import Endpoint, MemberState, RingId

OWNER = Peer("owner", 1)
MEMBERS = [
    Member(Peer(f"n{index}", 1), Endpoint(f"192.0.2.{index}", 6783), MemberState.ALIVE, 0, 0.0)
    for index in range(99)
]


def ownership(start: int) -> Ownership:
    """A statement."""
    return Ownership(RingId("default", Family.V4), (Run(start, start + 1, Token(0, 1), OWNER, OWNER),))


def queue(budget_bytes: int = 1000) -> MemberlistPush:
    """An empty queue at 10 s."""
    return MemberlistPush(GossipSettings(), Random(1), encoded_size, budget_bytes, 10.0)


def ticks(push: MemberlistPush, now: float) -> list[tuple[float, list[Tell]]]:
    """All ticks from then on that send anything."""
    found = []
    while push.wake_at < inf:
        now = max(now, push.wake_at)
        tells = push.burst(MEMBERS, now)
        if tells:
            found.append((now, tells))
    return found


@pytest.mark.parametrize(("members", "times"), [(1, 4), (9, 4), (10, 8), (99, 8), (100, 12), (5000, 16)])
def test_transmissions_grow_with_the_logarithm(members: int, times: int) -> None:
    """As `retransmitLimit` of memberlist's util.go, with a multiplier of 4."""
    assert transmissions(members) == times


@pytest.mark.parametrize(
    ("members", "seconds"), [(2, 30), (32, 30), (33, 60), (64, 60), (65, 90), (1000, 180)]
)
def test_exchanges_become_rarer(members: int, seconds: float) -> None:
    """As `pushPullScale` of memberlist's util.go, with 30 s up to 32 members."""
    assert push_pull_s(members) == seconds


def test_a_statement_goes_to_three_at_each_tick_until_it_was_sent_often_enough() -> None:
    """Among a hundred: four ticks of three datagrams, 200 ms apart, the first within 200 ms."""
    push = queue()
    push.add(ownership(1))
    told = ticks(push, 17.0)

    assert [len(tells) for _, tells in told] == [3, 3, 3, 3]
    assert 0.0 < told[0][0] - 17.0 <= GOSSIP_S
    gaps = [later - sooner for (sooner, _), (later, _) in pairwise(told)]
    assert gaps == [pytest.approx(GOSSIP_S)] * 3
    assert all(len({one.target for one in tells}) == 3 for _, tells in told)


def test_those_sent_least_go_first() -> None:
    """Where a datagram has room for one, a new statement goes before one that was sent already."""
    push = queue(encoded_size(ownership(1)))
    push.add(ownership(1))
    first = push.wake_at
    push.burst(MEMBERS, first)
    sent = push.burst(MEMBERS, push.wake_at)
    push.add(ownership(2))

    (_, tells), *_ = ticks(push, push.wake_at)
    assert [one.message for one in sent] == [ownership(1)] * 3
    assert [one.message for one in tells] == [ownership(2)] * 3


def test_what_rides_on_other_packets_counts_but_never_twice_in_one() -> None:
    """Before its first tick a statement is offered; not what the latest tick has put into its packets."""
    push = queue()
    push.add(ownership(1))
    assert [message for message, _ in push.offered()] == [ownership(1)]

    now = push.wake_at + GOSSIP_S
    push.burst(MEMBERS, now)
    push.burst(MEMBERS, push.wake_at)
    assert push.offered() == []


def test_a_cluster_spreads_by_ticks(memberlist: Fleet) -> None:
    """The last of twelve has it after some ticks, and nobody exchanges anything because of it."""
    wave = Wave(memberlist, memberlist.hosts["node-0004"])
    memberlist.run(2.0)

    last = wave.at(1.0)
    assert last is not None
    assert 0.1 < last < 2.0


def test_only_exchanges_repair(memberlist: Fleet) -> None:
    """Who was cut off while a statement spread lacks it for seconds, and has it within two exchanges."""
    author, deaf = memberlist.hosts["node-0001"], memberlist.hosts["node-0005"]
    others = [name for name in memberlist.hosts if name != deaf.name]
    memberlist.network.cut(others, [deaf.name])
    memberlist.state(author)
    memberlist.run(1.6)
    memberlist.network.heal()
    memberlist.run(0.5)

    assert deaf.fingerprint != author.fingerprint
    assert memberlist.run_until(lambda: deaf.fingerprint == author.fingerprint, 60.0)


def test_an_exchange_ships_everything_both_ways(memberlist: Fleet) -> None:
    """In a minute all exchange twice, and each time a dozen runs and a dozen members go there and back."""
    before = memberlist.network.total.copy()
    memberlist.run(60.0)
    sent = memberlist.network.total.since(before)

    assert sent.streamed_bytes > 12 * 2 * 2 * 12 * 40
