"""What a node has, and that its disk remembers all of it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range
from ring.invariants import violations
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.leasing import Leasing
from weaveipam.allocation.lending import forget_holder, lend
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.records import Leased, Lent, Record, RecordKey, Resting
from weaveipam.protocol.values import Allocation, Assigned, Birth, Loan, Pool, PoolRange, RingId

ME, OTHER = Peer("me", 1), Peer("other", 1)
V4 = RingId("default", Family.V4)
BLUE = Part("blue", V4)
SIZE = 32
BIRTH = Birth(
    bytes(16),
    (ME, OTHER),
    (Pool("blue", "default", (PoolRange(Family.V4, Range(0, SIZE), 27, None, (Range(0, 1),)),)),),
)
SETTINGS = AllocationSettings(cooldown_s=10.0, coalesce_s=1.0)

actions = st.lists(st.tuples(st.integers(0, 7), st.integers(0, SIZE - 1), st.integers(1, 8)), max_size=30)


class World:
    """Holdings, and a disk that does as it is told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.disk: dict[RecordKey, Record] = {}
        self.holdings = Holdings(ME, SETTINGS)
        self.persist(self.holdings.adopt(BIRTH))

    def persist(self, steps: Iterable[object]) -> None:
        """Perform what is to be remembered."""
        for step in steps:
            if isinstance(step, Persist):
                for key in step.delete:
                    self.disk.pop(key, None)
                self.disk.update((record.record_key, record) for record in step.put)

    def act(self, kind: int, at: int, size: int) -> None:
        """One thing that may happen; nothing if it cannot here."""
        holdings = self.holdings
        self.now += 1.0
        match kind:
            case 0 | 1 | 6:
                block = 1 << (size.bit_length() - 1) if kind == 6 else 1
                what = Leasing(holdings).take(BLUE, block, (), cooling=kind != 0)
                if what is not None:
                    one = holdings.pools.assigned(V4, what.range)
                    self.persist(
                        [
                            Leasing(holdings).lease(
                                Allocation(f"k{self.now}", "default", (one,), durable=False)
                            )
                        ]
                    )
            case 2:
                held = holdings.leases.at(V4, at)
                self.persist(Leasing(holdings).give_back([held] if held else [], self.now))
            case 3:
                self.persist(holdings.thaw(self.now))
                self.persist(holdings.tidy(self.now))
            case 4 | 7:
                within = [Range(at, min(at + size, SIZE))]
                given = holdings.pools.stocks[BLUE].space.donate(1, within, cooling=kind == 7)
                if given is not None:
                    self.persist([holdings.give_away(V4, given, OTHER).persist])
            case _:
                run = holdings.rings[V4].at(at)
                if run is not None and run.owner == OTHER:
                    stop = min(at + size, run.stop)
                    granted = Run(at, stop, Token(0, run.token.epoch + 1), ME, OTHER)
                    change = holdings.merge(V4, Ring.of([granted]))
                    self.persist([change.persist, *holdings.settle(change, self.now)])

    def taken(self, what: Range) -> Assigned:
        """An aligned block of which all is free, or resting, here; it is not any more."""
        taken = Leasing(self.holdings).take(BLUE, what.size, [what], cooling=True)
        assert taken is not None
        assert taken.range == what
        return self.holdings.pools.assigned(V4, what)

    def rests(self) -> set[Range]:
        """What rests by the records on the disk."""
        return {record.range for record in self.disk.values() if isinstance(record, Resting)}

    def restored(self) -> Holdings:
        """What a daemon that starts now would have."""
        again = Holdings(ME, SETTINGS)
        assert again.restore(BIRTH, BIRTH.pools, tuple(self.disk.values()), self.now) == []
        return again


def addresses(ranges: Iterable[Range]) -> set[int]:
    """The addresses of ranges."""
    return {at for one in ranges for at in range(one.start, one.stop)}


def resting(holdings: Holdings) -> set[int]:
    """What is cooling; found by taking a look far ahead, so the last use of these holdings."""
    return addresses(holdings.pools.stocks[BLUE].space.thaw(float("inf")))


@given(actions)
def test_the_disk_remembers_everything(todo: list[tuple[int, int, int]]) -> None:
    """After any life a restart has the same ring, leases, free and cooling addresses, and they add up."""
    world = World()
    for action in todo:
        world.act(*action)
    holdings, again = world.holdings, world.restored()
    stock, other = holdings.pools.stocks[BLUE], again.pools.stocks[BLUE]

    assert violations(holdings.rings[V4], [Range(0, SIZE)]) == []
    assert stock.owned == stock.used + stock.space.free_count + stock.space.cooling_count
    assert holdings.rings[V4] == again.rings[V4]
    assert list(holdings.leases) == list(again.leases)
    assert (stock.owned, stock.used) == (other.owned, other.used)
    assert stock.space.free_ranges() == other.space.free_ranges()
    assert world.rests() == set(stock.space.cooling_ranges())
    assert resting(holdings) == resting(again)


