"""The requests that have no answer yet."""

from __future__ import annotations

import pytest

from ring.address import Family, Range
from ring.ring import Peer
from simulations.checkers.base import Questions, shown
from simulations.facts import Asked, Down, Fact, Given, Refused, Taken, Vanished
from weaveipam.protocol.values import RingId


def ask(request: int) -> Asked:
    """A request."""
    return Asked(float(request), request, "n1", Peer("n1", 1), "a", give=True)


@pytest.mark.parametrize(
    "end", [Given(9.0, 1, ()), Taken(9.0, 1, ()), Refused(9.0, 1, "exhausted", ""), Vanished(9.0, 1)]
)
def test_a_question_is_open_until_it_ends(end: Fact) -> None:
    """Whatever ends it tells which it was, once; the others stay open, in their order."""
    questions = Questions()
    for fact in (ask(3), ask(1), ask(2), Down(4.0, "n1")):
        assert questions.hear(fact) is None

    assert questions.hear(end) == ask(1)
    assert questions.hear(end) is None
    assert list(questions) == [ask(3), ask(2)]


def test_addresses_are_shown_with_their_network() -> None:
    """A range of a ring is shown as a person reads it."""
    assert shown((RingId("blue", Family.V4), Range(1, 3))) == "0.0.0.1-0.0.0.2 of blue"
