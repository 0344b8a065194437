"""Every invariant can be broken, and is then told of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ring.address import Range
from ring.ring import Peer
from simulations.explorer import left_out
from simulations.explorer.atlas import CASES, WORLDS
from simulations.explorer.graph import Graph
from simulations.explorer.invariants import Invariant, Judge
from simulations.explorer.search import breadth_first
from simulations.explorer.worlds import Word, World, pool
from weaveipam.allocation.rules import RULES, Rules

BROKEN = (
    (Invariant.ONE_OWNER, CASES["R7"].world, left_out.HeardOrNot(), "1 has two owners: a and x"),
    (Invariant.NOTHING_LOST, CASES["R4-alone"].world, left_out.Alone(), "is lost: it stays with a"),
    (
        Invariant.INSIDE,
        CASES["uses"].world,
        left_out.GivesUpUsed(),
        "0 is in use at b, and no pool's any more",
    ),
    (Invariant.ONE_TOKEN, WORLDS["two-ask"], left_out.AtOnce(), "know one token of 1 with two owners"),
    (Invariant.AGREEMENT, CASES["R7"].world, left_out.HeardOrNot(), "disagree about what was decided"),
    (Invariant.CALLED_GONE, WORLDS["four"], left_out.Alone(), "has stopped, though nobody took it for gone"),
)


@pytest.mark.parametrize(
    ("invariant", "world", "rules", "wrong"), BROKEN, ids=[one[0].name for one in BROKEN]
)
def test_it_can_be_broken(invariant: Invariant, world: World, rules: Rules, wrong: str) -> None:
    """Where a rule is left out the sentence says who breaks what."""
    graph = Graph(world, rules)
    found = breadth_first(graph, Judge(graph, [invariant]), 30, 50_000).found

    assert found is not None
    assert wrong in found.wrong


def test_who_is_removed_though_it_lives_owns_until_it_hears_of_that() -> None:
    """Where an operator insists, two owners count from when the victim was told."""
    graph = Graph(World(seeds="ax", owners="ax", word=Word.FORCED, deaths_max=0), left_out.GoesOn())
    judge = Judge(graph)
    state = graph.taken(graph.first, "a calls for the removal of x")
    a, x = graph.those(state)

    assert [0, 1] == [*a.owned()]
    assert [1] == [*x.owned()]
    assert not judge.wrong(state)
    state = graph.taken(state, "x hears from a: decision 1 is made")
    state = graph.taken(state, "a hears from x: decision 0 is made")
    state = graph.taken(state, "x hears from a: 1 decisions are made")
    assert "1 has two owners: a and x" == judge.wrong(state)


def test_what_is_asserted_in_vain_is_wrong() -> None:
    """A broken assertion counts whatever else is looked at."""
    graph = Graph(World(seeds="a", owners="a"), RULES)

    def breaks() -> None:
        assert Peer("a", 1) == Peer("b", 1), "they differ"

    turn = graph._turn(graph.first[0][0], "a breaks", breaks)
    assert "a breaks an assertion: they differ" in Judge(graph, []).wrong(((turn.after,), 0))


@pytest.mark.parametrize(
    ("extent", "invariant", "wrong"),
    [
        (Range(0, 2), Invariant.NOTHING_LOST, "1 is lost: nobody knows whose it is"),
        (Range(1, 2), Invariant.INSIDE, "a knows an owner of 0, which is no pool's"),
    ],
)
def test_rings_are_of_the_pool_and_of_all_of_it(extent: Range, invariant: Invariant, wrong: str) -> None:
    """What is known of other addresses is wrong, and of what nobody knows anything is lost."""
    graph = Graph(World(seeds="a", owners="a"), RULES)
    (one,) = graph.those(graph.first)
    charter = replace(one.ledger.charter, pools=(pool(extent),))
    number = graph._numbered(replace(one, ledger=replace(one.ledger, charter=charter)))

    assert wrong == Judge(graph, [invariant]).wrong(((number,), 0))
    assert "" == Judge(graph, [invariant]).wrong(graph.first)
