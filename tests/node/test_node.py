"""Several real nodes in virtual time: forming, allocating, moving space, partitions, crashes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.strangers import REPORT_INTERVAL_S
from weaveipam.protocol import codec
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX, Channel, Effect, Level, Persist, Report, Send
from weaveipam.protocol.messages import (
    Ack,
    Grant,
    GrantAck,
    Header,
    MemberShare,
    Message,
    Need,
    Outline,
    Ping,
    Refused,
    RingShare,
    Rumour,
    SpaceRefusal,
    SpaceRequest,
    Standing,
    Sync,
    Synced,
    Tell,
)
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    Collect,
    Found,
    GetAllocations,
    Lookup,
    Reason,
    Refusal,
    Release,
    Released,
    Request,
    Want,
)
from weaveipam.protocol.values import Allocation, Birth, Endpoint, MemberState, Pool, RingId
from weaveipam.serving import REJOIN_S

V4 = RingId("default", Family.V4)

MakeCluster = Callable[..., Any]
MakePool = Callable[..., Pool]


def starts(*allocations: Allocation) -> list[int]:
    """The first address of everything allocated."""
    return [one.range.start for each in allocations for one in each.addresses]


@pytest.fixture
def three(cluster: MakeCluster, make_pool: MakePool) -> Any:
    """Three seeds that have formed over a /24."""
    made = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    for name in ("a", "b", "c"):
        made.add(name, seeds="a,b,c", join="a,b,c", pools=pools)
    made.run(2)
    return made


def owners(cluster: Any, name: str, ring: RingId = V4) -> dict[str, int]:
    """How many addresses each peer owns, as one daemon sees it."""
    sizes: dict[str, int] = {}
    for run in cluster.ring(name, ring).runs:
        sizes[run.owner.name] = sizes.get(run.owner.name, 0) + run.stop - run.start
    return sizes


def test_forms_alone(cluster: MakeCluster, make_pool: MakePool) -> None:
    """A daemon that is its only seed forms at once and owns everything."""
    one = cluster()
    one.add("a", seeds="a", pools=(make_pool("blue", "10.0.0.0/24"),))
    one.run(0.1)

    assert one.status("a").ready
    assert owners(one, "a") == {"a": 256}


def test_three_seeds_form_one_cluster_and_share_it(three: Any) -> None:
    """Seeds with one list end in one cluster, hold the same ring, and share it nearly equally."""
    assert len({three.status(name).cluster_id for name in "abc"}) == 1
    assert three.ring("a", V4) == three.ring("b", V4) == three.ring("c", V4)
    sizes = owners(three, "a")
    assert sum(sizes.values()) == 256
    assert min(sizes.values()) >= 256 // 3 - 16


@pytest.mark.parametrize("loss", [0.1, 0.4])
@pytest.mark.parametrize("seed", range(5))
def test_forms_under_loss(cluster: MakeCluster, make_pool: MakePool, seed: int, loss: float) -> None:
    """Lost and doubled packets delay a birth, and never make two."""
    lossy = cluster(seed, loss=loss)
    for name in ("a", "b", "c"):
        lossy.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("blue", "10.0.0.0/24"),))
    lossy.run(20)

    assert [lossy.status(name).ready for name in "abc"] == [True, True, True]
    assert len({lossy.status(name).cluster_id for name in "abc"}) == 1


def test_waits_for_every_seed(cluster: MakeCluster, make_pool: MakePool) -> None:
    """A seed that is missing keeps the cluster from forming, and the status names it."""
    two = cluster()
    for name in ("a", "b"):
        two.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("blue", "10.0.0.0/24"),))
    number = two.ask("a", Allocate("k", wait_s=1.0), wait_s=5)

    assert not two.status("a").ready
    assert "seed c has not answered" in two.status("a").why_not_ready
    assert isinstance(two.answers[number], Refusal)
    assert two.answers[number].reason is Reason.NOT_READY


def test_seeds_with_different_lists_do_not_form(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Two lists that differ form nothing, and both sides say so."""
    odd = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    odd.add("a", seeds="a,b", join="b", pools=pools)
    odd.add("b", seeds="b,a,c", join="a", pools=pools)
    odd.run(5)

    assert not odd.status("a").ready
    assert not odd.status("b").ready
    assert {"seeds-differ"} <= odd.events("a") & odd.events("b")


