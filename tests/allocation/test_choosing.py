"""Which pools serve a request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ring.address import Family, Range
from weaveipam.allocation.choosing import candidates
from weaveipam.allocation.pools import Pools
from weaveipam.protocol.requests import Allocate, Reason, Refusal, Subject, Want
from weaveipam.protocol.values import Pool, PoolRange


def pool(name: str, number: int, **more: object) -> Pool:
    """A pool of 16 addresses of its own."""
    ranges = (PoolRange(Family.V4, Range(number * 16, number * 16 + 16), 32),)
    return replace(Pool(name, "default", ranges), **more)  # type: ignore[arg-type]  # whatever a pool has


POOLS = Pools(
    (
        pool("a-all", 0),
        pool("edge", 1, node_selector="zone=edge", labels=(("tier", "gold"),)),
        pool("team", 2, namespace_selector="kubernetes.io/metadata.name in (red, blue)"),
        pool("web", 3, pod_selector="app=web", labels=(("tier", "silver"),)),
        pool("by-hand", 4, manual=True, labels=(("tier", "gold"),)),
        Pool("far", "other", (PoolRange(Family.V4, Range(0, 16), 32),)),
    ),
    0,
)


def chosen(
    want: Want | None = None, subject: Subject | None = None, node: dict[str, str] | None = None
) -> tuple[str, ...] | Refusal:
    """By a node with those labels, or none."""
    request = Allocate("k", subject=subject or Subject())
    return candidates(request, want or Want(), POOLS, node or {})


def test_who_says_nothing_gets_what_is_for_everybody() -> None:
    """Pools with selectors, and those that must be named, are not for who is not selected."""
    assert ("a-all",) == chosen()


@pytest.mark.parametrize(
    ("subject", "node", "expected"),
    [
        (Subject(), {"zone": "edge"}, ("edge", "a-all")),
        (Subject(namespace="red"), {}, ("team", "a-all")),
        (Subject(namespace="green"), {}, ("a-all",)),
        (Subject(labels=(("app", "web"),)), {}, ("web", "a-all")),
        (Subject("red", labels=(("app", "web"),)), {"zone": "edge"}, ("edge", "team", "web", "a-all")),
    ],
)
def test_pools_that_select_who_asks_come_first(
    subject: Subject, node: dict[str, str], expected: tuple[str, ...]
) -> None:
    """A pool serves whoever all of its selectors match, before those that serve everybody."""
    assert expected == chosen(subject=subject, node=node)


def test_names_count_whatever_they_select() -> None:
    """Pools that are named are tried in that order, and no other is; also those that must be named."""
    assert ("web", "by-hand") == chosen(Want(pools=("web", "by-hand")))


def test_a_fallback_adds_those_that_select_who_asks() -> None:
    """After the pools named come the others that serve the request, none of them twice."""
    want = Want(pools=("web", "a-all"), fallback=True)

    assert ("web", "a-all", "edge") == chosen(want, node={"zone": "edge"})
    assert ("by-hand", "a-all") == chosen(Want(pools=("by-hand",), fallback=True))


def test_labels_select_pools_by_name() -> None:
    """A selector of a request takes every pool with such labels, in order of names."""
    assert ("by-hand", "edge") == chosen(Want(selector="tier=gold"))


def test_an_address_names_its_pool() -> None:
    """Who asks for particular addresses need not be selected by their pool."""
    assert "by-hand" in chosen(Want(Family.V4, within=(Range(64, 65),)))  # type: ignore[operator]  # no refusal


@pytest.mark.parametrize(
    ("want", "reason", "sentence"),
    [
        (Want(pools=("far",)), Reason.NO_SUCH_POOL, "no pool far; its pools are: a-all"),
        (Want(selector="tier=tin"), Reason.NO_SUCH_POOL, "no pool of network default has labels tier=tin"),
        (Want(selector="=="), Reason.INVALID, "selector: "),
    ],
)
def test_a_choice_of_nothing_says_why(want: Want, reason: Reason, sentence: str) -> None:
    """The rule that nothing satisfies is named, with what there is."""
    refusal = chosen(want)

    assert isinstance(refusal, Refusal)
    assert reason is refusal.reason
    assert sentence in refusal.detail


def test_who_is_served_by_no_pool_is_told_what_each_wants() -> None:
    """Each pool that does not serve is named with its selector, and with what was said instead."""
    pools = Pools((pool("edge", 1, node_selector="zone=edge"), pool("by-hand", 4, manual=True)), 0)

    refusal = candidates(Allocate("k"), Want(), pools, {"zone": "core"})

    assert isinstance(refusal, Refusal)
    assert "edge wants a node with zone=edge (this one has zone=core)" in refusal.detail
    assert "by-hand must be named" in refusal.detail
