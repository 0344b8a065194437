"""When and how runs of a node's own are joined."""

from __future__ import annotations

import math

import pytest

from ring.address import Family, Range
from ring.merge import merge
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.joining import Joins
from weaveipam.protocol.values import RingId

ME, OTHER, LEAVER = Peer("me", 1), Peer("other", 1), Peer("leaver", 1)
V4 = RingId("default", Family.V4)
PAUSE_S = 5.0


def run(start: int, stop: int, owner: Peer = ME, author: Peer = ME, epoch: int = 1) -> Run:
    """What one has stated."""
    return Run(start, stop, Token(0, epoch), owner, author)


RING = Ring.of(
    [
        run(0, 4, OTHER),
        run(4, 8),
        run(8, 12, epoch=3),
        run(12, 16, epoch=2),
        run(16, 20, ME, LEAVER),
        run(20, 24, OTHER),
    ]
)


@pytest.fixture
def joins() -> Joins:
    """Of a node that may not state what it has by the word of one."""
    return Joins(ME, PAUSE_S, lambda one: one.owner == ME and one.author != LEAVER)


def test_what_is_gained_is_due_once_after_a_pause(joins: Joins) -> None:
    """Each gain is due a while after it was first heard of, and not again."""
    joins.expect(V4, Range(4, 8), 1.0)
    joins.expect(V4, Range(8, 12), 2.0)
    joins.expect(V4, Range(4, 8), 3.0)

    assert joins.wake_at == 1.0 + PAUSE_S
    assert joins.take_due(1.0) == []
    assert joins.take_due(1.0 + PAUSE_S) == [(V4, Range(4, 8))]
    assert joins.take_due(10.0) == [(V4, Range(8, 12))]
    assert joins.wake_at == math.inf


def test_after_a_restart_only_what_has_neighbours_is_due(joins: Joins) -> None:
    """A run with nothing of this node beside it needs no second look."""
    joins.restore(V4, Ring.of([run(0, 4, OTHER), run(4, 8)]), Range(4, 8), 0.0)
    assert joins.wake_at == math.inf
    joins.restore(V4, RING, Range(4, 8), 0.0)
    assert joins.wake_at == PAUSE_S


def test_all_that_touches_becomes_one_run(joins: Joins) -> None:
    """Joined is everything around it that this node may state anew, and no more."""
    merged = merge(RING, joins.joined(RING, Range(8, 12), ())).ring

    assert [(one.start, one.stop) for one in merged] == [(0, 4), (4, 16), (16, 20), (20, 24)]


def test_what_is_contested_is_not_stated(joins: Joins) -> None:
    """A contested range stays as it is, between the runs beside it."""
    merged = merge(RING, joins.joined(RING, Range(4, 8), [Range(13, 14)])).ring

    assert list(merged.within(Range(4, 16))) == [run(4, 13, epoch=4), run(13, 16, epoch=2)]
