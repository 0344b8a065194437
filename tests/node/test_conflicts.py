"""Two owners of one address, addresses that are in use elsewhere, and how both come to an end."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from ring.address import Family, Range
from ring.ring import Peer, Run, Token
from weaveipam.allocation.lending import forget_holder
from weaveipam.protocol import codec
from weaveipam.protocol.findings import Check, Conflicts, Resolution
from weaveipam.protocol.messages import Adopted, Ownership
from weaveipam.protocol.requests import (
    Allocate,
    GetCheck,
    GetConflicts,
    Reason,
    Refusal,
    Release,
    ResolveConflict,
    Want,
)
from weaveipam.protocol.values import ContestStage, Pool, RingId

V4 = RingId("default", Family.V4)
SETTLED_S = 14.0
"""More than any of the test's cooldowns, repeats and checks."""

MakeCluster = Callable[..., Any]
MakePool = Callable[..., Pool]


@pytest.fixture
def three(cluster: MakeCluster, make_pool: MakePool) -> Any:
    """Three seeds that share a /24."""
    made = cluster()
    for name in ("a", "b", "c"):
        made.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("blue", "10.0.0.0/24"),))
    made.run(2)
    return made


def claim(cluster: Any, name: str, key: str, address: int) -> None:
    """Have a daemon allocate one particular address."""
    wanted = Want(Family.V4, within=(Range(address, address + 1),))
    cluster.allocate(name, key, Allocate(key, wants=(wanted,)))


def conflicts(cluster: Any, name: str) -> Conflicts:
    """What a daemon knows of conflicts."""
    answer = cluster.answer(name, GetConflicts())
    assert isinstance(answer, Conflicts)
    return answer


def resolve(cluster: Any, name: str, address: int, owner: str) -> Any:
    """Decide at a daemon who keeps one address."""
    return cluster.answer(name, ResolveConflict(Family.V4, Range(address, address + 1), owner))


def owner(cluster: Any, name: str, address: int) -> str:
    """Whose an address is, as one daemon sees it."""
    return next(str(run.owner.name) for run in cluster.ring(name, V4).runs if run.start <= address < run.stop)


@pytest.fixture
def contested(three: Any) -> tuple[Any, int]:
    """
    The cluster after `a` has granted one address twice with one token, to `b` and to `c`, who both use it.

    Its disk went back to before the first of the two grants, and it served apart from all who knew of it.
    """
    address = three.ring("a", V4).runs[0].start + 8
    assert owner(three, "a", address) == "a"
    three.crash("c")
    before = dict(three.hosts["a"].disk)
    claim(three, "b", "web-b", address)
    three.crash("a")
    three.hosts["a"].disk = before
    three.cut = {"b"}
    three.start("a")
    three.start("c")
    three.run(8)
    claim(three, "c", "web-c", address)
    three.cut = set()
    three.run(8)
    return three, address


def test_one_token_with_two_owners_is_seen_by_both(contested: tuple[Any, int]) -> None:
    """Both owners list the address, and only that, with both statements and all that is leased there."""
    world, address = contested
    one, two = conflicts(world, "b").contested[0], conflicts(world, "c").contested[0]
    assert one.mine is not None
    assert one.theirs is not None
    sides = {one.mine.owner.name, one.theirs.owner.name}

    assert (len(conflicts(world, "b").contested), len(conflicts(world, "c").contested)) == (1, 1)
    assert conflicts(world, "a").contested == ()
    assert (one.range, two.range) == (Range(address, address + 1), Range(address, address + 1))
    assert sides == {"b", "c"}
    assert (one.mine, one.theirs) == (two.theirs, two.mine)
    assert one.mine.token == one.theirs.token
    assert (
        [holder.key for _, holder in one.here] == ["web-b"] == [holder.key for _, holder in two.there or ()]
    )
    assert (
        [holder.key for _, holder in one.there or ()] == ["web-c"] == [holder.key for _, holder in two.here]
    )
    assert world.status("b").contested == world.status("c").contested == 1
    assert {"two-owners"} <= world.events("b") & world.events("c")


