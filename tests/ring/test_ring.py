"""Rings, their laws and changes, against a double that keeps an entry for each address of a small space."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from time import process_time
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range
from ring.changes import coalesce, divide, grant, take_over
from ring.invariants import violations
from ring.merge import merge
from ring.ring import EMPTY, Peer, Ring, Run, Token

SPACE = 24
WHOLE = Range(0, SPACE)
PEERS = tuple(Peer(name, 1) for name in "abc")
A, B, C = PEERS

Said: TypeAlias = tuple[Token, Peer, Peer]
Double: TypeAlias = dict[int, Said]

saids = st.tuples(
    st.builds(Token, st.integers(0, 2), st.integers(0, 2)), st.sampled_from(PEERS), st.sampled_from(PEERS)
)
doubles = st.dictionaries(st.integers(0, SPACE - 1), saids, max_size=SPACE)
totals = st.lists(saids, min_size=SPACE, max_size=SPACE).map(lambda said: dict(enumerate(said)))
ranges = st.tuples(st.integers(0, SPACE - 1), st.integers(1, SPACE)).map(
    lambda pair: Range(pair[0], min(pair[0] + pair[1], SPACE))
)
tiny = st.sampled_from((1, 2, 3, 256))
"""Chunk sizes, so that the edges of chunks are everywhere."""


def double_of(runs: Iterable[Run]) -> Double:
    """What runs say of each address."""
    return {at: (run.token, run.owner, run.author) for run in runs for at in range(run.start, run.stop)}


def ring_of(double: Double, chunk_runs_max: int = 256) -> Ring:
    """The ring that says the same of each address."""
    runs = (Run(address, address + 1, *said) for address, said in double.items())
    return Ring.of(runs, chunk_runs_max=chunk_runs_max)


def joined(one: Double, other: Double) -> Double:
    """The obviously right merge."""
    both = {**one, **other}
    return {at: max(one.get(at, both[at]), other.get(at, both[at])) for at in both}


@given(doubles, tiny)
def test_a_ring_says_what_it_was_made_of(double: Double, size: int) -> None:
    """Every address is looked up to what was said of it, and the runs are canonical."""
    ring = ring_of(double, size)

    assert double == double_of(ring)
    assert violations(ring) == []
    for address in range(-1, SPACE + 1):
        run = ring.at(address)
        assert double.get(address) == (run and (run.token, run.owner, run.author))


@given(doubles, ranges, tiny)
def test_within_is_clipped(double: Double, what: Range, size: int) -> None:
    """The runs in a range say of its addresses what the ring says, and nothing of others."""
    runs = list(ring_of(double, size).within(what))

    assert {at: said for at, said in double.items() if at in what} == double_of(runs)


@given(doubles, st.sampled_from(PEERS), tiny)
def test_owned_by_finds_all_and_only_those(double: Double, peer: Peer, size: int) -> None:
    """The runs of an owner are the ring's runs with that owner."""
    ring = ring_of(double, size)

    assert [run for run in ring if run.owner == peer] == list(ring.owned_by(peer))


@given(doubles, doubles, tiny)
def test_merge_takes_the_greater_at_each_address(one: Double, other: Double, size: int) -> None:
    """Merging is the maximum, address by address, and stays canonical."""
    merged = merge(ring_of(one, size), ring_of(other))

    assert joined(one, other) == double_of(merged.ring)
    assert violations(merged.ring) == []


@given(doubles, doubles, doubles, tiny)
def test_merge_is_a_join(one: Double, two: Double, three: Double, size: int) -> None:
    """Commutative, associative, idempotent: as rings, run by run."""
    a, b, c = ring_of(one, size), ring_of(two), ring_of(three, size)

    assert merge(a, b).ring == merge(b, a).ring
    assert merge(merge(a, b).ring, c).ring == merge(a, merge(b, c).ring).ring
    assert merge(a, a).ring is a
    assert hash(merge(a, b).ring) == hash(merge(b, a).ring)


