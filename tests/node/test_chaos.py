"""Random lives of small clusters: crashes, cuts, loss and clients at once, and nothing is given twice."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from ring.address import Family, Range
from ring.invariants import violations
from ring.ring import Ring
from weaveipam.protocol.requests import Allocate, Allocated, GetAllocations, Release, Released
from weaveipam.protocol.values import Pool, RingId

V4 = RingId("default", Family.V4)
NAMES = ("a", "b", "c", "d")


class Client:
    """Asks random daemons, and believes only what it was answered."""

    def __init__(self, cluster: Any, rng: Random) -> None:
        self.cluster = cluster
        self.rng = rng
        self.asked: dict[int, tuple[str, str]] = {}
        self.held: dict[tuple[str, str], int] = {}
        self.count = 0

    def act(self, name: str) -> None:
        """Allocate something new, or give back something held at that daemon."""
        mine = sorted(key for at, key in self.held if at == name)
        if mine and self.rng.random() < 0.45:
            key = self.rng.choice(mine)
            del self.held[name, key]  # from here on it may be given to somebody else
            answer = self.cluster.answers.get(self.cluster.ask(name, Release(key=key)))
            if answer is not None:  # it may have died of the question
                assert isinstance(answer, Released)
                assert [one.key for one in answer.allocations] == [key], "an acknowledged allocation was lost"
            return
        self.count += 1
        key = f"k{self.count}"
        self.asked[self.cluster.ask(name, Allocate(key, wait_s=3.0))] = (name, key)

    def collect(self) -> None:
        """Note what has been answered; two live keys never hold one address."""
        for number in [one for one in self.asked if one in self.cluster.answers]:
            at, key = self.asked.pop(number)
            answer = self.cluster.answers[number]
            if isinstance(answer, Allocated):
                address = answer.allocation.addresses[0].range.start
                assert address not in self.held.values(), f"{key} was given an address in use"
                self.held[at, key] = address


def owners_agree(cluster: Any) -> None:
    """No address is owned, as far as its owner knows, by two running daemons."""
    owned: dict[int, str] = {}
    for name, host in cluster.hosts.items():
        if host.node is None or not host.node._allocator.serving:
            continue
        for _, run in host.node._allocator.holdings.rings.owned():
            for address in range(run.start, run.stop):
                assert address not in owned, f"{address} is owned by {owned[address]} and {name}"
                owned[address] = name


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_random_lives(seed: int, cluster: Callable[..., Any], make_pool: Callable[..., Pool]) -> None:
    """Whatever happens, answers stay unique and durable; after it all agree and no address is lost."""
    rng = Random(seed)
    world = cluster(seed, loss=rng.choice((0.0, 0.05, 0.25)))
    pools = (make_pool("blue", "10.0.0.0/26"),)
    for name in NAMES[:3]:
        world.add(name, seeds="a,b,c", join="a,b,c", pools=pools)
    world.run(8)
    world.add("d", join="a")
    client = Client(world, rng)
    for _ in range(150):
        chance = rng.random()
        up = [name for name in NAMES if world.hosts[name].node is not None]
        if chance < 0.03 and len(up) > 2:
            down = rng.choice(up)
            world.crash(down)
            client.asked = {n: who for n, who in client.asked.items() if who[0] != down}
        elif chance < 0.09:
            revive(world)
        elif chance < 0.13:
            world.cut = set(rng.sample(NAMES, rng.randint(0, 2)))
        elif up:
            client.act(rng.choice(up))
        world.run(rng.choice((0.0, 0.01, 0.2, 1.0)))
        client.collect()
        owners_agree(world)
    heal(world)
    all_is_well(world, client)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_deaths_between_effects(
    seed: int, cluster: Callable[..., Any], make_pool: Callable[..., Pool]
) -> None:
    """Wherever between two effects a daemon dies, with packets lost, doubled and late, the same holds."""
    rng = Random(seed)
    world = cluster(seed, loss=rng.choice((0.0, 0.05, 0.25)))
    world.late = rng.choice((0.0, 0.1, 0.4))
    risk = rng.choice((0.0005, 0.003, 0.01))
    world.dies = lambda _name: rng.random() < risk
    for name in NAMES[:3]:
        world.add(name, seeds="a,b,c", join="a,b,c", pools=(make_pool("blue", "10.0.0.0/26"),))
    for _ in range(12):
        revive(world)
        world.run(1)
    world.add("d", join="a")
    client = Client(world, rng)
    for _ in range(100):
        chance = rng.random()
        up = [name for name in NAMES if world.hosts[name].node is not None]
        if chance < 0.15:
            revive(world)
        elif chance < 0.2:
            world.cut = set(rng.sample(NAMES, rng.randint(0, 2)))
        elif up:
            client.act(rng.choice(up))
        world.run(rng.choice((0.0, 0.01, 0.2, 1.0)))
        client.collect()
        owners_agree(world)
    world.late, world.dies = 0.0, lambda _name: False
    heal(world)
    all_is_well(world, client)


def heal(world: Any) -> None:
    """Everybody is back, and time passes."""
    world.cut, world.loss = set(), 0.0
    revive(world)
    world.run(30)


def all_is_well(world: Any, client: Client) -> None:
    """All agree, every address has one owner, and whatever was answered is kept."""
    client.collect()
    rings = {world.ring(name, V4).runs for name in NAMES}
    assert len(rings) == 1
    assert violations(Ring.of(rings.pop()), [Range(0x0A000000, 0x0A000040)]) == []
    assert [world.status(name).outgoing for name in NAMES] == [0, 0, 0, 0]
    assert [world.status(name).conflicts for name in NAMES] == [(), (), (), ()]
    kept = {(name, one.key) for name in NAMES for one in world.answer(name, GetAllocations()).allocations}
    assert client.held.keys() <= kept


def revive(world: Any) -> None:
    """Start whoever is down."""
    for name, host in world.hosts.items():
        if host.node is None:
            world.start(name)
