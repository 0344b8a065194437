"""
The node: four inputs, ordered effects out.

It routes packets, requests and time to the machines below (formation, gossip, allocator), gathers what they
want in order, and turns it into effects.  What spans two machines is here: binding to a birth, exchanging
state when fingerprints differ, following decisions.

Does not know sockets, disks or clocks: time and chance are handed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from random import Random
from typing import TypeAlias

from ring.ring import Peer
from weaveipam.allocation import nextlife
from weaveipam.allocation.allocator import Allocator
from weaveipam.allocation.formation import Formation, Wish, is_sound
from weaveipam.allocation.heard import Init
from weaveipam.allocation.rollcall import RollCall, Said
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.errors import PeerError
from weaveipam.exchange import Exchange
from weaveipam.gossip.gossip import Digest, Gossip, Repair
from weaveipam.gossip.gossip import Effect as Gossiped
from weaveipam.gossip.guard import Guard
from weaveipam.gossip.settings import GossipSettings
from weaveipam.packets import Packets
from weaveipam.protocol import codec
from weaveipam.protocol.effects import (
    Durability,
    Effect,
    Level,
    Persist,
    Reply,
    Report,
    Restart,
    Stop,
)
from weaveipam.protocol.farewells import Farewell, FarewellHeard, Staying
from weaveipam.protocol.keyring import UNSEALED, KeyRing
from weaveipam.protocol.messages import (
    UNFORMED,
    Ack,
    Adopt,
    Adopted,
    BirthAccept,
    BirthAccepted,
    BirthPaxos,
    BirthPrepare,
    BirthPromise,
    Call,
    Contest,
    Depart,
    Elsewhere,
    End,
    Grant,
    GrantAck,
    Header,
    Here,
    Inquiry,
    LoanQuery,
    Mark,
    Marked,
    MemberShare,
    Message,
    Nack,
    Outline,
    Ownership,
    PieceFindings,
    PieceRequest,
    PieceSurvey,
    Ping,
    PingRequest,
    Publish,
    Returned,
    RingShare,
    Rumour,
    SpaceRefusal,
    SpaceRequest,
    Standing,
    Step,
    Sync,
    Synced,
    Tell,
)
from weaveipam.protocol.records import Born, Left, Record, RecordKey
from weaveipam.protocol.requests import (
    Allocate,
    ChangeNetwork,
    ChangePool,
    Collect,
    GetKeyring,
    GetRollCall,
    GetStatus,
    Leave,
    Reason,
    Refusal,
    Release,
    RemovePeers,
    Request,
    ResolveConflict,
    SetJoin,
    SetKeyring,
    Stay,
)
from weaveipam.protocol.values import Birth, Endpoint, MemberState, Pool
from weaveipam.questions import Questions
from weaveipam.serving import Serving

AUDIT_S = 10.0
"""Seconds between two looks at some runs in memory: at 100,000 it takes some 70 minutes to see them all."""

OfSpace: TypeAlias = (
    SpaceRequest
    | Grant
    | GrantAck
    | SpaceRefusal
    | PieceSurvey
    | PieceFindings
    | PieceRequest
    | Farewell
    | FarewellHeard
    | Staying
)
"""What members say of space that one wants of another, or leaves to it."""

MakeGossip: TypeAlias = Callable[..., Gossip]
"""As `Gossip` itself; another one lets the same node be measured with another way to spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a node is told before it starts."""

    endpoint: Endpoint
    """Where peers reach this node."""
    join: tuple[Endpoint, ...] = ()
    """Whom to ask for a cluster."""
    seeds: tuple[str, ...] = ()
    """The names that form a cluster together, sorted; the own one alone forms at once; empty only joins."""
    consensus: int = 0
    """How many daemons agree on a cluster's birth, this one among them, if there is no list of seeds."""
    pools: tuple[Pool, ...] = ()
    """The pools of a cluster that is born here, sorted by name."""
    gossip: GossipSettings = field(default_factory=GossipSettings)
    allocation: AllocationSettings = field(default_factory=AllocationSettings)
    wire: codec.Wire = codec.WIRE
    """What this release can say and hear; simulations have others, to upgrade from and to."""
    keyring: KeyRing = UNSEALED
    session: bytes = b""
    """8 random bytes, new with every start whatever the disk remembers; may be empty where no key ever is."""


