"""Pools inside of pools are created and deleted while a cluster runs, and no address is in two of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ring.address import Family, Range, format_range, parse_address, parse_range
from ring.invariants import violations
from ring.ring import Ring
from weaveipam.protocol.findings import Check
from weaveipam.protocol.nesting import Kind
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    ChangePool,
    GetCheck,
    GetPools,
    PoolChanged,
    Pools,
    PoolUse,
    Reason,
    Refusal,
    Release,
    Want,
)
from weaveipam.protocol.values import Allocation, Pool, RingId

RING = RingId("default", Family.V4)


def at(text: str) -> Want:
    """Exactly this address."""
    family, address = parse_address(text)
    return Want(family, within=(Range(address, address + 1),))


def shown(held: Allocation) -> str:
    """The first range of an allocation, and the pool that it is of."""
    one = held.addresses[0]
    return f"{format_range(one.family, one.range)} of {one.pool}"


class Nested:
    """A cluster of three, and what is done to its pools by one or another of them."""

    def __init__(self, it: Any, make_pool: Callable[..., Any]) -> None:
        self.it = it
        self._make = make_pool

    def pool(self, name: str, cidr: str, kind: str) -> Pool:
        """A pool of a kind."""
        made: Pool = replace(self._make(name, cidr), kind=str(kind))
        return made

    def create(self, name: str, cidr: str, kind: str, where: str = "a") -> None:
        """Create a pool; anything but success fails the test."""
        made = self.pool(name, cidr, kind)
        assert PoolChanged(made) == self.it.answer(where, ChangePool(name, None, made))
        self.it.run(2)

    def refused(self, change: ChangePool, where: str = "a") -> Refusal:
        """Why a change is refused; anything else fails the test."""
        answer = self.it.answer(where, change)
        assert isinstance(answer, Refusal)
        return answer

    def delete(self, name: str, where: str = "a") -> None:
        """Delete a pool; anything but success fails the test."""
        assert PoolChanged(None) == self.it.answer(where, ChangePool(name, self.use(name).pool, None))
        self.it.run(2)

    def use(self, name: str, where: str = "a") -> PoolUse:
        """How a pool is, by one of the daemons."""
        answer = self.it.answer(where, GetPools())
        assert isinstance(answer, Pools)
        return next(one for one in answer.pools if one.pool.name == name)

    def take(self, key: str, *wants: Want, where: str = "b") -> Allocation:
        """What a key is given."""
        given: Allocation = self.it.allocate(where, key, Allocate(key, wants=wants))
        return given

    def cannot(self, key: str, *wants: Want, where: str = "b") -> Refusal:
        """Why a key is given nothing; anything else fails the test."""
        answer = self.it.answer(where, Allocate(key, wants=wants, wait_s=2))
        assert isinstance(answer, Refusal), answer
        return answer

    def check(self) -> None:
        """Each address has one owner, by every daemon; accounts add up; and no two pools have one address."""
        for name in "abc":
            answer = self.it.answer(name, GetPools())
            assert isinstance(answer, Pools)
            ranges = [one.range for use in answer.pools for one in use.pool.ranges]
            tops = [one for one in ranges if not any(one != other and other.covers(one) for other in ranges)]
            assert [] == violations(Ring.of(self.it.ring(name, RING).runs), sorted(tops))
            assert Check(()) == self.it.answer(name, GetCheck())
            assert sum(one.size for one in tops) == sum(use.size for use in answer.pools)


@pytest.fixture
def nested(three: Any, make_pool: Callable[..., Any]) -> Nested:
    """With pool p, of no kind, and an aggregate of 10.8.0.0/24."""
    made = Nested(three, make_pool)
    made.create("top", "10.8.0.0/24", Kind.AGGREGATE)
    return made


def test_children_take_their_addresses_from_their_parent(nested: Nested) -> None:
    """Parents count what is left; all daemons hand out of the children; parents are shown."""
    nested.create("net", "10.8.0.0/26", Kind.NETWORK, "b")
    nested.create("supply", "10.8.0.128/26", Kind.POOL, "c")
    nested.create("inner", "10.8.0.160/28", Kind.POOL, "a")
    nested.check()
    sizes = {name: nested.use(name, "c").size for name in ("top", "net", "supply", "inner")}
    assert {"top": 128, "net": 64, "supply": 48, "inner": 16} == sizes
    parents = {name: nested.use(name, "c").parent for name in ("p", "top", "net", "supply", "inner")}
    assert {"p": "", "top": "", "net": "top", "supply": "top", "inner": "supply"} == parents
    taken = [
        nested.take(f"k{number}", Want(pools=("inner",)), where="abc"[number % 3]) for number in range(16)
    ]
    inner = parse_range("10.8.0.160/28")[1]
    ranges = [one.addresses[0].range for one in taken]
    assert 16 == len(set(ranges))
    assert all(inner.covers(one) for one in ranges)
    assert Reason.EXHAUSTED is nested.cannot("more", Want(pools=("inner",))).reason
    nested.check()


def test_the_longest_match_has_an_address(nested: Nested) -> None:
    """An address that is asked for by its number comes from the innermost pool that covers it."""
    nested.create("supply", "10.8.0.128/26", Kind.POOL)
    nested.create("inner", "10.8.0.160/28", Kind.POOL)
    assert "10.8.0.161 of inner" == shown(nested.take("i", at("10.8.0.161")))
    assert "10.8.0.176 of supply" == shown(nested.take("s", at("10.8.0.176")))
    refusal = nested.cannot("t", at("10.8.0.1"))
    assert Reason.INVALID is refusal.reason
    assert "top (aggregate)" in refusal.detail


def test_no_child_takes_what_is_in_use(nested: Nested) -> None:
    """Neither a block of an aggregate nor an address of a pool; the users are named, then it can be."""
    block = nested.take("block", Want(pools=("top",), prefix_length=26))
    text = format_range(Family.V4, block.addresses[0].range)
    child = nested.pool("net", text, Kind.NETWORK)
    refusal = nested.refused(ChangePool("net", None, child))
    assert (Reason.IN_USE, True) == (refusal.reason, "at b by block" in refusal.detail)
    nested.it.answer("b", Release("block"))
    nested.it.run(1)
    nested.create("net", text, Kind.NETWORK)
    nested.check()

    nested.create(
        "supply", "10.8.0.128/26" if not text.startswith("10.8.0.128") else "10.8.0.0/26", Kind.POOL
    )
    start = nested.use("supply").pool.ranges[0].range.start
    held = nested.take("addr", Want(pools=("supply",)), where="c")
    at_held = held.addresses[0].range.start & ~1
    inner = nested.pool("inner", format_range(Family.V4, Range(at_held, at_held + 2)), Kind.POOL)
    assert Reason.IN_USE is nested.refused(ChangePool("inner", None, inner)).reason
    beside = start + (32 if at_held < start + 32 else 0)
    nested.create("inner", format_range(Family.V4, Range(beside, beside + 32)), Kind.POOL, "b")
    nested.check()
    assert held == nested.take("addr", Want(pools=("supply",)), where="c")


def test_a_child_that_is_deleted_gives_back(nested: Nested) -> None:
    """While its addresses are in use it stays; then its parent has them again, and hands them out."""
    nested.create("net", "10.8.0.0/25", Kind.NETWORK)
    held = nested.take("web", Want(pools=("net",)), where="c")
    refusal = nested.refused(ChangePool("net", nested.use("net").pool, None))
    assert (Reason.IN_USE, True) == (refusal.reason, "at c by web" in refusal.detail)
    assert held == nested.take("web", Want(pools=("net",)), where="c")
    nested.it.answer("c", Release("web"))
    nested.delete("net")
    nested.check()
    assert 256 == nested.use("top").size
    nested.it.run(10)
    assert "10.8.0.0/25 of top" == shown(
        nested.take("half", Want(Family.V4, ("top",), (parse_range("10.8.0.0/25")[1],), 25))
    )


def test_what_rests_in_a_parent_rests_in_its_child(nested: Nested) -> None:
    """A child that takes addresses released a moment ago does not hand them out at once."""
    nested.create("supply", "10.8.0.128/28", Kind.POOL)
    gone = nested.take("k", at("10.8.0.130")).addresses[0].range
    nested.it.answer("b", Release("k"))
    nested.create("inner", "10.8.0.128/29", Kind.POOL)
    fresh = [nested.take(f"f{number}", Want(pools=("inner",))).addresses[0].range for number in range(7)]
    assert gone not in fresh


def test_a_parent_with_children_is_not_deleted(nested: Nested) -> None:
    """The refusal names them."""
    nested.create("net", "10.8.0.0/26", Kind.NETWORK)
    refusal = nested.refused(ChangePool("top", nested.use("top").pool, None), "b")
    assert (Reason.IN_USE, True) == (refusal.reason, "'net' (network) is in" in refusal.detail)
    nested.delete("net", "c")
    nested.delete("top", "b")
    nested.it.run(2)
    assert ["p"] == [one.pool.name for one in nested.it.answer("c", GetPools()).pools]


def test_an_aggregate_is_made_around_what_there_is(nested: Nested) -> None:
    """Whoever has addresses keeps them; what is around is handed out as its own."""
    held = nested.take("k", Want(pools=("top",), prefix_length=30))
    nested.create("wide", "10.8.0.0/22", Kind.AGGREGATE, "c")
    nested.check()
    assert held == nested.take("k", Want(pools=("top",), prefix_length=30))
    assert ("wide", 768) == (nested.use("top").parent, nested.use("wide").size)
    block = nested.take("w", Want(pools=("wide",), prefix_length=24))
    assert parse_range("10.8.0.0/24")[1].meet(block.addresses[0].range) is None


def test_a_parent_grows_and_shrinks_around_its_children(nested: Nested) -> None:
    """It may not leave them behind, and what it takes on or gives up leaves them as they are."""
    nested.create("net", "10.8.0.0/26", Kind.NETWORK)
    held = nested.take("web", Want(pools=("net",)))
    top = nested.use("top").pool
    less, off = (
        nested.pool("top", "10.8.0.0/25", "aggregate"),
        nested.pool("top", "10.8.0.128/25", "aggregate"),
    )
    refusal = nested.refused(ChangePool("top", top, off))
    assert "needs an aggregate above it" in refusal.detail
    assert PoolChanged(less) == nested.it.answer("c", ChangePool("top", top, less))
    nested.it.run(2)
    nested.check()
    assert PoolChanged(top) == nested.it.answer("b", ChangePool("top", less, top))
    nested.it.run(2)
    nested.check()
    assert held == nested.take("web", Want(pools=("net",)))


def test_rules_of_kinds_are_kept(nested: Nested) -> None:
    """What may not stand in what is refused, with what would work; pools of no kind are in none."""
    nested.create("net", "10.8.0.0/26", Kind.NETWORK)
    for name, cidr, kind, said in (
        ("in-net", "10.8.0.0/28", Kind.POOL, "10.8.0.64/28 in 10.8.0.0/24 'top' is free"),
        ("alone", "10.9.0.0/24", Kind.LOOPBACK, "needs an aggregate above it"),
        ("above", "10.8.0.0/25", Kind.POOL, "'net'"),
        ("plain", "10.8.0.64/26", "", "overlap in network default"),
        ("same", "10.8.0.0/24", Kind.AGGREGATE, "already"),
        ("odd", "10.8.0.64/26", "nonsense", "there is no kind nonsense"),
    ):
        refusal = nested.refused(ChangePool(name, None, nested.pool(name, cidr, kind)))
        assert (Reason.CONFLICT, True) == (refusal.reason, said in refusal.detail), refusal
    net = nested.use("net").pool
    refusal = nested.refused(ChangePool("net", net, replace(net, kind=Kind.LOOPBACK)))
    assert "a pool keeps its kind" in refusal.detail


def test_of_two_children_for_one_place_one_is_created(nested: Nested) -> None:
    """Two members that carve the same addresses at once are not both served."""
    it = nested.it
    one, other = nested.pool("n", "10.8.0.0/26", Kind.NETWORK), nested.pool("m", "10.8.0.0/25", Kind.POOL)
    numbers = [it.ask("a", ChangePool("n", None, one)), it.ask("b", ChangePool("m", None, other))]
    it.run(12)
    assert 1 == sum(isinstance(it.answers[number], PoolChanged) for number in numbers)
    assert 1 == sum(isinstance(it.answers[number], Refusal) for number in numbers)
    nested.check()


def test_allocations_while_children_come_and_go(nested: Nested) -> None:
    """Whatever is asked meanwhile comes from a pool that has it, nobody gets an address twice."""
    it = nested.it
    nested.create("supply", "10.8.0.0/25", Kind.POOL)
    inner = nested.pool("inner", "10.8.0.0/27", Kind.POOL)
    for turn in range(4):
        base, wanted = (None, inner) if turn % 2 == 0 else (inner, None)
        change = it.ask("abc"[turn % 3], ChangePool("inner", base, wanted, drain=True, wait_s=30))
        keys = []
        for number in range(12):
            where = "abc"[number % 3]
            keys.append((where, f"{turn}/{number}"))
            it.ask(
                where, Allocate(f"{turn}/{number}", wants=(Want(pools=("supply",)),), wait_s=1), wait_s=0.05
            )
        it.run(1)
        for where, key in keys:
            it.answer(where, Release(key))
        it.run(6)
        assert isinstance(it.answers[change], PoolChanged)
        nested.check()
    given = [one.allocation for one in it.answers.values() if isinstance(one, Allocated)]
    inside = parse_range("10.8.0.0/25")[1]
    assert given
    assert all(inside.covers(one.addresses[0].range) for one in given)


def test_nested_pools_survive_restarts(nested: Nested) -> None:
    """Daemons that restart, and newcomers, have the same pools with the same addresses."""
    it = nested.it
    nested.create("net", "10.8.0.0/26", Kind.NETWORK)
    held = nested.take("k", Want(pools=("net",)), where="c")
    for name in "abc":
        it.crash(name)
    for name in "abc":
        it.start(name)
    it.add("d", join="a")
    it.run(10)
    nested.check()
    assert held == nested.take("k", Want(pools=("net",)), where="c")
    assert 64 == nested.use("net", "d").size
    assert "net" == nested.take("d", Want(pools=("net",)), where="d").addresses[0].pool


def test_a_cluster_is_born_with_nested_pools(
    cluster: Callable[..., Any], make_pool: Callable[..., Any]
) -> None:
    """Its first split gives each address once."""
    it = cluster()
    top = replace(make_pool("top", "10.8.0.0/24"), kind="aggregate")
    net = replace(make_pool("net", "10.8.0.64/26"), kind="network")
    for name in "abc":
        it.add(name, seeds="a,b,c", join="a,b,c", pools=(net, top))
    it.run(5)
    Nested(it, make_pool).check()
    assert 64 == len({it.allocate("abc"[key % 3], f"k{key}").addresses[0].range for key in range(64)})


def test_kinds_say_where_addresses_come_from(nested: Nested) -> None:
    """Who says what an address is for gets it from a pool of such a kind, or else from the aggregate."""
    refusal = nested.cannot("n", Want(pools=("top",)))
    assert (Reason.INVALID, True) == (refusal.reason, "an address comes from a pool of" in refusal.detail)
    assert "top" == nested.take("l", Want(kind=Kind.LOOPBACK)).addresses[0].pool
    nested.create("lo", "10.8.0.192/28", Kind.LOOPBACK)
    assert "lo" == nested.take("m", Want(kind=Kind.LOOPBACK)).addresses[0].pool
    assert "p" == nested.take("any").addresses[0].pool, "loopbacks are for who says so"
    assert "lo" == nested.take("named", Want(pools=("lo",))).addresses[0].pool
    refusal = nested.cannot("o", Want(kind=Kind.POOL))
    assert "kind pool" in refusal.detail
    refusal = nested.cannot("b", Want(pools=("lo",), prefix_length=30))
    assert "top would do" in refusal.detail
    assert "top" == nested.take("b", Want(kind=Kind.POOL, prefix_length=30)).addresses[0].pool