def test_what_is_left_of_a_block_rests_on_after_a_restart() -> None:
    """Where a part of a resting block is leased, or given away, the disk still remembers the others."""
    world = World()
    for block in (Range(4, 8), Range(8, 12), Range(12, 16)):
        held = Allocation(f"k{block.start}", "default", (world.taken(block),), durable=False)
        world.persist([Leasing(world.holdings).lease(held)])
        world.persist(Leasing(world.holdings).give_back([held], 1.0))
    part = Allocation("part", "default", (world.taken(Range(4, 6)),), durable=False)
    world.persist([Leasing(world.holdings).lease(part)])
    given = world.holdings.pools.stocks[BLUE].space.donate(2, [Range(10, 12)], cooling=True)
    assert given is not None
    world.persist([world.holdings.give_away(V4, given, OTHER).persist])
    world.persist([world.holdings.merge(V4, Ring.of([Run(13, 15, Token(1, 0), OTHER, OTHER)])).persist])
    left = {Range(6, 8), Range(8, 10), Range(12, 13), Range(15, 16)}

    assert left == world.rests()
    assert addresses(left) == resting(world.restored())


def test_a_disk_that_says_too_much_is_mended() -> None:
    """Of records that say more than what can rest here, the disk remembers what does."""
    world = World()
    held = Allocation("k", "default", (world.taken(Range(4, 6)),), durable=False)
    world.persist([Leasing(world.holdings).lease(held)])
    said = Resting(V4, Range(4, 12))
    world.disk[said.record_key] = said
    again = world.restored()
    world.persist([again.note_rests()])

    assert world.rests() == {Range(6, 12)}
    assert again.note_rests() is None


@given(actions)
def test_another_life_has_nothing_but_leases(todo: list[tuple[int, int, int]]) -> None:
    """After any life another one owns, rests and freezes nothing, and keeps all leases as foreign ones."""
    world = World()
    for action in todo:
        world.act(*action)
    world.persist([Persist((), world.holdings.of_this_life(), Durability.HOST)])
    again = Holdings(Peer("me", 2), SETTINGS)
    assert again.restore(BIRTH, BIRTH.pools, tuple(world.disk.values()), world.now) == []
    stock = again.pools.stocks[BLUE]

    assert {"Owned", "Leased"}.issuperset(key.kind for key in world.disk)
    assert list(world.holdings.leases) == list(again.leases)
    assert (0, 0, 0) == (stock.owned, stock.space.free_count, stock.space.cooling_count)
    assert Leasing(again).give_back(again.leases, world.now) or not world.holdings.leases
    assert (0, 0) == (stock.used, stock.space.cooling_count)


def test_another_life_forgets_what_is_frozen() -> None:
    """What two owned with one token is nothing to a life that owns nothing."""
    world = World()
    for start in (4, 6):  # overlapping, so that what is frozen is not what the records say one by one
        clash = Ring.of([Run(start, start + 4, Token(0, 0), OTHER, OTHER)])
        change = world.holdings.merge(V4, clash)
        world.persist([change.persist, *world.holdings.settle(change, 1.0)])
    frozen = {key for key in world.disk if key.kind == "Frozen"}

    assert len(frozen) > 1
    assert frozen == set(world.holdings.of_this_life())


def contested(other: Peer = OTHER) -> tuple[World, list[object]]:
    """A leased address that somebody else claims with the very token of its owner."""
    world = World()
    world.act(0, 0, 0)
    (held,) = world.holdings.leases
    at = held.addresses[0].range.start
    clash = Ring.of([Run(at, at + 1, Token(0, 0), other, other)])
    change = world.holdings.merge(V4, clash)
    return world, [*world.holdings.settle(change, 1.0)]


def test_two_owners_freeze_exactly_the_addresses() -> None:
    """An address that two own with one token is reported, and never handed out again, released or not."""
    world, steps = contested()
    (held,) = world.holdings.leases
    at = held.addresses[0].range.start
    world.persist(Leasing(world.holdings).give_back([held], 1.0))
    world.persist(world.holdings.thaw(100.0))

    assert "two-owners" in {getattr(step, "event", "") for step in steps}
    assert len(world.holdings.contests) >= 1
    assert at not in addresses(world.holdings.pools.stocks[BLUE].space.free_ranges())


