"""A pool whose lowest free address goes first, whoever owns it, among real nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from ring.address import Family, Range, parse_address, parse_cidr
from weaveipam.protocol import codec
from weaveipam.protocol.messages import Grant, GrantAck, PieceFindings, SpaceRefusal, SpaceRequest
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    ChangePool,
    GetPools,
    Reason,
    Refusal,
    Release,
    Want,
)
from weaveipam.protocol.values import Order, Pool, PoolRange

MakeCluster = Callable[..., Any]
MakePool = Callable[..., Pool]

BASE = parse_address("10.0.0.0")[1]
COOLDOWN_S = 2
SECOND, THIRD = 84, 168
"""Where b's and c's third of a /24 begins."""


def formed(
    cluster: MakeCluster, *pools: Pool, names: str = "abc", cooldown_s: int = COOLDOWN_S, **more: Any
) -> Any:
    """Daemons with pools that are handed out in sequence; each has its share, a the lowest."""
    made = cluster(**more)
    pools = tuple(replace(one, order=Order.SEQUENTIAL, cooldown_s=cooldown_s) for one in pools)
    for name in names:
        made.add(name, seeds=",".join(names), join=",".join(names), pools=pools)
    made.run(5)
    return made


def number(answer: Any) -> int:
    """Which address of the /24 an answer gives."""
    assert isinstance(answer, Allocated), answer
    (one,) = answer.allocation.addresses
    return int(one.range.start) - BASE


def given(made: Any, at: str, key: str, **more: Any) -> int:
    """Which address a key is given."""
    return number(made.answer(at, Allocate(key, **more)))


def released(made: Any, at: str, key: str) -> None:
    """A key has given back what it held."""
    assert made.answer(at, Release(key)).allocations


def said(made: Any, since: int) -> Counter[str]:
    """How many messages of each kind that move space were sent, but for repeats."""
    kinds = (SpaceRequest, PieceFindings, SpaceRefusal, Grant, GrantAck)
    messages = [
        message
        for _, send in made.sent[since:]
        for message in codec.decode_packet(send.packet)[1]
        if isinstance(message, kinds)
    ]
    return Counter(type(one).__name__ for one in messages)


@pytest.fixture
def three(cluster: MakeCluster, make_pool: MakePool) -> Any:
    """They share 256 addresses."""
    return formed(cluster, make_pool("p", "10.0.0.0/24"))


def test_the_lowest_is_given_wherever_one_asks(three: Any) -> None:
    """One address after the other, though a owns them all at first."""
    assert list(range(30)) == [given(three, "cab"[count % 3], f"k{count}") for count in range(30)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_it_is_always_the_lowest(cluster: MakeCluster, make_pool: MakePool, seed: int) -> None:
    """Whatever was given and given back before, wherever, each is the lowest that nobody holds."""
    made = formed(cluster, make_pool("p", "10.0.0.0/27"), names="abcde", seed=seed, cooldown_s=0)
    rng = Random(seed)
    held: dict[int, tuple[str, str]] = {}
    for count in range(150):
        if held and rng.random() < len(held) / 32:
            released(made, *held.pop(rng.choice(sorted(held))))
        elif len(held) < 32:
            at, key = rng.choice("abcde"), f"k{count}"
            lowest = min(one for one in range(32) if one not in held)
            assert given(made, at, key) == lowest
            held[lowest] = (at, key)
        made.run(rng.choice((0.01, 0.1, 3)))


def test_what_is_released_goes_first_when_it_has_rested(three: Any) -> None:
    """A low address is given again before higher ones once its cooldown is over, and not before."""
    for count in range(9):
        given(three, "cab"[count % 3], f"k{count}")
    released(three, "a", "k4")  # address 4
    released(three, "c", "k3")
    assert [9, 10] == [given(three, name, f"early-{name}") for name in "bc"]

    three.run(COOLDOWN_S)
    assert [3, 4, 11] == [given(three, "b", f"late{count}") for count in range(3)]


def test_owners_that_are_away_are_passed_over(three: Any) -> None:
    """With a cut off the lowest of what the others own is given, and a goes on with its own."""
    three.cut = {"a"}
    begun = three.now
    assert [SECOND] == [given(three, "c", "at once")]
    assert three.now - begun < 2
    three.run(10)

    assert [SECOND + 1, SECOND + 2, SECOND + 3] == [
        given(three, name, f"later{count}") for count, name in enumerate("bcb")
    ]
    assert [0, 1] == [given(three, "a", f"alone{count}") for count in range(2)]
    three.cut = set()
    three.run(10)
    assert [2, 3, 4] == [given(three, name, f"healed-{name}") for name in "cba"]


def test_who_has_no_time_is_given_what_is_here(three: Any) -> None:
    """A request whose deadline comes before the answers has the lowest that its own daemon has."""
    three.cut = {"c"}

    assert given(three, "c", "k", wait_s=0.1) == THIRD
    assert given(three, "a", "other", wait_s=0.0) == 0


def test_nobody_is_given_the_same(three: Any) -> None:
    """Of many requests at all daemons at one moment each is given one of the lowest addresses."""
    numbers = [three.ask("abc"[count % 3], Allocate(f"k{count}", wait_s=10)) for count in range(30)]
    three.run(10)

    assert list(range(30)) == sorted(number(three.answers[one]) for one in numbers)


@pytest.mark.slow
def test_packets_that_are_lost_or_late_change_nothing(cluster: MakeCluster, make_pool: MakePool) -> None:
    """On a network that loses, doubles and delays, nobody is given the same, and all are given."""
    made = formed(cluster, make_pool("p", "10.0.0.0/26"), loss=0.2)
    made.late = 0.1
    numbers = [made.ask("abc"[count % 3], Allocate(f"k{count}", wait_s=60)) for count in range(64)]
    made.run(60)

    assert list(range(64)) == sorted(number(made.answers[one]) for one in numbers)


def test_the_last_one_is_found_and_then_there_is_none(cluster: MakeCluster, make_pool: MakePool) -> None:
    """All addresses of a pool are given, by whomever; then a request is refused, or waits for no cooldown."""
    made = formed(cluster, make_pool("p", "10.0.0.0/29"))
    assert list(range(8)) == [given(made, "cab"[count % 3], f"k{count}") for count in range(8)]

    for name in "abc":
        refusal = made.answer(name, Allocate("more"))
        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.EXHAUSTED
    released(made, "a", "k4")
    assert given(made, "c", "resting") == 4


def test_blocks_and_ranges_go_by_the_same_rule(three: Any) -> None:
    """The lowest aligned block, the lowest of some addresses, and just the one that was asked for."""
    assert given(three, "c", "one") == 0
    assert given(three, "c", "block", wants=(Want(prefix_length=30),)) == 4
    assert given(three, "a", "another", wants=(Want(prefix_length=31),)) == 2
    within = (Range(BASE + 200, BASE + 210), Range(BASE + 90, BASE + 95))
    assert [90, 91] == [
        given(three, name, f"w-{name}", wants=(Want(family=Family.V4, within=within),)) for name in "ac"
    ]
    exactly = Want(family=Family.V4, within=(Range(BASE + 50, BASE + 51),))
    assert given(three, "b", "exact", wants=(exactly,)) == 50
    assert [1, 8] == [given(three, name, f"next-{name}") for name in "bc"]


def test_both_families_are_the_lowest(cluster: MakeCluster, make_pool: MakePool) -> None:
    """A request of both is given the lowest of each, all or nothing."""
    pool = make_pool("p", "10.0.0.0/24")
    family, what, length = parse_cidr("fd00::/120")
    made = formed(cluster, replace(pool, ranges=(*pool.ranges, PoolRange(family, what, length))))

    numbers = [made.ask("cab"[count % 3], Allocate(f"k{count}", wait_s=10)) for count in range(6)]
    made.run(10)
    pairs = [made.answers[one].allocation.addresses for one in numbers]
    assert list(range(6)) == sorted(v4.range.start - BASE for v4, _ in pairs)
    assert list(range(6)) == sorted(v6.range.start - what.start for _, v6 in pairs)


def test_the_next_pool_waits_until_this_one_is_used_up(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Where pools are named the second is used once nobody who can be asked has any of the first."""
    made = formed(cluster, make_pool("p", "10.0.0.0/30"), make_pool("q", "10.0.0.64/26"))
    wants = (Want(pools=("p", "q")),)

    assert [0, 1, 2, 3, 64, 65] == [
        given(made, "cab"[count % 3], f"k{count}", wants=wants) for count in range(6)
    ]


