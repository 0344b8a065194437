"""
What clients do: ask, hold, give back; and also ask twice, go away, give back too early, and try again.

A client stands for a pod and the runtime that cares for it: whatever has become of a request, in the end the
runtime gives back what the pod may hold, and after a host's reboot it says which pods are left.
Does not know what is right: the facts are stated by the world.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

from ring.address import Family
from simulations.machine import Machine
from simulations.policies import Wish, drawn_wish, told_by
from simulations.world import World
from weaveipam.protocol.nesting import Kind
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    Allocations,
    Answer,
    Collect,
    GetAllocations,
    Reason,
    Refusal,
    Release,
    Released,
    Want,
)
from weaveipam.protocol.values import DEFAULT_NETWORK, Pool

BLOCK_BITS_MAX = 6
"""Two to the power of it is the size of the largest blocks that some want; the smallest are of two."""
HANDED = "handed"
"""Tag of who was told that another daemon has its key."""
RETRY_S = 0.5
"""Seconds until a runtime tries again what got no answer."""
RENEWALS = 3
"""So often what is for a time is renewed in that time."""
OVER = 1.1
"""Of its time, after which what was not renewed is over by any clock that does not jump."""
LOST = 3.0
"""Of its time, after which nobody looks any longer for what was handed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How clients are; chances are by client."""

    adds_per_s: float = 0.0
    """New clients by second, over the whole cluster; their arrivals are independent (Poisson)."""
    hold_s: float = 10.0
    """Mean of how long they hold an address; exponential."""
    repeat: float = 0.0
    """Asks twice, at once or later."""
    vanish: float = 0.0
    """Goes away without waiting for the answer."""
    cross: float = 0.0
    """Gives back before it has heard what it was given."""
    durable: float = 0.0
    """Wants an allocation that survives the host."""
    block: float = 0.0
    """Wants an aligned block, of a size that is drawn."""
    pair: float = 0.0
    """Wants an address of every pool, all or nothing."""
    wait_s: float = 8.0
    """How long requests may wait at the daemon."""
    ttl: float = 0.0
    """Wants something for a time, and renews it."""
    ttl_s: int = 6
    """That time."""
    lapse: float = 0.5
    """Of those: gives nothing back in the end, but renews no more."""
    choosy: float = 0.0
    """Wants what `policies.drawn_wish` says, in place of any address of one pool."""


@dataclass(slots=True, eq=False)
class Client:
    """One pod and what it may hold."""

    machine: Machine
    key: str
    durable: bool
    pool: str
    network: str
    life: object = None
    """Of the daemon that gave it something."""
    size: int = 0
    """Addresses that it holds."""
    leaving: bool = False
    ttl_s: int | None = None
    """For how long it asks each time; None: for ever."""
    lapses: bool = False
    """Whether in the end it just asks no more."""
    heard_at: float = 0.0
    """When it was given something last, in virtual seconds."""
    tags: set[str] = field(default_factory=set)


class Clients:
    """All clients of a world."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.counters: Counter[str] = Counter()
        """What clients did: `repeated`, `vanished`, `crossed`, `retried`, `renewed`, `lapsed`."""
        self.here: dict[str, Client] = {}
        """Clients that hold something, or may, by key; in the order in which they came."""
        self.ttl_s_max = 0
        """The longest time for which anybody has asked for something, but for ever."""
        self.cordoned: set[str] = set()
        """Machines to which no new clients come."""
        self._rng = rng
        self._habits = Habits()
        self._at: tuple[str, ...] = ()
        self._generation = 0
        self._staying = False
        self._numbers = count(1)

    def load(self, habits: Habits, at: Sequence[str] = ()) -> None:
        """From now on clients come like that, to those machines or to any; no rate, no new ones."""
        self._habits, self._at = habits, tuple(at)
        self._generation += 1
        if habits.adds_per_s > 0:
            self._next(self._generation)

    def add(self, machine: Machine, habits: Habits, pool: str = "") -> Client:
        """One more client, at a machine whose daemon runs; it stays until it is told to leave."""
        rng = self._rng
        key = f"k{next(self._numbers)}"
        durable = rng.random() < habits.durable
        pools = {one.name: one for one in self.world.pools}
        pool = pool or rng.choice(list(pools))
        network = pools[pool].network if pool in pools else DEFAULT_NETWORK
        client = Client(machine, key, durable, pool, network)
        self.here[key] = client
        wants: tuple[Want, ...] = (Want(pools=(client.pool,), kind=_kind(pools.get(pool))),)
        if rng.random() < habits.block:
            family = self._family(client.pool)
            length = family.bits - rng.randint(1, BLOCK_BITS_MAX)
            wants = (Want(family=family, pools=(client.pool,), prefix_length=length),)
        elif rng.random() < habits.pair:
            mine = [one for one in pools.values() if one.network == network]
            wants = tuple(Want(pools=(one.name,), kind=_kind(one)) for one in mine)
        wish = Wish(network, wants)
        if habits.choosy and rng.random() < habits.choosy:
            wish = drawn_wish(tuple(pools.values()), rng)
        if habits.ttl and rng.random() < habits.ttl:
            client.ttl_s, client.lapses = habits.ttl_s, rng.random() < habits.lapse
            self.ttl_s_max = max(self.ttl_s_max, habits.ttl_s)
        return self._first(client, wish, habits)

    def wish(self, machine: Machine, wish: Wish) -> Client:
        """One more client, as `add`, that wants just this."""
        client = Client(machine, f"k{next(self._numbers)}", durable=False, pool="", network=wish.network)
        self.here[client.key] = client
        return self._first(client, wish, Habits())

    def _first(self, client: Client, wish: Wish, habits: Habits) -> Client:
        client.network = wish.network
        request = Allocate(
            client.key,
            wish.network,
            wish.wants,
            client.durable,
            wait_s=habits.wait_s,
            ttl_s=client.ttl_s,
            name=wish.name,
            subject=wish.subject,
        )
        self._ask(client, request, habits)
        return client

    def stay(self) -> None:
        """No new clients, and those who hold something keep it until they are told otherwise."""
        self.load(Habits())
        self._staying = True

    def _expire(self, client: Client) -> None:
        if self._staying and client.size:
            return
        if client.ttl_s and client.size and client.lapses:
            self._lapse(client, client.ttl_s)
        else:
            self.leave(client)

    def follow(self) -> None:
        """Every client goes where its key is, as far as that can be seen now."""
        for client in self.here.values():
            if (client.size or client.durable) and not self._shows(client.machine, client.key):
                client.tags.add(HANDED)
            self._follow(client)

    def _shows(self, machine: Machine, key: str) -> bool:
        """Whether a daemon shows that it keeps something for a key."""
        if machine.paused or not self.world.serving(machine):
            return False
        shown = machine.show(GetAllocations())
        return isinstance(shown, Allocations) and any(one.key == key for one in shown.allocations)

    def _lapse(self, client: Client, ttl_s: int) -> None:
        """Renew no more what the client has, and forget it once it must be over."""
        if not client.leaving:
            client.leaving = True
            self.counters["lapsed"] += 1
            self.world.timeline.after(OVER * ttl_s, self._forget, client)

    def _forget(self, client: Client) -> None:
        self.here.pop(client.key, None)

    def leave(self, client: Client) -> None:
        """Give back what the client may hold, and try until it is done."""
        if client.leaving:
            return
        client.leaving = True
        self._release(client)

    def emptied(self, machine: Machine, *, for_good: bool = False) -> None:
        """The host has lost its power: pods that were there are gone; so are durable ones, if for good."""
        for client in [one for one in self.here.values() if one.machine is machine]:
            handed = client.durable and HANDED in client.tags  # so it is not there any more
            if not handed and (for_good or not client.durable):
                client.leaving = True
                del self.here[client.key]

    def rebooted(self, machine: Machine) -> None:
        """The host is up again and its daemon runs: the runtime says who is left."""
        if not machine.running:
            self.world.timeline.after(RETRY_S, self.rebooted, machine)
            return
        for network in sorted({one.network for one in self.world.rings}):
            self._collect(machine, network)

    def _collect(self, machine: Machine, network: str) -> None:
        if not machine.running:
            self.world.timeline.after(RETRY_S, self._collect, machine, network)
            return
        # A runtime collects what its own pods had; what is durable is a claim, and may be one handed over.
        keep = tuple(one.key for one in self.here.values() if one.machine is machine or one.durable)
        number = self.world.next_request()

        def heard(answered: object) -> None:
            refused = isinstance(getattr(answered, "answer", None), Refusal)
            if answered is None or refused:
                self.world.timeline.after(RETRY_S, self._collect, machine, network)

        machine.ask(number, Collect("", keep, network), heard)

    # Coming

    def _next(self, generation: int) -> None:
        delay_s = self._rng.expovariate(self._habits.adds_per_s)
        self.world.timeline.after(delay_s, self._come, generation)

    def _come(self, generation: int) -> None:
        if generation != self._generation:
            return
        up = [one for one in self.world.running() if not self._at or one.name in self._at]
        up = [one for one in up if one.name not in self.cordoned]
        if up and self.world.pools:
            client = self.add(self._rng.choice(up), self._habits)
            stay_s = self._rng.expovariate(1 / self._habits.hold_s)
            self.world.timeline.after(stay_s, self._expire, client)
        self._next(generation)

    def _family(self, pool: str) -> Family:
        ranges = next(one.ranges for one in self.world.pools if one.name == pool)
        return ranges[0].family

    def _ask(self, client: Client, request: Allocate, habits: Habits) -> None:
        rng, timeline = self._rng, self.world.timeline
        number = self._put(client, request)
        if rng.random() < habits.repeat:
            self.counters["repeated"] += 1
            timeline.after(rng.choice((0.0, 0.001, 1.0)), self._again, client, request)
        if rng.random() < habits.vanish:
            timeline.after(rng.choice((0.0, 0.01, 0.3)), self._vanish, client, number)
        elif rng.random() < habits.cross:
            timeline.after(rng.choice((0.0, 0.001, 0.1)), self._cross, client)

    def _put(self, client: Client, request: Allocate) -> int:
        return self.world.ask(client.machine, request, lambda answer: self._answered(client, request, answer))

    def _again(self, client: Client, request: Allocate) -> None:
        if not client.leaving and self._follow(client) and client.machine.running:
            self._put(client, request)

    def _vanish(self, client: Client, number: int) -> None:
        """The runtime kills its plugin; later it gives back whatever there may be."""
        if client.leaving or client.size or not client.machine.running:
            return
        self.counters["vanished"] += 1
        self.world.cancel(client.machine, number)
        self.world.timeline.after(self._rng.uniform(0.0, 2.0), self.leave, client)

    def _cross(self, client: Client) -> None:
        if not client.size and not client.leaving:
            self.counters["crossed"] += 1
            self.leave(client)

    def _answered(self, client: Client, request: Allocate, answer: Answer | None) -> None:
        self.counters.update(told_by(request, answer, self.world.pools))
        if isinstance(answer, Allocated):
            if client.ttl_s and not client.size:
                self.world.timeline.after(client.ttl_s / RENEWALS, self._renew, client, request, client.ttl_s)
            client.heard_at = self.world.now
            client.size = sum(one.range.size for one in answer.allocation.addresses)
            client.life = client.machine.life
            if client.key not in self.here:  # it had left, and is given something all the same
                self.here[client.key] = client
                self._release(client)
        elif client.leaving or client.size:
            self._answered_late(client, answer)
        elif answer is None or self._worth_another(answer):
            self.counters["retried"] += 1
            self.world.timeline.after(RETRY_S, self._retry, client, request)
        else:
            self.leave(client)

    def _answered_late(self, client: Client, answer: Answer | None) -> None:
        """Who renews what it has may be told that it was handed over, or that nothing is left for it."""
        if client.leaving or client.ttl_s is None or not isinstance(answer, Refusal):
            return
        if answer.reason is Reason.NOT_OWNER:
            client.tags.add(HANDED)
        elif answer.reason is Reason.EXHAUSTED:
            self.leave(client)

    def _worth_another(self, answer: Answer) -> bool:
        return isinstance(answer, Refusal) and answer.reason is Reason.NOT_READY

    def _retry(self, client: Client, request: Allocate) -> None:
        if client.leaving:
            return
        if self._follow(client) and client.machine.running:
            self._put(client, request)
        else:
            self.world.timeline.after(RETRY_S, self._retry, client, request)

    def _renew(self, client: Client, request: Allocate, ttl_s: int) -> None:
        """Ask again in time; who cannot find what was handed over gives up."""
        if client.leaving or client.key not in self.here:
            return
        if self._follow(client) and client.machine.running:
            self.counters["renewed"] += 1
            self._put(client, request)
        elif self._is_lost(client):
            client.leaving = True
            self._forget(client)
            return
        self.world.timeline.after(ttl_s / RENEWALS, self._renew, client, request, ttl_s)

    def _is_lost(self, client: Client) -> bool:
        """Whether what the client had for a time is over, wherever it was."""
        return client.ttl_s is not None and self.world.now > client.heard_at + LOST * client.ttl_s

    # Leaving

    def _release(self, client: Client) -> None:
        if client.key not in self.here:
            return
        if self._is_lost(client) and not self._follow(client):
            self._forget(client)
            return
        if not self._follow(client) or not client.machine.running:
            self.world.timeline.after(RETRY_S, self._release, client)
            return
        self.world.ask(
            client.machine,
            Release(key=client.key, network=client.network),
            lambda answer: self._released(client, answer),
        )

    def _released(self, client: Client, answer: Answer | None) -> None:
        if isinstance(answer, Released):
            self.here.pop(client.key, None)
            client.size = 0
        else:
            if isinstance(answer, Refusal) and answer.reason is Reason.NOT_OWNER:
                client.tags.add(HANDED)
            self.world.timeline.after(RETRY_S, self._release, client)

    # Following what was handed over

    def drain(self, machine: Machine) -> None:
        """Pods there go, and no new ones come."""
        self.cordoned.add(machine.name)
        for client in [one for one in self.here.values() if one.machine is machine and not one.durable]:
            self.leave(client)

    def _follow(self, client: Client) -> bool:
        """Whether the client is where its key is; it goes there if that was handed over, once it can."""
        departed = self.world.departed
        suspect = client.life in departed or HANDED in client.tags
        if client.life is None:
            suspect = any(one.name == client.machine.name for one in departed)
        if not client.durable or not suspect:
            return True
        for machine in self.world.running():
            if self._shows(machine, client.key):  # perhaps the same one, whose next life was given it
                self.counters["followed"] += 1
                self.world.moved(client.machine, client.key, machine)
                client.machine, client.life = machine, machine.life
                client.tags.discard(HANDED)
                return True
        return client.life is None


def _kind(pool: Pool | None) -> str:
    """Of the address that a client wants: an aggregate has none for who does not say what it is for."""
    return Kind.LOOPBACK.value if pool is not None and pool.kind == Kind.AGGREGATE else ""
