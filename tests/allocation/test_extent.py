"""Which addresses of pools are new, given up, or unknown."""

from __future__ import annotations

from ring.address import Family, Range
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.extent import founded, given_up, joined, unsaid
from weaveipam.protocol.decisions import Span
from weaveipam.protocol.values import Pool, PoolRange, RingId

RING, OTHER = RingId("default", Family.V4), RingId("red", Family.V4)


def pool(name: str, start: int, stop: int, *excluded: Range, network: str = "default") -> Pool:
    """A pool of one range."""
    return Pool(name, network, (PoolRange(Family.V4, Range(start, stop), 32, None, excluded),))


def test_what_moves_from_pool_to_pool_is_neither_new_nor_given_up() -> None:
    """Only addresses that no pool had are new, and only those that none has are given up."""
    before, after = [pool("p", 0, 10), pool("q", 10, 20)], [pool("p", 5, 15), pool("r", 15, 25)]

    assert founded(before, after) == (Span(RING, (Range(20, 25),)),)
    assert given_up(before, after) == (Span(RING, (Range(0, 5),)),)


def test_networks_have_addresses_of_their_own() -> None:
    """The same addresses in another network are others."""
    here, there = pool("p", 0, 10), pool("p", 0, 10, network="red")

    assert founded([here], [there]) == (Span(OTHER, (Range(0, 10),)),)
    assert given_up([here], [there]) == (Span(RING, (Range(0, 10),)),)


def test_what_is_set_aside_is_given_up_with_the_rest() -> None:
    """A pool that shrinks and excludes more at once gives up both, in one span of its ring."""
    assert given_up([pool("p", 0, 10, Range(1, 2))], [pool("p", 0, 8, Range(1, 2), Range(4, 5))]) == (
        Span(RING, (Range(4, 5), Range(8, 10))),
    )
    assert given_up([pool("p", 0, 10, Range(1, 2))], [pool("p", 0, 10)]) == ()


def test_spans_of_one_ring_become_one() -> None:
    """However many spans there are, each ring has one, in as few ranges as can be."""
    spans = [Span(RING, (Range(0, 4),)), Span(OTHER, (Range(0, 1),)), Span(RING, (Range(3, 6),))]

    assert joined(spans) == (Span(RING, (Range(0, 6),)), Span(OTHER, (Range(0, 1),)))


def test_what_nobody_speaks_of() -> None:
    """Addresses of pools that the rings leave out; a ring that is not there leaves out all of its own."""
    me = Peer("me", 1)
    known = {RING: Ring.of([Run(2, 4, Token(0, 0), me, me), Run(8, 12, Token(0, 0), me, me)])}

    assert unsaid([pool("p", 0, 10), pool("q", 0, 5, network="red")], known) == (
        Span(RING, (Range(0, 2), Range(4, 8))),
        Span(OTHER, (Range(0, 5),)),
    )
    assert () == unsaid([pool("p", 2, 4)], known)
