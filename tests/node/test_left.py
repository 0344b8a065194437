"""What decisions, next lives and lent addresses have to do with a daemon that leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ring.address import Family, Range
from ring.ring import Peer, Run, Token
from weaveipam.protocol import codec
from weaveipam.protocol.effects import Send
from weaveipam.protocol.messages import Grant, Ownership
from weaveipam.protocol.progress import Departure, RollCallView
from weaveipam.protocol.records import Identity, Left
from weaveipam.protocol.requests import (
    Allocate,
    ChangePool,
    GetAllocations,
    GetConflicts,
    GetDeparture,
    Leave,
    PoolChanged,
    Refusal,
    Release,
    RemovePeers,
    Want,
)
from weaveipam.protocol.rollcalls import Enrol
from weaveipam.protocol.values import Pool, RingId

V4 = RingId("default", Family.V4)
LATER_S = 10.0
"""Until an elector has looked for those who have left, and all have agreed."""

MakeCluster = Callable[..., Any]
MakePool = Callable[..., Pool]


@pytest.fixture
def three(cluster: MakeCluster, make_pool: MakePool) -> Any:
    """Three seeds that share 256 addresses."""
    made = cluster()
    for name in "abc":
        made.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("blue", "10.0.0.0/24"),))
    made.run(2)
    return made


def ledger(world: Any, name: str) -> Any:
    """What a member remembers of decisions."""
    return world.hosts[name].node._rollcall.seat.ledger


def leave(world: Any, name: str, wait_s: float = 20.0) -> None:
    """Have a daemon leave, and wait until it has ended."""
    answer = world.answer(name, Leave())
    assert isinstance(answer, Departure), answer
    wait(world, name, wait_s)


def wait(world: Any, name: str, wait_s: float = 20.0) -> None:
    """Until a daemon has ended of itself."""
    until = world.now + wait_s
    while name not in world.ended:
        assert world.now < until, world.answer(name, GetDeparture())
        world.run(0.1)


def remove(world: Any, name: str, at: str, wait_s: float = 20.0) -> None:
    """Have a daemon removed that is gone."""
    until = world.now + wait_s
    while True:
        view = world.answer(at, RemovePeers((name,)))
        assert isinstance(view, RollCallView), view
        if [one.name for one in view.removed] == [name]:
            return
        assert world.now < until, view
        world.run(0.5)


def durable(world: Any, name: str, key: str, *within: Range) -> int:
    """Give a key one durable address."""
    wanted = Allocate(key, wants=(Want(Family.V4, within=within),), durable=True)
    allocation = world.allocate(name, key, wanted)
    first: int = allocation.addresses[0].range.start
    return first


def keys(world: Any, *names: str) -> dict[str, str]:
    """Which daemon keeps something for which key."""
    return {one.key: name for name in names for one in world.answer(name, GetAllocations()).allocations}


def says(send: Send, kind: type) -> bool:
    """Whether a packet has a message of a kind."""
    return any(isinstance(one, kind) for one in codec.decode_packet(send.packet)[1])


def test_nobody_waits_for_who_has_left(three: Any, make_pool: MakePool) -> None:
    """A daemon that has left is soon on no roster, and what is decided later needs no answer of its own."""
    gone = three.hosts["a"].peer
    leave(three, "a")
    three.run(LATER_S)

    for name in "bc":
        assert gone not in ledger(three, name).roster | ledger(three, name).electors
        assert [gone] == [one.peer for one in ledger(three, name).charter.removed]
    green = make_pool("green", "10.1.0.0/24")
    assert three.answer("b", ChangePool("green", None, green)) == PoolChanged(green)
    three.crash("c")
    three.run(5)
    remove(three, "c", "b")
    assert {"b"} == {run.owner.name for run in three.ring("b", V4).runs}


@pytest.mark.parametrize("used", [False, True])
def test_the_next_life_tells_that_the_last_has_left(three: Any, *, used: bool) -> None:
    """Of a daemon that is started again at once nothing has to be removed by hand, whether used or not."""
    gone = three.hosts["a"].peer
    leave(three, "a")
    three.start("a")
    if used:
        three.run(2)
        three.allocate("a", "k")
    three.crash("a")
    three.start("a")
    three.run(2 * LATER_S)

    for name in "abc":
        assert ledger(three, name).admitted
        assert gone not in ledger(three, name).roster | ledger(three, name).electors
        assert [gone] == [one.peer for one in ledger(three, name).charter.removed]
    number = ledger(three, "b").charter.number
    three.run(LATER_S)
    assert number == ledger(three, "b").charter.number


def test_nobody_waits_for_who_has_left_and_is_back(three: Any, make_pool: MakePool) -> None:
    """A daemon that is started again as soon as it has left, as a kubelet does it, holds nothing up."""
    gone = three.hosts["a"].peer
    leave(three, "a")
    three.start("a")
    three.run(LATER_S)

    assert gone.name == three.hosts["a"].peer.name
    for name in "abc":
        assert gone not in ledger(three, name).roster | ledger(three, name).electors
    green = make_pool("green", "10.1.0.0/24")
    assert three.answer("b", ChangePool("green", None, green)) == PoolChanged(green)


def test_who_has_left_and_is_back_is_not_waited_for_long(three: Any, make_pool: MakePool) -> None:
    """Whoever was waiting for it when it left takes it out of what is decided."""
    leave(three, "a")
    three.start("a")
    three.run(0.5)
    green = make_pool("green", "10.1.0.0/24")
    asked = ChangePool("green", None, green, wait_s=3 * LATER_S)

    assert three.answer("b", asked, 3 * LATER_S) == PoolChanged(green)


def test_the_only_elector_has_another_one_chosen(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Where one member lets all others in, it does not leave before another one does so in its place."""
    world = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    world.add("a", seeds="a", pools=pools)
    world.add("b", join="a")
    world.run(2)
    leave(world, "a")
    assert {world.hosts["b"].peer} == ledger(world, "b").electors
    world.add("c", join="b")
    world.run(5)

    assert ledger(world, "c").admitted
    world.allocate("c", "k")


