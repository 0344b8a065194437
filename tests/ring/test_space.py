"""Free space, against a double that keeps the state of each address."""

from __future__ import annotations

import math

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ring.address import Family, Range
from ring.space import Space, largest_block

SIZE = 32
COOLDOWN_S = 10.0

ranges = st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE)).map(
    lambda pair: Range(pair[0], min(pair[0] + pair[1], SIZE))
)
sizes = st.sampled_from((1, 2, 4, 8))
withins = st.lists(ranges, max_size=2).map(tuple)


class SpaceMachine(RuleBasedStateMachine):
    """Every address is away, free, taken, or cooling since some time."""

    lowest_first = False

    def __init__(self) -> None:
        super().__init__()
        self.space = Space(COOLDOWN_S, lowest_first=self.lowest_first)
        self.state: dict[int, str | float] = dict.fromkeys(range(SIZE), "away")
        self.now = 0.0
        self.noted: dict[int, Range] = {}

    def those(self, what: Range, *states: str) -> list[int]:
        """The addresses of a range in some states; `cooling` is any time."""
        return [
            at
            for at in range(what.start, what.stop)
            if ("cooling" if isinstance(self.state[at], float) else self.state[at]) in states
        ]

    def fitting(self, size: int, within: tuple[Range, ...], *states: str) -> list[int]:
        """Where an aligned block in some states could start."""
        return [
            start
            for start in range(0, SIZE, size)
            if len(self.those(Range(start, start + size), *states)) == size
            and (not within or any(one.covers(Range(start, start + size)) for one in within))
        ]

    def take(self, what: Range, state: str) -> None:
        """All of a range is in one state now."""
        for at in range(what.start, what.stop):
            self.state[at] = state

    @rule(what=ranges)
    def add(self, what: Range) -> None:
        """Ranges that are away become free."""
        for at in self.those(what, "away"):
            self.space.add(Range(at, at + 1))
            self.state[at] = "free"

    @rule(what=ranges)
    def remove(self, what: Range) -> None:
        """Whatever is free or cooling goes, and is named."""
        gone = {at for one in self.space.remove(what) for at in range(one.start, one.stop)}

        assert gone == set(self.those(what, "free", "cooling"))
        for at in gone:
            self.state[at] = "away"

    @rule(size=sizes, within=withins, cooling=st.booleans(), put_back=st.booleans())
    def allocate(self, size: int, within: tuple[Range, ...], cooling: bool, put_back: bool) -> None:
        """A block is found if and only if there is one; cooling ones only if nothing is free."""
        free = self.fitting(size, within, "free")
        lowest = self.space.lowest(size, within)
        block, until = self.space.allocate_block(size, within), None
        assert (Range(free[0], free[0] + size) if free else None) == lowest
        assert block == lowest or not self.lowest_first
        early = self.space.allocate_early(size, within) if block is None and cooling else None
        if early is not None:
            until, block = early
            assert [until] * size == [self.state[at] for at in range(block.start, block.stop)]
        if block is None:
            assert free == []
            if size == 1 and cooling:
                assert self.fitting(size, within, "cooling") == []
            return
        assert size == block.size
        assert block.start in (free or self.fitting(size, within, "cooling"))
        if until is not None and put_back:
            self.space.rest_on(block, until)
        else:
            self.take(block, "taken")

    @rule(size=sizes, within=withins)
    def donate(self, size: int, within: tuple[Range, ...]) -> None:
        """What is given is aligned, free, inside, and half of the largest block or what was asked for."""
        lowest = self.space.lowest(size, within)
        block = self.space.donate(size, within)
        free = self.fitting(size, within, "free")
        if block is None:
            assert free == []
            return
        if self.lowest_first:
            assert block == lowest
            self.take(block, "away")
            return
        assert block.size >= size
        assert block.start % block.size == 0
        assert len(self.those(block, "free")) == block.size
        assert not within or any(one.covers(block) for one in within)
        largest = max(each for each in (1, 2, 4, 8, 16, 32) if self.fitting(each, within, "free"))
        assert max(size, largest // 2) == block.size
        self.take(block, "away")

    @precondition(lambda self: "taken" in self.state.values())
    @rule(data=st.data(), size=st.integers(1, 8))
    def release(self, data: st.DataObject, size: int) -> None:
        """Taken addresses rest."""
        start = data.draw(st.sampled_from(self.those(Range(0, SIZE), "taken")))
        stop = min(start + size, SIZE)
        if len(self.those(Range(start, stop), "taken")) < stop - start:
            stop = start + 1
        self.space.release(Range(start, stop), self.now)
        for at in range(start, stop):
            self.state[at] = self.now + COOLDOWN_S

    @rule()
    def note(self) -> None:
        """Whoever follows what changes knows just what rests."""
        for start, what in self.space.rests_changed():
            self.noted.pop(start, None)
            self.noted |= {} if what is None else {start: what}

        assert sorted(self.noted.values()) == sorted(self.space.cooling_ranges())
        assert self.space.rests_changed() == []

    @rule(seconds=st.sampled_from((0.0, 1.0, 9.5, 10.0)))
    def thaw(self, seconds: float) -> None:
        """What has rested is free, and nothing else."""
        self.now += seconds
        thawed = {at for one in self.space.thaw(self.now) for at in range(one.start, one.stop)}
        due = {at for at, state in self.state.items() if isinstance(state, float) and state <= self.now}

        assert due == thawed
        for at in thawed:
            self.state[at] = "free"

    @invariant()
    def counts(self) -> None:
        """Counts and intervals say what the double says."""
        free = self.those(Range(0, SIZE), "free")
        cooling = [state for state in self.state.values() if isinstance(state, float)]

        assert len(free) == self.space.free_count
        assert len(cooling) == self.space.cooling_count
        assert min(cooling, default=math.inf) == self.space.thaw_at
        assert free == [at for one in self.space.free_ranges() for at in range(one.start, one.stop)]


class LowestFirstMachine(SpaceMachine):
    """The same where the lowest address goes first, to whomever, and no more than is asked for."""

    lowest_first = True


TestSpaceMachine = SpaceMachine.TestCase
TestLowestFirstMachine = LowestFirstMachine.TestCase


def test_next_fit_goes_round() -> None:
    """An address that was given back is not the next one given; the cursor goes on, and round at the end."""
    space = Space(0)
    space.add(Range(10, 13))
    first = space.allocate()
    space.release(Range(10, 11), 0.0)

    assert first == 10
    assert [11, 12, 10, None] == [space.allocate() for _ in range(4)]


def test_the_lowest_first_starts_again_at_the_bottom() -> None:
    """An address that was given back is the next one given, to a key or another owner; looking takes none."""
    space = Space(0, lowest_first=True)
    space.add(Range(10, 20))
    assert [10, 11, 12] == [space.allocate() for _ in range(3)]
    space.release(Range(11, 12), 0.0)

    assert Range(11, 12) == space.lowest()
    assert Range(11, 12) == space.donate(1)
    assert Range(14, 16) == space.allocate_block(2, [Range(18, 20), Range(13, 17)])
    assert 13 == space.allocate()


def test_a_cooling_address_is_the_last_resort() -> None:
    """With nothing free, the address that has rested longest is taken, and only when asked for."""
    space = Space(60)
    for at in (5, 3, 9):
        space.release(Range(at, at + 1), float(at))

    assert space.allocate() is None
    assert [(65.0, 5), (63.0, 3), (69.0, 9)] == [
        (until, block.start) for until, block in filter(None, (space.allocate_early(1) for _ in range(4)))
    ]
    assert math.inf == space.thaw_at


def test_a_donor_keeps_what_it_is_about_to_use() -> None:
    """Half of the largest block goes, its upper half; with two alike the one behind the cursor goes."""
    space = Space(0)
    space.add(Range(0, 256))
    first = space.donate(1)
    second = space.donate(1)

    assert (Range(128, 256), Range(64, 128)) == (first, second)
    assert space.allocate() == 0


def test_a_donation_is_at_least_what_was_asked_for() -> None:
    """A block as large as the largest is given whole; a larger one is not found."""
    space = Space(0)
    space.add(Range(0, 16))

    assert space.donate(32) is None
    assert Range(0, 16) == space.donate(16)
    assert (None, 0) == (space.donate(1), space.free_count)


@pytest.mark.parametrize("family", list(Family))
def test_whole_families_cost_one_interval(family: Family) -> None:
    """All of IPv4 or IPv6 is one interval; its first and last address can be allocated."""
    space = Space(0)
    space.add(Range(0, family.size))

    assert space.allocate() == 0
    assert family.size - 1 == space.allocate([Range(family.size - 1, family.size)])
    assert (Range(1, family.size - 1),) == space.free_ranges()
    assert family.size // 8 == space.donate(1).size  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("what", "block"),
    [
        (Range(0, 1), Range(0, 1)),
        (Range(7, 9), Range(8, 9)),
        (Range(1, 8), Range(4, 8)),
        (Range(5, 11), Range(8, 10)),
        (Range(0, 1 << 128), Range(0, 1 << 128)),
    ],
)
def test_largest_block(what: Range, block: Range) -> None:
    """The largest aligned block is found, the last of several."""
    assert block == largest_block(what)


def test_adding_what_is_free_is_a_programmers_error() -> None:
    """An address is never free twice."""
    space = Space(0)
    space.add(Range(4, 8))

    for what in (Range(4, 5), Range(0, 20), Range(7, 9), Range(3, 5)):
        with pytest.raises(AssertionError):
            space.add(what)


def test_a_donor_keeps_the_half_with_its_cursor() -> None:
    """When the cursor is in the upper half of the largest block, the lower half goes."""
    space = Space(0)
    space.add(Range(0, 16))
    for _ in range(9):
        space.allocate()
    space.release(Range(0, 9), 0.0)

    assert Range(0, 8) == space.donate(1)
    assert space.allocate() == 9
