"""
Which of an owner's addresses are free: next fit from a moving cursor, cooldown, aligned blocks, donations.

Keeps free intervals, not addresses, so cost follows fragments: a /8 or an IPv6 /64 costs no more than a /24.
Does not know who holds what is taken, nor which pool this is.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence

from ring.address import Range, subtract


class Space:
    """
    The free and the cooling addresses of one owner in one pool and family; others are taken or not its own.

    Args:
        cooldown_s: Seconds that a released address rests before it is free again; 0 for none.
        stirred: Called when `rests_changed` has something to say, where it had nothing before.
        lowest_first: Whether the lowest address goes first always, to keys and to other owners, and to those
            no more than they need; else as `allocate` and `donate` say.

    Invariant: free intervals are sorted, disjoint and do not touch; free and cooling addresses are disjoint.

    >>> space = Space(cooldown_s=0)
    >>> space.add(Range(0, 4))
    >>> space.allocate(), space.allocate(), space.free_count
    (0, 1, 2)
    >>> space.release(Range(0, 1), now=0.0)
    >>> space.allocate()  # goes on from where it was
    2
    """

    def __init__(
        self, cooldown_s: float, stirred: Callable[[], object] | None = None, *, lowest_first: bool = False
    ) -> None:
        self._cooldown_s = cooldown_s
        self._stirred = stirred
        self.lowest_first = lowest_first
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._cooling: dict[int, tuple[float, Range]] = {}
        self._changed: dict[int, None] = {}
        """Where what rests begins, or began, that is not what it was when `rests_changed` was asked last."""
        self._cursor = 0
        self.free_count = 0
        """Addresses that can be handed out now."""
        self.cooling_count = 0
        """Addresses that were released and rest."""

    @property
    def thaw_at(self) -> float:
        """Seconds on the monotonic clock: when the next addresses have rested; infinity for none."""
        return next(iter(self._cooling.values()))[0] if self._cooling else math.inf

    def _note(self, at: int) -> None:
        if not self._changed and self._stirred is not None:
            self._stirred()
        self._changed[at] = None

    def free_ranges(self) -> tuple[Range, ...]:
        """The free intervals, sorted."""
        return tuple(map(Range, self._starts, self._stops))

    def cooling_ranges(self) -> tuple[Range, ...]:
        """What rests, as it was released, longest first."""
        return tuple(what for _, what in self._cooling.values())

    def rests_changed(self) -> list[tuple[int, Range | None]]:
        """
        What of `cooling_ranges` may be new or gone since this was last asked, for whoever keeps it on disk.

        By first address what rests from there, as in `cooling_ranges`; None if nothing does any more.
        """
        if not self._changed:
            return []
        changed = [(at, self._cooling[at][1] if at in self._cooling else None) for at in self._changed]
        self._changed.clear()
        return changed

    def free_within(self, what: Range) -> int:
        """How many addresses of a range are free."""
        return sum(one.size for one in self._free_in(what))

    def cooling_within(self, what: Range) -> list[Range]:
        """What of a range rests; sorted."""
        return sorted(both for _, one in self._cooling.values() if (both := one.meet(what)))

    def add(self, what: Range) -> None:
        """
        These addresses are free from now on.

        Invariant: none of them was free before.
        """
        low = bisect_left(self._stops, what.start)
        high = bisect_right(self._starts, what.stop)
        start, stop = what.start, what.stop
        if low < high:
            start, stop = min(start, self._starts[low]), max(stop, self._stops[high - 1])
            size = sum(self._stops[i] - self._starts[i] for i in range(low, high))
            assert stop - start == what.size + size, "added what is free already"
        self._starts[low:high] = [start]
        self._stops[low:high] = [stop]
        self.free_count += what.size

    def remove(self, what: Range) -> tuple[Range, ...]:
        """Take away whatever of a range is free or cooling; what was, free first, each sorted."""
        free = tuple(self._free_in(what))
        for one in free:
            self._cut(one)
        return (*free, *self._warm_up(what))

    def allocate(self, within: Sequence[Range] = ()) -> int | None:
        """
        The next free address after the last one allocated, going round; None if there is none.

        Args:
            within: Only from these ranges; empty for any.
        """
        block = self.allocate_block(1, within)
        return None if block is None else block.start

    def allocate_block(self, size: int, within: Sequence[Range] = ()) -> Range | None:
        """The next free block of `size` addresses, a power of two, aligned to it; else as `allocate`."""
        if self.lowest_first:
            lowest = self.lowest(size, within)
            if lowest is not None:
                self._cut(lowest)
            return lowest
        for one in self._from_cursor(within):
            start = -(-one.start // size) * size
            if start + size <= one.stop:
                block = Range(start, start + size)
                self._cut(block)
                self._cursor = block.stop
                return block
        return None

    def lowest(self, size: int = 1, within: Sequence[Range] = ()) -> Range | None:
        """What `allocate_block` would take if the lowest address went first; it stays free."""
        for one in self._pieces(sorted(within)):
            start = -(-one.start // size) * size
            if start + size <= one.stop:
                return Range(start, start + size)
        return None

    def allocate_early(self, size: int, within: Sequence[Range] = ()) -> tuple[float, Range] | None:
        """As `allocate_block`, of what has rested longest; first until when it would have rested."""
        for at, one in self._cooling.values():
            for piece in [one] if not within else [both for each in within if (both := one.meet(each))]:
                start = -(-piece.start // size) * size
                if start + size <= piece.stop:
                    block = Range(start, start + size)
                    self._warm_up(block)
                    return at, block
        return None

    def rest_on(self, what: Range, until: float) -> None:
        """Put back what `allocate_early` took: it rests on, as one range with what is left of its own."""
        start, stop = what.start, what.stop
        for at, one in list(self._cooling.values()):
            if at == until and (one.stop == what.start or one.start == what.stop):
                start, stop = min(start, one.start), max(stop, one.stop)
                del self._cooling[one.start]
                self._note(one.start)
        self._cooling[start] = (until, Range(start, stop))
        self._note(start)
        self._cooling = dict(sorted(self._cooling.items(), key=lambda entry: entry[1][0]))
        self.cooling_count += what.size

    def release(self, what: Range, now: float) -> None:
        """These addresses are no longer taken; they rest, and then they are free."""
        if self._cooldown_s <= 0:
            self.add(what)
            return
        assert what.start not in self._cooling, "released twice"
        self._cooling[what.start] = (now + self._cooldown_s, what)
        self._note(what.start)
        self.cooling_count += what.size

    def thaw(self, now: float) -> tuple[Range, ...]:
        """Free what has rested; the ranges as they were released, those that rested longest first."""
        thawed: list[Range] = []
        for at, what in self._cooling.values():
            if at > now:
                break
            thawed.append(what)
        for what in thawed:
            del self._cooling[what.start]
            self._note(what.start)
            self.cooling_count -= what.size
            self.add(what)
        return tuple(thawed)

    def donate(self, size: int, within: Sequence[Range] = (), *, cooling: bool = False) -> Range | None:
        """
        Give away half of the largest free aligned block, or `size` addresses if that is more.

        Of equally large blocks the one furthest ahead of the cursor goes, and the half of it without the
        cursor: what this owner would have used last.

        Args:
            size: Addresses that are needed at least, a power of two; what is given is aligned to it.
            within: Only from these ranges; empty for any.
            cooling: Whether, with nothing free, cooling addresses will do.
        """
        given = self.allocate_block(size, within) if self.lowest_first else self._halve(size, within)
        early = self.allocate_early(size, within) if given is None and cooling else None
        return given if early is None else early[1]

    def _halve(self, size: int, within: Sequence[Range]) -> Range | None:
        best: Range | None = None
        for one in self._pieces(within):
            block = largest_block(one)
            if best is None or (block.size, self._ahead(block)) > (best.size, self._ahead(best)):
                best = block
        if best is None or best.size < size:
            return None
        half = max(size, best.size // 2)
        given = Range(best.stop - half, best.stop)
        if half < best.size and self._cursor in given:
            given = Range(best.start, best.start + half)
        self._cut(given)
        return given

    def _ahead(self, block: Range) -> tuple[bool, int]:
        return block.start < self._cursor, block.start

    def _pieces(self, within: Sequence[Range]) -> Iterator[Range]:
        """The free intervals, cut to the ranges if there are any."""
        if not within:
            yield from map(Range, self._starts, self._stops)
        for one in within:
            yield from self._free_in(one)

    def _free_in(self, what: Range) -> Iterator[Range]:
        index = bisect_right(self._stops, what.start)
        while index < len(self._starts) and self._starts[index] < what.stop:
            yield Range(max(self._starts[index], what.start), min(self._stops[index], what.stop))
            index += 1

    def _from_cursor(self, within: Sequence[Range]) -> Iterator[Range]:
        """The free pieces in order of use: those from the cursor on, then all again from the start."""
        if within:
            for one in within:
                if one.stop > self._cursor:
                    yield from self._free_in(Range(max(one.start, self._cursor), one.stop))
            yield from self._pieces(within)
            return
        first = bisect_right(self._stops, self._cursor)
        for index in range(first, len(self._starts)):
            yield Range(max(self._starts[index], self._cursor), self._stops[index])
        for index in range(min(first + 1, len(self._starts))):
            yield Range(self._starts[index], self._stops[index])

    def _cut(self, what: Range) -> None:
        """Take a range out of the one free interval that it lies in."""
        index = bisect_right(self._starts, what.start) - 1
        start, stop = self._starts[index], self._stops[index]
        assert start <= what.start, "cut what is not free"
        assert what.stop <= stop, "cut what is not free"
        left = [(start, what.start)] if start < what.start else []
        right = [(what.stop, stop)] if what.stop < stop else []
        self._starts[index : index + 1] = [one[0] for one in (*left, *right)]
        self._stops[index : index + 1] = [one[1] for one in (*left, *right)]
        self.free_count -= what.size

    def _warm_up(self, what: Range) -> tuple[Range, ...]:
        """Take whatever of a range is cooling."""
        if not self._cooling:
            return ()
        alone = self._cooling.get(what.start)
        if alone is not None and alone[1] == what:
            del self._cooling[what.start]
            self._note(what.start)
            self.cooling_count -= what.size
            return (what,)
        kept: dict[int, tuple[float, Range]] = {}
        warm: list[Range] = []
        for at, one in self._cooling.values():
            both = one.meet(what)
            if both is None:
                kept[one.start] = (at, one)
                continue
            warm.append(both)
            self._note(one.start)
            for rest in subtract([one], [both]):
                kept[rest.start] = (at, rest)
                self._note(rest.start)
        self._cooling = kept
        self.cooling_count -= sum(one.size for one in warm)
        return tuple(sorted(warm))


def largest_block(one: Range) -> Range:
    """
    The largest aligned power-of-two block of a range; the last one if there are several.

    >>> largest_block(Range(3, 13))
    Range(start=8, stop=12)
    """
    size = 1 << (one.size.bit_length() - 1)
    while (stop := one.stop // size * size) - size < one.start:
        size //= 2
    return Range(stop - size, stop)
