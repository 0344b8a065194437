"""
Who is in the cluster, as far as rumours tell.

Theory.  A rumour says of one life of a daemon (a name and its incarnation) that it is alive, suspect, dead or
has left.  Rumours arrive late, twice and out of order, so which of two about one name is believed must follow
from the two alone (SWIM, section 4.2):

- A later life supersedes an earlier one, whatever is said of them: names have one life at a time, and its
  incarnation only grows.  What is said of an earlier life from then on is ignored, but that it has left.
- Of one life the higher refutation supersedes.  Only the member itself raises it, when it hears itself called
  anything but what it is; so a higher refutation is news from the member itself.
- At one refutation the graver state supersedes: alive < suspect < dead < left.  Suspicion so overrides the
  "alive" that it doubts; death overrides the suspicion that it follows from; and leaving, which only the
  member itself says, overrides death, as it tells more.
- At one refutation and state the greater endpoint supersedes.  That happens only if one life moved or was
  cloned: any rule will do if it is the same everywhere, and a member that moved will refute.

That is a total order, and the table holds the maximum for each name: a join, so no order of arrival matters.

We differ from SWIM in one entry: there a death is final, here it is overridden by a refutation.  Else the two
sides of a healed partition could never take each other back, short of new incarnations for everybody.

Who is gone is remembered for a while, so that late rumours of the same life are not believed, and is then
forgotten.  Two things keep the forgotten from haunting a cluster for ever.  Who only heard that an unknown
member is gone remembers it, but tells nobody: so each memory of a death comes from one who saw the member
there, and they run out.  And a rumour that a forgotten member is there makes a member like any other, which
is probed, does not answer, and is soon gone again.

Does not know when to suspect anybody, nor how rumours travel.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import IntEnum
from random import Random

from ring.ring import Peer
from weaveipam.protocol.messages import FreeHint, Rumour
from weaveipam.protocol.values import Endpoint, MemberState

REFUTATIONS_MAX = 1 << 32
"""
Rumours with more are ignored: one refutation a second takes 136 years to get there.

Without a limit one wrong rumour would drive a refutation out of what a packet can hold.
"""

GONE_MAX = 10_000
"""
Members that are gone and still remembered; at one more the one that went first is forgotten.

Half of all that are known at most, so that wherever names come and go there is room for newcomers.
"""


HINTS_MAX = 128
"""Hints of one member that are remembered; a datagram holds fewer."""


class Age(IntEnum):
    """A rumour's (incarnation, refutation) against what is held."""

    OLDER = -1
    SAME = 0
    NEWER = 1


_ALIVE, _SUSPECT, _DEAD, _LEFT = MemberState

OVERRIDES: dict[tuple[MemberState, MemberState], Age] = {
    (_ALIVE, _ALIVE): Age.NEWER,
    (_ALIVE, _SUSPECT): Age.NEWER,
    (_ALIVE, _DEAD): Age.NEWER,  # SWIM: never
    (_ALIVE, _LEFT): Age.NEWER,
    (_SUSPECT, _ALIVE): Age.SAME,
    (_SUSPECT, _SUSPECT): Age.NEWER,
    (_SUSPECT, _DEAD): Age.NEWER,  # SWIM: never
    (_SUSPECT, _LEFT): Age.NEWER,
    (_DEAD, _ALIVE): Age.SAME,  # SWIM: at any age
    (_DEAD, _SUSPECT): Age.SAME,  # SWIM: at any age
    (_DEAD, _DEAD): Age.NEWER,
    (_DEAD, _LEFT): Age.NEWER,
    (_LEFT, _ALIVE): Age.SAME,
    (_LEFT, _SUSPECT): Age.SAME,
    (_LEFT, _DEAD): Age.SAME,
    (_LEFT, _LEFT): Age.NEWER,
}
"""How new a rumour must be at least: (state that it says, state that is held) to age."""


