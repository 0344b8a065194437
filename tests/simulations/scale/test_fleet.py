"""A cluster that is measured is as it is long after it was formed, and nothing happens in it."""

from __future__ import annotations

from simulations.scale.fleet import Fleet
from weaveipam.protocol.requests import Allocate, Allocated, Answer
from weaveipam.protocol.values import MemberState


def test_all_serve_know_each_other_and_agree(fleet: Fleet) -> None:
    """Every node is ready, sees all others alive, and knows the same."""
    hosts = fleet.running()

    assert [host.reports["ready"] for host in hosts] == [1] * 12
    assert {host.gossip.members.alive_count for host in hosts} == {11}
    assert all(one.state is MemberState.ALIVE for host in hosts for one in host.gossip.members.all())
    assert len({host.fingerprint for host in hosts}) == 1


def test_nothing_is_under_way(fleet: Fleet) -> None:
    """A minute goes by with two small datagrams a second from each node, none of it on streams."""
    before = fleet.network.total.copy()
    fleet.run(60.0)
    sent = fleet.network.total.since(before)

    assert 1.8 < sent.datagrams / 60 / 12 < 2.2
    assert sent.datagram_bytes / sent.datagrams < 150
    assert sent.streamed == 0


def test_nodes_serve_clients(fleet: Fleet) -> None:
    """It is the real node: a client gets an address."""
    heard: list[Answer | None] = []
    host = fleet.hosts["node-0003"]
    host.ask(1, Allocate("key", wants=()), lambda one: heard.append(None if one is None else one.answer))
    fleet.run(1.0)

    assert [type(answer) for answer in heard] == [Allocated]


def test_a_statement_changes_every_ring_in_the_same_way(fleet: Fleet) -> None:
    """Once it has spread all agree again, on something else."""
    before = fleet.hosts["node-0001"].fingerprint
    start, epoch = fleet.state(fleet.hosts["node-0007"])
    fleet.run(5.0)

    assert epoch == 2
    assert fleet.ring is not None
    assert start > 0
    (after,) = {host.fingerprint for host in fleet.running()}
    assert after != before


def test_a_node_starts_again_with_few_acquaintances(fleet: Fleet) -> None:
    """It knows nobody at first, and everybody when it has asked those that its disk remembers."""
    host = fleet.hosts["node-0005"]
    host.lose_power()
    host.start()
    assert host.gossip.members.alive_count == 0

    fleet.run(3.0)
    assert host.gossip.members.alive_count == 11


def test_large_rings_are_large(large_ring: Fleet) -> None:
    """There are as many runs as were asked for, and all of them known to all."""
    assert len({host.fingerprint for host in large_ring.running()}) == 1
    before = large_ring.network.total.copy()
    newcomer = large_ring.newcomer()
    newcomer.start()
    large_ring.run(3.0)

    assert newcomer.fingerprint == large_ring.hosts["node-0000"].fingerprint
    assert large_ring.network.total.since(before).streamed_bytes > 1000 * 30


def test_chance_can_be_drawn_anew(fleet: Fleet) -> None:
    """The same cluster with the same seed goes on in the same way, and with another in another."""
    copies = []
    for seed in ("1", "1", "2"):
        fleet.reseed(seed)
        copies.append([fleet.network._medium.rng.random() for _ in range(3)])
    assert copies[0] == copies[1] != copies[2]
