"""Blocks that several may put together: which there are, and which come first."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range
from ring.ring import Peer, Ring, Run, Token
from ring.space import Space
from weaveipam.allocation.candidates import Candidate, Piece, candidates
from weaveipam.allocation.donors import Goal
from weaveipam.allocation.pools import Part
from weaveipam.protocol.values import RingId

ME, YOU, THEY = (Peer(name, 1) for name in ("me", "you", "they"))
PART = Part("blue", RingId("default", Family.V4))
SIZE = 64
OWNERS = st.lists(st.sampled_from([ME, YOU, THEY]), min_size=SIZE, max_size=SIZE)
USED = st.sets(st.integers(0, SIZE - 1), max_size=4)


def ring_of(owners: Sequence[Peer]) -> Ring:
    """A ring by the owner of each address."""
    return Ring.of(Run(at, at + 1, Token(0, at % 3), owner, owner) for at, owner in enumerate(owners))


def space_of(owners: Sequence[Peer], used: set[int]) -> Space:
    """What is free of what `ME` owns."""
    space = Space(0)
    for at, owner in enumerate(owners):
        if owner == ME and at not in used:
            space.add(Range(at, at + 1))
    return space


def found(
    owners: Sequence[Peer], used: set[int], size: int, *within: Range, there: Sequence[Peer] = (YOU, THEY)
) -> list[Candidate]:
    """The candidates in a pool of `SIZE` addresses."""
    goal = Goal(PART, within, size)
    return candidates(goal, ring_of(owners), [Range(0, SIZE)], space_of(owners, used), ME, there)


@given(OWNERS, USED, st.sampled_from([2, 4, 8, 16, 32, 64]))
def test_candidates_are_the_aligned_blocks_of_several(owners: list[Peer], used: set[int], size: int) -> None:
    """Each is aligned and of several owners, nothing of it is in use here, and there are no others."""
    blocks = {one.block for one in found(owners, used, size)}
    expected = {
        Range(start, start + size)
        for start in range(0, SIZE, size)
        if len(set(owners[start : start + size])) > 1
        and not any(owners[at] == ME and at in used for at in range(start, start + size))
    }

    assert blocks == expected


@given(OWNERS, st.sampled_from([2, 8, 64]))
def test_own_addresses_and_pieces_make_up_a_block(owners: list[Peer], size: int) -> None:
    """Together they are the block, in order; no two pieces of one owner touch."""
    for one in found(owners, set(), size):
        parts = sorted([*one.own, *(piece.what for piece in one.pieces)])
        assert [part.stop for part in parts[:-1]] == [part.start for part in parts[1:]]
        assert (one.block.start, one.block.stop) == (parts[0].start, parts[-1].stop)
        assert all({owners[at] for at in range(p.what.start, p.what.stop)} == {p.owner} for p in one.pieces)
        ends = {(piece.what.stop, piece.owner) for piece in one.pieces}
        assert not any((piece.what.start, piece.owner) in ends for piece in one.pieces)


def test_that_of_which_most_is_here_comes_first() -> None:
    """And of equal ones that of fewer owners."""
    owners = [ME, YOU, YOU, THEY] + [ME, YOU, YOU, YOU] + [ME, ME, ME, YOU] + [THEY] * 52
    assert [one.block.start for one in found(owners, set(), 4)] == [8, 4, 0]


def test_owners_that_are_not_there_are_left_out() -> None:
    """What they own cannot be had."""
    owners = [ME, YOU, ME, THEY] + [THEY] * 60
    assert [one.block.start for one in found(owners, set(), 2, there=[YOU])] == [0]


def test_only_within_what_is_wanted() -> None:
    """A claim of one particular block has no other candidate."""
    owners = [ME, YOU] * 32
    (one,) = found(owners, set(), 4, Range(8, 12))

    assert one == Candidate(
        Range(8, 12), (Range(8, 9), Range(10, 11)), (Piece(Range(9, 10), YOU), Piece(Range(11, 12), YOU))
    )


def test_what_is_set_aside_is_in_no_block() -> None:
    """With the first and the last address excluded the whole range is no candidate, nor are its ends."""
    owners = [ME, YOU] * 32
    goal = Goal(PART, (), 16)
    space = space_of(owners, set())
    blocks = [one.block for one in candidates(goal, ring_of(owners), [Range(1, 63)], space, ME, [YOU])]

    assert blocks == [Range(16, 32), Range(32, 48)]
