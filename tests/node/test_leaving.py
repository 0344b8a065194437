"""A daemon leaves: nothing is lost or given twice, wherever anybody dies meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from ring.address import Family, Range
from ring.invariants import violations
from ring.ring import Ring
from weaveipam.protocol import codec
from weaveipam.protocol.effects import Send
from weaveipam.protocol.messages import (
    Grant,
    GrantAck,
    Header,
    Need,
    Ownership,
    Refused,
    RingShare,
    SpaceRefusal,
    SpaceRequest,
)
from weaveipam.protocol.progress import Departure
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    GetAllocations,
    GetDeparture,
    Leave,
    Reason,
    Refusal,
    Release,
    Released,
    Stay,
    Want,
)
from weaveipam.protocol.values import Endpoint, MemberState, Pool, RingId

V4 = RingId("default", Family.V4)
V6 = RingId("default", Family.V6)

MakeCluster = Callable[..., Any]
MakePool = Callable[..., Pool]


@pytest.fixture
def three(cluster: MakeCluster, make_pool: MakePool) -> Any:
    """Three seeds that have formed over a /24 and a v6 /120."""
    return formed(cluster(), make_pool)


def formed(made: Any, make_pool: MakePool) -> Any:
    """The cluster with three seeds that serve."""
    pools = (make_pool("blue", "10.0.0.0/24"), make_pool("red", "fd00::/120"))
    for name in ("a", "b", "c"):
        made.add(name, seeds="a,b,c", join="a,b,c", pools=pools)
    made.run(8 if made.loss else 2)
    return made


def durable(cluster: Any, name: str, key: str, *wants: Want) -> tuple[int, ...]:
    """Give a key something durable; the addresses."""
    wanted = wants or (Want(Family.V4),)
    allocation = cluster.allocate(name, key, Allocate(key, wants=wanted, durable=True))
    return tuple(one.range.start for one in allocation.addresses)


def leave(cluster: Any, name: str, wait_s: float = 20.0) -> None:
    """Tell a daemon to leave and wait until it has ended."""
    answer = cluster.answer(name, Leave())
    assert isinstance(answer, Departure), answer
    wait(cluster, name, wait_s)


def wait(cluster: Any, name: str, wait_s: float = 20.0) -> None:
    """Until a daemon has ended of itself."""
    until = cluster.now + wait_s
    while name not in cluster.ended:
        assert cluster.now < until, cluster.answer(name, GetDeparture())
        cluster.run(0.1)


def whole(cluster: Any, *names: str) -> None:
    """All of them hold one ring without a gap, in which only they own something, and no grant is open."""
    rings = {cluster.ring(name, V4).runs for name in names}
    assert len(rings) == 1
    ring = Ring.of(rings.pop())
    assert violations(ring, [Range(0x0A000000, 0x0A000100)]) == []
    assert {run.owner for run in ring} <= {cluster.hosts[name].peer for name in names}
    assert [cluster.status(name).outgoing for name in names] == [0] * len(names)
    assert [cluster.status(name).conflicts for name in names] == [()] * len(names)


def holders(cluster: Any, *names: str) -> dict[str, tuple[int, ...]]:
    """What every key holds at these daemons; none at two."""
    found: dict[str, tuple[int, ...]] = {}
    for name in names:
        for one in cluster.answer(name, GetAllocations()).allocations:
            assert one.key not in found, f"{one.key} is kept twice"
            found[one.key] = tuple(each.range.start for each in one.addresses)
    return found


def test_all_goes_to_those_who_stay(three: Any) -> None:
    """Who has left owns nothing, has ended, and is known to have left; those who stay own everything."""
    leave(three, "a")
    three.run(1)

    whole(three, "b", "c")
    assert three.states("b")["a"] is MemberState.LEFT
    sizes = {
        name: sum(run.stop - run.start for run in three.ring("b", V4).runs if run.owner.name == name)
        for name in "bc"
    }
    assert min(sizes.values()) > 64, "all went to one"


def test_durable_allocations_go_along(three: Any) -> None:
    """What a claim holds is held by the same key at an heir, all of it, and can be released there."""
    given = {f"k{n}": durable(three, "a", f"k{n}") for n in range(20)}
    both = (Want(Family.V4), Want(Family.V6))
    given |= {f"d{n}": durable(three, "a", f"d{n}", *both) for n in range(3)}
    leave(three, "a")
    three.run(1)

    assert holders(three, "b", "c") == given
    for key in given:
        answers = [three.answer(name, Release(key=key)) for name in "bc"]
        assert sum(len(one.allocations) for one in answers) == 1
    three.run(6)
    whole(three, "b", "c")
    assert sum(one.used for name in "bc" for one in three.status(name).pools) == 0


def test_pods_keep_a_daemon_from_leaving(three: Any) -> None:
    """While a pod holds something the command is refused with its key and address, and nothing changes."""
    three.allocate("a", "pod-1")
    answer = three.answer("a", Leave())

    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.CONFLICT
    assert "pod-1 (10.0.0." in answer.detail
    assert three.status("a").state == "ready"
    assert [one.key for one in three.answer("a", GetDeparture()).obstacles] == ["pod-1"]
    three.answer("a", Release(key="pod-1"))
    leave(three, "a")


def test_looking_changes_nothing(three: Any) -> None:
    """What leaving would do is told before it is done, all of it, and then is what is done."""
    durable(three, "a", "k")
    before = three.ring("a", V4)
    told = three.answer("a", GetDeparture())
    three.run(1)

    assert (told.state, told.why, told.obstacles) == ("staying", "", ())
    assert sum(one.range.size for one in told.gifts) == told.addresses > 80
    assert sum(one.leases for one in told.gifts) == 1
    assert three.ring("a", V4) == before
    leave(three, "a")


def test_who_leaves_gives_nothing_to_clients(three: Any) -> None:
    """New keys and waiting ones are refused with a reason; a key that holds something is told what."""
    three.drop = lambda name, _send: name == "a"
    held = durable(three, "a", "held")
    waiting = three.ask("a", Allocate("w", wants=(Want(Family.V4, within=(Range(0x0A0000F0, 0x0A0000F1),)),)))
    assert waiting not in three.answers
    three.answer("a", Leave())

    for number in (waiting, three.ask("a", Allocate("new"))):
        assert three.answers[number].reason is Reason.NOT_READY
        assert "leaving" in three.answers[number].detail
    assert three.status("a").state == "leaving"
    assert not three.status("a").ready
    if (answer := three.answer("a", Allocate("held"))) and isinstance(answer, Allocated):
        assert answer.allocation.addresses[0].range.start == held[0]


def test_a_key_that_has_gone_is_released_where_it_is(three: Any) -> None:
    """Who leaves never says that a key holds nothing when an heir keeps it; after a crash it knows too."""
    durable(three, "a", "k")
    three.cut = {"c"}
    three.answer("a", Leave())
    three.run(2)
    three.cut = set()
    three.crash("a")
    three.start("a")
    three.run(0.01)
    answer = three.answer("a", Release(key="k"))

    assert isinstance(answer, Refusal | Released)
    if isinstance(answer, Refusal):
        assert answer.reason is Reason.NOT_OWNER


def test_alone_nobody_can_leave(cluster: MakeCluster, make_pool: MakePool) -> None:
    """With nobody there to take what it owns a daemon does not begin to leave."""
    one = cluster()
    one.add("a", seeds="a", pools=(make_pool("blue", "10.0.0.0/24"),))
    one.run(1)

    assert one.answer("a", Leave()).reason is Reason.CONFLICT
    assert "no other member" in one.answer("a", GetDeparture()).why


def test_cut_off_it_waits_and_says_so(three: Any) -> None:
    """A daemon that loses sight of all others while it leaves waits, and leaves once they are back."""
    three.cut = {"a"}
    three.answer("a", Leave())
    three.run(15)
    assert "a" not in three.ended
    assert three.status("a").state == "leaving"
    assert "unreachable" in three.status("a").why_not_ready
    three.cut = set()
    wait(three, "a", 60)
    three.run(2)
    whole(three, "b", "c")


def test_it_may_stay_after_all(three: Any) -> None:
    """Who is told to stay serves again, is given space again, and may leave later."""
    three.drop = lambda name, send: (
        name == "a" and any(isinstance(one, Grant) for one in codec.decode_packet(send.packet)[1])
    )
    three.answer("a", Leave())
    three.run(1)
    assert isinstance(three.answer("a", Stay()), Departure)
    three.drop = lambda _name, _send: False
    assert three.status("a").state == "ready"
    three.run(5)
    three.allocate("a", "k")
    three.run(2)
    whole(three, "a", "b", "c")
    assert not any(host.node._allocator.holdings.departing for host in three.hosts.values())
    three.answer("a", Release(key="k"))
    leave(three, "a")


def test_it_comes_back_as_another(three: Any) -> None:
    """Started again after it has left, a daemon is a new life, which owns nothing before a client asks."""
    former = three.hosts["a"].peer
    leave(three, "a")
    three.start("a")
    three.run(5)

    assert three.hosts["a"].peer > former
    assert three.status("a").state == "ready"
    assert {run.owner.name for run in three.ring("a", V4).runs} == {"b", "c"}
    three.allocate("a", "k")
    three.crash("a")
    three.start("a")
    three.run(5)
    assert {run.owner for run in three.ring("a", V4).runs} >= {three.hosts["a"].peer}
    whole(three, "a", "b", "c")
    assert three.states("b")["a"] is MemberState.ALIVE


def test_two_may_leave_at_once(three: Any) -> None:
    """Those who leave give each other nothing; all ends at the one who stays."""
    durable(three, "a", "ka")
    durable(three, "b", "kb")
    three.ask("a", Leave())
    three.ask("b", Leave())
    wait(three, "a")
    wait(three, "b")
    three.run(1)

    whole(three, "c")
    assert holders(three, "c").keys() == {"ka", "kb"}


def test_the_last_two_wait_for_each_other(three: Any) -> None:
    """When all leave the last ones stay until one is told to, and say why."""
    for name in "abc":
        three.ask(name, Leave())
    three.run(10)
    assert not three.ended
    assert "leave too" in three.status("a").why_not_ready
    three.answer("c", Stay())
    wait(three, "a")
    wait(three, "b")
    three.run(1)
    whole(three, "c")


def test_gossip_first_frees_nothing(three: Any) -> None:
    """An heir that learns from others that it owns something of one who leaves waits for the grant."""
    given = durable(three, "a", "k")[0]
    three.drop = lambda name, send: (
        name == "a" and any(isinstance(one, Grant) for one in codec.decode_packet(send.packet)[1])
    )
    three.answer("a", Leave())
    three.run(3)
    owner = next(run.owner.name for run in three.ring("b", V4).runs if run.start <= given < run.stop)
    assert owner != "a"
    assert owner == next(
        run.owner.name for run in three.ring(owner, V4).runs if run.start <= given < run.stop
    )
    wanted = Allocate("thief", wants=(Want(Family.V4, within=(Range(given, given + 1),)),))
    assert isinstance(three.answer(owner, wanted), Refusal)
    three.crash(owner)
    three.start(owner)
    three.run(3)
    assert isinstance(three.answer(owner, wanted), Refusal)
    three.drop = lambda _name, _send: False
    wait(three, "a")
    three.run(1)

    assert holders(three, "b", "c")["k"] == (given,)
    whole(three, "b", "c")


def test_a_late_repeat_brings_nothing_back(three: Any) -> None:
    """A key released at the heir stays released when the grant comes once more."""
    durable(three, "a", "k")
    three.drop = lambda _name, send: any(
        isinstance(one, GrantAck) for one in codec.decode_packet(send.packet)[1]
    )
    three.answer("a", Leave())
    three.run(1)
    released = [three.answer(name, Release(key="k")) for name in "bc"]
    assert sum(len(one.allocations) for one in released) == 1
    three.run(2)
    three.drop = lambda _name, _send: False
    wait(three, "a")
    three.run(6)

    assert holders(three, "b", "c") == {}
    assert sum(one.cooling + one.used for name in "bc" for one in three.status(name).pools) == 0


def test_one_key_at_two_daemons(three: Any) -> None:
    """Where the heir has the key itself both are kept, the one that came under a name that says whence."""
    mine = durable(three, "a", "dns")
    theirs = {name: durable(three, name, "dns") for name in "bc"}
    leave(three, "a")

    kept = {
        one.key: one.addresses[0].range.start
        for name in "bc"
        for one in three.answer(name, GetAllocations()).allocations
        if one.key != "dns"
    }
    assert kept == {"dns of a": mine[0]}
    assert "key-renamed" in three.events()
    for name, held in theirs.items():
        answer = three.answer(name, Allocate("dns"))
        assert answer.allocation.addresses[0].range.start == held[0]


def test_rest_goes_along(three: Any) -> None:
    """What was released just before its owner leaves rests at the heir for the full time."""
    given = durable(three, "a", "k")[0]
    three.answer("a", Release(key="k"))
    leave(three, "a", 4.0)
    cooling = sum(one.cooling for name in "bc" for one in three.status(name).pools)
    for name in "bc":
        three.crash(name)
        three.start(name)
    three.run(1)
    again = sum(one.cooling for name in "bc" for one in three.status(name).pools)
    three.run(6)

    assert cooling == again == 1, given
    assert sum(one.cooling for name in "bc" for one in three.status(name).pools) == 0


def test_rest_goes_along_with_what_was_asked_for(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Resting addresses that a peer gets as nobody has others are known to rest, and used at once."""
    two = cluster()
    for name in ("a", "b"):
        two.add(name, seeds="a,b", join="a,b", pools=(make_pool("blue", "10.0.0.0/29"),))
    two.run(1)
    for n in range(8):
        two.allocate("ab"[n % 2], f"k{n}")
    two.answer("a", Release(key="k0"))
    two.allocate("b", "new")

    grants = [
        one
        for _, send in two.sent
        for one in codec.decode_packet(send.packet)[1]
        if isinstance(one, Grant) and one.rests
    ]
    assert grants
    two.run(1)
    assert two.status("b").pools[0].cooling == 0


