"""A pool whose lowest free address goes first, whoever owns it, among real nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ring.address import parse_address
from weaveipam.protocol.requests import Allocate, Allocated, Want
from weaveipam.protocol.values import Order, Pool

MakeCluster = Callable[..., Any]
MakePool = Callable[..., Pool]

BASE = parse_address("10.0.0.0")[1]


def formed(cluster: MakeCluster, pool: Pool, **more: Any) -> Any:
    """Daemons a, b and c with a pool that is handed out in sequence; what is released rests 2 s."""
    made = cluster(**more)
    pool = replace(pool, order=Order.SEQUENTIAL, cooldown_s=2)
    for name in "abc":
        made.add(name, seeds="a,b,c", join="a,b,c", pools=(pool,))
    made.run(5)
    return made


def number(answer: Any) -> int:
    """Which address of the /24 an answer gives."""
    assert isinstance(answer, Allocated), answer
    (one,) = answer.allocation.addresses
    return int(one.range.start) - BASE


def asked(made: Any, at: str, key: str, *wants: Want) -> int:
    """Which address a key is given."""
    return number(made.answer(at, Allocate(key, wants=wants)))


@pytest.fixture
def three(cluster: MakeCluster, make_pool: MakePool) -> Any:
    """They share 256 addresses; a has the lowest ones."""
    return formed(cluster, make_pool("p", "10.0.0.0/24"))


def test_the_lowest_is_given_wherever_one_asks(three: Any) -> None:
    """One address after the other, though a owns them all at first."""
    given = [asked(three, "cab"[count % 3], f"k{count}") for count in range(30)]

    assert list(range(30)) == given
