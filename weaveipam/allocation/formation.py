"""
Forming a cluster, or finding the one there is.

A daemon in no cluster asks every endpoint it was told of, and any formed answer means join.  Only the first
of the seeds (by name) ever decides a birth, and only after every other seed has answered that it is unformed,
was started with the same list, and remembers no earlier life of the decider.  That is why two births cannot
come from one list: the first seed makes its birth durable before anybody hears of it, and if it loses its
disk afterwards, the others' memory of its earlier life keeps the next life from deciding again.  For that
memory a life is written to disk before it is answered.

Does not know rings; what a birth means for them is the allocator's business.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from ring.ring import Peer
from weaveipam.allocation.poolchange import clashes
from weaveipam.protocol.effects import Durability, Level, Persist, Report
from weaveipam.protocol.messages import Header, Inquiry, Standing, Tell
from weaveipam.protocol.records import Acquaintance
from weaveipam.protocol.values import Birth, Endpoint, Pool

BIRTH_NONCE_BYTES = 16
ACQUAINTANCES_MAX = 20_000
"""Lives that are remembered; the next one is not.  Several times the daemons of the largest cluster."""
ANSWERS_MAX = 20_000
"""Daemons whose answers are remembered while none has told of a cluster; of those that are no seeds."""
INQUIRIES_BEFORE_ALONE = 3
"""How often each endpoint outside the seed list is asked before its silence no longer delays a birth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How this daemon was told to begin."""

    endpoint: Endpoint
    join: tuple[Endpoint, ...]
    """Whom to ask for a cluster."""
    seeds: tuple[str, ...]
    """The names that form one together, sorted; the own one alone forms at once; empty only joins."""
    pools: tuple[Pool, ...]
    """The pools of a cluster that is born here."""


class Formation:
    """The life of a daemon before it belongs to a cluster, and its memory of other daemons' lives."""

    def __init__(self, me: Peer, wish: Wish, inquiry_s: float, rng: Random, now: float) -> None:
        self._me = me
        self._wish = wish
        self._inquiry_s = inquiry_s
        self._rng = rng
        self._answers: dict[str, tuple[Header, Standing]] = {}
        self._asked: dict[Endpoint, int] = {}
        self._known: dict[Peer, Endpoint] = {}
        self._names: set[str] = set()
        """Of all that are known, so that a new name costs no search for earlier lives."""
        self._reported: set[str] = set()
        self.wake_at = now
        """Seconds on the monotonic clock: when to ask again."""

    def restore(self, known: Iterable[Acquaintance]) -> None:
        """Take over what the disk remembers of other daemons."""
        self._known = {one.peer: one.endpoint for one in known}
        self._names = {one.name for one in self._known}

    def settle(self) -> None:
        """The daemon belongs to a cluster: nothing is asked any more."""
        self.wake_at = math.inf

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Everybody worth asking: those this daemon was told of, and those it has met; no duplicates."""
        met = (self._known[peer] for peer in sorted(self._known))
        told = dict.fromkeys((*self._wish.join, *met))
        return tuple(one for one in told if one != self._wish.endpoint)

    def missing_from(self, listening: frozenset[Endpoint]) -> list[Endpoint]:
        """Which of `endpoints` are not among these, sorted; mostly none, and then it sorts nothing."""
        return sorted({*self._wish.join, *self._known.values()} - listening - {self._wish.endpoint})

    def meet(self, peer: Peer, endpoint: Endpoint) -> list[Persist]:
        """Remember a life, durably, before it is answered; nothing to do when it is known there already."""
        if peer == self._me or self._known.get(peer) == endpoint:
            return []
        lives = self._other_lives(peer)
        outdated = [one for one in lives[:-1] if one < peer]  # the latest but one is enough to say `earlier`
        if peer not in self._known and len(self._known) - len(outdated) >= ACQUAINTANCES_MAX:
            return []
        for one in outdated:
            del self._known[one]
        self._known[peer] = endpoint
        self._names.add(peer.name)
        forgotten = tuple(Acquaintance(one, endpoint).record_key for one in outdated)
        return [Persist((Acquaintance(peer, endpoint),), forgotten, Durability.HOST)]

    def earlier(self, peer: Peer) -> Peer | None:
        """The latest other life with that name that this daemon has known, or is."""
        others = self._other_lives(peer)
        if self._me.name == peer.name and self._me != peer:
            others.append(self._me)
        return max(others, default=None)

    def _other_lives(self, peer: Peer) -> list[Peer]:
        """All others that are known with that name, sorted."""
        if peer.name not in self._names:
            return []
        return sorted(one for one in self._known if one.name == peer.name and one != peer)

    @property
    def forming(self) -> bool:
        """Whether this daemon may found a cluster, where others only join."""
        return self._me.name in self._wish.seeds

    def wake(self, now: float) -> list[Tell]:
        """Ask everybody where they stand."""
        if now < self.wake_at:
            return []
        self.wake_at = now + self._inquiry_s * self._rng.uniform(0.9, 1.1)
        asked = self.endpoints()
        for one in asked:
            self._asked[one] = self._asked.get(one, 0) + 1
        return [Tell(one, Inquiry(self._wish.seeds)) for one in asked]

    def answer(self, asker: Header, birth: Birth | None, *, in_use: bool) -> list[Persist | Tell]:
        """Tell a daemon in no cluster where this one stands."""
        met = self.meet(asker.sender, asker.endpoint)
        if birth is None and asker.sender not in self._known:
            return []  # an answer that would be forgotten could let a second cluster form
        standing = Standing(asker.sender, birth, self._wish.seeds, self.earlier(asker.sender), in_use)
        return [*met, Tell(asker.endpoint, standing)]

    def hear(self, header: Header, standing: Standing) -> list[Persist | Report]:
        """Note where another unformed daemon stands."""
        name = header.sender.name
        if len(self._answers) >= ANSWERS_MAX and name not in self._answers and name not in self._wish.seeds:
            return [Report(Level.WARNING, "answers-full", (("peer", str(header.sender)),))]
        self._answers[name] = (header, standing)
        effects: list[Persist | Report] = [*self.meet(header.sender, header.endpoint)]
        if standing.seeds != self._wish.seeds and self._wish.seeds and standing.seeds:
            effects += self._once(
                "seeds-differ",
                ("peer", str(header.sender)),
                ("theirs", ",".join(standing.seeds)),
                ("ours", ",".join(self._wish.seeds)),
            )
        return effects

    def decide(self) -> Birth | None:
        """The birth, if it is this daemon's to decide and everybody needed has agreed to it."""
        seeds = self._wish.seeds
        if not seeds or self._me.name != seeds[0] or self.missing():
            return None
        lives = [self._me, *(self._answers[name][0].sender for name in seeds[1:])]
        return Birth(self._rng.randbytes(BIRTH_NONCE_BYTES), tuple(lives), self._wish.pools)

    def missing(self) -> str:
        """What keeps a birth from being decided, in one sentence; empty when nothing does."""
        for name in self._wish.seeds:
            if name == self._me.name:
                continue
            if name not in self._answers:
                return f"seed {name} has not answered; is it running, and does --join reach it?"
            _, standing = self._answers[name]
            if standing.seeds != self._wish.seeds:
                return f"seed {name} was started with other seeds ({','.join(standing.seeds) or 'none'})"
        for header, standing in self._answers.values():
            if standing.earlier is not None:
                return (
                    f"{header.sender.name} remembers an earlier life of this one ({standing.earlier}), "
                    "which may have formed a cluster: start it with --init observe, or all seeds afresh"
                )
        answered = {header.endpoint for header, _ in self._answers.values()}
        for one in self._wish.join:
            silent = one not in answered and one != self._wish.endpoint
            if silent and self._asked.get(one, 0) < INQUIRIES_BEFORE_ALONE and len(self._wish.seeds) == 1:
                return f"{one} is still being asked for a cluster"
        return ""

    def why(self) -> str:
        """What this daemon waits for, in one sentence."""
        if not self._wish.seeds:
            asked = ", ".join(str(one) for one in self.endpoints()) or "nobody: give --join"
            return f"waiting for a member of a cluster to answer; asking {asked}"
        if self._me.name not in self._wish.seeds:
            return f"waiting for the seeds {','.join(self._wish.seeds)} to form a cluster"
        return self.missing() or f"waiting for seed {self._wish.seeds[0]} to form the cluster"

    def announce(self, birth: Birth) -> list[Tell]:
        """Bring a new birth to everybody who waits for it; who misses it asks again."""
        return [
            Tell(header.endpoint, Standing(header.sender, birth, self._wish.seeds, None))
            for header, _ in self._answers.values()
        ]

    def companions(self, birth: Birth) -> list[Header]:
        """The seeds of a birth that have said where they stand, and so where they listen."""
        return [header for header, _ in self._answers.values() if header.sender in birth.seeds]

    def _once(self, event: str, *fields: tuple[str, str]) -> list[Report]:
        if event in self._reported:
            return []
        self._reported.add(event)
        return [Report(Level.WARNING, event, fields)]


def is_sound(birth: Birth) -> bool:
    """Whether a cluster can come of a birth that somebody told of: it has seeds, and disjoint pools."""
    return bool(birth.seeds) and not clashes(birth.pools)