def test_everything_else_is_still_handed_out(contested: tuple[Any, int]) -> None:
    """Every address but the contested one can be allocated; it is handed out by nobody, released or not."""
    world, _ = contested
    world.answer("b", Release("web-b"))
    world.answer("c", Release("web-c"))
    world.run(SETTLED_S)
    for count in range(255):
        world.allocate("abc"[count % 3], f"k{count}")
    refused = world.answer("a", Allocate("last", wait_s=3.0))

    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.EXHAUSTED
    assert sum(use.free for name in "abc" for use in world.status(name).pools) == 0
    assert sum(use.withheld for name in "abc" for use in world.status(name).pools) == 1


def test_both_in_use_is_reported_as_such(contested: tuple[Any, int]) -> None:
    """Where both have leased the address both say who holds it, until one of the two is released."""
    world, _ = contested
    for name in "bc":
        (twice,) = conflicts(world, name).twice
        assert {twice.one.key, twice.other.key} == {"web-b", "web-c"}
        assert {twice.one.peer.name, twice.other.peer.name} == {"b", "c"}
        assert "address-in-use-twice" in world.events(name)
    world.answer("b", Release("web-b"))
    world.run(SETTLED_S)

    assert conflicts(world, "b").twice == conflicts(world, "c").twice == ()


@pytest.mark.slow
@pytest.mark.parametrize("at", ["b", "c"])
@pytest.mark.parametrize("keeper", ["b", "c"])
@pytest.mark.parametrize("late", ["", "other", "crash"])
def test_a_decision_leaves_one_owner(contested: tuple[Any, int], at: str, keeper: str, late: str) -> None:
    """Whoever is asked, whoever keeps it, whatever fails: one owner, and both users are left alone."""
    world, address = contested
    other = "c" if at == "b" else "b"
    if late == "other":
        world.cut = {other}
        world.run(5)
    answer = resolve(world, at, address, keeper)
    assert isinstance(answer, Resolution)
    if late == "other":
        assert "cannot be reached" in answer.detail
    if late == "crash":
        world.crash(at)
        world.crash(other)
        world.run(1)
        world.start(at)
        world.start(other)
    world.cut = set()
    world.run(SETTLED_S)

    assert {owner(world, name, address) for name in "abc"} == {keeper}
    loser = "b" if keeper == "c" else "c"
    assert [conflicts(world, name).contested for name in "abc"] == [(), (), ()]
    assert [one.key for one in conflicts(world, loser).foreign] == [f"web-{loser}"]
    assert conflicts(world, loser).foreign[0].adopted
    assert [one.holder.key for one in conflicts(world, keeper).lent] == [f"web-{loser}"]
    again = resolve(world, at, address, keeper)
    assert isinstance(again, Resolution)
    for name in "bc":
        world.answer(name, Release(f"web-{name}"))
    world.run(SETTLED_S)
    assert [world.status(name).conflicts for name in "abc"] == [(), (), ()]
    claim(world, "a", "next", address)
    assert [problem for name in "abc" for problem in world.answer(name, GetCheck()).problems] == []


def test_only_the_two_sides_can_keep_it(contested: tuple[Any, int]) -> None:
    """A third name, and a range of which nothing is contested, are refused."""
    world, address = contested
    refused = [resolve(world, "b", address, "a"), resolve(world, "b", address + 1, "b")]

    assert [one.reason for one in refused] == [Reason.INVALID, Reason.NOT_FOUND]


@pytest.mark.parametrize(("first", "second"), [("b", "c"), ("c", "b")])
def test_contradicting_decisions_end(contested: tuple[Any, int], first: str, second: str) -> None:
    """Both told to keep the address, or both to give it up, while apart: in the end there is one owner."""
    world, address = contested
    world.cut = {"b"}
    world.run(5)
    resolve(world, "b", address, first)
    resolve(world, "c", address, second)
    world.cut = set()
    world.run(SETTLED_S)

    assert [conflicts(world, name).contested for name in "abc"] == [(), (), ()]
    assert len({owner(world, name, address) for name in "abc"}) == 1


def take(world: Any, to: str, at: int, times: int = 1) -> None:
    """All who run learn that some addresses are another's, as after a decision."""
    run = Run(at, at + 4, Token(0, 1000 * times), world.hosts[to].peer, Peer("decision", 1))
    for name, host in world.hosts.items():
        if host.node is not None:
            learned = host.node._allocator.learn(Ownership(V4, (run,)), world.now)
            world._perform(name, host.node._effects(learned))


