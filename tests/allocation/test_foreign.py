"""Which addresses are foreign."""

from __future__ import annotations

from ring.address import Family, Range
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.foreign import Foreign
from weaveipam.allocation.rings import Rings
from weaveipam.protocol.values import Allocation, Assigned, Loan, RingId

ME, OTHER, THIRD = Peer("me", 1), Peer("other", 1), Peer("third", 1)
V4 = RingId("default", Family.V4)
BLOCK = Allocation("k", "default", (Assigned("p", Family.V4, Range(4, 12), 24, None),), durable=False)


def rings(*owners: Peer) -> Rings:
    """Two addresses for each owner, with tokens that keep them apart."""
    made = Rings(ME, b"")
    runs = [Run(2 * at, 2 * at + 2, Token(0, at), owner, owner) for at, owner in enumerate(owners)]
    made.merge(V4, Ring.of(runs))
    return made


def test_what_is_foreign_is_told_by_owner() -> None:
    """Of a block each owner's part is one loan, however many runs it is in; the own part is none."""
    foreign = Foreign(ME)
    foreign.add(BLOCK)
    held = rings(ME, ME, ME, OTHER, OTHER, THIRD)

    assert foreign.loans(held) == [
        (Loan(V4, Range(6, 10), "k"), OTHER),
        (Loan(V4, Range(10, 12), "k"), THIRD),
    ]
    assert foreign.within(V4, Range(0, 6)) == [Range(4, 6)]
    assert foreign.moved


def test_what_is_home_again_is_forgotten() -> None:
    """Only what still has another owner stays, and only of that is somebody told when it is released."""
    foreign = Foreign(ME)
    foreign.add(BLOCK)
    foreign.keep(rings(*[ME] * 6))
    assert not foreign
    foreign.release(BLOCK, rings(*[OTHER] * 6))
    assert foreign.returned == []

    foreign.add(BLOCK)
    foreign.keep(rings(*[ME] * 5, OTHER))
    foreign.release(BLOCK, rings(*[ME] * 5, OTHER))
    assert foreign.returned == [Loan(V4, Range(10, 12), "k")]
    assert not foreign
