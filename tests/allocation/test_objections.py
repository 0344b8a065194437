"""What an operator is told of what is in the way of a call."""

from __future__ import annotations

import pytest

from ring.ring import Peer
from weaveipam.allocation.objections import Objections
from weaveipam.protocol.decisions import Ballot
from weaveipam.protocol.rollcalls import Declined, Objection

A, B, DEAD = Peer("a", 1), Peer("b", 1), Peer("dead", 1)


def declined(why: Objection) -> Declined:
    """An answer of somebody who takes no part."""
    return Declined(1, Ballot(1, 1, A), why, None, (DEAD,))


@pytest.mark.parametrize("why", Objection)
def test_each_objection_is_a_sentence(why: Objection) -> None:
    """It names who objects and, where a life is what it is about, that one."""
    it = Objections()
    it.note(B, declined(why))

    (sentence,) = it.sentences()
    assert sentence.startswith("b ")
    assert ("dead" in sentence) == (why in {Objection.HEARD, Objection.CLOSED})


def test_the_latest_of_each_member_counts() -> None:
    """Sorted by member; who has answered, and all when it begins anew, object no more."""
    it = Objections()
    it.note(B, declined(Objection.HEARD))
    it.note(B, declined(Objection.BALLOT))
    it.doubt(A, (DEAD,))
    assert ("a makes sure that nobody answers any more as dead", "b takes part in another call") == (
        it.sentences()
    )
    it.over(A)
    it.over(DEAD)
    assert 1 == len(it.sentences())
    it.clear()
    assert () == it.sentences()
