"""Daemons that do not agree when all is settled are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from ring.address import Family
from ring.ring import Peer, Run, Token
from simulations.checkers.convergence import Convergence, disagreements
from simulations.facts import Fact, Forgot, Observed, View
from weaveipam.protocol.values import RingId

RING = RingId("default", Family.V4)
WHOLE = {RING: (Run(0, 16, Token(0, 1), Peer("n1", 1), Peer("n1", 1)),)}
OTHER = {RING: (Run(0, 16, Token(0, 2), Peer("n1", 1), Peer("n1", 1)),)}

Judged = Callable[..., list[str]]


@pytest.fixture
def judged(view: Callable[..., View]) -> Judged:
    """What is found where n1 and n2 hold one ring and see each other, but for what is said of n2."""

    def judge(
        what: Mapping[str, Any] = MappingProxyType({}),
        *before: Fact,
        settled: bool = True,
        gone: str = "",
    ) -> list[str]:
        one, two = (replace(view(name, alive="n1 n2"), rings=WHOLE) for name in ("n1", "n2"))
        checker = Convergence()
        for fact in before:
            assert list(checker.hear(fact)) == []
        views = {"n1": one, "n2": replace(two, **what)}
        return list(checker.hear(Observed(9.0, views, settled, frozenset(gone.split()))))

    return judge


def test_agreement_is_fine(judged: Judged) -> None:
    """All hold one ring, see each other, and have nothing open."""
    assert judged() == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ({"rings": OTHER}, "n2 holds another ring than n1"),
        ({"rings": {}}, "n2 holds another ring than n1"),
        ({"alive": frozenset({"n2"})}, "n2 does not see ['n1'] alive, and sees [] who are not"),
        ({"alive": frozenset({"n1", "n2", "n3"})}, "n2 does not see [] alive, and sees ['n3'] who are not"),
        ({"pools": ()}, "n2 knows other pools than n1"),
        ({"outgoing": 2}, "n2 has 2 grants that nobody has acknowledged"),
    ],
    ids=["token", "no ring", "not alive", "alive", "pools", "open"],
)
def test_each_disagreement_is_found(judged: Judged, what: Mapping[str, Any], text: str) -> None:
    """One of them differs in one thing: one violation."""
    assert judged(what) == [text]


def test_agreement_is_about_all(view: Callable[..., View]) -> None:
    """Daemons agree if they serve, hold one ring, see exactly each other, and wait for nobody."""
    one, two = (replace(view(name, alive="n1 n2"), rings=WHOLE) for name in ("n1", "n2"))
    wrong = {
        "ring": replace(two, rings=OTHER),
        "alive": replace(two, alive=frozenset({"n2"})),
        "serving": replace(two, serving=False, rings={RING: ()}),
        "outgoing": replace(two, outgoing=1),
    }

    assert list(disagreements({"n1": one, "n2": two})) == []
    assert list(disagreements({})) == []
    for different in wrong.values():
        assert len(list(disagreements({"n1": one, "n2": different}))) == 1
    assert list(disagreements({"n1": one, "n2": wrong["outgoing"]}, lost=True)) == []


def test_who_does_not_serve_is_found(judged: Judged) -> None:
    """Everybody who runs serves in the end, and is seen by those who do only if it does."""
    assert "n2 runs, and does not serve" in judged({"serving": False})


def test_nothing_is_asked_while_things_move(judged: Judged) -> None:
    """Disagreement is no violation as long as not all is settled."""
    assert judged({"rings": OTHER, "alive": frozenset(), "serving": False}, settled=False) == []


def test_a_grant_to_nobody_stays_open(judged: Judged) -> None:
    """Grants may stay open where some are gone for good, or have lost what they knew."""
    assert judged({"outgoing": 1}, gone="n3") == []
    assert judged({"outgoing": 1}, Forgot(1.0, "n2")) == []
