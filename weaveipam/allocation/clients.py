"""
What clients ask for, answered from what this node owns; what cannot be answered at once waits for space.

A request has all that it wants or nothing.  One that waits is tried again with whatever may help it, and
refused at its deadline, or when nobody has what it wants.

Does not know how space is found, nor that a node may leave.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from ring.address import Range, format_range
from weaveipam.allocation.donors import Goal, helps
from weaveipam.allocation.explain import why_closed, why_late, why_none
from weaveipam.allocation.giving import Giver
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.leasing import Leasing, Taken
from weaveipam.allocation.marks import Marks
from weaveipam.allocation.orders import Line, repeated, resolve, satisfies
from weaveipam.allocation.pending import Pending, Waiting
from weaveipam.allocation.pools import Part
from weaveipam.allocation.rings import Change
from weaveipam.allocation.seeking import Seeker
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.allocation.standing import Standing
from weaveipam.protocol.effects import Level, Reply, Report
from weaveipam.protocol.messages import Step
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    Collect,
    Reason,
    Refusal,
    Release,
    Released,
    Subject,
    Want,
)
from weaveipam.protocol.values import Allocation, Assigned, RingId


class Clients:
    """The requests of one node's clients."""

    def __init__(
        self,
        settings: AllocationSettings,
        holdings: Holdings,
        pending: Pending,
        seeker: Seeker,
        giver: Giver,
        marks: Marks,
        standing: Standing,
    ) -> None:
        self._settings = settings
        self._holdings = holdings
        self._pending = pending
        self._seeker = seeker
        self._giver = giver
        self._marks = marks
        self._standing = standing
        self._leasing = Leasing(holdings)
        self._node_labels = dict(settings.node_labels)

    def allocate(self, request_id: int, request: Allocate, now: float) -> list[Step]:
        """Answer an allocation at once, or let it wait for space."""
        waiting = Waiting(request_id, request, now + max(0.0, request.wait_s))
        if self._standing.serving:
            return self._attempt(waiting, now)
        if len(self._pending) >= self._settings.pending_max:
            return self._overloaded(waiting)
        self._pending.add(waiting)
        return []

    def release(self, request_id: int, request: Release, now: float) -> list[Step]:
        """Give back what a key or an address holds."""
        held = None
        steps: list[Step] = []
        if request.key is not None:
            held = self._holdings.leases.get(request.network, request.key)
            for one in self._pending.of_key(request.network, request.key):
                steps += self._refuse(one, Reason.CONFLICT, "the key was released while it waited")
        elif request.address is not None:
            family, address = request.address
            ring = RingId(request.network, family)
            held = self._holdings.leases.at(ring, address)
            run = self._holdings.rings[ring].at(address)
            for lent in self._holdings.loans.meeting(ring, Range(address, address + 1)) if not held else ():
                detail = f"key {lent.loan.key} holds this address at {lent.holder.name}; release it there"
                return [*steps, Reply(request_id, Refusal(Reason.NOT_OWNER, detail))]
            if held is None and run is not None and run.owner != self._holdings.me:
                detail = f"{run.owner.name} owns this address; release it there"
                return [Reply(request_id, Refusal(Reason.NOT_OWNER, detail))]
        given = () if held is None else (held,)
        return [*steps, *self._give_back(request_id, given, now)]

    def collect(self, request_id: int, request: Collect, now: float) -> list[Step]:
        """Give back everything of a prefix that is not to be kept."""
        keep = frozenset(request.keep)
        found = self._holdings.leases.starting_with(request.network, request.prefix)
        given = tuple(one for one in found if one.key not in keep)
        return self._give_back(request_id, given, now)

    def _give_back(self, request_id: int, given: tuple[Allocation, ...], now: float) -> list[Step]:
        steps = [*self._leasing.give_back(given, now), Reply(request_id, Released(given))]
        self._giver.arm(now)
        return [*steps, *self.retry(None, now)] if given and self._standing.serving else steps

    def expire(self, now: float) -> list[Step]:
        """Give back what was given for a time that is over."""
        over = self._leasing.take_over(now)
        if not over:
            return []
        steps = self._leasing.give_back(over, now)
        for one in over:
            addresses = ", ".join(format_range(each.family, each.range) for each in one.addresses)
            fields = (("key", one.key), ("network", one.network), ("addresses", addresses))
            steps.append(Report(Level.INFO, "lease-expired", fields))
        self._giver.arm(now)
        return [*steps, *self.retry(None, now)]

    def cancel(self, request_id: int) -> list[Step]:
        """The client has gone; what it was given already stays given."""
        self._pending.drop(request_id)
        return []

    def wake(self, now: float) -> list[Step]:
        """Refuse who has waited for too long."""
        steps: list[Step] = []
        for waiting in self._pending:
            if waiting.deadline <= now:
                steps += self._end_wait(waiting, now)
        return steps

    def _end_wait(self, waiting: Waiting, now: float) -> list[Step]:
        awaited = None if waiting.goal is None else self._seeker.get(waiting.goal)
        steps: list[Step] = []
        if self._standing.serving:
            waiting.late = True
            steps += self._attempt(waiting, now)
            if waiting not in self._pending:
                return steps
        ready = self._standing.serving and self._standing.admitted
        return [*steps, *self._refuse(waiting, Reason.NOT_READY, why_late(waiting, awaited, ready=ready))]

    def refuse_waiting(self, detail: str) -> list[Step]:
        """Nobody waits any longer."""
        return [step for one in self._pending for step in self._refuse(one, Reason.NOT_READY, detail)]

    def help(self, change: Change, now: float) -> list[Step]:
        """Try those again whom a change of the rings may help."""
        if not change.gained or not self._standing.serving:
            return []
        helped = [one for one in self._pending if one.goal is None or helps(change, one.goal)]
        return self._try_again(helped, now)

    # Allocating

    def _attempt(self, waiting: Waiting, now: float) -> list[Step]:
        request = waiting.request
        held = self._holdings.leases.get(request.network, request.key)
        pools = self._holdings.pools
        asked, labels = (request, self._node_labels) if held is None else (repeated(request, held), None)
        lines = resolve(asked, pools, labels)
        if isinstance(lines, Refusal):
            return self._refuse(waiting, lines.reason, lines.detail)
        if held is not None:
            if request.wants and not satisfies(held, lines):
                has = ", ".join(format_range(one.family, one.range) for one in held.addresses)
                detail = f"key {request.key} already holds {has}; release it first, or use another key"
                return self._refuse(waiting, Reason.CONFLICT, detail)
            renewed, persist = self._leasing.renew(held, now, durable=request.durable, ttl_s=request.ttl_s)
            if persist is None:
                return self._answer(waiting, renewed, now)
            self._marks.gave(now)
            return [persist, *self._answer(waiting, renewed, now)]
        for line in lines:
            closed = why_closed(self._holdings.pools, line)
            if closed is not None:
                return self._refuse(waiting, *closed)
        lines = tuple(line.of(partial(self._holdings.pools.is_open, line.size)) for line in lines)
        taken: list[Taken] = []
        for line in lines:
            what = self._take(line, waiting)
            if what is None:  # all or nothing
                for one in taken:
                    self._leasing.put_back(one)
                return self._look_around(line, waiting, now)
            taken.append(what)
        addresses = (self._holdings.pools.assigned(one.part.ring, one.range) for one in taken)
        return self._lease(waiting, tuple(addresses), now)

    def _take(self, line: Line, waiting: Waiting) -> Taken | None:
        for part in line.parts:
            goal = Goal(part, line.within, line.size)
            cooling = line.exact or self._last_resort(goal, waiting)
            if not (cooling or waiting.late or self._seeker.is_next(goal, waiting)):
                return None
            what = self._leasing.take(part, line.size, line.within, cooling=cooling)
            if what is not None:
                return what
        return None

    def _last_resort(self, goal: Goal, waiting: Waiting) -> bool:
        return goal in waiting.failed or self._seeker.is_last_resort(goal)

    def _lease(self, waiting: Waiting, addresses: tuple[Assigned, ...], now: float) -> list[Step]:
        request = waiting.request
        allocation = Allocation(
            request.key, request.network, addresses, request.durable, request.labels, request.ttl_s
        )
        self._giver.put_off(now)
        self._marks.gave(now)
        steps: list[Step] = [self._leasing.lease(allocation)]
        self._holdings.leases.terms.begin(now)
        steps += self._answer(waiting, allocation, now)
        for one in addresses:
            part = Part(one.pool, RingId(request.network, one.family))
            steps += self._seeker.used(part, now) if part in self._holdings.pools.stocks else []
        return steps

    def _look_around(self, line: Line, waiting: Waiting, now: float) -> list[Step]:
        if waiting not in self._pending and len(self._pending) >= self._settings.pending_max:
            return self._overloaded(waiting)
        if not self._standing.admitted:
            self._pending.add(waiting)
            return []
        for part in line.parts:
            goal = Goal(part, line.within, line.size)
            if goal in waiting.failed:
                continue
            waiting.goal = goal
            self._pending.add(waiting)
            return self._seeker.seek(goal, now)
        reachable = self._seeker.reachable()
        failed = waiting.failed.values()
        asked = not any(reachable.intersection(one.silent) for one in failed) and not self._is_unheard(line)
        if not asked and not any(one.taken for one in failed):
            return self._begin_again(line, waiting, now)
        reason, detail = why_none(self._holdings, line, waiting, reachable)
        return self._refuse(waiting, reason, detail)

    def _begin_again(self, line: Line, waiting: Waiting, now: float) -> list[Step]:
        """Search anew after a pause: a member that gave no answer, or is not known to own it, may have it."""
        waiting.failed.clear()
        waiting.goal = Goal(line.parts[0], line.within, line.size)
        self._seeker.seek_later(waiting.goal, now + self._settings.round_pause_s)
        return []

    def _is_unheard(self, line: Line) -> bool:
        """
        Whether it is not known here who owns some of what is wanted.

        Who took no part in the decision that made a pool hears of the pool first, and then of its owners.
        """
        ring = self._holdings.rings[line.ring]
        areas = [one for part in line.parts for one in self._holdings.pools.stocks[part].assignable]
        wanted = [both for one in line.within for area in areas if (both := one.meet(area))]
        known = (
            (sum(run.stop - run.start for run in ring.within(one)), one.size)
            for one in (wanted if line.within else areas)
        )
        return any(owned < size for owned, size in known)

    def _overloaded(self, waiting: Waiting) -> list[Step]:
        detail = f"{self._settings.pending_max} requests wait already; try again shortly"
        return [Reply(waiting.request_id, Refusal(Reason.OVERLOADED, detail))]

    def _answer(self, waiting: Waiting, allocation: Allocation, now: float) -> list[Step]:
        self._pending.drop(waiting.request_id)
        left_s = self._holdings.leases.terms.left_s(allocation, now)
        return [Reply(waiting.request_id, Allocated(allocation, left_s))]

    def _refuse(self, waiting: Waiting, reason: Reason, detail: str) -> list[Step]:
        self._pending.drop(waiting.request_id)
        return [Reply(waiting.request_id, Refusal(reason, detail))]

    def refuse_all(self, detail: str) -> list[Reply]:
        """Nobody waits any longer: this node will answer nothing more."""
        return [Reply(one.request_id, Refusal(Reason.NOT_READY, detail)) for one in self._pending]

    def retry(self, goal: Goal | None, now: float) -> list[Step]:
        """Try the waiting requests again: those that wait for a goal, or all."""
        return self._try_again([one for one in self._pending if goal is None or one.goal == goal], now)

    def _try_again(self, chosen: Iterable[Waiting], now: float) -> list[Step]:
        steps: list[Step] = []
        dry: dict[tuple[str, tuple[Want, ...], str, Subject], Goal | None] = {}
        for waiting in chosen:
            if waiting not in self._pending:
                continue
            request = waiting.request
            asks = (request.network, request.wants, request.name, request.subject)
            if asks in dry and not waiting.failed:
                waiting.goal = dry[asks]  # found nothing a moment ago, so this one would not either
                continue
            steps += self._attempt(waiting, now)
            if waiting in self._pending:
                dry[asks] = waiting.goal
        return steps
