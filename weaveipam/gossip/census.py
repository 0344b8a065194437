"""
The members as a table that daemons compare: who is there, by a hash of their names.

Only those alive or suspect are in it.  The gone are not, as each daemon forgets them in its own time, and one
that another has forgotten must not come back for that; nor are suspicions, which pass sooner than they could
be compared.  One who is gone here and there elsewhere is told of when it is heard to be there.

Does not know how a walk goes, nor how rumours are believed.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from ring.ring import Peer
from weaveipam.gossip.members import Change, Member, Members, supersedes
from weaveipam.protocol.messages import MemberShare, Rumour
from weaveipam.protocol.values import Endpoint, MemberState

PLACES = 1024
"""Of names: with 5,000 members there are five at each."""

Digests: TypeAlias = Callable[[Peer, Endpoint, int], tuple[int, int]]
"""
Of a peer, its endpoint and its refutation.

The place of its name, and 64 bits that depend on all of it.
"""


class Census:
    """The table of members, kept up to date change by change."""

    def __init__(self, members: Members, digests: Digests) -> None:
        self._members = members
        self._digests = digests
        self._totals = array("Q", bytes(8 * PLACES))
        self._names: list[dict[str, None]] = [{} for _ in range(PLACES)]
        """Who is there, by place."""
        self.fingerprint = 0
        """The sum of the digests of all that are there, modulo 2^64."""
        for one in (members.me, *members.alive()):
            self._add(one, 1)

    def note(self, change: Change) -> None:
        """Follow what is believed of a member from now on."""
        if change.before is not None:
            self._add(change.before, -1)
        self._add(change.after, 1)

    @property
    def places(self) -> int:
        """As of any table."""
        return PLACES

    def count(self, low: int, high: int) -> int:
        """As of any table."""
        return sum(map(len, self._names[low:high]))

    def total(self, low: int, high: int) -> int:
        """As of any table."""
        return sum(self._totals[low:high]) % (1 << 64)

    def cuts(self, low: int, high: int, parts: int) -> Sequence[int]:
        """As of any table; names are spread evenly over the places."""
        return sorted({low + (high - low) * part // parts for part in range(1, parts)} - {low})

    def share(self, low: int, high: int) -> MemberShare:
        """As of any table."""
        return MemberShare(low, high, True, tuple(one.rumour() for one in self._there(low, high)))

    def lacking(self, told: MemberShare) -> MemberShare | None:
        """
        What a sharer, whose rumours were heard, should hear of in return; None if that is nothing.

        That is what was told otherwise than it is believed here, and if he asks, who he did not name.  Of the
        dead he is told to suspect them: after a partition all of his side are dead here, and should have the
        time to refute that, however often they are told of.
        """
        named = {one.peer.name: one for one in told.rumours}
        lacks = [one for name in named if (one := self._members.get(name)) and _denies(one, named[name])]
        if told.asks:
            lacks += [one for one in self._there(told.low, told.high) if one.peer.name not in named]
        rumours = tuple(_doubt(one.rumour()) for one in lacks)
        return MemberShare(told.low, told.high, False, rumours) if rumours else None

    def _there(self, low: int, high: int) -> Iterator[Member]:
        """By place, and there by name."""
        for names in self._names[low:high]:
            for name in sorted(names):
                if one := self._members.get(name):
                    yield one

    def _add(self, member: Member, sign: int) -> None:
        if not member.present:
            return
        place, digest = self._digests(*_facts(member))
        self._totals[place] = (self._totals[place] + sign * digest) % (1 << 64)
        if sign > 0:
            self._names[place][member.peer.name] = None
        else:
            del self._names[place][member.peer.name]
        self.fingerprint = (self.fingerprint + sign * digest) % (1 << 64)


def _facts(member: Member) -> tuple[Peer, Endpoint, int]:
    """What two daemons must agree on."""
    return member.peer, member.endpoint, member.refutation


def _doubt(rumour: Rumour) -> Rumour:
    return replace(rumour, state=MemberState.SUSPECT) if rumour.state is MemberState.DEAD else rumour


def _denies(held: Member, rumour: Rumour) -> bool:
    """
    Whether what is held supersedes a rumour, in more than a suspicion.

    Nor does a death deny the suspicion that says all that would be told of it: who is told so, and knows of
    the death too, would tell the same in return, for ever.
    """
    same = (rumour.peer, rumour.endpoint, rumour.refutation) == _facts(held) and held.present
    return not same and supersedes(_doubt(held.rumour()), rumour)
