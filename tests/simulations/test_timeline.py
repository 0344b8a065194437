"""Virtual time passes only from one event to the next."""

from __future__ import annotations

from simulations.timeline import Timeline


def test_events_happen_in_the_order_of_their_times() -> None:
    """Whatever the order in which they were planned; at one time, in that order."""
    timeline, happened = Timeline(), list[str]()
    for when, what in ((2.0, "c"), (1.0, "a"), (2.0, "d"), (1.0, "b")):
        timeline.at(when, happened.append, what)

    timeline.run(2.0)

    assert happened == ["a", "b", "c", "d"]
    assert timeline.events_count == 4


def test_time_is_that_of_the_event() -> None:
    """While an event happens it is its time, and afterwards the time until which to run."""
    timeline, times = Timeline(), list[float]()
    timeline.after(1.5, lambda: times.append(timeline.now))

    timeline.run(4.0)

    assert times == [1.5]
    assert timeline.now == 4.0


def test_what_is_due_later_waits() -> None:
    """An event at the end is done, one after it is not yet."""
    timeline, happened = Timeline(), list[str]()
    timeline.at(1.0, happened.append, "on time")
    timeline.at(1.0001, happened.append, "later")
    timeline.run(1.0)

    assert happened == ["on time"]
    timeline.run(2.0)
    assert happened == ["on time", "later"]


def test_what_is_planned_for_the_past_happens_now() -> None:
    """Time never goes back, not even for who plans too late or runs to an earlier time."""
    timeline, times = Timeline(), list[float]()
    timeline.run(5.0)
    timeline.at(1.0, lambda: times.append(timeline.now))
    timeline.run(3.0)
    assert times == []

    timeline.run(5.0)

    assert times == [5.0]
    assert timeline.now == 5.0


def test_events_may_plan_events() -> None:
    """What an event plans within the time that is run happens too, also at once."""
    timeline, happened = Timeline(), list[float]()

    def again(delay_s: float) -> None:
        happened.append(timeline.now)
        if len(happened) < 4:
            timeline.after(delay_s, again, delay_s)

    timeline.after(0.0, again, 0.0)
    timeline.after(1.0, again, 0.5)
    timeline.run(10.0)

    assert happened == [0.0, 0.0, 0.0, 0.0, 1.0]
