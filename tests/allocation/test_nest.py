"""Pools in pools: whose parent is whose, what is left of each, and what passes between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range, parse_cidr, union
from weaveipam.allocation.nest import moved, nest, prefix_of, prefixes
from weaveipam.allocation.poolchange import clashes
from weaveipam.protocol.values import Pool, PoolRange


def pool(name: str, cidr: str, kind: str, network: str = "default") -> Pool:
    """A pool of one CIDR."""
    family, what, length = parse_cidr(cidr)
    return Pool(name, network, (PoolRange(family, what, length),), kind=kind)


TOP = pool("top", "0.0.0.0/26", "aggregate")
NET = pool("net", "0.0.0.0/28", "network")
SUPPLY = pool("supply", "0.0.0.32/27", "pool")
INNER = pool("inner", "0.0.0.40/29", "pool")
PLAIN = pool("plain", "0.0.1.0/24", "")
ELSEWHERE = pool("elsewhere", "0.0.0.0/27", "aggregate", "red")
OTHER = Pool("six", "default", (PoolRange(Family.V6, Range(0, 16), 124),), kind="aggregate")
ALL = (INNER, TOP, PLAIN, ELSEWHERE, OTHER, SUPPLY, NET)


def left(pools: tuple[Pool, ...], one: Pool) -> list[tuple[int, int]]:
    """What a pool has of its one range."""
    return [(each.start, each.stop) for each in nest(pools).left(one, one.ranges[0])]


def test_the_parent_is_the_smallest_that_covers() -> None:
    """In its own network and family, whatever the order in which pools are named."""
    for pools in (ALL, ALL[::-1]):
        assert {"net": "top", "supply": "top", "inner": "supply"} == nest(pools).parents


def test_what_children_have_their_parent_has_not() -> None:
    """Only children count, not theirs; who has none has all."""
    assert [(16, 32)] == left(ALL, TOP)
    assert [(32, 40), (48, 64)] == left(ALL, SUPPLY)
    assert [(40, 48)] == left(ALL, INNER)
    assert [(0, 32)] == left(ALL, ELSEWHERE)
    assert [(256, 512)] == left(ALL, PLAIN)


def test_what_passes_between_pools() -> None:
    """A child that is made takes from its parent alone; one that goes gives back; pools of no kind do not."""

    def gone(before: tuple[Pool, ...], after: tuple[Pool, ...]) -> list[tuple[str, int, int]]:
        return [(one.name, what.start, what.stop) for one, _, what in moved(before, after)]

    without = tuple(one for one in ALL if one != INNER)
    assert [("supply", 40, 48)] == gone(without, ALL)
    assert [("inner", 40, 48)] == gone(ALL, without)
    assert [] == gone(ALL, ALL[::-1])
    assert [] == gone((PLAIN,), ())


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (pool("p", "0.0.0.0/24", "nonsense"), "there is no kind nonsense; there are: aggregate, network"),
        (Pool("p", "default", (*TOP.ranges, *PLAIN.ranges), kind="pool"), "one CIDR, and not 2 ranges"),
        (Pool("p", "default", (PoolRange(Family.V4, Range(0, 3), 32),), kind="pool"), "is no CIDR"),
        (pool("p", "0.0.0.1/32", "loopback"), "0.0.0.1 is one address"),
    ],
)
def test_what_is_no_prefix(one: Pool, said: str) -> None:
    """A pool of a kind is one CIDR of more than one address, of a kind that there is."""
    with pytest.raises(ValueError, match=said):
        prefix_of(one)
    assert any(said in sentence for sentence in clashes([one]))


def test_the_prefixes_of_a_network() -> None:
    """Pools of no kind are none, nor are those of other networks."""
    assert ["elsewhere"] == [one.name for one in prefixes(ALL, "red")]
    assert {"inner", "top", "six", "supply", "net"} == {one.name for one in prefixes(ALL, "default")}


@given(st.lists(st.tuples(st.integers(2, 6), st.integers(0, 15)), max_size=12, unique=True))
def test_each_address_is_in_one_pool(drawn: list[tuple[int, int]]) -> None:
    """Whatever aggregates lie in one another, all that they cover is had by exactly one of them."""
    pools = tuple(
        Pool(
            f"p{bits}.{at}",
            "default",
            (PoolRange(Family.V4, Range(at << bits, at + 1 << bits), 32),),
            kind="aggregate",
        )
        for bits, at in drawn
    )
    assert [] == clashes(pools)
    pieces = [what for one in pools for what in nest(pools).left(one, one.ranges[0])]

    assert union(one.ranges[0].range for one in pools) == union(pieces)
    assert sum(one.size for one in union(pieces)) == sum(one.size for one in pieces)
