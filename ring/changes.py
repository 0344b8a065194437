"""
What an owner may do to a ring, and what a decision does.

Every change is a small ring, a delta: whoever makes it merges it like anybody else who hears of it.
Does not know when a change is allowed beyond what the ring says; durability is the caller's duty.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import cycle, pairwise

from ring.address import Range, union
from ring.ring import Peer, Ring, Run, Token

DIVIDE_STEPS = 16
"""Steps of a share's edges for each seed; shares differ by two in sixteen at most."""


def grant(ring: Ring, what: Range, owner: Peer, heir: Peer) -> Ring:
    """
    The delta by which an owner hands a range to another peer.

    Within each generation all of it gets one epoch, above all that were there: as few runs as can be.

    Invariant: `owner` owns every address of `what`.

    >>> me, you = Peer("me", 1), Peer("you", 1)
    >>> ring = Ring.of([Run(0, 8, Token(0, 3), me, me)])
    >>> [(run.start, run.stop, run.token.epoch, run.owner.name) for run in grant(ring, Range(4, 6), me, you)]
    [(4, 6, 4, 'you')]
    """
    runs = tuple(ring.within(what))
    assert sum(run.stop - run.start for run in runs) == what.size, "a grant of addresses of no pool"
    assert all(run.owner == owner for run in runs), "a grant of somebody else's addresses"
    return Ring.of(_lifted(runs, heir, owner))


def coalesce(ring: Ring, owner: Peer, within: Range) -> Ring:
    """
    The delta by which an owner joins its touching runs in a range; empty when there is nothing to join.

    Runs of several generations become one of the highest among them: a decision that brought it is in force
    where its runs are in the ring, and may be written in there.
    """
    joined: list[Run] = []
    for group in _groups(ring, owner, within):
        if len(group) > 1:
            generation, epoch = max(run.token for run in group)
            joined.append(Run(group[0].start, group[-1].stop, Token(generation, epoch + 1), owner, owner))
    return Ring.of(joined)


def take_over(ring: Ring, victims: Collection[Peer], heirs: Sequence[Peer], generation: int) -> Ring:
    """
    The delta of a decision that gives everything that some peers own to others, in a new generation.

    A range goes to the owner beside it, if it is an heir and it is no more than heirs will own on average;
    larger ones are divided at multiples of a power of two.  Heirs with little come first.

    Args:
        ring: Who owns what.
        victims: Whose addresses are taken.
        heirs: At least one, if victims own anything.
        generation: Above every generation of the addresses taken.

    >>> a, b, c = (Peer(name, 1) for name in "abc")
    >>> ring = Ring.of([Run(0, 8, Token(0, 0), a, a), Run(8, 12, Token(0, 2), b, a)])
    >>> [(run.start, run.stop, run.owner.name) for run in take_over(ring, [a], [b, c], 1)]
    [(0, 4, 'c'), (4, 8, 'b')]
    """
    taken = [run for run in ring if run.owner in victims]
    assert all(run.token.generation < generation for run in taken), "a decision does not overrule a later one"
    if not taken:
        return Ring.of(())
    sizes = dict.fromkeys(sorted(heirs), 0)
    for run in ring:
        if run.owner in sizes:
            sizes[run.owner] += run.stop - run.start
    whole = union(Range(run.start, run.stop) for run in taken)
    share = -(-(sum(one.size for one in whole) + sum(sizes.values())) // len(sizes))
    turns = cycle(sorted(sizes, key=lambda heir: (sizes[heir], heir)))
    given: list[tuple[Range, Peer]] = []
    for one in whole:
        beside = [ring.at(one.start - 1) if one.start else None, ring.at(one.stop)]
        near = [(sizes[run.owner], run.owner) for run in beside if run is not None and run.owner in sizes]
        if one.size <= share and near:
            _, heir = min(near)
            sizes[heir] += one.size
            given.append((one, heir))
        else:
            given += zip(_divided(one, -(-one.size // share)), turns, strict=False)
    return Ring.of(Run(one.start, one.stop, Token(generation, 0), heir, heir) for one, heir in given)


def divide(what: Range, seeds: Sequence[Peer]) -> tuple[Run, ...]:
    """
    The first split of a range: nearly equal shares in the order of the seeds, at the lowest token.

    Shares start at multiples of a power of two where the range is large enough; with more seeds than
    addresses some get none.

    >>> [(run.start, run.stop) for run in divide(Range(0, 256), [Peer("a", 1), Peer("b", 1), Peer("c", 1)])]
    [(0, 84), (84, 168), (168, 256)]
    """
    assert seeds, "a birth has seeds"
    shares = zip(_divided(what, len(seeds)), seeds, strict=False)
    return tuple(Run(one.start, one.stop, Token(0, 0), seed, seed) for one, seed in shares)


def _divided(what: Range, count: int) -> list[Range]:
    """Nearly equal parts of a range, fewer if it has fewer addresses."""
    step = 1 << max((what.size // (DIVIDE_STEPS * count)).bit_length() - 1, 0)
    inner = [(what.start + what.size * index // count) // step * step for index in range(1, count)]
    edges = [what.start, *inner, what.stop]
    return [Range(start, stop) for start, stop in pairwise(edges) if start < stop]


def _lifted(runs: Sequence[Run], heir: Peer, author: Peer) -> Iterator[Run]:
    highest: dict[int, int] = {}
    for run in runs:
        generation, epoch = run.token
        highest[generation] = max(highest.get(generation, 0), epoch)
    for run in runs:
        generation = run.token.generation
        yield Run(run.start, run.stop, Token(generation, highest[generation] + 1), heir, author)


def _groups(ring: Ring, owner: Peer, within: Range) -> Iterator[list[Run]]:
    """The maximal groups of touching runs of one owner, in order."""
    group: list[Run] = []
    for run in ring.within(within):
        if run.owner == owner and group and group[-1].stop == run.start:
            group.append(run)
            continue
        if group:
            yield group
        group = [run] if run.owner == owner else []
    if group:
        yield group