def test_a_foreign_address_is_kept_for_its_user(three: Any) -> None:
    """What was taken from a node with a user on it is handed out by nobody until the user has released it."""
    address = three.ring("a", V4).runs[0].start + 8
    claim(three, "a", "web", address)
    take(three, "b", address)
    three.run(2)

    (foreign,), (lent,) = conflicts(three, "a").foreign, conflicts(three, "b").lent
    assert (foreign.key, foreign.owner.name, foreign.adopted) == ("web", "b", True)
    assert (lent.holder.key, lent.holder.peer.name) == ("web", "a")
    wanted = Want(Family.V4, within=(Range(address, address + 1),))
    refused = three.answer("b", Allocate("mine", wants=(wanted,)))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.IN_USE
    assert "web" in refused.detail
    three.crash("b")
    three.start("b")
    three.run(SETTLED_S)
    assert len(conflicts(three, "b").lent) == 1
    three.answer("a", Release("web"))
    three.run(SETTLED_S)
    assert [conflicts(three, name) for name in "ab"] == [Conflicts((), (), (), ())] * 2
    claim(three, "b", "mine", address)


def test_a_release_that_nobody_heard_of_is_found(three: Any) -> None:
    """The owner asks by itself: a release while it was away frees the address in time."""
    address = three.ring("a", V4).runs[0].start + 8
    claim(three, "a", "web", address)
    take(three, "b", address)
    three.run(2)
    three.crash("b")
    three.answer("a", Release("web"))
    three.run(2)
    three.start("b")
    three.run(SETTLED_S)

    assert conflicts(three, "b").lent == ()
    claim(three, "b", "mine", address)


def test_a_later_life_does_not_end_a_loan(three: Any) -> None:
    """A holder that lost its disk does not know who uses what: its loans stay until it is removed."""
    address = three.ring("a", V4).runs[0].start + 8
    claim(three, "a", "web", address)
    take(three, "b", address)
    three.run(2)
    before = three.hosts["a"].peer
    three.lose_disk("a")
    three.start("a")
    three.run(SETTLED_S)
    assert [one.holder.key for one in conflicts(three, "b").lent] == ["web"]
    node = three.hosts["b"].node
    three._perform("b", node._effects(forget_holder(node._holdings, before, three.now)))
    three.run(SETTLED_S)

    assert conflicts(three, "b").lent == ()
    claim(three, "b", "mine", address)


def test_the_next_owner_is_asked_too(three: Any) -> None:
    """Where the address becomes a third one's, that one keeps it for the user, and the one before forgets."""
    address = three.ring("a", V4).runs[0].start + 8
    claim(three, "a", "web", address)
    take(three, "b", address)
    three.run(2)
    take(three, "c", address, times=2)
    three.run(SETTLED_S)

    assert [one.owner.name for one in conflicts(three, "a").foreign if one.adopted] == ["c"]
    assert [len(conflicts(three, name).lent) for name in "abc"] == [0, 0, 1]


def test_an_address_that_was_given_to_another_key_is_in_use_twice(three: Any) -> None:
    """The owner that has handed it out already says so, and so does the holder, until one has released it."""
    address = three.ring("a", V4).runs[0].start + 8
    claim(three, "a", "old", address)
    three.drop = lambda _name, send: any(
        isinstance(one, Adopted) for one in codec.decode_packet(send.packet)[1]
    )
    three.crash("a")
    take(three, "b", address)
    claim(three, "b", "new", address)
    three.start("a")
    three.run(5)
    three.drop = lambda _name, _send: False
    three.run(5)
    for name in "ab":
        (twice,) = conflicts(three, name).twice
        assert {(twice.one.key, twice.one.peer.name), (twice.other.key, twice.other.peer.name)} == {
            ("old", "a"),
            ("new", "b"),
        }
        check = three.answer(name, GetCheck())
        assert isinstance(check, Check)
        assert "in-use-twice" in {one.kind for one in check.problems}
    three.answer("b", Release("new"))
    three.run(SETTLED_S)

    assert [conflicts(three, name).twice for name in "ab"] == [(), ()]
    assert len(conflicts(three, "b").lent) == 1
    said = [name for name, report in three.reports if report.event == "address-in-use-twice"]
    assert sorted(said) == ["a", "b"]


