"""What pools say of who gets which of their addresses, among real nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ring.address import Family, Range, parse_address
from weaveipam.protocol.requests import Allocate, Allocated, GetPools, Reason, Refusal, Release, Want
from weaveipam.protocol.values import Pool, Preallocation

MakeCluster = Callable[..., Any]
MakePool = Callable[..., Pool]

BASE = parse_address("10.0.0.0")[1]


def formed(cluster: MakeCluster, *pools: Pool) -> Any:
    """Daemons a, b and c with these pools."""
    made = cluster()
    for name in "abc":
        made.add(name, seeds="a,b,c", join="a,b,c", pools=pools)
    made.run(5)
    return made


def asked(made: Any, at: str, key: str, **more: Any) -> Any:
    """The answer to a request, which may take a while."""
    return made.answer(at, Allocate(key, **more))


def released(made: Any, at: str, key: str) -> None:
    """A key has given back what it held."""
    assert made.answer(at, Release(key)).allocations


def numbers(answer: Any) -> list[int]:
    """Which addresses of the /24 an answer gives; none if it refuses."""
    return (
        [one.range.start - BASE for one in answer.allocation.addresses]
        if isinstance(answer, Allocated)
        else []
    )


@pytest.fixture
def kept(cluster: MakeCluster, make_pool: MakePool) -> Any:
    """Eight addresses: two are reserved, one is pre-allocated to vm, five are for anybody."""
    pool = make_pool("p", "10.0.0.0/29")
    (one,) = pool.ranges
    ranges = (replace(one, reserved=(Range(BASE + 6, BASE + 8),)),)
    return formed(
        cluster, replace(pool, ranges=ranges, preallocations=(Preallocation("vm", Family.V4, BASE + 2),))
    )


def test_nobody_is_given_what_is_kept(kept: Any) -> None:
    """All of the others are given to whoever asks, wherever; then there is none, and the counts say so."""
    given = [numbers(asked(kept, "abc"[number % 3], f"k{number}")) for number in range(6)]

    assert sorted(one for each in given for one in each) == [0, 1, 3, 4, 5]
    use = [kept.answer(name, GetPools()).pools[0] for name in "abc"]
    assert [8] * 3 == [one.size for one in use]
    assert (0, 3) == (sum(one.free for one in use), sum(one.reserved for one in use))


@pytest.mark.parametrize("at", "abc")
def test_what_is_kept_is_not_asked_for_ahead_of_need(kept: Any, at: str) -> None:
    """Who was given a kept address by its owner asks nobody for more of them, now or later."""
    assert [2] == numbers(asked(kept, at, "named", name="vm"))
    for number in (6, 7):
        assert [number] == numbers(asked(kept, at, f"k{number}", wants=(Want(index=number),)))

    kept.run(30)
    assert [3] == [kept.answer(at, GetPools()).pools[0].used]


@pytest.mark.parametrize("at", "abc")
def test_a_name_gets_its_address_at_any_daemon(kept: Any, at: str) -> None:
    """Whichever daemon owns the pre-allocated address gives it up for the one that is asked in the name."""
    assert [2] == numbers(asked(kept, at, "first", name="vm"))
    other = next(name for name in "abc" if name != at)

    refusal = asked(kept, other, "second", name="vm")
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.IN_USE
    released(kept, at, "first")
    assert [2] == numbers(asked(kept, other, "second", name="vm"))


def test_a_reserved_address_is_had_by_asking_for_it(kept: Any) -> None:
    """By its number or as itself, at any daemon; and after a restart it is still not anybody's."""
    assert [7] == numbers(asked(kept, "a", "index", wants=(Want(index=7),)))
    exactly = Want(Family.V4, within=(Range(BASE + 6, BASE + 7),))
    assert [6] == numbers(asked(kept, "b", "exact", wants=(exactly,)))
    for key in ("index", "exact"):
        released(kept, "a" if key == "index" else "b", key)
    for name in "abc":
        kept.crash(name)
        kept.start(name)
    kept.run(20)

    given = [numbers(asked(kept, "abc"[number % 3], f"k{number}")) for number in range(6)]
    assert sorted(one for each in given for one in each) == [0, 1, 3, 4, 5]


