"""
The next life of a daemon that must not go on as who it is.

It was removed, its disk went back in time, or it is a copy of a daemon that runs: what it owns by its disk
may be somebody else's by now.  It then owns nothing, under a new identity, and keeps all that is not tied to
the old one: the birth, the rings as they are shared by all, and its leases, whose addresses it leaves to
their users although they are not its own any more.

Does not know why a daemon begins another life, nor who performs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from ring.ring import Peer, Run
from weaveipam.allocation.rings import Change
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.records import Identity, Record, RecordKey

LIFE_RANDOM_BITS = 20
"""Below the milliseconds of an incarnation: two lives of one name that begin in the same one still differ."""

WHY_WAITING_ENDS = "this daemon begins its next life; ask again in a moment"
"""What clients are told meanwhile."""


def forgotten(me: Peer, learned: Change) -> Run | None:
    """
    A statement of this very life that it does not hold, of those that peers told; None if there is none.

    All that an owner states is on stable storage before anybody hears of it, and a ring never forgets, so its
    disk has gone back in time.  That is certain: statements with epoch 0 are left out, as a birth or a
    decision makes them in its name; so are other lives; and where two statements have one token, what lost to
    another author may come round again.
    """
    own = (run for run in learned.won if run.author == me and run.token.epoch > 0)
    both = (one.theirs for one in learned.conflicts if one.mine.author == one.theirs.author == me)
    return next(own, None) or next(both, None)


def successor(lives: Iterable[Peer], rng: Random) -> Peer:
    """
    A life of the same daemon after all of these, at least one, by no clock: that may have gone back too.

    A millisecond later than the latest, and as many random bits as any incarnation has: two copies of one
    disk may do this at once.
    """
    latest = max(lives)
    return Peer(latest.name, latest.incarnation + (1 << LIFE_RANDOM_BITS) + rng.getrandbits(LIFE_RANDOM_BITS))


def become(life: Peer, forgotten: Iterable[RecordKey], kept: Iterable[Record] = ()) -> Persist:
    """
    What makes a disk that of another life, all at once: from then on there is no way back.

    Args:
        life: Which one.
        forgotten: Records that are tied to the life so far: its grants on their way, what rests or is frozen
            of its addresses.
        kept: Of these, what the other life is to find in another form.
    """
    return Persist((Identity(life), *kept), tuple(forgotten), Durability.HOST)