def test_told_again_it_goes_on(three: Any) -> None:
    """The command may be repeated: it starts nothing anew."""
    three.answer("a", Leave())
    attempt = three.hosts["a"].node._allocator.leaver._attempt
    assert isinstance(three.answer("a", Leave()), Departure)
    assert three.hosts["a"].node._allocator.leaver._attempt == attempt
    wait(three, "a")


def names_owner(send: Send, name: str) -> bool:
    """Whether a packet says of anything that it belongs to a daemon."""
    said = codec.decode_packet(send.packet)[1]
    runs = [run for one in said if isinstance(one, Grant | Ownership | RingShare) for run in one.runs]
    return any(run.owner.name == name for run in runs)


def test_it_waits_for_what_was_granted_to_it(three: Any) -> None:
    """A grant that the leaver has not heard of keeps it there, even if its donor restarts, and goes on."""
    theirs = next(run for run in three.ring("a", V4).runs if run.owner.name == "b")
    three.drop = lambda name, send: name == "b" and names_owner(send, "a")
    wanted = Allocate("k", wants=(Want(Family.V4, within=(Range(theirs.start, theirs.start + 1),)),))
    three.ask("a", wanted, wait_s=0.5)
    assert three.status("b").outgoing == 1
    assert isinstance(three.answer("a", Leave()), Departure)
    three.run(3)
    three.crash("b")
    three.start("b")
    three.run(5)
    assert "a" not in three.ended
    assert three.answer("a", GetDeparture()).unheard == ("b",)
    three.drop = lambda _name, _send: False
    wait(three, "a")
    three.run(2)

    whole(three, "b", "c")