def test_a_seed_that_lost_its_disk_never_forms_a_second_cluster(
    cluster: MakeCluster, make_pool: MakePool
) -> None:
    """The decider dies right after its birth was durable, loses the disk, and may not decide again."""
    one = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    for name in ("a", "b"):
        one.add(name, seeds="a,b", join="a,b", pools=pools)
    one.drop = lambda name, send: name == "a" and codec.decode_packet(send.packet)[0].cluster_id != bytes(8)
    one.run(2)
    assert one.status("a").ready
    assert not one.status("b").ready
    one.lose_disk("a")
    one.drop = lambda _name, _send: False
    one.start("a")
    one.run(5)

    assert not one.status("a").ready
    assert "earlier life" in one.status("a").why_not_ready


def test_a_late_daemon_joins_and_gets_space(three: Any) -> None:
    """A newcomer learns the ring, is given space ahead of need, and allocates."""
    three.add("d", join="b")
    three.run(5)

    assert three.status("d").ready
    assert owners(three, "a")["d"] > 0
    assert len(starts(three.allocate("d", "k"))) == 1


def test_repeating_a_key_gives_the_same(three: Any) -> None:
    """A key that holds something is answered with it, without taking more."""
    first = three.allocate("a", "k")

    assert first == three.allocate("a", "k")
    assert sum(use.used for use in three.status("a").pools) == 1


def test_addresses_are_unique_across_daemons(three: Any) -> None:
    """What different daemons give to different keys never coincides."""
    given = [three.allocate(name, f"{name}{i}") for i in range(60) for name in "abc"]

    assert len(set(starts(*given))) == 180


def test_local_allocation_sends_nothing(three: Any) -> None:
    """With plenty free here, an allocation is answered at once and no packet leaves."""
    before = len(three.sent)
    number = three.ask("a", Allocate("k"))

    assert isinstance(three.answers[number], Allocated)
    assert before == len(three.sent)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("loss", [0.0, 0.15])
def test_exact_exhaustion(cluster: MakeCluster, make_pool: MakePool, seed: int, loss: float) -> None:
    """Every address of a pool can be allocated at any daemon; then the refusal is `exhausted`."""
    small = cluster(seed, loss=loss)
    for name in ("a", "b", "c"):
        small.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("blue", "10.0.0.0/26"),))
    small.run(10)
    numbers = [small.ask("abc"[i % 3 if seed % 2 else 0], Allocate(f"k{i}", wait_s=30)) for i in range(64)]
    small.run(30)
    answers = [small.answers[number] for number in numbers]

    assert [one for one in answers if not isinstance(one, Allocated)] == []
    assert len(set(starts(*(one.allocation for one in answers)))) == 64
    refusal = small.answer("b", Allocate("one too many", wait_s=10))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.EXHAUSTED
    assert "0 of 64 free here" in refusal.detail


def test_exhausted_names_who_is_unreachable(three: Any) -> None:
    """When space is left only at a dead member, the refusal says how much and where."""
    three.crash("c")
    three.run(5)
    lost = owners(three, "a")["c"]
    for i in range(256 - lost):
        three.allocate("ab"[i % 2], f"k{i}")
    refusal = three.answer("a", Allocate("one too many"))

    assert isinstance(refusal, Refusal)
    assert f"{lost} are out of reach, at c ({lost})" in refusal.detail


def test_both_sides_of_a_partition_allocate(three: Any) -> None:
    """A cut-off daemon goes on from its own space; healed, all agree again and nothing was given twice."""
    three.cut = {"c"}
    three.run(3)
    given = [three.allocate(name, f"{name}{i}") for i in range(40) for name in "abc"]
    assert three.states("a")["c"] is MemberState.DEAD
    assert three.states("c")["a"] is MemberState.DEAD
    three.cut = set()
    three.run(10)

    assert len(set(starts(*given))) == 120
    assert set(three.states("a").values()) == set(three.states("c").values()) == {MemberState.ALIVE}
    assert three.ring("a", V4) == three.ring("b", V4) == three.ring("c", V4)


@pytest.mark.parametrize("which", [Grant, GrantAck])
def test_a_grant_survives_the_loss_of_its_first_message(three: Any, which: type) -> None:
    """The first grant, or its acknowledgement, is lost: it is repeated, and nothing is lost or doubled."""
    lost: list[Send] = []

    def drop(_name: str, send: Send) -> bool:
        told = codec.decode_packet(send.packet)[1]
        hit = not lost and any(isinstance(one, which) for one in told)
        if hit:
            lost.append(send)
        return hit

    three.drop = drop
    for i in range(120):
        three.allocate("a", f"k{i}")
    three.run(5)

    assert len(lost) == 1
    assert [three.status(name).outgoing for name in "abc"] == [0, 0, 0]
    assert sum(owners(three, "a").values()) == 256