@given(st.lists(doubles, max_size=5), st.randoms(use_true_random=False), tiny)
def test_any_order_of_any_repeats_converges(parts: list[Double], rng: object, size: int) -> None:
    """Statements in any order, some doubled, give the same ring; each step knows at least what it knew."""
    shuffled = [*parts, *parts[:2]]
    rng.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    straight, other = ring_of({}, size), EMPTY
    for part in parts:
        straight = merge(straight, ring_of(part)).ring
    for part in shuffled:
        before = double_of(other)
        other = merge(other, ring_of(part)).ring
        after = double_of(other)
        assert all(after[address] >= said for address, said in before.items())

    assert straight == other


@given(doubles, doubles, tiny)
def test_what_won_is_enough(one: Double, other: Double, size: int) -> None:
    """Merging what won of one over the other gives what merging all of it would, and it is not more."""
    mine, theirs = ring_of(one, size), ring_of(other, size)
    beyond = merge(theirs, mine).won

    assert merge(theirs, mine).ring == merge(theirs, Ring.of(beyond)).ring
    assert {at: said for at, said in one.items() if at not in other or said > other[at]} == double_of(beyond)


@given(doubles, doubles, tiny)
def test_merge_reports_exactly_the_runs_that_changed(one: Double, other: Double, size: int) -> None:
    """The old runs without those gone, with those fresh, are the new runs."""
    mine = ring_of(one, size)
    merged = merge(mine, ring_of(other))

    assert set(mine) - set(merged.ring) == set(merged.gone)
    assert set(merged.ring) - set(mine) == set(merged.fresh)
    assert (len(merged.gone), len(merged.fresh)) == (len(set(merged.gone)), len(set(merged.fresh)))


@given(doubles, doubles)
def test_conflicts_are_one_token_with_two_owners(one: Double, other: Double) -> None:
    """Every such address is named with both statements, and no other is."""
    conflicts = merge(ring_of(one), ring_of(other)).conflicts
    named = {at for each in conflicts for at in range(each.mine.start, each.mine.stop)}

    assert {
        at for at in one.keys() & other.keys() if one[at][0] == other[at][0] and one[at][1] != other[at][1]
    } == named
    assert all((each.mine[:3], each.mine.owner) != (each.theirs[:3], each.theirs.owner) for each in conflicts)


@given(totals, ranges, st.sampled_from(PEERS), tiny)
def test_grant_moves_exactly_the_range(total: Double, what: Range, heir: Peer, size: int) -> None:
    """The heir owns the range by statements of the old owner; all else is as it was."""
    mine = {
        at: (token, A, author) if at in what else (token, owner, author)
        for at, (token, owner, author) in total.items()
    }
    ring = ring_of(mine, size)
    merged = merge(ring, grant(ring, what, A, heir))
    after = double_of(merged.ring)

    assert all(
        after[at][1:] == (heir, A) and after[at][0] > mine[at][0] for at in range(what.start, what.stop)
    )
    assert all(after[at][0][0] == mine[at][0][0] for at in mine), "a grant raises no generation"
    assert {at: said for at, said in mine.items() if at not in what} == {
        at: said for at, said in after.items() if at not in what
    }
    assert merged.conflicts == ()


def test_grant_of_what_is_not_owned_is_refused() -> None:
    """Giving away somebody else's addresses, or addresses of no pool, is a programmer's error."""
    ring = Ring.of([Run(0, 4, Token(0, 0), A, A), Run(4, 8, Token(0, 0), B, B)])

    for what in (Range(2, 6), Range(7, 9), Range(20, 21)):
        with pytest.raises(AssertionError):
            grant(ring, what, A, C)


@given(totals, ranges, tiny)
def test_coalesce_joins_all_it_may_and_ends(total: Double, what: Range, size: int) -> None:
    """Nobody loses an address; no two touching runs are left; again does nothing."""
    ring = ring_of(total, size)
    merged = merge(ring, coalesce(ring, A, what)).ring
    runs = list(merged.within(what))

    assert {at: said[1] for at, said in total.items()} == {
        at: said[1] for at, said in double_of(merged).items()
    }
    for before, after in itertools.pairwise(runs):
        assert not (before.owner == after.owner == A and before.stop == after.start)
    assert len(coalesce(merged, A, what)) == 0


