"""
What a node answers to those who only ask.

Reads the machines that the node is made of, and changes nothing.
Does not know why anybody asks.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ring.ring import Peer
from weaveipam import __version__
from weaveipam.allocation import views
from weaveipam.allocation.allocator import Allocator
from weaveipam.allocation.audit import audit
from weaveipam.allocation.conflicts import all_conflicts, conflict_problems
from weaveipam.allocation.formation import Formation
from weaveipam.allocation.rollcall import RollCall
from weaveipam.gossip.gossip import Gossip
from weaveipam.gossip.guard import Guard
from weaveipam.protocol.decisions import REMOVED_MAX
from weaveipam.protocol.findings import Check, Conflicts, Problem
from weaveipam.protocol.progress import RollCallView
from weaveipam.protocol.requests import (
    Answer,
    GetAllocations,
    GetCheck,
    GetConflicts,
    GetDeparture,
    GetKeyring,
    GetMembers,
    GetNetworks,
    GetPools,
    GetRing,
    GetRollCall,
    GetStatus,
    Lookup,
    Members,
    MemberView,
    Networks,
    Pools,
    Question,
    Reason,
    Refusal,
    RemovePeers,
    Status,
)
from weaveipam.serving import Serving

SENTENCES_MAX = 100
"""About conflicts in a status; `GetConflicts` answers with all of them."""


class Questions:
    """One node, as those see it who ask."""

    def __init__(
        self,
        me: Peer,
        gossip: Gossip,
        allocator: Allocator,
        rollcall: RollCall,
        formation: Formation,
        guard: Guard,
        serving: Serving,
    ) -> None:
        self._me = me
        self._gossip = gossip
        self._allocator = allocator
        self._holdings = allocator.holdings
        self._rollcall = rollcall
        self._formation = formation
        self._guard = guard
        self._serving = serving
        self.cluster_id = b""
        """Of the cluster that the node belongs to; empty while it belongs to none."""
        self.name_taken = ""
        """Why no cluster lets this node in, in one sentence; empty if it is not so."""

    def answer(self, asked: Question, now: float) -> Answer:  # noqa: C901, PLR0912 - a case for each question
        """What is so now."""
        match asked:
            case GetKeyring():
                return self._guard.show(self._gossip.members.names())
            case GetStatus():
                return self._status(now)
            case GetMembers():
                return self._members(now)
            case GetAllocations():
                return views.allocations(self._holdings, asked, now)
            case GetDeparture():
                return self._allocator.leaver.departure()
            case GetPools():
                return Pools(views.pool_uses(self._holdings, self._reachable()))
            case GetNetworks():
                charter = self._rollcall.seat.ledger.charter
                return Networks(
                    views.networks(charter.all_networks, views.pool_uses(self._holdings, self._reachable()))
                )
            case GetConflicts():
                return self._conflicts()
            case GetCheck():
                return self._check(now)
            case _ if not self.cluster_id:
                return Refusal(Reason.NOT_READY, self._formation.why())
            case GetRollCall():
                return self._decisions(asked)
            case GetRing():
                return views.ring_view(self._holdings, asked)
            case Lookup():
                return views.lookup(self._holdings, self._me, asked, now)

    def lives_to_remove(self, asked: RemovePeers) -> tuple[Peer, ...] | Refusal:
        """
        The lives that are meant by some names, but for those that were removed already.

        One particular life is meant by `name#incarnation`, as `awaited` has it.
        Of a daemon that is there in a later life the earlier ones are meant, also when all of those are
        removed already: it may have come back after the same removal was asked for a moment ago.
        """
        if not self.cluster_id:
            return Refusal(Reason.NOT_READY, self._formation.why())
        if len(asked.names) > REMOVED_MAX // 2:  # each may have had an earlier life
            detail = f"name at most {REMOVED_MAX // 2} daemons at once; remove the others afterwards"
            return Refusal(Reason.INVALID, detail)
        lives = self._lives()
        removed = set(self._removed(asked.names))
        found: set[Peer] = set()
        for name in asked.names:
            if name in {self._me.name, str(self._me)}:
                return Refusal(
                    Reason.INVALID, f"{name} is this daemon; let it leave, or ask another one to remove it"
                )
            its = sorted(one for one in lives.union(removed) if name in (one.name, str(one)))
            if not its:
                known = ", ".join(sorted({one.name for one in lives} - {self._me.name})) or "none"
                return Refusal(Reason.NOT_FOUND, f"there is no member {name}; there are: {known}")
            member = self._gossip.members.get(name)  # None of a particular life
            there = member is not None and member.present and len(its) > 1
            found.update(its[:-1] if there else its)
        return tuple(sorted(found - removed))

    def _lives(self) -> set[Peer]:
        """All that are known to have been members, and may own something."""
        campaign = self._rollcall.proposer.campaign
        lives = {one.peer for one in self._gossip.members.all()}
        ledger = self._rollcall.seat.ledger
        lives.update(ledger.roster, ledger.electors, () if campaign is None else campaign.needed)
        lives.update(self._holdings.rings.sizes())
        return lives

    def _removed(self, names: Collection[str]) -> list[Peer]:
        removed = self._rollcall.seat.ledger.charter.removed
        return sorted(one.peer for one in removed if not {one.peer.name, str(one.peer)}.isdisjoint(names))

    def _decisions(self, asked: GetRollCall) -> RollCallView:
        return replace(self._rollcall.view(), removed=tuple(self._removed(asked.names)))

    def _reachable(self) -> frozenset[Peer]:
        return frozenset((self._me, *(one.peer for one in self._gossip.members.alive())))

    def _conflicts(self) -> Conflicts:
        return all_conflicts(self._holdings, self._allocator.adoption, self._allocator.settling)

    def _check(self, now: float) -> Check:
        state, why = self._state(now)
        problems = [] if state == "ready" else [Problem("not-ready", f"{state}: {why}")]
        problems += audit(self._holdings, self._me, self._reachable() if state == "ready" else None)
        problems += [Problem("foreign-cluster", one) for one in self._formation.strangers.conflicts(now)]
        return Check((*problems, *conflict_problems(self._conflicts())))

    def _status(self, now: float) -> Status:
        state, why = self._state(now)
        found = self._conflicts()
        members = self._gossip.members
        known = len(members.all()) if self.cluster_id else 0
        alive = len(members.alive()) if self.cluster_id else 0
        return Status(
            peer=self._me,
            ready=self._allocator.serving and not self._allocator.leaver.leaving,
            state=state,
            why_not_ready=why,
            cluster_id=self.cluster_id.hex(),
            members_alive=alive + 1,
            members_total=known + 1,
            pools=views.pool_uses(self._holdings, self._reachable()),
            pending=len(self._allocator.pending),
            outgoing=len(self._allocator.giver.grants),
            conflicts=(
                *[one.detail for one in conflict_problems(found)][:SENTENCES_MAX],
                *self._formation.strangers.conflicts(now),
            ),
            version=__version__,
            sealed=self._guard.sealed,
            contested=sum(one.range.size for one in found.contested),
            foreign=sum(one.range.size for one in found.foreign),
            unadopted=sum(one.range.size for one in found.foreign if not one.adopted),
            lent=sum(one.range.size for one in found.lent),
            twice=sum(one.range.size for one in found.twice),
        )

    def _state(self, now: float) -> tuple[str, str]:
        if not self.cluster_id:
            told = f"; {self._guard.told}" if self._guard.told else ""
            forming = self._formation.forming
            return ("forming" if forming else "joining"), self.name_taken or self._formation.why() + told
        if self._allocator.leaver.leaving:
            departure = self._allocator.leaver.departure()
            return departure.state, departure.why
        if self._serving.newcomer:
            return "syncing", "waiting for a member that serves to tell all that it knows"
        if not self._rollcall.admitted and self._allocator.serving:
            return "syncing", self._rollcall.admission.why(self._rollcall.seat.ledger)
        if not self._allocator.serving:
            return "syncing", self._why_not_alone(now)
        return "ready", ""

    def _why_not_alone(self, now: float) -> str:
        """What keeps a daemon that came back from serving, and how long at most."""
        if now < self._gossip.twins.denied_until:
            return self._gossip.twins.why
        left_s = max(0.0, self._serving.alone_at - now)
        return f"waiting for members to answer before serving; it serves alone in {left_s:.1f} s if none does"

    def _members(self, now: float) -> Members:
        sizes = self._holdings.rings.sizes()
        table = self._gossip.members
        rows = sorted((table.me, *table.all()), key=lambda member: member.peer)
        return Members(
            tuple(
                MemberView(
                    one.peer,
                    one.endpoint,
                    one.state,
                    max(0.0, now - one.since),
                    sizes.get(one.peer, 0),
                    one.peer == self._me,
                )
                for one in rows
            )
        )
