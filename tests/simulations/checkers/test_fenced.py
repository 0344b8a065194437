"""Addresses that are withheld without need are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from simulations.checkers.fenced import Fenced
from simulations.facts import Changing, Fact, Forgot, Observed, View

Judged = Callable[..., list[str]]
OLDER = Forgot(1.0, "n2", older=True)


@pytest.fixture
def judged(view: Callable[..., View]) -> Judged:
    """What is found where this is said of n1 and of n2."""

    def judge(
        one: Mapping[str, Any], two: Mapping[str, Any], *before: Fact, settled: bool = True, gone: str = ""
    ) -> list[str]:
        checker = Fenced()
        for fact in before:
            assert list(checker.hear(fact)) == []
        views = {"n1": replace(view("n1"), **one), "n2": replace(view("n2"), **two)}
        return list(checker.hear(Observed(9.0, views, settled, frozenset(gone.split()))))

    return judge


def test_what_is_lent_to_its_holder_is_fine(judged: Judged) -> None:
    """Nothing at all, or as many lent as held, and withheld for that alone."""
    assert judged({}, {}) == []
    assert judged({"lent": 2, "withheld": 2}, {"foreign": 2}) == []


@pytest.mark.parametrize(
    ("two", "text"),
    [
        ({"contested": 1, "withheld": 1}, "n2 has 1 contested addresses, and 0 in use twice: why"),
        ({"twice": 1}, "n2 has 0 contested addresses, and 1 in use twice: why"),
        ({"withheld": 3}, "n2 withholds 3 addresses, but only 0 are contested and 0 lent: why"),
        ({"foreign": 1, "unadopted": 1}, "n2 has 1 foreign addresses that nobody keeps for their users: why"),
        ({"foreign": 1}, "0 addresses are lent, and 1 are held that their owners keep for their users"),
        ({"lent": 1}, "1 addresses are lent, and 0 are held that their owners keep for their users"),
    ],
)
def test_each_thing_without_need_is_found(judged: Judged, two: Mapping[str, Any], text: str) -> None:
    """One of them shows one thing that must not be: one violation, once all is settled."""
    two = {"conflicts": ("why",), **two}

    assert judged({}, two) == [text]
    assert judged({}, two, settled=False) == []


def test_who_went_back_in_time_finds_conflicts(judged: Judged) -> None:
    """Conflicts stay after a snapshot was restored; a disk that is merely lost causes none."""
    contested = {"contested": 1, "withheld": 1, "twice": 1}

    assert judged(contested, contested, OLDER) == []
    assert judged(contested, contested, OLDER, Forgot(2.0, "n1")) == []
    assert len(judged(contested, contested, Forgot(1.0, "n2"))) == 2
    assert len(judged({}, {"withheld": 1}, OLDER)) == 1


def test_whoever_is_not_there_adopts_nothing(judged: Judged) -> None:
    """Where an owner or a holder is gone, or has forgotten, there is nobody to agree with."""
    assert judged({"foreign": 1, "unadopted": 1}, {}, gone="n3") == []
    assert judged({"lent": 1, "withheld": 1}, {}, Forgot(1.0, "n2")) == []


def test_a_change_of_pools_that_waits_for_nobody_keeps_nothing_back(judged: Judged) -> None:
    """While somebody is gone it may keep addresses back that it gives up; else it is over."""
    change = Changing(1.0, 3, "p", None)

    assert judged({}, {"withheld": 1}, change, gone="n3") == []
    assert judged({}, {"withheld": 1}, change, Forgot(1.0, "n2")) == []
    assert len(judged({}, {"withheld": 1}, change)) == 1
