"""Sealed nodes in virtual time: what goes over the network, what is refused, what comes again."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from ring.address import Family
from ring.ring import Peer
from weaveipam.gossip.gossip import MEMBERS_MAX
from weaveipam.gossip.seal import SEALED, Seal
from weaveipam.protocol import codec
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX, Channel, Report, Send
from weaveipam.protocol.keyring import PLAIN, UNSEALED, Key, KeyRing
from weaveipam.protocol.messages import Header, Inquiry, Rumour
from weaveipam.protocol.requests import Allocate, GetKeyring, Keyring, KeyView, Release, SetKeyring
from weaveipam.protocol.values import Endpoint, MemberState, RingId

OLD, NEW = Key(bytes(range(16))), Key(bytes(range(32)))
V4 = RingId("default", Family.V4)
REFUSED = {
    "bad-packet",
    "unsealed-packet",
    "unknown-key",
    "forged-packet",
    "replayed-packet",
    "refused-by-peer",
}

MakeCluster = Callable[..., Any]


@pytest.fixture
def sealed(cluster: MakeCluster, make_pool: Callable[..., Any]) -> Any:
    """Daemons a, b and c, with one key and a pool of 64 addresses, that have formed a cluster."""
    one = cluster(keyring=KeyRing((OLD,)))
    for name in "abc":
        others = ",".join(set("abc") - {name})
        one.add(name, seeds="a,b,c", join=others, pools=(make_pool("blue", "10.0.0.0/26"),))
    one.run(2.0)
    assert all(one.status(name).ready for name in "abc")
    return one


def shown(cluster: Any, name: str) -> tuple[object, ...]:
    """Everything that a daemon shows of what it shares with others, and when it wants to be woken."""
    node = cluster.hosts[name].node
    return cluster.ring(name, V4), cluster.states(name), cluster.status(name), node.wake_at


def use_up(cluster: Any) -> None:
    """All of one daemon's addresses are taken, and others', and given back: space moves."""
    for number in range(40):
        cluster.allocate("a", f"k{number}")
    for number in range(40):
        cluster.answer("a", Release(key=f"k{number}"))
    cluster.run(1.0)


def owners(cluster: Any, name: str) -> list[tuple[int, int, str]]:
    """Who owns what, as one daemon holds it."""
    return [(run.start, run.stop, run.owner.name) for run in cluster.ring(name, V4).runs]


def test_everything_is_sealed_and_fits(sealed: Any) -> None:
    """No packet leaves a daemon in the clear, none repeats a session and a counter, and datagrams fit."""
    use_up(sealed)
    packets = [send.packet for _, send in sealed.sent]

    assert {SEALED} == {packet[0] for packet in packets}
    assert not any(b"blue" in packet for packet in packets)
    assert len(packets) == len({packet[4:16] for packet in packets})
    sizes = [len(send.packet) for _, send in sealed.sent if send.channel is Channel.DATAGRAM]
    assert DATAGRAM_BYTES_MAX >= max(sizes)
    assert not sealed.events() & REFUSED
    assert all(sealed.status(name).sealed for name in "abc")


def test_a_full_datagram_is_full(cluster: MakeCluster) -> None:
    """What rides along fills a sealed datagram up to its bound, and not beyond."""
    one = cluster(keyring=KeyRing((OLD,)))
    names = [f"a-daemon-of-a-rather-long-name-{number:02}" for number in range(40)]
    one.add(names[0], seeds=names[0])
    for name in names[1:]:
        one.add(name, join=names[0])
    one.run(3.0)
    sizes = [len(send.packet) for _, send in one.sent if send.channel is Channel.DATAGRAM]

    assert DATAGRAM_BYTES_MAX - 150 < max(sizes) <= DATAGRAM_BYTES_MAX


def test_a_flipped_bit_changes_nothing(sealed: Any) -> None:
    """Whatever bit of whatever packet is flipped, the receiver reports it, and is as it was."""
    sealed.drop = lambda name, send: name == "b" and send.target.host == "a"
    sealed.sent.clear()
    sealed.run(1.0)
    kept = [send for name, send in sealed.sent if sealed.drop(name, send)]
    before = shown(sealed, "a")
    rng = Random(1)
    for send in kept:
        for _ in range(50):
            changed = bytearray(send.packet)
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
            effects = sealed.hosts["a"].node.receive(bytes(changed), Endpoint("b", 1), sealed.now)
            events = [one.event for one in effects if isinstance(one, Report)]
            assert len(events) == 1
            assert set(events) <= REFUSED
            assert [one for one in effects if not isinstance(one, Report)] == [] or events == ["unknown-key"]
        assert before == shown(sealed, "a")
    assert len(kept) >= 5


def test_what_was_heard_is_not_heard_again(sealed: Any) -> None:
    """A daemon that is sent all that it has ever received once more reports it, and is as it was."""
    use_up(sealed)
    before = shown(sealed, "b")
    node = sealed.hosts["b"].node
    heard = [send.packet for _, send in sealed.sent if send.target.host == "b"]
    effects = [one for packet in heard for one in node.receive(packet, Endpoint("x", 1), sealed.now)]

    assert {"replayed-packet"} == {one.event for one in effects if isinstance(one, Report)}
    assert len(heard) == len(effects)
    assert before == shown(sealed, "b")


def test_replays_after_a_restart_do_no_lasting_harm(sealed: Any) -> None:
    """All packets ever sent, said again to daemons that have restarted, give each address one owner."""
    use_up(sealed)
    held = {key: sealed.allocate(name, key) for name, key in (("a", "one"), ("b", "two"), ("c", "three"))}
    recorded = list(sealed.sent)
    for name in "abc":
        sealed.crash(name)
        sealed.start(name)
    sealed.run(0.5)
    for _, send in recorded:
        for name in "abc":
            effects = sealed.hosts[name].node.receive(send.packet, Endpoint("x", 1), sealed.now)
            sealed._perform(name, effects)
    sealed.run(10.0)

    assert owners(sealed, "a") == owners(sealed, "b") == owners(sealed, "c")
    assert 64 == sum(stop - start for start, stop, _ in owners(sealed, "a"))
    for name, key in (("a", "one"), ("b", "two"), ("c", "three")):
        assert held[key] == sealed.allocate(name, key)
    assert () == sum((sealed.status(name).conflicts for name in "abc"), ())
    assert all(sealed.status(name).outgoing == 0 for name in "abc")


def test_a_restarted_daemon_is_heard(sealed: Any) -> None:
    """After a restart a daemon's packets are taken from the first one on."""
    sealed.crash("b")
    sealed.start("b")
    sealed.run(1.0)

    assert not sealed.events() & REFUSED
    assert sealed.status("b").ready


