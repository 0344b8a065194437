"""What differs between nodes is found and shared by comparing alone, when nothing else brings it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from ring.address import Family
from ring.ring import Peer, Ring, Token
from weaveipam.exchange import Exchange
from weaveipam.gossip.repair import FOLLOWED_MAX
from weaveipam.protocol import codec
from weaveipam.protocol.effects import Channel, Send
from weaveipam.protocol.messages import (
    Ack,
    Header,
    MemberShare,
    Message,
    Outline,
    Ownership,
    Ping,
    RingShare,
    Rumour,
    Sync,
    Synced,
)
from weaveipam.protocol.records import Acquaintance
from weaveipam.protocol.requests import Allocate, Release
from weaveipam.protocol.values import Endpoint, MemberState, Pool, RingId

MakePool = Callable[..., Pool]
V4 = RingId("default", Family.V4)
NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture
def five(cluster: Any, make_pool: MakePool) -> Any:
    """Five nodes that serve, and have nothing to say to each other."""
    made = cluster()
    for name in NAMES:
        made.add(name, seeds="a,b,c,d,e", join="a,b", pools=(make_pool("blue", "10.0.0.0/24"),))
    made.run(3)
    return made


def fingerprints(cluster: Any) -> set[int]:
    """Of all nodes: one, if they know the same."""
    exchanges: list[Exchange] = [host.node._exchange for host in cluster.hosts.values()]
    return {one.fingerprint for one in exchanges}


def says(*kinds: type) -> Callable[[str, Send], bool]:
    """Whether a packet says something of those kinds."""
    return lambda _name, send: any(isinstance(one, kinds) for one in codec.decode_packet(send.packet)[1])


def packets(cluster: Any, *told: Message, at: str = "a") -> list[Send]:
    """What a node sends when it hears that from "b"."""
    header = Header(cluster.hosts[at].node._cluster_id, Peer("b", 1), Endpoint("b", 1))
    effects = cluster.hosts[at].node.receive(codec.encode_packet(header, told), header.endpoint, cluster.now)
    return [one for one in effects if isinstance(one, Send)]


def said(sent: list[Send]) -> set[type]:
    """The kinds of messages in streams; what rides on datagrams is none of it."""
    streams = [one for one in sent if one.channel is Channel.STREAM]
    return {type(message) for one in streams for message in codec.decode_packet(one.packet)[1]}


def move_space(cluster: Any) -> None:
    """Let "a" ask others for space, by using up what it has."""
    for index in range(80):
        cluster.allocate("a", f"k{index}")


def test_statements_that_no_push_brought_are_found(five: Any) -> None:
    """Where every push is lost, pings tell that something differs, and all know the same soon after."""
    five.drop = says(Ownership)
    move_space(five)
    five.run(3)

    assert len(fingerprints(five)) == 1
    assert len({five.ring(name, V4) for name in NAMES}) == 1
    assert any(run.token.epoch for run in five.hosts["e"].node._holdings.rings[V4])


def test_a_member_that_no_rumour_brought_is_found(five: Any, make_pool: MakePool) -> None:
    """Who never heard the rumour of a newcomer learns of it from the table of members."""
    five.drop = lambda name, send: (
        {name, send.target.host} == {"e", "f"} or (send.target.host == "e" and says(Rumour)(name, send))
    )
    five.add("f", join="a", pools=(make_pool("blue", "10.0.0.0/24"),))
    five.run(0.5)

    assert five.states("a")["f"] is MemberState.ALIVE
    assert "f" in five.states("e")


def test_idle_nodes_send_no_more_than_pings(five: Any) -> None:
    """Nodes that know the same have nothing to compare, and use no stream."""
    five.run(5)
    five.sent.clear()
    five.run(5)

    assert len(fingerprints(five)) == 1
    assert {Channel.DATAGRAM} == {send.channel for _, send in five.sent}
    assert max(len(send.packet) for _, send in five.sent) < 200


def test_a_node_that_comes_back_serves_once_it_knows_what_it_missed(five: Any) -> None:
    """What moved while a node was down is there when it serves again."""
    five.crash("e")
    move_space(five)
    for index in range(80):
        five.answer("a", Release(f"k{index}"))
    five.start("e")
    five.run(0.2)

    assert five.status("e").ready
    assert five.ring("e", V4).runs == five.ring("a", V4).runs


def test_one_of_many_who_is_there_is_found_before_a_node_serves(five: Any) -> None:
    """A node that comes back serves only with what a member told it, though most it has met are gone."""
    for number in range(2000):
        gone = Acquaintance(Peer(f"gone{number}", 1), Endpoint(f"gone{number}", 1))
        five.hosts["e"].disk[gone.record_key] = codec.encode_record(gone)
    five.hosts["e"].settings = replace(five.hosts["e"].settings, join=())
    five.crash("e")
    five.run(5)
    five.start("e")
    five.run(0.6)

    assert five.status("e").ready
    assert "serving-alone" not in five.events("e")


def test_who_waits_for_a_long_answer_asks_ever_more_rarely(five: Any, make_pool: MakePool) -> None:
    """While answers are slow a newcomer does not have the same told again and again."""
    five.drop = says(Synced)
    five.add("f", join="a,b", pools=(make_pool("blue", "10.0.0.0/24"),))
    five.sent.clear()
    five.run(10)

    assert 3 < sum(says(Sync)(name, send) for name, send in five.sent) < 36


def test_what_answers_an_earlier_process_proves_nothing(five: Any) -> None:
    """A late answer to what a node asked before it restarted does not make it serve."""
    five.crash("e")
    five.drop = says(Synced)
    five.start("e")
    five.run(0.5)
    late = [codec.decode_packet(send.packet)[1][-1] for name, send in five.sent if says(Synced)(name, send)]
    five.crash("e")
    five.start("e")
    five.run(0.2)
    header = codec.decode_packet(next(send.packet for name, send in five.sent if name == "a"))[0]
    five._perform(
        "e", five.hosts["e"].node.receive(codec.encode_packet(header, late), header.endpoint, five.now)
    )

    assert late
    assert not five.status("e").ready


def test_who_joined_and_was_not_told_all_vouches_for_nothing(five: Any, make_pool: MakePool) -> None:
    """Nobody serves on the word of one that knows only the birth: it shares that, and no `Synced` ends it."""
    five.drop = says(Synced)
    five.add("f", join="a", pools=(make_pool("blue", "10.0.0.0/24"),))
    five.run(2)
    assert five.status("f").state == "syncing"
    assert "alone" not in five.status("f").why_not_ready
    early = said(packets(five, Sync(1, ()), at="f"))
    five.drop = lambda _name, _send: False
    five.run(6)

    assert {RingShare, MemberShare} == early
    assert five.status("f").ready
    assert {RingShare, MemberShare, Synced} == said(packets(five, Sync(1, ()), at="f"))


def test_all_that_restart_at_once_serve_on_the_word_of_each_other(five: Any) -> None:
    """Where nobody serves, each tells the others what its disk held, and nobody waits for any longer."""
    for name in NAMES:
        five.crash(name)
    for name in NAMES:
        five.start(name)
    five.run(0.5)

    assert all(five.status(name).ready for name in NAMES)
    assert "serving-alone" not in five.events()


def test_two_halves_that_went_on_alone_agree_again(five: Any) -> None:
    """After a partition in which both sides moved space all know all of it."""
    five.cut = {"a", "b"}
    five.run(5)
    for name in ("a", "c"):
        for index in range(100):
            five.ask(name, Allocate(f"{name}{index}", wait_s=0.2), wait_s=0.02)
    five.cut = set()
    five.run(6)

    assert len(fingerprints(five)) == 1
    assert len({five.ring(name, V4) for name in NAMES}) == 1


def accuse(cluster: Any, rng: Random, at: str) -> None:
    """Let a node hear of a member that it is suspect or dead, as if somebody believed that."""
    node = cluster.hosts[at].node
    member = rng.choice(node._gossip.members.all() or [node._gossip.members.me])
    state = rng.choice([MemberState.SUSPECT, MemberState.DEAD])
    header = Header(node._cluster_id, Peer("b", 1), Endpoint("b", 1))
    told = (Rumour(member.peer, member.endpoint, state, member.refutation, "b"),)
    cluster._perform(at, node.receive(codec.encode_packet(header, told), header.endpoint, cluster.now))


def live(cluster: Any, rng: Random) -> None:
    """One thing that happens to a cluster."""
    name = rng.choice(NAMES)
    host = cluster.hosts[name]
    match rng.randrange(7):
        case 0 if name != "a":
            cluster.crash(name)
        case 1 if name not in "ab":
            cluster.lose_disk(name)
        case 2 | 3 if host.node is None:
            cluster.start(name)
        case 4:
            cluster.cut = set(rng.sample(NAMES, 2))
        case 5:
            cluster.cut, cluster.loss = set(), rng.choice([0.0, 0.3])
        case 6 if host.node is not None and host.node._birth is not None:
            accuse(cluster, rng, name)
            cluster.ask(name, Allocate(f"k{cluster.now}", wait_s=0.2))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_after_any_history_nobody_compares_for_ever(five: Any, seed: int) -> None:
    """Whoever died, came back, was accused or forgotten: in the end all know the same and send only pings."""
    rng = Random(seed)
    for name in NAMES:
        gossip = replace(five.hosts[name].settings.gossip, remember_s=4.0)
        five.hosts[name].settings = replace(five.hosts[name].settings, gossip=gossip)
        five.crash(name)
        five.start(name)
    for _ in range(20):
        live(five, rng)
        five.run(rng.choice([0.05, 0.5, 2.0, 8.0]))
    five.cut, five.loss = set(), 0.0
    five.start("b")
    five.run(40)
    five.sent.clear()
    five.run(10)
    kinds = {type(one) for _, send in five.sent for one in codec.decode_packet(send.packet)[1]}

    assert len({host.node._exchange.fingerprint for host in five.hosts.values() if host.node}) == 1
    assert kinds <= {Ping, Ack, Rumour}


def test_what_changed_in_memory_is_found_and_repaired(five: Any) -> None:
    """A statement that a bug or a flipped bit took from a node's memory comes back from the others."""
    move_space(five)
    five.run(3)
    rings = five.hosts["e"].node._holdings.rings
    whole = rings[V4]
    late = next(run for run in whole if run.token.epoch)
    rings._rings[V4] = Ring.of(run if run != late else late._replace(token=Token(0, 0)) for run in whole)
    five.run(1)
    assert rings[V4] != whole
    five.run(60)

    assert rings[V4] == whole
    assert "memory-damaged" in five.events("e")
    assert len(fingerprints(five)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [
        Sync(1, ()),
        Sync(1, (Outline(V4, 0, (1 << 32,), b"differs"[:6]),) * 20),
        RingShare(0, 1 << 32, True, V4, ()),
        MemberShare(0, 1 << 10, True, ()),
        Outline(V4, 0, (1 << 32,), b"differs"[:6]),
        Outline(None, 0, (1 << 10,), b"differs"[:6]),
    ],
)
def test_asking_many_times_in_one_packet_does_not_multiply_the_answer(five: Any, asked: Message) -> None:
    """Whatever one packet asks for, and however often, its answer has a bound that does not depend on it."""
    move_space(five)
    sent = packets(five, *[asked] * 4000)

    assert sent
    assert sum(len(one.packet) for one in sent) < 50_000


