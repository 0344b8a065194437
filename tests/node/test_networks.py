"""Network instances are created and deleted while a cluster runs, and their addresses are their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ring.address import Family
from weaveipam.protocol.requests import (
    Allocate,
    ChangeNetwork,
    ChangePool,
    GetNetworks,
    GetRing,
    NetworkChanged,
    Networks,
    NetworkView,
    PoolChanged,
    Reason,
    Refusal,
    Release,
    RingView,
)
from weaveipam.protocol.values import RingId

RED = RingId("red", Family.V4)


def networks_at(it: Any, name: str) -> tuple[NetworkView, ...]:
    """The networks that a daemon knows."""
    answer = it.answer(name, GetNetworks())
    assert isinstance(answer, Networks)
    return answer.networks


def create(it: Any, at: str, name: str) -> None:
    """Create a network, by a command given to a daemon."""
    assert NetworkChanged(name, exists=True) == it.answer(at, ChangeNetwork(name, exists=True))


def test_the_same_addresses_are_given_in_two_networks(three: Any, make_pool: Callable[..., Any]) -> None:
    """Each network hands out every address of its own, once; giving back in one changes nothing there."""
    it = three
    create(it, "a", "red")
    red = make_pool("r", "10.0.0.0/28", network="red")
    assert PoolChanged(red) == it.answer("b", ChangePool("r", None, red))
    it.run(3)
    given = [
        it.allocate("abc"[number % 3], f"k{number}", Allocate(f"k{number}", "red")) for number in range(16)
    ]
    assert 16 == len({one.addresses[0].range for one in given})
    assert {"r"} == {one.addresses[0].pool for one in given}
    full = it.answer("a", Allocate("one-more", "red", wait_s=1))
    assert isinstance(full, Refusal)
    it.answer("a", Release("k0", network="default"))
    assert given[0] == it.allocate("a", "k0", Allocate("k0", "red")), "the key is another in default"
    for number in range(16):
        it.allocate("c", f"k{number}", Allocate(f"k{number}"))
    assert sum(one.used for name in "abc" for one in networks_at(it, name) if one.name == "red") == 16


def test_networks_are_everybodys(three: Any) -> None:
    """What is created at one member is known at all; after restarts, and at those who come later, too."""
    it = three
    create(it, "a", "red")
    create(it, "b", "red")
    it.run(3)
    for name in "abc":
        it.crash(name)
    for name in "abc":
        it.start(name)
    it.add("d", join="a")
    it.run(10)
    assert all(["default", "red"] == [one.name for one in networks_at(it, name)] for name in "abcd")


def test_what_is_in_networks_is_shown(three: Any, make_pool: Callable[..., Any]) -> None:
    """By name: its pools, its rings, and how many addresses that makes."""
    it = three
    create(it, "a", "red")
    red, also = make_pool("r", "10.0.0.0/28", network="red"), make_pool("s", "fd00::/124", network="red")
    it.answer("a", ChangePool("r", None, red))
    it.answer("a", ChangePool("s", None, also))
    default, shown = networks_at(it, "a")
    assert ("default", ("p",), (RingId("default", Family.V4),), 256) == (
        *(default.name, default.pools, default.rings, default.size),
    )
    rings = (RED, RingId("red", Family.V6))
    assert ("red", ("r", "s"), rings, 32) == (shown.name, shown.pools, shown.rings, shown.size)


def test_two_members_create_a_network_at_once(three: Any) -> None:
    """Both are told that it is there, and there is one."""
    it = three
    numbers = [it.ask(name, ChangeNetwork("red", exists=True)) for name in "ab"]
    it.run(12)
    assert [NetworkChanged("red", exists=True)] * 2 == [it.answers[number] for number in numbers]
    assert all(["default", "red"] == [one.name for one in networks_at(it, name)] for name in "abc")


def test_a_network_with_pools_stays(three: Any, make_pool: Callable[..., Any]) -> None:
    """It is deleted once they are; what is created again begins empty, and above all that was."""
    it = three
    create(it, "a", "red")
    red = make_pool("r", "10.0.0.0/28", network="red")
    it.answer("b", ChangePool("r", None, red))
    it.run(2)
    refusal = it.answer("c", ChangeNetwork("red", exists=False))
    assert isinstance(refusal, Refusal)
    assert (Reason.IN_USE, "network red has pools: r; delete them first") == (refusal.reason, refusal.detail)
    held = it.allocate("a", "k", Allocate("k", "red"))
    it.answer("a", Release("k", network="red"))
    assert PoolChanged(None) == it.answer("b", ChangePool("r", red, None))
    assert NetworkChanged("red", exists=False) == it.answer("c", ChangeNetwork("red", exists=False))
    assert NetworkChanged("red", exists=False) == it.answer("c", ChangeNetwork("red", exists=False))
    it.run(3)
    assert all(["default"] == [one.name for one in networks_at(it, name)] for name in "abc")
    assert isinstance(it.answer("a", GetRing(RED)), Refusal)

    create(it, "b", "red")
    it.answer("b", ChangePool("r", None, red))
    it.run(2)
    rings = [it.answer(name, GetRing(RED)) for name in "abc"]
    assert all(isinstance(one, RingView) and one.runs == rings[0].runs for one in rings)
    assert held.addresses[0].pool == it.allocate("c", "k", Allocate("k", "red")).addresses[0].pool


def test_a_pool_and_the_end_of_its_network_at_once(three: Any, make_pool: Callable[..., Any]) -> None:
    """Either the network is gone or the pool is in it, and the other one is told."""
    it = three
    create(it, "a", "red")
    red = make_pool("r", "10.0.0.0/28", network="red")
    pool = it.ask("a", ChangePool("r", None, red))
    end = it.ask("b", ChangeNetwork("red", exists=False))
    it.run(12)
    answers = [it.answers[pool], it.answers[end]]
    (lost,) = [one for one in answers if isinstance(one, Refusal)]
    assert lost.reason in {Reason.NOT_FOUND, Reason.IN_USE}
    names = {tuple(one.name for one in networks_at(it, name) if one.pools) for name in "abc"}
    assert names == {("default", "red")} if PoolChanged(red) in answers else {("default",)}


def test_no_pool_is_made_in_a_network_that_is_not_there(three: Any, make_pool: Callable[..., Any]) -> None:
    """Whoever tries is told the command that creates it."""
    refusal = three.answer("a", ChangePool("r", None, make_pool("r", "10.0.0.0/28", network="red")))
    assert isinstance(refusal, Refusal)
    assert (Reason.NOT_FOUND, True) == (refusal.reason, "weaveipam network create red" in refusal.detail)


def test_networks_of_the_first_pools_exist(
    cluster: Callable[..., Any], make_pool: Callable[..., Any]
) -> None:
    """A cluster that is born with pools of a network is born with the network; before that none is made."""
    it = cluster()
    it.add("a", join="b")
    refusal = it.answer("a", ChangeNetwork("blue", exists=True))
    assert isinstance(refusal, Refusal)
    assert Reason.NOT_READY is refusal.reason
    it.add("b", seeds="b", pools=(make_pool("r", "10.0.0.0/28", network="red"),))
    it.run(8)
    assert all(["default", "red"] == [one.name for one in networks_at(it, name)] for name in "ab")


def test_a_network_needs_everybody(three: Any) -> None:
    """While a member is away the change waits for it, and is then withdrawn with its name."""
    it = three
    it.cut = {"c"}
    refusal = it.answer("a", ChangeNetwork("red", exists=True, wait_s=3))
    assert isinstance(refusal, Refusal)
    assert "waiting for c" in refusal.detail
    it.cut = set()
    it.run(20)
    assert all(["default"] == [one.name for one in networks_at(it, name)] for name in "abc")