def test_a_grant_survives_a_crash_of_its_sender(three: Any) -> None:
    """A donor that dies right after persisting a grant repeats it when it is back."""
    three.drop = lambda _name, send: any(
        isinstance(one, Grant) for one in codec.decode_packet(send.packet)[1]
    )
    numbers = [three.ask("a", Allocate(f"k{i}", wait_s=60)) for i in range(120)]
    three.run(1)
    donors = [name for name in "bc" if three.status(name).outgoing]
    assert donors
    for name in donors:
        three.crash(name)
        three.start(name)
    three.drop = lambda _name, _send: False
    three.run(10)

    assert all(isinstance(three.answers[number], Allocated) for number in numbers)
    assert [three.status(name).outgoing for name in "abc"] == [0, 0, 0]


def test_a_restart_keeps_every_answered_allocation(three: Any) -> None:
    """What was acknowledged before a crash is there after it, and is not given to anybody else."""
    before = [three.allocate("a", f"k{i}") for i in range(30)]
    three.answer("a", Release(key="k3"))
    three.crash("a")
    three.start("a")
    three.run(3)
    again = [three.allocate("a", f"k{i}") for i in range(30) if i != 3]
    more = [three.allocate("a", f"new{i}") for i in range(30)]

    assert [one for one in before if one.key != "k3"] == again
    assert not set(starts(*before)) & set(starts(*more))


def test_a_lost_disk_is_another_life(three: Any) -> None:
    """A daemon without its store comes back as a later life that owns nothing of the earlier one's."""
    given = [three.allocate("c", f"k{i}") for i in range(10)]
    three.lose_disk("c")
    three.start("c")
    three.run(5)
    new = [three.allocate("c", f"n{i}") for i in range(10)]

    assert three.status("c").peer == Peer("c", 2)
    assert not set(starts(*given)) & set(starts(*new))
    assert three.states("a")["c"] is MemberState.ALIVE


def test_a_restarted_daemon_that_sees_nobody_serves_alone_in_the_end(three: Any) -> None:
    """Cut off at boot, a daemon waits, says so, and then serves from what it owned."""
    three.crash("a")
    three.cut = {"a"}
    three.start("a")
    three.run(0.5)
    assert three.status("a").state == "syncing"
    three.run(4)

    assert three.status("a").ready
    assert "serving-alone" in three.events("a")


def test_a_claim_moves_one_address(three: Any) -> None:
    """A free address that another daemon owns is fetched from there; one in use is refused with its place."""
    theirs = next(run for run in three.ring("a", V4).runs if run.owner.name == "b")
    wanted = Want(Family.V4, within=(Range(theirs.stop - 1, theirs.stop),))
    held = three.allocate("b", "theirs")
    taken = Want(Family.V4, within=(held.addresses[0].range,))

    claimed = three.allocate("a", "mine", Allocate("mine", wants=(wanted,)))
    assert starts(claimed) == [theirs.stop - 1]
    refusal = three.answer("a", Allocate("other", wants=(taken,)))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.IN_USE
    assert "in use at b" in refusal.detail


def test_dual_stack_is_all_or_nothing(cluster: MakeCluster, make_pool: MakePool) -> None:
    """With one family exhausted, nothing of the other stays taken."""
    dual = cluster()
    dual.add("a", seeds="a", pools=(make_pool("four", "10.0.0.0/31"), make_pool("six", "fd00::/64")))
    given = [dual.allocate("a", f"k{i}") for i in range(2)]
    refusal = dual.answer("a", Allocate("k2"))

    assert [[one.family for one in each.addresses] for each in given] == [[Family.V4, Family.V6]] * 2
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.EXHAUSTED
    assert sum(use.used for use in dual.status("a").pools) == 4


def test_release_rests_and_is_idempotent(three: Any) -> None:
    """A released address is not given again at once; releasing twice is no error."""
    first = three.allocate("a", "k")
    released = three.answer("a", Release(key="k"))
    again = three.answer("a", Release(key="k"))
    second = three.allocate("a", "k2")

    assert released == Released((first,))
    assert again == Released(())
    assert starts(first) != starts(second)


def test_release_by_address_names_the_owner(three: Any) -> None:
    """An address of another daemon's is not released here; the refusal says where."""
    theirs = next(run for run in three.ring("a", V4).runs if run.owner.name == "b")
    refusal = three.answer("a", Release(address=(Family.V4, theirs.start)))

    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NOT_OWNER
    assert "b" in refusal.detail


