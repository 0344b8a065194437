"""Pools that are changed in part, and as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ring.address import format_range, subtract
from weaveipam.config.patching import patched, replaced
from weaveipam.config.pools import parse_pool
from weaveipam.config.printing import pool_table
from weaveipam.protocol.values import Pool

HELD = parse_pool(
    {
        "name": "p",
        "network": "red",
        "ranges": ["10.0.0.0/24", {"range": "10.0.1.0-10.0.1.99", "prefix_length": 24, "vlan": 7}],
        "gateway": ["10.0.0.1", "10.0.1.254"],
        "exclude": ["10.0.0.5"],
        "labels": {"zone": "a", "tier": "x"},
        "preallocate": {"vm-1": "10.0.0.7"},
        "disabled": True,
        "limit": 20,
    }
)


def handed_out(pool: Pool) -> list[str]:
    """What can be handed out of it, as text."""
    return [
        format_range(one.family, each) for one in pool.ranges for each in subtract((one.range,), one.excluded)
    ]


@pytest.mark.parametrize(
    ("said", "table"),
    [
        ({"node_limit": 5}, {"node_limit": 5}),
        ({"limit": None}, {"limit": None}),
        ({"labels": {"zone": "b", "tier": None, "new": ""}}, {"labels": {"zone": "b", "new": ""}}),
        ({"labels": None}, {"labels": None}),
        ({"preallocate": {"vm-1": None, "vm-2": "10.0.0.8"}}, {"preallocate": {"vm-2": ["10.0.0.8"]}}),
        ({"disabled": False, "manual": True}, {"disabled": None, "manual": True}),
        ({}, {}),
    ],
)
def test_what_is_not_said_of_a_pool_stays(said: dict[str, Any], table: dict[str, Any]) -> None:
    """A key changes alone; labels and preallocations one by one; None is for nothing any more."""
    expected = {**pool_table(HELD), **table}

    assert {key: value for key, value in expected.items() if value is not None} == pool_table(
        patched(HELD, said)
    )


def test_what_a_key_says_counts_for_all_ranges() -> None:
    """Whatever the ranges said themselves, and what is set aside stays set aside."""
    dns = {"nameservers": ["10.0.0.53"]}
    found = patched(HELD, {"gateway": "10.0.0.9", "exclude": None, "vlan": 8, "dns": dns})

    assert [
        {"range": "10.0.0.0/24", "gateway": "10.0.0.9", "dns": dns, "vlan": 8},
        {"range": "10.0.1.0-10.0.1.99", "prefix_length": 24, "dns": dns, "vlan": 8},
    ] == pool_table(found)["ranges"]
    assert ["10.0.0.1-10.0.0.8", "10.0.0.10-10.0.0.21"] == handed_out(found)


def test_a_limit_is_raised_without_the_ranges_being_named() -> None:
    """What was out of its reach is handed out then, and what was excluded is not."""
    assert "10.0.0.2-10.0.0.4" == handed_out(HELD)[0]
    assert ["10.0.0.2-10.0.0.4", "10.0.0.6-10.0.0.22"] == handed_out(HELD)
    assert ["10.0.0.2-10.0.0.4", "10.0.0.6-10.0.0.122"] == handed_out(patched(HELD, {"limit": 120}))
    assert ["10.0.0.2-10.0.0.4", "10.0.0.6-10.0.0.254", "10.0.1.0-10.0.1.99"] == handed_out(
        patched(HELD, {"limit": None})
    )


def test_what_went_with_ranges_is_not_lost_in_silence() -> None:
    """Who names ranges is told what else is to be said; all else stays."""
    with pytest.raises(ValueError, match="or null for none: gateway, prefix_length, exclude, vlan"):
        patched(HELD, {"ranges": ["10.0.0.0/23"]})

    said = {"ranges": [{"range": "10.0.0.0/23", "vlan": 9}], "gateway": "10.0.0.1", "exclude": None}
    found = patched(HELD, {**said, "prefix_length": None, "preallocate": None})
    assert [{"range": "10.0.0.0/23", "gateway": "10.0.0.1", "vlan": 9}] == pool_table(found)["ranges"]
    assert ("red", True, HELD.labels, 20) == (found.network, found.disabled, found.labels, found.limit)


def test_a_pool_that_is_replaced_stays_where_it_was() -> None:
    """In its network, and disabled or not, unless it is said; of all else nothing is left."""
    found = replaced(HELD, {"ranges": ["10.0.0.0/24"]})
    assert parse_pool({"name": "p", "network": "red", "ranges": ["10.0.0.0/24"], "disabled": True}) == found
    assert not replaced(HELD, {"ranges": ["10.0.0.0/24"], "disabled": False, "name": None}).disabled


def test_what_cannot_be_is_said() -> None:
    """Every fault of the pool that would come of it is a line."""
    with pytest.raises(ValueError, match=r"limit: expected .*\ngateway: 10\.9\.0\.1"):
        patched(HELD, {"gateway": "10.9.0.1", "limit": 0})


@st.composite
def entries(draw: st.DrawFn, third: int) -> dict[str, Any]:
    """A range in 10.0.THIRD.0/24 with anything that can be said of it."""
    length = draw(st.sampled_from((24, 25, 30, 31, 32)))
    start = draw(st.integers(0, 255)) >> (32 - length) << (32 - length)
    first, last = (f"10.0.{third}.{at}" for at in (start, draw(st.integers(start, 255))))
    keys: dict[str, st.SearchStrategy[Any]] = {
        "prefix_length": st.just(24),
        "set_aside": st.booleans(),
        "exclude": st.just([first]),
        "reserve": st.just([f"{first}-{last}"]),
        "vlan": st.integers(1, 9),
    }
    entry = {"range": draw(st.sampled_from((f"{first}/{length}", f"{first}-{last}")))}
    entry |= {key: draw(values) for key, values in keys.items() if draw(st.booleans())}
    return entry | ({"gateway": draw(st.sampled_from((first, last)))} if "prefix_length" in entry else {})


@given(st.tuples(*(entries(third) for third in range(3))), st.none() | st.integers(1, 300))
def test_a_pool_of_which_nothing_is_said_stays(ranges: tuple[dict[str, Any], ...], limit: int | None) -> None:
    """Whatever it is, it is printed and read as itself, and its limit can be taken off."""
    table = {"name": "p", "ranges": list(ranges)}
    try:
        free = parse_pool(table)
        held = free if limit is None else parse_pool({**table, "limit": limit})
    except ValueError as error:
        assume("every address" not in str(error))
        raise

    assert held == patched(held, {}) == replaced(held, pool_table(held))
    without = patched(held, {"limit": None})
    assert handed_out(free) == handed_out(without)
