"""
The ring: for each address the highest token that was ever seen for it, and its owner.

Does not know which addresses are in use, nor how statements travel.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple, TypeAlias

from ring.address import Range

CHUNK_RUNS_MAX = 256
"""
Runs that are copied together at most.

Higher makes a change cost more, lower the list of chunks: with 100,000 runs a change copies about as many
entries of the one as of the other.
"""

LAID_RUNS = 8
"""Laying one run over a ring takes about as long as copying so many."""


class Peer(NamedTuple):
    """
    One life of a daemon.

    `incarnation` is 0 to 2^64 - 1 and never used twice with one name; a later life has a higher one.
    """

    name: str
    incarnation: int

    def __str__(self) -> str:
        return f"{self.name}#{self.incarnation:016x}"


class Token(NamedTuple):
    """
    The version of an address's ownership; it only grows, ordered by generation and then epoch.

    Epochs are raised by owners, generations by completed decisions (a birth, a removal, a new pool).
    """

    generation: int
    epoch: int


class Run(NamedTuple):
    """The neighbouring addresses `[start, stop)` for which the ring holds one and the same statement."""

    start: int
    stop: int
    token: Token
    owner: Peer
    author: Peer

    def clipped(self, start: int, stop: int) -> Run:
        """The part of this run in `[start, stop)`, which must not be empty."""
        if start <= self.start and self.stop <= stop:
            return self
        return Run(max(start, self.start), min(stop, self.stop), self.token, self.owner, self.author)

    def continues(self, before: Run) -> bool:
        """Whether this run starts where `before` stops and says the same."""
        return before.stop == self.start and before[2:] == self[2:]


def joined(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Sorted, disjoint runs, with each that continues the one before made part of it."""
    held: list[Run] = []
    for run in runs:
        if held and run.continues(held[-1]):
            held[-1] = held[-1]._replace(stop=run.stop)
        else:
            held.append(run)
    return tuple(held)


Weight: TypeAlias = Callable[[Run], int]
"""A number for each run, 0 to 2^64 - 1, that depends on nothing else."""

TOTALS = 1 << 64
"""Sums of weights are modulo this."""


class Chunk:
    """A stretch of a ring's runs that rings share; never changed once made, but for sums it remembers."""

    __slots__ = ("_totals", "_weight", "runs", "starts")

    def __init__(self, runs: tuple[Run, ...], starts: list[int]) -> None:
        self.runs = runs
        """Sorted, disjoint, not empty."""
        self.starts = starts
        """The starts of the runs."""
        self._weight: Weight | None = None
        self._totals = array("Q")

    def totals(self, weight: Weight) -> array[int]:
        """The weight of no run, of the first run, of the first two, and so on; modulo 2^64."""
        if weight is not self._weight:
            totals = array("Q", (0,))
            for run in self.runs:
                totals.append((totals[-1] + weight(run)) % TOTALS)
            self._weight, self._totals = weight, totals
        return self._totals


