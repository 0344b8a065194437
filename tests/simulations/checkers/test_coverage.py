"""Addresses that nobody owns, or whose owner does not know of them, are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from ring.address import Family, parse_cidr
from ring.ring import Peer, Run, Token
from simulations.checkers.coverage import Coverage
from simulations.facts import Began, Departed, Observed, Removed, View
from weaveipam.config.pools import parse_pool
from weaveipam.protocol.values import RingId

RING = RingId("default", Family.V4)
POOL = parse_pool({"name": "default", "ranges": ["10.0.0.0/28", "10.0.0.32/28"]})
FIRST = parse_cidr("10.0.0.0/28")[1].start
ONE, TWO, OLD = Peer("n1", 1), Peer("n2", 1), Peer("n2", 0)


def runs(*shares: tuple[int, int, Peer]) -> tuple[Run, ...]:
    """Runs of a ring: first address and the one after the last, counted from the first of the pool."""
    return tuple(
        Run(FIRST + start, FIRST + stop, Token(0, place), owner, owner)
        for place, (start, stop, owner) in enumerate(shares)
    )


WHOLE = runs((0, 16, ONE), (32, 40, ONE), (40, 48, TWO))


@pytest.fixture
def judged(view: Callable[..., View]) -> Callable[..., list[str]]:
    """What is found where n1 and n2 hold these rings when all is settled."""

    def judge(
        *rings: tuple[Run, ...], settled: bool = True, serving: bool = True, removed: Sequence[Peer] = ()
    ) -> list[str]:
        views = {
            name: replace(view(name), rings={RING: held}) for name, held in zip("12", rings, strict=True)
        }
        views = {f"n{name}": replace(one, life=Peer(f"n{name}", 1)) for name, one in views.items()}
        views["n2"] = replace(views["n2"], serving=serving)
        coverage = Coverage()
        assert list(coverage.hear(Began(0.0, (POOL,)))) == []
        assert list(coverage.hear(Removed(0.5, tuple(removed)))) == []
        return list(coverage.hear(Observed(1.0, views, settled=settled)))

    return judge


@pytest.mark.parametrize(
    "ring",
    [
        WHOLE,
        runs((0, 16, ONE), (32, 40, ONE), (40, 48, OLD)),
        runs((0, 16, ONE), (32, 40, ONE), (40, 48, Peer("n9", 1))),
    ],
    ids=["all who own are there", "one owner's life is over", "one owner is gone"],
)
def test_a_whole_ring_is_fine(judged: Callable[..., list[str]], ring: tuple[Run, ...]) -> None:
    """Every address of the pool has one owner, whether or not it is there."""
    assert judged(ring, ring) == []


@pytest.mark.parametrize(
    ("ring", "text"),
    [
        (runs((0, 15, ONE), (32, 48, ONE)), "nothing is said"),
        (runs((0, 16, ONE), (33, 48, ONE)), "nothing is said"),
        (runs((0, 16, ONE)), "nothing is said"),
        ((), "nothing is said"),
        (runs((0, 17, ONE), (32, 48, ONE)), "outside every pool"),
        (runs((0, 48, ONE)), "outside every pool"),
        (runs((0, 16, ONE), (32, 48, ONE), (40, 48, TWO)), "overlap"),
    ],
    ids=["last", "first", "second range", "all", "too many", "between", "twice"],
)
def test_a_ring_with_a_hole_is_found(
    judged: Callable[..., list[str]], ring: tuple[Run, ...], text: str
) -> None:
    """Addresses without an owner, beyond the pools, or two owners: found, once for all who say so."""
    found = judged(ring, ring)

    assert found
    assert all(text in one for one in found)
    assert all(one.startswith("n1, ring ") for one in found)


def test_what_is_the_removed_ones_is_found(judged: Callable[..., list[str]]) -> None:
    """Who was removed owns nothing when all is settled, though its earlier and later lives may."""
    ring = runs((0, 16, ONE), (32, 40, ONE), (40, 48, OLD))

    assert judged(ring, ring, removed=[Peer("n2", 5), Peer("n9", 0)]) == []
    (found,) = judged(ring, ring, removed=[OLD])
    assert "who was removed" in found
    assert "10.0.0.40/29" in found


def test_each_other_ring_is_judged(judged: Callable[..., list[str]]) -> None:
    """Where daemons hold different rings, each of them is judged."""
    (found,) = judged(WHOLE, runs((0, 16, ONE), (32, 40, ONE), (40, 47, TWO)), serving=True)[-1:]

    assert "nothing is said" in found


def test_an_owner_who_does_not_know_is_found(judged: Callable[..., list[str]]) -> None:
    """What one believes to be another's is nobody's, if that one believes otherwise: one violation."""
    (found,) = judged(WHOLE, runs((0, 16, ONE), (32, 44, ONE), (44, 48, TWO)))[:1]

    assert found == "n1 believes that 10.0.0.40/30 is n2's, who does not know of it"


def test_an_owner_may_hold_it_in_pieces(judged: Callable[..., list[str]]) -> None:
    """It is enough that an owner knows of each address, in whatever runs."""
    assert judged(WHOLE, runs((0, 16, ONE), (32, 40, ONE), (40, 43, TWO), (43, 48, TWO))) == []


def test_the_pools_are_those_of_today(view: Callable[..., View]) -> None:
    """What daemons show as their pools has owners, and nothing else has, also on rings of no pool."""
    coverage = Coverage()
    assert list(coverage.hear(Began(0.0, (POOL,)))) == []
    smaller = parse_pool({"name": "default", "ranges": ["10.0.0.0/28"]})
    shown = replace(view("n1"), life=ONE, rings={RING: runs((0, 16, ONE))}, pools=(smaller,))

    assert list(coverage.hear(Observed(1.0, {"n1": shown}, settled=True))) == []
    for pools in ((), (POOL,)):
        found = list(coverage.hear(Observed(1.0, {"n1": replace(shown, pools=pools)}, settled=True)))
        assert found


def test_only_what_is_settled_and_serves_is_judged(judged: Callable[..., list[str]]) -> None:
    """While things move, and of a daemon that does not serve, nothing is asked."""
    assert judged((), (), settled=False) == []
    assert judged(WHOLE, (), serving=False) == []


def test_who_has_left_owns_nothing(view: Callable[..., View]) -> None:
    """What belongs to a life that has left is found, unless somebody still has to give it away."""
    shown = replace(view("n1"), life=ONE, rings={RING: WHOLE})
    for outgoing, found in ((0, 1), (1, 0)):
        coverage = Coverage()
        story = (
            Began(0.0, (POOL,)),
            Departed(1.0, "n2", TWO),
            Observed(2.0, {"n1": replace(shown, outgoing=outgoing)}, settled=True),
        )
        assert len([text for fact in story for text in coverage.hear(fact)]) == found
