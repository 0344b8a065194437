"""Answers that do not come, or are wrong when all is well, are found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ring.ring import Peer
from simulations.checkers.base import Checker
from simulations.checkers.liveness import ANSWER_S, EXCUSES, Liveness
from simulations.facts import Asked, Observed, View

Tell = Callable[[Checker, str], list[str]]

WAITS = "at 1; ask 1 n1 a; "
LATE = f"at {ANSWER_S + 1.1}; look n1 n2; "

FOUND = {
    "not answered": WAITS + LATE,
    "giving back is not answered": "at 1; back 1 n1 a; " + LATE,
    "not answered, as was seen twice": WAITS + LATE + LATE,
    "not answered, while others were": WAITS + "ask 2 n1 b; given 2 10.0.0.1; " + LATE,
    "refused when all is settled": "look n1 settled; ask 1 n1 a; refused 1 not-ready",
    "giving back is refused when all is settled": "look n1 settled; back 1 n1 a; refused 1 overloaded",
    "refused later": "look n1 settled; look n1; ask 1 n1 a; refused 1 not-ready",
    "refused, and settled twice": "look n1 settled; ask 1 n1 a; look n1 settled; refused 1 not-ready",
}
FINE = {
    "not answered yet": WAITS + f"at {ANSWER_S + 1}; look n1",
    "answered in time": WAITS + "given 1 10.0.0.1; " + LATE,
    "the client has gone": WAITS + "vanished 1; " + LATE,
    "the daemon does not show anything": WAITS + f"at {ANSWER_S + 2}; look n2",
    "refused before all is settled": WAITS + "refused 1 not-ready; look n1 settled",
    "asked before all is settled": WAITS + "look n1 settled; refused 1 not-ready",
    "nobody waits for the refusal": "look n1 settled; ask 1 n1 a; vanished 1; refused 1 not-ready",
    "given when all is settled": "look n1 settled; ask 1 n1 a; given 1 10.0.0.1",
}


@pytest.mark.parametrize("story", FOUND.values(), ids=FOUND)
def test_what_is_not_answered_is_found(tell: Tell, story: str) -> None:
    """A request waits for too long, or is refused without need: one violation."""
    (text,) = tell(Liveness(), story)

    assert "n1" in text


@pytest.mark.parametrize("story", FINE.values(), ids=FINE)
def test_what_has_time_is_fine(tell: Tell, story: str) -> None:
    """Nobody is accused who still has time, or was in trouble when he was asked."""
    assert tell(Liveness(), story) == []


@pytest.mark.parametrize("reason", sorted(EXCUSES))
def test_some_refusals_are_right(tell: Tell, reason: str) -> None:
    """When all is settled a request may still be refused, where nothing is left or it is wrong itself."""
    assert tell(Liveness(), f"look n1 settled; ask 1 n1 a; refused 1 {reason}") == []


def test_every_late_request_is_found(tell: Tell) -> None:
    """Of those that wait, all that wait too long are found, and no others."""
    found = tell(
        Liveness(), f"at 1; ask 1 n1 a; ask 2 n2 b; at 10; ask 3 n1 c; at {ANSWER_S + 5}; look n1 n2"
    )

    assert [text.split()[4] for text in found] == ["a", "b"]


def test_another_life_owes_nothing(view: Callable[..., View]) -> None:
    """What an earlier life of the daemon was asked, nobody can answer."""
    liveness = Liveness()
    list(liveness.hear(Asked(0.0, 1, "n1", Peer("n1", 7), "a", give=True)))

    assert list(liveness.hear(Observed(100.0, {"n1": view("n1")}))) == []