def test_the_order_can_change(three: Any) -> None:
    """A running cluster begins to hand out a pool in sequence, or ceases to."""
    (pool,) = (one.pool for one in three.answer("a", GetPools()).pools)
    for order, expected in ((Order.SPREAD, THIRD), (Order.SEQUENTIAL, 0)):
        wanted = replace(pool, order=order)
        assert three.answer("b", ChangePool("p", pool, wanted, wait_s=10))
        pool = wanted
        three.run(2)
        assert given(three, "c", f"k{order}") == expected


def test_what_it_costs(three: Any) -> None:
    """An owner below that has none says so, one that has some grants one; nothing moves ahead of need."""
    costs: list[dict[str, int]] = []
    for count, name in enumerate("aacca"):
        since = len(three.sent)
        assert count == given(three, name, f"k{count}")
        three.run(0.2)
        costs.append(dict(said(three, since)))

    asked, granted = {"SpaceRequest": 1, "SpaceRefusal": 1}, {"Grant": 1, "GrantAck": 1}
    assert costs[:2] == [{}, {}]
    assert costs[2] == {"SpaceRequest": 1} | granted
    assert costs[3] == costs[2]
    assert costs[4] == asked


def test_what_it_costs_with_many(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Each owner below says what it would give, and one gives it: two round trips, and one grant at most."""
    made = formed(cluster, make_pool("p", "10.0.0.0/24"), names="abcdef")
    for count, name in enumerate("bcdefa"):
        assert given(made, name, f"k{count}") == count
    since = len(made.sent)
    begun = made.now
    number = made.ask("f", Allocate("last", wait_s=10))
    while number not in made.answers:
        made.run(0.001)
    assert made.now - begun < 0.008
    made.run(0.2)

    answered = {"PieceFindings": 5, "Grant": 1, "GrantAck": 1}
    assert dict(said(made, since)) == {"SpaceRequest": 6} | answered
