"""Lent addresses by themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.loans import Loans, is_same_or_earlier, without
from weaveipam.protocol.records import Lent
from weaveipam.protocol.values import Loan, RingId

V4 = RingId("default", Family.V4)
OTHER = Peer("other", 2)


def lent(start: int, stop: int, key: str = "k", holder: Peer = OTHER) -> Lent:
    """A loan."""
    return Lent(Loan(V4, Range(start, stop), key), holder)


spans = st.tuples(st.integers(0, 60), st.integers(1, 8)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(spans, max_size=8, unique=True), spans)
def test_all_that_meet_a_range_are_found(held: list[tuple[int, int]], what: tuple[int, int]) -> None:
    """Looking up finds just what shares an address, however long loans are and however they overlap."""
    loans = Loans()
    loans.change([lent(*one, key=f"{one}") for one in held], ())
    found = {one.loan.range for one in loans.meeting(V4, Range(*what))}

    assert found == {Range(*one) for one in held if Range(*one).meet(Range(*what))}
    assert loans.meeting(RingId("blue", Family.V4), Range(*what)) == []


def test_a_later_life_takes_the_place_of_the_earlier_one() -> None:
    """Name, range and key are one loan; another key, or another name, is another one."""
    loans = Loans()
    loans.change(
        [lent(0, 1), lent(0, 1, holder=Peer("other", 3)), lent(0, 1, "l"), lent(0, 1, holder=Peer("b", 1))],
        (),
    )

    assert len(loans) == 3
    assert loans.get(lent(0, 1)) == lent(0, 1, holder=Peer("other", 3))
    loans.change((), [lent(0, 1)])
    assert loans.get(lent(0, 1)) is None


def test_what_is_left_of_a_loan() -> None:
    """Whoever loses part of a lent block still lends the rest."""
    assert without(lent(0, 8), Range(2, 4)) == [lent(0, 2), lent(4, 8)]
    assert without(lent(0, 8), Range(0, 8)) == []


def test_a_life_that_is_over_ends_its_earlier_ones() -> None:
    """A removed life takes those before it along, and not the one after it."""
    peers = (Peer("other", 1), Peer("other", 2), Peer("other", 3), Peer("b", 9))

    assert [is_same_or_earlier(OTHER, peer) for peer in peers] == [False, True, True, False]