def test_a_contest_is_told_until_it_is_heard(contested: tuple[Any, int]) -> None:
    """The evidence is on both disks: after a restart of both everything is listed again."""
    world, _ = contested
    for name in "bc":
        world.crash(name)
    for name in "bc":
        world.start(name)
    world.run(SETTLED_S)
    (found,) = conflicts(world, "b").contested
    assert found.mine is not None
    assert found.theirs is not None

    assert {found.mine.owner.name, found.theirs.owner.name} == {"b", "c"}
    assert found.stage is ContestStage.OPEN
    assert [holder.key for _, holder in found.there or ()] == ["web-c"]


def free_at(world: Any, name: str, address: int) -> bool:
    """Whether a daemon would hand out an address."""
    node = world.hosts[name].node
    stocks = [] if node is None else node._holdings.pools.stocks_of(V4)
    return any(stock.space.free_within(Range(address, address + 1)) for stock in stocks)


def leased_at(world: Any, name: str, address: int) -> bool:
    """Whether a key at a daemon holds an address."""
    node = world.hosts[name].node
    return node is not None and node._holdings.leases.at(V4, address) is not None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_no_order_of_events_hands_it_out_while_it_is_contested(contested: tuple[Any, int], seed: int) -> None:
    """Whatever is decided, lost, late, cut short: free at one owner at most, and then in use nowhere."""
    world, address = contested
    rng = Random(seed)
    world.loss, world.late = 0.2, 0.2
    names = "abc"
    for _ in range(25):
        match rng.randrange(6):
            case 0:
                world.cut = set(rng.sample(names, rng.randrange(2)))
            case 1:
                name = rng.choice("bc")
                world.crash(name)
                world.run(rng.random())
                world.start(name)
            case 2 | 3:
                resolve(world, rng.choice("bc"), address, rng.choice("bc"))
            case 4 if rng.random() < 0.3:
                name = rng.choice("bc")
                world.answer(name, Release(f"web-{name}"))
            case _:
                pass
        for _ in range(4):
            world.run(0.5 * rng.random())
            able = [name for name in names if free_at(world, name, address)]
            held = [name for name in "bc" if leased_at(world, name, address)]
            assert len(able) <= 1
            assert not (able and held), (able, held)
    world.cut, world.loss, world.late = set(), 0.0, 0.0
    resolve(world, "b", address, "b")
    world.run(30)
    for name in "bc":
        world.answer(name, Release(f"web-{name}"))
    world.run(30)

    assert [world.status(name).conflicts for name in names] == [(), (), ()]
    assert len({owner(world, name, address) for name in names}) == 1
    claim(world, "a", "next", address)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_no_order_of_events_hands_out_what_is_lent(three: Any, seed: int) -> None:
    """Whatever is lost, late, cut short or released: nobody is given what a key has elsewhere, until then."""
    rng = Random(seed)
    address = three.ring("a", V4).runs[0].start + 8
    for number in range(4):
        claim(three, "a", f"old{number}", address + number)
    take(three, "b", address)
    three.run(3)
    three.loss, three.late = 0.2, 0.2
    for _ in range(20):
        match rng.randrange(4):
            case 0:
                three.cut = set(rng.sample("abc", rng.randrange(2)))
            case 1:
                name = rng.choice("ab")
                three.crash(name)
                three.run(rng.random())
                three.start(name)
            case 2 if rng.random() < 0.3:
                three.answer("a", Release(f"old{rng.randrange(4)}"))
            case _:
                pass
        three.run(rng.random())
        at = address + rng.randrange(4)
        wanted = Want(Family.V4, within=(Range(at, at + 1),))
        three.ask("b", Allocate(f"new{at}", wants=(wanted,), wait_s=0.5))
        three.run(1)
        assert not (leased_at(three, "a", at) and leased_at(three, "b", at))
    three.cut, three.loss, three.late = set(), 0.0, 0.0
    three.run(10)
    for number in range(4):
        three.answer("a", Release(f"old{number}"))
    three.run(SETTLED_S)

    assert [conflicts(three, name) for name in "abc"] == [Conflicts((), (), (), ())] * 3
    for at in range(address, address + 4):
        claim(three, "b", f"new{at}", at)
