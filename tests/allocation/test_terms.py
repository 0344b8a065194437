"""When allocations that are given for a time end."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ring.address import Family, Range
from weaveipam.allocation.terms import LOOKS_MAX, STALE_MAX, Terms
from weaveipam.protocol.values import Allocation, Assigned


def allocation(key: str, ttl_s: int | None) -> Allocation:
    """One address for a time, or for ever."""
    return Allocation(
        key, "default", (Assigned("p", Family.V4, Range(0, 1), 24, None),), durable=False, ttl_s=ttl_s
    )


def test_what_is_for_ever_never_ends() -> None:
    """An allocation without a time needs no timer."""
    terms = Terms()
    ever = allocation("k", None)
    terms.add(ever)
    terms.begin(1.0)

    assert (terms.wake_at, terms.left_s(ever, 1e9), len(terms)) == (math.inf, None, 0)
    terms.renew(ever, 2.0)
    terms.remove(ever)
    assert terms.take_over(1e9, 1) == []


def test_a_time_begins_when_it_is_told_to() -> None:
    """As long as it has not begun all of it is left, and somebody has to begin it at once."""
    terms = Terms()
    one = allocation("k", 5)
    terms.add(one)

    assert terms.wake_at == -math.inf
    assert terms.left_s(one, 100.0) == 5.0
    assert terms.take_over(1e9, 1) == []
    terms.begin(100.0)
    assert terms.wake_at == 105.0
    assert terms.left_s(one, 103.0) == 2.0
    assert terms.left_s(one, 106.0) == 0.0


def test_those_who_ended_first_are_told_first() -> None:
    """Of more than are asked for the longest due are told, and each once."""
    terms = Terms()
    for key, ttl_s in (("c", 3), ("a", 1), ("b", 2)):
        terms.add(allocation(key, ttl_s))
    terms.begin(0.0)

    assert terms.take_over(2.5, 1) == [("default", "a")]
    assert terms.wake_at == 2.0
    assert terms.take_over(2.5, 9) == [("default", "b")]
    assert terms.take_over(2.5, 9) == []


def test_timers_of_what_is_over_do_not_pile_up() -> None:
    """Long times that are given back early, again and again, leave no more behind than a few."""
    terms = Terms()
    for number in range(10 * STALE_MAX):
        one = allocation(f"k{number}", 1_000_000)
        terms.add(one)
        terms.begin(float(number))
        terms.renew(one, number + 0.5)
        terms.remove(one)

    assert len(terms._heap) <= STALE_MAX + 1


def test_many_that_were_renewed_are_put_back_a_few_at_a_time() -> None:
    """A look at the next end never costs more than a few steps; until all is in order it is too early."""
    terms = Terms()
    several = [allocation(f"k{number:03}", 10) for number in range(10 * LOOKS_MAX)]
    for one in several:
        terms.add(one)
    terms.begin(0.0)
    for one in several:
        terms.renew(one, 5.0)

    looks = [terms.wake_at for _ in range(11)]
    assert looks == [10.0] * 9 + [15.0] * 2
    assert terms.take_over(14.9, 1000) == []
    assert len(terms.take_over(15.0, 1000)) == len(several)


class Model(RuleBasedStateMachine):
    """Whatever is done, what ends and when is what a plain list of ends would say."""

    keys = st.sampled_from("abcd")

    def __init__(self) -> None:
        super().__init__()
        self.terms = Terms()
        self.now = 0.0
        self.held: dict[str, tuple[Allocation, float | None]] = {}
        """By key the allocation and its end; None: not begun."""

    @rule(key=keys, ttl_s=st.none() | st.integers(1, 5))
    def give(self, key: str, ttl_s: int | None) -> None:
        """A key is given something, or something else."""
        self.take(key)
        one = allocation(key, ttl_s)
        self.terms.add(one)
        self.held[key] = (one, None if ttl_s else math.inf)

    @rule(key=keys)
    def take(self, key: str) -> None:
        """It gives it back."""
        if key in self.held:
            self.terms.remove(self.held.pop(key)[0])

    @rule()
    def begin(self) -> None:
        """All times that have not begun do so."""
        self.terms.begin(self.now)
        self.begun()

    def begun(self) -> None:
        """What the list says then."""
        for key, (one, ends_at) in self.held.items():
            if ends_at is None:
                assert one.ttl_s is not None
                self.held[key] = (one, self.now + one.ttl_s)

    @rule(key=keys)
    def renew(self, key: str) -> None:
        """A key asks again."""
        if key in self.held:
            one, ends_at = self.held[key]
            self.terms.renew(one, self.now)
            if one.ttl_s is not None and ends_at is not None:
                self.held[key] = (one, self.now + one.ttl_s)

    @rule(most=st.integers(1, 3))
    def end(self, most: int) -> None:
        """Who has had its time is told, the longest due first, each once; a few at a time."""
        self.terms.begin(self.now)
        self.begun()
        due = sorted((at, key) for key, (_, at) in self.held.items() if at is not None and at <= self.now)
        found: list[str] = []
        while self.terms.wake_at <= self.now:
            some = [key for _, key in self.terms.take_over(self.now, most)]
            assert len(some) <= most
            found += some
        assert [key for _, key in due] == found
        for key in found:
            self.terms.remove(self.held.pop(key)[0])

    @rule(seconds=st.integers(0, 4))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now += seconds

    @invariant()
    def wakes_in_time(self) -> None:
        """The next moment is exactly that of the next end."""
        ends = [at for _, at in self.held.values()]
        assert self.terms.wake_at == (
            -math.inf if None in ends else min(filter(None, ends), default=math.inf)
        )


TestModel = pytest.mark.slow(Model.TestCase)
TestModel.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