def test_release_while_waiting_leaves_nothing(cluster: MakeCluster, make_pool: MakePool) -> None:
    """A deletion that overtakes its own waiting allocation wins."""
    lone = cluster()
    lone.add("a", seeds="a,b", join="b", pools=(make_pool("blue", "10.0.0.0/24"),))
    number = lone.ask("a", Allocate("k", wait_s=60))
    lone.answer("a", Release(key="k"))
    lone.add("b", seeds="a,b", join="a", pools=(make_pool("blue", "10.0.0.0/24"),))
    lone.run(5)

    assert isinstance(lone.answers[number], Refusal)
    assert lone.answer("a", GetAllocations()).allocations == ()


def test_collect_keeps_only_what_is_listed(three: Any) -> None:
    """Garbage collection gives back everything of a prefix but the listed keys."""
    for key in ("cni/x/1", "cni/x/2", "cni/y/1"):
        three.allocate("a", key)
    answer = three.answer("a", Collect("cni/x/", ("cni/x/2",)))

    assert isinstance(answer, Released)
    assert ["cni/x/1"] == [one.key for one in answer.allocations]


def test_lookup_finds_key_address_and_owner(three: Any) -> None:
    """A look-up finds what is held here, and names the owner of what is not."""
    held = three.allocate("b", "k")
    start = starts(held)[0]

    assert Found(held, Peer("b", 1), "blue") == three.answer("b", Lookup(key="k"))
    assert Found(None, Peer("b", 1), "blue") == three.answer("a", Lookup(address=(Family.V4, start)))
    assert three.answer("a", Lookup(key="k")).reason is Reason.NOT_FOUND
    assert three.answer("a", Lookup(address=(Family.V4, 1))).reason is Reason.NOT_FOUND


def test_asking_for_durability_makes_it_durable(three: Any) -> None:
    """A key that holds an ephemeral allocation and asks for a durable one has a durable one."""
    first = three.allocate("a", "k")
    durable = three.allocate("a", "k", Allocate("k", durable=True))
    three.crash("a")
    three.start("a")
    three.run(3)

    assert starts(first) == starts(durable)
    assert durable.durable
    assert durable == three.allocate("a", "k")


def test_an_answer_to_an_earlier_life_decides_nothing(cluster: MakeCluster, make_pool: MakePool) -> None:
    """After the decider lost its disk, a late answer to its earlier life does not let it form again."""
    two = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    two.add("a", seeds="a,b", join="b", pools=pools)
    two.add("b", seeds="a,b", join="a", pools=pools)
    two.run(0.001)
    two.lose_disk("a")
    two.start("a")
    node = two.hosts["a"].node
    late = Standing(Peer("a", 1), None, ("a", "b"), None)
    packet = codec.encode_packet(Header(bytes(8), Peer("b", 1), Endpoint("b", 1)), (late,))

    assert () == node.receive(packet, Endpoint("b", 1), two.now)
    assert not two.status("a").ready


def test_a_life_that_looks_earlier_is_told_why_it_cannot_join(three: Any) -> None:
    """A daemon whose clock went back before its store was lost does not join, and says what to do."""
    host = three.hosts["c"]
    three.lose_disk("c")
    host.peer = Peer("c", 0)
    three.start("c")
    three.run(5)

    assert not three.status("c").ready
    assert "clock has gone back" in three.status("c").why_not_ready


