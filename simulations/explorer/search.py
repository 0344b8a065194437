"""
Searching the states of a world: breadth-first, by random walks, and for fewer steps.

Does not know what a step is, nor what is wrong with a state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from simulations.explorer.graph import Graph, State
from simulations.explorer.invariants import Judge

Watch: TypeAlias = Callable[[str], None]
"""Is told how far a search is."""


_ARRIVALS = 0.7
"""The share of a walk's steps that is kept for arrivals: else most walks end in the death of everybody."""

_WALKS_TOGETHER = 250
"""So many share what they have worked out; more take more memory."""


@dataclass(frozen=True, slots=True)
class Found:
    """A way to a state that is wrong."""

    wrong: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Searched:
    """What was looked at, and what was found."""

    states: int = 0
    """Different ones, breadth-first."""
    depth: int = 0
    """So many steps from the first state all states were seen."""
    whole: bool = False
    """Whether there are no others."""
    walks: int = 0
    steps: int = 0
    """Of all walks."""
    found: Found | None = None


def _unwatched(_progress: str) -> None:
    """Nobody wants to know."""


def breadth_first(
    graph: Graph, judge: Judge, depth: int, states_max: int, watch: Watch = _unwatched
) -> Searched:
    """The shortest way to a wrong state, if there is one within so many steps and about so many states."""
    parents: dict[State, State | None] = {graph.first: None}
    level, deep = [graph.first], 0
    wrong = judge.wrong(graph.first)
    while level and deep < depth and len(parents) <= states_max and not wrong:
        following: list[State] = []
        for move, before in ((move, state) for state in level for move in graph.moves(state)):
            if move.after in parents:
                continue
            parents[move.after] = before
            wrong = judge.wrong(move.after)
            if wrong:
                return Searched(len(parents), deep, found=Found(wrong, _way(graph, parents, move.after)))
            following.append(move.after)
            if len(parents) > states_max:
                return Searched(len(parents), deep)
        level, deep = following, deep + 1
        watch(f"{len(parents):,} states within {deep} steps")
    return Searched(len(parents), deep, whole=not level)


def _way(graph: Graph, parents: dict[State, State | None], last: State) -> tuple[str, ...]:
    words: list[str] = []
    state = last
    while (before := parents[state]) is not None:
        words.append(next(move.words for move in graph.moves(before) if move.after == state))
        state = before
    return tuple(reversed(words))


def walk(
    make: Callable[[], tuple[Graph, Judge]],
    rng: Random,
    walks: int,
    steps_max: int,
    watch: Watch = _unwatched,
) -> Searched:
    """
    A way to a wrong state, made shorter, if one of so many random walks comes to one.

    Args:
        make: A graph and its judge; now and then new ones, as they remember all that they have met.
        rng: Draws the steps.
        walks: From the first state until nothing new can happen, or
        steps_max: so many steps were made.
        watch: Is told how far it is.
    """
    steps = 0
    for number in range(walks):
        if number % _WALKS_TOGETHER == 0:
            graph, judge = make()
        state, words = graph.first, list[str]()
        while len(words) < steps_max and (move := graph.drawn(state, rng, _ARRIVALS)) is not None:
            state = move.after
            words.append(move.words)
            steps += 1
            if judge.wrong(state):
                return Searched(walks=number + 1, steps=steps, found=shortened(graph, judge, words))
        if number % _WALKS_TOGETHER == _WALKS_TOGETHER - 1:
            watch(f"{number + 1:,} walks of {steps:,} steps")
    return Searched(walks=walks, steps=steps)


def shortened(graph: Graph, judge: Judge, words: Sequence[str]) -> Found:
    """The same way without steps that it does not need: of what is left none can be left out."""
    best = list(words)
    at = len(best)
    while at:
        at -= 1
        fewer = _replayed(graph, judge, [*best[:at], *best[at + 1 :]])
        if fewer is not None:
            best, at = fewer, len(fewer)
    state = graph.first
    for one in best:
        state = graph.taken(state, one)
    return Found(judge.wrong(state), tuple(best))


def _replayed(graph: Graph, judge: Judge, words: Sequence[str]) -> list[str] | None:
    """Those steps that can be made, up to where something is wrong; None if nothing is."""
    state, made = graph.first, list[str]()
    for one in words:
        move = next((move for move in graph.moves(state) if move.words == one), None)
        if move is None:
            continue
        state = move.after
        made.append(one)
        if judge.wrong(state):
            return made
    return None