def test_who_has_no_key_is_not_let_in(sealed: Any) -> None:
    """A daemon without the key joins nothing, and it and the members report why."""
    sealed.keyring = UNSEALED
    sealed.add("d", join="a,b,c")
    sealed.run(3.0)

    assert "joining" == sealed.status("d").state
    assert f"it uses key {OLD.id}, this daemon no key" in sealed.status("d").why_not_ready
    assert "refused-by-peer" in sealed.events("d")
    assert "unsealed-packet" in sealed.events("a")
    assert set("abc") == set(sealed.states("a"))


def test_a_cluster_of_the_same_key_does_not_mix(sealed: Any, make_pool: Callable[..., Any]) -> None:
    """Two clusters with one key stay two, and say that they have met."""
    sealed.add("d", seeds="d", pools=(make_pool("blue", "10.0.0.0/26"),))
    sealed.run(1.0)
    recorded = [send.packet for name, send in sealed.sent if name == "a"]
    sealed.add("e", join="d")
    sealed.run(1.0)
    node, before = sealed.hosts["d"].node, owners(sealed, "d")
    effects = [one for packet in recorded for one in node.receive(packet, Endpoint("a", 1), sealed.now)]

    assert {"foreign-cluster", "seeds-differ"} == {one.event for one in effects if isinstance(one, Report)}
    assert {"d", "e"} == set(sealed.states("d"))
    assert before == owners(sealed, "d")


