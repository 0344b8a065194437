"""Runs as integers: exact both ways, and nothing but sorted, disjoint runs comes of them."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.ring import Peer, Run, Token
from weaveipam.protocol.runs import INTEGERS, flattened, restored

PEERS = st.builds(Peer, st.text(min_size=1, max_size=4), st.integers(0, 3))


@st.composite
def some_runs(draw: st.DrawFn) -> tuple[Run, ...]:
    """Sorted, disjoint runs."""
    cuts = sorted(draw(st.sets(st.integers(0, 1 << 128), max_size=12)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return tuple(Run(a, b, Token(draw(st.integers(0, 2)), 1), draw(PEERS), draw(PEERS)) for a, b in pairs)


@given(some_runs())
def test_round_trip(runs: tuple[Run, ...]) -> None:
    """What was flattened is restored, run by run."""
    assert restored(*flattened(runs)) == runs


@given(st.lists(PEERS, max_size=3), st.lists(st.integers(-1, 3), max_size=18))
def test_whatever_is_restored_is_runs(peers: list[Peer], integers: list[int]) -> None:
    """Any peers and integers are refused, or give sorted, disjoint runs that flatten to the same runs."""
    try:
        runs = restored(peers, integers)
    except ValueError:
        return
    assert restored(*flattened(runs)) == runs
    assert len(runs) * INTEGERS == len(integers)


@pytest.mark.parametrize("second", [Run(2, 6, Token(0, 0), Peer("a", 1), Peer("a", 1)), None])
def test_disorder_is_refused(second: Run | None) -> None:
    """Runs that overlap, or stand in the wrong order, are no runs of a ring."""
    first = Run(4, 8, Token(0, 0), Peer("a", 1), Peer("a", 1))
    last = second or first._replace(start=0, stop=4)
    with pytest.raises(ValueError, match="not sorted"):
        flattened((first, last))


def test_a_ring_of_many_owners_is_short() -> None:
    """A hundred thousand runs of a thousand owners fit into 1.5 MB, as a newcomer must learn them."""
    owners = [Peer(f"node-{number:04}", (1 << 60) + number) for number in range(1000)]
    start = 10 << 24
    runs = tuple(
        Run(start + at * 16, start + at * 16 + 16, Token(0, at % 300), owners[at % 1000], owners[at % 999])
        for at in range(100_000)
    )
    assert len(msgpack.packb(flattened(runs))) < 1_500_000
