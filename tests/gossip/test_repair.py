"""Repair: any two tables become one, for about as much as they differ."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from time import process_time
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range
from ring.merge import merge
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.rings import RingTable
from weaveipam.gossip import repair
from weaveipam.protocol import codec
from weaveipam.protocol.messages import PRINT_BYTES, Outline, RingShare
from weaveipam.protocol.values import RingId

V4 = RingId("default", Family.V4)
A, B = Peer("a", 1), Peer("b", 1)
DIGEST = codec.run_digests(V4, b"key")


class Side:
    """One daemon's ring, and what it says; does by hand what a node does with outlines and shares."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.said: list[Outline | repair.Share] = []

    @property
    def table(self) -> RingTable:
        """As of now."""
        return RingTable(V4, self.ring, DIGEST)

    def hear(self, told: Outline | repair.Share) -> list[Outline | repair.Share]:
        """The answers to one message."""
        answers: list[Outline | repair.Share] = []
        if isinstance(told, Outline):
            answers += repair.answer(told, self.table)
        if isinstance(told, RingShare):
            self.ring = merge(self.ring, Ring.of(told.runs)).ring
            said = set(told.runs)
            lacking = [one for one in self.ring.starting(Range(told.low, told.high)) if one not in said]
            if told.asks and lacking:
                answers.append(RingShare(told.low, told.high, False, V4, tuple(lacking)))
        self.said += answers
        return answers


def walk(one: Side, other: Side) -> int:
    """From the first outline to the last answer; the rounds that took."""
    one.said = [*repair.begin([(V4, one.table)])]
    pending: list[Outline | repair.Share] = list(one.said)
    here, there, rounds = other, one, 0
    while pending:
        pending = [answer for told in pending for answer in here.hear(told)]
        here, there, rounds = there, here, rounds + 1
        assert rounds < 100
    return rounds


def cost(*sides: Side) -> int:
    """Bytes of messages, without the packets around them."""
    return sum(codec.encoded_size(told) for side in sides for told in side.said)


def ring_of(runs: int, rng: Random) -> Ring:
    """Each of 16 addresses, of two owners in no order, so that no two are one run."""
    return Ring.of(
        Run(at * 16, at * 16 + 16, Token(0, at), rng.choice((A, B)), A) for at in range(1, runs + 1)
    )


def changed(ring: Ring, count: int, rng: Random) -> Ring:
    """The ring after so many of its runs moved."""
    runs = rng.sample(list(ring), count)
    return merge(ring, Ring.of(run._replace(token=Token(1, run.token.epoch)) for run in runs)).ring


Cell: TypeAlias = tuple[int, Peer] | None
cells: st.SearchStrategy[list[Cell]] = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from((A, B))) | st.none(), min_size=200, max_size=200
)


@pytest.mark.slow
@given(cells, cells)
def test_any_two_rings_become_their_join(mine: list[Cell], theirs: list[Cell]) -> None:
    """Whatever two daemons know, after one walk both know what both knew, with one fingerprint."""
    one, other = (
        Side(
            Ring.of(
                Run(at, at + 1, Token(0, cell[0]), cell[1], A)
                for at, cell in enumerate(of)
                if cell is not None
            )
        )
        for of in (mine, theirs)
    )
    joined = merge(one.ring, other.ring).ring
    walk(one, other)

    assert one.ring == other.ring == joined
    assert one.table.total(0, one.table.places) == other.table.total(0, other.table.places)


