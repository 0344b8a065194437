"""Daemons of releases that follow each other are one cluster; of others they say that they are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from weaveipam.protocol.codec import Schema, Wire
from weaveipam.protocol.effects import Report
from weaveipam.protocol.messages import Header
from weaveipam.protocol.values import Endpoint, MemberState, Pool

SINCE = {"PingRequest": 2, "Ping.hints": 2, "Ping.stream": 2, "Ack.hints": 2}
WIRES = {version: Wire(Schema(version, since=SINCE)) for version in (1, 2, 3)}


def start(cluster: Any, name: str, version: int) -> None:
    """Start a daemon (again) that is of some release."""
    host = cluster.hosts[name]
    host.settings = replace(host.settings, wire=WIRES[version])
    cluster.start(name)


def three(cluster: Callable[..., Any], make_pool: Callable[..., Pool], version: int) -> Any:
    """A cluster of three daemons of one release, who know each other."""
    made = cluster()
    for name in ("a", "b", "c"):
        made.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("p", "10.0.0.0/24"),))
        start(made, name, version)
    made.run(3)
    assert all(made.status(name).members_alive == 3 for name in "abc")
    return made


def spoken(cluster: Any, source: str, target: str, seconds: float = 2.0) -> set[int]:
    """The versions of the packets that one daemon sends to another from now on."""
    cluster.sent.clear()
    cluster.run(seconds)
    sent = [send.packet for name, send in cluster.sent if name == source and send.target.host == target]
    return {packet[0] for packet in sent}


def test_up_and_back(cluster: Callable[..., Any], make_pool: Callable[..., Pool]) -> None:
    """Two upgraded daemons speak the newer version, and after a downgrade the older one, never a third."""
    made = three(cluster, make_pool, 1)
    for name, before, after in (("a", {1}, {1}), ("b", {1, 2}, {2})):
        made.crash(name)
        start(made, name, 2)
        assert spoken(made, "a", "b") <= before
        assert spoken(made, "a", "b") == after
        assert spoken(made, "a", "c") == {1}

    made.crash("b")
    start(made, "b", 1)
    made.run(1)
    assert spoken(made, "a", "b") == {1}
    assert set(made.states("a").values()) == {MemberState.ALIVE}
    assert not {"bad-packet", "wire-version"} & made.events()


def test_a_silent_downgrade_is_noticed(cluster: Callable[..., Any], make_pool: Callable[..., Pool]) -> None:
    """Who is spoken to in a version that he does not read says so, and is understood from then on."""
    made = three(cluster, make_pool, 2)
    made.drop = lambda name, _send: name == "b"  # whatever it says as it starts is lost
    made.crash("b")
    start(made, "b", 1)
    assert spoken(made, "a", "b", 0.5) == {2}

    made.drop = lambda _name, _send: False
    made.run(2)
    assert "version-shown" in made.events("b")
    assert spoken(made, "a", "b") == {1}
    assert set(made.states("a").values()) == {MemberState.ALIVE}


def test_two_releases_apart(cluster: Callable[..., Any], make_pool: Callable[..., Pool]) -> None:
    """Who has skipped a release is dead to the others, they are to him, and both sides say why."""
    made = three(cluster, make_pool, 1)
    made.crash("b")
    start(made, "b", 3)
    made.run(30)

    assert {name: made.states(name)["b"] for name in "ac"} == dict.fromkeys("ac", MemberState.DEAD)
    for name, others in (("a", {"b"}), ("b", {"a", "c"}), ("c", {"b"})):
        told = [dict(one.fields) for who, one in made.reports if (who, one.event) == (name, "wire-version")]
        assert {one["peer"].partition("#")[0] for one in told} == others
        assert len(told) <= 2 * len(others)
    assert "bad-packet" not in made.events()
    made.allocate("a", "one")
    made.allocate("c", "two")


def test_unknown_versions_do_no_harm(cluster: Callable[..., Any]) -> None:
    """A packet of any version is answered, reported or dropped, and nothing is believed."""
    made = cluster()
    made.add("a", seeds="a")
    made.run(1)
    node = made.hosts["a"].node
    before = made.status("a")
    for version in range(2, 256):
        wire = Wire(Schema(version))
        header = Header(bytes(8), before.peer._replace(name="x"), Endpoint("x", 1), version)
        effects = node.receive(wire.own.encode_packet(header, ()), header.endpoint, made.now)
        assert version == 2 or all(isinstance(one, Report) for one in effects)

    assert made.status("a") == before
