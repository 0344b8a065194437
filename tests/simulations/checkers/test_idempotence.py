"""A second answer that differs from the first is found, where nothing came between."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulations.checkers.base import Checker
from simulations.checkers.idempotence import ALLOWED, Idempotence

Tell = Callable[[Checker, str], list[str]]

HELD = "ask 1 n1 a\n given 1 10.0.0.1\n"
OTHER = "ask 9 n1 a\n given 9 10.0.0.2\n"

FOUND = {
  "another address": HELD + OTHER,
  "one more address": HELD + "ask 9 n1 a\n given 9 10.0.0.1 10.0.0.2",
  "two at once": "ask 1 n1 a\n ask 9 n1 a\n given 1 10.0.0.1\n given 9 10.0.0.2",
  "after the daemon died": HELD + "down n1\n" + OTHER,
  "after another lost its power": HELD + "emptied n2\n" + OTHER,
  "durable, after the power was lost": "ask 1 n1 a durable\n given 1 10.0.0.1\n emptied n1\n" + OTHER,
  "after giving back was refused": HELD + "back 2 n1 a\n refused 2 not-ready\n" + OTHER,
  "nothing any more": HELD + "ask 9 n1 a\n refused 9 exhausted",
  "giving back is refused": HELD + "back 9 n1 a\n refused 9 not-found",
  "giving back again is refused": HELD + "back 2 n1 a\n taken 2 10.0.0.1\n back 9 n1 a\n refused 9 invalid",
  "giving back nothing is refused": "back 9 n1 a\n refused 9 not-found",
}  # fmt: skip
FINE = {
  "the same": HELD + "ask 9 n1 a\n given 9 10.0.0.1",
  "another key": HELD + "ask 9 n1 b\n given 9 10.0.0.2",
  "the same key elsewhere": HELD + "ask 9 n2 a\n given 9 10.0.0.2",
  "given back between": HELD + "back 2 n1 a\n taken 2 10.0.0.1\n" + OTHER,
  "asked to take back between": HELD + "back 2 n1 a\n vanished 2\n" + OTHER,
  "being given back": HELD + "back 2 n1 a\n" + OTHER,
  "the first crossed the way back": "ask 1 n1 a\n back 2 n1 a\n given 1 10.0.0.1\n taken 2 10.0.0.1\n" + OTHER,
  "the first came after it was taken": "ask 1 n1 a\n back 2 n1 a\n taken 2 10.0.0.1\n given 1 10.0.0.1\n" + OTHER,
  "the second was asked before all was given back": (
    HELD + "ask 9 n1 a\n back 2 n1 a\n taken 2 10.0.0.1\n given 9 10.0.0.1\n ask 3 n1 a\n given 3 10.0.0.2"
  ),
  "after the power was lost": HELD + "emptied n1\n" + OTHER,
  "after the disk was lost": "ask 1 n1 a durable\n given 1 10.0.0.1\n forgot n1\n" + OTHER,
  "answered as the disk was lost": "ask 1 n1 a\n forgot n1\n given 1 10.0.0.1\n" + OTHER,
  "the first was never answered": "ask 1 n1 a\n vanished 1\n" + OTHER,
  "refused before it was given": "ask 1 n1 a\n ask 9 n1 a\n given 1 10.0.0.1\n refused 9 exhausted",
  "refused, as it wants something else": HELD + "ask 9 n1 a\n refused 9 conflict",
  "refused, and never given": "ask 1 n1 a\n refused 1 exhausted\n ask 9 n1 a\n given 9 10.0.0.1",
  "given back again": HELD + "back 2 n1 a\n taken 2 10.0.0.1\n back 9 n1 a\n taken 9",
}  # fmt: skip


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
    story = HELD + f"ask 8 n1 a\n refused 8 {reason}\n back 9 n1 a\n refused 9 {reason}"

    assert tell(Idempotence(), story) == []
