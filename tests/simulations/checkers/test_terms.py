"""A daemon that lets go of something before its time is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulations.checkers.base import Checker
from simulations.checkers.terms import Terms

Tell = Callable[[Checker, str], list[str]]

HELD = "ask 1 n1 a; given 1 10.0.0.1 for=9; "

FOUND = {
    "at once": HELD + "look n1",
    "just before its end": HELD + "at 8.9; look n1 has=b",
    "renewed in time": HELD + "at 8; ask 2 n1 a; given 2 10.0.0.1 for=9; at 16.9; look n1",
    "made shorter": HELD + "ask 2 n1 a; given 2 10.0.0.1 for=3; look n1",
    "after the daemon died": HELD + "down n1; look n1",
    "giving back was refused": HELD + "back 2 n1 a; refused 2 not-ready; look n1",
}
FINE = {
    "it is there": HELD + "look n1 has=a,b; at 8.9; look n1 has=a",
    "its time may be over": HELD + "at 9; look n1",
    "by any clock": "ask 1 n1 a; given 1 10.0.0.1 for=0; look n1",
    "made shorter, and over": HELD + "ask 2 n1 a; given 2 10.0.0.1 for=3; at 5.1; look n1",
    "renewed too late": HELD + "at 8; ask 2 n1 a; vanished 2; look n1",
    "for ever, which others judge": "ask 1 n1 a; given 1 10.0.0.1; look n1",
    "durable, it may be elsewhere": "ask 1 n1 a durable; given 1 10.0.0.1 for=9; look n1",
    "nobody looks there": HELD + "look n2",
    "it is being given back": HELD + "back 2 n1 a; look n1",
    "its pod went with the power": HELD + "emptied n1; look n1",
    "the disk was lost": HELD + "forgot n1; look n1",
}


@pytest.mark.parametrize("story", FOUND.values(), ids=FOUND)
def test_what_is_let_go_before_its_time_is_found(tell: Tell, story: str) -> None:
    """The key surely holds something, and its daemon does not show it: one violation."""
    (text,) = tell(Terms(), story)

    assert text.startswith("n1 has let go what a holds until ")


@pytest.mark.parametrize("story", FINE.values(), ids=FINE)
def test_what_may_be_over_is_fine(tell: Tell, story: str) -> None:
    """Nobody is accused of what was held long enough, was given back, or is nobody's to hold."""
    assert tell(Terms(), story) == []
