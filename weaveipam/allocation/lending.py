"""
Keeping this node's own addresses for keys that hold them at other peers, and what becomes of them afterwards.

Does not know how the holders are asked, nor when they answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from ring.address import Range, meeting
from ring.ring import Peer
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.loans import is_same_or_earlier
from weaveipam.allocation.rings import together
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import Step
from weaveipam.protocol.records import Lent
from weaveipam.protocol.values import RingId


def is_held(holdings: Holdings, ring: RingId, address: int) -> bool:
    """Whether a key here holds an address, or one to which it is lent."""
    lent = meeting(holdings.loans.ranges(ring), Range(address, address + 1))
    return bool(lent) or holdings.leases.at(ring, address) is not None


def lend(holdings: Holdings, fresh: Sequence[Lent]) -> Persist:
    """Keep addresses for whom they are foreign to; to be on disk before they hear of it."""
    holdings.loans.change(fresh, ())
    for one in fresh:
        holdings.pools.freeze(one.loan.ring, one.loan.range)
    kept = Persist(tuple(fresh), (), Durability.HOST)
    return together(kept, holdings.note_rests())


def take_back(holdings: Holdings, gone: Sequence[Lent], now: float) -> list[Step]:
    """Nobody holds these any more; they rest, and then they are free."""
    if not gone:
        return []
    holdings.loans.change((), gone)
    ended = Persist((), tuple(one.record_key for one in gone), Durability.HOST)
    for one in gone:
        holdings.let_rest(one.loan.ring, one.loan.range, now, withheld=True)
    return [together(ended, holdings.note_rests())]


def forget_holder(holdings: Holdings, peer: Peer, now: float) -> list[Step]:
    """
    A decision says that a life is over, with the users of its addresses: what it held or claimed rests.

    A later life says nothing of the kind: it may have lost its disk, and not know who uses what.
    """
    over = [one for one in holdings.contests if one.other is not None and is_same_or_earlier(one.other, peer)]
    holdings.contests.change((), over)
    steps = take_back(holdings, [one for one in holdings.loans if is_same_or_earlier(one.holder, peer)], now)
    if not over:
        return steps
    ended = Persist((), tuple(one.record_key for one in over), Durability.HOST)
    for one in over:
        holdings.let_rest(one.ring, one.range, now, withheld=True)
    return [*steps, together(ended, holdings.note_rests())]
