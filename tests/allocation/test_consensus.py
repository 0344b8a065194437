"""Who proposes when, and who is told what; what votes mean is tested with the paper and with `paxos`."""

from __future__ import annotations

import math
from random import Random

import pytest

from ring.ring import Peer
from weaveipam.allocation.consensus import Consensus, Electorate
from weaveipam.protocol.effects import Persist
from weaveipam.protocol.messages import (
    UNFORMED,
    BirthAccept,
    BirthAccepted,
    BirthPaxos,
    BirthPrepare,
    BirthPromise,
    Header,
    Tell,
)
from weaveipam.protocol.values import ROUND_MAX, Birth, BirthBallot, Endpoint

A, B, C = (Peer(name, 1) for name in "abc")
ONE = BirthBallot(1, A)
BIRTH = Birth(bytes(16), (A, B), ())


def header(peer: Peer) -> Header:
    """Of a packet of an unformed daemon, which listens at its name."""
    return Header(UNFORMED, peer, Endpoint(peer.name, 1))


def known(*peers: Peer, hindrance: str = "") -> Electorate:
    """Those daemons, beside the one that is tested."""
    return Electorate(tuple(map(header, peers)), hindrance)


def daemon(me: Peer = A, expected: int = 3) -> Consensus:
    """One that has not voted."""
    return Consensus(me, expected, (), 1.0, Random(1))


def messages(steps: list[Persist | Tell]) -> list[object]:
    """What is said, in order."""
    return [one.message for one in steps if isinstance(one, Tell)]


def test_the_only_one_decides_by_itself() -> None:
    """A daemon that expects nobody else decides at once, with its vote on disk, and is the only seed."""
    one = daemon(expected=1)
    steps = one.wake(0.0, known())

    assert [Persist, Persist] == [type(step) for step in steps]
    assert one.decided is not None
    assert (A,) == one.decided.seeds
    assert math.inf == one.wake_at
    assert [] == one.wake(1.0, known())


def test_one_ballot_decides() -> None:
    """Two of three: prepare, promise, accept, accepted; all who are known are seeds, sorted."""
    first, second = daemon(A), daemon(B)
    (asked, _) = messages(first.wake(0.0, known(B, C)))
    assert asked == BirthPrepare(ONE, 3)
    (promise,) = messages(second.hear(header(A), BirthPrepare(ONE, 3), 0.0, known(A)))
    assert promise == BirthPromise(ONE, ONE, None, None)
    (accept, _) = messages(first.hear(header(B), BirthPromise(ONE, ONE, None, None), 0.0, known(B, C)))
    assert isinstance(accept, BirthAccept)
    assert (A, B, C) == accept.birth.seeds
    (accepted,) = messages(second.hear(header(A), accept, 0.0, known(A)))
    assert accepted == BirthAccepted(ONE, ONE)
    first.hear(header(B), BirthAccepted(ONE, ONE), 0.0, known(B, C))

    assert accept.birth == first.decided
    assert second.decided is None


@pytest.mark.parametrize(
    "electorate", [known(), known(B, C, hindrance="it has lost its disk")], ids=["too few", "hindered"]
)
def test_nothing_is_proposed_too_early(electorate: Electorate) -> None:
    """With fewer than a majority, or not allowed to vote, a daemon is silent and sets no timer."""
    one = daemon()

    assert [] == one.wake(0.0, electorate)
    assert math.inf == one.wake_at
    assert not one.has_voted