def test_a_node_uses_no_more_than_its_limit(cluster: MakeCluster, make_pool: MakePool) -> None:
    """What one daemon hands out of a pool is limited, whatever is free; another one may go on."""
    made = formed(cluster, replace(make_pool("p", "10.0.0.0/24"), node_limit=2))

    assert all(numbers(asked(made, "a", f"k{number}")) for number in range(2))
    refusal = asked(made, "a", "k2")
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.EXHAUSTED
    assert "p (2 of 2)" in refusal.detail
    assert numbers(asked(made, "b", "k3"))
    released(made, "a", "k0")
    assert numbers(asked(made, "a", "k4"))


def test_a_full_pool_is_passed_over_for_the_next(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Pools are tried in the order named, and others only if the request says so."""
    blue, green = make_pool("blue", "10.0.0.0/32"), make_pool("green", "10.0.0.4/30")
    made = formed(cluster, blue, green)

    assert [0] == numbers(asked(made, "a", "first", wants=(Want(pools=("blue",)),)))
    refusal = asked(made, "b", "strict", wants=(Want(pools=("blue",)),))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.EXHAUSTED
    assert asked(made, "b", "other", wants=(Want(pools=("blue",), fallback=True),)).allocation.addresses[
        0
    ].pool == ("green")


def test_each_pool_has_its_own_cooldown(cluster: MakeCluster, make_pool: MakePool) -> None:
    """A released address rests as long as its pool says, and another pool's as long as the settings say."""
    quick = replace(make_pool("quick", "10.0.0.0/28"), cooldown_s=0)
    made = formed(cluster, quick, make_pool("usual", "10.0.0.16/28"))

    for name in ("quick", "usual"):
        assert numbers(asked(made, "a", name, wants=(Want(pools=(name,)),)))
        released(made, "a", name)
    cooling = {one.pool.name: one.cooling for one in made.answer("a", GetPools()).pools}
    assert {"quick": 0, "usual": 1} == cooling


def test_the_same_answer_whatever_other_pools_there_are(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Asked again a key is told what it holds, though a pool that does not serve it comes before its own."""
    amber = replace(
        make_pool("amber", "10.0.0.0/28"),
        manual=True,
        preallocations=(Preallocation("vm", Family.V4, BASE + 2),),
    )
    blue = replace(
        make_pool("blue", "10.0.0.16/28"), preallocations=(Preallocation("vm", Family.V4, BASE + 18),)
    )
    made = formed(cluster, amber, blue)

    for key, number, more in (
        ("named", 18, {"name": "vm", "wants": (Want(),)}),
        ("index", 19, {"wants": (Want(Family.V4, index=3),)}),
        ("fallback", 18, {"name": "vm", "wants": (Want(pools=("blue",), fallback=True),)}),
    ):
        assert [[number]] * 2 == [numbers(asked(made, "a", key, **more)) for _ in range(2)]
        released(made, "a", key)


def test_who_waits_in_another_name_does_not_wait_for_others(
    cluster: MakeCluster, make_pool: MakePool
) -> None:
    """What is kept for a name is given as soon as the daemon serves, though others wait for anything."""
    pool = replace(make_pool("p", "10.0.0.0/30"), preallocations=(Preallocation("vm", Family.V4, BASE + 1),))
    made = cluster()
    made.add("a", seeds="a,b", join="a,b", pools=(pool,))
    others = [made.ask("a", Allocate(f"k{number}", wants=(Want(),))) for number in range(4)]
    vm = made.ask("a", Allocate("vm", wants=(Want(),), name="vm"))
    made.add("b", seeds="a,b", join="a,b", pools=(pool,))
    while not any(one in made.answers for one in others):
        made.run(0.001)

    assert [1] == numbers(made.answers[vm])
    assert not all(one in made.answers for one in others)
