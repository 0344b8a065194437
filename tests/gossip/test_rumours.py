"""Which rumours ride on a packet."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ring.ring import Peer
from weaveipam.gossip.rumours import MISSES_MAX, Rumours
from weaveipam.protocol.codec import encoded_size
from weaveipam.protocol.messages import Rumour
from weaveipam.protocol.values import Endpoint, MemberState

BIG = 10_000


def rumour(name: str, refutation: int = 0, host: str = "192.0.2.1") -> Rumour:
    """That somebody is alive."""
    return Rumour(Peer(name, 1), Endpoint(host, 6783), MemberState.ALIVE, refutation)


def names(told: tuple[Rumour, ...]) -> str:
    """Who is spoken of; names here have one letter."""
    return "".join(one.peer.name for one in told)


def test_a_rumour_is_told_a_bounded_number_of_times() -> None:
    """A rumour rides on exactly as many packets as it may, and is then forgotten."""
    rumours = Rumours(encoded_size)
    rumours.add(rumour("a"))

    assert ["a", "a", "a", "", ""] == [names(rumours.fill(BIG, 3)) for _ in range(5)]
    assert len(rumours) == 0


def test_those_told_least_often_come_first() -> None:
    """When not all fit, those told less often are taken, and of those the newest."""
    rumours = Rumours(encoded_size)
    for name in "abc":
        rumours.add(rumour(name))
    two = 2 * encoded_size(rumour("a"))

    assert ["cb", "ac", "ab", "ab", "c"] == [names(rumours.fill(two, 3)) for _ in range(5)]


def test_a_newer_rumour_takes_the_place_of_the_older() -> None:
    """Only the last that was said of a name is told, and counts as not told yet."""
    rumours = Rumours(encoded_size)
    rumours.add(rumour("a"))
    rumours.fill(BIG, 2)
    rumours.add(rumour("a", 1))

    assert [(rumour("a", 1),), (rumour("a", 1),), ()] == [rumours.fill(BIG, 2) for _ in range(3)]


def test_a_cluster_that_shrank_needs_fewer() -> None:
    """Rumours that were told often enough for the members there are now are forgotten."""
    rumours = Rumours(encoded_size)
    rumours.add(rumour("a"))
    for _ in range(4):
        rumours.fill(BIG, 8)

    assert rumours.fill(BIG, 4) == ()
    assert len(rumours) == 0


def test_a_large_rumour_does_not_block_small_ones() -> None:
    """What does not fit is looked past, a bounded number of times."""
    rumours = Rumours(encoded_size)
    rumours.add(rumour("a"))
    for name in "bcdefghijklm"[:MISSES_MAX]:
        rumours.add(rumour(name, host="h" * 253))

    assert names(rumours.fill(100, 4)) == "a"


def test_a_burst_begins_with_the_foremost() -> None:
    """It counts as told once for each packet, and rides on no packet before the next burst."""
    rumours = Rumours(encoded_size)
    for name in "ab":
        rumours.add(rumour(name))

    assert rumours.lead(3, 4) == rumour("b")
    assert ["a", "a"] == [names(rumours.fill(BIG, 4)) for _ in range(2)]
    assert rumours.lead(3, 4) == rumour("a")
    assert names(rumours.fill(BIG, 4)) == "b"
    assert rumours.lead(3, 4) is None


def test_news_of_who_led_a_burst_rides_at_once() -> None:
    """A newer rumour is not held back for what the burst said."""
    rumours = Rumours(encoded_size)
    rumours.add(rumour("a"))
    rumours.lead(1, 4)
    rumours.add(rumour("a", 1))

    assert rumours.fill(BIG, 4) == (rumour("a", 1),)


def test_a_burst_tells_nothing_more_often_than_may_be() -> None:
    """What was told often enough for the members there are now does not lead a burst."""
    rumours = Rumours(encoded_size)
    rumours.add(rumour("a"))
    for _ in range(4):
        rumours.fill(BIG, 8)

    assert rumours.lead(1, 4) is None
    assert len(rumours) == 0


@given(st.lists(st.integers(-10, 400), max_size=20), st.lists(st.sampled_from("abcdefgh"), max_size=12))
@settings(max_examples=50, deadline=None)  # a shared machine may be slow now and then
def test_the_budget_is_never_exceeded(budgets: list[int], told: list[str]) -> None:
    """Whatever the room, the rumours that are returned fit, none of them twice."""
    rumours = Rumours(encoded_size)
    for index, name in enumerate(told):
        rumours.add(rumour(name, index, "h" * (1 + 7 * index)))

    for budget in budgets:
        filled = rumours.fill(budget, 4)
        assert sum(map(encoded_size, filled)) <= max(0, budget)
        assert len(set(names(filled))) == len(filled)
