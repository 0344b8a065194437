"""
Bringing two members to the same knowledge: rings and members are compared, and shared where they differ.

Stands between the two machines that hold the tables, gossip the members and the allocator the rings.
Does not know when to compare, nor how packets travel.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ring.ring import TOTALS
from weaveipam.allocation.allocator import Allocator
from weaveipam.allocation.rollcall import RollCall
from weaveipam.gossip import repair
from weaveipam.gossip.gossip import Gossip
from weaveipam.protocol.messages import (
    Header,
    MemberShare,
    Outline,
    Ownership,
    Publish,
    RingShare,
    Step,
    Sync,
    Synced,
    Tell,
)
from weaveipam.protocol.rollcalls import Decided
from weaveipam.protocol.values import Endpoint

SPARE = 4096
"""Statements and fingerprints that may answer one packet, besides twice as many as there are statements."""


DECISION_WEIGHT = 0x9E3779B97F4A7C15
"""Of each decision in the fingerprint: odd, so that no two numbers of decisions weigh the same."""


class Exchange:
    """What one node says about what it knows, to whoever knows something else."""

    def __init__(self, gossip: Gossip, allocator: Allocator, rollcall: RollCall, rng: Random) -> None:
        self._gossip = gossip
        self._rollcall = rollcall
        self._allocator = allocator
        self._rng = rng
        gossip.twins.process = rng.getrandbits(64)
        self.newcomer = False
        """Whether this node knows little but the birth: who asks it for all must hear that from another."""
        self._said = 0
        """Statements and fingerprints that answer the packet at hand."""

    @property
    def fingerprint(self) -> int:
        """64 bits over all that members share."""
        rings, members = self._allocator.holdings.rings.fingerprint, self._gossip.census.fingerprint
        return (rings + members + self._rollcall.number * DECISION_WEIGHT) % TOTALS

    def begin(self, partner: Endpoint) -> list[Tell]:
        """Find out in what one differs whose fingerprint does."""
        number = Tell(partner, Decided(self._rollcall.number))
        return [number, *(Tell(partner, outline) for outline in repair.begin(self._tables()))]

    def ask(self, partner: Endpoint) -> Tell:
        """Ask for all that this node lacks, at once."""
        twins = self._gossip.twins
        outlines = repair.sync(self._tables())
        asked = Sync(twins.process, outlines, self._rollcall.number, twins.serving)
        return Tell(partner, asked, stream=True)

    def answers(self, told: Synced) -> bool:
        """Whether this process asked for what ends with this."""
        return told.asked == self._gossip.twins.process

    def next_packet(self) -> None:
        """What is received from now on is of another packet; see `_enough`."""
        self._said = 0

    def receive(
        self, header: Header, told: Outline | Sync | RingShare | MemberShare, now: float
    ) -> list[Step]:
        """What follows from a member's outline, wish or share."""
        steps: list[Step]
        match told:
            case Outline():
                if self._enough():
                    return []
                rng = self._rng if told.ring is None else None  # rumours tell of members as well
                answer = repair.answer(told, self._table(told.ring), rng)
                return [self._tell(header, one) for one in answer]
            case Sync():
                # First what was decided: what is said of rings may not be believed without it.
                steps = [*self._rollcall.brought_up_to_date(header, told.number)]
                steps += [self._tell(header, one, stream=True) for one in self._all_beyond(told)]
                if self.newcomer or self._enough():
                    return steps
                return [*steps, Tell(header.endpoint, Synced(told.asked), stream=True)]
            case RingShare():
                learned = self._allocator.learn(Ownership(told.ring, told.runs), now)
                asks = told.asks and not self._enough()
                lacking = self._allocator.holdings.rings.lacking(told) if asks else None
                # Not passed on: whoever else lacks it will find out in the same way, and few do.
                steps = [one for one in learned if not isinstance(one, Publish)]
                return steps if lacking is None else [*steps, self._tell(header, lacking)]
            case MemberShare():
                return self._members_shared(header, told, now)

    def _members_shared(self, header: Header, told: MemberShare, now: float) -> list[Step]:
        steps: list[Step] = []
        for rumour in told.rumours:
            steps += self._gossip.rumoured(header, rumour, now, bulk=True)
        lacking = None if self._enough() else self._gossip.census.lacking(told)
        return steps if lacking is None else [*steps, self._tell(header, lacking)]

    def _all_beyond(self, told: Sync) -> Iterator[repair.Share]:
        """Everything wherever this node knows something else, in tables that were not told of too."""
        for one in told.outlines:
            if self._enough():
                return
            yield from repair.shares(one, self._table(one.ring))
        named = frozenset(one.ring for one in told.outlines)
        for name, table in self._tables():
            if name not in named and not self._enough():
                yield table.share(0, table.places)

    def _tell(self, header: Header, said: Outline | repair.Share, *, stream: bool = False) -> Tell:
        match said:
            case Outline():
                self._said += 1 + len(said.lengths)
            case RingShare():
                self._said += 1 + len(said.runs)
            case MemberShare():
                self._said += 1 + len(said.rumours)
        return Tell(header.endpoint, said, stream)

    def _enough(self) -> bool:
        """
        Whether one packet has had more answers than any that asks for everything once.

        However often it asks for the same, what it makes this node say is so bounded; an end of a `Sync` is
        not said then, and a walk that was cut off is begun anew.
        """
        beyond = self._said - SPARE
        return beyond > 0 and beyond > 2 * sum(table.count(0, table.places) for _, table in self._tables())

    def _tables(self) -> list[tuple[repair.Name, repair.Table]]:
        return [*self._allocator.holdings.rings.tables(), (None, self._gossip.census)]

    def _table(self, name: repair.Name) -> repair.Table:
        return self._gossip.census if name is None else self._allocator.holdings.rings.table(name)
