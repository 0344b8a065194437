"""
The command `explore` of the simulator.

Exit status: 0 nothing was found, 1 a counterexample was, 2 it could not be run as asked, 130 interrupted.
Does not know how a search goes on, nor what is wrong with a state.
"""

from __future__ import annotations

import sys
import time
from random import Random

import click

from simulations.explorer.atlas import CASES, WORLDS, Case
from simulations.explorer.graph import Graph
from simulations.explorer.invariants import Invariant, Judge
from simulations.explorer.search import Found, Searched, breadth_first, walk
from simulations.options import examples
from simulations.session import EXIT_HELD, EXIT_INTERRUPTED, EXIT_VIOLATED
from weaveipam.allocation.rules import RULES

_STEPS_MAX = 300
"""Of a walk: mostly nothing new can happen long before."""


@examples(
    "explore                                 every world: some minutes",
    "explore --world four --states 5000000 --walks 0",
    "explore --world joining --walks 100000 --seed 7",
    "explore --without R3                    what goes wrong without it, in as few steps as can be",
)
@click.command()
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    metavar="N",
    default=30,
    show_default=True,
    help="Look at all states within so many steps;",
)
@click.option(
    "--states",
    type=click.IntRange(min=1),
    metavar="N",
    default=300_000,
    show_default=True,
    help="but of each world at no more than these. A million take some 500 MB.",
)
@click.option(
    "--walks",
    type=click.IntRange(min=0),
    metavar="N",
    default=2000,
    show_default=True,
    help="Then go so many random walks through each world.",
)
@click.option("--seed", type=int, metavar="S", default=1, show_default=True, help="What the walks draw from.")
@click.option("--world", type=click.Choice([*WORLDS]), help="Explore only this one. Default: all.")
@click.option("--without", type=click.Choice([*CASES]), help="Leave out this rule, where it is missed.")
def explore(
    *, depth: int, states: int, walks: int, seed: int, world: str | None, without: str | None
) -> None:
    """
    Look for a way round the rules that keep removals and changes of pools safe.

    A few members with the daemon's own rings and ledgers, a few addresses, and every order of what may
    happen: messages are late, lost or doubled, members die and join, clients use addresses, operators call
    for removals and other pools. Exit status: 0 nothing was found, 1 a counterexample was, and is printed
    step by step, 2 it could not be run as asked, 130 interrupted.
    """
    if world is not None and without is not None:
        raise click.UsageError("a rule is left out in a world of its own: say either --world or --without")
    if without is not None:
        cases = {without: CASES[without]}
    else:
        cases = {
            name: Case(RULES, one, tuple(Invariant)) for name, one in WORLDS.items() if world in {None, name}
        }
    found = False
    try:
        for name, case in cases.items():
            found |= _explored(name, case, depth, states, walks, seed)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(EXIT_VIOLATED if found else EXIT_HELD)


def _explored(name: str, case: Case, depth: int, states: int, walks: int, seed: int) -> bool:
    """Whether something was found; both ways of searching are told of as they end."""

    def watch(progress: str) -> None:
        print(f"{name}: {progress}", file=sys.stderr, flush=True)

    def make() -> tuple[Graph, Judge]:
        graph = Graph(case.world, case.rules)
        return graph, Judge(graph, case.invariants)

    began = time.monotonic()
    searched = breadth_first(*make(), depth, states, watch)
    print(f"{name}: {_by_breadth(searched)}, {time.monotonic() - began:.1f} s", flush=True)
    if searched.found is None and walks and not searched.whole:
        began = time.monotonic()
        searched = walk(make, Random(seed), walks, _STEPS_MAX, watch)
        walked = f"{searched.walks:,} walks of {searched.steps:,} steps in all"
        print(f"{name}: {walked}, {time.monotonic() - began:.1f} s", flush=True)
    if searched.found is not None:
        _tell(case, searched.found)
    return searched.found is not None


def _by_breadth(searched: Searched) -> str:
    extent = "all there are" if searched.whole else f"all within {searched.depth} steps among them"
    return f"{searched.states:,} states, {extent}"


def _tell(case: Case, found: Found) -> None:
    print(f"  {found.wrong}:")
    for words in case.world.beginning:
        print(f"     - {words}")
    for number, words in enumerate(found.steps, start=1):
        print(f"  {number:>4} {words}")
