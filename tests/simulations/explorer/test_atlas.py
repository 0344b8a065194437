"""Each rule is needed: without it the explorer finds what goes wrong, and with all of them nothing."""

from __future__ import annotations

import pytest

from simulations.explorer.atlas import CASES, WORLDS
from simulations.explorer.graph import Graph
from simulations.explorer.invariants import Judge
from simulations.explorer.search import breadth_first
from weaveipam.allocation.rules import RULES

STATES_MAX = 150_000


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_without_a_rule_a_counterexample_is_found(name: str) -> None:
    """Whoever leaves a rule out is shown the shortest way to two owners, to none, or to a use outside."""
    case = CASES[name]
    graph = Graph(case.world, case.rules)
    searched = breadth_first(graph, Judge(graph, case.invariants), 30, STATES_MAX)

    assert searched.found is not None
    assert any(wrong in searched.found.wrong for wrong in ("two owners", "lost", "in use"))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_with_all_rules_the_same_world_shows_none(name: str) -> None:
    """Where a rule is missed, nothing goes wrong within as many steps while it is in force."""
    case = CASES[name]
    graph = Graph(case.world, RULES)

    assert breadth_first(graph, Judge(graph), 30, 3_000).found is None


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_nothing_goes_wrong_with_all_rules(name: str) -> None:
    """The first states of each world keep every invariant."""
    graph = Graph(WORLDS[name], RULES)

    assert breadth_first(graph, Judge(graph), 30, 5_000).found is None