def test_where_nothing_said_of_members_is_known_some_of_it_is_answered(five: Any) -> None:
    """An outline of members all of which differs is answered in some parts, and one of a ring in all."""
    wrong = [Outline(of, 0, (1 << bits,) * 16, b"differ" * 16) for of, bits in ((None, 6), (V4, 28))]
    answers = [
        [
            sum(one.lengths) if isinstance(one, Outline) else one.high - one.low
            for send in packets(five, outline)
            for one in codec.decode_packet(send.packet)[1]
            if isinstance(one, Outline | MemberShare | RingShare)
        ]
        for outline in wrong
    ]

    assert [sum(one) for one in answers] == [FOLLOWED_MAX << 6, 1 << 32]


@pytest.mark.slow
@pytest.mark.parametrize(
    "told",
    [
        Ping(1, Peer("a", 1), 0),
        MemberShare(0, 1, False, (Rumour(Peer("a", 0), Endpoint("a", 1), MemberState.ALIVE, 0),) * 2),
    ],
)
def test_more_answers_than_a_packet_holds_raise_nothing(five: Any, told: Message) -> None:
    """A packet full of messages that are all answered is answered with packets that can be read."""
    for one in packets(five, *[told] * codec.MESSAGES_MAX):
        assert codec.decode_packet(one.packet)


@pytest.mark.slow
def test_nobody_dies_of_a_partition_that_heals(cluster: Any, make_pool: MakePool) -> None:
    """What one side believed of the other does not make the other take its own members for dead."""
    made = cluster(3)
    names = [f"n{number:02}" for number in range(20)]
    for name in names:
        made.add(name, seeds="n00", join="n00,n01", pools=(make_pool("blue", "10.0.0.0/24"),))
    made.run(4)
    made.cut = set(names[:10])
    made.run(6)
    made.reports.clear()
    made.cut = set()
    made.run(4)

    assert "member-dead" not in made.events()
    assert all(set(made.states(name).values()) == {MemberState.ALIVE} for name in names)
