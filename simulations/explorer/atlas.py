"""
The worlds that are explored, and for each rule the world in which it is missed.

Does not know how they are searched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ring.address import Range
from simulations.explorer import left_out
from simulations.explorer.invariants import Invariant
from simulations.explorer.worlds import SETTLE, Word, World
from weaveipam.allocation.rules import Rules


@dataclass(frozen=True, slots=True)
class Case:
    """A world under some rules."""

    rules: Rules
    world: World
    invariants: tuple[Invariant, ...] = (Invariant.ONE_OWNER,)
    """Those that are looked at; without a rule others may be broken sooner."""


_POOLS = (Invariant.INSIDE,)

_SMALL = World(seeds="abx", owners="bx", mortals="x", deaths_max=1, grants_max=1, decisions_max=1)

_AGAIN = World(
    seeds="abx",
    owners="xxa",
    mortals="x",
    callers="ab",
    deaths_max=1,
    grants_max=1,
    decisions_max=1,
    beginning=("x dies", "a calls for the removal of x", "b hears from a: promise"),
)
"""Two propose one after the other, and the second knows of a grant that the first did not know of."""

_CHAIN = World(
    seeds="abcx",
    owners="x",
    mortals="bx",
    callers="a",
    grants_max=2,
    decisions_max=1,
    rounds_max=2,
    beginning=(
        "x grants 0 to b",
        "b hears from x: 0",
        "x dies",
        "a calls for the removal of x",
        "c hears from a: promise",
        "a hears from c: I promise",
    ),
)
"""A chain of grants from x to b, of which only b knows, while x is being removed."""

_TWO_ASK = World(
    seeds="bcdx",
    owners="cxdb",
    callers="bcd",
    grants_max=0,
    decisions_max=1,
    beginning=(
        "x dies",
        "d calls for the removal of x",
        "b hears from d: promise",
        "c hears from d: promise",
        "d hears from b: I promise",
        "d hears from c: I promise",
        "d dies",
    ),
)
"""Who has died had accepted a decree by which c was to be the heir of x, and nobody else had."""

_UNSEEN = World(
    seeds="abcx",
    owners="x",
    callers="ab",
    deaths_max=1,
    decisions_max=1,
    rounds_max=1,
    beginning=("x grants 0 to c", "c hears from x: 0", "x dies"),
)
"""Of a grant only the heir knows."""

_ELECTORS = World(
    seeds="abc",
    newcomers="n",
    owners="a",
    mortals="ab",
    callers="bc",
    grants_max=1,
    decisions_max=1,
    rounds_max=1,
    beginning=("n asks to be enrolled", "a hears from n: enrol me"),
)
"""Somebody joins, and electors die who know of that."""

_GROWING = World(
    seeds="a",
    newcomers="bcn",
    owners="a",
    mortals="a",
    heirs="n",
    callers="ab",
    deaths_max=1,
    rounds_max=1,
    grants_max=1,
    idle_decisions_max=1,
    beginning=(
        "b asks to be enrolled",
        "c asks to be enrolled",
        SETTLE,
        "a calls for a decision",
        "b hears from a: promise",
        "c hears from a: promise",
        "n asks to be enrolled",
    ),
)
"""The first elector is about to get two more beside it, when somebody joins."""

_DOUBLED = World(
    seeds="a",
    newcomers="bn",
    owners="a",
    callers="b",
    deaths_max=1,
    grants_max=1,
    idle_decisions_max=1,
    beginning=("b asks to be enrolled", SETTLE),
)
"""The only elector is asked by another, and calls may arrive twice."""

_GIVEN_UP = World(
    seeds="ab",
    owners="b",
    users="b",
    callers="a",
    extents=(None, Range(0, 2)),
    deaths_max=0,
    decisions_max=1,
    beginning=("a calls for no pool", "b hears from a: promise", "a hears from b: I promise"),
)
"""Who calls has accepted that there be no pool, and calls for a larger one before another has."""

_TAKEN_UP = World(
    seeds="abc",
    owners="c",
    users="c",
    callers="ab",
    extents=(None, Range(0, 2)),
    deaths_max=1,
    grants_max=1,
    decisions_max=1,
    idle_decisions_max=1,
    beginning=(
        "a calls for no pool",
        "b hears from a: promise",
        "c hears from a: promise",
        "a hears from b: I promise",
        "a hears from c: I promise",
    ),
)
"""Only who called has accepted that there be no pool, and the owner may hear of another ballot first."""

_BOTH_GROW = World(
    seeds="ab",
    owners="a",
    extents=(Range(0, 2),),
    deaths_max=0,
    decisions_max=1,
    beginning=(
        "a calls for a pool of 0-1",
        "b hears from a: promise",
        "a hears from b: I promise",
        "b hears from a: accept",
    ),
)
"""All have accepted that addresses are founded with one member, when another wants them founded with it."""

_MISTAKEN = World(seeds="abx", owners="ax", deaths_max=0, decisions_max=1, word=Word.WRONG)
_FORCED = World(seeds="abx", owners="ax", deaths_max=1, word=Word.FORCED)

WORLDS: Mapping[str, World] = MappingProxyType(
    {
        "three": World(seeds="abx", owners="bxa", decisions_max=2, grants_max=2, coalesces=True),
        "four": World(seeds="abcx", owners="cxa", grants_max=1),
        "five": World(seeds="abcdx", owners="xdb", grants_max=2),
        "pair": World(seeds="ab", newcomers="mn", owners="ab", grants_max=1, idle_decisions_max=1),
        "joining": World(seeds="abc", newcomers="n", owners="ab", grants_max=2),
        "leftover": World(seeds="ax", newcomers="n", owners="ax", grants_max=2, restarts=True),
        "again": _AGAIN,
        "electors": _ELECTORS,
        "growing": _GROWING,
        "doubled": _DOUBLED,
        "chain": _CHAIN,
        "two-ask": _TWO_ASK,
        "sole": World(
            seeds="a",
            newcomers="bcn",
            owners="a",
            idle_decisions_max=2,
            beginning=("b asks to be enrolled", "c asks to be enrolled", SETTLE),
        ),
        "mistaken": _MISTAKEN,
        "forced": _FORCED,
        "forced-join": World(seeds="abx", newcomers="n", owners="ax", deaths_max=1, word=Word.FORCED),
        "grow-or-delete": World(
            seeds="abc",
            owners="ab",
            users="ab",
            extents=(Range(0, 3), Range(0, 1), None),
            deaths_max=0,
            grants_max=1,
            decisions_max=1,
        ),
        "created-again": World(
            seeds="ab",
            owners="a",
            users="ab",
            extents=(Range(0, 1), Range(0, 2), None),
            deaths_max=0,
            grants_max=1,
        ),
        "change-and-remove": World(
            seeds="abx",
            owners="xa",
            users="ax",
            mortals="x",
            extents=(Range(1, 3), None),
            deaths_max=1,
            grants_max=1,
        ),
        "grow-and-join": World(
            seeds="a", newcomers="mn", owners="a", mortals="a", extents=(Range(0, 2),), grants_max=1
        ),
        "drained": World(
            seeds="abc",
            owners="ab",
            users="b",
            callers="ac",
            extents=(Range(0, 1),),
            deaths_max=0,
            grants_max=1,
            decisions_max=1,
            idle_decisions_max=1,
            asked_max=3,
        ),
        "handed-over": World(
            seeds="abx",
            owners="x",
            users="abx",
            leavers="x",
            callers="ab",
            extents=(None,),
            deaths_max=1,
            grants_max=2,
            decisions_max=1,
            beginning=("x hands out 0",),
        ),
        "taken-up": _TAKEN_UP,
        "both-grow": _BOTH_GROW,
        "given-up": _GIVEN_UP,
    }
)
"""Where nothing goes wrong with all rules in force."""

CASES: Mapping[str, Case] = MappingProxyType(
    {
        "R1": Case(left_out.AnythingNew(), _AGAIN),
        "R2": Case(left_out.BelievesFenced(), _SMALL),
        "R2-serves": Case(left_out.ServesFenced(), _SMALL, (Invariant.NOTHING_LOST,)),
        "R3": Case(left_out.GrowsInBallot(), _CHAIN),
        "R4": Case(left_out.Majority(), _UNSEEN),
        "R4-alone": Case(left_out.Alone(), World(seeds="abx", owners="ax")),
        "R4-affirmed": Case(left_out.Unaffirmed(), _ELECTORS),
        "R5": Case(left_out.AtOnce(), _TWO_ASK),
        "R6": Case(left_out.GoesOn(), World(seeds="ax", owners="ax", callers="a", word=Word.FORCED)),
        "R7": Case(left_out.HeardOrNot(), replace(_MISTAKEN, seeds="ax")),
        "admitted": Case(left_out.OneElector(), _ELECTORS),
        "enrols": Case(left_out.EnrolsAnyway(), _GROWING),
        "uses": Case(
            left_out.GivesUpUsed(), World(seeds="ab", owners="b", users="b", extents=(None,)), _POOLS
        ),
        "votes": Case(left_out.DropsVotes(), _BOTH_GROW),
        "taken-up": Case(left_out.AsksOnce(), _TAKEN_UP, _POOLS),
        "late-call": Case(left_out.FollowsLastCall(), _GIVEN_UP, _POOLS),
        "answer-stands": Case(left_out.AnswerStands(), _GROWING),
    }
)
"""By the rule that is left out."""
