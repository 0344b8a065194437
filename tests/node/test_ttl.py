"""What is given for a time, among real nodes: it ends of itself, and not before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ring.address import Family
from weaveipam.protocol.progress import Departure
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    ChangePool,
    Collect,
    GetAllocations,
    GetPools,
    Leave,
    Lookup,
    PoolChanged,
    Reason,
    Refusal,
    Release,
    Released,
    Want,
)
from weaveipam.protocol.values import TTL_MAX_S, Pool

MakeCluster = Callable[..., Any]
MakePool = Callable[..., Pool]

TTL_S = 10


def ask(made: Any, key: str = "k", at: str = "a", **more: Any) -> Allocated:
    """A key asks, and is given something."""
    answer = made.answer(at, Allocate(key, **more))
    assert isinstance(answer, Allocated), answer
    return answer


def keys(made: Any, at: str = "a") -> list[str]:
    """Who holds something at a daemon."""
    return [one.key for one in made.answer(at, GetAllocations()).allocations]


def expired(made: Any) -> list[str]:
    """Whose time was reported to be over, in that order."""
    return [dict(one.fields)["key"] for _, one in made.reports if one.event == "lease-expired"]


def test_it_ends_of_itself(three: Any) -> None:
    """After its time a key holds nothing, and its address rests before it is free."""
    ask(three, ttl_s=TTL_S)
    three.run(TTL_S - 0.1)
    assert keys(three) == ["k"]
    assert expired(three) == []
    three.run(0.2)

    assert keys(three) == []
    assert expired(three) == ["k"]
    (pool,) = three.answer("a", GetPools()).pools
    assert (pool.used, pool.cooling) == (0, 1)


def test_who_renews_keeps_it(three: Any) -> None:
    """Asking again in time, with or without saying for how long, makes the time begin anew."""
    first = ask(three, ttl_s=TTL_S)
    for again in ({}, {"ttl_s": TTL_S}, {"wants": (Want(Family.V4),)}):
        three.run(TTL_S - 1)
        assert ask(three, **again) == first
    three.run(TTL_S + 0.1)

    assert expired(three) == ["k"]
    assert keys(three) == []


def test_another_time_replaces_the_one_before(three: Any) -> None:
    """It may become shorter or longer, and what was for ever may end; where it stands survives a crash."""
    first = ask(three)
    assert first.expires_in_s is None
    for ttl_s in (100, 5, 20):
        answer = ask(three, ttl_s=ttl_s)
        assert (answer.allocation.addresses, answer.expires_in_s) == (first.allocation.addresses, ttl_s)
    three.crash("a")
    three.start("a")
    three.run(3)
    assert ask(three).expires_in_s == 20

    three.run(19.9)
    assert expired(three) == []
    three.run(0.2)
    assert expired(three) == ["k"]


def test_it_is_renewed_also_where_nothing_more_is_given(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Who has something of a pool that was disabled since, or is full, keeps it."""
    made = cluster()
    pool = make_pool("p", "10.0.0.0/32")
    made.add("a", seeds="a", join="a", pools=(pool,))
    made.run(5)
    first = ask(made, ttl_s=TTL_S)
    changed = made.answer("a", ChangePool("p", pool, replace(pool, disabled=True)))
    assert isinstance(changed, PoolChanged)
    for wants in ((), (Want(pools=("p",)),)):
        made.run(TTL_S - 1)
        assert ask(made, wants=wants) == first


def test_a_refused_request_renews_nothing(three: Any) -> None:
    """Who asks for something else than it holds has its time as it was."""
    ask(three, ttl_s=TTL_S)
    three.run(TTL_S - 1)
    answer = three.answer("a", Allocate("k", wants=(Want(Family.V4, prefix_length=30),), ttl_s=TTL_S))
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.CONFLICT
    three.run(1.1)

    assert keys(three) == []


@pytest.mark.parametrize("ttl_s", [0, -1, TTL_MAX_S + 1])
def test_a_time_that_cannot_be_meant_is_refused(three: Any, ttl_s: int) -> None:
    """Nothing is given for no time at all, or for longer than anybody means."""
    answer = three.answer("a", Allocate("k", ttl_s=ttl_s))

    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.INVALID


def test_answers_say_when_it_ends(three: Any) -> None:
    """What is left is told by the answer, the list and the look-up, by key and by address."""
    given = ask(three, ttl_s=TTL_S)
    ask(three, "ever")
    three.run(4)
    address = (Family.V4, given.allocation.addresses[0].range.start)
    listed = three.answer("a", GetAllocations())

    assert given.expires_in_s == TTL_S
    left = dict(zip([one.key for one in listed.allocations], listed.expires_in_s, strict=True))
    assert left == {"ever": None, "k": pytest.approx(TTL_S - 4)}
    for asked in (Lookup(key="k"), Lookup(address=address)):
        assert three.answer("a", asked).expires_in_s == pytest.approx(TTL_S - 4)
    assert three.answer("a", Lookup(key="ever")).expires_in_s is None


