"""Steps in words."""

from __future__ import annotations

from ring.ring import Peer, Run, Token
from simulations.explorer.member import RING, Letter
from simulations.explorer.words import heard, names, owned
from weaveipam.protocol.decisions import Ballot, Decree, Statements, Vote
from weaveipam.protocol.rollcalls import Accept, Prepare, Promise

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
