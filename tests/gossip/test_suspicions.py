"""The time that suspects have; what it goes by is tested with the paper that it is from."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from weaveipam.gossip.settings import GossipSettings
from weaveipam.gossip.suspicions import Suspicions

SETTINGS = GossipSettings()
LEAST, MOST = SETTINGS.suspicion_s(100, 3), SETTINGS.suspicion_s(100, 0)


def suspicions(*names: str) -> Suspicions:
    """Suspicions of these in a cluster of 100, one from each second on from 0 s."""
    made = Suspicions(SETTINGS)
    for at, name in enumerate(names):
        made.begin(name, "accuser", 100, at)
    return made


def test_without_suspects_there_is_no_deadline() -> None:
    """Nothing is due while nobody is suspected."""
    assert suspicions().wake_at == math.inf
    assert suspicions().due(1e9, ill=False) == []


def test_suspects_are_due_in_the_order_of_their_deadlines() -> None:
    """Each is named once, when its time is up."""
    made = suspicions("a", "b", "c")
    made.conclude("c", 1.0)

    assert made.wake_at == 2 + LEAST
    assert made.due(MOST, ill=False) == ["c", "a"]
    assert made.wake_at == 1 + MOST
    assert made.due(1e9, ill=False) == ["b"]
    assert len(made) == 0


def test_an_end_is_an_end() -> None:
    """A suspicion that has ended is neither due nor confirmed."""
    made = suspicions("a", "b")
    made.end("a")
    made.end("unknown")

    assert not made.confirm("a", "other", 1.0)
    assert made.due(1e9, ill=False) == ["b"]


def test_a_new_suspicion_has_all_its_time() -> None:
    """A suspect that is suspected anew has the most again, and its accusers count again."""
    made = suspicions("a")
    for accuser in "xyz":
        made.confirm("a", accuser, 1.0)
    made.begin("a", "x", 100, 5.0)

    assert made.wake_at == 5.0 + MOST
    assert made.confirm("a", "accuser", 1.0)


def test_an_unnamed_accuser_confirms_nothing() -> None:
    """Who does not say who accuses counts for none, and the first that is named is no confirmation."""
    made = Suspicions(SETTINGS)
    made.begin("a", "", 100, 0.0)

    assert not made.confirm("a", "", 1.0)
    assert made.confirm("a", "x", 1.0)
    assert made.wake_at == MOST

    made.confirm("a", "y", 1.0)

    assert made.wake_at == SETTINGS.suspicion_s(100, 1)


def test_postponing_keeps_the_order() -> None:
    """After a stall all suspects have that much longer, those too that are confirmed later."""
    made = suspicions("a", "b")
    made.postpone(100.0, 200.0)

    assert made.wake_at == 100.0 + MOST

    made.conclude("b", 1.0)

    assert made.wake_at == 101.0 + LEAST


def test_a_late_confirmation_makes_no_missed_deadline() -> None:
    """When the shorter time is over already the suspect is due now, not in the past."""
    made = suspicions("a")
    for accuser in "xyz":
        made.confirm("a", accuser, MOST - 1)

    assert made.wake_at == MOST - 1
    assert made.due(MOST - 1, ill=False) == ["a"]


def test_the_ill_wait_longer() -> None:
    """While this daemon is ill a suspect has the most, whoever confirms it."""
    made = suspicions("a")
    made.conclude("a", 1.0)
    now = 0.0
    seen: list[str] = []
    while not seen:
        now = made.wake_at
        seen = made.due(now, ill=True)

    assert seen == ["a"]
    assert MOST <= now < MOST + SETTINGS.probe_interval_s


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "confirm", "end", "conclude"]),
        st.sampled_from("abcd"),
        st.sampled_from("xyz"),
    )
)


@given(STEPS)
@settings(max_examples=50, deadline=None)  # a shared machine may be slow now and then
def test_the_next_deadline_is_the_least(steps: list[tuple[str, str, str]]) -> None:
    """Whatever happened, the next deadline is that of a suspect there is, and all become due by and by."""
    made, running = suspicions(), set()
    for at, (what, name, accuser) in enumerate(steps):
        if what == "begin":
            made.begin(name, accuser, 100, at)
            running.add(name)
        elif what == "confirm":
            made.confirm(name, accuser, 1.0)
        elif what == "conclude":
            made.conclude(name, at)
        else:
            made.end(name)
            running.discard(name)
    due: list[str] = []
    while made.wake_at < math.inf:
        before = made.wake_at
        due += made.due(before, ill=False)
        assert made.wake_at > before

    assert sorted(due) == sorted(running)


def test_outdated_deadlines_do_not_pile_up() -> None:
    """A member that is suspected again and again costs no more memory than one."""
    made = suspicions()
    for at in range(10_000):
        made.begin("a", "x", 100, at)
        made.end("a")

    assert len(made._deadlines) < 100