def test_a_key_that_holds_something_else_is_a_conflict(three: Any) -> None:
    """Asking for another address under a key in use is refused, not quietly ignored."""
    held = three.allocate("a", "k")
    other = Want(Family.V4, within=(Range(starts(held)[0] + 1, starts(held)[0] + 2),))
    refusal = three.answer("a", Allocate("k", wants=(other,)))

    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.CONFLICT


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Allocate(""), Reason.INVALID),
        (Allocate("k" * 513), Reason.INVALID),
        (Allocate("\ud800"), Reason.INVALID),
        (Allocate("k", labels=(("pod", "\udfff"),)), Reason.INVALID),
        (Allocate("k", labels=(("pod", "x" * 513),)), Reason.INVALID),
        (Allocate("k", labels=tuple((str(i), "") for i in range(65))), Reason.INVALID),
        (Allocate("k", network="other"), Reason.NO_SUCH_POOL),
        (Allocate("k", wants=(Want(pools=("green",)),)), Reason.NO_SUCH_POOL),
        (Allocate("k", wants=(Want(Family.V6),)), Reason.INVALID),
        (Allocate("k", wants=(Want(Family.V4, within=(Range(1, 2),)),)), Reason.INVALID),
        (Allocate("k", wants=(Want(Family.V4, prefix_length=33),)), Reason.INVALID),
        (Allocate("k", wants=(Want(),) * 17), Reason.INVALID),
        (Allocate("k", wants=(Want(Family.V4, within=(Range(1 << 32, 1 << 33),)),)), Reason.INVALID),
        (Lookup(), Reason.INVALID),
        (Lookup(address=(Family.V4, 1 << 32)), Reason.INVALID),
        (Lookup(address=(Family.V6, -1)), Reason.INVALID),
    ],
)
def test_nonsense_is_refused_with_its_reason(three: Any, request_: Request, reason: Reason) -> None:
    """A request that can never be met is refused at once."""
    number = three.ask("a", request_)

    refusal = three.answers[number]
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason


def test_no_time_at_all_is_not_for_ever(cluster: MakeCluster) -> None:
    """A wait that is no number, like a negative one, ends at once."""
    lone = cluster()
    lone.add("a", join="b")
    numbers = [lone.ask("a", Allocate("k", wait_s=wait_s)) for wait_s in (math.nan, -math.inf, -1.0)]
    lone.run(0.1)

    assert [Reason.NOT_READY] * 3 == [lone.answers[number].reason for number in numbers]


def test_a_block_is_aligned_and_held_whole(three: Any) -> None:
    """A prefix is an aligned block whose every address belongs to its key."""
    block = three.allocate("a", "net", Allocate("net", wants=(Want(Family.V4, prefix_length=28),)))
    what = block.addresses[0].range

    assert (16, 0) == (what.size, what.start % 16)
    assert three.answer("a", Lookup(address=(Family.V4, what.start + 7))).allocation == block


@pytest.mark.parametrize("asked", ["a", "b", "a,b,c"])
def test_a_name_in_use_is_refused(three: Any, asked: str) -> None:
    """A second daemon with a live member's name never joins, whomever it asks, and says once whose it is."""
    impostor = Endpoint("elsewhere", 1)
    three.add("elsewhere", join=asked)
    host = three.hosts["elsewhere"]
    host.peer = Peer("b", 9)
    three.start("elsewhere")
    three.run(3)

    assert impostor == host.settings.endpoint
    assert not three.status("elsewhere").ready
    assert f"in use by {Peer('b', 1)}" in three.status("elsewhere").why_not_ready
    assert [who for who, report in three.reports if report.event == "name-in-use"].count("elsewhere") == 1
    assert three.status("b").ready


def test_nothing_is_granted_to_a_life_that_is_over(three: Any) -> None:
    """A late request of an earlier life gets nothing, as nobody would have what it was given."""
    three.lose_disk("c")
    three.start("c")
    three.run(5)
    before = owners(three, "a")
    old = Header(codec_id(three, "a"), Peer("c", 1), Endpoint("c", 1))
    request = SpaceRequest(7, "blue", V4, (), 1, Need.FREE)
    node = three.hosts["a"].node
    effects = node.receive(codec.encode_packet(old, (request,)), Endpoint("c", 1), three.now)
    told = [m for one in effects if isinstance(one, Send) for m in codec.decode_packet(one.packet)[1]]

    assert SpaceRefusal(7, Refused.NOT_READY) in told
    assert before == owners(three, "a")


def test_a_rested_address_serves_who_waits(cluster: MakeCluster, make_pool: MakePool) -> None:
    """On a full node a waiting request gets what is released meanwhile."""
    full = cluster()
    full.add("a", seeds="a,b", join="a,b", pools=(make_pool("blue", "10.0.0.0/30"),))
    full.add("b", seeds="a,b", join="a,b", pools=(make_pool("blue", "10.0.0.0/30"),))
    full.run(2)
    for i in range(4):
        full.allocate("ab"[i % 2], f"k{i}")
    full.drop = lambda _name, send: any(
        isinstance(one, SpaceRequest) for one in codec.decode_packet(send.packet)[1]
    )
    number = full.ask("a", Allocate("k4", wait_s=60), wait_s=0.1)
    assert number not in full.answers
    full.answer("a", Release(key="k0"))
    full.run(10)

    assert isinstance(full.answers[number], Allocated)


