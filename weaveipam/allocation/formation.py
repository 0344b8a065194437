"""
Forming a cluster, or finding the one there is.

A daemon in no cluster asks every endpoint it was told of, and any formed answer means join.  A birth is
decided by the first of the daemons that were named (`seeds`), or by as many as were expected (`consensus`).
Both rest on a memory of other daemons' lives: who lost its disk has forgotten what it decided or promised,
and others know.  For that memory a life is written to disk before it is answered.

Does not know rings; what a birth means for them is the allocator's business.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from ring.ring import Peer
from weaveipam.allocation.consensus import Consensus, Electorate
from weaveipam.allocation.heard import NOT_TO_FORM, Heard, Init
from weaveipam.allocation.poolchange import clashes
from weaveipam.allocation.seeds import Seeds
from weaveipam.allocation.strangers import Strangers
from weaveipam.protocol.effects import Durability, Level, Persist, Report
from weaveipam.protocol.messages import (
    BirthAccept,
    BirthPaxos,
    BirthPrepare,
    Header,
    Inquiry,
    Standing,
    Tell,
)
from weaveipam.protocol.records import Acquaintance, BirthVote, Record
from weaveipam.protocol.values import Birth, Endpoint, Pool

ACQUAINTANCES_MAX = 20_000
"""Lives that are remembered; the next one is not.  Several times the daemons of the largest cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How this daemon was told to begin."""

    endpoint: Endpoint
    join: tuple[Endpoint, ...]
    """Whom to ask for a cluster."""
    init: Init
    """How to form one; with the own name as the only seed at once."""
    pools: tuple[Pool, ...]
    """The pools of a cluster that is born here."""


class Formation:
    """The life of a daemon before it belongs to a cluster, and its memory of other daemons' lives."""

    def __init__(self, me: Peer, wish: Wish, inquiry_s: float, rng: Random, now: float) -> None:
        self.strangers = Strangers()
        self._me = me
        self._wish = wish
        self._inquiry_s = inquiry_s
        self._rng = rng
        self._heard = Heard()
        self._seeds = Seeds(me, wish.init, wish.pools, self._heard, rng)
        self._consensus: Consensus | None = None
        if wish.init.consensus:
            self._consensus = Consensus(me, wish.init.consensus, wish.pools, inquiry_s, rng)
        self._known: dict[Peer, Endpoint] = {}
        self._names: set[str] = set()
        """Of all that are known, so that a new name costs no search for earlier lives."""
        self._differed = False
        """Whether it was reported that another daemon was told to begin in another way."""
        self._inquire_at = now

    def restore(self, records: Iterable[Record]) -> None:
        """Take over what the disk remembers of other daemons, and of votes if they may still count."""
        for one in records:
            match one:
                case Acquaintance():
                    self._known[one.peer] = one.endpoint
                    self._names.add(one.peer.name)
                case BirthVote() if self._consensus is not None:
                    self._consensus.restore(one)

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when to call `wake`; infinity once a cluster is found."""
        if self._consensus is None or self._inquire_at == math.inf:
            return self._inquire_at
        return min(self._inquire_at, self._consensus.wake_at)

    def join(self, endpoints: tuple[Endpoint, ...]) -> None:
        """Ask these from now on, instead of those that this daemon was told of before."""
        self._wish = replace(self._wish, join=endpoints)

    def settle(self) -> None:
        """The daemon belongs to a cluster: nothing is asked any more."""
        self._inquire_at = math.inf

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
        return self._consensus is not None or self._me.name in self._wish.init.seeds

    def wake(self, now: float) -> list[Persist | Tell]:
        """Ask everybody where they stand, and go on with agreeing on a birth."""
        steps: list[Persist | Tell] = []
        if self._inquire_at <= now:
            self._inquire_at = now + self._inquiry_s * self._rng.uniform(0.9, 1.1)
            for one in self.endpoints():
                self._heard.ask(one)
                steps.append(Tell(one, Inquiry(*self._wish.init)))
        if self._consensus is not None:
            steps += self._consensus.wake(now, self._electorate(self._consensus))
        return steps

    def answer(
        self, asker: Header, inquiry: Inquiry, birth: Birth | None, *, in_use: bool
    ) -> list[Persist | Report | Tell]:
        """Tell a daemon in no cluster where this one stands."""
        met = self.meet(asker.sender, asker.endpoint)
        if birth is None and asker.sender not in self._known:
            return []  # an answer that would be forgotten could let a second cluster form
        noted = [] if birth is not None else self._note(asker, Init(inquiry.seeds, inquiry.consensus))
        return [*met, *noted, *self.compare(asker, inquiry), self.stand(asker, birth, in_use=in_use)]

    def hear_stranger(
        self, header: Header, source: Endpoint, ours: bytes, birth: Birth | None, now: float
    ) -> list[Report | Tell]:
        """
        What to say of a packet of no member, if it is one of another cluster; mostly nothing.

        Now and then it is reported here, and its sender is answered, which may hear of this cluster in no
        other way.  Arguments are as for `Strangers.heard`, and this cluster's birth.
        """
        reports = self.strangers.heard(header, source, ours, now)
        return [*reports, self.stand(header, birth, in_use=False)] if reports else []

    def stand(self, asker: Header, birth: Birth | None, *, in_use: bool) -> Tell:
        """Where this daemon stands, for another one."""
        seeds, consensus = self._wish.init
        earlier = self.earlier(asker.sender)
        return Tell(asker.endpoint, Standing(asker.sender, birth, seeds, earlier, consensus, in_use))

    def hear(self, header: Header, standing: Standing) -> list[Persist | Report]:
        """Note where another unformed daemon stands."""
        met = self.meet(header.sender, header.endpoint)
        if self._consensus is not None and standing.earlier is not None:
            met += self.meet(standing.earlier, self._wish.endpoint)  # whoever remembers may be gone next time
        noted = self._note(header, Init(standing.seeds, standing.consensus))
        other = self._heard.others.get(header.sender.name)
        if other is not None:
            other.answered, other.earlier = True, standing.earlier
        return [*met, *noted, *self.compare(header, standing)]

    def vote(self, header: Header, message: BirthPaxos, now: float) -> list[Persist | Report | Tell]:
        """What to do when others agree on a birth; `decide` then says whether they have."""
        if self._consensus is None:
            return []
        steps: list[Persist | Report | Tell] = [*self.meet(header.sender, header.endpoint)]
        if isinstance(message, BirthPrepare | BirthAccept):
            steps += self._note(header, Init(consensus=message.consensus))
        if isinstance(message, BirthAccept) and not is_sound(message.birth):
            return steps
        return [*steps, *self._consensus.hear(header, message, now, self._electorate(self._consensus))]

    def compare(self, header: Header, told: Inquiry | Standing) -> list[Report]:
        """A report, once, if this daemon and another one were told to form a cluster in different ways."""
        theirs, ours = Init(told.seeds, told.consensus), self._wish.init
        if self._differed or theirs == ours or NOT_TO_FORM in {theirs, ours}:
            return []
        self._differed = True
        fields = (("peer", str(header.sender)), ("theirs", str(theirs)), ("ours", str(ours)))
        return [Report(Level.WARNING, "seeds-differ", fields)]

    def _note(self, header: Header, init: Init) -> list[Report]:
        needed = header.sender.name in self._wish.init.seeds
        if self._heard.note(header, init, needed=needed):
            return []
        return [Report(Level.WARNING, "answers-full", (("peer", str(header.sender)),))]

    def _electorate(self, consensus: Consensus) -> Electorate:
        """Who agrees on a birth: those of whom no other life is known, so that none has two votes."""
        others = sorted(self._heard.others.items())
        alike = [one.header for _, one in others if one.init == self._wish.init]
        counted = tuple(
            one for one in alike if one.sender in self._known and self.earlier(one.sender) is None
        )
        return Electorate(counted, self._hindrance(alike, consensus))

    def _hindrance(self, alike: list[Header], consensus: Consensus) -> str:
        """Why this daemon must not vote, in one sentence; empty if it may."""
        if len(alike) + 1 > consensus.expected:
            names = ",".join((self._me.name, *(one.sender.name for one in alike)))
            return (
                f"more daemons than expected were started with --init {self._wish.init} ({names}): start "
                "the surplus with --init observe; if one of them is gone for good, start the others again"
            )
        remembered = self._heard.remembered()
        lives = self._other_lives(self._me)
        if lives and not remembered:
            remembered = f"somebody remembered an earlier life of this one ({lives[-1]})"
        if remembered:
            return f"{remembered}: it does not vote, and joins what the others form; or start all afresh"
        return "" if consensus.has_voted else self._heard.still_asking(self.endpoints())

    def decide(self) -> Birth | None:
        """The birth, if this daemon decides it, or knows that it is decided."""
        return self._seeds.decide(self._told_of) if self._consensus is None else self._consensus.decided

    @property
    def _told_of(self) -> list[Endpoint]:
        return [one for one in self._wish.join if one != self._wish.endpoint]

    def why(self) -> str:
        """What this daemon waits for, in one sentence."""
        init = self._wish.init
        if self._consensus is not None:
            return self._consensus.why(self._electorate(self._consensus)) + self._heard.unlike(init)
        if not init.seeds:
            asked = ", ".join(str(one) for one in self.endpoints()) or "nobody: give --join"
            return f"waiting for a member of a cluster to answer; asking {asked}"
        if self._me.name not in init.seeds:
            return f"waiting for the seeds {','.join(init.seeds)} to form a cluster"
        return self._seeds.why(self._told_of)

    def announce(self, birth: Birth) -> list[Tell]:
        """Bring a new birth to everybody who waits for it; who misses it asks again."""
        return [self.stand(one.header, birth, in_use=False) for one in self._heard.others.values()]

    def companions(self, birth: Birth) -> list[Header]:
        """The seeds of a birth that have said where they stand, and so where they listen."""
        return [one.header for one in self._heard.others.values() if one.header.sender in birth.seeds]


def is_sound(birth: Birth) -> bool:
    """Whether a cluster can come of a birth that somebody told of: it has seeds, and disjoint pools."""
    return bool(birth.seeds) and not clashes(birth.pools)
