"""A ring that is larger than it need be is found when all is settled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ring.address import Family
from ring.ring import Peer, Run, Token
from simulations.checkers.bounded import Bounded, quiet_s
from simulations.facts import Began, Observed, View
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.config.pools import parse_pool
from weaveipam.protocol.values import RingId

RING = RingId("default", Family.V4)
ONE, TWO, OLD = Peer("n1", 1), Peer("n2", 1), Peer("n2", 0)


@pytest.fixture
def judged(view: Callable[..., View]) -> Callable[..., list[str]]:
    """What is found where n1 and n2 hold these runs, of so many ranges, with so many addresses used each."""

    def judge(*owners: Peer, ranges: int = 1, used: int = 0, settled: bool = True) -> list[str]:
        texts = [f"10.0.{place}.0/24" for place in range(ranges)]
        runs = tuple(Run(at, at + 1, Token(0, at), owner, owner) for at, owner in enumerate(owners))
        held = {
            name: replace(view(name), rings={RING: runs}, used={"default": used}) for name in ("n1", "n2")
        }
        checker = Bounded()
        assert list(checker.hear(Began(0.0, (parse_pool({"name": "default", "ranges": texts}),)))) == []
        return list(checker.hear(Observed(1.0, held, settled)))

    return judge


@pytest.mark.parametrize(
    ("owners", "ranges", "used"),
    [
        ((ONE, TWO) * 2, 1, 0),
        ((ONE, TWO) * 4, 2, 0),
        ((ONE, TWO) * 4, 1, 2),
        ((ONE, OLD, ONE, OLD, TWO, OLD, TWO), 1, 0),
    ],
    ids=["two for each member", "and range", "and allocation", "and life that is over"],
)
def test_what_must_be_is_fine(
    judged: Callable[..., list[str]], owners: tuple[Peer, ...], ranges: int, used: int
) -> None:
    """As many runs as members, ranges, allocations and old lives need."""
    assert judged(*owners, ranges=ranges, used=used) == []


@pytest.mark.parametrize(
    ("owners", "ranges", "used"),
    [
        ((ONE, TWO, ONE, TWO, ONE), 1, 0),
        ((ONE, TWO) * 4 + (ONE,), 2, 0),
        ((ONE, TWO) * 4 + (ONE,), 1, 2),
        ((OLD, *(ONE, TWO) * 4), 1, 0),
    ],
    ids=["two for each member", "and range", "and allocation", "and life that is over"],
)
def test_one_more_is_found(
    judged: Callable[..., list[str]], owners: tuple[Peer, ...], ranges: int, used: int
) -> None:
    """One run more than is needed: found at each who holds it."""
    found = judged(*owners, ranges=ranges, used=used)

    assert [text.split()[0] for text in found] == ["n1", "n2"]


def test_a_ring_may_be_large_while_things_move(judged: Callable[..., list[str]]) -> None:
    """Nothing is asked before all is settled."""
    assert judged(*(ONE, TWO) * 50, settled=False) == []


def test_quiet_takes_longer_than_a_rest() -> None:
    """Before a ring is judged, what was released last has rested and what moved then was joined."""
    settings = AllocationSettings.preset("test")

    assert quiet_s(settings) > settings.cooldown_s + settings.drift_s + settings.coalesce_s