@dataclass(frozen=True, slots=True)
class Member:
    """What is believed of one daemon."""

    peer: Peer
    endpoint: Endpoint
    state: MemberState
    refutation: int
    """As in `Rumour`."""
    since: float
    """When its life or state last changed here, in seconds on the monotonic clock."""
    witnessed: bool = True
    """Whether this daemon has seen the name there: that a member is gone is told only by those who have."""

    @property
    def present(self) -> bool:
        """Whether it is worth talking to: alive, or only suspected."""
        return self.state <= MemberState.SUSPECT

    def rumour(self) -> Rumour:
        """The belief, to be told to others."""
        return Rumour(self.peer, self.endpoint, self.state, self.refutation)


@dataclass(frozen=True, slots=True)
class Change:
    """A rumour that was believed."""

    before: Member | None
    """None: the name was not known."""
    after: Member


def supersedes(rumour: Rumour, held: Rumour | Member) -> bool:
    """Whether the first of two rumours about one name is to be believed instead of the second."""
    mine = (held.peer.incarnation, held.refutation)
    theirs = (rumour.peer.incarnation, rumour.refutation)
    if theirs == mine and rumour.state is held.state:  # first, as most of what is told has been told before
        return rumour.endpoint > held.endpoint
    age = Age((theirs > mine) - (theirs < mine))
    if rumour.peer.incarnation != held.peer.incarnation:
        return age is Age.NEWER
    return age >= OVERRIDES[rumour.state, held.state]


