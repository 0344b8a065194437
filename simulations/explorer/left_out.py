"""
The rules with one left out, each as somebody might do it who does not see what it is for.

Does not know in which world that shows.
"""

# ruff: noqa: ARG002, D102 - who leaves a rule out looks at nothing; what is asked is said in `Rules`

from __future__ import annotations

from collections.abc import Collection, Iterable

from ring.ring import Peer, Run
from weaveipam.allocation.rules import Rules
from weaveipam.protocol.decisions import Span, Vote


class AnythingNew(Rules):
    """Without R1."""

    def proposed(self, votes: Iterable[Vote]) -> Vote | None:
        return None


class BelievesFenced(Rules):
    """Without R2, as to what the fenced have said."""

    def refuses(self, run: Run, closed: Collection[Peer]) -> bool:
        return False


class ServesFenced(Rules):
    """Without R2, as to what they ask for."""

    def serves(self, asker: Peer, closed: Collection[Peer]) -> bool:
        return True


class GrowsInBallot(Rules):
    """Without R3."""

    def same_ballot(self, fenced: Collection[Peer], more: Collection[Peer]) -> bool:
        return True


class Majority(Rules):
    """Without R4: a majority decides, as in Paxos."""

    def enough(self, needed: Collection[Peer], answered: Collection[Peer]) -> bool:
        return 2 * len(set(needed).intersection(answered)) > len(set(needed))


class Alone(Rules):
    """Without R4: nobody else need answer."""

    def enough(self, needed: Collection[Peer], answered: Collection[Peer]) -> bool:
        return bool(answered)


class Unaffirmed(Rules):
    """Without R4, as to who is not known to those who are left."""

    def affirmed(self, fenced: Collection[Peer], electors: Collection[Peer]) -> bool:
        return True


class AtOnce(Rules):
    """Without R5: a decree is in force where it is accepted."""

    def installs(self, *, complete: bool) -> bool:
        return True


class GoesOn(Rules):
    """Without R6."""

    def stops(self, me: Peer, closed: Collection[Peer]) -> bool:
        return False


class HeardOrNot(Rules):
    """Without R7."""

    def objects(self, heard: Collection[Peer], *, forced: bool) -> bool:
        return False


class GivesUpUsed(Rules):
    """Addresses are taken from pools though they are in use."""

    def gives_up(self, *, in_use: bool) -> bool:
        return True


class DropsVotes(Rules):
    """What was accepted before is dropped, though it may have been decided."""

    def disproved(self, *, in_use: bool) -> bool:
        return True


class AsksOnce(Rules):
    """Who takes up what was accepted before does not ask all to keep back what that gives up."""

    def same_vacated(self, asked: Collection[Span], given_up: Collection[Span]) -> bool:
        return True


class FollowsLastCall(Rules):
    """Of a ballot's calls the one that arrives last counts."""

    def keeps_back(self, *, same_ballot: bool) -> bool:
        return False


class EnrolsAnyway(Rules):
    """An elector enrols whoever comes, whatever it has accepted."""

    def enrols(self, vote: Vote | None) -> bool:
        return True


class AnswerStands(Rules):
    """An elector accepts, though it has enrolled somebody since it promised."""

    def answer_stands(self, *, enrolled: bool) -> bool:
        return True


class OneElector(Rules):
    """One elector admits a newcomer."""

    def admitted(self, electors: Collection[Peer], enrolled_by: Collection[Peer]) -> bool:
        return bool(set(electors).intersection(enrolled_by))
