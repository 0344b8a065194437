"""Who is told that all is exhausted while somebody in reach has plenty is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ring.address import Family, Range
from ring.ring import Peer
from simulations.checkers.base import Checker
from simulations.checkers.work import Work
from simulations.facts import Asked, Began, Observed, Refused, View
from weaveipam.config.pools import parse_pool
from weaveipam.protocol.requests import Allocate, Want
from weaveipam.protocol.values import Pool

Tell = Callable[[Checker, str], list[str]]

REFUSED = "ask 1 n1 a; refused 1 exhausted; "

FOUND = {
    "between two looks": "look n1 n2=9; " + REFUSED + "look n1 n2=9",
    "over several looks": "look n1 n2=9; ask 1 n1 a; look n1 n2=9; refused 1 exhausted; look n1 n2=9",
    "while others ask": "look n1 n2=9; ask 2 n1 b; ask 3 n1 c; given 2 10.0.0.1; " + REFUSED + "look n1 n2=9",
    "it has plenty itself": "look n1=9; " + REFUSED + "look n1=9",
    "another is down": "look n1 n2=9 n3=9; down n3; " + REFUSED + "look n1 n2=9",
    "a pool was changed long ago": "change 3 p; changed 3 p; look n1 n2=9; " + REFUSED + "look n1 n2=9",
    "it was down long ago": "look n1 n2=9; down n2; look n1 n2=9; " + REFUSED + "look n1 n2=9",
    "many asked long ago": (
        "look n1 n2=9; " + "; ".join(f"ask {n} n2 k{n}; given {n} 10.0.0.{n}" for n in range(10, 20)) + "; "
        "look n1 n2=9; " + REFUSED + "look n1 n2=9"
    ),
}
FINE = {
    "given": "look n1 n2=9; ask 1 n1 a; given 1 10.0.0.1; look n1 n2=9",
    "refused otherwise": "look n1 n2=9; ask 1 n1 a; refused 1 not-ready; look n1 n2=9",
    "nobody has any": "look n1 n2; " + REFUSED + "look n1 n2",
    "hardly any": "look n1 n2=5; " + REFUSED + "look n1 n2=5",
    "no more than were asked for": "look n1 n2=9; ask 2 n1 b size=4; given 2 10.0.0.0/30; "
    + REFUSED
    + "look n1 n2=9",
    "no more than were waited for": (
        "look n1 n2=9; ask 2 n1 b size=4; look n1 n2=9; " + REFUSED + "look n1 n2=9"
    ),
    "there were some only before": "look n1 n2=9; " + REFUSED + "look n1 n2",
    "there are some only now": "look n1 n2; " + REFUSED + "look n1 n2=9",
    "there were none meanwhile": "look n1 n2=9; ask 1 n1 a; look n1 n2; refused 1 exhausted; look n1 n2=9",
    "first here, then there": (
        "look n1 n2=9 n3; ask 1 n1 a; look n1 n2=9 n3=9; refused 1 exhausted; look n1 n3=9"
    ),
    "out of reach": "look n1 n2=9; " + REFUSED + "look n1 n2=9 apart",
    "not known to be alive": "look n1 n2=9 strange; " + REFUSED + "look n1 n2=9",
    "not known to be alive any more": "look n1 n2=9; " + REFUSED + "look n1 n2=9 strange",
    "who has them was down meanwhile": "look n1 n2=9; down n2; " + REFUSED + "look n1 n2=9",
    "who has them was not there": "look n1; " + REFUSED + "look n1 n2=9",
    "who asked was not there": "look n2=9; " + REFUSED + "look n1 n2=9",
    "asked before anybody looked": REFUSED + "look n1 n2=9; look n1 n2=9",
    "waiting when somebody looked first": "ask 1 n1 a; look n1 n2=9; refused 1 exhausted; look n1 n2=9",
    "giving back": "look n1 n2=9; back 1 n1 a; refused 1 exhausted; look n1 n2=9",
    "the client had gone": "look n1 n2=9; ask 1 n1 a; vanished 1; refused 1 exhausted; look n1 n2=9",
    "a block": "look n1 n2=99; ask 1 n1 a size=8; refused 1 exhausted; look n1 n2=99",
    "a pool is changed": "look n1 n2=9; change 3 p; " + REFUSED + "look n1 n2=9",
    "a pool was changed": "change 3 p; look n1 n2=9; " + REFUSED + "changed 3 p; look n1 n2=9",
    "nobody has looked since": "look n1 n2=9; " + REFUSED,
}


@pytest.mark.parametrize("story", FOUND.values(), ids=FOUND)
def test_plenty_in_reach_is_found(tell: Tell, story: str) -> None:
    """Somebody could have helped all the while: one violation."""
    (text,) = tell(Work(), story)

    assert text.startswith("n1 refused a as exhausted")


@pytest.mark.parametrize("story", FINE.values(), ids=FINE)
def test_what_may_have_been_exhausted_is_fine(tell: Tell, story: str) -> None:
    """Nobody is accused where at one moment nobody in reach may have had any."""
    assert tell(Work(), story) == []


@pytest.mark.parametrize("shown", [True, False])
def test_who_shows_nothing_cannot_help(view: Callable[..., View], *, shown: bool) -> None:
    """A daemon that does not serve, or cannot be asked, may have nothing, whoever sees it alive."""
    views = {"n1": view("n1", alive="n2"), "n2": replace(view("n2", free=9), serving=False)}
    look = Observed(0.0, views if shown else {"n1": views["n1"]}, reach={"n1": frozenset({"n2"})})
    asked = Asked(1.0, 1, "n1", Peer("n1", 1), "a", give=True)
    work = Work()

    assert [
        text for fact in (look, asked, Refused(2.0, 1, "exhausted", ""), look) for text in work.hear(fact)
    ] == []


def test_everybody_who_could_have_helped_is_named(tell: Tell) -> None:
    """Of the others, those in reach with plenty."""
    found = tell(Work(), "look n1 n2=9 n3=20 n4=1; " + REFUSED + "look n1 n2=9 n3=20 n4=1")

    assert [text.split()[8] for text in found] == ["n2", "n3"]


POOL = parse_pool({"name": "p", "ranges": ["10.0.0.0/24"]})
PLAIN = Want(pools=("p",))


@pytest.mark.parametrize(
    ("pool", "wish", "found"),
    [
        (POOL, Allocate("a", wants=(PLAIN,)), True),
        (POOL, Allocate("a", wants=(PLAIN,), name="vm"), False),
        (POOL, Allocate("a", wants=(replace(PLAIN, index=3),)), False),
        (POOL, Allocate("a", wants=(replace(PLAIN, family=Family.V4, within=(Range(1, 2),)),)), False),
        (replace(POOL, node_limit=3), Allocate("a", wants=(PLAIN,)), False),
    ],
    ids=["any address", "a name's", "by its number", "by itself", "a limit"],
)
def test_only_who_wants_any_address_could_be_helped(
    view: Callable[..., View], pool: Pool, wish: Allocate, *, found: bool
) -> None:
    """Free addresses of others are of no use to who wants a certain one, or may have no more."""
    views = {"n1": view("n1", alive="n2"), "n2": view("n2", free=9, alive="n1")}
    look = Observed(0.0, views, reach={"n1": frozenset({"n2"})})
    asked = Asked(1.0, 1, "n1", Peer("n1", 1), "a", give=True, wish=wish)
    facts = (Began(0.0, (pool,)), look, asked, Refused(2.0, 1, "exhausted", ""), look)
    work = Work()

    assert bool([text for fact in facts for text in work.hear(fact)]) is found
