"""A second answer that differs from the first is found, where nothing came between."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ring.ring import Peer
from simulations.checkers.base import Checker
from simulations.checkers.idempotence import ALLOWED, Idempotence
from simulations.facts import Asked
from weaveipam.protocol.requests import Allocate, Want

Tell = Callable[[Checker, str], list[str]]

HELD = "ask 1 n1 a; given 1 10.0.0.1; "
OTHER = "ask 9 n1 a; given 9 10.0.0.2; "

FOUND = {
    "another one, while its time lasts": (
        "ask 1 n1 a; given 1 10.0.0.1 for=9; at 8; ask 9 n1 a; at 8.5; given 9 10.0.0.2"
    ),
    "refused, while its time lasts": (
        "ask 1 n1 a; given 1 10.0.0.1 for=9; at 8; ask 9 n1 a; at 8.5; refused 9 exhausted"
    ),
    "another address": HELD + OTHER,
    "one more address": HELD + "ask 9 n1 a; given 9 10.0.0.1 10.0.0.2",
    "two at once": "ask 1 n1 a; ask 9 n1 a; given 1 10.0.0.1; given 9 10.0.0.2",
    "after the daemon died": HELD + "down n1; " + OTHER,
    "after another lost its power": HELD + "emptied n2; " + OTHER,
    "durable, after the power was lost": "ask 1 n1 a durable; given 1 10.0.0.1; emptied n1; " + OTHER,
    "after giving back was refused": HELD + "back 2 n1 a; refused 2 not-ready; " + OTHER,
    "nothing any more": HELD + "ask 9 n1 a; refused 9 exhausted",
    "giving back is refused": HELD + "back 9 n1 a; refused 9 not-found",
    "giving back again is refused": HELD + "back 2 n1 a; taken 2 10.0.0.1; back 9 n1 a; refused 9 invalid",
    "giving back nothing is refused": "back 9 n1 a; refused 9 not-found",
}
FINE = {
    "its time may have been over": (
        "ask 1 n1 a; given 1 10.0.0.1 for=9; at 8; ask 9 n1 a; at 9; given 9 10.0.0.2"
    ),
    "refused, as its time may have been over": (
        "ask 1 n1 a; given 1 10.0.0.1 for=9; at 8; ask 9 n1 a; at 9; refused 9 exhausted"
    ),
    "the same": HELD + "ask 9 n1 a; given 9 10.0.0.1",
    "another key": HELD + "ask 9 n1 b; given 9 10.0.0.2",
    "the same key elsewhere": HELD + "ask 9 n2 a; given 9 10.0.0.2",
    "given back between": HELD + "back 2 n1 a; taken 2 10.0.0.1; " + OTHER,
    "asked to take back between": HELD + "back 2 n1 a; vanished 2; " + OTHER,
    "being given back": HELD + "back 2 n1 a; " + OTHER,
    "the first crossed the way back": "ask 1 n1 a; back 2 n1 a; given 1 10.0.0.1; taken 2 10.0.0.1; " + OTHER,
    "the first came after it was taken": "ask 1 n1 a; back 2 n1 a; taken 2 10.0.0.1; given 1 10.0.0.1; "
    + OTHER,
    "the second was asked before all was given back": (
        HELD + "ask 9 n1 a; back 2 n1 a; taken 2 10.0.0.1; given 9 10.0.0.1; ask 3 n1 a; given 3 10.0.0.2"
    ),
    "after the power was lost": HELD + "emptied n1; " + OTHER,
    "after the disk was lost": "ask 1 n1 a durable; given 1 10.0.0.1; forgot n1; " + OTHER,
    "answered as the disk was lost": "ask 1 n1 a; forgot n1; given 1 10.0.0.1; " + OTHER,
    "the first was never answered": "ask 1 n1 a; vanished 1; " + OTHER,
    "refused before it was given": "ask 1 n1 a; ask 9 n1 a; given 1 10.0.0.1; refused 9 exhausted",
    "refused, as it wants something else": HELD + "ask 9 n1 a; refused 9 conflict",
    "refused as the power went": (
        "ask 1 n1 a durable; given 1 10.0.0.1; ask 9 n1 a; emptied n1; refused 9 exhausted"
    ),
    "refused, and never given": "ask 1 n1 a; refused 1 exhausted; ask 9 n1 a; given 9 10.0.0.1",
    "given back again": HELD + "back 2 n1 a; taken 2 10.0.0.1; back 9 n1 a; taken 9",
}


@pytest.mark.parametrize("story", FOUND.values(), ids=FOUND)
def test_another_answer_is_found(tell: Tell, story: str) -> None:
    """What the second answer should have been is certain, and it was not: one violation."""
    (text,) = tell(Idempotence(), story)

    assert text.startswith("n1 ")


@pytest.mark.parametrize("story", FINE.values(), ids=FINE)
def test_what_came_between_excuses(tell: Tell, story: str) -> None:
    """Nobody is accused where the key may have lost what it was told first."""
    assert tell(Idempotence(), story) == []


@pytest.mark.parametrize("reason", sorted(ALLOWED))
def test_who_can_do_nothing_may_refuse(tell: Tell, reason: str) -> None:
    """A daemon that cannot do anything at all may refuse whatever it is asked."""
    story = HELD + f"ask 8 n1 a; refused 8 {reason}; back 9 n1 a; refused 9 {reason}"

    assert tell(Idempotence(), story) == []


@pytest.mark.parametrize(
    ("again", "change", "found"),
    [
        (Allocate("a", wants=(Want(),)), "", True),
        (Allocate("a", wants=(Want(prefix_length=30),)), "", False),
        (Allocate("a", wants=(Want(),)), "change 3 p; ", False),
    ],
    ids=["the same", "something else", "pools were changed"],
)
def test_the_very_same_request_is_never_refused(
    tell: Tell, again: Allocate, change: str, *, found: bool
) -> None:
    """What a key was given for it is given for again, though else a client may be wrong to ask."""
    checker, life = Idempotence(), Peer("n1", 1)
    first = Asked(0.0, 1, "n1", life, "a", give=True, wish=Allocate("a", wants=(Want(),)))
    second = Asked(2.0, 2, "n1", life, "a", give=True, wish=again)

    assert not list(checker.hear(first)) + tell(checker, "given 1 10.0.0.1; " + change)
    assert not list(checker.hear(second))
    assert bool(tell(checker, "at 3; refused 2 conflict")) is found