@given(totals, st.sets(st.sampled_from(PEERS), max_size=2), tiny)
def test_take_over_moves_all_of_the_victims(total: Double, victims: set[Peer], size: int) -> None:
    """After the decision the victims own nothing and everybody else what they had."""
    ring = ring_of(total, size)
    heirs = [one for one in PEERS if one not in victims]
    delta = take_over(ring, victims, heirs, 3)
    after = double_of(merge(ring, delta).ring)

    for address, (token, owner, _) in total.items():
        if owner in victims:
            assert after[address][0] == Token(3, 0)
            assert after[address][1] in heirs
        else:
            assert (token, owner) == after[address][:2]


def test_take_over_leaves_few_runs_of_one_victim_among_many() -> None:
    """What one of many owned is not cut into as many pieces: the one beside it gets it."""
    peers = [Peer(f"n{number:03}", 1) for number in range(100)]
    ring = Ring.of(Run(8 * at, 8 * at + 8, Token(0, 0), peer, peer) for at, peer in enumerate(peers))
    delta = take_over(ring, peers[50:51], peers[:50] + peers[51:], 1)

    (run,) = delta
    assert (400, 408) == (run.start, run.stop)
    assert run.owner in (peers[49], peers[51])


def test_take_over_shares_what_most_owned() -> None:
    """What nine of ten owned goes to all who are left, in about equal parts."""
    peers = [Peer(f"n{number:03}", 1) for number in range(100)]
    ring = Ring.of(Run(8 * at, 8 * at + 8, Token(0, 0), peer, peer) for at, peer in enumerate(peers))
    heirs = peers[::10]
    after = merge(ring, take_over(ring, set(peers).difference(heirs), heirs, 1)).ring
    sizes = {heir: sum(run.stop - run.start for run in after if run.owner == heir) for heir in heirs}

    assert 800 == sum(sizes.values())
    assert min(sizes.values()) >= 40
    assert max(sizes.values()) <= 160


@given(
    st.sampled_from([1, 2, 3, 7, 8, 100, 256, 1000, 1 << 32, 1 << 128]),
    st.integers(0, 9),
    st.integers(1, 7),
)
def test_divide_covers_once_and_fairly(size: int, start: int, count: int) -> None:
    """Every address gets one seed, in order; shares differ by two in sixteen at most if there is enough."""
    what = Range(start, start + size)
    seeds = [Peer(f"n{index}", 1) for index in range(count)]
    runs = divide(what, seeds)
    shares = [run.stop - run.start for run in runs]

    assert violations(Ring.of(runs), [what]) == []
    assert sorted(run.owner for run in runs) == [run.owner for run in runs]
    if size >= 16 * count:
        assert max(shares) - min(shares) <= size / count / 8 + 1


def test_divide_cuts_at_round_addresses() -> None:
    """Shares of a range that starts anywhere still meet at multiples of a power of two."""
    runs = divide(Range(10, 251), PEERS)

    assert [(10, 88), (88, 168), (168, 251)] == [(run.start, run.stop) for run in runs]


@pytest.mark.parametrize("bits", [0, 1, 32, 128])
def test_boundaries_of_a_range(bits: int) -> None:
    """First and last address of a /32, a /31, all of IPv4 and all of IPv6 are granted like any other."""
    stop = 1 << bits
    ring = Ring.of([Run(0, stop, Token(0, 0), A, A)])
    for at in {0, stop - 1}:
        ring = merge(ring, grant(ring, Range(at, at + 1), A, B)).ring

    assert (B, B, None) == (ring.at(0).owner, ring.at(stop - 1).owner, ring.at(stop))  # type: ignore[union-attr]
    assert violations(ring, [Range(0, stop)]) == []
    assert Family.V6.size == 1 << 128


@pytest.mark.parametrize("runs", [[(0, 4), (3, 5)], [(0, 0)], [(5, 2)]])
def test_what_is_no_ring_is_refused(runs: list[tuple[int, int]]) -> None:
    """Overlapping, empty or reversed runs are refused."""
    with pytest.raises(ValueError, match="run"):
        Ring.of(Run(start, stop, Token(0, 0), A, A) for start, stop in runs)


