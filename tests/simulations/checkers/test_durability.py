"""What a daemon gave and has forgotten is found when it is given back, if it had to be remembered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulations.checkers.base import Checker
from simulations.checkers.durability import Durability

Tell = Callable[[Checker, str], list[str]]

HELD = "ask 1 n1 a; given 1 10.0.0.1; "
DURABLE = "ask 1 n1 a durable; given 1 10.0.0.1; "
MISSING = "back 9 n1 a; taken 9; "

LOST = {
    "while its time lasts": "ask 1 n1 a; given 1 10.0.0.1 for=9; at 8; back 9 n1 a; at 8.5; taken 9",
    "while its time lasts, after giving back was refused": (
        "ask 1 n1 a; given 1 10.0.0.1 for=9; back 2 n1 a; refused 2 not-ready; "
        "at 8; back 9 n1 a; at 8.5; taken 9"
    ),
    "nothing is found": HELD + MISSING,
    "another address is found": HELD + "back 9 n1 a; taken 9 10.0.0.2",
    "one of two is found": "ask 1 n1 a; given 1 10.0.0.1 10.0.0.2; back 9 n1 a; taken 9 10.0.0.2",
    "a part of a block is found": "ask 1 n1 a; given 1 10.0.0.0/29; back 9 n1 a; taken 9 10.0.0.0/30",
    "found in another network": HELD + "back 9 n1 a; taken 9 blue:10.0.0.1",
    "after the daemon died": HELD + "down n1; " + MISSING,
    "after another lost its power": HELD + "emptied n2; " + MISSING,
    "after another lost its disk": HELD + "forgot n2; " + MISSING,
    "durable, after the power was lost": DURABLE + "emptied n1; " + MISSING,
    "made durable later, after the power was lost": HELD
    + "ask 2 n1 a durable; given 2 10.0.0.1; emptied n1; "
    + MISSING,
    "durable, asked for again as usual": DURABLE + "ask 2 n1 a; given 2 10.0.0.1; emptied n1; " + MISSING,
    "given again after the power was lost": HELD + "emptied n1; ask 2 n1 a; given 2 10.0.0.1; " + MISSING,
    "after giving back was refused": HELD + "back 2 n1 a; refused 2 not-ready; " + MISSING,
    "while another request of the key waits": HELD + "ask 2 n1 a; " + MISSING,
}
FINE = {
    "its time may have been over": "ask 1 n1 a; given 1 10.0.0.1 for=9; at 8; back 9 n1 a; at 9; taken 9",
    "it is found": HELD + "back 9 n1 a; taken 9 10.0.0.1",
    "more is found": HELD + "back 9 n1 a; taken 9 10.0.0.2 10.0.0.1",
    "nothing was given": MISSING,
    "what was given is unknown": "ask 1 n1 a; vanished 1; " + MISSING,
    "it is given back again": HELD + "back 2 n1 a; taken 2 10.0.0.1; " + MISSING,
    "the first time was never answered": HELD + "back 2 n1 a; vanished 2; " + MISSING,
    "twice at once, the second first": HELD + "back 2 n1 a; back 3 n1 a; taken 3 10.0.0.1; taken 2",
    "twice at once, the first first": HELD + "back 2 n1 a; back 3 n1 a; taken 2 10.0.0.1; taken 3",
    "after the power was lost": HELD + "emptied n1; " + MISSING,
    "told twice, after the power was lost": HELD + "ask 2 n1 a; given 2 10.0.0.1; emptied n1; " + MISSING,
    "giving back nothing was refused": "back 2 n1 a; refused 2 not-ready; emptied n1; " + MISSING,
    "after the disk was lost": HELD + "forgot n1; " + MISSING,
    "durable, after the disk was lost": DURABLE + "forgot n1; " + MISSING,
    "the power was lost meanwhile": HELD + "back 9 n1 a; emptied n1; taken 9",
    "answered as the power went": "ask 1 n1 a; emptied n1; given 1 10.0.0.1; " + MISSING,
    "durable before, not this time": (
        DURABLE + "back 2 n1 a; taken 2 10.0.0.1; ask 3 n1 a; given 3 10.0.0.1; emptied n1; " + MISSING
    ),
    "the answer crossed the way back": "ask 1 n1 a; back 2 n1 a; given 1 10.0.0.1; taken 2; " + MISSING,
    "the answer came after it was taken": "ask 1 n1 a; back 2 n1 a; taken 2 10.0.0.1; given 1 10.0.0.1; "
    + MISSING,
    "the client had gone": HELD + "back 9 n1 a; vanished 9; taken 9",
    "it has moved": DURABLE + "departed n1; moved n1 a n2; look n2 settled; back 9 n2 a; taken 9 10.0.0.1",
    "it was given back before its daemon left": HELD + "back 2 n1 a; taken 2 10.0.0.1; departed n1",
    "its daemon has left, and a disk was lost": DURABLE + "departed n1; forgot n2; look n2 settled",
    "another key": HELD + "back 9 n1 b; taken 9",
    "the same key elsewhere": HELD + "back 9 n2 a; taken 9",
}


@pytest.mark.parametrize("story", LOST.values(), ids=LOST)
def test_what_was_forgotten_is_found(tell: Tell, story: str) -> None:
    """What a key was told, and nothing may have taken from it, is not there: one violation."""
    (text,) = tell(Durability(), story)

    assert text.startswith("n1 had given 10.0.0.")


@pytest.mark.parametrize(
    ("story", "said"),
    [
        (DURABLE + "departed n1; moved n1 a n2; back 9 n2 a; taken 9", "n2 had given 10.0.0.1"),
        (DURABLE + "departed n1; look n2 settled", "n1 has left, and nobody else has what a holds"),
        (HELD + "departed n1", "n1 has left while a held an address there"),
    ],
    ids=["forgotten where it went", "it went nowhere", "a pod's"],
)
def test_what_is_lost_with_a_daemon_that_leaves_is_found(tell: Tell, story: str, said: str) -> None:
    """Durable allocations are somewhere when their daemon has left, and it had no others."""
    (text,) = tell(Durability(), story)

    assert text.startswith(said)


@pytest.mark.parametrize("story", FINE.values(), ids=FINE)
def test_what_may_be_forgotten_is_fine(tell: Tell, story: str) -> None:
    """Nobody is accused of what was given back, or went with a disk, or with the power."""
    assert tell(Durability(), story) == []
