"""An address that is given too early is found, where others were free and its release was not forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from simulations.checkers.base import Checker
from simulations.checkers.cooldown import FREE_ENOUGH, Cooldown
from simulations.facts import Began
from weaveipam.config.pools import parse_pool

Tell = Callable[[Checker, str], list[str]]

RESTS = "at 8; back 1 n1 a; at 10; taken 1 10.0.0.1; "
"""It may have been released at any time from 8 to 10; the cooldown is 5 s."""
SOON = "at 12; ask 9 n1 b; at 12.5; given 9 10.0.0.1 free=9; "

EARLY = {
    "at the same daemon": RESTS + SOON,
    "to the same key": RESTS + "at 12; ask 9 n1 a; at 12.5; given 9 10.0.0.1 free=9",
    "just before": RESTS + "at 12; ask 9 n1 b; at 12.999; given 9 10.0.0.1 free=9",
    "in a block": RESTS + "at 12; ask 9 n1 b; at 12.5; given 9 10.0.0.0/29 free=9",
    "one of two": RESTS + "at 12; ask 9 n1 b; at 12.5; given 9 10.0.0.9 10.0.0.1 free=9",
    "a part of a block": (
        "at 8; back 1 n1 a; at 10; taken 1 10.0.0.0/29; at 11; ask 9 n1 b; given 9 10.0.0.7 free=9"
    ),
    "another lost its power": RESTS + "emptied n2; " + SOON,
    "another lost its disk": RESTS + "forgot n2; " + SOON,
    "after the daemon died": RESTS + "down n1; " + SOON,
    "a change was refused": "began p 10.0.0.0/24; " + RESTS + "change 3 p; refused 3 in-use; " + SOON,
    "its pool kept it": (
        "began p 10.0.0.0/24; " + RESTS + "change 3 p 10.0.0.0/25; changed 3 p 10.0.0.0/25; " + SOON
    ),
    "after something else had rested": "at 0; back 2 n1 c; at 1; taken 2 10.0.0.1; " + RESTS + SOON,
}
FINE = {
    "after the cooldown": RESTS + "at 12; ask 9 n1 b; at 13; given 9 10.0.0.1 free=9",
    "at another daemon": RESTS + "at 11; ask 9 n2 b; given 9 10.0.0.1 free=9",
    "another address": RESTS + "at 11; ask 9 n1 b; given 9 10.0.0.2 free=9",
    "in another network": RESTS + "at 11; ask 9 n1 b; given 9 blue:10.0.0.1 free=9",
    "hardly any others were free": RESTS + f"at 11; ask 9 n1 b; given 9 10.0.0.1 free={FREE_ENOUGH}",
    "nobody knows what was free": RESTS + "at 11; ask 9 n1 b; given 9 10.0.0.1",
    "after the power was lost": RESTS + "emptied n1; " + SOON,
    "after the disk was lost": RESTS + "forgot n1; " + SOON,
    "asked before it was released": (
        "at 7; ask 9 n1 b; " + RESTS + "at 11; given 9 10.0.0.1 free=9"  # it may have been given long ago
    ),
    "the key had it already": (
        RESTS
        + "at 11; ask 8 n1 b; given 8 10.0.0.1 free=0; at 12; ask 9 n1 b; at 12.5; given 9 10.0.0.1 free=9"
    ),
    "given long ago, which nobody heard of": (
        "at 7; ask 2 n1 b; vanished 2; " + RESTS + "at 12; ask 9 n1 b; at 12.5; given 9 10.0.0.1 free=9"
    ),
    "it belonged to no pool meanwhile": (
        "began p 10.0.0.0/24; "
        + RESTS
        + "at 11; change 3 p 10.0.0.128/25; changed 3 p 10.0.0.128/25; "
        + SOON
    ),
    "nobody knows whether it did": "began p 10.0.0.0/24; " + RESTS + "change 3 p; vanished 3; " + SOON,
    "nothing was found to be released": "at 8; back 1 n1 a; at 10; taken 1; " + SOON,
    "the release was refused": "at 8; back 1 n1 a; at 10; refused 1 not-ready; " + SOON,
}


@pytest.mark.parametrize("story", EARLY.values(), ids=EARLY)
def test_what_was_given_early_is_found(tell: Tell, story: str) -> None:
    """An address for which less than the cooldown has passed by any account is given: one violation."""
    (text,) = tell(Cooldown(5.0), story)

    assert "after its release" in text


@pytest.mark.parametrize("story", FINE.values(), ids=FINE)
def test_what_may_have_rested_is_fine(tell: Tell, story: str) -> None:
    """Nobody is accused where it may have rested, or had to be given, or nobody can remember."""
    assert tell(Cooldown(5.0), story) == []


def test_without_a_cooldown_nothing_is_early(tell: Tell) -> None:
    """Where no clock can be trusted nobody is accused."""
    assert tell(Cooldown(0.0), RESTS + SOON) == []


@pytest.mark.parametrize(("pool_s", "early"), [(None, True), (4, True), (3, False), (0, False)])
def test_a_pools_own_cooldown_counts(tell: Tell, pool_s: int | None, *, early: bool) -> None:
    """Less than what the pool says is early, by a clock that runs a little fast; here up to 3.5 s pass."""
    pool = parse_pool({"name": "p", "ranges": ["10.0.0.0/24"]})
    checker = Cooldown(5.0)
    assert not list(checker.hear(Began(0.0, (replace(pool, cooldown_s=pool_s),))))

    story = "at 9; back 1 n1 a; at 10; taken 1 10.0.0.1; " + SOON
    assert bool(tell(checker, story)) is early


def test_a_loss_forgets_only_what_was_released_there(tell: Tell) -> None:
    """Of two releases of neighbours, the one at the machine that lost its power is forgotten."""
    both = RESTS + "at 8; back 2 n2 c; at 10; taken 2 10.0.0.2; emptied n1; "

    early = "at 12; ask 9 n2 b; at 12.5; given 9 10.0.0.0/30 free=9; "
    found = tell(Cooldown(5.0), both + early + "at 40; ask 10 n2 d; given 10 10.0.0.0/30 free=9")

    assert len(found) == 1