def test_violations_names_each_kind() -> None:
    """Overlap, a run that should be one with the next, a gap, and addresses outside are all found."""
    run = Run(0, 4, Token(0, 0), A, A)

    assert "overlap" in violations([run, run._replace(start=3, stop=6)])[0]
    assert "should be one" in violations([run, run._replace(start=4, stop=6)])[0]
    assert "negative" in violations([run._replace(token=Token(0, -1))])[0]
    assert "empty" in violations([run._replace(stop=0)])[0]
    assert ["nothing is said of 4 to 8"] == violations([run], [Range(0, 8)])
    assert ["2 to 4 is outside every pool"] == violations([run], [Range(0, 2)])


def test_merging_a_small_change_shares_the_rest() -> None:
    """A change to a large ring copies few chunks: nearly all are the same objects afterwards."""
    ring = Ring.of(Run(i, i + 1, Token(0, i % 2), A, A) for i in range(10_000))
    after = merge(ring, grant(ring, Range(5000, 5003), A, B)).ring
    same = {id(chunk) for chunk in ring.chunks} & {id(chunk) for chunk in after.chunks}

    assert len(ring.chunks) - 2 <= len(same)


def test_shrinking_rings_do_not_keep_tiny_chunks() -> None:
    """When runs are joined away, chunks are joined too."""
    ring = Ring.of((Run(i, i + 1, Token(0, i % 2), A, A) for i in range(4_000)), chunk_runs_max=64)
    for start in range(0, 4_000, 100):
        ring = merge(ring, coalesce(ring, A, Range(start, start + 100))).ring

    assert len(ring) <= 40
    assert len(ring.chunks) <= 4


@given(doubles, doubles)
def test_laying_many_runs_at_once_is_laying_one_after_the_other(double: Double, other: Double) -> None:
    """However many runs are new, the same ring comes of it, and the same runs go and come."""
    won = merge(ring_of(double), ring_of(other)).won
    at_once = ring_of(double, 1).overlaid(won)
    in_turn = ring_of(double).overlaid(won)

    assert at_once.ring == in_turn.ring
    assert (set(at_once.gone), set(at_once.fresh)) == (set(in_turn.gone), set(in_turn.fresh))


@pytest.mark.slow
def test_learning_a_large_ring_takes_little_longer_than_making_it() -> None:
    """Runs by the hundred thousand are not laid over a ring one by one, which takes 25 times as long."""
    runs = [Run(at, at + 1, Token(0, at % 2), A, A) for at in range(100_000)]
    began_s = process_time()
    whole = Ring.of(runs)
    made_s = process_time()
    laid = Ring.of([Run(0, 100_000, Token(0, 0), B, B)]).overlaid(runs)

    assert laid.ring == whole
    assert process_time() - made_s < 12 * (made_s - began_s)


def weight(run: Run) -> int:
    """Something for each run that sums could confuse with that of no other here."""
    return (1 << 63) + run.start * 1000 + run.stop


@given(doubles, tiny, ranges, st.integers(0, SPACE))
def test_runs_are_counted_and_weighed_by_where_they_start(
    double: Double, size: int, what: Range, address: int
) -> None:
    """Counts, look-ups by rank and sums of weights are those of the list of all runs, asked twice too."""
    ring = ring_of(double, size)
    runs = list(ring)
    inside = [run for run in runs if what.start <= run.start < what.stop]

    assert list(ring.starting(what)) == inside
    assert ring.rank(address) == sum(run.start < address for run in runs)
    assert [ring.nth(rank) for rank in range(len(ring))] == runs
    assert [ring.total(what, weight)] * 2 == [sum(map(weight, inside)) % 2**64 for _ in range(2)]
    assert ring.total(what, lambda _: 1) == len(inside)


def test_there_is_no_run_beyond_the_last() -> None:
    """A rank that no run has is an error, not some other run."""
    with pytest.raises(IndexError):
        EMPTY.nth(0)
