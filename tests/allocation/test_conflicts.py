"""What is said of conflicts."""

from __future__ import annotations

from ring.address import Family, Range
from ring.ring import Peer, Run, Token
from weaveipam.allocation.conflicts import NAMED_MAX, conflict_problems
from weaveipam.protocol.findings import Conflicts, Contested, Foreign, Holder, UsedTwice
from weaveipam.protocol.values import ContestStage, RingId

V4 = RingId("default", Family.V4)
ME, OTHER = Peer("me", 1), Peer("other", 1)


def test_each_thing_has_a_sentence_that_names_both_sides() -> None:
    """A contested range names two owners, and an address in use twice names two keys and their daemons."""
    mine, theirs = (Run(4, 8, Token(0, 1), one, one) for one in (ME, OTHER))
    contested = Contested(V4, Range(4, 8), mine, theirs, ContestStage.OPEN, OTHER, (), None)
    twice = UsedTwice(V4, Range(5, 6), Holder("web", ME), Holder("db", OTHER))
    found = conflict_problems(Conflicts((contested,), (), (), (twice,)))

    assert ["contested", "in-use-twice"] == [one.kind for one in found]
    assert all(name in found[0].detail for name in (str(ME), str(OTHER), "0.0.0.4/30"))
    assert all(name in found[1].detail for name in ("web", "db", str(ME), str(OTHER), "0.0.0.5"))


def test_foreign_addresses_are_counted_by_owner() -> None:
    """However many there are: one sentence for each owner, and one more for what it has not adopted."""
    foreign = tuple(Foreign(V4, Range(at, at + 1), f"k{at}", OTHER, adopted=at != 3) for at in range(20))
    late, kept = conflict_problems(Conflicts((), foreign, (), ()))

    assert (late.kind, kept.kind) == ("foreign-unadopted", "foreign")
    assert late.detail.startswith("1 addresses")
    assert kept.detail.startswith("19 addresses")
    assert f"and {19 - NAMED_MAX} more" in kept.detail