class Node:
    """
    One daemon's whole behaviour, as a value that only its inputs change.

    Effects of every input: in order; each `Persist` stands before whatever depends on it.
    """

    def __init__(
        self, me: Peer, settings: Settings, rng: Random, now: float, gossip: MakeGossip = Gossip
    ) -> None:
        """As a daemon with an empty store; see `restore`."""
        self.me = me
        self._settings = settings
        self._rng = rng
        size = settings.wire.own.encoded_size  # none has more bytes in the version before
        self._gossip = gossip(me, settings.endpoint, settings.gossip, rng, now, size=size)
        self._guard = Guard(settings.keyring, settings.session)
        self._packets = Packets(me, settings.endpoint, settings.wire, self._guard, self._gossip)
        self._allocator = Allocator(me, settings.allocation, self._gossip.members, rng)
        self._holdings = self._allocator.holdings
        self._rollcall = RollCall(me, settings.allocation, self._gossip.members, self._holdings, rng)
        self._pools = self._holdings.pools
        """As the allocator knows them."""
        self._exchange = Exchange(self._gossip, self._allocator, self._rollcall, rng)
        wish = Wish(
            endpoint=settings.endpoint,
            join=settings.join,
            init=Init(settings.seeds, settings.consensus),
            pools=settings.pools,
        )
        self._formation = Formation(me, wish, settings.allocation.inquiry_s, rng, now)
        self._serving = Serving(
            settings.allocation, self._gossip, self._allocator, self._formation, self._exchange, rng
        )
        self._questions = Questions(
            me, self._gossip, self._allocator, self._rollcall, self._formation, self._guard, self._serving
        )
        self._birth: Birth | None = None
        self._cluster_id = UNFORMED
        self._restored: list[Step] = []
        self._followed = -1
        """How many decisions the allocator has heard of; one more after a start, as the last may be new."""
        self._disk_is_the_next_lifes = False
        """Whether nothing is put on disk any more, as this life has left."""
        self._audit_at = now + AUDIT_S

    @classmethod
    def restore(
        cls,
        identity: Peer,
        settings: Settings,
        rng: Random,
        records: Iterable[Record],
        now: float,
        gossip: MakeGossip = Gossip,
    ) -> Node:
        """
        The node that a disk remembers; `wake` is due at once.

        Args:
            identity: This life; it is on stable storage already.
            settings: As configured now, which may differ from last time.
            rng: The only source of chance.
            records: What the store held, in any order.
            now: Seconds on the monotonic clock.
            gossip: Makes what finds members and spreads statements.
        """
        node = cls(identity, settings, rng, now, gossip)
        held = tuple(records)
        node._formation.restore(held)
        born = next((one for one in held if isinstance(one, Born)), None)
        if born is not None:
            node._bind(born.birth, held, now)
            ledger = node._rollcall.seat.ledger
            node._restored = node._allocator.restore(born.birth, ledger.pools, held, now)
            node._holdings.vacate(ledger.withheld)
            node._pools = node._holdings.pools
            others = bool(node._formation.endpoints()) or len(born.birth.seeds) > 1
            node._serving.come_back(now, others=others)
        return node

    # The four inputs

    def receive(self, packet: bytes, source: Endpoint, now: float) -> tuple[Effect, ...]:
        """What to do about bytes from the network; whatever they are, nothing is raised."""
        try:
            header, told, key = self._packets.read(packet)
        except codec.VersionError as error:
            return self._packets.not_understood(error.header, now)
        except PeerError as error:
            return self._guard.refused(error, source, now)
        if header.sender == self.me:
            return self._effects(self._hear_myself(header, told, now))
        steps: list[Step] = []
        if self._birth is not None and header.cluster_id == self._cluster_id:
            if self._gossip.twins.rival(header) is None:
                steps += self._formation.meet(header.sender, header.endpoint)
            steps += self._gossiped(self._gossip.heard(header, now))
            if self._gossip.members.get(header.sender.name) is not None:  # else there are too many already
                self._guard.heard(header.sender.name, key)
            steps += self._rollcall.heard(header, now)
            self._exchange.next_packet()
            for message in told:
                if not self._allocator.leaver.left or isinstance(message, Ping | Ack | PingRequest | Nack):
                    steps += self._hear_member(header, message, now)
        else:
            steps += self._formation.hear_stranger(header, source, self._cluster_id, self._birth, now)
            for message in told:
                steps += self._hear_stranger(header, message, now)
        return self._effects(steps)

    def request(self, request_id: int, request: Request, now: float) -> tuple[Effect, ...]:
        """What to do for a client; its `Reply` comes now or with a later input."""
        match request:
            case Allocate():
                steps = self._allocator.allocate(request_id, request, now)
            case Release():
                steps = self._allocator.release(request_id, request, now)
            case Collect():
                steps = self._allocator.collect(request_id, request, now)
            case ResolveConflict():
                steps = self._allocator.settling.resolve(request_id, request, now)
            case Leave() | Stay():
                steps = self._allocator.leave(request_id, request, now)
            case SetKeyring() | SetJoin():
                steps = self._reconfigure(request_id, request, now)
            case RemovePeers():
                steps = self._remove(request_id, request, now)
            case ChangePool() | ChangeNetwork() if self._birth is None:
                steps = [Reply(request_id, Refusal(Reason.NOT_READY, self._formation.why()))]
            case ChangePool() | ChangeNetwork():
                steps = self._rollcall.proposer.change(request_id, request, now)
                steps += self._follow_decisions(now)
            case _:
                steps = [Reply(request_id, self._questions.answer(request, now))]
        return self._effects(steps)

    def _reconfigure(self, request_id: int, request: SetKeyring | SetJoin, now: float) -> list[Step]:
        """Take over what the daemon was told anew."""
        if isinstance(request, SetJoin):
            self._formation.join(request.join)
            return [Reply(request_id, self._questions.answer(GetStatus(), now))]
        changed = self._guard.change(request.ring, self._gossip.members.names())
        return [*changed, Reply(request_id, self._questions.answer(GetKeyring(), now))]

    def _remove(self, request_id: int, request: RemovePeers, now: float) -> list[Step]:
        victims = self._questions.lives_to_remove(request)
        if isinstance(victims, Refusal):
            return [Reply(request_id, victims)]
        survivors = None if request.survivors is None else frozenset(request.survivors)
        steps: list[Step] = []
        if victims:
            steps += self._rollcall.proposer.remove(victims, survivors, now, forced=request.forced)
            steps += self._follow_decisions(now)
        return [*steps, Reply(request_id, self._questions.answer(GetRollCall(request.names), now))]

    def cancel(self, request_id: int, now: float) -> tuple[Effect, ...]:  # noqa: ARG002  # inputs carry the time
        """The client that asked has gone away."""
        self._rollcall.proposer.changes.cancel(request_id)
        return self._effects(self._allocator.cancel(request_id))

    def wake(self, now: float) -> tuple[Effect, ...]:
        """Whatever time has made due; harmless when nothing is."""
        steps: list[Step] = [*self._restored]
        self._restored = []
        if self._birth is None:
            steps += self._formation.wake(now)
            steps += self._try_to_form(now)
        else:
            steps += self._serving.wake(now)
            steps += self._audit(now)
            steps += self._gossiped(self._gossip.wake(self._digest(), now))
            steps += [*self._rollcall.wake(now), *self._follow_decisions(now)]
        steps += self._allocator.wake(now)
        if self._allocator.leaver.left and self._gossip.members.me.state is not MemberState.LEFT:
            steps += self._gossiped(self._gossip.leave(now))
        return self._effects(steps)

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when to call `wake` at the latest; infinity for never."""
        if self._restored:
            return -math.inf
        if self._birth is None:
            return min(self._formation.wake_at, self._allocator.wake_at)
        gossip_at, serving_at = self._gossip.wake_at, self._serving.wake_at
        return min(gossip_at, self._allocator.wake_at, self._rollcall.wake_at, serving_at)

    # Peers

    def _hear_member(self, header: Header, message: Message, now: float) -> Sequence[Step]:
        if isinstance(message, OfSpace):
            return self._hear_of_space(header, message, now)
        match message:
            case Ownership():
                return self._allocator.learn(message, now)
            case Rumour():
                return self._gossiped(self._gossip.rumoured(header, message, now))
            case Ping() | Ack() | PingRequest() | Nack():
                return self._gossiped(self._gossip.receive(header, message, self._digest(), now))
            case Call() | Here() | Elsewhere():
                return self._gossip.twins.receive(header, message, now)
            case Outline() | Sync() | RingShare() | MemberShare() | Synced() | Mark() | Marked():
                return self._serving.hear(header, message, now)
            case Adopt() | Adopted() | LoanQuery() | Returned():
                return self._allocator.hear_of_loans(header, message, now)
            case Contest():
                return self._allocator.settling.hear(header, message, now)
            case Inquiry() | Standing() | BirthPrepare() | BirthPromise() | BirthAccept() | BirthAccepted():
                return ()
            case _:
                return self._hear_of_decisions(header, message, now)

    def _hear_myself(self, header: Header, told: Iterable[Message], now: float) -> list[Step]:
        """An echo, or a copy of this disk: nothing to learn from either but which it is."""
        steps = self._gossiped(self._gossip.heard(header, now))
        for message in told if header.cluster_id == self._cluster_id else ():
            if isinstance(message, Call | Here):
                steps += self._gossip.twins.receive(header, message, now)
        return steps

    def _hear_of_space(self, header: Header, message: OfSpace, now: float) -> Sequence[Step]:
        match message:
            case SpaceRequest():
                return self._allocator.give(header, message, now)
            case Grant():
                return self._allocator.granted(header, message, now)
            case GrantAck():
                return self._allocator.acknowledged(header, message, now)
            case SpaceRefusal():
                return self._allocator.refused(header, message, now)
            case PieceSurvey() | PieceFindings() | PieceRequest():
                return self._allocator.hear_of_piece(header, message, now)
            case Farewell() | FarewellHeard() | Staying():
                return self._allocator.leaver.hear(header, message, now)

    def _hear_of_decisions(self, header: Header, said: Said, now: float) -> Sequence[Step]:
        steps = self._rollcall.receive(header, said, now)
        return [*steps, *self._follow_decisions(now)]

    def _follow_decisions(self, now: float) -> list[Step]:
        """What the allocator makes of decisions that are in force since."""
        steps: list[Step] = []
        if self._allocator.leaver.leaving:
            self._allocator.leaver.bound = self._rollcall.is_bound
            steps += self._rollcall.retire(now)
        if self._followed != self._rollcall.number:
            self._followed = self._rollcall.number
            steps += self._allocator.giver.forget_void()
        if self._pools is not self._holdings.pools:
            self._pools = self._holdings.pools
            steps += self._allocator.follow_pools(now)
        if self._rollcall.admitted and not self._allocator.standing.admitted:
            steps += self._allocator.admit(now)
        return steps

    def _hear_stranger(self, header: Header, message: Message, now: float) -> Sequence[Step]:
        """From a daemon of no cluster or another one, or while this one is in none."""
        match message:
            case Inquiry():
                in_use = self._name_in_use(header)
                return self._formation.answer(header, message, self._birth, in_use=in_use)
            case Standing():
                return self._hear_standing(header, message, now)
            case BirthPrepare() | BirthPromise() | BirthAccept() | BirthAccepted():
                return self._hear_of_birth(header, message, now)
            case _:
                return ()

    def _hear_of_birth(self, header: Header, message: BirthPaxos, now: float) -> Sequence[Step]:
        if self._birth is None:
            return [*self._formation.vote(header, message, now), *self._try_to_form(now)]
        if isinstance(message, BirthPrepare | BirthAccept):  # still agreeing on what is decided
            return [self._formation.stand(header, self._birth, in_use=self._name_in_use(header))]
        return []

    def _hear_standing(self, header: Header, standing: Standing, now: float) -> list[Step]:
        if standing.asker != self.me:
            return []  # late, and for an earlier life
        if self._birth is not None:
            return []  # of this cluster, or a foreign one, which is reported already
        if standing.birth is None:
            return [*self._formation.hear(header, standing), *self._try_to_form(now)]
        if not is_sound(standing.birth):
            why = "a birth of which no cluster can come"
            return [Report(Level.WARNING, "bad-packet", (("source", str(header.endpoint)), ("why", why)))]
        why = self._why_not_join(standing)
        if why:
            fresh, self._questions.name_taken = self._questions.name_taken != why, why
            fields = (("detail", why), ("seen_by", str(header.sender)))
            return [Report(Level.ERROR, "name-in-use", fields)] if fresh else []
        return [*self._formation.compare(header, standing), *self._join(header, standing.birth, now)]

    def _why_not_join(self, standing: Standing) -> str:
        """In words that do not depend on who answers, so that they are reported once."""
        if standing.in_use:
            return f"the name {self.me.name} is in use by {standing.earlier}; give this daemon another --name"
        if standing.earlier is not None and standing.earlier > self.me:
            return (
                f"the cluster knows a later life of this daemon, {standing.earlier}: this host's clock has "
                "gone back; set it, remove the data directory, and start again"
            )
        return ""

    def _name_in_use(self, header: Header) -> bool:
        member = self._gossip.members.get(header.sender.name)
        if self._birth is None or member is None or member.peer == header.sender:
            return False
        return member.state is MemberState.ALIVE and member.endpoint != header.endpoint

    def _gossiped(self, wanted: Iterable[Gossiped]) -> list[Step]:
        """
        What gossip wants, with each repair as the outlines that it begins with.

        At once, while what is known is what earlier steps have put on disk: a statement of this node that a
        later message of the same packet brings about must not be sent before it is durable.
        """
        steps: list[Step] = []
        for one in wanted:
            if isinstance(one, Repair):
                steps += self._exchange.begin(one.endpoint)
            else:
                steps.append(one)
        return steps

    # Beginning

    def _try_to_form(self, now: float) -> list[Step]:
        birth = None if self._birth is not None else self._formation.decide()
        if birth is None:
            return []
        told = self._formation.announce(birth)
        return [*self._adopt(birth, now), *told, *self._begin(birth, now)]

    def _join(self, header: Header, birth: Birth, now: float) -> list[Step]:
        """Belong to the cluster that somebody in it told of."""
        steps: list[Step] = [*self._formation.meet(header.sender, header.endpoint)]
        steps += [*self._adopt(birth, now), *self._begin(birth, now)]
        return [*steps, self._exchange.ask(header.endpoint)]

    def _begin(self, birth: Birth, now: float) -> list[Step]:
        """Serve as one of the seeds, or learn first what has come to be since."""
        if self.me in birth.seeds:
            return self._serving.serve(now)
        self._exchange.newcomer = True
        return []

    def _adopt(self, birth: Birth, now: float) -> list[Step]:
        differ: list[Step] = []
        if self._settings.pools and self._settings.pools != birth.pools:
            names = ", ".join(pool.name for pool in birth.pools) or "none"
            detail = f"the cluster's pools are used instead of the configured ones: {names}"
            differ.append(Report(Level.WARNING, "pools-differ", (("detail", detail),)))
        self._bind(birth, (), now)
        self._serving.begin(now)
        born = Persist((Born(birth),), (), Durability.HOST)
        split = self._holdings.adopt(birth)
        met: list[Step] = []
        for header in self._formation.companions(birth):  # else all but the own share would seem unreachable
            met += self._gossiped(self._gossip.heard(header, now))
        names = ",".join(one.name for one in birth.seeds)
        fields = (("cluster", self._cluster_id.hex()), ("seeds", names))
        return [*differ, born, *split, Report(Level.INFO, "cluster-joined", fields), *met]

    def _bind(self, birth: Birth, records: Sequence[Record], now: float) -> None:
        self._birth = birth
        self._rollcall.take(birth, records, now)
        self._allocator.standing.admitted = self._rollcall.admitted
        self._gossip.twins.serving = False
        self._cluster_id = codec.cluster_id(birth)
        self._packets.introduce(self._cluster_id)
        self._questions.cluster_id = self._cluster_id
        self._gossip.bind(codec.digest_key(birth))
        self._formation.settle()

    def _audit(self, now: float) -> list[Step]:
        """Now and then make sure of some of what is in memory; no timer of its own, as probing has one."""
        if now < self._audit_at:
            return []
        self._audit_at = now + AUDIT_S
        if not self._holdings.rings.audit():
            return []
        detail = "statements in memory are not what they were; what members know will be compared with them"
        return [Report(Level.ERROR, "memory-damaged", (("detail", detail),))]

    # Effects

    def _digest(self) -> Digest:
        return Digest(self._exchange.fingerprint, self._allocator.hints())

    def _effects(self, steps: Sequence[Step]) -> tuple[Effect, ...]:
        if not steps:
            return ()  # as most packets bring nothing new
        effects: list[Effect] = []
        for told, group in groupby(steps, _told):
            if told is not None:
                target, stream = told
                messages = [one.message for one in group if isinstance(one, Tell)]
                effects += self._packets.sends(target, messages, stream=stream)
                continue
            for step in group:
                match step:
                    case Publish():
                        effects += self._gossip.push(step.ownership)
                    case End():
                        return (*effects, *self._next_life(step))
                    case Depart():
                        effects += self._depart()
                    case Persist() if self._disk_is_the_next_lifes:
                        pass
                    case Persist() | Reply() | Report() | Stop():
                        effects.append(step)
        return tuple(effects)

    def _of_this_life(self) -> tuple[RecordKey, ...]:
        return (*self._allocator.of_this_life(), *self._rollcall.of_this_life())

    def _depart(self) -> tuple[Effect, ...]:
        """This life has left; whoever starts the daemon again begins the next one."""
        self._disk_is_the_next_lifes = True
        life = nextlife.successor((self.me,), self._rng)
        return (nextlife.become(life, self._of_this_life(), (Left(self.me),)),)

    def _next_life(self, end: End) -> tuple[Effect, ...]:
        """One begins that owns nothing, as what this one knows of itself may not be so."""
        lives = (self.me,) if end.later is None else (self.me, end.later)
        life = nextlife.successor(lives, self._rng)
        fields = (("was", str(self.me)), ("life", str(life)), ("why", end.why))
        return (
            *self._allocator.refuse_all(nextlife.WHY_WAITING_ENDS),
            nextlife.become(life, self._of_this_life(), self._allocator.giver.grants.leases()),
            Report(Level.ERROR, "next-life", fields),
            Restart(self._guard.ring),
        )


def _told(step: Step) -> tuple[Endpoint, bool] | None:
    """Whom a step wants to say something, and whether on a stream; None if it wants anything else."""
    return (step.target, step.stream) if isinstance(step, Tell) else None
