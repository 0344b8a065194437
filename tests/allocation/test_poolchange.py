"""Which addresses a change of pools brings, and which it takes away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ring.address import Family, Range
from weaveipam.allocation.campaign import Wanted
from weaveipam.allocation.poolchange import NETWORKS_MAX, clashes, wanted_for
from weaveipam.protocol.decisions import Charter, Span
from weaveipam.protocol.requests import Change, ChangeNetwork, ChangePool, Reason, Refusal
from weaveipam.protocol.values import Pool, PoolRange, RingId

RING = RingId("default", Family.V4)


def pool(name: str, *ranges: tuple[int, int], network: str = "default", hole: Range | None = None) -> Pool:
    """A pool of some ranges of one ring."""
    excluded = () if hole is None else (hole,)
    parts = (PoolRange(Family.V4, Range(*one), 24, excluded=excluded) for one in ranges)
    return Pool(name, network, tuple(parts))


P = pool("p", (0, 100))


def charter(*pools: Pool, networks: tuple[str, ...] = ()) -> Charter:
    """What there is."""
    return Charter(0, (), pools, (), networks)


def wanted(change: Change, *pools: Pool, networks: tuple[str, ...] = ()) -> Wanted:
    """What is to be decided; anything else fails the test."""
    found = wanted_for(change, charter(*pools, networks=networks))
    assert isinstance(found, Wanted)
    return found


def refusal(change: Change, *pools: Pool, networks: tuple[str, ...] = ()) -> Refusal:
    """Why a change cannot be; anything else fails the test."""
    found = wanted_for(change, charter(*pools, networks=networks))
    assert isinstance(found, Refusal)
    return found


def test_a_new_pool_founds_its_addresses() -> None:
    """All that no pool has had is founded, and nothing is taken away."""
    q = pool("q", (200, 300))
    assert Wanted(put=(q,), founds=(Span(RING, (Range(200, 300),)),)) == wanted(ChangePool("q", None, q), P)


def test_a_deleted_pool_vacates_its_addresses() -> None:
    """Nothing of it may be in use then."""
    assert Wanted(drop=("p",), vacates=(Span(RING, (Range(0, 100),)),)) == wanted(ChangePool("p", P, None), P)


def test_a_pool_that_moves_founds_and_vacates() -> None:
    """What it keeps is neither."""
    moved = pool("p", (50, 150))
    found = wanted(ChangePool("p", P, moved), P)
    assert (Span(RING, (Range(100, 150),)),) == found.founds
    assert (Span(RING, (Range(0, 50),)),) == found.vacates


def test_addresses_that_another_pool_takes_on_are_neither() -> None:
    """A pool may be born of addresses that are another's only once they are not."""
    taken = pool("q", (0, 100))
    assert Reason.CONFLICT is refusal(ChangePool("q", None, taken), P).reason


def test_what_is_set_aside_must_not_be_in_use() -> None:
    """An exclusion that is new vacates its addresses, although they stay the pool's."""
    aside = pool("p", (0, 100), hole=Range(10, 20))
    found = wanted(ChangePool("p", P, aside), P)
    assert ((), (Span(RING, (Range(10, 20),)),)) == (found.founds, found.vacates)
    assert () == wanted(ChangePool("p", aside, P), aside).vacates


def test_what_is_so_already_needs_no_decision() -> None:
    """Whatever the asker thought that the pool was."""
    assert wanted_for(ChangePool("p", None, P), charter(P)) is None
    assert wanted_for(ChangePool("q", None, None), charter(P)) is None


@pytest.mark.parametrize(
    ("base", "there"), [(None, P), (P, replace(P, disabled=True)), (P, None)], ids=["there", "other", "gone"]
)
def test_who_knew_something_else_is_told(base: Pool | None, there: Pool | None) -> None:
    """A change is of what the asker saw; if that is another by now it loses."""
    change = ChangePool("p", base, pool("p", (0, 7)))
    assert Reason.CONFLICT is refusal(change, *([] if there is None else [there])).reason


def test_a_pool_stays_in_its_network() -> None:
    """Its addresses would be others."""
    moved = pool("p", (0, 100), network="blue")
    assert Reason.INVALID is refusal(ChangePool("p", P, moved), P, networks=("blue",)).reason


def test_what_pools_cannot_be() -> None:
    """Two of a name, one without addresses, and two that share some in a network; not in two networks."""
    twin, none, over = pool("p", (500, 600)), Pool("n", "default", ()), pool("o", (99, 101))
    assert ["there are two pools named p"] == clashes([P, twin])
    assert ["pool n has no ranges"] == clashes([P, none])
    (sentence,) = clashes([P, over])
    assert sentence.startswith("pools p (")
    assert [] == clashes([P, pool("o", (0, 100), network="blue")])


