"""Who is told that he holds what another holds is found, and nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulations.checkers.base import Checker
from simulations.checkers.uniqueness import Uniqueness

Tell = Callable[[Checker, str], list[str]]

HELD = "ask 1 n1 a; given 1 10.0.0.1; "
"""Key a at n1 holds an address."""
ANOTHER = "; ask 9 n2 b; given 9 10.0.0.1"
"""Key b at n2 is given the same."""

TWICE = {
    "at two machines": HELD + ANOTHER,
    "at one machine": HELD + "ask 2 n1 b; given 2 10.0.0.1",
    "the same key at two machines": HELD + "ask 2 n2 a; given 2 10.0.0.1",
    "a block over an address": HELD + "ask 2 n2 b size=8; given 2 10.0.0.0/29",
    "an address in a block": "ask 1 n1 a size=8; given 1 10.0.0.0/29; ask 2 n2 b; given 2 10.0.0.7",
    "one of two addresses": "ask 1 n1 a; given 1 10.0.0.9 10.0.0.1; " + ANOTHER,
    "told twice": HELD + "ask 2 n1 a; given 2 10.0.0.1; " + ANOTHER,
    "after the disk was lost, as pods live on": HELD + "forgot n1; " + ANOTHER,
    "durable, after the power was lost": "ask 1 n1 a durable; given 1 10.0.0.1; emptied n1; " + ANOTHER,
    "made durable later": HELD + "ask 2 n1 a durable; given 2 10.0.0.1; emptied n1; " + ANOTHER,
    "another host lost its power": HELD + "emptied n2; " + ANOTHER,
    "giving back was refused": HELD + "back 2 n1 a; refused 2 not-ready; " + ANOTHER,
    "given to another while giving back was refused": (
        HELD + "back 2 n1 a; ask 3 n2 b; given 3 10.0.0.1; refused 2 not-ready"
    ),
    "given again after it was given back": (
        HELD + "back 2 n1 a; taken 2 10.0.0.1; ask 3 n1 a; given 3 10.0.0.1; " + ANOTHER
    ),
    "while its time lasts": "ask 1 n1 a; given 1 10.0.0.1 for=9; ask 2 n2 b; at 8.9; given 2 10.0.0.1",
    "renewed in time": (
        "ask 1 n1 a; given 1 10.0.0.1 for=9; at 8; ask 2 n1 a; given 2 10.0.0.1 for=9; at 16; "
        "ask 3 n2 b; at 16.9; given 3 10.0.0.1"
    ),
    "moved while its time lasts": (
        "ask 1 n1 a; given 1 10.0.0.1 for=9; moved n1 a n3; ask 2 n2 b; at 8.9; given 2 10.0.0.1"
    ),
    "after it has moved": HELD + "moved n1 a n3" + ANOTHER,
    "given back by another": HELD + "back 2 n1 c; taken 2; " + ANOTHER,
    "asked for before the other had it": "ask 9 n2 b; " + HELD + "given 9 10.0.0.1",
}
FINE = {
    "its time may be over": "ask 1 n1 a; given 1 10.0.0.1 for=9; ask 2 n2 b; at 9; given 2 10.0.0.1",
    "its time may be over, by any clock": "ask 1 n1 a; given 1 10.0.0.1 for=0; ask 2 n2 b; given 2 10.0.0.1",
    "not renewed in time": (
        "ask 1 n1 a; given 1 10.0.0.1 for=9; at 8; ask 2 n1 a; vanished 2; ask 3 n2 b; given 3 10.0.0.1"
    ),
    "moved, and its time may be over": (
        "ask 1 n1 a; given 1 10.0.0.1 for=9; moved n1 a n3; ask 2 n2 b; at 9; given 2 10.0.0.1"
    ),
    "two addresses": HELD + "ask 2 n2 b; given 2 10.0.0.2",
    "the same in another network": HELD + "ask 2 n2 b; given 2 blue:10.0.0.1",
    "blocks that touch": "ask 1 n1 a; given 1 10.0.0.0/29; ask 2 n2 b; given 2 10.0.0.8/29",
    "the same again": HELD + "ask 2 n1 a; given 2 10.0.0.1",
    "moved, and given back there": HELD + "moved n1 a n3; back 2 n3 a; taken 2 10.0.0.1" + ANOTHER,
    "given back before": HELD + "back 2 n1 a; taken 2 10.0.0.1; " + ANOTHER,
    "asked to take back, and not answered yet": HELD + "back 2 n1 a; " + ANOTHER,
    "asked to take back, and never answered": HELD + "back 2 n1 a; vanished 2; " + ANOTHER,
    "asked to take back twice, one refused": (
        HELD + "back 2 n1 a; back 3 n1 a; taken 3 10.0.0.1; refused 2 not-ready; " + ANOTHER
    ),
    "its pod went with the power": HELD + "emptied n1; " + ANOTHER,
    "durable, at a host that was lost for good": (
        "ask 1 n1 a durable; given 1 10.0.0.1; emptied n1 for-good; " + ANOTHER
    ),
    "answered as the power went": "ask 1 n1 a; emptied n1; given 1 10.0.0.1; " + ANOTHER,
    "durable once, given back, then not": (
        "ask 1 n1 a durable; given 1 10.0.0.1; back 2 n1 a; taken 2 10.0.0.1; "
        "ask 3 n1 a; given 3 10.0.0.1; emptied n1; " + ANOTHER
    ),
    "the answer crossed the way back": "ask 1 n1 a; back 2 n1 a; given 1 10.0.0.1; taken 2 10.0.0.1"
    + ANOTHER,
    "the answer came after it was taken": "ask 1 n1 a; back 2 n1 a; taken 2 10.0.0.1; given 1 10.0.0.1"
    + ANOTHER,
    "asked while it was being taken": HELD
    + "back 2 n1 a; ask 3 n1 a; given 3 10.0.0.1; taken 2 10.0.0.1"
    + ANOTHER,
    "the client had gone": "ask 1 n1 a; vanished 1; given 1 10.0.0.1" + ANOTHER,
    "never given": "ask 1 n1 a; refused 1 exhausted" + ANOTHER,
}


@pytest.mark.parametrize("story", TWICE.values(), ids=TWICE)
def test_what_two_hold_is_found(tell: Tell, story: str) -> None:
    """An address that a key holds for certain is told to another: one violation, with the address."""
    (text,) = tell(Uniqueness(), story)

    assert "10.0.0." in text


@pytest.mark.parametrize("story", FINE.values(), ids=FINE)
def test_what_one_holds_is_fine(tell: Tell, story: str) -> None:
    """Nobody is accused where the first holder may have lost or given back what the second gets."""
    assert tell(Uniqueness(), story) == []


def test_every_holder_is_named(tell: Tell) -> None:
    """With three holders the third is told of both others."""
    third = "ask 10 n3 c; given 10 10.0.0.1"

    assert tell(Uniqueness(), HELD + ANOTHER + "; " + third) == [
        "10.0.0.1 of default was given to b at n2, but a at n1 has it",
        "10.0.0.1 of default was given to c at n3, but a at n1 has it",
        "10.0.0.1 of default was given to c at n3, but b at n2 has it",
    ]
