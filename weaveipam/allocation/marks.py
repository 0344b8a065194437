"""
Marks: how others know that a daemon's disk went back in time.

What a daemon states of ownership comes back to it by gossip, and so shows what its disk has lost.  What it
gave to its clients nobody else hears of.  So a life counts how often it has given something since it counted
last, at most once in `mark_s`; writes each count to stable storage; and then has `WITNESSES` members remember
it, which repeat it to each other process of that life.  One that is told a higher mark than its disk holds
must not go on: addresses that are free by its disk may be in use.

What follows from that:

- No false alarm: a mark is on stable storage before it is told, whatever the durability of the leases.
- A disk that is older than the last mark that any witness holds is found out as soon as one of these answers,
  which a daemon waits for before it serves (see `known`).
- What was given in the last `mark_s` before the daemon ended, or was told to nobody, is not found out; nor is
  anything while no witness can be reached, and the daemon serves alone: only when it meets one.

Witnesses are chosen by rendezvous hashing (Thaler and Ravishankar, 1998): those members whose names weigh
most together with the daemon's own.  So a process that knows nothing of the one before asks the same, and a
member that comes or goes changes one of them at most.

Does not know clients or rings, nor what becomes of a daemon that went back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from hashlib import blake2b
from heapq import nlargest

from ring.ring import Peer
from weaveipam.allocation.donors import Neighbour, Neighbours
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import End, Header, Mark, Marked, Step, Tell
from weaveipam.protocol.records import Noted, RecordKey

WITNESSES = 3
"""Members that remember a daemon's mark: two of them may be lost at once."""
NOTED_MAX = 20_000
"""Daemons whose marks are remembered, one life of each; as many as acquaintances."""
REPEAT_S = 5.0
"""Seconds between two tries to tell a witness that does not answer."""
LOOK_S = 10.0
"""Seconds between two looks whether the witnesses are still the same, while nothing is given."""


class Marks:
    """One daemon's mark, and those of others that it is a witness of."""

    def __init__(self, me: Peer, settings: AllocationSettings, neighbours: Neighbours) -> None:
        self._me = me
        self._settings = settings
        self._neighbours = neighbours
        self._mark = 0
        self._base: int | None = None
        """The mark that this process began with; None: so did the life, and nobody can know more of it."""
        self._noted: dict[str, Noted] = {}
        self._knows: dict[Peer, int] = {}
        """The mark that witnesses have said they remember, to this process."""
        self._answered: set[str] = set()
        """Names of members that have answered this process, in whatever life: they know no more than it."""
        self._due_at = math.inf
        """When there is something to note."""
        self._tell_at = math.inf
        """When to see whether all witnesses know; not in `wake_at`, as no daemon sleeps for long."""

    @property
    def mark(self) -> int:
        """On stable storage, or about to be."""
        return self._mark

    def restore(self, records: Iterable[Noted], now: float) -> None:
        """Take over what the disk remembers; it says of this life only what this life wrote."""
        self._noted = {one.peer.name: one for one in records}
        mine = self._noted.pop(self._me.name, None)
        self._mark = self._base = mine.mark if mine is not None and mine.peer == self._me else 0
        self._tell_at = now + REPEAT_S

    def of_this_life(self) -> tuple[RecordKey, ...]:
        """The record that means nothing to another life."""
        return (Noted(self._me, 0).record_key,) if self._mark else ()

    # As one that is witnessed

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `wake` has something to do."""
        return self._due_at

    def gave(self, now: float) -> None:
        """Something is given to a client."""
        self._due_at = min(self._due_at, now + self._settings.mark_s)

    def wake(self, now: float) -> list[Step]:
        """Raise the mark if something was given since, and tell the witnesses that do not know it."""
        steps: list[Step] = []
        if self._due_at <= now:
            self._due_at = math.inf
            self._mark += 1
            steps.append(Persist((Noted(self._me, self._mark),), (), Durability.HOST))
            self._tell_at = now
        if self._tell_at <= now:
            told = self.ask()
            self._tell_at = now + (REPEAT_S if told else LOOK_S)
            steps += told
        return steps

    def ask(self) -> list[Tell]:
        """
        Tell the mark to those witnesses that have not said that they remember it.

        Who has not answered this process is told the one that it began with: had it raised its mark since,
        alone, that of the process before would not be missed.
        """
        unaware = (one for one in self._witnesses() if self._knows.get(one.peer) != self._mark)
        return [Tell(one.endpoint, Mark(self._mark_for(one.peer))) for one in unaware]

    def _mark_for(self, member: Peer) -> int:
        return self._mark if self._base is None or member.name in self._answered else self._base

    @property
    def known(self) -> bool:
        """Whether every witness has answered: none of them remembers more than this life's disk does."""
        return all(self._knows.get(one.peer) == self._mark for one in self._witnesses())

    @property
    def partly_known(self) -> bool:
        """Whether any member has answered, a witness or not."""
        return bool(self._knows)

    def marked(self, header: Header, told: Marked, *, serving: bool) -> list[End | Tell]:
        """
        A member says what it remembers of a life.

        That there was a later one concerns only who does not serve yet: else two daemons that were given one
        name would outdo each other.
        """
        if told.life.name == self._me.name and told.life > self._me and not serving:
            return [End(f"members remember a later life of this daemon, {told.life}", told.life)]
        if told.life != self._me:
            return []
        if told.mark > self._mark_for(header.sender):
            why = "members remember that it gave something to clients since; its own store does not"
            return [End(why)]
        first = header.sender.name not in self._answered
        self._answered.add(header.sender.name)
        self._knows[header.sender] = told.mark
        return [Tell(header.endpoint, Mark(self._mark))] if first and told.mark < self._mark else []

    def _witnesses(self) -> list[Neighbour]:
        return nlargest(WITNESSES, self._neighbours.alive(), key=lambda one: self._weight(one.peer.name))

    def _weight(self, name: str) -> bytes:
        # Names hold no zero bytes, and if they did, any order will do.
        return blake2b(f"{self._me.name}\0{name}".encode(), digest_size=8).digest()

    # As a witness

    def note(self, header: Header, told: Mark) -> list[Persist | Tell]:
        """Remember a member's mark, if it is news, and say what is remembered."""
        peer = header.sender
        held = self._noted.get(peer.name)
        if held is not None and held.peer > peer:
            return []  # that life is over
        if held is None and len(self._noted) >= NOTED_MAX:
            return []
        known = held.mark if held is not None and held.peer == peer else -1
        if told.mark <= known:
            return [Tell(header.endpoint, Marked(peer, known))]
        noted = self._noted[peer.name] = Noted(peer, told.mark)
        # With the host its memory of this may go as well: two others have it.
        return [Persist((noted,), (), Durability.PROCESS), Tell(header.endpoint, Marked(peer, told.mark))]