def test_a_clone_of_a_daemon_is_reported(three: Any) -> None:
    """A packet from elsewhere with this daemon's very identity is reported loudly; its own echo is not."""
    node = three.hosts["a"].node
    packet = next(send.packet for name, send in three.sent if name == "a")
    header, told = codec.decode_packet(packet)
    cloned = codec.encode_packet(replace(header, endpoint=Endpoint("elsewhere", 1)), told)
    echo = node.receive(packet, Endpoint("a", 1), three.now)
    reported = node.receive(cloned, Endpoint("elsewhere", 1), three.now)

    assert () == echo
    assert ["name-in-use"] == [one.event for one in reported if not isinstance(one, Send)]


def test_clusters_of_different_birth_do_not_mix(cluster: MakeCluster, make_pool: MakePool) -> None:
    """What a member of one cluster says changes nothing in another, and is reported there."""
    two = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    two.add("a", seeds="a", pools=pools)
    two.add("x", join="a")
    two.add("b", seeds="b", pools=pools)
    two.run(3)
    before = two.ring("b", V4)
    node = two.hosts["b"].node
    packets = [
        send.packet
        for name, send in two.sent
        if name == "a" and codec.decode_packet(send.packet)[0].cluster_id == codec_id(two, "a")
    ]
    effects = [one for packet in packets for one in node.receive(packet, Endpoint("far", 7), two.now)]
    two.now += REPORT_INTERVAL_S
    effects += node.receive(packets[0], Endpoint("far", 7), two.now)
    ours, theirs = two.status("b").cluster_id, two.status("a").cluster_id
    common = (("peer", str(Peer("a", 1))), ("source", "far:7"), ("ours", ours), ("theirs", theirs))
    (shown,) = two.status("b").conflicts

    assert [one for one in effects if isinstance(one, Report)] == [
        Report(Level.ERROR, "foreign-cluster", (*common, ("packets", 1), ("detail", shown))),
        Report(Level.ERROR, "foreign-cluster", (*common, ("packets", len(packets)), ("detail", shown))),
    ]
    answers = [one for one in effects if isinstance(one, Send)]
    assert [Endpoint("a", 1)] * 2 == [one.target for one in answers], "one with each report"
    assert len(answers) + 2 == len(effects)
    assert before == two.ring("b", V4)


def test_who_is_alone_asks_for_ever_by_name(three: Any) -> None:
    """An isolated daemon goes on asking those it was told of, by name, so that a new DNS answer is found."""
    three.crash("a")
    three.crash("b")
    three.run(300)
    before = len(three.sent)
    three.run(2 * REJOIN_S)

    asked = {send.target for name, send in three.sent[before:] if send.channel is Channel.STREAM}
    assert {Endpoint("a", 1), Endpoint("b", 1)} == asked


def codec_id(cluster: Any, name: str) -> bytes:
    """The cluster id that a daemon puts into its packets."""
    return bytes.fromhex(cluster.status(name).cluster_id)


def told(effects: tuple[Effect, ...]) -> list[Message]:
    """All messages of all packets that are sent."""
    sent = [one for one in effects if isinstance(one, Send)]
    return [message for one in sent for message in codec.decode_packet(one.packet)[1]]


def hear(cluster: Any, at: str, sender: str, *messages: Message) -> tuple[Effect, ...]:
    """What a daemon does about a packet that another one might have sent."""
    header = Header(cluster.hosts[at].node._cluster_id, Peer(sender, 1), Endpoint(sender, 1))
    packet = codec.encode_packet(header, messages)
    effects: tuple[Effect, ...] = cluster.hosts[at].node.receive(packet, Endpoint(sender, 1), cluster.now)
    return effects


def says(which: type) -> Callable[[str, Send], bool]:
    """Whether a packet says something of that kind; to be dropped."""
    return lambda _name, send: any(isinstance(one, which) for one in codec.decode_packet(send.packet)[1])


def test_what_one_packet_brings_about_is_durable_before_anything_tells_of_it(three: Any) -> None:
    """A repair that one message asks for does not tell of the grant that the next one brings about."""
    asked = SpaceRequest(7, "blue", V4, (), 1, Need.FREE)
    effects = hear(three, "a", "b", Sync(7, ()), asked)
    durable = next(index for index, one in enumerate(effects) if isinstance(one, Persist))
    early = [one for one in told(effects[:durable]) if isinstance(one, RingShare)]

    assert any(isinstance(one, Grant) for one in told(effects))
    assert len(early) == 1
    assert {0} == {run.token.epoch for run in early[0].runs}


