"""Space that has come apart in use comes together again in quiet times."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from ring.address import Family, Range
from weaveipam.protocol import codec
from weaveipam.protocol.effects import Send
from weaveipam.protocol.messages import Grant, SpaceRequest
from weaveipam.protocol.requests import Allocate, Allocated, Release, Want
from weaveipam.protocol.values import Pool, PoolRange, RingId

V4 = RingId("default", Family.V4)
STEP = 16
"""Addresses between two that are claimed."""
QUIET_S = 15.0

MakeCluster = Callable[..., Any]
MakePool = Callable[..., Pool]


@pytest.fixture
def torn(cluster: MakeCluster, make_pool: MakePool) -> Any:
    """Three seeds over a /24, of which `a` claimed every sixteenth address and gave it back."""
    made = cluster()
    for name in ("a", "b", "c"):
        made.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("blue", "10.0.0.0/24"),))
    made.run(2)
    first = made.ring("a", V4).runs[0].start
    for at in range(first + 4, first + 256, STEP):
        claim(made, "a", at)
    for at in range(first + 4, first + 256, STEP):
        made.answer("a", Release(key=f"k{at}"))
    assert len(made.ring("a", V4).runs) > 20
    return made


def claim(cluster: Any, name: str, address: int) -> None:
    """Have a daemon allocate one particular address."""
    wanted = Want(Family.V4, within=(Range(address, address + 1),))
    cluster.allocate(name, f"k{address}", Allocate(f"k{address}", wants=(wanted,)))


def gives(send: Send) -> bool:
    """Whether a packet has a grant in it that nobody asked for."""
    return any(isinstance(one, Grant) and one.request == 0 for one in codec.decode_packet(send.packet)[1])


def free(cluster: Any, name: str) -> int:
    """Addresses that a daemon could hand out at once."""
    return sum(one.free for one in cluster.status(name).pools)


def whole(cluster: Any) -> bool:
    """Whether everybody holds one ring without a gap, and no grant is open."""
    rings = [cluster.ring(name, V4).runs for name in "abc"]
    size = sum(run.stop - run.start for run in rings[0])
    return (
        rings[0] == rings[1] == rings[2]
        and size == 256
        and not sum(cluster.status(name).outgoing for name in "abc")
    )


def test_quiet_makes_the_ring_small(torn: Any) -> None:
    """Once all has rested there are two runs for each member at most, everywhere the same, and no timer."""
    torn.run(QUIET_S)

    assert whole(torn)
    assert len(torn.ring("a", V4).runs) <= 6
    assert all(torn.hosts[name].node._allocator.wake_at == math.inf for name in "abc")


def test_what_is_in_use_stays_where_it_is(torn: Any) -> None:
    """Each address in use may keep one run apart; all that surrounds it comes together."""
    theirs = [run.start for run in torn.ring("a", V4).runs if run.owner.name != "a"]
    for at in theirs[:3]:
        claim(torn, "a", at)
    torn.run(QUIET_S)

    assert whole(torn)
    assert len(torn.ring("a", V4).runs) <= 6 + 3
    held = [run for run in torn.ring("a", V4).runs if any(run.start <= at < run.stop for at in theirs[:3])]
    assert {run.owner.name for run in held} == {"a"}


def test_set_aside_addresses_pin_nothing(cluster: MakeCluster) -> None:
    """Addresses that nobody can be given go along with what surrounds them."""
    aside = tuple(Range(at, at + 1) for at in range(0, 64, 8))
    pools = (Pool("blue", "default", (PoolRange(Family.V4, Range(0, 64), 26, None, aside),)),)
    made = cluster()
    for name in ("a", "b"):
        made.add(name, seeds="a,b", join="a,b", pools=pools)
    made.run(2)
    for at in range(32, 64):
        if at % 8:
            claim(made, "a", at)
    made.run(QUIET_S)

    assert ("b", "space-drifted") in {(name, report.event) for name, report in made.reports}
    theirs = [Range(run.start, run.stop) for run in made.ring("a", V4).runs if run.owner.name == "b"]
    assert not any(what.start >= 32 for what in theirs), "b keeps what it cannot use"


def test_nobody_gives_its_last(torn: Any) -> None:
    """Whoever had something free before has something free afterwards."""
    torn.run(6)
    assert all(free(torn, name) for name in "abc")
    torn.run(QUIET_S)

    assert all(free(torn, name) for name in "abc")
    for name in "abc":
        number = torn.ask(name, Allocate(f"new at {name}"))
        assert isinstance(torn.answers[number], Allocated), "it had to ask somebody"


def test_a_crash_before_the_grant_is_sent_loses_nothing(torn: Any) -> None:
    """An island whose owner dies when the gift is on disk, and not sent, arrives once it is back."""
    torn.drop = lambda _name, send: gives(send)
    until = torn.now + QUIET_S
    while not torn.status("a").outgoing and torn.now < until:
        torn.run(0.1)
    given = torn.status("a").outgoing
    assert given
    torn.crash("a")
    torn.start("a")
    torn.run(1)
    assert torn.status("a").outgoing == given
    torn.drop = lambda _name, _send: False
    torn.run(QUIET_S)

    assert whole(torn)
    assert len(torn.ring("a", V4).runs) <= 6


def test_islands_beside_the_dead_stay(torn: Any) -> None:
    """While nobody beside an island is there it is kept, and goes when one comes back."""
    torn.crash("b")
    torn.crash("c")
    torn.run(QUIET_S)
    before = torn.ring("a", V4).runs
    assert len([run for run in before if run.owner.name == "a"]) > 8
    assert not torn.status("a").outgoing
    torn.start("b")
    torn.start("c")
    torn.run(QUIET_S)

    assert whole(torn)
    assert len(torn.ring("a", V4).runs) <= 6


def test_a_gift_brings_no_refill(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Who is short after a gift asks for more only when it uses some: else both would go on for ever."""
    made = cluster()
    for name in ("a", "b"):
        made.add(name, seeds="a,b", join="a,b", pools=(make_pool("blue", "10.0.0.0/27"),))
    made.run(2)
    first = made.ring("a", V4).runs[0].start
    for at in (0, 3, 6, 9, 12, 15):
        claim(made, "a", first + at)
    for at in (1, 4, 7, 10, 13, *range(16, 31)):
        claim(made, "b", first + at)
    for at in (1, 4, 7, 10, 13):
        made.answer("b", Release(key=f"k{first + at}"))
    until = made.now + QUIET_S
    while free(made, "b") < 6 and made.now < until:
        made.run(0.1)
    seen = len(made.sent)
    made.run(QUIET_S)
    quiet = [send for name, send in made.sent[seen:] if name == "b"]
    assert any(map(gives, quiet))
    assert free(made, "b") == 3
    assert not any(map(asks, quiet))

    made.allocate("b", "new")
    made.run(1)
    assert any(asks(send) for name, send in made.sent[seen:] if name == "b")


