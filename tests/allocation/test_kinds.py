"""Which pools a want may come from by their kinds, as the tables of `protocol.nesting` have it."""

from __future__ import annotations

import pytest

from ring.address import Family, Range, parse_address, parse_cidr
from weaveipam.allocation.kinds import fitting
from weaveipam.allocation.pools import Pools
from weaveipam.protocol.requests import Reason, Refusal, Want
from weaveipam.protocol.values import Pool, PoolRange


def pool(name: str, cidr: str, kind: str, network: str = "default") -> Pool:
    """A pool of one CIDR."""
    family, what, length = parse_cidr(cidr)
    return Pool(name, network, (PoolRange(family, what, length),), kind=kind)


POOLS = Pools(
    (
        pool("lo", "10.8.3.0/24", "loopback"),
        pool("net", "10.8.1.0/24", "network"),
        pool("plain", "10.9.0.0/24", ""),
        pool("supply", "10.8.2.0/24", "pool"),
        pool("top", "10.8.0.0/16", "aggregate"),
        pool("far", "10.9.0.0/24", "", "red"),
    ),
    0,
)
ALL = POOLS.names("default")


def chosen(want: Want, names: tuple[str, ...] = ALL) -> tuple[str, ...]:
    """The pools that will do; a refusal fails the test."""
    found = fitting(want, "default", names, POOLS)
    assert not isinstance(found, Refusal), found
    return found


def refused(want: Want, names: tuple[str, ...] = ALL) -> str:
    """Why none will do; anything else fails the test."""
    found = fitting(want, "default", names, POOLS)
    assert isinstance(found, Refusal), found
    assert Reason.INVALID is found.reason
    return found.detail


def at(text: str, kind: str = "") -> Want:
    """Exactly this address."""
    family, address = parse_address(text)
    return Want(family, within=(Range(address, address + 1),), kind=kind)


@pytest.mark.parametrize(
    ("want", "expected"),
    [
        (Want(), ("net", "plain", "supply")),
        (Want(prefix_length=32), ("net", "plain", "supply")),
        (Want(selector="a=b"), ("lo", "net", "plain", "supply")),
        (Want(prefix_length=28), ("plain", "supply", "top")),
        (Want(kind="network"), ("net", "top")),
        (Want(kind="pool"), ("supply",)),
        (Want(kind="loopback"), ("lo", "top")),
        (Want(kind="pool", prefix_length=28), ("supply", "top")),
        (Want(kind="loopback", prefix_length=28), ("top",)),
        (Want(kind="aggregate", prefix_length=28), ("top",)),
        (at("10.8.1.7"), ("net",)),
        (at("10.8.3.7"), ("lo",)),
        (at("10.9.0.7"), ("plain",)),
        (at("10.8.0.7", "pool"), ("top",)),
        (at("10.8.0.7", "loopback"), ("top",)),
        (at("10.8.2.7", "pool"), ("supply",)),
    ],
)
def test_what_will_do(want: Want, expected: tuple[str, ...]) -> None:
    """Kinds decide which pools, and where a kind is said its own pools come before an aggregate."""
    assert expected == chosen(want)


def test_pools_that_are_named_are_taken_in_that_order() -> None:
    """Those that will not do are left out, and a loopback will do that is named."""
    assert ("lo", "net") == chosen(Want(pools=("lo", "top", "net")), ("lo", "top", "net"))


@pytest.mark.parametrize(
    ("want", "names", "said"),
    [
        (Want(pools=("top",)), ("top",), "not from top (aggregate); lo, net, plain, supply would do"),
        (
            Want(prefix_length=28),
            ("net", "lo"),
            "not from net (network), lo (loopback); plain, supply, top would do",
        ),
        (Want(), ("lo",), "net, plain, supply would do"),
        (Want(kind="aggregate"), ALL, "nothing to be picked"),
        (
            Want(kind="network", prefix_length=28),
            ("plain",),
            "a block of kind network comes from a pool of kind",
        ),
        (Want(kind="odd"), ALL, "there is no kind odd; there are: aggregate, network, pool, loopback"),
        (at("10.8.0.7"), ALL, "not from top (aggregate)"),
        (at("10.8.0.7", "network"), ALL, "10.8.1.0/24 'net' would do"),
        (at("10.8.1.7", "loopback"), ALL, "10.8.0.0/16 'top' would do"),
    ],
)
def test_what_will_not_do(want: Want, names: tuple[str, ...], said: str) -> None:
    """The sentence names the rule, the pools that broke it, and others that would do."""
    assert said in refused(want, names)


def test_without_kinds_nothing_is_left_out() -> None:
    """In a network where no pool has a kind any pool serves anybody who does not ask for one."""
    assert ("far",) == fitting(Want(prefix_length=28), "red", ("far",), POOLS)
    assert isinstance(fitting(Want(Family.V4, kind="pool"), "red", ("far",), POOLS), Refusal)
