"""
The pools, and how much of each this node has: owned, used, free, cooling.

Does not know keys or peers; `leases` and `rings` do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from ring.address import Family, Range, meeting, subtract, union
from ring.ring import Run
from ring.space import Space
from weaveipam.allocation.nest import nest
from weaveipam.protocol.messages import FreeHint
from weaveipam.protocol.values import Assigned, Order, Pool, PoolRange, RingId

HINTS_BYTES = 512
"""Of all hints together: with more of them a ping of long names would not fit into a datagram."""
HINT_BYTES = 8
"""Of one hint, beside its pool's name, at most."""


class Part(NamedTuple):
    """The addresses of one pool in one ring that are handed out alike."""

    pool: str
    ring: RingId
    kept: bool = False
    """Whether they are only for who asks for just one of them: reserved, or pre-allocated."""


class Stock:
    """How much of one part this node has."""

    def __init__(
        self,
        assignable: tuple[Range, ...],
        cooldown_s: float,
        stirred: Callable[[], object] | None = None,
        *,
        sequential: bool = False,
    ) -> None:
        self.assignable = assignable
        """The part's addresses but for excluded ones; sorted, disjoint."""
        self.size = sum(one.size for one in assignable)
        """Addresses in the whole cluster."""
        self.space = Space(cooldown_s, stirred, lowest_first=sequential)
        self.sequential = sequential
        """Whether the lowest free address goes first, whoever owns it."""
        self.owned = 0
        """Assignable addresses that this node owns."""
        self.used = 0
        """Those of live allocations made here; those that were lost to another owner still count."""

    def gain(self, what: Range) -> None:
        """`what` is owned from now on, and free."""
        for one in self.meet(what):
            self.space.add(one)
            self.owned += one.size

    def lose(self, what: Range) -> None:
        """`what` is owned no longer; what of it is allocated stays with its user."""
        for one in self.meet(what):
            self.space.remove(one)
            self.owned -= one.size

    def free_of(self, what: Range) -> int | None:
        """How many addresses of `what` are assignable; None unless all of them are free here."""
        pieces = self.meet(what)
        count = sum(one.size for one in pieces)
        return count if sum(self.space.free_within(one) for one in pieces) == count else None

    def meet(self, what: Range) -> tuple[Range, ...]:
        """The assignable addresses of `what`."""
        return meeting(self.assignable, what)

    def covers(self, what: Range) -> bool:
        """Whether all of `what` is assignable."""
        return sum(one.size for one in self.meet(what)) == what.size