class Ring:
    """
    An immutable map from addresses to statements, stored as sorted runs; it may be partial.

    Neighbouring runs never say the same, so rings that say the same of every address are equal, run by run,
    whatever they were made from.

    Invariant: runs are sorted, disjoint, not empty, and none continues the one before.

    Cost: a look-up is logarithmic in the runs; a change copies the chunks it touches and the list of chunks,
        and shares the rest with the ring it came from.

    >>> me = Peer("me", 1)
    >>> ring = Ring.of([Run(0, 4, Token(0, 0), me, me), Run(4, 8, Token(0, 0), me, me)])
    >>> [(run.start, run.stop) for run in ring]
    [(0, 8)]
    >>> ring.at(7).owner == me, ring.at(8)
    (True, None)
    """

    __slots__ = ("_chunk_runs_max", "_count", "_firsts", "_ranks", "_sums", "_weight", "chunks")

    def __init__(self, chunks: tuple[Chunk, ...], firsts: list[int], count: int, chunk_runs_max: int) -> None:
        """Of chunks that keep the invariant; use `of`."""
        self._chunk_runs_max = chunk_runs_max
        self.chunks = chunks
        """In order; for comparing rings that share some."""
        self._firsts = firsts
        self._count = count
        self._ranks: list[int] = []
        """How many runs are before each chunk, and how many there are; empty until somebody asks."""
        self._weight: Weight | None = None
        self._sums: list[int] = []
        """Of the weights of the runs before each chunk, and of all."""

    @classmethod
    def of(cls, runs: Iterable[Run], *, chunk_runs_max: int = CHUNK_RUNS_MAX) -> Ring:
        """
        The ring of these runs, in any order; it and what comes of it has chunks of so many runs at most.

        Raises:
            ValueError: two runs overlap, or one is empty or reversed.
        """
        ordered = sorted(runs)
        for run in ordered:
            if run.start >= run.stop:
                raise ValueError(f"empty run at {run.start}")
        for before, after in pairwise(ordered):
            if after.start < before.stop:
                raise ValueError(f"runs overlap at {after.start}")
        held = joined(ordered)
        chunks = tuple(_chunked(held, chunk_runs_max))
        return cls(chunks, [chunk.starts[0] for chunk in chunks], len(held), chunk_runs_max)

    def __len__(self) -> int:
        """The number of runs."""
        return self._count

    def __iter__(self) -> Iterator[Run]:
        """The runs in order of their starts."""
        return (run for chunk in self.chunks for run in chunk.runs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ring):
            return NotImplemented
        if self.chunks == other.chunks:  # by identity, chunk by chunk
            return True
        return len(self) == len(other) and all(
            mine == theirs for mine, theirs in zip(self, other, strict=True)
        )

    def __hash__(self) -> int:
        ends = (self.chunks[0].runs[0], self.chunks[-1].runs[-1]) if self.chunks else ()
        return hash((self._count, ends))

    def __repr__(self) -> str:
        return f"Ring.of({list(self)})"

    def at(self, address: int) -> Run | None:
        """The run that holds an address; None where nothing was ever said."""
        index = bisect_right(self._firsts, address) - 1
        if index < 0:
            return None
        chunk = self.chunks[index]
        run = chunk.runs[bisect_right(chunk.starts, address) - 1]
        return run if address < run.stop else None

    def within(self, what: Range) -> Iterator[Run]:
        """The runs in a range, the first and last clipped to it; gaps are left out."""
        index = max(bisect_right(self._firsts, what.start) - 1, 0)
        for chunk in self.chunks[index:]:
            if chunk.starts[0] >= what.stop:
                return
            at = max(bisect_right(chunk.starts, what.start) - 1, 0)
            for run in chunk.runs[at:]:
                if run.start >= what.stop:
                    return
                if run.stop > what.start:
                    yield run.clipped(what.start, what.stop)

    def starting(self, what: Range) -> Iterator[Run]:
        """The runs that start in a range, whole."""
        index = max(bisect_right(self._firsts, what.start) - 1, 0)
        for chunk in self.chunks[index:]:
            if chunk.starts[0] >= what.stop:
                return
            yield from chunk.runs[
                bisect_left(chunk.starts, what.start) : bisect_left(chunk.starts, what.stop)
            ]

    def rank(self, address: int) -> int:
        """How many runs start before an address."""
        index = bisect_left(self._firsts, address)
        if not index:
            return 0
        return self._before()[index - 1] + bisect_left(self.chunks[index - 1].starts, address)

    def nth(self, rank: int) -> Run:
        """
        The run before which so many start.

        Raises:
            IndexError: there are no more than that.
        """
        index = bisect_right(self._before(), rank) - 1
        return self.chunks[index].runs[rank - self._ranks[index]]

    def total(self, what: Range, weight: Weight) -> int:
        """
        The sum of the weights of all runs that start in a range, modulo 2^64.

        Cost: a look-up, but for the first one, which is linear in the chunks; a chunk asks for weights when
            it is first looked at, and remembers those of one weight.
        """
        if weight is not self._weight:
            self._sums = list(accumulate((one.totals(weight)[-1] for one in self.chunks), initial=0))
            self._weight = weight
        return (self._total_before(what.stop, weight) - self._total_before(what.start, weight)) % TOTALS

    def _total_before(self, address: int, weight: Weight) -> int:
        index = bisect_left(self._firsts, address)
        if not index:
            return 0
        last = self.chunks[index - 1]
        return self._sums[index - 1] + last.totals(weight)[bisect_left(last.starts, address)]

    def _before(self) -> list[int]:
        if not self._ranks:
            self._ranks = list(accumulate((len(chunk.runs) for chunk in self.chunks), initial=0))
        return self._ranks

    def owned_by(self, peer: Peer) -> Iterator[Run]:
        """The runs that a peer owns, in order; linear in all runs."""
        return (run for run in self if run.owner == peer)

    def overlaid(self, runs: Sequence[Run]) -> Overlaid:
        """
        This ring with runs laid over whatever was there; for `merge`, which knows that they win.

        Args:
            runs: Sorted, disjoint.
        """
        if len(runs) > self._chunk_runs_max and len(runs) * LAID_RUNS > len(self):
            return self._rebuilt(runs)
        chunks, firsts = list(self.chunks), list(self._firsts)
        gone: dict[int, Run] = {}
        fresh: dict[int, Run] = {}
        for run in runs:
            went, came = _lay(chunks, firsts, run, self._chunk_runs_max)
            for old in went:
                if fresh.pop(old.start, None) is None:
                    gone[old.start] = old
            fresh.update((new.start, new) for new in came)
        count = self._count + len(fresh) - len(gone)
        ring = Ring(tuple(chunks), firsts, count, self._chunk_runs_max)
        return Overlaid(ring, tuple(gone.values()), tuple(fresh.values()))

    def _rebuilt(self, runs: Sequence[Run]) -> Overlaid:
        """As `overlaid`, in time linear in both."""
        pieces = [*runs]
        at = 0
        for old in self:
            while at < len(runs) and runs[at].stop <= old.start:
                at += 1
            start, over = old.start, at
            while over < len(runs) and runs[over].start < old.stop:
                if start < runs[over].start:
                    pieces.append(old.clipped(start, runs[over].start))
                start = runs[over].stop
                over += 1
            if start < old.stop:
                pieces.append(old.clipped(start, old.stop))
        ring = Ring.of(pieces, chunk_runs_max=self._chunk_runs_max)
        before, after = ({run.start: run for run in one} for one in (self, ring))
        gone = tuple(run for run in self if after.get(run.start) != run)
        return Overlaid(ring, gone, tuple(run for run in ring if before.get(run.start) != run))