def test_the_next_life_finds_nothing_of_the_last(three: Any) -> None:
    """The disk of a daemon that has left is another life's, neither admitted nor bound by a promise."""
    durable(three, "a", "k")
    former = three.hosts["a"].peer
    leave(three, "a")
    disk = three.hosts["a"].disk
    records = [codec.decode_record(data) for data in disk.values()]
    kinds = {type(one).__name__ for one in records}

    (life,) = (one.peer for one in records if isinstance(one, Identity))
    assert life > former
    assert Left(former) in records
    assert kinds.isdisjoint({"Admitted", "Promised", "OnRoster", "Voted", "Leaving", "Outgoing", "Leased"})
    before = dict(disk)
    three.run(5)
    assert disk == before
    three.start("a")
    three.run(5)
    assert ledger(three, "a").admitted


def test_nothing_is_left_to_who_is_not_admitted(three: Any) -> None:
    """A member that may not own space yet is no heir, and keeps nobody from leaving."""
    three.drop = lambda name, send: name == "d" and says(send, Enrol)
    three.add("d", join="a")
    three.run(2)
    assert not ledger(three, "d").admitted
    leave(three, "a")
    three.run(1)

    assert {"b", "c"} == {run.owner.name for run in three.ring("d", V4).runs}


def test_what_is_lent_goes_along(three: Any) -> None:
    """An heir keeps for their users what the leaver kept for them, before anybody tells it of them."""
    address = next(run.start for run in three.ring("a", V4).runs if run.owner.name == "c") + 8
    wanted = Want(Family.V4, within=(Range(address, address + 1),))
    three.allocate("a", "web", Allocate("web", wants=(wanted,)))
    taken = Run(address, address + 4, Token(0, 1000), three.hosts["b"].peer, Peer("decision", 1))
    for name in "abc":
        node = three.hosts[name].node
        three._perform(name, node._effects(node._allocator.learn(Ownership(V4, (taken,)), three.now)))
    three.run(2)
    assert len(three.answer("b", GetConflicts()).lent) == 1
    three.cut = {"a"}
    three.run(5)
    leave(three, "b")

    (lent,) = three.answer("c", GetConflicts()).lent
    assert ("web", "a") == (lent.holder.key, lent.holder.peer.name)
    assert isinstance(three.answer("c", Allocate("mine", wants=(wanted,))), Refusal)
    three.cut = set()
    three.run(10)
    three.answer("a", Release(key="web"))
    three.run(10)
    assert three.answer("c", GetConflicts()).lent == ()


def test_a_removed_leaver_keeps_what_was_on_its_way(three: Any) -> None:
    """What keys held of grants that never arrived is in the hands of the next life, as foreign addresses."""
    held = durable(three, "a", "k")
    three.drop = lambda name, send: name == "a" and says(send, Grant)
    three.answer("a", Leave())
    three.run(1)
    assert keys(three, "a", "b", "c") == {}
    three.crash("a")
    three.run(5)
    remove(three, "a", "b")
    three.start("a")
    three.run(5)

    assert keys(three, "a", "b", "c") == {"k": "a"}
    (foreign,) = three.answer("a", GetConflicts()).foreign
    assert (foreign.key, foreign.range.start, foreign.adopted) == ("k", held, True)


def test_an_heir_that_is_removed_does_not_keep_the_leaver(three: Any) -> None:
    """What was on its way to a removed heir is the leaver's again, to hand over or to be released."""
    given = {f"k{n}": durable(three, "a", f"k{n}") for n in range(12)}
    three.drop = lambda name, send: name == "a" and says(send, Grant)
    three.answer("a", Leave())
    three.run(1)
    three.crash("c")
    three.run(5)
    remove(three, "c", "b")
    three.drop = lambda _name, _send: False
    until = three.now + 30
    while "a" not in three.ended:
        assert three.now < until, three.answer("a", GetDeparture())
        three.run(0.5)
        for one in three.answer("a", GetDeparture()).obstacles if "a" not in three.ended else ():
            assert isinstance(three.answer("a", Release(key=one.key)).allocations, tuple)
            del given[one.key]
    three.run(1)

    assert keys(three, "b") == dict.fromkeys(given, "b")
