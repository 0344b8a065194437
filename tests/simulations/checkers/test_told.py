"""What a key holds for certain, and which answers say something."""

from __future__ import annotations

import pytest

from ring.address import Family, Range
from ring.ring import Peer
from simulations.checkers.told import Told
from simulations.facts import Asked, Emptied, Fact, Forgot, Given, Refused, Taken, Vanished
from weaveipam.protocol.values import RingId

HOLDER = ("n1", "a")
LIFE = Peer("n1", 1)
GIVEN = ((RingId("default", Family.V4), Range(1, 2)),)


def ask(request: int, *, give: bool = True, key: str = "a") -> Asked:
    """A request of a key at n1."""
    return Asked(float(request), request, "n1", LIFE, key, give)


def told(*facts: Fact) -> Told:
    """What is known after these."""
    known = Told()
    for fact in facts:
        known.hear(fact)
    return known


def test_a_key_holds_what_it_was_given() -> None:
    """From the answer on, and nothing before, nor another key."""
    known = told(ask(1), ask(2, key="b"))

    assert known.addresses(HOLDER) == ()
    known.hear(Given(3.0, 1, GIVEN))
    assert known.addresses(HOLDER) == GIVEN
    assert known.addresses(("n1", "b")) == ()
    assert list(known.holders("n1")) == [HOLDER]
    assert list(known.holders("n2")) == []


def test_it_holds_it_until_it_is_to_be_taken() -> None:
    """Certain is only what nobody has asked to take back; a refusal makes it certain again."""
    known = told(ask(1), Given(2.0, 1, GIVEN), ask(3, give=False))

    assert known.addresses(HOLDER) == ()
    known.hear(Refused(4.0, 3, "not-ready", ""))
    assert known.addresses(HOLDER) == GIVEN


@pytest.mark.parametrize("end", [Taken(9.0, 3, GIVEN), Vanished(9.0, 3)])
def test_it_is_gone_when_it_was_taken(end: Fact) -> None:
    """Once it was taken back, or may have been, nothing is certain."""
    assert told(ask(1), Given(2.0, 1, GIVEN), ask(3, give=False), end).addresses(HOLDER) == ()


def test_what_was_given_for_a_time_is_certain_for_that_long() -> None:
    """It counts from when it was asked for, anew each time; whose time is over is told with the next fact."""
    known = told(ask(1), Given(3.0, 1, GIVEN, held_s=5.0), ask(4), Given(6.0, 4, GIVEN, held_s=5.0))
    known.hear(Vanished(8.9, 7))
    assert (known.addresses(HOLDER), known.ended) == (GIVEN, [])
    known.hear(Vanished(9.0, 7))
    assert (known.addresses(HOLDER), known.ended) == ((), [HOLDER])
    known.hear(Vanished(9.1, 7))
    assert known.ended == []


def test_the_question_is_told_with_what_was_held() -> None:
    """Who answers learns what was asked, and what the key held until then."""
    known = told(ask(1), Given(2.0, 1, GIVEN), ask(3), ask(4, give=False))

    answered = known.hear(Taken(5.0, 4, GIVEN))

    assert answered is not None
    assert (answered.asked, answered.holder, answered.crossed) == (ask(4, give=False), HOLDER, False)
    assert answered.held is not None
    assert (answered.held.addresses, answered.held.since) == (GIVEN, 2.0)


def test_an_answer_counts_once() -> None:
    """A second answer to one request, or one to a request that nobody knows, is none."""
    known = told(ask(1), Vanished(2.0, 1))

    assert known.hear(Given(3.0, 1, GIVEN)) is None
    assert known.hear(Given(3.0, 7, GIVEN)) is None
    assert known.addresses(HOLDER) == ()


@pytest.mark.parametrize(
    "loss", [Emptied(1.5, "n1"), Emptied(1.5, "n1", for_good=True), Forgot(1.5, "n1"), ask(2, give=False)]
)
def test_an_answer_that_crosses_a_loss_says_nothing(loss: Fact) -> None:
    """What is answered after its machine lost something, or a key was to give back, may be over."""
    known = told(ask(1), loss)

    answered = known.hear(Given(3.0, 1, GIVEN))

    assert answered is not None
    assert answered.crossed
    assert known.addresses(HOLDER) == ()


@pytest.mark.parametrize(
    "other", [Emptied(1.5, "n2"), Forgot(1.5, "n2"), ask(2, give=False, key="b"), ask(2)]
)
def test_what_happens_to_others_is_no_loss(other: Fact) -> None:
    """Other machines, other keys, and other requests for the same do not matter."""
    assert told(ask(1), other, Given(3.0, 1, GIVEN)).addresses(HOLDER) == GIVEN
