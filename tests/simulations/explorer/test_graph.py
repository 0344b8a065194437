"""The states of a world: what may happen next, and what counts as the same."""

from __future__ import annotations

from random import Random

import pytest

from ring.ring import Peer
from simulations.explorer.graph import Graph, State
from simulations.explorer.worlds import SETTLE, Word, World
from weaveipam.allocation.rules import RULES

PAIR = World(seeds="ab", owners="ab", deaths_max=1, grants_max=2, decisions_max=1)


def words(graph: Graph, state: State) -> list[str]:
    """What may happen next."""
    return [move.words for move in graph.moves(state)]


def test_steps_that_do_not_touch_come_to_one_state_in_any_order() -> None:
    """Two members' own steps commute, so that both orders are one state, seen once."""
    graph = Graph(PAIR, RULES)
    first = graph.taken(graph.taken(graph.first, "a grants 0"), "b grants 1")
    second = graph.taken(graph.taken(graph.first, "b grants 1"), "a grants 0")

    assert first == second


def test_messages_of_the_dead_still_arrive() -> None:
    """What somebody has sent before it died may be heard after it."""
    graph = Graph(PAIR, RULES)
    state = graph.taken(graph.taken(graph.first, "a grants 0 to b"), "a dies")
    assert "b hears from a: 0 is b's at (0, 1), says a" in words(graph, state)

    state = graph.taken(state, "b hears from a")
    assert [0, 1] == [*graph.those(state)[1].owned()]


def test_messages_may_arrive_again() -> None:
    """What was heard can be heard once more, as soon as that would change anything."""
    world = World(seeds="a", newcomers="n", owners="a", restarts=True, deaths_max=0)
    graph = Graph(world, RULES)
    state = graph.taken(graph.first, "n asks")
    state = graph.taken(state, "a hears from n")
    assert "n hears from a: you are enrolled, as of decision 0" in words(graph, state)
    state = graph.taken(state, "n hears from a: you are enrolled")

    assert graph.those(state)[1].ledger.admitted
    assert not [one for one in words(graph, state) if "hears" in one], "now it would change nothing"


def test_what_changes_nothing_is_no_step() -> None:
    """Every step leads to another state."""
    graph = Graph(PAIR, RULES)
    state = graph.taken(graph.first, "a grants 0 to b")

    assert state not in [move.after for move in graph.moves(state)]


def test_only_the_dead_are_named_by_an_operator_who_says_the_truth() -> None:
    """Who lives is called gone only where the operator errs."""
    graph = Graph(PAIR, RULES)
    assert not [one for one in words(graph, graph.first) if "removal" in one]
    state = graph.taken(graph.first, "b dies")
    assert "a calls for the removal of b" in words(graph, state)

    forced = Graph(World(seeds="ab", owners="ab", word=Word.FORCED), RULES)
    assert "a calls for the removal of b" in words(forced, forced.first)


def test_a_step_that_is_drawn_is_one_of_those_there_are() -> None:
    """Walks go where the search by breadth goes."""
    graph = Graph(PAIR, RULES)
    rng = Random(3)
    state = graph.first
    for _ in range(30):
        move = graph.drawn(state, rng, 0.5)
        if move is None:
            assert not words(graph, state)
            return
        assert move in [*graph.moves(state)]
        state = move.after


def test_everything_arrives_in_the_end() -> None:
    """A beginning may let everybody hear everything."""
    beginning = ("a grants 0 to b", SETTLE)
    graph = Graph(World(seeds="ab", owners="ab", beginning=beginning), RULES)

    assert [0, 1] == [*graph.those(graph.first)[1].owned()]


def test_a_beginning_that_cannot_be_is_refused() -> None:
    """The error names the steps that there are."""
    with pytest.raises(LookupError, match=r"'c dies'.*a dies"):
        Graph(World(seeds="ab", owners="ab", beginning=("c dies",)), RULES)


def test_an_assertion_that_fails_is_a_state() -> None:
    """A member whose code asserts in vain is broken, and says which assertion it was."""
    world = World(seeds="a", owners="ab")
    graph = Graph(world, RULES)
    (one,) = graph.those(graph.first)

    def breaks() -> None:
        assert one.me == Peer("b", 1), "it is somebody else"

    turn = graph._turn(graph.first[0][0], "a breaks", breaks)
    assert "it is somebody else" in graph.members[turn.after].broken
    assert not graph.members[turn.after].acts