def test_whoever_has_heard_gives_it_nothing(three: Any) -> None:
    """A member that knows of the leave refuses the leaver space, after a restart too, whatever comes late."""
    three.cut = {"c"}
    three.answer("a", Leave())
    three.run(0.2)
    three.crash("b")
    three.start("b")
    three.run(1)
    peer = three.hosts["a"].peer
    assert peer in three.hosts["b"].node._allocator.holdings.departing
    asked = SpaceRequest(7, "blue", V4, (), 1, Need.FREE)
    header = Header(bytes.fromhex(three.status("b").cluster_id), peer, Endpoint("a", 1))
    effects = three.hosts["b"].node.receive(codec.encode_packet(header, [asked]), Endpoint("a", 1), three.now)
    said = [
        one for effect in effects if isinstance(effect, Send) for one in codec.decode_packet(effect.packet)[1]
    ]

    assert [one.reason for one in said if isinstance(one, SpaceRefusal)] == [Refused.NOT_READY]
    assert not any(isinstance(one, Grant) for one in said)
    three.cut = set()
    wait(three, "a", 60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_deaths_at_every_step(seed: int, cluster: MakeCluster, make_pool: MakePool) -> None:
    """Wherever anybody dies while one leaves, under loss, what was durable is kept, and kept once."""
    rng = Random(seed)
    world = formed(cluster(seed, loss=rng.choice((0.0, 0.05, 0.25))), make_pool)
    world.late = rng.choice((0.0, 0.1))
    given = {}
    both = (Want(Family.V4), Want(Family.V6))
    for n in range(rng.randint(0, 12)):
        given[f"k{n}"] = durable(world, rng.choice("ab"), f"k{n}", *(both if rng.random() < 0.3 else ()))
    world.answer("a", Leave())
    risk = rng.choice((0.003, 0.02, 0.1))
    world.dies = lambda _name: rng.random() < risk
    for _ in range(60):
        for name, host in world.hosts.items():
            if host.node is None and name not in world.ended:
                world.start(name)
        world.run(rng.choice((0.01, 0.2, 1.0)))
        no_two_own(world)
    world.dies, world.loss, world.late = lambda _name: False, 0.0, 0.0
    for name, host in world.hosts.items():
        if host.node is None and name not in world.ended:
            world.start(name)
    former = world.hosts["a"].peer.incarnation == 1
    if former and "a" not in world.ended:
        wait(world, "a", 60)
    world.run(20)
    names = [name for name in "abc" if world.hosts[name].node is not None]

    whole(world, *names)
    assert holders(world, *names) == given


def no_two_own(world: Any) -> None:
    """No address is owned, as far as its owner knows, by two running daemons."""
    owned: dict[int, str] = {}
    for name, host in world.hosts.items():
        if host.node is None or not host.node._allocator.serving:
            continue
        for ring, run in host.node._allocator.holdings.rings.owned():
            for address in range(run.start, run.stop) if ring == V4 else ():
                assert address not in owned, f"{address} is owned by {owned[address]} and {name}"
                owned[address] = name
