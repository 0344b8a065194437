"""How a newcomer gets onto the roster."""

from __future__ import annotations

import math
from dataclasses import replace

from ring.ring import Peer
from weaveipam.allocation.admission import Admission
from weaveipam.allocation.ledger import Ledger
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.gossip.members import Members
from weaveipam.protocol.messages import Rumour
from weaveipam.protocol.rollcalls import Enrol, Enrolled
from weaveipam.protocol.values import Birth, Endpoint, MemberState

ME = Peer("me", 1)
A, B, C = (Peer(name, 1) for name in "abc")
SETTINGS = AllocationSettings(inquiry_s=1.0)
LEDGER = Ledger.begin(ME, Birth(bytes(16), (A, B, C), ()))


def admission(*known: Peer) -> Admission:
    """Of a newcomer that knows some members."""
    members = Members(ME, Endpoint("me", 1), 0.0)
    for one in known:
        members.hear(Rumour(one, Endpoint(one.name, 1), MemberState.ALIVE, 0), 0.0)
    it = Admission(SETTINGS, members)
    it.begin(0.0)
    return it


def asked(it: Admission, now: float, ledger: Ledger = LEDGER) -> list[str]:
    """Whom it asks."""
    tells = it.wake(ledger, now)
    assert all(one.message == Enrol(ledger.charter.number) for one in tells)
    return [one.target.host for one in tells]


def test_it_asks_every_elector_until_it_answers() -> None:
    """Who has not answered is asked again; who is unknown so far cannot be."""
    it = admission(A, B)

    assert ["a", "b"] == asked(it, 0.0)
    assert [] == asked(it, 0.5)
    it.enrolled(A, Enrolled(0), LEDGER)
    assert ["b"] == asked(it, 1.0)
    assert {A} == it.enrolled_by
    assert "b, c" in it.why(LEDGER)


def test_an_elector_in_another_life_is_not_asked() -> None:
    """Another life has another roster."""
    it = admission(A, Peer("b", 2))

    assert ["a"] == asked(it, 0.0)


def test_it_counts_anew_after_a_decision() -> None:
    """Each decision may change the electors, and what was enrolled before may not have been counted."""
    it = admission(A, B)
    it.enrolled(A, Enrolled(0), LEDGER)
    later = replace(LEDGER, charter=replace(LEDGER.charter, number=1))
    it.enrolled(B, Enrolled(0), later)

    assert not it.enrolled_by
    assert ["a", "b"] == asked(it, 1.0, later)


def test_it_rests_once_it_is_admitted() -> None:
    """Then nobody is asked any more."""
    it = admission(A)

    assert [] == asked(it, 0.0, LEDGER.admit())
    assert math.inf == it.wake_at
