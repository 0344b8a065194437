"""Clients that wait for changes of pools."""

from __future__ import annotations

import math

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.campaign import Wanted
from weaveipam.allocation.changes import USES_SHOWN, Changes, in_use
from weaveipam.protocol.decisions import Charter
from weaveipam.protocol.effects import Reply
from weaveipam.protocol.requests import (
    ChangeNetwork,
    ChangePool,
    NetworkChanged,
    PoolChanged,
    Reason,
    Refusal,
)
from weaveipam.protocol.rollcalls import Use
from weaveipam.protocol.values import Pool, PoolRange, RingId

P, Q = (
    Pool(name, "default", (PoolRange(Family.V4, Range(at, at + 9), 24),))
    for name, at in (("p", 0), ("q", 50))
)
NEW_Q = ChangePool("q", None, Q, wait_s=5)


def charter(*pools: Pool, networks: tuple[str, ...] = ()) -> Charter:
    """What there is."""
    return Charter(0, (), pools, (), networks)


def why() -> str:
    """What a change waits for."""
    return "waiting for c"


def test_a_change_that_is_made_is_answered() -> None:
    """With the pool as it is then; whoever waits for the same hears it too."""
    changes = Changes()
    changes.add(1, NEW_Q, 0.0)
    changes.add(2, NEW_Q, 0.0)
    assert [] == changes.answered(charter(P), why, 1.0, besides=None)
    assert [Reply(1, PoolChanged(Q)), Reply(2, PoolChanged(Q))] == changes.answered(
        charter(P, Q), why, 1.0, besides=None
    )
    assert 0 == len(changes)


def test_a_change_that_cannot_be_any_more_is_refused() -> None:
    """Somebody else has made another pool of that name."""
    changes = Changes()
    changes.add(1, NEW_Q, 0.0)
    other = Pool("q", "default", (PoolRange(Family.V4, Range(70, 79), 24),))
    (reply,) = changes.answered(charter(P, other), why, 1.0, besides=None)
    assert isinstance(reply.answer, Refusal)
    assert Reason.CONFLICT is reply.answer.reason


def test_a_late_change_is_withdrawn_with_what_it_waits_for() -> None:
    """Nobody waits for it any more, so that it is not wanted."""
    changes = Changes()
    changes.add(1, NEW_Q, 0.0)
    assert (5.0, math.inf) == (changes.late_at(None), changes.late_at(1))
    assert [] == changes.answered(charter(P), why, 6.0, besides=1)
    (reply,) = changes.answered(charter(P), why, 6.0, besides=None)
    assert isinstance(reply.answer, Refusal)
    assert "waiting for c" in reply.answer.detail
    assert Wanted() == changes.wanted(charter(P))


def test_the_first_is_decided_first() -> None:
    """And what nobody waits for is not wanted."""
    changes = Changes()
    assert Wanted() == changes.wanted(charter(P))
    changes.add(1, NEW_Q, 0.0)
    changes.add(2, ChangePool("p", P, None), 0.0)
    assert (Q,) == changes.wanted(charter(P)).put
    changes.cancel(1)
    assert ("p",) == changes.wanted(charter(P)).drop
    assert 2 == changes.first


def test_a_network_waits_as_a_pool_does() -> None:
    """It is answered when it is there; nobody has to stop using anything for it."""
    changes = Changes()
    changes.add(1, ChangeNetwork("red", exists=True, wait_s=5), 0.0)
    assert not changes.drains
    assert ("red",) == changes.wanted(charter()).open
    assert [] == changes.answered(charter(), why, 1.0, besides=None)
    done = changes.answered(charter(networks=("red",)), why, 1.0, besides=None)
    assert [Reply(1, NetworkChanged("red", exists=True))] == done


def test_a_refusal_ends_the_first() -> None:
    """The others go on waiting."""
    changes = Changes()
    refusal = Refusal(Reason.IN_USE, "no")
    assert [] == changes.refuse_first(refusal)
    changes.add(1, NEW_Q, 0.0)
    assert [Reply(1, refusal)] == changes.refuse_first(refusal)


def test_uses_are_named_but_not_all() -> None:
    """Some are enough to see what kind of users there are."""
    uses = {Peer("a", 1): [Use(f"k{at}", RingId("default", Family.V4), Range(at, at + 1)) for at in range(9)]}
    sentence = in_use(uses)
    assert "0.0.0.0 at a by k0" in sentence
    assert f"and {9 - USES_SHOWN} more" in sentence
    assert "" == in_use({})