def test_a_pool_is_made_in_a_network_that_exists() -> None:
    """Else whoever asks is told how to create that; the default one is always there."""
    red = pool("r", (0, 100), network="red")
    refused = refusal(ChangePool("r", None, red), P)
    assert Reason.NOT_FOUND is refused.reason
    assert "weaveipam network create red" in refused.detail
    assert (red,) == wanted(ChangePool("r", None, red), P, networks=("red",)).put


def test_networks_come_and_go() -> None:
    """One that is there is not made again, nor is one deleted that is not there."""
    assert Wanted(open=("red",)) == wanted(ChangeNetwork("red", exists=True))
    assert Wanted(close=("red",)) == wanted(ChangeNetwork("red", exists=False), P, networks=("red",))
    assert wanted_for(ChangeNetwork("red", exists=True), charter(networks=("red",))) is None
    assert wanted_for(ChangeNetwork("red", exists=False), charter()) is None
    assert wanted_for(ChangeNetwork("default", exists=True), charter()) is None


def test_a_network_with_pools_is_not_deleted() -> None:
    """The refusal names them; nor is the default one, which always exists."""
    red = pool("r", (0, 100), network="red")
    refused = refusal(ChangeNetwork("red", exists=False), red, networks=("red",))
    assert (Reason.IN_USE, "network red has pools: r; delete them first") == (refused.reason, refused.detail)
    assert Reason.INVALID is refusal(ChangeNetwork("default", exists=False)).reason


def test_there_are_only_so_many_networks() -> None:
    """One more is refused."""
    names = tuple(f"n{number}" for number in range(NETWORKS_MAX))
    assert Reason.CONFLICT is refusal(ChangeNetwork("red", exists=True), networks=names).reason


def nested(name: str, start: int, stop: int, kind: str, **more: object) -> Pool:
    """A pool of a kind."""
    return replace(pool(name, (start, stop)), kind=kind, **more)  # type: ignore[arg-type]  # whatever it has


TOP, NET = nested("top", 256, 512, "aggregate"), nested("net", 256, 320, "network")


def test_a_child_takes_over_what_its_parent_gives_up() -> None:
    """Its addresses are not new, but nothing of them may be in use; the same when it goes."""
    found = wanted(ChangePool("net", None, NET), P, TOP)
    assert Wanted(put=(NET,), vacates=(Span(RING, (Range(256, 320),)),)) == found
    found = wanted(ChangePool("net", NET, None), P, TOP, NET)
    assert Wanted(drop=("net",), vacates=(Span(RING, (Range(256, 320),)),)) == found


def test_a_parent_is_made_above_its_children() -> None:
    """Only what they have not is new, and nothing is given up."""
    wide = nested("wide", 0, 1024, "aggregate")
    found = wanted(ChangePool("wide", None, wide), TOP, NET)
    assert Wanted(put=(wide,), founds=(Span(RING, (Range(0, 256), Range(512, 1024))),)) == found


def test_a_parent_sets_aside_only_what_is_its_own() -> None:
    """An exclusion that is new, and lies in a child, gives nothing up."""
    aside = replace(TOP, ranges=pool("top", (256, 512), hole=Range(310, 330)).ranges)
    assert (Span(RING, (Range(320, 330),)),) == wanted(ChangePool("top", TOP, aside), TOP, NET).vacates


def test_a_parent_goes_after_its_children() -> None:
    """Whoever deletes it before is told which there are."""
    refused = refusal(ChangePool("top", TOP, None), TOP, NET)
    assert Reason.IN_USE is refused.reason
    assert "'net' (network) is in 0.0.1.0/24 'top'" in refused.detail
    elsewhere = nested("net", 256, 320, "aggregate", network="blue")
    assert ("top",) == wanted(ChangePool("top", TOP, None), TOP, elsewhere).drop


def test_a_pool_keeps_its_kind() -> None:
    """Its users have its addresses as what they are."""
    refused = refusal(ChangePool("net", NET, replace(NET, kind="pool")), TOP, NET)
    assert (Reason.INVALID, True) == (refused.reason, "net is of kind network" in refused.detail)


def test_pools_of_a_kind_lie_in_one_another_by_its_rules() -> None:
    """Others do not, nor in those; each rule that is broken is named with its network."""
    assert [] == clashes([P, TOP, NET])
    (sentence,) = clashes([TOP, replace(NET, kind="")])
    assert "pools net (0.0.1.0/26) and top (0.0.1.0/24) overlap" in sentence
    (sentence,) = clashes([TOP, NET, nested("lo", 256, 272, "loopback")])
    assert sentence.startswith("network default: 0.0.1.0/28 'lo': a loopback prefix needs an aggregate")
    (sentence,) = clashes([NET])
    assert "a network prefix needs an aggregate above it" in sentence


def test_a_kind_of_a_later_release_is_no_obstacle_to_its_end() -> None:
    """Nobody here knows its rules, so it can neither be made nor changed, but it can go."""
    odd = nested("odd", 0, 64, "fabric")
    assert "there is no kind fabric" in refusal(ChangePool("odd", None, odd)).detail
    assert ("odd",) == wanted(ChangePool("odd", odd, None), odd).drop