def test_nothing_is_granted_to_the_dead(three: Any) -> None:
    """A late request of a member that is dead gets nothing, as nobody would have it but a removal."""
    dead = three.hosts["c"].peer
    three.crash("c")
    three.run(10)
    before = owners(three, "a")
    said = told(hear(three, "a", "c", SpaceRequest(7, "blue", V4, (), 1, Need.FREE)))

    assert three.states("a")[dead.name] is MemberState.DEAD
    assert SpaceRefusal(7, Refused.NOT_READY) in said
    assert before == owners(three, "a")


def test_a_birth_of_which_no_cluster_can_come_is_not_joined(cluster: MakeCluster) -> None:
    """An unformed daemon survives a birth without seeds, says so, and goes on asking."""
    lone = cluster()
    lone.add("a", join="b")
    effects = hear(lone, "a", "b", Standing(lone.hosts["a"].peer, Birth(bytes(16), (), ()), (), None))

    assert ["bad-packet"] == [one.event for one in effects if isinstance(one, Report)]
    assert lone.status("a").state == "joining"


def test_a_grant_to_a_daemon_that_syncs_does_not_keep_it_awake(three: Any) -> None:
    """Ranges that come before a daemon serves are joined when it does, and until then it sleeps."""
    three.crash("c")
    three.drop = says(Synced)
    three.start("c")
    three.run(0.1)
    three._perform("a", hear(three, "a", "c", SpaceRequest(7, "blue", V4, (), 1, Need.FREE)))
    three.run(1.0)
    assert three.status("c").state == "syncing"
    three.run(4.0)

    assert three.status("c").ready


def test_a_refill_that_falls_due_during_a_search_does_not_keep_it_awake(
    cluster: MakeCluster, make_pool: MakePool
) -> None:
    """While a donor is silent, the pause before the next refill may end without a busy loop."""
    two = cluster()
    for name in ("a", "b"):
        two.add(name, seeds="a,b", join="a,b", pools=(make_pool("blue", "10.0.0.0/26"),))
    two.run(2)
    for i in range(32):
        two.allocate("b", f"b{i}")
        two.allocate("a", f"a{i}")
    assert isinstance(two.answer("a", Allocate("more")), Refusal)
    two.drop = says(SpaceRefusal)
    numbers = [two.ask("a", Allocate(f"late{i}", wait_s=0.5), wait_s=0.27) for i in range(20)]
    two.run(1)

    assert {Refusal} == {type(two.answers[number]) for number in numbers}


def test_a_member_that_is_not_ready_is_waited_for(cluster: MakeCluster, make_pool: MakePool) -> None:
    """`exhausted` is not said while a member that is there has space, but does not serve yet."""
    two = cluster()
    for name in ("a", "b"):
        two.add(name, seeds="a,b", join="a,b", pools=(make_pool("blue", "10.0.0.0/28"),))
    two.run(2)
    own = owners(two, "a")["a"]
    two.crash("b")
    two.drop = says(Synced)
    two.start("b")
    for i in range(own):
        two.allocate("a", f"k{i}")
    number = two.ask("a", Allocate("one more"), wait_s=0.5)
    assert number not in two.answers
    assert two.status("b").state == "syncing"
    two.run(5)

    assert isinstance(two.answers[number], Allocated)


