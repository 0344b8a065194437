"""
Agreeing on a birth among an expected number of daemons: who proposes when, and who is told what.

Safety is that of `paxos`, as long as at most so many daemons take part as were expected and none of them
loses its disk before the cluster is formed.  Acceptors are counted by name.  That one ballot ends before the
next begins, mostly, is a matter of waiting: the first by name goes first, who hears of a ballot lets it
pass, and who is beaten waits for a time drawn at random from a window that doubles (section 2.4).
Does not know how the others are found, nor what becomes of a birth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from ring.ring import Peer
from weaveipam.allocation.paxos import Acceptor, Proposal, majority
from weaveipam.allocation.seeds import BIRTH_NONCE_BYTES
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import (
    BirthAccept,
    BirthAccepted,
    BirthPaxos,
    BirthPrepare,
    BirthPromise,
    Header,
    Tell,
)
from weaveipam.protocol.records import BirthVote
from weaveipam.protocol.values import ROUND_MAX, Birth, BirthBallot, Pool

CONSENSUS_MAX = 100
"""Daemons that may be expected; more make a birth slower and no safer, and any number can join afterwards."""
DOUBLINGS_MAX = 6
"""Of the window from which the wait for the next ballot is drawn: up to 64 times as long as at first."""


@dataclass(frozen=True, slots=True)
class Electorate:
    """Who takes part, as one daemon knows it now."""

    others: tuple[Header, ...]
    """Those whose votes count, and who are let vote here; sorted by name."""
    hindrance: str
    """Why this daemon must not vote, in one sentence; empty if it may."""


class Consensus:
    """One daemon's part in agreeing on a birth."""

    def __init__(self, me: Peer, expected: int, pools: tuple[Pool, ...], pause_s: float, rng: Random) -> None:
        """
        A daemon that has not voted.

        Args:
            me: This life.
            expected: How many daemons take part, this one among them.
            pools: Those of a cluster that is born here.
            pause_s: Seconds after which what was not answered is said again; well above a round trip.
            rng: The only source of chance.
        """
        self.expected = expected
        self.decided: Birth | None = None
        """What was chosen, once this daemon knows it."""
        self.wake_at = math.inf
        """Seconds on the monotonic clock: when to call `wake`, beside every change of the electorate."""
        self._me = me
        self._pools = pools
        self._pause_s = pause_s
        self._rng = rng
        self._acceptor = Acceptor()
        self._proposal: Proposal | None = None
        self._round = 0
        """The highest that was heard of."""
        self._beaten = 0
        """Own ballots that others have overtaken."""
        self._next_at = -math.inf
        """When to begin a ballot, or to repeat what the present one waits for."""
        self._began = False

    def restore(self, vote: BirthVote) -> None:
        """Take over what the disk remembers of this daemon's vote."""
        self._acceptor = Acceptor(vote)

    @property
    def has_voted(self) -> bool:
        """Whether this daemon has promised anything to anybody, itself included."""
        return self._acceptor.vote is not None

    @property
    def quorum(self) -> int:
        """How many votes decide."""
        return majority(self.expected)

    def why(self, electorate: Electorate) -> str:
        """What this daemon waits for, in one sentence."""
        names = ",".join((self._me.name, *(one.sender.name for one in electorate.others)))
        count = len(electorate.others) + 1
        if electorate.hindrance:
            return electorate.hindrance
        if count < self.quorum:
            return (
                f"of {self.expected} daemons {self.quorum} must agree on a cluster, and this one knows "
                f"{count} ({names}); are the others running with --init consensus={self.expected}, and does "
                "--join reach them?"
            )
        return f"agreeing on a new cluster with {names}; {self.quorum} of {self.expected} must answer"

    # Proposing

    def wake(self, now: float, electorate: Electorate) -> list[Persist | Tell]:
        """Begin a ballot, or repeat what the present one waits for, if that is due."""
        self.wake_at = math.inf
        if self.decided is not None or electorate.hindrance or len(electorate.others) + 1 < self.quorum:
            return []
        if not self._began:
            self._began = True
            rank = sum(one.sender.name < self._me.name for one in electorate.others)
            self._next_at = max(self._next_at, now + rank * self._pause_s * self._rng.uniform(0.5, 1.5))
        steps: list[Persist | Tell] = []
        if self._next_at <= now:
            steps += self._ask(electorate) if self._proposal is not None else self._propose(electorate)
            self._next_at = now + self._pause_s * self._rng.uniform(0.9, 1.1)
        if self.decided is None:
            self.wake_at = self._next_at
        return steps

    def _propose(self, electorate: Electorate) -> list[Persist | Tell]:
        """Phase 1a, with a round above all that were heard of; it is on disk before anybody hears of it."""
        vote = self._acceptor.vote
        self._round = max(self._round, 0 if vote is None else vote.promised.round) + 1
        if self._round > ROUND_MAX:
            return []
        ballot = BirthBallot(self._round, self._me)
        self._proposal = Proposal(ballot, self.quorum)
        self._acceptor.promise(ballot)
        kept = self._keep()
        vote = self._acceptor.vote
        assert vote is not None
        if self._proposal.promised(self._me.name, vote.accepted, vote.birth):  # as one daemon is a quorum
            return [kept, *self._choose(electorate)]
        return [kept, *self._ask(electorate)]

    def _choose(self, electorate: Electorate) -> list[Persist | Tell]:
        """Phase 2a; the own acceptance is on disk before anybody is asked for his."""
        proposal = self._proposal
        assert proposal is not None
        seeds = sorted((self._me, *(one.sender for one in electorate.others)))
        birth = proposal.choose(Birth(self._rng.randbytes(BIRTH_NONCE_BYTES), tuple(seeds), self._pools))
        if not self._acceptor.accept(proposal.ballot, birth):  # another ballot was promised here meanwhile
            return self._ask(electorate)
        kept = self._keep()
        if proposal.accepted(self._me.name):
            self.decided = birth
        return [kept, *self._ask(electorate)]

    def _ask(self, electorate: Electorate) -> list[Persist | Tell]:
        """Ask all who have not answered in the present phase."""
        proposal = self._proposal
        if proposal is None or self.decided is not None:
            return []
        asked: BirthPrepare | BirthAccept = BirthPrepare(proposal.ballot, self.expected)
        if proposal.birth is not None:
            asked = BirthAccept(proposal.ballot, self.expected, proposal.birth)
        return [Tell(one.endpoint, asked) for one in electorate.others if not proposal.heard(one.sender.name)]

    # Hearing

    def hear(
        self, header: Header, message: BirthPaxos, now: float, electorate: Electorate
    ) -> list[Persist | Tell]:
        """
        What to do about a message of another daemon that agrees on a birth.

        Nothing, if this one must not vote, or if the sender is none whose vote counts.
        """
        if self.decided is not None or electorate.hindrance:
            return []
        if header.sender not in {one.sender for one in electorate.others}:
            return []
        match message:
            case BirthPrepare() | BirthAccept():
                if message.ballot.proposer != header.sender or message.consensus != self.expected:
                    return []
                return self._vote(header, message, now)
            case BirthPromise() | BirthAccepted():
                if self._proposal is None or message.ballot != self._proposal.ballot:
                    return []  # late, and of an earlier ballot
                if message.promised > message.ballot:
                    self._give_up(message.promised, now)
                    return []
                return self._count(header.sender.name, message, electorate)

    def _vote(self, header: Header, message: BirthPrepare | BirthAccept, now: float) -> list[Persist | Tell]:
        """Phases 1b and 2b: the answer says what was promised to whom, if it is a refusal."""
        before = self._acceptor.vote
        self._round = max(self._round, message.ballot.round)
        match message:
            case BirthPrepare():
                agreed = self._acceptor.promise(message.ballot)
            case BirthAccept():
                agreed = self._acceptor.accept(message.ballot, message.birth)
        vote = self._acceptor.vote
        assert vote is not None, "what is refused is refused for a promise"
        if agreed:
            self._let_pass(now)
        kept = [self._keep()] if vote != before else []
        if isinstance(message, BirthPrepare):
            promise = BirthPromise(message.ballot, vote.promised, vote.accepted, vote.birth)
            return [*kept, Tell(header.endpoint, promise)]
        return [*kept, Tell(header.endpoint, BirthAccepted(message.ballot, vote.promised))]

    def _count(
        self, name: str, message: BirthPromise | BirthAccepted, electorate: Electorate
    ) -> list[Persist | Tell]:
        proposal = self._proposal
        assert proposal is not None
        match message:
            case BirthPromise():
                if proposal.promised(name, message.accepted, message.birth):
                    return self._choose(electorate)
            case BirthAccepted() if proposal.birth is not None and proposal.accepted(name):
                self.decided = proposal.birth
        return []

    # Waiting

    def _give_up(self, higher: BirthBallot, now: float) -> None:
        self._proposal = None
        self._round = max(self._round, higher.round)
        self._beaten += 1
        self._let_pass(now)

    def _let_pass(self, now: float) -> None:
        """Leave others the time to end a ballot, unless an own one is under way."""
        if self._proposal is None:
            window_s = self._pause_s * (1 << min(self._beaten, DOUBLINGS_MAX))
            self._next_at = max(self._next_at, now + self._pause_s + self._rng.uniform(0.0, window_s))
            self.wake_at = self._next_at

    def _keep(self) -> Persist:
        vote = self._acceptor.vote
        assert vote is not None
        return Persist((vote,), (), Durability.HOST)
