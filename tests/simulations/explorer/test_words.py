"""Steps in words."""

from __future__ import annotations

from dataclasses import replace

from ring.address import Range
from ring.ring import Peer, Run, Token
from simulations.explorer.member import POOL, RING, Letter
from simulations.explorer.words import heard, names, owned
from simulations.explorer.worlds import pool
from weaveipam.protocol.decisions import Ballot, Decree, Span, Statements, Vote
from weaveipam.protocol.messages import Grant, GrantAck, Ownership
from weaveipam.protocol.rollcalls import Accept, Prepare, Promise, Use

A, B, X = (Peer(name, 1) for name in "abx")
RUN = Run(0, 2, Token(1, 3), A, B)
DECREE = Decree((X,), (Statements(RING, (RUN,)),), (A,))


def test_runs() -> None:
    """Addresses, owner, token and author."""
    assert "0-1 is a's at (1, 3), says b" == owned([RUN])
    assert "0 is a's at (1, 3), says b, 4 is x's at (0, 0), says x" == owned(
        [RUN.clipped(0, 1), Run(4, 5, Token(0, 0), X, X)]
    )


def test_names() -> None:
    """Sorted, and nobody is nobody."""
    assert "a and b" == names({B, A})
    assert "nobody" == names(())


def test_what_is_said_in_a_roll_call() -> None:
    """Ballots by the number of those who are fenced, the round, and the proposer."""
    ballot = Ballot(1, 2, A)
    assert "b hears from a: promise ballot 1.2.a of decision 3 without x, asked again (2)" == heard(
        B, Letter(A, B, Prepare(3, ballot, (X,), 2, (), 0))
    )
    assert (
        "a hears from b: I promise ballot 1.2.a of decision 3, know what you know, have enrolled b, "
        "have accepted in 1.1.b: without x, 0-1 is a's at (1, 3), says b"
    ) == heard(A, Letter(B, A, Promise(3, ballot, 1, True, (), Vote(Ballot(1, 1, B), DECREE), (B,))))
    assert (
        "b hears from a: accept in ballot 1.2.a as decision 3: without nobody, nothing changes its owner"
        == (heard(B, Letter(A, B, Accept(3, ballot, Decree((), (), (A,)), ()))))
    )


def test_what_is_said_of_pools() -> None:
    """What is kept back, what is in use, and what a decree makes of the pool."""
    ballot = Ballot(0, 2, A)
    kept, used = Span(RING, (Range(0, 1), Range(4, 6))), Use("client", RING, Range(4, 5))
    assert "b hears from a: promise ballot 0.2.a of decision 3 without nobody, keep back 0, 4-5" == heard(
        B, Letter(A, B, Prepare(3, ballot, (), 1, (), 0, (), (kept,)))
    )
    assert "a hears from b: I promise ballot 0.2.a of decision 3, know what you know, 4 is in use" == heard(
        A, Letter(B, A, Promise(3, ballot, 1, True, (), None, (), (used,)))
    )
    smaller = Decree((), (), (A,), (pool(Range(0, 4)),))
    for decree, words in ((smaller, "a pool of 0-3"), (replace(smaller, put=(), drop=(POOL,)), "no pool")):
        said = heard(B, Letter(A, B, Accept(3, ballot, decree, ())))
        assert said.endswith(f": without nobody, nothing changes its owner, {words}")


def test_what_is_said_of_space() -> None:
    """A statement that anybody may hear, a grant to its heir, and its acknowledgement."""
    assert "a hears from b: 0-1 is a's at (1, 3), says b" == heard(
        A, Letter(B, None, Ownership(RING, (RUN,)))
    )
    assert "a hears from b: 0-1 is a's at (1, 3), says b, and in use" == heard(
        A, Letter(B, A, Grant(1, 0, RING, (RUN,)))
    )
    assert "b hears from a: I have what you gave" == heard(B, Letter(A, B, GrantAck(1)))
