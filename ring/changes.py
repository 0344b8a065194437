"""
What an owner may do to a ring, and what a decision does.

Every change is a small ring, a delta: whoever makes it merges it like anybody else who hears of it.
Does not know when a change is allowed beyond what the ring says; durability is the caller's duty.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ring.address import Range
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

    Runs of different generations stay apart: only who has accepted a generation's decision may write in it.
    """
    joined: list[Run] = []
    for group in _groups(ring, owner, within):
        if len(group) > 1:
            epoch = max(run.token.epoch for run in group) + 1
            token = Token(group[0].token.generation, epoch)
            joined.append(Run(group[0].start, group[-1].stop, token, owner, owner))
    return Ring.of(joined)


def take_over(ring: Ring, victims: Collection[Peer], heir: Peer, generation: int, author: Peer) -> Ring:
    """
    The delta of a decision that gives everything that some peers own to another, in a new generation.

    Invariant: `generation` is above every generation of the addresses taken.
    """
    taken = [run for chunk in ring.chunks for run in chunk.runs if run.owner in victims]
    assert all(run.token.generation < generation for run in taken), "a decision does not overrule a later one"
    return Ring.of(run._replace(token=Token(generation, 0), owner=heir, author=author) for run in taken)


def divide(what: Range, seeds: Sequence[Peer]) -> tuple[Run, ...]:
    """
    The first split of a range: nearly equal shares in the order of the seeds, at the lowest token.

    Shares start at multiples of a power of two where the range is large enough; with more seeds than
    addresses some get none.

    >>> [(run.start, run.stop) for run in divide(Range(0, 256), [Peer("a", 1), Peer("b", 1), Peer("c", 1)])]
    [(0, 84), (84, 168), (168, 256)]
    """
    assert seeds, "a birth has seeds"
    count = len(seeds)
    step = 1 << max((what.size // (DIVIDE_STEPS * count)).bit_length() - 1, 0)
    inner = [(what.start + what.size * index // count) // step * step for index in range(1, count)]
    edges = [what.start, *inner, what.stop]
    shares = zip(edges, edges[1:], seeds, strict=False)
    return tuple(Run(start, stop, Token(0, 0), seed, seed) for start, stop, seed in shares if start < stop)


def _lifted(runs: Sequence[Run], heir: Peer, author: Peer) -> Iterator[Run]:
    highest: dict[int, int] = {}
    for run in runs:
        generation, epoch = run.token
        highest[generation] = max(highest.get(generation, 0), epoch)
    for run in runs:
        generation = run.token.generation
        yield Run(run.start, run.stop, Token(generation, highest[generation] + 1), heir, author)


def _groups(ring: Ring, owner: Peer, within: Range) -> Iterator[list[Run]]:
    """The maximal groups of touching runs of one owner and generation, in order."""
    group: list[Run] = []
    for run in ring.within(within):
        joins = bool(group) and group[-1].stop == run.start
        if run.owner == owner and joins and group[-1].token.generation == run.token.generation:
            group.append(run)
            continue
        if group:
            yield group
        group = [run] if run.owner == owner else []
    if group:
        yield group
