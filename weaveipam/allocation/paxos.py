"""
Single-decree Paxos, by which a fixed number of daemons choose one birth.

L. Lamport, "Paxos Made Simple" (2001), sections 2.2 to 2.5; the names of its conditions (P1 to P2c) stand
where they are kept.  Every daemon is proposer, acceptor and learner.  Whatever changes a vote is to be on
stable storage before anything that follows from it is said: that is the only thing asked of the caller.
Does not know who the others are, how they are reached, or when to try again.
"""

from __future__ import annotations

from weaveipam.protocol.records import BirthVote
from weaveipam.protocol.values import Birth, BirthBallot


def majority(count: int) -> int:
    """How many of so many acceptors make a quorum: any two have one in common, also if the count is even."""
    return count // 2 + 1


class Acceptor:
    """One daemon's vote."""

    def __init__(self, vote: BirthVote | None = None) -> None:
        self.vote = vote
        """What must be remembered; None until something is promised."""

    def promise(self, ballot: BirthBallot) -> bool:
        """
        Phase 1b: take part in no lower ballot from now on; False if a higher one is promised.

        A ballot that is promised already, asked for again, is promised again.
        """
        if self.vote is not None and ballot < self.vote.promised:
            return False
        accepted, birth = (None, None) if self.vote is None else (self.vote.accepted, self.vote.birth)
        self.vote = BirthVote(ballot, accepted, birth)
        return True

    def accept(self, ballot: BirthBallot, birth: Birth) -> bool:
        """Phase 2b (P1a): accept a ballot unless a higher one is promised; whether it is accepted."""
        if self.vote is not None and ballot < self.vote.promised:
            return False
        self.vote = BirthVote(ballot, ballot, birth)
        return True


class Proposal:
    """One ballot of this daemon: who has promised it, what it proposes, and who has accepted that."""

    def __init__(self, ballot: BirthBallot, quorum: int) -> None:
        self.ballot = ballot
        self.birth: Birth | None = None
        """What is proposed, from phase 2 on; one for each ballot, as that is what P2b rests on."""
        self._quorum = quorum
        self._promised: set[str] = set()
        self._accepted: set[str] = set()
        self._before: tuple[BirthBallot, Birth] | None = None
        """The highest ballot that any of those who promised has accepted."""

    def promised(self, name: str, accepted: BirthBallot | None, birth: Birth | None) -> bool:
        """Note a promise; whether it is time to choose what to propose."""
        if self.birth is not None:
            return False
        self._promised.add(name)
        if accepted is not None and birth is not None and (not self._before or accepted > self._before[0]):
            self._before = accepted, birth
        return len(self._promised) >= self._quorum

    def choose(self, wished: Birth) -> Birth:
        """
        What to propose in phase 2 (P2c): what may have been chosen before, or else what is wished for.

        Invariant: a quorum has promised.
        """
        assert len(self._promised) >= self._quorum, "phase 2 takes a quorum of promises"
        self.birth = wished if self._before is None else self._before[1]
        return self.birth

    def accepted(self, name: str) -> bool:
        """Note an acceptance; whether what is proposed is thereby chosen."""
        assert self.birth is not None, "nothing is accepted before something is proposed"
        self._accepted.add(name)
        return len(self._accepted) >= self._quorum

    def heard(self, name: str) -> bool:
        """Whether somebody has answered in the present phase."""
        return name in (self._promised if self.birth is None else self._accepted)
