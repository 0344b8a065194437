"""The next life of a daemon."""

from __future__ import annotations

from random import Random

from ring.ring import Peer
from weaveipam.allocation import nextlife
from weaveipam.protocol.effects import Durability
from weaveipam.protocol.records import Identity, RecordKey


def test_a_successor_is_later_than_all() -> None:
    """However the lives so far stand to each other, the next one is later, and has their name."""
    lives = [Peer("a", 7 << 20), Peer("a", 9 << 20 | 5), Peer("a", 8 << 20)]
    after = nextlife.successor(lives, Random(1))

    assert "a" == after.name
    assert (10 << 20) <= after.incarnation < (12 << 20)


def test_two_copies_become_two_lives() -> None:
    """Copies of one disk draw different successors, but for one chance in a million."""
    old = Peer("a", 7 << 20)

    assert 100 == len({nextlife.successor([old], Random(seed)) for seed in range(100)})


def test_a_disk_becomes_that_of_another_life_at_once() -> None:
    """One write, on stable storage, says who it is now and forgets what was tied to the life before."""
    life, gone = Peer("a", 8), (RecordKey("Resting", "x"), RecordKey("Outgoing", "y"))
    persist = nextlife.become(life, gone)

    assert (Identity(life),) == persist.put
    assert gone == persist.delete
    assert Durability.HOST is persist.durability
