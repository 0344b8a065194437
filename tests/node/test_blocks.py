"""Aligned blocks that no single daemon owns are put together from the pieces of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ring.address import Family, Range
from weaveipam.protocol import codec
from weaveipam.protocol.effects import Send
from weaveipam.protocol.messages import Grant, Ownership, PieceRequest, PieceSurvey, RingShare
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    ChangePool,
    PoolChanged,
    Reason,
    Refusal,
    Release,
    RemovePeers,
    Want,
)
from weaveipam.protocol.rollcalls import Enrol
from weaveipam.protocol.values import Allocation, Pool, RingId

V4 = RingId("default", Family.V4)
NET = 10 << 24
QUIET_S = 30.0
TELLING = (Grant, Ownership, RingShare)
"""Messages that tell whose an address is."""

MakeCluster = Callable[..., Any]
MakePool = Callable[..., Pool]


@pytest.fixture
def three(cluster: MakeCluster, make_pool: MakePool) -> Any:
    """Three seeds, whose shares of a /24 are no aligned blocks: 0 to 79, 80 to 167, 168 to 255 or so."""
    made = cluster()
    for name in ("a", "b", "c"):
        made.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("blue", "10.0.0.0/24"),))
    made.run(2)
    return made


def block(key: str, length: int, wait_s: float = 8.0) -> Allocate:
    """A request for an aligned block."""
    return Allocate(key, wants=(Want(Family.V4, prefix_length=length),), wait_s=wait_s)


def at(key: str, address: int) -> Allocate:
    """A request for one particular address."""
    return Allocate(key, wants=(Want(Family.V4, within=(Range(address, address + 1),)),))


def range_of(allocation: Allocation) -> Range:
    """What a key was given."""
    (one,) = allocation.addresses
    return one.range


def sizes(cluster: Any, name: str) -> dict[str, int]:
    """How many addresses everybody has, as one daemon sees it."""
    found: dict[str, int] = {}
    for run in cluster.ring(name, V4).runs:
        found[run.owner.name] = found.get(run.owner.name, 0) + run.stop - run.start
    return found


def says(send: Send, kind: type) -> bool:
    """Whether a packet has a message of some kind in it."""
    return any(isinstance(one, kind) for one in codec.decode_packet(send.packet)[1])


def free_everywhere(cluster: Any, names: Sequence[str] = "abc") -> int:
    """Addresses that can be handed out."""
    return sum(pool.free for name in names for pool in cluster.status(name).pools)


@pytest.mark.parametrize("name", ["a", "b", "c"])
@pytest.mark.parametrize("length", [24, 25])
def test_a_block_of_several_owners_is_put_together(three: Any, name: str, length: int) -> None:
    """Whoever is asked for a block that lies across owners collects it, up to all there is."""
    what = range_of(three.allocate(name, "net", block("net", length)))

    assert what.size == 1 << 32 - length
    assert what.start % what.size == 0
    assert "block-assembled" in three.events(name)
    assert sizes(three, name)[name] >= what.size


def test_one_in_the_way_makes_it_take_another(three: Any) -> None:
    """With an address in use in one half of the pool, the other half is collected."""
    three.allocate("a", "pod", at("pod", NET + 3))
    what = range_of(three.allocate("c", "net", block("net", 25)))

    assert Range(NET + 128, NET + 256) == what


def test_what_cannot_be_put_together_leaves_nothing_scattered(three: Any) -> None:
    """With an address in use in every candidate nothing moves, and the refusal says how near it came."""
    three.allocate("a", "pod", at("pod", NET + 3))
    three.allocate("c", "pod2", at("pod2", NET + 250))
    before = [run.owner for run in three.ring("b", V4).runs]
    refusal = three.answer("b", block("net", 25))

    assert isinstance(refusal, Refusal)
    assert Reason.EXHAUSTED is refusal.reason
    assert "which several own" in refusal.detail
    assert "could be had" in refusal.detail
    assert before == [run.owner for run in three.ring("b", V4).runs]


def test_a_cut_off_owner_is_named_in_time(three: Any) -> None:
    """Who is behind a cut gives nothing: the request fails in time, and says where it is."""
    three.cut = {"c"}
    refusal = three.answer("a", block("net", 24, wait_s=8.0), wait_s=8.1)

    assert isinstance(refusal, Refusal)
    assert "at c (" in refusal.detail or "no answer from c" in refusal.detail
    three.cut = set()
    three.run(QUIET_S)
    assert isinstance(three.answer("a", block("net", 24)), Allocated)


def test_a_refused_collection_gives_back(three: Any) -> None:
    """A piece that is taken between survey and request ends the collection: all goes back to its owners."""
    taken: list[int] = []

    def take(name: str, send: Send) -> bool:
        if name == "a" and send.target.host == "c" and says(send, PieceRequest) and not taken:
            taken.append(three.ask("c", at("pod", NET + 200)))
        return False

    before = sizes(three, "a")
    three.drop = take
    refusal = three.answer("a", block("net", 24, wait_s=30.0), wait_s=30.0)
    three.run(QUIET_S)

    assert taken
    assert isinstance(refusal, Refusal)
    assert "block-given-up" in three.events("a")
    assert before == sizes(three, "a")
    assert free_everywhere(three) == 255


def test_a_lost_grant_comes_back_home(three: Any) -> None:
    """A piece whose grant comes after the collection was given up goes back to its giver at once."""
    before = sizes(three, "a")
    three.drop = lambda name, send: (
        name in "bc" and send.target.host == "a" and any(says(send, kind) for kind in TELLING)
    )
    number = three.ask("a", block("net", 24, wait_s=3.0), wait_s=4.0)
    refusal = three.answers[number]
    three.drop = lambda _name, _send: False
    three.run(QUIET_S)

    assert isinstance(refusal, Refusal)
    assert before == sizes(three, "a") == sizes(three, "b") == sizes(three, "c")
    assert not sum(three.status(name).outgoing for name in "abc")


def test_a_crash_half_way_loses_nothing(three: Any) -> None:
    """The pieces that a daemon had when it crashed are its own when it is back, and the block can be had."""
    three.drop = lambda name, send: name == "a" and send.target.host == "c" and says(send, PieceRequest)
    three.ask("a", block("net", 24), wait_s=0.5)
    three.crash("a")
    three.run(1)
    three.drop = lambda _name, _send: False
    three.start("a")
    three.run(QUIET_S)

    assert sum(sizes(three, "a").values()) == 256
    assert free_everywhere(three) == 256
    assert range_of(three.allocate("c", "net", block("net", 24))).size == 256


@pytest.mark.parametrize("seed", range(4))
def test_two_at_once_do_not_stop_each_other(cluster: MakeCluster, make_pool: MakePool, seed: int) -> None:
    """When all want the only block at one moment one of them gets it, and the others are refused."""
    made = cluster(seed, loss=0.05)
    for name in ("a", "b", "c"):
        made.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("blue", "10.0.0.0/24"),))
    made.run(2)
    numbers = [made.ask(name, block(f"net-{name}", 24, wait_s=60.0)) for name in "abc"]
    made.run(61)
    answers = [made.answers[number] for number in numbers]

    assert sum(isinstance(one, Allocated) for one in answers) == 1
    refusals = [one for one in answers if isinstance(one, Refusal)]
    assert {Reason.EXHAUSTED} == {one.reason for one in refusals}


def test_who_goes_away_leaves_nothing_behind(three: Any) -> None:
    """When the client has gone before the block is whole, the pieces go back to their owners."""
    before = sizes(three, "a")
    three.drop = lambda name, send: name == "a" and send.target.host == "c" and says(send, PieceRequest)
    number = three.ask("a", block("net", 24), wait_s=0.5)
    three._perform("a", three.hosts["a"].node.cancel(number, three.now))
    three.run(QUIET_S)

    assert before == sizes(three, "a")
    assert free_everywhere(three) == 256


def half_way(three: Any, wait_s: float = 30.0) -> int:
    """Let a daemon collect all but the last piece of everything; the number of the request."""
    three.drop = lambda name, send: name == "a" and send.target.host == "c" and says(send, PieceRequest)
    number: int = three.ask("a", block("net", 24, wait_s), wait_s=0.1)
    three.drop = lambda _name, _send: False
    assert sizes(three, "a")["a"] > 100
    assert three.status("a").pools[0].free == 0
    return number


def test_a_pool_that_grows_meanwhile_loses_nothing(three: Any, make_pool: MakePool) -> None:
    """What was collected is free or back home, each address once, and then the block is collected anew."""
    number = half_way(three)
    more = make_pool("blue", "10.0.0.0/23")
    changed = three.answer("b", ChangePool("blue", make_pool("blue", "10.0.0.0/24"), more))
    three.run(QUIET_S)

    assert changed == PoolChanged(more)
    answer = three.answers[number]
    assert isinstance(answer, Allocated)
    assert range_of(answer.allocation).size == 256
    assert free_everywhere(three) == 256
    rest = {range_of(three.allocate("b", f"k{index}")) for index in range(256)}
    assert not any(one.meet(range_of(answer.allocation)) for one in rest)
    assert len(rest) == 256


def test_a_pool_that_is_deleted_meanwhile_takes_all_with_it(three: Any, make_pool: MakePool) -> None:
    """Pieces are in use by nobody, so nothing stops the deletion; who waited for the block is told."""
    number = half_way(three)
    deleted = three.answer("b", ChangePool("blue", make_pool("blue", "10.0.0.0/24"), None))
    three.run(QUIET_S)

    assert deleted == PoolChanged(None)
    assert isinstance(three.answers[number], Refusal)
    assert all(three.status(name).pools == () for name in "abc")


def test_a_pool_of_another_name_with_the_same_addresses(three: Any, make_pool: MakePool) -> None:
    """Pieces of the pool before go back or are had by the one after, and none are lost."""
    number = half_way(three)
    three.answer("c", ChangePool("blue", make_pool("blue", "10.0.0.0/24"), None))
    three.answer("c", ChangePool("red", None, make_pool("red", "10.0.0.0/24")))
    three.run(QUIET_S)

    assert isinstance(three.answers[number], Refusal)
    assert free_everywhere(three) == 256
    assert range_of(three.allocate("b", "all", block("all", 24))).size == 256


def test_what_is_taken_away_is_in_no_block(three: Any, make_pool: MakePool) -> None:
    """A pool that shrinks takes addresses that were collected with it, before anybody is given them."""
    number = half_way(three)
    less = make_pool("blue", "10.0.0.128/25")
    change = ChangePool("blue", make_pool("blue", "10.0.0.0/24"), less, drain=True, wait_s=60.0)
    changed = three.answer("b", change)
    three.run(QUIET_S)

    assert changed == PoolChanged(less)
    assert isinstance(three.answers[number], Refusal)
    assert free_everywhere(three) == 128
    assert Range(NET + 128, NET + 256) == range_of(three.allocate("b", "net", block("net", 25)))


def test_a_removed_daemon_has_no_part(three: Any) -> None:
    """Once a dead daemon is removed what it had is collected from its heirs, and nothing goes back to it."""
    number = half_way(three, wait_s=20.0)
    three.crash("c")
    three.run(20.0)
    assert isinstance(three.answers[number], Refusal)
    three.answer("a", RemovePeers(("c",), forced=True))
    three.run(QUIET_S)

    assert set(sizes(three, "a")) == {"a", "b"}
    assert range_of(three.allocate("b", "net", block("net", 24, 20.0))).size == 256


def test_a_newcomer_asks_for_pieces_once_it_is_let_in(three: Any) -> None:
    """Before electors know of it, it may own nothing; then it collects as anybody."""
    three.drop = lambda name, send: name == "d" and says(send, Enrol)
    three.add("d", join="a,b,c")
    number = three.ask("d", block("net", 24, wait_s=20.0), wait_s=5.0)
    assert number not in three.answers
    assert not any(says(send, PieceSurvey) for name, send in three.sent if name == "d")
    three.drop = lambda _name, _send: False
    three.run(20.0)

    assert isinstance(three.answers[number], Allocated)


def test_many_owners_are_asked_in_parallel(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Twelve owners of small shares answer one survey each, and the pieces are collected one by one."""
    made = cluster()
    names = [f"n{i:02}" for i in range(12)]
    seeds = ",".join(names)
    for name in names:
        made.add(name, seeds=seeds, join=seeds, pools=(make_pool("blue", "10.0.0.0/24"),))
    made.run(3)
    made.sent.clear()
    what = range_of(made.allocate("n05", "net", block("net", 25)))
    sent = [send for name, send in made.sent if name == "n05"]

    assert what.size == 128
    assert sum(says(send, PieceSurvey) for send in sent) <= 11
    assert sum(says(send, PieceRequest) for send in sent) <= 11


def test_released_blocks_drift_home(three: Any) -> None:
    """Once a collected block is given back and quiet returns, the ring is small again."""
    three.allocate("a", "net", block("net", 25))
    three.answer("a", Release(key="net"))
    three.run(QUIET_S)

    assert len(three.ring("a", V4).runs) <= 6
    assert free_everywhere(three) == 256
