"""What is noted at ranges is found by the addresses that they share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range
from simulations.checkers.base import Address
from simulations.checkers.spans import Spans
from weaveipam.protocol.values import RingId

ADDRESSES = st.builds(
    lambda network, start, size: (RingId(network, Family.V4), Range(start, start + size)),
    st.sampled_from(("blue", "green")),
    st.integers(0, 30),
    st.sampled_from((1, 1, 2, 8)),
)


@pytest.mark.slow
@given(st.lists(st.tuples(ADDRESSES, st.integers(0, 3))), st.data(), ADDRESSES)
def test_as_a_list_that_is_searched(
    entries: list[tuple[Address, int]], data: st.DataObject, wanted: Address
) -> None:
    """After any puts and removals exactly what overlaps is found, by its first address."""
    spans: Spans[int] = Spans()
    for address, noted in entries:
        spans.put(address, noted)
    removed = data.draw(st.sampled_from(entries)) if entries else None
    kept = list(entries)
    if removed is not None:
        spans.remove(*removed)
        kept.remove(removed)

    found = list(spans.meeting(wanted))

    overlapping = [
        (one[1].start, noted) for one, noted in kept if one[0] == wanted[0] and one[1].meet(wanted[1])
    ]
    assert sorted(found) == sorted(noted for _, noted in overlapping)