def test_restarts_on_both_sides_of_a_partition_heal(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Members that forgot each other behind a partition find each other again, though none is alone."""
    four = cluster()
    names = ("a", "b", "c", "d")
    for name in names:
        four.add(name, seeds="a,b,c,d", join="a,b", pools=(make_pool("blue", "10.0.0.0/24"),))
    four.run(5)
    four.cut = {"a", "c"}
    for name in names:
        four.crash(name)
        four.start(name)
    four.run(10)
    assert {"a", "c"} == set(four.states("a"))
    four.cut = set()
    four.run(60)

    assert [set(names)] * 4 == [set(four.states(name)) for name in names]


def test_a_claim_that_waited_for_the_birth_finds_its_owner(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Served at the moment of birth, a request for another seed's address is not told that there is none."""
    two = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    two.add("a", seeds="a,b", join="b", pools=pools)
    far = 0x0A0000F0
    number = two.ask("a", Allocate("k", wants=(Want(Family.V4, within=(Range(far, far + 1),)),)), wait_s=1)
    two.add("b", seeds="a,b", join="a", pools=pools)
    two.run(5)

    assert isinstance(two.answers[number], Allocated)
    assert [far] == starts(two.answers[number].allocation)


def test_what_is_said_to_one_at_once_is_one_datagram(three: Any) -> None:
    """An ack and a refutation for the same member, from one packet of his, travel together."""
    accused = Rumour(Peer("a", 1), Endpoint("a", 1), MemberState.SUSPECT, 0)
    same = three.hosts["a"].node._digest().fingerprint
    effects = hear(three, "a", "b", Ping(1, Peer("a", 1), same), accused)
    answers = [one for one in effects if isinstance(one, Send) and one.channel is Channel.DATAGRAM]

    assert len(answers) == 1
    assert Ack in map(type, told(effects))
    assert replace(accused, state=MemberState.ALIVE, refutation=1) in told(effects)


def test_more_than_a_datagram_holds_goes_in_several(three: Any) -> None:
    """What is said to one at once is said in order, in full, and in no datagram too large."""
    names = [f"{index:03}{'n' * 200}" for index in range(20)]
    pings = [Ping(index, Peer(name, 1), 12345) for index, name in enumerate(names)]
    node = three.hosts["a"].node
    tells = [Tell(Endpoint("b", 1), ping) for ping in pings]
    sends = [one for one in node._effects(tells) if isinstance(one, Send)]
    said = [one for one in told(tuple(sends)) if isinstance(one, Ping)]

    assert pings == said
    assert 1 < len(sends) < len(pings)
    assert all(len(one.packet) <= DATAGRAM_BYTES_MAX for one in sends)


def test_an_exchange_tells_back_nothing_that_it_was_told(three: Any) -> None:
    """Who outlines or shares just what is known here is answered with nothing, or that this was all."""
    everything = [one for one in told(hear(three, "a", "b", Sync(7, ()))) if not isinstance(one, Synced)]
    begun = hear(three, "a", "b", Ping(1, Peer("a", 1), 12345))
    outlines = [one for one in told(begun) if isinstance(one, Outline)]

    assert {RingShare, MemberShare} == {type(one) for one in everything}
    assert told(hear(three, "a", "b", *everything)) == []
    assert len(outlines) == len(everything)
    assert told(hear(three, "a", "b", *outlines)) == []
    assert told(hear(three, "a", "b", Sync(7, tuple(outlines)))) == [Synced(7)]


def fill(cluster: Any) -> int:
    """Hand out everything that the daemons of `three` own, each from its own; how much that was."""
    total = 0
    for name, size in owners(cluster, "a").items():
        for number in range(size):
            cluster.allocate(name, f"{name}{number}")
        total += size
    return total


def test_exhausted_is_said_when_all_have_said_no(three: Any) -> None:
    """Every other member is asked, for what is free and then for what rests, before a pool is exhausted."""
    assert fill(three) == 256
    three.sent.clear()
    refusal = three.answer("a", Allocate("one too many"))
    asked = {
        (send.target.host, one.need)
        for name, send in three.sent
        if name == "a"
        for one in codec.decode_packet(send.packet)[1]
        if isinstance(one, SpaceRequest)
    }

    assert isinstance(refusal, Refusal)
    assert Reason.EXHAUSTED is refusal.reason
    assert asked >= {(name, need) for name in "bc" for need in (Need.FREE, Need.COOLING)}


def test_who_seems_to_be_there_and_is_silent_is_named(three: Any) -> None:
    """While a member that is there gives no answer a pool is not exhausted; in the end that one is named."""
    fill(three)
    three.drop = lambda name, send: (
        name == "c" and any(isinstance(one, SpaceRefusal) for one in codec.decode_packet(send.packet)[1])
    )
    refusal = three.answer("a", Allocate("one too many", wait_s=3.0))

    assert isinstance(refusal, Refusal)
    assert Reason.NOT_READY is refusal.reason
    assert "no answer from c" in refusal.detail


def test_using_addresses_says_nothing_to_anybody(cluster: Callable[..., Any], make_pool: Any) -> None:
    """Who owns what does not change when an owner hands out its addresses, so nobody hears of that."""
    it = cluster()
    for name in "abc":
        it.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("p", "10.0.0.0/24"),))
    it.run(5)
    before = it.ring("b", RingId("default", Family.V4))
    for index in range(20):
        it.allocate("a", f"k{index}")
    for index in range(0, 20, 2):
        it.answer("a", Release(f"k{index}"))
    it.run(8)

    assert before == it.ring("a", RingId("default", Family.V4)) == it.ring("b", RingId("default", Family.V4))