@pytest.mark.parametrize(
    ("sender", "message", "electorate"),
    [
        (B, BirthPrepare(BirthBallot(1, B), 3), known(B, C, hindrance="it has lost its disk")),
        (B, BirthPrepare(BirthBallot(1, B), 3), known(C)),
        (Peer("b", 2), BirthPrepare(BirthBallot(1, Peer("b", 2)), 3), known(B, C)),
        (B, BirthPrepare(BirthBallot(1, B), 5), known(B, C)),
        (B, BirthPrepare(BirthBallot(1, C), 3), known(B, C)),
        (B, BirthAccept(BirthBallot(1, C), 3, BIRTH), known(B, C)),
        (B, BirthAccept(BirthBallot(1, B), 2, BIRTH), known(B, C)),
        (B, BirthPromise(ONE, ONE, None, None), known(B, C)),
        (B, BirthAccepted(ONE, ONE), known(B, C)),
    ],
    ids=range(9),
)
def test_what_does_not_count_is_ignored(sender: Peer, message: BirthPaxos, electorate: Electorate) -> None:
    """Of who is not known, expects another number, or speaks for somebody else: no vote, and no answer."""
    one = daemon()

    assert [] == one.hear(header(sender), message, 0.0, electorate)
    assert not one.has_voted


def test_votes_of_earlier_ballots_and_of_one_daemon_twice_do_not_count() -> None:
    """A promise counts once for each name, and only for the present ballot."""
    one = daemon(expected=5)
    electorate = known(B, C, Peer("d", 1), Peer("e", 1))
    one.wake(0.0, electorate)
    for ballot in (ONE, ONE, BirthBallot(1, Peer("a", 0)), BirthBallot(0, A)):
        assert [] == one.hear(header(B), BirthPromise(ballot, ballot, None, None), 0.0, electorate)

    assert messages(one.hear(header(C), BirthPromise(ONE, ONE, None, None), 0.0, electorate))


def test_only_those_who_have_not_answered_are_asked_again() -> None:
    """What was lost is said again, in either phase, until it is answered."""
    one = daemon(expected=5)
    electorate = known(B, C, Peer("d", 1), Peer("e", 1))
    one.wake(0.0, electorate)
    one.hear(header(B), BirthPromise(ONE, ONE, None, None), 0.0, electorate)
    again = one.wake(one.wake_at, electorate)
    assert ["c", "d", "e"] == [step.target.host for step in again if isinstance(step, Tell)]
    one.hear(header(C), BirthPromise(ONE, ONE, None, None), 0.0, electorate)
    one.hear(header(B), BirthAccepted(ONE, ONE), 0.0, electorate)
    again = one.wake(one.wake_at, electorate)

    assert ["c", "d", "e"] == [step.target.host for step in again if isinstance(step, Tell)]


def test_who_promised_lets_the_ballot_pass() -> None:
    """A daemon that has promised another's ballot begins none of its own for a while."""
    one = daemon(B)
    one.hear(header(A), BirthPrepare(ONE, 3), 10.0, known(A, C))

    assert [] == one.wake(10.9, known(A, C))
    assert [BirthPrepare(BirthBallot(2, B), 3)] * 2 == messages(one.wake(one.wake_at, known(A, C)))


def test_who_has_accepted_another_ballot_proposes_that() -> None:
    """The birth that this daemon has accepted itself is what its own ballot proposes."""
    one = daemon(B)
    one.wake(0.0, known(A, C))
    one.hear(header(A), BirthAccept(ONE, 3, BIRTH), 0.0, known(A, C))
    one.wake(one.wake_at, known(A, C))
    ballot = BirthBallot(2, B)
    (asked, _) = messages(one.hear(header(C), BirthPromise(ballot, ballot, None, None), 9.0, known(A, C)))

    assert BirthAccept(ballot, 3, BIRTH) == asked


def test_a_round_beyond_all_reason_leaves_no_room() -> None:
    """After a promise of the highest round there is, a daemon proposes nothing, and lives."""
    one = daemon(B)
    one.wake(0.0, known(A, C))
    one.hear(header(A), BirthPrepare(BirthBallot(ROUND_MAX, A), 3), 0.0, known(A, C))

    assert [] == one.wake(one.wake_at, known(A, C))


def test_says_what_it_waits_for() -> None:
    """The sentence names who is known, how many are needed, and what may be wrong."""
    one = daemon()

    assert "of 3 daemons 2 must agree on a cluster, and this one knows 1 (a)" in one.why(known())
    assert "agreeing on a new cluster with a,b; 2 of 3 must answer" == one.why(known(B))
    assert "it has lost its disk" == one.why(known(B, hindrance="it has lost its disk"))
