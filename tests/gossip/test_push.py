"""Bursts of ownership."""

from __future__ import annotations

from math import inf
from random import Random

import pytest

from ring.address import Family
from ring.ring import Peer, Run, Token
from weaveipam.gossip.members import Member
from weaveipam.gossip.push import RUNS_MAX, Push
from weaveipam.gossip.settings import GossipSettings
from weaveipam.protocol.codec import encoded_size
from weaveipam.protocol.messages import Ownership, Tell
from weaveipam.protocol.values import Endpoint, MemberState, RingId

OWNER = Peer("owner", 1)
MEMBERS = [
    Member(Peer(f"n{index}", 1), Endpoint(f"192.0.2.{index}", 6783), MemberState.ALIVE, 0, 0.0)
    for index in range(20)
]


def ownership(start: int, runs: int = 1) -> Ownership:
    """Statements about neighbouring addresses from `start` on."""
    token = Token(0, 1)
    return Ownership(
        RingId("default", Family.V4),
        tuple(Run(start + index, start + index + 1, token, OWNER, OWNER) for index in range(runs)),
    )


def queue(budget_bytes: int = 1000, push_queue_max: int = 256) -> Push:
    """An empty queue at 10 s, with bursts 20 ms apart, repeated after 100 and 200 ms."""
    return Push(GossipSettings(push_queue_max=push_queue_max), Random(1), encoded_size, budget_bytes, 10.0)


def messages(tells: list[Tell]) -> list[Ownership]:
    """What the first of the members is told."""
    return [tell.message for tell in tells if tell.target == tells[0].target and _is_ownership(tell)]  # type: ignore[misc]


def _is_ownership(tell: Tell) -> bool:
    return isinstance(tell.message, Ownership)


def test_a_lone_push_goes_out_at_once_and_twice_more() -> None:
    """One push is sent to four members at once, and to four after 100 and after 200 ms, and never again."""
    push = queue()
    push.add(ownership(1))
    bursts = []
    now = 11.0
    while push.wake_at < inf:
        now = max(now, push.wake_at)
        bursts.append((now, len({tell.target for tell in push.burst(MEMBERS, now)})))

    assert [(11.0, 4), (pytest.approx(11.1), 4), (pytest.approx(11.2), 4)] == bursts


def test_where_packets_get_lost_a_push_is_repeated_more_often() -> None:
    """A push that begins while many packets get lost is sent five times instead of three."""
    push = queue()
    push.lossy = True
    push.add(ownership(1))
    push.lossy = False
    times = []
    now = 11.0
    while push.wake_at < inf:
        now = max(now, push.wake_at)
        push.burst(MEMBERS, now)
        times.append(now)

    assert [11.0, *(pytest.approx(11 + later) for later in (0.1, 0.2, 0.3, 0.4))] == times


def test_each_burst_chooses_anew() -> None:
    """The three bursts do not go to the same members."""
    push = queue()
    push.add(ownership(1))
    chosen = [{tell.target for tell in push.burst(MEMBERS, now)} for now in (11.0, 11.1, 11.2)]

    assert len(set.union(*chosen)) > 4


def test_what_happens_together_travels_together() -> None:
    """A push soon after a burst waits until 20 ms have passed, and travels with those that came since."""
    push = queue()
    push.add(ownership(1))
    push.burst(MEMBERS, 11.0)
    push.add(ownership(2))
    push.add(ownership(3))

    assert push.wake_at == pytest.approx(11.02)
    assert push.burst(MEMBERS, 11.01) == []
    assert [ownership(3), ownership(2)] == messages(push.burst(MEMBERS, 11.02))


def test_a_burst_is_one_datagram_a_member() -> None:
    """However much is queued, a burst says to one member what fits, newest first, and the rest later."""
    push = queue(budget_bytes=100)
    for index in range(10):
        push.add(ownership(index))
    burst = messages(push.burst(MEMBERS, 11.0))

    assert burst[0] == ownership(9)
    assert sum(map(encoded_size, burst)) <= 100
    assert ownership(9 - len(burst)) == messages(push.burst(MEMBERS, push.wake_at))[0]


def test_the_oldest_is_dropped_when_there_are_too_many() -> None:
    """The queue holds no more than it may; what is dropped is the oldest, and counted."""
    push = queue(push_queue_max=3)

    assert [push.add(ownership(index)) for index in range(5)] == [0, 0, 0, 1, 1]
    assert [ownership(4), ownership(3), ownership(2)] == messages(push.burst(MEMBERS, 11.0))


def test_a_large_push_is_cut_to_datagrams() -> None:
    """A message that does not fit into one datagram goes out in parts, which say the same together."""
    push = queue(budget_bytes=300)
    push.add(ownership(0, 100))
    said: list[Ownership] = []
    while push.wake_at < inf:
        burst = messages(push.burst(MEMBERS, max(11.0, push.wake_at)))
        assert sum(map(encoded_size, burst)) <= 300
        said += burst

    assert set(ownership(0, 100).runs) == {run for one in said for run in one.runs}
    assert len(said) == 3 * len(set(said))


@pytest.mark.parametrize("runs", [0, RUNS_MAX + 1])
def test_bulk_is_left_to_repair(runs: int) -> None:
    """A message of too many runs, or of none, is not pushed at all."""
    push = queue()
    push.add(ownership(0, runs))

    assert push.wake_at == inf


def test_nobody_to_tell_is_no_error() -> None:
    """With no members a push is over after its bursts: a repair will carry it."""
    push = queue()
    push.add(ownership(1))

    assert [[], [], []] == [push.burst([], now) for now in (11.0, 11.1, 11.2)]
    assert push.wake_at == inf


def test_packets_of_the_latest_burst_are_not_offered_it_again() -> None:
    """What waits for a burst, or was in an earlier one, may ride on other packets; not the latest burst."""
    push = queue()
    push.add(ownership(1))
    assert [ownership(1)] == [message for message, _ in push.offered()]

    push.burst(MEMBERS, 11.0)
    assert push.offered() == []

    push.add(ownership(2))
    push.burst(MEMBERS, 11.05)
    assert [ownership(1)] == [message for message, _ in push.offered()]


def test_what_fits_no_datagram_is_left_to_repair() -> None:
    """One run too long for any datagram is not kept, or it would wake the daemon for ever."""
    push = queue(budget_bytes=20)
    push.add(ownership(1))

    assert push.wake_at == inf