class Members:
    """
    The table of members; of each name one life, and of that the last word.

    Facts here are hints: whom to ask, whom to route to.  Who owns an address never depends on them.
    """

    def __init__(self, me: Peer, endpoint: Endpoint, now: float) -> None:
        self._me = Member(me, endpoint, MemberState.ALIVE, 0, now)
        self._others: dict[str, Member] = {}
        self._hints: dict[str, tuple[FreeHint, ...]] = {}
        self._present: list[Member] = []
        """Those of the others that are alive or suspect, kept sorted by name."""
        self._gone: OrderedDict[str, None] = OrderedDict()
        """The names of the rest, those that went first first."""
        self._left: dict[str, Peer] = {}
        """Of each name the last life that has left, which may have a successor since."""

    @property
    def me(self) -> Member:
        """This daemon itself: alive, or left."""
        return self._me

    def get(self, name: str) -> Member | None:
        """The latest known life of that name, this daemon's own too; None if the name is not known."""
        return self._me if name == self._me.peer.name else self._others.get(name)

    def state_of(self, peer: Peer) -> MemberState | None:
        """
        The state of one life; None if it is not known.

        Who has a successor has left, if it was the last of its name that did, and else is dead.
        """
        member = self.get(peer.name)
        if member is None or member.peer.incarnation < peer.incarnation:
            return None
        if member.peer == peer:
            return member.state
        return MemberState.LEFT if self._left.get(peer.name) == peer else MemberState.DEAD

    def alive(self) -> tuple[Member, ...]:
        """The others that are alive or suspect, sorted by name."""
        return tuple(self._present)

    @property
    def alive_count(self) -> int:
        """How many there are in `alive`, at no cost."""
        return len(self._present)

    def some(self, rng: Random, count: int) -> list[Member]:
        """Random ones of `alive`, so many or all there are, at a cost that goes by the count."""
        return rng.sample(self._present, min(count, len(self._present)))

    def dead(self) -> list[str]:
        """The names of dead members, those that died first first."""
        return [name for name in self._gone if self._others[name].state is MemberState.DEAD]

    @property
    def gone_count(self) -> int:
        """How many are remembered that died or left, at no cost."""
        return len(self._gone)

    def all(self) -> tuple[Member, ...]:
        """The others in any state, sorted by name."""
        return tuple(self._others[name] for name in sorted(self._others))

    def names(self) -> list[str]:
        """Of the others that have not left, sorted."""
        return [one.peer.name for one in self.all() if one.state is not MemberState.LEFT]

    def endpoints(self) -> frozenset[Endpoint]:
        """Where the others listen, in any state."""
        return frozenset(member.endpoint for member in self._others.values())

    @property
    def known_count(self) -> int:
        """How many others are known, whatever their states."""
        return len(self._others)

    def rumours(self) -> tuple[Rumour, ...]:
        """Everything that is believed and may be told, of this daemon too; sorted by name."""
        told = [self._me, *(member for member in self._others.values() if member.witnessed)]
        return tuple(member.rumour() for member in sorted(told, key=lambda member: member.peer))

    def hints_of(self, peer: Peer) -> tuple[FreeHint, ...]:
        """What that life last said it could give away; empty if it has said nothing."""
        member = self._others.get(peer.name)
        return self._hints.get(peer.name, ()) if member is not None and member.peer == peer else ()

    def note_hints(self, peer: Peer, hints: tuple[FreeHint, ...]) -> None:
        """Remember what a known life says that it could give away."""
        member = self._others.get(peer.name)
        if member is not None and member.peer == peer:
            self._hints[peer.name] = hints[:HINTS_MAX]

    def hear(self, rumour: Rumour, now: float) -> Change | None:
        """
        Believe a rumour if it supersedes what is held; None if it does not.

        A rumour about this daemon that is not so raises its refutation above the rumour's, and the change is
        what is to be told against it.  Rumours about another life of this name change nothing.

        Invariant: whatever the order of the same rumours, the table is the same, but for `since` and the own
            refutation.
        """
        if rumour.refutation > REFUTATIONS_MAX:
            return None
        if rumour.peer.name == self._me.peer.name:
            return self._hear_of_me(rumour)
        if rumour.state is MemberState.LEFT:
            self._left[rumour.peer.name] = max(rumour.peer, self._left.get(rumour.peer.name, rumour.peer))
        before = self._others.get(rumour.peer.name)
        if before is not None and not supersedes(rumour, before):
            return None
        same = before is not None and (before.peer, before.state) == (rumour.peer, rumour.state)
        since = before.since if before is not None and same else now
        witnessed = rumour.state <= MemberState.SUSPECT or (before is not None and before.witnessed)
        after = Member(rumour.peer, rumour.endpoint, rumour.state, rumour.refutation, since, witnessed)
        if before is not None and before.peer != after.peer:
            self._hints.pop(rumour.peer.name, None)
        self._others[rumour.peer.name] = after
        at = bisect_left(self._present, after.peer.name, key=lambda one: one.peer.name)
        stop = at + (before is not None and before.present)
        self._present[at:stop] = [after] if after.present else []
        if after.present or not same:
            self._gone.pop(after.peer.name, None)
        if not after.present:
            self._gone.setdefault(after.peer.name)
        return Change(before, after)

    def forget(self, before: float) -> list[str]:
        """Drop those that were gone by that time, and the first of too many; their names."""
        names = []
        while self._gone:
            name = next(iter(self._gone))
            if self._others[name].since > before and len(self._gone) <= GONE_MAX:
                break
            del self._gone[name], self._others[name]
            self._hints.pop(name, None)
            self._left.pop(name, None)
            names.append(name)
        return names

    def leave(self, now: float) -> None:
        """Say of this daemon that it has left, whatever others may say from now on."""
        self._me = replace(self._me, state=MemberState.LEFT, since=now)

    def _hear_of_me(self, rumour: Rumour) -> Change | None:
        """Contradict, unless the rumour is of another life, outdated, or true."""
        before = self._me
        if rumour.peer != before.peer or not supersedes(rumour, before):
            return None
        true = (rumour.state, rumour.endpoint) == (before.state, before.endpoint)
        refutation = rumour.refutation if true else rumour.refutation + 1
        self._me = replace(before, refutation=refutation)
        return Change(before, self._me)
