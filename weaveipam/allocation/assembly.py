"""
Putting a block together that no single peer has whole: from what is free here and pieces of others.

It begins when every owner has said that it has no such block.  A *candidate* is an aligned block in which
owners meet; within one owner's addresses there is none, or its owner would have given it.  First the owners
are asked which of their pieces are free, of some candidates at a time, beginning with those of which the most
is here.  Then the pieces of the best candidate are collected, one after the other in the order of their
addresses, and each is given whole or not at all.  What has been collected, and what was free here, is kept
from everybody else meanwhile.  Addresses that rest are left alone.

*When one refuses*, everything goes back to whom it came from, by grants like any other, and after a pause the
whole is tried again, some times.  Two that want the same pieces so end: nobody waits for a piece while it
holds others, who comes first in the order of addresses mostly has all of it, and pauses are drawn at random
and get longer.  *When this node dies* half-way, it owns what it has collected, as it owns anything that was
granted; once it is back these are free islands, and drift takes them to a neighbour that can join them.  A
grant that comes after its piece has been given up goes back at once.  *When there are other pools*, all that
was collected goes back too, and it begins anew.

Does not know which requests wait, nor how whole blocks are searched for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from ring.address import Range, format_range
from ring.ring import Peer
from weaveipam.allocation.asking import Asking, Question
from weaveipam.allocation.candidates import Candidate, candidates
from weaveipam.allocation.donors import Goal, Neighbours, Search
from weaveipam.allocation.giving import Giver
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.keeping import Keeper
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.allocation.survey import Survey
from weaveipam.protocol.effects import Level, Report
from weaveipam.protocol.messages import (
    PIECES_MAX,
    Grant,
    Header,
    PieceFindings,
    PieceRequest,
    PieceSurvey,
    Refused,
    SpaceRefusal,
    Step,
)
from weaveipam.protocol.values import RingId

ATTEMPTS_MAX = 6
"""Looks that are taken for one search: each came to nothing as space moved, or a piece did not come."""


class _Held(NamedTuple):
    what: Range
    giver: Peer | None
    """None: it was here."""


@dataclass(slots=True, eq=False)
class Assembly:
    """One block in the making."""

    search: Search
    """That found no owner with a whole one."""
    survey: Survey = field(default_factory=Survey)
    target: Candidate | None = None
    """What is being collected."""
    held: list[_Held] = field(default_factory=list)
    silent: list[Peer] = field(default_factory=list)
    """Owners that gave no answer since candidates were looked for, or were not ready to."""
    attempts: int = 0
    """Looks that came to nothing."""
    resume_at: float = math.inf
    """When to look again after a pause."""


class Assembler:
    """
    All blocks that one node puts together; at most one for each goal.

    `start` begins one; answers and time drive it; `ended` says which searches are over, and how.
    """

    def __init__(
        self,
        me: Peer,
        settings: AllocationSettings,
        neighbours: Neighbours,
        rng: Random,
        giver: Giver,
        holdings: Holdings,
        awaits: Callable[[Goal], bool],
    ) -> None:
        self._me = me
        self._settings = settings
        self._neighbours = neighbours
        self._rng = rng
        self._giver = giver
        self._holdings = holdings
        self._keeper = Keeper(me, holdings)
        self._asking = Asking(settings, neighbours)
        self._awaits = awaits
        """Whether anybody still waits for a goal."""
        self._assemblies: dict[Goal, Assembly] = {}
        self._ended: list[tuple[Search, bool]] = []

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when `wake` has something to do."""
        return min([self._asking.wake_at, *(one.resume_at for one in self._assemblies.values())])

    def ended(self) -> list[tuple[Search, bool]]:
        """The searches whose assembly has ended since the last call, and whether the block is free here."""
        ended, self._ended = self._ended, []
        return ended

    def start(self, search: Search, now: float) -> list[Step]:
        """Try to put together what a search has not found whole."""
        one = self._assemblies[search.goal] = Assembly(search)
        self._look(one)
        return self._go_on(one, now)

    # Answers

    def found(self, header: Header, told: PieceFindings, now: float) -> list[Step]:
        """An owner says which of its pieces are free."""
        question = self._asking.answered(told.request, header.sender)
        if question is None or not isinstance(question.message, PieceSurvey):
            return []
        one = self._assemblies[question.goal]
        one.survey.told(question.peer, told.free)
        return self._go_on(one, now)

    def refused(self, header: Header, told: SpaceRefusal, now: float) -> list[Step]:
        """An owner says no."""
        question = self._asking.answered(told.request, header.sender)
        if question is None:
            return []
        one = self._assemblies[question.goal]
        if told.reason is Refused.NOT_READY:
            one.silent.append(question.peer)
        failed = self._fail(one, f"{question.peer} refused", now) if one.target is not None else []
        return [*failed, *self._go_on(one, now)]

    def granted(self, header: Header, told: Grant, now: float) -> list[Step]:
        """A grant is in the ring, and on disk: it may be a piece, to be kept from everybody else."""
        if self._asking.strayed(told.request):
            came = [Range(run.start, run.stop) for run in told.runs]
            return self._return(told.ring, came, header.sender, now)
        question = self._asking.answered(told.request, header.sender)
        if question is None or not isinstance(question.message, PieceRequest):
            return []
        one = self._assemblies[question.goal]
        piece = question.message.piece
        if self._keeper.keep(question.goal.part, piece):
            one.held.append(_Held(piece, header.sender))
            return self._go_on(one, now)
        return [*self._fail(one, f"{question.peer} gave something else", now), *self._go_on(one, now)]

    def wake(self, now: float) -> list[Step]:
        """Ask again whoever is late, or give up on him; look again where a pause is over."""
        again, over = self._asking.late(now)
        steps: list[Step] = [*again]
        for question in over:
            steps += self._unanswered(question, now)
        for one in list(self._assemblies.values()):
            if one.resume_at <= now:
                one.resume_at = math.inf
                self._look(one)
            steps += self._go_on(one, now)
        return steps

    def _unanswered(self, question: Question, now: float) -> list[Step]:
        one = self._assemblies[question.goal]
        one.silent.append(question.peer)
        return [] if one.target is None else self._fail(one, f"{question.peer} did not answer", now)

    def follow_pools(self, now: float) -> list[Step]:
        """There are other pools, and nothing is kept any more: begin anew, where there is a pool still."""
        self._keeper.forget()
        steps: list[Step] = []
        for goal, one in list(self._assemblies.items()):
            self._asking.forget(goal)
            held, one.held, one.target = one.held, [], None
            for each in held:
                if each.giver is not None:
                    steps += self._return(goal.part.ring, [each.what], each.giver, now)
            if goal.part in self._holdings.pools.stocks:
                one.attempts = 0  # those were about other pools
                self._pause(one, now)
            else:
                del self._assemblies[goal]
        return steps

    # Steps

    def _look(self, one: Assembly) -> None:
        """Find the candidates as things are now."""
        goal = one.search.goal
        stock = self._holdings.pools.stocks[goal.part]
        ring = self._holdings.rings[goal.part.ring]
        alive = [member.peer for member in self._neighbours.alive()]
        there = {peer for peer in alive if not self._holdings.belief.is_over(peer)}
        queue = candidates(goal, ring, stock.assignable, stock.space, self._me, there)
        one.survey, one.silent = Survey(queue, self._holdings.rings.moves.get(goal.part.ring, 0)), []

    def _go_on(self, one: Assembly, now: float) -> list[Step]:
        steps: list[Step] = []
        goal = one.search.goal
        while self._assemblies.get(goal) is one and one.resume_at == math.inf:
            if not self._awaits(goal):
                steps += self._release(one, now)
                self._end(one, found=False)
            elif self._asking.awaits(goal):
                break
            elif one.target is not None:
                steps += self._collect(one, one.target, now)
            else:
                steps += self._choose(one, now)
        return steps

    def _choose(self, one: Assembly, now: float) -> list[Step]:
        """Judge what was asked about: collect it, ask about more, or see that there is nothing."""
        one.target, near = one.survey.judge()
        if near is not None and (one.search.near is None or near[1] > one.search.near[1]):
            one.search.near = near  # for who must be told that it was not enough
        if one.target is not None:
            return self._keep(one, one.target, now)
        if one.survey.queue:
            return self._ask_about_more(one, now)
        moved = one.survey.moves != self._holdings.rings.moves.get(one.search.goal.part.ring, 0)
        if moved:
            self._pause(one, now)
        else:
            self._end(one, found=False)
        return []

    def _pause(self, one: Assembly, now: float) -> None:
        """Look again later, some times: the pauses get longer, and those of two nodes differ."""
        one.attempts += 1
        if one.attempts < ATTEMPTS_MAX:
            pause_s = self._settings.round_pause_s * 2**one.attempts
            one.resume_at = now + pause_s * (0.5 + self._rng.random())
        else:
            self._end(one, found=False)

    def _ask_about_more(self, one: Assembly, now: float) -> list[Step]:
        steps: list[Step] = []
        goal = one.search.goal
        for owner, pieces in one.survey.more().items():
            for first in range(0, len(pieces), PIECES_MAX):
                number = self._rng.getrandbits(63)
                asked = tuple(pieces[first : first + PIECES_MAX])
                survey = PieceSurvey(number, goal.part.pool, goal.part.ring, asked)
                steps += self._asking.ask(goal, owner, survey, now)
        return steps

    def _keep(self, one: Assembly, target: Candidate, now: float) -> list[Step]:
        """From now on nobody gets what is here of a candidate."""
        for what in target.own:
            if not self._keeper.keep(one.search.goal.part, what):
                return self._fail(one, "some of it was taken here", now)
            one.held.append(_Held(what, None))
        part = one.search.goal.part
        self._giver.be_content(part.ring, target.block)
        return []

    def _collect(self, one: Assembly, target: Candidate, now: float) -> list[Step]:
        """Ask for the next piece; with the last one the block is free here."""
        held = {each.what for each in one.held}
        missing = next((piece for piece in target.pieces if piece.what not in held), None)
        part = one.search.goal.part
        if missing is not None:
            number = self._rng.getrandbits(63)
            request = PieceRequest(number, part.pool, part.ring, missing.what)
            asked = self._asking.ask(one.search.goal, missing.owner, request, now)
            return [*asked] if asked else self._fail(one, f"{missing.owner} is gone", now)
        if sum(what.size for what in self._keeper.own(part.ring, [target.block])) < target.block.size:
            return self._fail(one, "some of it was lost here", now)
        for each in one.held:
            self._keeper.put_back(part, each.what)
        givers = sorted({str(each.giver) for each in one.held if each.giver is not None})
        self._end(one, found=True)
        text = format_range(part.ring.family, target.block)
        return [Report(Level.INFO, "block-assembled", (("range", text), ("peers", ",".join(givers))))]

    # Failing and ending

    def _fail(self, one: Assembly, why: str, now: float) -> list[Step]:
        """Give back what was collected, and try again later, some times."""
        target = one.target
        assert target is not None, "only a collection fails"
        text = format_range(one.search.goal.part.ring.family, target.block)
        steps = [
            Report(Level.INFO, "block-given-up", (("range", text), ("why", why))),
            *self._release(one, now),
        ]
        self._pause(one, now)
        return steps

    def _release(self, one: Assembly, now: float) -> list[Step]:
        """Hold nothing any more: each piece goes back to its giver, if that is there."""
        part = one.search.goal.part
        steps: list[Step] = []
        self._asking.forget(one.search.goal)
        held, one.held, one.target = one.held, [], None
        for each in held:
            self._keeper.put_back(part, each.what)
            if each.giver is not None:
                steps += self._return(part.ring, [each.what], each.giver, now)
        return steps

    def _return(self, ring: RingId, what: Iterable[Range], giver: Peer, now: float) -> list[Step]:
        """Each of some ranges goes back as far as it is this node's, if all of that is free."""
        steps: list[Step] = []
        for one in self._keeper.own(ring, what):
            free = sum(
                stock.space.free_within(what) for stock, what in self._holdings.pools.stocks_in(ring, one)
            )
            if free == one.size:
                steps += self._giver.give_unasked(ring, one, giver, now)
        return steps

    def _end(self, one: Assembly, *, found: bool) -> None:
        self._asking.forget(one.search.goal)
        del self._assemblies[one.search.goal]
        one.search.silent += one.silent
        self._ended.append((one.search, found))