@pytest.mark.parametrize("down_s", [1, 3 * TTL_S])
def test_after_a_restart_the_time_begins_anew(three: Any, down_s: float) -> None:
    """However long a daemon was down, who held something has all of its time to renew it."""
    ask(three, ttl_s=TTL_S)
    three.run(TTL_S - 1)
    three.crash("a")
    three.run(down_s)
    three.start("a")
    three.run(TTL_S - 1)
    assert keys(three) == ["k"]

    three.run(5)
    assert expired(three) == ["k"]


def test_no_time_passes_before_a_daemon_serves(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Who asks again while the daemon waits for its members finds what it held."""
    made = cluster()
    for name in "abc":
        made.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("p", "10.0.0.0/24"),))
    made.run(5)
    first = ask(made, ttl_s=1)
    for name in "abc":
        made.crash(name)
    made.start("a")  # alone: it waits for a while before it serves
    number = made.ask("a", Allocate("k", wait_s=60.0), wait_s=1.5)
    assert number not in made.answers
    made.run(60)

    assert made.answers[number].allocation == first.allocation


def test_a_released_key_begins_with_nothing(three: Any) -> None:
    """The time of what was released, or collected, ends nothing that the key holds afterwards."""
    for over in (Release("k"), Collect("k", ())):
        ask(three, ttl_s=TTL_S)
        three.run(TTL_S - 1)
        assert isinstance(three.answer("a", over), Released)
        ask(three)
        three.run(TTL_S)
        assert keys(three) == ["k"]
        three.answer("a", Release("k"))
    assert expired(three) == []


def test_who_waits_has_what_ends(cluster: MakeCluster, make_pool: MakePool) -> None:
    """A request that waits for want of space is given what was not renewed, if there is nothing else."""
    made = cluster()
    made.add("a", seeds="a", join="a", pools=(replace(make_pool("p", "10.0.0.0/31"), cooldown_s=0),))
    made.run(5)
    for key in ("k", "l"):
        ask(made, key, ttl_s=TTL_S)
    assert isinstance(made.answer("a", Allocate("m")), Refusal)
    made.run(TTL_S)

    assert ask(made, "m").allocation.addresses


def test_many_end_at_once_in_several_steps(cluster: MakeCluster, make_pool: MakePool) -> None:
    """However many end at one moment all are given back then, each once."""
    made = cluster()
    made.add("a", seeds="a", join="a", pools=(make_pool("p", "10.0.0.0/20"),))
    made.run(5)
    for number in range(1500):
        made.ask("a", Allocate(f"k{number:04}", ttl_s=TTL_S))
    made.run(TTL_S + 0.1)

    assert keys(made) == []
    assert expired(made) == [f"k{number:04}" for number in range(1500)]


def test_it_goes_along_when_its_daemon_leaves(three: Any) -> None:
    """A durable allocation with a time begins it anew at the heir, where it is renewed and ends."""
    given = ask(three, ttl_s=TTL_S, durable=True)
    three.run(TTL_S - 1)
    assert isinstance(three.answer("a", Leave()), Departure)
    three.run(4)
    assert three.ended == {"a"}
    (heir,) = [name for name in "bc" if keys(three, name)]

    three.run(TTL_S - 6)
    again = ask(three, at=heir)
    assert again.allocation == given.allocation
    three.run(TTL_S - 0.5)
    assert keys(three, heir) == ["k"]
    three.run(1)
    assert expired(three) == ["k"]
    assert not keys(three, heir)


def test_one_that_ends_stands_in_no_leavers_way(three: Any) -> None:
    """A pod's allocation keeps a daemon from leaving only until its time is over."""
    ask(three, ttl_s=TTL_S)
    assert isinstance(three.answer("a", Leave()), Refusal)
    three.run(TTL_S)
    assert isinstance(three.answer("a", Leave()), Departure)
    three.run(10)

    assert three.ended == {"a"}


def test_all_that_a_key_holds_ends_together(three: Any) -> None:
    """Single addresses and blocks that one key was given go back at once."""
    ask(three, ttl_s=TTL_S, wants=(Want(Family.V4), Want(Family.V4, prefix_length=30)))
    three.run(TTL_S + 0.1)

    (pool,) = three.answer("a", GetPools()).pools
    assert (pool.used, pool.cooling) == (0, 5)