class Pools:
    """Every pool of the cluster and this node's stock of it."""

    def __init__(self, pools: Iterable[Pool], cooldown_s: float) -> None:
        self._pools = {pool.name: pool for pool in pools}
        self._names: dict[str, tuple[str, ...]] = {}
        self._nest = nest(self._pools.values())
        self._kinds = {pool.network for pool in self if pool.kind}
        """The networks in which there are pools of a kind."""
        self._ranges: dict[RingId, list[tuple[Range, PoolRange, Part]]] = {}
        """What pools have of their ranges, without what lies in pools below them."""
        self._areas: dict[RingId, list[tuple[Range, Part]]] = {}
        """What can be handed out, by its first address, and of which part it is."""
        self.stocks: dict[Part, Stock] = {}
        """By part, in order of pool names and families."""
        self.restless: dict[Part, None] = {}
        """Parts of which something rests, or rested when `Rests.note` was asked last."""
        self._kept: dict[tuple[RingId, int], str] = {}
        """For whom pools keep an address."""
        for name in sorted(self._pools):
            self._divide(self._pools[name], cooldown_s)
        for ranges in self._ranges.values():
            ranges.sort(key=lambda entry: entry[0].start)
        for areas in self._areas.values():
            areas.sort()
        self._whole = {ring: union(self.domain(ring)) for ring in self._ranges}
        """What each ring covers, in as few ranges as can be."""
        self._turn = 0
        """With which part hints begin, where there is no room for all."""

    def __iter__(self) -> Iterator[Pool]:
        return iter(self._pools[name] for name in sorted(self._pools))

    def __contains__(self, name: str) -> bool:
        return name in self._pools

    def __getitem__(self, name: str) -> Pool:
        return self._pools[name]

    def names(self, network: str) -> tuple[str, ...]:
        """The pools of a network, sorted."""
        return self._names.get(network, ())

    def parent(self, name: str) -> str:
        """The name of the pool that a pool lies in; empty if it lies in none."""
        return self._nest.parents.get(name, "")

    def has_kinds(self, network: str) -> bool:
        """Whether there are pools of a kind in a network."""
        return network in self._kinds

    def rings(self) -> tuple[RingId, ...]:
        """The rings that the pools need, sorted."""
        return tuple(sorted(self._ranges))

    def domain(self, ring: RingId) -> tuple[Range, ...]:
        """The addresses that a ring must cover; sorted, disjoint."""
        return tuple(what for what, _, _ in self._ranges.get(ring, []))

    def whole(self, ring: RingId) -> tuple[Range, ...]:
        """As `domain`, in as few ranges as can be."""
        return self._whole.get(ring, ())

    def covers(self, ring: RingId, start: int, stop: int) -> bool:
        """Whether `[start, stop)` is wholly inside a ring's domain; asked of every run that a peer tells."""
        whole = self._whole.get(ring, ())
        index = bisect_right(whole, start, key=lambda one: one.start) - 1
        return index >= 0 and stop <= whole[index].stop

    def inside(self, ring: RingId, run: Run) -> Iterator[Run]:
        """What a run says of addresses of a ring's domain, in order."""
        if self.covers(ring, run.start, run.stop):
            yield run
            return
        for one in self.whole(ring):
            if one.start < run.stop and run.start < one.stop:
                yield run.clipped(one.start, one.stop)

    def parts(self, network: str, names: Sequence[str], family: Family) -> tuple[Part, ...]:
        """
        The parts of one family of the pools named, in that order; of all of the network when none is.

        Only those that are for anybody.
        """
        ring = RingId(network, family)
        wanted = (Part(name, ring) for name in names or self.names(network))
        return tuple(part for part in wanted if part in self.stocks)

    def part_for(self, pool: str, ring: RingId, within: Sequence[Range]) -> Part:
        """Of which part of a pool somebody wants something, who names particular addresses or none."""
        kept = Part(pool, ring, kept=True)
        if within and kept in self.stocks and all(self.stocks[kept].covers(one) for one in within):
            return kept
        return Part(pool, ring)

    def carries(self, pool: str, family: Family) -> bool:
        """Whether a pool has ranges of a family."""
        return any(one.family is family for one in self._pools[pool].ranges)

    def kept_for(self, ring: RingId, what: Range) -> str | None:
        """Whom the first address of a range is pre-allocated to; None for nobody."""
        return self._kept.get((ring, what.start))

    def enabled(self, part: Part) -> bool:
        """Whether anything new is handed out of a part."""
        return not self._pools[part.pool].disabled

    def is_open(self, size: int, part: Part) -> bool:
        """Whether this node may hand out so many addresses more of a part."""
        limit = self._pools[part.pool].node_limit
        return self.enabled(part) and (limit is None or self.used_of(part.pool) + size <= limit)

    def used_of(self, pool: str) -> int:
        """How many addresses of a pool are allocated here."""
        return sum(self.stocks[part].used for part in self.parts_of(pool))

    def parts_of(self, pool: str) -> list[Part]:
        """The parts of one pool, reserved and pre-allocated addresses too."""
        network = self._pools[pool].network
        parts = (Part(pool, RingId(network, family), kept) for family in Family for kept in (False, True))
        return [part for part in parts if part in self.stocks]

    def range_at(self, ring: RingId, address: int) -> tuple[str, PoolRange] | None:
        """Which pool an address belongs to, and which of its ranges; None for no pool's."""
        ranges = self._ranges.get(ring, [])
        index = bisect_right(ranges, address, key=lambda entry: entry[0].start) - 1
        if index < 0 or address not in ranges[index][0]:
            return None
        return ranges[index][2].pool, ranges[index][1]

    def assigned(self, ring: RingId, what: Range) -> Assigned:
        """How `what` (wholly in one range of a pool) is handed out."""
        found = self.range_at(ring, what.start)
        assert found is not None, "addresses come from the stock of a pool"
        pool, one = found
        return Assigned(pool, ring.family, what, one.prefix_length, one.gateway, one.attributes)

    def stocks_of(self, ring: RingId) -> list[Stock]:
        """The stocks of the parts of one ring, in order of pool names."""
        return [stock for part, stock in self.stocks.items() if part.ring == ring]

    def stocks_in(self, ring: RingId, what: Range) -> Iterator[tuple[Stock, Range]]:
        """The stocks that a range is about, and what of it; a pool's neighbouring addresses at once."""
        areas = self._areas.get(ring, [])
        index = max(0, bisect_right(areas, what.start, key=lambda area: area[0].start) - 1)
        while index < len(areas) and areas[index][0].start < what.stop:
            area, part = areas[index]
            both = area.meet(what)
            if both is not None:
                yield self.stocks[part], both
            index += 1

    def gain(self, ring: RingId, what: Range) -> None:
        """`what` is owned by this node from now on, and free."""
        for stock, one in self.stocks_in(ring, what):
            stock.gain(one)

    def lose(self, ring: RingId, what: Range) -> None:
        """`what` is owned by this node no longer; what of it is allocated stays with its user."""
        for stock, one in self.stocks_in(ring, what):
            stock.lose(one)

    def freeze(self, ring: RingId, what: Range) -> None:
        """Nothing of `what` is handed out or given away any more, whoever owns it."""
        for stock, one in self.stocks_in(ring, what):
            stock.space.remove(one)

    def use(self, ring: RingId, what: Range) -> None:
        """`what` is allocated here, and not free."""
        for stock, one in self.stocks_in(ring, what):
            stock.space.remove(one)
            stock.used += one.size

    def disuse(self, ring: RingId, what: Range) -> None:
        """`what` is allocated no longer; whoever says so says what becomes of it."""
        for stock, one in self.stocks_in(ring, what):
            stock.used -= one.size

    def hints(self) -> tuple[FreeHint, ...]:
        """
        About how much this node could give away of each part; parts with nothing free are left out.

        Where they are more than `HINTS_BYTES` each is told in its turn.
        """
        hints = [
            FreeHint(part.pool, part.ring.family, stock.space.free_count.bit_length())
            for part, stock in self.stocks.items()
            if stock.space.free_count and not part.kept and self.enabled(part)
        ]
        left = HINTS_BYTES
        said: list[FreeHint] = []
        for index in range(len(hints)):
            hint = hints[(self._turn + index) % len(hints)]
            left -= HINT_BYTES + len(hint.pool.encode())
            if left < 0:
                self._turn += 1
                break
            said.append(hint)
        return tuple(said)

    def _divide(self, pool: Pool, cooldown_s: float) -> None:
        self._names[pool.network] = (*self._names.get(pool.network, ()), pool.name)
        rests_s = cooldown_s if pool.cooldown_s is None else float(pool.cooldown_s)
        for family in Family:
            ranges = [one for one in pool.ranges if one.family is family]
            if not ranges:
                continue
            part = Part(pool.name, RingId(pool.network, family))
            entries = self._ranges.setdefault(part.ring, [])
            own = [(what, one) for one in ranges for what in self._nest.left(pool, one)]
            entries += [(what, one, part) for what, one in own]
            holes = [hole for one in ranges for hole in one.excluded]
            assignable = subtract((what for what, _ in own), holes)
            named = {
                one.address: one.name
                for one in pool.preallocations
                if one.family is family and any(one.address in what for what, _ in own)
            }
            self._kept.update(((part.ring, address), name) for address, name in named.items())
            apart = [Range(address, address + 1) for address in named]
            apart += [what for one in ranges for what in one.reserved]
            self._stock(part, subtract(assignable, apart), rests_s)
            kept = union(both for one in apart for both in meeting(assignable, one))
            if kept:
                self._stock(part._replace(kept=True), kept, rests_s)

    def _stock(self, part: Part, assignable: tuple[Range, ...], cooldown_s: float) -> None:
        sequential = self._pools[part.pool].order is Order.SEQUENTIAL and not part.kept
        self.stocks[part] = Stock(
            assignable, cooldown_s, lambda: self.restless.setdefault(part), sequential=sequential
        )
        self._areas.setdefault(part.ring, []).extend((one, part) for one in assignable)