def asks(send: Send) -> bool:
    """Whether a packet asks for space."""
    return any(isinstance(one, SpaceRequest) for one in codec.decode_packet(send.packet)[1])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_no_history_is_left(cluster: MakeCluster, make_pool: MakePool, seed: int) -> None:
    """After hundreds of pods, blocks, crashes and cuts there are two runs a member, and those in use."""
    made = cluster(seed)
    for name in "abc":
        made.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("blue", "10.0.0.0/24"),))
    made.run(2)
    rng = Random(seed)
    held: list[tuple[str, str]] = []
    for number in range(400):
        name = rng.choice("abc")
        length = rng.choice((32, 32, 32, 30, 28, 27))
        wanted = Want(Family.V4, prefix_length=length)
        answer = made.answer(name, Allocate(f"k{number}", wants=(wanted,), wait_s=1.0))
        held += [(name, f"k{number}")] if isinstance(answer, Allocated) else []
        while held and rng.random() < len(held) / 30:
            where, key = held.pop(rng.randrange(len(held)))
            made.answer(where, Release(key=key))
        if rng.random() < 1 / 20:
            made.crash(name)
            made.run(rng.random())
            made.start(name)
            made.run(2)
        made.cut = {rng.choice("abc")} if rng.random() < 1 / 10 else set()
        made.run(rng.random() / 4)
    made.cut = set()
    for where, key in held[3:]:
        made.answer(where, Release(key=key))
    made.run(4 * QUIET_S)

    assert whole(made)
    assert len(made.ring("a", V4).runs) <= 2 * 3 + 2 * len(held[:3])
