"""Pools that are not what operators were told, and addresses that are held of none, are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from simulations.checkers.base import Checker
from simulations.checkers.pools import Pools
from simulations.facts import Began, Changed, Changing, Fact, Observed, Refused, Vanished, View
from weaveipam.config.pools import parse_pool

Tell = Callable[[Checker, str], list[str]]

HELD = "began p 10.0.0.0/24; ask 1 n1 a; given 1 10.0.0.1; "
WRONG = {
    "a pool is deleted that is in use": HELD + "change 3 p; changed 3 p",
    "it shrinks": HELD + "change 3 p 10.0.0.128/25; changed 3 p 10.0.0.128/25",
    "given when it is gone": ("began p 10.0.0.0/24; change 3 p; changed 3 p; ask 1 n1 a; given 1 10.0.0.1"),
    "given of what is refused": (
        "began p 10.0.0.0/24; change 3 q 10.9.0.0/24; refused 3 conflict; ask 1 n1 a; given 1 10.9.0.1"
    ),
    "given of what a later change has taken away for certain": (
        "began p 10.0.0.0/24; change 3 p; vanished 3; change 4 p 10.0.0.0/24; changed 4 p 10.0.0.0/24; "
        "change 5 p; changed 5 p; ask 1 n1 a; given 1 10.0.0.1"
    ),
    "told something else": "began p 10.0.0.0/24; change 3 p; changed 3 p 10.0.0.0/24",
    "refused for no reason": "began p 10.0.0.0/24; change 3 p; refused 3 exhausted",
}
FINE = {
    "nothing changes": HELD,
    "it keeps what is in use": HELD + "change 3 p 10.0.0.0/25; changed 3 p 10.0.0.0/25",
    "it was given back first": HELD + "back 2 n1 a; taken 2 10.0.0.1; change 3 p; changed 3 p",
    "it is refused": HELD + "change 3 p; refused 3 in-use",
    "it may not have been made": HELD + "change 3 p; vanished 3",
    "another one at the same time may have been the last": (
        "began p 10.0.0.0/24; change 3 p 10.0.0.0/24 10.9.0.0/24; change 4 p; changed 4 p; "
        "ask 1 n1 a; given 1 10.9.0.1"
    ),
    "given as it is being made": "began p 10.0.0.0/24; change 3 q 10.9.0.0/24; ask 1 n1 a; given 1 10.9.0.1",
    "another pool has it": (
        HELD + "change 3 q 10.9.0.0/24; changed 3 q 10.9.0.0/24; change 4 q; changed 4 q"
    ),
}


@pytest.mark.parametrize("story", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_found(tell: Tell, story: str) -> None:
    """An address of no pool that is held, and an answer that cannot be: one violation."""
    assert len(tell(Pools(), story)) == 1


@pytest.mark.parametrize("story", FINE.values(), ids=FINE)
def test_what_may_be_is_fine(tell: Tell, story: str) -> None:
    """Addresses of all pools that there may be are held by right."""
    assert tell(Pools(), story) == []


@pytest.mark.parametrize("answer", ["changed", "refused", "vanished"])
def test_in_the_end_pools_are_what_was_said(view: Callable[..., View], answer: str) -> None:
    """What was confirmed is there, what was refused is not, and what was never answered may be."""
    before, after = (parse_pool({"name": "p", "ranges": [text]}) for text in ("10.0.0.0/24", "10.0.0.0/25"))
    checker = Pools()
    told: dict[str, Fact] = {
        "changed": Changed(2.0, 3, after),
        "refused": Refused(2.0, 3, "not-ready", ""),
        "vanished": Vanished(2.0, 3),
    }
    facts: tuple[Fact, ...] = (Began(0.0, (before,)), Changing(1.0, 3, "p", after), told[answer])
    for fact in facts:
        assert list(checker.hear(fact)) == []
    accused = [
        bool(list(checker.hear(Observed(9.0, {"n1": replace(view("n1"), pools=pools)}, settled=True))))
        for pools in ((before,), (after,), ())
    ]
    assert accused == [answer == "changed", answer == "refused", True]
