"""Clocks run at their own pace, and only the wall clock goes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.clock import WALL_EPOCH_S, Clock
from simulations.timeline import Timeline

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("drift", "jump", "set_wall", "pass")),
        st.floats(0.5, 2.0),
    ),
    max_size=20,
)


def test_a_clock_begins_where_it_is_told_to() -> None:
    """Its offset is what it shows at first, and it goes with the time."""
    timeline = Timeline()
    clock = Clock(timeline, offset_s=100.0)
    timeline.run(7.0)

    assert clock.read() == 107.0
    assert clock.wall() == WALL_EPOCH_S + 107.0


@pytest.mark.parametrize(("rate", "shown"), [(1.0, 20.0), (1.5, 25.0), (0.9, 19.0)])
def test_a_clock_may_be_fast_or_slow(rate: float, shown: float) -> None:
    """From the moment on at which its rate changes; what it showed until then stays."""
    timeline = Timeline()
    clock = Clock(timeline)
    timeline.run(10.0)
    clock.drift(rate)
    timeline.run(20.0)

    assert clock.read() == pytest.approx(shown)


def test_a_jump_goes_forward_only() -> None:
    """A monotonic clock may jump ahead, and never back."""
    clock = Clock(Timeline(), offset_s=5.0)
    clock.jump(60.0)
    assert clock.read() == 65.0

    clock.jump(-60.0)

    assert clock.read() == 65.0


def test_the_wall_clock_is_set_either_way() -> None:
    """Setting it leaves the monotonic clock alone."""
    clock = Clock(Timeline())
    clock.set_wall(-3600.0)

    assert clock.wall() == WALL_EPOCH_S - 3600.0
    assert clock.read() == 0.0


@pytest.mark.slow
@given(STEPS, st.floats(0.0, 1e6))
def test_monotonic_and_foreseeable(steps: list[tuple[str, float]], offset_s: float) -> None:
    """Whatever is done to it, it never goes back, and `when` is the time at which it shows something."""
    timeline = Timeline()
    clock = Clock(timeline, offset_s)
    for act, value in steps:
        before = clock.read()
        if act == "pass":
            due = before + value
            timeline.run(clock.when(due))
            assert clock.read() == pytest.approx(due)
        else:
            getattr(clock, act)(value)
        assert clock.read() >= before
