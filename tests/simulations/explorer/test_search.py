"""Searching: by breadth, by chance, and for fewer steps."""

from __future__ import annotations

from random import Random

import pytest

from simulations.explorer.atlas import CASES
from simulations.explorer.graph import Graph
from simulations.explorer.invariants import Judge
from simulations.explorer.search import breadth_first, shortened, walk
from simulations.explorer.worlds import World
from weaveipam.allocation.rules import RULES

SMALL = World(seeds="ab", owners="ab", deaths_max=1, grants_max=1, decisions_max=1, rounds_max=1)


def made(name: str) -> tuple[Graph, Judge]:
    """The world where a rule is missed, without it."""
    graph = Graph(CASES[name].world, CASES[name].rules)
    return graph, Judge(graph, CASES[name].invariants)


def test_a_small_world_is_seen_whole() -> None:
    """The search ends when there are no other states, and says so; another search counts as many."""
    graph = Graph(SMALL, RULES)
    searched = breadth_first(graph, Judge(graph), 100, 100_000)

    assert searched.whole
    assert searched.found is None
    again = Graph(SMALL, RULES)
    assert searched == breadth_first(again, Judge(again), 100, 100_000)


def test_the_depth_that_is_told_was_seen_whole() -> None:
    """Where a search is stopped by the number of states, the last depth does not count."""
    graph = Graph(SMALL, RULES)
    searched = breadth_first(graph, Judge(graph), 100, 20)

    assert not searched.whole
    assert 20 < searched.states
    assert searched.states > breadth_first(graph, Judge(graph), searched.depth, 10**6).states


def test_the_way_that_is_told_leads_there() -> None:
    """The steps of a counterexample can be made one after the other, and only the last state is wrong."""
    graph, judge = made("R4")
    found = breadth_first(graph, judge, 30, 100_000).found
    assert found is not None

    state = graph.first
    for words in found.steps:
        assert not judge.wrong(state)
        state = graph.taken(state, words)
    assert found.wrong == judge.wrong(state)


@pytest.mark.slow
def test_walks_find_it_too_and_tell_only_what_is_needed() -> None:
    """A walk that comes to a wrong state is told without the steps that it could do without."""
    searched = walk(lambda: made("R3"), Random(2), 500, 100)
    assert searched.found is not None

    graph, judge = made("R3")
    assert searched.found == shortened(graph, judge, searched.found.steps), "nothing more can be left out"
    best = breadth_first(graph, judge, 30, 100_000).found
    assert best is not None
    assert len(best.steps) <= len(searched.found.steps)


def test_walks_are_those_of_their_seed() -> None:
    """The same seed makes the same steps; another one others."""

    def steps(seed: int) -> int:
        graph = Graph(SMALL, RULES)
        return walk(lambda: (graph, Judge(graph)), Random(seed), 20, 50).steps

    assert steps(1) == steps(1)
    assert 1 < len({steps(seed) for seed in range(5)})