class Overlaid(NamedTuple):
    """A ring after runs were laid over it, and what that did to its runs."""

    ring: Ring
    gone: tuple[Run, ...]
    """Runs of the earlier ring that are not in this one."""
    fresh: tuple[Run, ...]
    """Runs of this ring that were not in the earlier one."""


def _chunked(runs: tuple[Run, ...], runs_max: int) -> Iterator[Chunk]:
    """Runs in chunks of nearly equal size."""
    count = -(-len(runs) // runs_max)
    for index in range(count):
        part = runs[len(runs) * index // count : len(runs) * (index + 1) // count]
        yield Chunk(part, [run.start for run in part])


def _lay(chunks: list[Chunk], firsts: list[int], over: Run, runs_max: int) -> tuple[list[Run], list[Run]]:
    """Lay one run over the chunks in place; the runs that went, and those that came."""
    low = max(bisect_left(firsts, over.start) - 1, 0)  # where the run before it is, which it may continue
    high = max(bisect_right(firsts, over.stop), low + 1)
    high = min(high, len(chunks))
    runs: tuple[Run, ...] = ()
    starts: list[int] = []
    for chunk in chunks[low:high]:
        runs += chunk.runs
        starts += chunk.starts
    first = bisect_left(starts, over.start)
    if first and runs[first - 1].stop >= over.start:
        first -= 1
    last = bisect_right(starts, over.stop)
    touched = runs[first:last]
    laid = _laid(touched, over)
    rest = (*runs[:first], *laid, *runs[last:])
    if len(rest) < runs_max // 4 and high < len(chunks):
        rest += chunks[high].runs
        high += 1
    made = list(_chunked(rest, runs_max))
    chunks[low:high] = made
    firsts[low:high] = [chunk.starts[0] for chunk in made]
    return [run for run in touched if run not in laid], [run for run in laid if run not in touched]


def _laid(touched: Sequence[Run], over: Run) -> tuple[Run, ...]:
    """Runs that overlap or touch another, with that one laid over them; joined where they say the same."""
    pieces = [run.clipped(run.start, over.start) for run in touched if run.start < over.start]
    pieces.append(over)
    pieces += [run.clipped(over.stop, run.stop) for run in touched if run.stop > over.stop]
    return joined(pieces)


EMPTY = Ring((), [], 0, CHUNK_RUNS_MAX)
"""The ring that says nothing."""
