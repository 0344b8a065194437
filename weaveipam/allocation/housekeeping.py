"""
What a member calls for though no client asks it to: what others left unfinished, and who keeps the roster.

Any member may finish what any other one began, as that is Paxos; here is who does it and when, so that
mostly one of them does:

- the proposer of the ballot, if it was started again since: it still knows that it called;
- soon after that the first elector that is there, or anybody who has promised if the proposer is gone;
- much later anybody: it may be that nobody else has heard of that ballot.

A life that has left is removed, as its own word is evidence enough: by the first elector, or by the next
life on the same disk, as nobody else has heard of a life that was followed within seconds.

Does not know how a call is made, nor when to look.
"""

from __future__ import annotations

from collections.abc import Collection

from ring.ring import Peer
from weaveipam.allocation.campaign import Wanted
from weaveipam.allocation.donors import Neighbours
from weaveipam.allocation.ledger import Ledger
from weaveipam.allocation.seat import Seat
from weaveipam.protocol.decisions import ELECTORS_MAX, Ballot
from weaveipam.protocol.values import MemberState

LOOKS_OF_PROPOSER = 1
"""So many looks must have seen the same unfinished ballot before its own proposer goes on with it."""
LOOKS_OF_HEIR = 2
"""As above, of the first elector; of anybody if the proposer is gone."""
LOOKS_OF_ANYBODY = 6


class Housekeeping:
    """One member's look at what is to be done."""

    def __init__(self, seat: Seat, neighbours: Neighbours) -> None:
        self._seat = seat
        self._neighbours = neighbours
        self.earlier: Peer | None = None
        """The life of this daemon that left last, by the word of its own disk; None if none has."""
        self._seen: tuple[int, Ballot | None, Ballot | None] | None = None
        """What was unfinished at the last look."""
        self._looks = 0
        """How many looks in a row have seen that."""

    def look(self, *, busy: bool) -> Wanted | None:
        """
        What to call for now; None: nothing.

        Mostly only where everybody else seems to be there: else the call would wait, and hold up those who
        want to join.  Who called before goes on in any case, as it would have if it had not ended meanwhile.

        Args:
            busy: Whether this member calls for something already.
        """
        ledger = self._seat.ledger
        self._count(ledger)
        if busy or not ledger.admitted:
            return None
        if self._looks >= LOOKS_OF_PROPOSER and self._proposer == self._seat.me:
            return Wanted()
        there = {self._seat.me, *(one.peer for one in self._neighbours.alive())}
        first = self._seat.me == min(ledger.electors & there, default=None)
        over = self.left(ledger.roster - there) if first else frozenset()
        over |= self._earlier(ledger)
        finishes = self._looks >= self._patience(there, first=first)
        if finishes and ledger.vacates and ledger.vote is None and not ledger.closed:
            return Wanted()  # it may wait for ever, but whoever hears of it lets go of what it kept back
        if not (finishes or over or (first and self._short(ledger, over))):
            return None
        return Wanted(victims=over) if self._needed(ledger) - over <= there else None

    def _count(self, ledger: Ledger) -> None:
        vote = ledger.vote
        unfinished = ledger.closed or ledger.vacates or vote is not None
        seen = (ledger.charter.number, ledger.promised, None if vote is None else vote.ballot)
        self._looks = 0 if not unfinished else self._looks + 1 if seen == self._seen else 1
        self._seen = seen

    @property
    def _proposer(self) -> Peer | None:
        """Whose ballot this member has promised."""
        promised = self._seat.ledger.promised
        return None if promised is None else promised.proposer

    def _patience(self, there: Collection[Peer], *, first: bool) -> int:
        return LOOKS_OF_HEIR if first or self._proposer not in there else LOOKS_OF_ANYBODY

    def _needed(self, ledger: Ledger) -> frozenset[Peer]:
        """
        Whose answers are needed, as far as is known here: electors have rosters, anybody knows who owns.

        Cost: linear in the runs of all rings.
        """
        removed = {one.peer for one in ledger.charter.removed}
        return ledger.roster.union(ledger.electors, self._owners()) - ledger.closed - removed

    def _owners(self) -> set[Peer]:
        return {run.owner for ring in self._seat.known.values() for run in ring}

    def _short(self, ledger: Ledger, over: Collection[Peer]) -> bool:
        """Whether there should be more electors."""
        living = ledger.roster.difference(ledger.closed, over)
        return len(ledger.electors - ledger.closed) < min(ELECTORS_MAX, (len(living) - 1) // 2 * 2 + 1)

    def left(self, members: Collection[Peer]) -> frozenset[Peer]:
        """Who of some has left its cluster by its own word, with nothing: no operator need say so."""
        said = [one for one in members if self._neighbours.state_of(one) is MemberState.LEFT]
        owners = self._owners() if said else ()
        return frozenset(one for one in said if one not in owners)

    def _earlier(self, ledger: Ledger) -> frozenset[Peer]:
        """The life of this daemon that has left, until it is removed."""
        one = self.earlier
        if one is None or any(one == gone.peer for gone in ledger.charter.removed) or one in self._owners():
            return frozenset()
        return frozenset((one,))