def test_what_a_removed_life_claimed_or_held_is_free_again() -> None:
    """A decision that a peer is over ends its contests and loans, also on disk; what is leased here stays."""
    lesser = Peer("left", 1)  # so that this node has it by the order of equal statements
    world, _ = contested(lesser)
    (held,) = world.holdings.leases
    at = held.addresses[0].range.start
    world.persist([lend(world.holdings, [Lent(Loan(V4, Range(6, 7), "k"), lesser)])])
    for other in (OTHER, Peer("left", 0)):
        world.persist(forget_holder(world.holdings, other, 1.0))
    assert (len(world.holdings.contests), len(world.holdings.loans)) == (1, 1)
    world.persist(forget_holder(world.holdings, lesser, 1.0))
    world.persist(world.holdings.thaw(100.0))
    again = world.restored()

    assert (len(again.contests), len(again.loans)) == (0, 0)
    for holdings in (world.holdings, again):
        free = addresses(holdings.pools.stocks[BLUE].space.free_ranges())
        assert 6 in free
        assert at not in free
    world.persist(Leasing(world.holdings).give_back([held], 100.0))
    assert at in resting(world.holdings)


def test_a_restart_remembers_what_is_frozen() -> None:
    """Addresses that two own stay out of use when the daemon starts again, and the status says so."""
    world = World()
    clash = Ring.of([Run(4, 8, Token(0, 0), OTHER, OTHER)])
    change = world.holdings.merge(V4, clash)
    world.persist([change.persist, *world.holdings.settle(change, 1.0)])
    again = world.restored()

    free = addresses(again.pools.stocks[BLUE].space.free_ranges())
    assert free.isdisjoint(range(4, 8))
    assert len(again.contests) == 1
    assert world.holdings.merge(V4, clash).persist is None


def test_a_loss_is_told_and_leaves_the_lease() -> None:
    """Addresses taken by a higher token are no longer handed out; who has one keeps it until released."""
    world = World()
    world.act(0, 0, 0)
    (held,) = world.holdings.leases
    change = world.holdings.merge(V4, Ring.of([Run(0, SIZE, Token(1, 0), OTHER, OTHER)]))
    events = {getattr(step, "event", "") for step in world.holdings.settle(change, 1.0)}
    stock = world.holdings.pools.stocks[BLUE]

    assert "ownership-lost" in events
    assert [held] == list(world.holdings.leases)
    assert (0, 0) == (stock.owned, stock.space.free_count)
    world.persist(Leasing(world.holdings).give_back([held], 2.0))
    assert (0, 0) == (stock.used, stock.space.cooling_count)


def test_an_address_that_comes_back_in_use_is_not_free() -> None:
    """A foreign address that is owned here again stays with its user."""
    world = World()
    world.act(0, 0, 0)
    (held,) = world.holdings.leases
    at = held.addresses[0].range.start
    for generation, owner in ((1, OTHER), (2, ME)):
        world.holdings.merge(V4, Ring.of([Run(0, SIZE, Token(generation, 0), owner, owner)]))

    free = addresses(world.holdings.pools.stocks[BLUE].space.free_ranges())
    assert set(range(1, SIZE)) - {at} == free


def test_a_lease_whose_ranges_are_not_on_disk_yet_stays_leased() -> None:
    """Restored before its share of the birth is on disk, a node does not take what it has leased for free."""
    held = Allocation("k", "default", (Assigned("blue", Family.V4, Range(3, 4), 27, None),), durable=False)
    holdings = Holdings(ME, SETTINGS)
    holdings.restore(BIRTH, BIRTH.pools, [Leased(held)], 0.0)
    taken = [Leasing(holdings).take(BLUE, 1, (), cooling=True) for _ in range(SIZE)]

    assert held == holdings.leases.at(V4, 3)
    assert Range(3, 4) not in {one.range for one in taken if one is not None}


def test_what_was_gained_before_a_restart_is_joined_after_it() -> None:
    """Touching runs of this node become one run, also when it died before it came to that."""
    world = World()
    change = world.holdings.merge(V4, Ring.of([Run(16, 20, Token(0, 1), ME, OTHER)]))
    world.persist([change.persist])
    holdings = world.restored()
    assert [run.stop for _, run in holdings.rings.owned()] == [16, 20]
    world.persist(holdings.tidy(holdings.tidy_at))

    assert [(run.start, run.stop) for _, run in world.restored().rings.owned()] == [(0, 20)]
    assert holdings.tidy_at == world.restored().tidy_at == math.inf
