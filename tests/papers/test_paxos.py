"""
What is taken from Paxos, claim by claim, and what this project does about what the paper leaves open.

L. Lamport: "Paxos Made Simple", ACM SIGACT News 32 (4), 2001.  A proposal's number is called ballot here, its
value is a birth, and every daemon is proposer, acceptor and learner at once.
"""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest

from ring.ring import Peer
from weaveipam.allocation.consensus import Consensus, Electorate
from weaveipam.allocation.paxos import Acceptor, Proposal, majority
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import (
    UNFORMED,
    BirthAccept,
    BirthPaxos,
    BirthPrepare,
    BirthPromise,
    Header,
    Tell,
)
from weaveipam.protocol.records import BirthVote
from weaveipam.protocol.values import Birth, BirthBallot, Endpoint

A, B, C, D, E = (Peer(name, 1) for name in "abcde")
ONE, TWO, THREE = BirthBallot(1, A), BirthBallot(2, B), BirthBallot(3, C)
BLUE, GREEN = (Birth(bytes((number,)) * 16, (A, B, C), ()) for number in (1, 2))
PAUSE_S = 0.5


def header(peer: Peer) -> Header:
    """Of a packet of an unformed daemon, which listens at its name."""
    return Header(UNFORMED, peer, Endpoint(peer.name, 1))


class Group:
    """Daemons that expect each other, on a network that keeps a message for a while."""

    def __init__(self, *peers: Peer, seed: int = 1, delay_s: float = 0.001) -> None:
        self.now = 0.0
        self.delay_s = delay_s
        self.peers = peers
        self.disks: dict[str, BirthVote] = {}
        self.daemons: dict[str, Consensus] = {}
        self.queue: list[tuple[float, Peer, Tell]] = []
        self.said: list[tuple[str, object]] = []
        self.rng = Random(seed)
        for peer in peers:
            self.start(peer)
            self.perform(peer, self.daemons[peer.name].wake(0.0, self.electorate(peer)))

    def start(self, peer: Peer) -> None:
        """A daemon begins, from what its disk holds."""
        one = Consensus(peer, len(self.peers), (), PAUSE_S, Random(self.rng.random()))
        if peer.name in self.disks:
            one.restore(self.disks[peer.name])
        self.daemons[peer.name] = one

    def electorate(self, peer: Peer) -> Electorate:
        """All others."""
        return Electorate(tuple(header(one) for one in self.peers if one != peer), "")

    def perform(self, peer: Peer, steps: list[Persist | Tell]) -> None:
        """Keep what is to be kept, and have the network take the rest."""
        for step in steps:
            if isinstance(step, Persist):
                assert step.durability is Durability.HOST
                (vote,) = step.put
                assert isinstance(vote, BirthVote)
                self.disks[peer.name] = vote
            else:
                self.said.append((peer.name, step.message))
                self.queue.append((self.now + self.delay_s * self.rng.uniform(0.5, 1.5), peer, step))
        self.queue.sort(key=lambda one: one[0])

    def run(self, seconds: float) -> set[Birth]:
        """Let time pass; what was decided by anybody."""
        until = self.now + seconds
        while True:
            due = [one.wake_at for one in self.daemons.values()] + [at for at, _, _ in self.queue[:1]]
            if min(due) > until:
                break
            self.now = max(self.now, min(due))
            while self.queue and self.queue[0][0] <= self.now:
                _, sender, tell = self.queue.pop(0)
                peer = next(one for one in self.peers if one.name == tell.target.host)
                assert isinstance(tell.message, BirthPaxos)
                told = self.daemons[peer.name].hear(
                    header(sender), tell.message, self.now, self.electorate(peer)
                )
                self.perform(peer, told)
            for peer in self.peers:
                self.perform(peer, self.daemons[peer.name].wake(self.now, self.electorate(peer)))
        return {one.decided for one in self.daemons.values() if one.decided is not None}


@pytest.mark.parametrize("count", range(1, 12))
def test_2_1_any_two_majorities_have_an_acceptor_in_common(count: int) -> None:
    """
    Section 2.1: "any two majorities have at least one acceptor in common", for even numbers too.

    Weave Net took half of an even number for a majority, so that two halves of a cluster could both begin.
    """
    quorums = [set(one) for one in combinations(range(count), majority(count))]

    assert all(one & other for one, other in combinations(quorums, 2))
    assert majority(count) <= count


def test_p1_an_acceptor_accepts_the_first_proposal_that_it_receives() -> None:
    """P1: "An acceptor must accept the first proposal that it receives", promised before or not."""
    acceptor = Acceptor()

    assert acceptor.accept(ONE, BLUE)
    assert acceptor.vote == BirthVote(ONE, ONE, BLUE)


def test_p1a_nothing_below_a_promise_is_accepted() -> None:
    """P1a: a proposal is accepted "iff it has not responded to a prepare request" of a higher number."""
    acceptor = Acceptor()
    acceptor.promise(TWO)

    assert not acceptor.accept(ONE, BLUE)
    assert acceptor.accept(TWO, GREEN)
    assert acceptor.accept(THREE, GREEN)
    assert not acceptor.accept(TWO, GREEN)


def test_2_2_a_promise_tells_the_highest_accepted_proposal() -> None:
    """Section 2.2: the response is a promise, and the highest-numbered proposal that was accepted."""
    acceptor = Acceptor()
    acceptor.accept(ONE, BLUE)

    assert acceptor.promise(TWO)
    assert acceptor.vote == BirthVote(TWO, ONE, BLUE)
    assert not acceptor.promise(ONE)