def test_the_same_is_answered_with_nothing() -> None:
    """A walk between two who know the same ends with its first outline."""
    ring = ring_of(1000, Random(1))

    assert walk(Side(ring), Side(ring)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("runs", [10, 1000, 5000, 100_000])
def test_one_lost_statement_costs_little(runs: int) -> None:
    """One run that one side lacks is found in few rounds, for some hundred bytes at any size of the ring."""
    for seed in range(4):
        rng = Random(seed)
        ring = ring_of(runs, rng)
        one, other = Side(changed(ring, 1, rng)), Side(ring)
        rounds = walk(one, other)

        assert one.ring == other.ring
        assert rounds <= 8
        assert cost(one, other) < (1024 if runs > 5000 else 720)


@pytest.mark.slow
def test_cost_follows_the_difference() -> None:
    """Fifty of a thousand runs that differ cost less than the ring, and all of them a few times as much."""
    rng = Random(2)
    ring = ring_of(1000, rng)
    whole = codec.encoded_size(Side(ring).table.share(0, 1 << 32))
    few, all_of_them = (Side(changed(ring, count, rng)) for count in (50, 1000))
    others = Side(ring), Side(ring)
    walk(few, others[0])
    walk(all_of_them, others[1])

    assert few.ring == others[0].ring
    assert all_of_them.ring == others[1].ring
    assert cost(few, others[0]) < 1.2 * whole
    assert cost(all_of_them, others[1]) < 3 * whole


def test_who_knows_nothing_is_told_all_in_two_rounds() -> None:
    """All that an empty table lacks comes at once for the outline that asks for everything."""
    full, empty = Side(ring_of(1000, Random(3))), Side(Ring.of(()))
    (outline,) = repair.sync([(V4, empty.table)])
    shares = repair.shares(outline, full.table)
    for share in shares:
        assert isinstance(share, RingShare)
        assert empty.hear(share) == []

    assert empty.ring == full.ring
    assert len(shares) == 1


@pytest.mark.slow
def test_who_was_away_is_told_little_more_than_what_changed() -> None:
    """Who asks for everything at once, and knows most of it, is not told the ring."""
    rng = Random(4)
    ring = ring_of(20_000, rng)
    ahead, behind = Side(changed(ring, 20, rng)), Side(ring)
    (outline,) = repair.sync([(V4, behind.table)])
    shares = repair.shares(outline, ahead.table)
    for share in shares:
        assert isinstance(share, RingShare)
        behind.hear(share)

    assert behind.ring == ahead.ring
    assert sum(len(share.runs) for share in shares if isinstance(share, RingShare)) <= 20 * 20


@pytest.mark.slow
def test_no_outline_takes_long() -> None:
    """The finest outline of a large ring is answered in well under a second, also if all of it differs."""
    table = Side(ring_of(100_000, Random(6))).table
    (outline,) = repair.sync([(V4, table)])
    began_s = process_time()
    said = repair.answer(replace(outline, prints=bytes(len(outline.prints))), table)

    assert len(said) == len(outline.lengths) == 1024
    assert process_time() - began_s < 0.5


def test_some_of_what_differs_everywhere_is_followed_if_that_will_do() -> None:
    """Of an outline all of which differs some parts are followed, by chance, and of any other one all."""
    table, rng = Side(ring_of(2000, Random(7))).table, Random(7)
    (whole,) = repair.begin([(V4, table)])
    (finer,) = repair.answer(replace(whole, prints=bytes(PRINT_BYTES)), table)
    assert isinstance(finer, Outline)
    wrong = replace(finer, prints=bytes(len(finer.prints)))
    nearly = replace(wrong, prints=finer.prints[:PRINT_BYTES] + wrong.prints[PRINT_BYTES:])
    chosen = {tuple(repair.answer(wrong, table, rng)) for _ in range(10)}

    assert {repair.FOLLOWED_MAX} == set(map(len, chosen))
    assert len(chosen) > 1
    assert len(repair.answer(wrong, table)) == repair.PARTS
    assert len(repair.answer(nearly, table, rng)) == repair.PARTS - 1


@given(st.integers(0, 1 << 33), st.lists(st.integers(1, 1 << 32), min_size=1, max_size=8), st.binary())
def test_no_outline_can_do_harm(low: int, lengths: list[int], prints: bytes) -> None:
    """Outlines of places that a table does not have, or of too many, are answered within it."""
    side = Side(ring_of(40, Random(5)))
    padded = (prints + bytes(len(lengths) * 6))[: len(lengths) * 6]
    for told in repair.answer(Outline(V4, low, tuple(lengths), padded), side.table):
        assert isinstance(told, Outline | RingShare)
        codec.encode_message(told)
