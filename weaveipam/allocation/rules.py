"""
The rules that keep a roll call safe, each where it can be read, and left out to see what then goes wrong.

Pure: what every member does at the points where safety is decided.  `ARCHITECTURE.md` has the argument why
they suffice, `simulations.explorer` what happens without each of them.
Does not know messages, timers or disks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ring.ring import Peer, Run
from weaveipam.protocol.decisions import Span, Vote


class Rules:
    """All rules in force."""

    def proposed(self, votes: Iterable[Vote]) -> Vote | None:
        """
        R1: what was accepted with the highest ballot is proposed again; None: nothing was, so something new.

        Source: Lamport, "Paxos Made Simple" (2001), section 2.2, P2c.
        """
        return max(votes, key=lambda one: one.ballot, default=None)

    def refuses(self, run: Run, closed: Collection[Peer]) -> bool:
        """R2: who has promised that some are fenced believes nothing more that they say."""
        return run.author in closed

    def believes(self, run: Run, closed: Collection[Peer], decided: int) -> bool:
        """Whether what a peer tells is taken over where so many decisions are known; the rest comes again."""
        return run.token.generation <= decided and not self.refuses(run, closed)

    def serves(self, asker: Peer, closed: Collection[Peer]) -> bool:
        """R2: nor does it grant them anything."""
        return asker not in closed

    def same_ballot(self, fenced: Collection[Peer], more: Collection[Peer]) -> bool:
        """R3: when more are fenced than the ballot says everybody must promise anew."""
        return set(more) <= set(fenced)

    def enough(self, needed: Collection[Peer], answered: Collection[Peer]) -> bool:
        """R4: everybody who is on any answer's roster and not fenced has answered."""
        return set(needed) <= set(answered)

    def affirmed(self, fenced: Collection[Peer], electors: Collection[Peer]) -> bool:
        """
        R4: whether the rosters of those who answer name everybody.

        Each member was enrolled by a majority of the electors, so at least half of them must be left to tell.
        Else an operator must affirm who survives.
        """
        return 2 * len(set(electors).difference(fenced)) >= len(set(electors))

    def installs(self, *, complete: bool) -> bool:
        """
        R5: a decree is in force at a member when it is known to be complete, and not before.

        Of one that was accepted by some and never made others might have heard: its tokens are those of the
        decree that is made in its place.
        """
        return complete

    def stops(self, me: Peer, closed: Collection[Peer]) -> bool:
        """R6: who hears that it is fenced stops at once."""
        return me in closed

    def objects(self, heard: Collection[Peer], *, forced: bool) -> bool:
        """R7: who has heard from one of the fenced a moment ago does not promise, unless it is forced to."""
        return bool(heard) and not forced

    def gives_up(self, *, in_use: bool) -> bool:
        """Pools: nothing is taken from a pool while any member says that it is in use there."""
        return not in_use

    def disproved(self, *, in_use: bool) -> bool:
        """
        Pools: what was accepted before need not be proposed again if what it gives up is in use.

        Who has accepted it hands nothing of that out, so somebody has not, and never will: it was not made.
        """
        return in_use

    def same_vacated(self, asked: Collection[Span], given_up: Collection[Span]) -> bool:
        """Pools: all have promised to hand out none of the very addresses that are given up."""
        return set(asked) == set(given_up)

    def keeps_back(self, *, same_ballot: bool) -> bool:
        """
        Pools: who was asked to hand out none of some addresses keeps to it while that ballot lasts.

        It may be asked again for others, and the earlier call may arrive once more, and last.
        """
        return same_ballot

    def enrols(self, vote: Vote | None) -> bool:
        """
        Admission: an elector enrols nobody between accepting a decree and knowing that it is complete.

        The newcomer would be on no roster that the decree was made with.
        """
        return vote is None

    def answer_stands(self, *, enrolled: bool) -> bool:
        """Admission: who has enrolled somebody since it promised does not accept: its roster was another."""
        return not enrolled

    def admitted(self, electors: Collection[Peer], enrolled_by: Collection[Peer]) -> bool:
        """Admission: a newcomer may own space once a majority of the electors has it on stable storage."""
        return 2 * len(set(electors).intersection(enrolled_by)) > len(set(electors))


RULES = Rules()
