"""What decisions make of a cluster."""

from __future__ import annotations

from ring.ring import Peer
from weaveipam.protocol.decisions import (
    ELECTORS_MAX,
    REMOVED_MAX,
    Ballot,
    Charter,
    Decree,
    Removal,
    first_charter,
)
from weaveipam.protocol.values import Birth, Pool

A, B, C = (Peer(name, 1) for name in "abc")


def decree(*victims: Peer, put: tuple[Pool, ...] = (), drop: tuple[str, ...] = ()) -> Decree:
    """A decision that leaves A as the elector."""
    return Decree(victims, (), (A,), put, drop)


def test_an_attempt_that_waits_for_fewer_goes_before() -> None:
    """Ballots are ordered by how many are fenced, then by round, then by proposer."""
    assert Ballot(1, 9, C) < Ballot(2, 1, A) < Ballot(2, 2, A) < Ballot(2, 2, B)


def test_the_first_seeds_are_the_first_electors() -> None:
    """At birth nothing was decided, and as many seeds are electors as there may be."""
    seeds = tuple(Peer(f"n{number}", 1) for number in range(ELECTORS_MAX + 2))
    charter = first_charter(Birth(bytes(16), seeds, (Pool("p", "default", ()),)))

    assert Charter(0, seeds[:ELECTORS_MAX], (Pool("p", "default", ()),)) == charter


def test_a_decision_counts_removes_and_names_electors() -> None:
    """The next charter has the next number, the decree's electors, and its victims with that number."""
    charter = Charter(4, (A, B), (), (Removal(2, C),)).after(decree(B))

    assert Charter(5, (A,), (), (Removal(2, C), Removal(5, B))) == charter


def test_pools_are_put_in_the_place_of_their_names() -> None:
    """A pool that is put replaces the one with its name, one that is dropped is gone, and all stay sorted."""
    p, q, r = (Pool(name, "default", ()) for name in "pqr")
    other = Pool("q", "blue", ())
    charter = Charter(0, (A,), (q, r)).after(decree(put=(other, p), drop=("r",)))

    assert (p, other) == charter.pools


def test_only_the_latest_removals_are_named() -> None:
    """However many were removed, a charter's size is bounded; the oldest are left out."""
    charter = Charter(0, (A,), ())
    for number in range(REMOVED_MAX + 1):
        charter = charter.after(decree(Peer("x", number)))

    assert REMOVED_MAX == len(charter.removed)
    assert Removal(2, Peer("x", 1)) == charter.removed[0]


def test_networks_are_opened_and_closed() -> None:
    """Those of the first pools are there from the beginning, and the default one always is."""
    charter = first_charter(Birth(bytes(16), (A,), (Pool("p", "default", ()), Pool("r", "red", ()))))
    assert (("red",), ("default", "red")) == (charter.networks, charter.all_networks)
    after = charter.after(Decree((), (), (A,), open=("blue",), close=("red",)))
    assert ("blue",) == after.networks