def test_2_2_proposals_are_totally_ordered_and_no_two_proposers_share_one() -> None:
    """Section 2.2: "different proposals have different numbers", those of a proposer's next life too."""
    ballots = [BirthBallot(number, peer) for number in (1, 2) for peer in (A, B, Peer("a", 2))]

    assert len(set(ballots)) == len(ballots)
    assert [1, 1, 1, 2, 2, 2] == [one.round for one in sorted(ballots)]


def test_p2b_a_ballot_proposes_one_value() -> None:
    """P2b rests on one value for each number: later promises change nothing of what is proposed."""
    proposal = Proposal(THREE, 2)
    proposal.promised("a", None, None)
    proposal.promised("b", None, None)
    proposed = proposal.choose(GREEN)

    assert not proposal.promised("c", TWO, BLUE)
    assert proposal.birth == proposed == GREEN


def test_p2c_the_highest_accepted_value_is_proposed_again() -> None:
    """P2c: the value is that of the highest-numbered proposal which any acceptor of the majority accepted."""
    proposal = Proposal(THREE, 3)
    for name, ballot, birth in (("a", ONE, BLUE), ("b", TWO, GREEN), ("c", ONE, BLUE)):
        ready = proposal.promised(name, ballot, birth)

    assert ready
    assert GREEN == proposal.choose(Birth(bytes(16), (C,), ()))


def test_p2c_with_nothing_accepted_the_proposer_is_free() -> None:
    """P2c: "any value if the responders reported no proposals"; not before a majority has responded."""
    proposal = Proposal(ONE, 2)
    assert not proposal.promised("a", None, None)
    assert not proposal.promised("a", None, None)
    with pytest.raises(AssertionError, match="quorum"):
        proposal.choose(BLUE)

    assert proposal.promised("b", None, None)
    assert BLUE == proposal.choose(BLUE)


def test_p2_what_is_chosen_stays_chosen() -> None:
    """P2, P2a: every proposal after a chosen one has its value, whoever proposes, and whatever it wished."""
    group = Group(A, B, C)
    (chosen,) = group.run(2.0)
    late = Group(A, B, C, seed=2)
    late.disks = {name: vote for name, vote in group.disks.items() if vote.accepted is not None}
    assert len(late.disks) >= 2
    for peer in (A, B, C):
        late.start(peer)

    assert {chosen} == late.run(5.0)


def test_2_2_an_acceptor_tells_a_proposer_that_it_should_abandon_a_proposal() -> None:
    """Section 2.2: the refusal names the higher number, so that the next proposal can be above it."""
    group = Group(A, B, C)
    beaten, ahead = group.daemons["a"], BirthBallot(40, B)
    beaten.hear(header(B), BirthPromise(ONE, ahead, None, None), 0.0, group.electorate(A))
    assert beaten.wake_at > PAUSE_S
    steps = beaten.wake(beaten.wake_at, group.electorate(A))
    asked = [one.message for one in steps if isinstance(one, Tell)]

    assert {BirthBallot(41, A)} == {one.ballot for one in asked if isinstance(one, BirthPrepare)}


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [0.001, 0.1, 0.4, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_2_4_proposers_that_compete_end(seed: int, delay_s: float) -> None:
    """
    Section 2.4: proposers that overtake each other for ever are the one way not to end.

    The paper has one of them distinguished, and says that choosing it takes "either randomness or real time"
    (Fischer, Lynch and Paterson).  Here it is both: the first by name goes first, and who is overtaken waits
    for a time drawn from a window that doubles, so it ends also if messages take longer than the pauses.
    """
    group = Group(A, B, C, D, E, seed=seed, delay_s=delay_s)

    assert 1 == len(group.run(100 * PAUSE_S + 20 * delay_s))


def test_2_4_without_trouble_there_is_one_proposer() -> None:
    """Section 2.4: with one distinguished proposer there is one ballot, and nobody is overtaken."""
    group = Group(A, B, C, D, E)
    group.run(PAUSE_S / 4)
    ballots = {one.ballot for _, one in group.said if isinstance(one, BirthPrepare | BirthAccept)}

    assert {BirthBallot(1, A)} == ballots
    assert group.daemons["a"].decided is not None


def test_2_5_an_acceptor_remembers_before_it_responds() -> None:
    """Section 2.5: the intended response is in stable storage "before actually sending the response"."""
    group = Group(A, B, C)
    for message in (BirthPrepare(ONE, 3), BirthAccept(ONE, 3, BLUE)):
        kept, answered = group.daemons["b"].hear(header(A), message, 0.0, group.electorate(B))
        assert isinstance(kept, Persist)
        assert Durability.HOST is kept.durability
        assert isinstance(answered, Tell)
        (vote,) = kept.put
        assert isinstance(vote, BirthVote)
        assert vote.promised == ONE


def test_2_5_a_restarted_proposer_never_uses_a_number_again() -> None:
    """Section 2.5: a proposer "remembers (in stable storage) the highest-numbered proposal it has tried"."""
    group = Group(A, B, C)
    seen = {group.disks["a"].promised}
    for _ in range(3):
        group.start(A)
        steps = group.daemons["a"].wake(0.0, group.electorate(A))
        assert [Persist, Tell, Tell] == [type(one) for one in steps]
        group.perform(A, steps)
        seen.add(group.disks["a"].promised)

    assert len(seen) == 4
