"""Where one piece of storage ends and the next begins: chunks of a ring, ranges cooling in one piece."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ring.address import Range
from ring.invariants import violations
from ring.merge import merge
from ring.ring import Peer, Ring, Run, Token
from ring.space import Space

A = Peer("a", 1)
epochs = st.lists(st.integers(0, 2), min_size=16, max_size=16)
"""Few values, so that neighbours often say the same and runs join across the edges of chunks."""


def ring_of(its: list[int], chunk_runs_max: int) -> Ring:
    """A ring over 16 addresses that differ by epoch only."""
    return Ring.of(
        (Run(at, at + 1, Token(0, e), A, A) for at, e in enumerate(its)), chunk_runs_max=chunk_runs_max
    )


@given(epochs, epochs, st.integers(1, 4))
def test_runs_join_across_the_edges_of_chunks(mine: list[int], theirs: list[int], size: int) -> None:
    """A merged ring is canonical, and equal to the one made of the maxima, wherever its chunks end."""
    merged = merge(ring_of(mine, size), ring_of(theirs, 256)).ring

    assert violations(merged) == []
    assert ring_of(list(map(max, mine, theirs)), 256) == merged


@given(epochs, st.integers(1, 4), st.integers(0, 15))
def test_rings_that_share_chunks_compare_like_any_others(mine: list[int], size: int, at: int) -> None:
    """Skipping the chunks that two rings share loses nothing of what one knows beyond the other."""
    old = ring_of(mine, size)
    new = merge(old, Ring.of([Run(at, at + 1, Token(0, 9), A, A)])).ring

    assert (Run(at, at + 1, Token(0, 9), A, A),) == merge(old, new).won
    assert merge(new, old).won == ()
    assert merge(new, old).ring is new


def test_the_rest_of_a_cooling_block_goes_on_cooling() -> None:
    """Taking the middle of a block that cools leaves both ends cooling until the time that they had."""
    space = Space(10.0)
    space.release(Range(0, 8), 0.0)

    assert (Range(2, 4),) == space.remove(Range(2, 4))
    assert (6, 10.0) == (space.cooling_count, space.thaw_at)
    assert (Range(0, 2), Range(4, 8)) == tuple(sorted(space.thaw(10.0)))
    assert 6 == space.free_count


def test_of_blocks_alike_a_donor_gives_the_one_that_it_would_use_last() -> None:
    """Of equally large blocks the one just behind the cursor goes before those ahead of it."""
    space = Space(0)
    space.add(Range(0, 4))
    space.add(Range(16, 20))
    assert Range(0, 4) == space.allocate_block(4)
    space.release(Range(0, 4), 0.0)

    assert Range(2, 4) == space.donate(1)