def test_an_unformed_daemon_opens_only_its_key(cluster: MakeCluster) -> None:
    """Also before there is a cluster, a question is answered only if it is sealed."""
    one = cluster(keyring=KeyRing((OLD,)))
    one.add("a", seeds="a,b", join="b")
    node, header = one.hosts["a"].node, Header(bytes(8), Peer("b", 1), Endpoint("b", 1))
    content = codec.encode_content(header, (Inquiry(("a", "b")),))
    for key, event in ((PLAIN, "unsealed-packet"), (NEW, "unknown-key"), (OLD, "")):
        packet = Seal(KeyRing((key,)), b"somebody").seal(content, stream=False)
        effects = node.receive(packet, header.endpoint, one.now)
        assert [event] * bool(event) == [effect.event for effect in effects if isinstance(effect, Report)]
        answers = [each for each in effects if isinstance(each, Send) and each.packet[0] == SEALED]
        assert bool(answers) == (not event)


def test_keys_change_under_load(sealed: Any) -> None:
    """In three steps, each at one daemon after the other, a key is changed and no packet is refused."""
    expected = Keyring((KeyView(OLD.id, True, ()),))
    assert expected == sealed.answer("a", GetKeyring())
    for step, keys in enumerate(((OLD, NEW), (NEW, OLD), (NEW,))):
        for name in "abc":
            sealed.answer(name, SetKeyring(KeyRing(keys)))
            sealed.allocate("a", f"{step}{name}", Allocate(f"{step}{name}"))
        sealed.run(2.0)
        assert not sealed.events() & REFUSED
        shown = [sealed.answer(name, GetKeyring()) for name in "abc"]
        assert [Keyring(tuple(KeyView(key.id, key == keys[0], ()) for key in keys))] * 3 == shown
    assert {"keyring-changed"} <= sealed.events("a")
    sealed.reports.clear()
    sealed.answer("a", SetKeyring(KeyRing((NEW,))))
    assert "keyring-changed" not in sealed.events("a"), "they are those that it had"


def test_a_laggard_is_shown(sealed: Any) -> None:
    """Who still sends with the old key is named, until it sends with the new one."""
    for name in "abc":
        sealed.answer(name, SetKeyring(KeyRing((OLD, NEW))))
    for name in "ab":
        sealed.answer(name, SetKeyring(KeyRing((NEW, OLD))))
    at_once = sealed.answer("a", GetKeyring()).keys[1]
    sealed.run(2.0)

    assert KeyView(OLD.id, False, ("b", "c")) == at_once
    assert KeyView(OLD.id, False, ("c",)) == sealed.answer("a", GetKeyring()).keys[1]
    assert KeyView(NEW.id, False, ("a", "b")) == sealed.answer("c", GetKeyring()).keys[1]


def test_too_early_a_step_shows(sealed: Any) -> None:
    """A key that is used before all accept it is refused, reported, and nobody believes what it sealed."""
    sealed.answer("a", SetKeyring(KeyRing((NEW, OLD))))
    sealed.run(1.0)

    assert {"unknown-key"} <= sealed.events("b")
    assert {"refused-by-peer"} <= sealed.events("a")


@pytest.mark.slow
def test_who_sends_with_another_key_is_noted_of_members_alone(sealed: Any) -> None:
    """Where packets without a seal are taken, made-up senders fill no more memory than members may."""
    node = sealed.hosts["a"].node
    sealed.ask("a", SetKeyring(KeyRing((OLD, PLAIN))))
    for number in range(MEMBERS_MAX):
        one = Rumour(Peer(f"n{number}", 1), Endpoint("n", 1), MemberState.ALIVE, 0)
        node._gossip.members.hear(one, sealed.now)
    for number in range(10):
        header = Header(node._cluster_id, Peer(f"made-up{number}", 1), Endpoint("z", 1))
        node.receive(codec.encode_packet(header, ()), header.endpoint, sealed.now)
    header = Header(node._cluster_id, Peer("n7", 1), Endpoint("n", 1))
    node.receive(codec.encode_packet(header, ()), header.endpoint, sealed.now)

    assert node._guard.show(["n7", "made-up0", "made-up9"]).keys[1].members == ("n7",)
