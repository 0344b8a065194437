"""
A large cluster as it is long after it was formed: everybody owns a share, and knows everybody.

A thousand daemons that join are a run of their own, and take longer than most that begin with a thousand.
So their disks are written, and each is told once who is there.
Does not know what happens to the cluster afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from ring.ring import Peer, Run, Token
from simulations.disk import Disk
from simulations.machine import Machine
from simulations.world import World
from weaveipam.gossip.census import PLACES
from weaveipam.gossip.seal import SESSION_BYTES, Seal
from weaveipam.protocol import codec
from weaveipam.protocol.decisions import ELECTORS_MAX, Charter
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import Header, MemberShare, Rumour
from weaveipam.protocol.records import (
    Acquaintance,
    Admitted,
    Born,
    Chartered,
    Identity,
    OnRoster,
    Owned,
    Record,
)
from weaveipam.protocol.values import Birth, MemberState, Pool, RingId

ACQUAINTANCES = 4
"""Other daemons that each has on its disk, to find its cluster again."""


def season(world: World, machines: Sequence[Machine], rng: Random) -> None:
    """Start machines, none of which ever ran, as a cluster that was formed long ago."""
    lives = {one.name: Peer(one.name, 1 + rng.getrandbits(40)) for one in machines}
    seeds = tuple(sorted(lives[one.name] for one in machines[: world.layout.seeds]))
    birth = Birth(rng.randbytes(16), seeds, tuple(sorted(world.layout.pools, key=lambda pool: pool.name)))
    electors = tuple(sorted(lives.values())[: min(ELECTORS_MAX, len(lives))])
    charter = Charter(1, electors, birth.pools)  # so many were chosen as soon as there were enough
    decided: list[Record] = [Chartered(charter), Admitted(charter.number)]
    common = _written(Disk(rng), [Born(birth), *decided, *_shares(birth.pools, list(lives.values()))])
    roster = [OnRoster(one) for one in lives.values()]
    news = [Rumour(lives[one.name], one.settings.endpoint, MemberState.ALIVE, 0) for one in machines]
    told = MemberShare(0, PLACES, False, tuple(news))
    teller = Seal(world.layout.keyring, rng.randbytes(SESSION_BYTES))
    for number, machine in enumerate(machines):
        met = [machines[(number + 1 + other) % len(machines)] for other in range(ACQUAINTANCES)]
        own = [Acquaintance(lives[one.name], one.settings.endpoint) for one in met if one is not machine]
        seed = Random(rng.random())
        enrolled = roster if lives[machine.name] in electors else []
        machine.disk = _written(common.copy(seed), [Identity(lives[machine.name]), *own, *enrolled])
        machine.start()
        header = Header(codec.cluster_id(birth), lives[met[0].name], met[0].settings.endpoint)
        packet = teller.seal(codec.encode_content(header, (told,)), stream=True)
        machine.deliver(packet, header.endpoint)


def _written(disk: Disk, records: Sequence[Record]) -> Disk:
    """The disk, with those records as well."""
    disk.open()
    disk.write([Persist(tuple(records), (), Durability.HOST)])
    disk.close()
    return disk


def _shares(pools: Sequence[Pool], owners: Sequence[Peer]) -> Iterator[Owned]:
    """Every range of every pool, in shares as even as can be."""
    count = len(owners)
    for pool in pools:
        for one in pool.ranges:
            cuts = [one.range.start + one.range.size * number // count for number in range(count + 1)]
            for owner, start, stop in zip(owners, cuts, cuts[1:], strict=False):
                if start < stop:
                    run = Run(start, stop, Token(0, 1), owner, owner)
                    yield Owned(RingId(pool.network, one.family), run)
