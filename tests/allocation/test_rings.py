"""The rings that a node keeps."""

from __future__ import annotations

import pytest

from ring.address import Family, Range
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.rings import Rings, together
from weaveipam.protocol import codec
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import Ownership
from weaveipam.protocol.records import Owned
from weaveipam.protocol.values import RingId

V4 = RingId("default", Family.V4)
ME, OTHER = Peer("me", 1), Peer("other", 1)


def run(start: int, stop: int, owner: Peer, epoch: int = 0) -> Run:
    """A run that its owner stated."""
    return Run(start, stop, Token(0, epoch), owner, owner)


def kept(rings: Rings, *changes: Ring) -> dict[str, Owned]:
    """Merge changes one after the other; what the disk holds in the end."""
    disk: dict[str, Owned] = {}
    for change in changes:
        persist = rings.merge(V4, change).persist
        if persist is not None:
            for key in persist.delete:
                del disk[key.key]
            for record in persist.put:
                assert isinstance(record, Owned)
                disk[record.record_key.key] = record
    return disk


def test_the_disk_holds_exactly_the_ring() -> None:
    """Whatever is merged, restoring from the records gives the same ring and fingerprint."""
    rings = Rings(ME, b"key")
    disk = kept(
        rings,
        Ring.of([run(0, 100, ME)]),
        Ring.of([run(20, 30, OTHER, 1), run(60, 100, OTHER, 1)]),
        Ring.of([run(25, 80, ME, 2)]),
        Ring.of([run(0, 100, OTHER, 3)]),
        Ring.of([run(99, 100, ME, 4)]),
    )
    again = Rings(ME, b"key")
    again.restore(disk.values())

    assert rings[V4] == again[V4]
    assert rings.fingerprint == again.fingerprint


def test_gains_and_losses_are_exact() -> None:
    """A change says which addresses came to this node and which went, and nothing of the others."""
    rings = Rings(ME, b"")
    first = rings.merge(V4, Ring.of([run(0, 10, ME), run(10, 20, OTHER)]))
    second = rings.merge(V4, Ring.of([Run(5, 15, Token(0, 1), OTHER, ME), run(18, 20, ME, 1)]))

    assert (Range(0, 10),) == first.gained
    assert (Range(18, 20),) == second.gained
    assert (Range(5, 10),) == second.lost


def test_what_moves_this_nodes_addresses_survives_the_host() -> None:
    """Gains and losses go to stable storage; what concerns others only survives the process."""
    rings = Rings(ME, b"")
    mine = rings.merge(V4, Ring.of([run(0, 10, ME)])).persist
    theirs = rings.merge(V4, Ring.of([run(10, 20, OTHER)])).persist

    assert mine is not None
    assert theirs is not None
    assert (Durability.HOST, Durability.PROCESS) == (mine.durability, theirs.durability)


def test_fingerprints_agree_whatever_the_order_and_differ_with_the_content() -> None:
    """The same statements in another order give the same fingerprint; fewer give another."""
    statements = [Ring.of([run(i, i + 40, Peer(f"p{i}", 1), i)]) for i in range(0, 100, 10)]
    one, other, less = Rings(ME, b"k"), Rings(OTHER, b"k"), Rings(ME, b"k")
    for statement in statements:
        one.merge(V4, statement)
    for statement in reversed(statements):
        other.merge(V4, statement)
    for statement in statements[1:]:
        less.merge(V4, statement)

    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != less.fingerprint


def test_an_old_statement_changes_nothing() -> None:
    """Merging what is known already needs no disk and moves nothing."""
    rings = Rings(ME, b"")
    rings.merge(V4, Ring.of([run(0, 10, ME, 5)]))
    change = rings.merge(V4, Ring.of([run(0, 10, OTHER, 4)]))

    assert change.persist is None
    assert ((), ()) == (change.won, change.lost)
    assert {V4: 1} == rings.moves


def test_telling_what_is_lacking_brings_both_to_the_same_state() -> None:
    """Who shared all it knows and is told what it lacked knows the same, and nothing was told back to it."""
    rings, other = Rings(ME, b""), Rings(OTHER, b"")
    for one in (rings, other):
        one.merge(V4, Ring.of([run(0, 10, ME), run(10, 20, OTHER)]))
    rings.merge(V4, Ring.of([Run(4, 12, Token(0, 1), OTHER, ME), run(30, 40, ME)]))
    other.merge(V4, Ring.of([run(14, 16, OTHER, 2)]))
    share = other.table(V4).share(0, 100)
    rings.merge(V4, Ring.of(share.runs))
    lacking = rings.lacking(share)
    assert lacking is not None
    other.merge(V4, Ring.of(lacking.runs))

    assert rings[V4] == other[V4]
    assert not set(lacking.runs) & set(share.runs)
    assert rings.lacking(other.table(V4).share(0, 100)) is None
    assert rings.fingerprint == other.fingerprint == rings.table(V4).total(0, 100)


def test_rings_that_nobody_has_are_empty_tables_and_leave_nothing_behind() -> None:
    """Whatever names peers ask about, they are answered, and not remembered."""
    rings = Rings(ME, b"some key")
    rings.merge(V4, Ring.of([run(0, 10, ME)]))
    before = codec.run_digests.cache_info().currsize
    tables = [rings.table(RingId(f"nobody's {number}", Family.V6)) for number in range(10)]

    assert {(0, 0)} == {(one.count(0, one.places), one.total(0, one.places)) for one in tables}
    assert codec.run_digests.cache_info().currsize == before


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ([run(0, 10, ME, 2), run(10, 20, OTHER, 1)], True),
        ([run(3, 7, ME, 2)], True),
        ([run(12, 15, OTHER)], True),
        ([run(12, 15, ME)], True),
        ([], True),
        ([run(3, 7, ME, 3)], False),
        ([run(3, 7, OTHER, 2)], False),
        ([run(20, 30, OTHER)], False),
        ([run(5, 15, OTHER)], False),
    ],
)
def test_what_is_plainly_known_is_seen_without_merging(told: list[Run], known: bool) -> None:
    """What a node takes for known changes nothing when it is merged; conflicts are looked into."""
    rings = Rings(ME, b"key")
    rings.merge(V4, Ring.of([run(0, 10, ME, 2), run(10, 20, OTHER, 1)]))
    assert known is rings.knows(Ownership(V4, tuple(told)))

    change = rings.merge(V4, Ring.of(told))
    assert not known or (change.won, change.conflicts) == ((), ())


def test_a_ring_is_said_whole_or_not() -> None:
    """Only all runs of a ring, as they are, are what a node says of it."""
    rings = Rings(ME, b"key")
    mine = (run(0, 10, ME, 2), run(10, 20, OTHER, 1))
    rings.merge(V4, Ring.of(mine))

    assert rings.says(Ownership(V4, mine))
    assert not rings.says(Ownership(V4, mine[:1]))
    assert not rings.says(Ownership(V4, (mine[0], run(10, 20, OTHER, 0))))


def test_writes_in_one_have_the_last_word_on_each_record() -> None:
    """Of several writes together the disk holds what it would hold after one by one."""
    first, second = (Owned(V4, run(at, at + 1, ME)) for at in (1, 2))
    put = Persist((first, second), (), Durability.PROCESS)
    deleted = Persist((), (first.record_key,), Durability.HOST)
    again = Persist((first,), (), Durability.PROCESS)

    assert together(put, None, deleted).put == (second,)
    assert set(together(put, deleted, again).put) == {first, second}
    assert together(put, deleted).durability is Durability.HOST
