"""
All states that acceptors and proposers can come to, in small.

What was ever said stays said, and may be heard at any time, again, or never: so loss, delay, doubling and
reordering are all there, and so are crashes.  Every change is made by the real acceptor and proposal.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from random import Random
from typing import NamedTuple

import pytest

from ring.ring import Peer
from weaveipam.allocation.paxos import Acceptor, Proposal, majority
from weaveipam.protocol.records import BirthVote
from weaveipam.protocol.values import Birth, BirthBallot

LIVES = tuple(Peer(name, 1) for name in "abcde")


class Promised(NamedTuple):
    """A message of phase 1b."""

    voter: str
    ballot: BirthBallot
    accepted: BirthBallot | None
    birth: Birth | None


class Proposed(NamedTuple):
    """A message of phase 2a."""

    ballot: BirthBallot
    birth: Birth


class Agreed(NamedTuple):
    """A message of phase 2b."""

    voter: str
    ballot: BirthBallot
    birth: Birth


class State(NamedTuple):
    """What the disks of all acceptors hold, and all that was ever said."""

    votes: tuple[BirthVote | None, ...]
    said: frozenset[Promised | Proposed | Agreed]


class Rules:
    """How a daemon acts; a test that breaks one of them must find two births."""

    def __init__(self, count: int, ballots: int) -> None:
        self.voters = [life.name for life in LIVES[:count]]
        self.ballots = [BirthBallot(1 + number // 2, LIVES[number % 2]) for number in range(ballots)]
        self.quorum = majority(count)

    def promise(self, acceptor: Acceptor, ballot: BirthBallot) -> bool:
        """Phase 1b."""
        return acceptor.promise(ballot)

    def accept(self, acceptor: Acceptor, ballot: BirthBallot, birth: Birth) -> bool:
        """Phase 2b."""
        return acceptor.accept(ballot, birth)

    def choose(self, promises: tuple[Promised, ...], ballot: BirthBallot, wished: Birth) -> Birth:
        """Phase 2a."""
        proposal = Proposal(ballot, self.quorum)
        ready = [proposal.promised(one.voter, one.accepted, one.birth) for one in promises]
        assert ready[-1]
        return proposal.choose(wished)

    def crash(self, vote: BirthVote | None) -> BirthVote | None:
        """What a crash leaves of a vote."""
        return vote


def wish(ballot: BirthBallot) -> Birth:
    """What a proposer would have with this ballot, if it were free to choose."""
    nonce = bytes((ballot.round, *ballot.proposer.name.encode())).ljust(16, b"\0")
    return Birth(nonce, (ballot.proposer,), ())


def steps(state: State, rules: Rules) -> Iterator[State]:
    """Every state that one step of anybody leads to."""
    proposed = {one.ballot: one for one in state.said if isinstance(one, Proposed)}
    for ballot in rules.ballots:
        for number, voter in enumerate(rules.voters):
            acceptor = Acceptor(state.votes[number])
            if rules.promise(acceptor, ballot) and acceptor.vote is not None:
                told = Promised(voter, ballot, acceptor.vote.accepted, acceptor.vote.birth)
                yield spoken(state, number, acceptor.vote, told)
            acceptor = Acceptor(state.votes[number])
            if ballot in proposed and rules.accept(acceptor, ballot, proposed[ballot].birth):
                yield spoken(state, number, acceptor.vote, Agreed(voter, ballot, proposed[ballot].birth))
        if ballot not in proposed:
            yield from proposals(state, rules, ballot)
    for number, vote in enumerate(state.votes):
        if rules.crash(vote) != vote:
            yield state._replace(votes=(*state.votes[:number], rules.crash(vote), *state.votes[number + 1 :]))


def proposals(state: State, rules: Rules, ballot: BirthBallot) -> Iterator[State]:
    """Every proposal that some quorum of promises allows."""
    promises = sorted((one for one in state.said if isinstance(one, Promised)), key=str)
    usable = [one for one in promises if one.ballot == ballot]
    for quorum in combinations(usable, rules.quorum):
        if len({one.voter for one in quorum}) == rules.quorum:
            birth = rules.choose(quorum, ballot, wish(ballot))
            yield state._replace(said=state.said | {Proposed(ballot, birth)})


def spoken(state: State, number: int, vote: BirthVote | None, message: Promised | Agreed) -> State:
    """One acceptor votes and says so."""
    return State((*state.votes[:number], vote, *state.votes[number + 1 :]), state.said | {message})


def chosen(state: State, rules: Rules) -> set[Birth]:
    """Every birth that a quorum has accepted in one ballot."""
    agreed = [one for one in state.said if isinstance(one, Agreed)]
    voters: dict[tuple[BirthBallot, Birth], set[str]] = {}
    for one in agreed:
        voters.setdefault((one.ballot, one.birth), set()).add(one.voter)
    return {birth for (_, birth), names in voters.items() if len(names) >= rules.quorum}


def explored(rules: Rules, states_max: int = 300_000) -> tuple[int, bool, bool]:
    """How many states there are, whether one has a birth, and whether one has two, which ends it."""
    first = State((None,) * len(rules.voters), frozenset())
    known, border, born = {first}, [first], False
    while border:
        state = border.pop()
        births = chosen(state, rules)
        born = born or bool(births)
        if len(births) > 1:
            return len(known), born, True
        for following in steps(state, rules):
            if following not in known:
                known.add(following)
                border.append(following)
        assert len(known) <= states_max, "the test is too large"
    return len(known), born, False


@pytest.mark.slow
def test_never_two_births_exhaustively() -> None:
    """No state that three daemons come to with two ballots, nor two with three, has two births."""
    for count, ballots in ((1, 4), (2, 3), (3, 2)):
        states, born, two = explored(Rules(count, ballots))
        assert (states > 500, born, two) == (True, True, False)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_never_two_births_at_random(count: int) -> None:
    """Nor has any on random walks through larger ones, with up to five daemons and six ballots."""
    rules, births = Rules(count, 6), 0
    for seed in range(200):
        rng = Random(seed)
        state = State((None,) * count, frozenset())
        for _ in range(40):
            state = rng.choice(list(steps(state, rules)))
        born = chosen(state, rules)
        assert len(born) <= 1
        births += len(born)

    assert births > 0


class Half(Rules):
    """Half of an even number is taken for a majority."""

    def __init__(self, count: int, ballots: int) -> None:
        super().__init__(count, ballots)
        self.quorum = max(1, count // 2)


class Forgetful(Rules):
    """A disk is lost with the vote on it."""

    def crash(self, vote: BirthVote | None) -> BirthVote | None:  # noqa: ARG002  # as of Rules
        """Nothing."""
        return None


class Unkept(Rules):
    """What is accepted is kept, but what is promised is not."""

    def crash(self, vote: BirthVote | None) -> BirthVote | None:
        """The accepted ballot alone."""
        if vote is None or vote.accepted is None:
            return None
        return BirthVote(vote.accepted, vote.accepted, vote.birth)


class Careless(Rules):
    """What was promised does not keep anybody from accepting (P1a)."""

    def accept(self, acceptor: Acceptor, ballot: BirthBallot, birth: Birth) -> bool:
        """Always."""
        promised = ballot if acceptor.vote is None else max(ballot, acceptor.vote.promised)
        acceptor.vote = BirthVote(promised, ballot, birth)
        return True


class Selfish(Rules):
    """A proposer proposes what it likes, whatever was accepted before (P2c)."""

    def choose(
        self,
        promises: tuple[Promised, ...],  # noqa: ARG002  # as of Rules
        ballot: BirthBallot,  # noqa: ARG002  # as of Rules
        wished: Birth,
    ) -> Birth:
        """The wish."""
        return wished


@pytest.mark.parametrize(
    "rules",
    [
        Half(2, 2),
        Half(4, 2),
        Forgetful(3, 2),
        Unkept(3, 2),
        Careless(3, 2),
        Selfish(3, 2),
    ],
    ids=lambda rules: f"{type(rules).__name__}-{len(rules.voters)}",
)
def test_each_rule_is_needed(rules: Rules) -> None:
    """With any one rule broken, two births are found."""
    _, _, two = explored(rules)

    assert two
