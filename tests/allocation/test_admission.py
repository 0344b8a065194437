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
from weaveipam.protocol.rollcalls import Enrol, Enrolled, Postponed
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


def test_it_says_what_electors_wait_for() -> None:
    """Who cannot enrol it now is not among those not heard; who lacks is named, as to be removed."""
    it = admission(A, B, Peer("gone", 2))
    asked(it, 0.0)
    it.postponed(A, Postponed(0, ()), LEDGER)
    assert it.why(LEDGER).endswith("a cannot do so before decision 1 is made; not heard yet: b, c")

    it.postponed(A, Postponed(0, (Peer("gone", 1), Peer("gone", 2))), LEDGER)
    it.postponed(B, Postponed(0, (Peer("gone", 2),)), LEDGER)
    first = f"gone#{1:016x}"
    assert f"a, b cannot do so before decision 1 is made, which lacks the vote of {first}, gone" in it.why(
        LEDGER
    )
    assert f"weaveipam peer remove {first} gone;" in it.why(LEDGER)
    assert it.why(LEDGER).endswith("not heard yet: c")


def test_what_electors_waited_for_is_forgotten() -> None:
    """Who has not said so again, has enrolled it, or has made the decision since, waits for nothing."""
    it = admission(A, B)
    for elector in (A, B, C):
        it.postponed(elector, Postponed(0, ()), LEDGER)
    asked(it, 0.0)
    it.postponed(A, Postponed(0, ()), LEDGER)
    it.enrolled(C, Enrolled(0), LEDGER)
    asked(it, 1.0)
    assert it.why(LEDGER).endswith("a cannot do so before decision 1 is made; not heard yet: b")

    later = replace(LEDGER, charter=replace(LEDGER.charter, number=1))
    asked(it, 1.5, later)
    it.postponed(B, Postponed(0, ()), later)
    asked(it, 2.0, later)
    assert it.why(later).endswith("to admit this daemon; not heard yet: a, b, c")


def test_it_rests_once_it_is_admitted() -> None:
    """Then nobody is asked any more."""
    it = admission(A)

    assert [] == asked(it, 0.0, LEDGER.admit())
    assert math.inf == it.wake_at
