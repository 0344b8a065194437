"""
What owners are asked for, until they have answered, or have given no answer for too long.

Does not know which addresses are wanted, nor what for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from ring.ring import Peer
from weaveipam.allocation.donors import Goal, Neighbours, as_life
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import PieceRequest, PieceSurvey, SpaceRequest, Tell

Asked: TypeAlias = PieceSurvey | PieceRequest | SpaceRequest

STRAYS_MAX = 256
"""Given up requests for pieces that are remembered, so that a late grant is known for what it is."""


@dataclass(slots=True)
class Question:
    """One that is not answered yet."""

    goal: Goal
    """For which it was asked."""
    peer: Peer
    message: Asked
    wake_at: float
    """Seconds on the monotonic clock: when the answer is late."""
    tries: int = 1


class Asking:
    """All open questions of one node, by number."""

    def __init__(self, settings: AllocationSettings, neighbours: Neighbours) -> None:
        self._settings = settings
        self._neighbours = neighbours
        self._open: dict[int, Question] = {}
        self._strays: dict[int, None] = {}
        """Numbers of requests that were given up, oldest first."""

    @property
    def wake_at(self) -> float:
        """Seconds on the monotonic clock: when an answer is late."""
        return min([one.wake_at for one in self._open.values()]) if self._open else math.inf

    def awaits(self, goal: Goal) -> bool:
        """Whether a question is open that was asked for a goal."""
        return any(one.goal == goal for one in self._open.values())

    def ask(self, goal: Goal, peer: Peer, message: Asked, now: float) -> list[Tell]:
        """Ask an owner; nothing if it is not there."""
        member = as_life(peer, self._neighbours)
        if member is None or not member.present:
            return []
        self._open[message.request] = Question(goal, peer, message, now + self._settings.donor_timeout_s)
        return [Tell(member.endpoint, message)]

    def answered(self, number: int, sender: Peer) -> Question | None:
        """The question that was answered, which is over now; None if it is not open, or not the sender's."""
        question = self._open.get(number)
        if question is None or question.peer != sender:
            return None
        return self._open.pop(number)

    def late(self, now: float) -> tuple[list[Tell], list[Question]]:
        """The late questions: those asked again, and those given up, after some tries or as who is gone."""
        again: list[Tell] = []
        over: list[Question] = []
        for number, one in list(self._open.items()):
            if one.wake_at > now:
                continue
            member = as_life(one.peer, self._neighbours)
            if member is None or one.tries >= self._settings.donor_tries:
                self._give_up(number)
                over.append(one)
                continue
            one.tries += 1
            one.wake_at = now + self._settings.donor_timeout_s
            again.append(Tell(member.endpoint, one.message))
        return again, over

    def forget(self, goal: Goal) -> None:
        """Await no answer any more that was to be for a goal."""
        for number, one in list(self._open.items()):
            if one.goal == goal:
                self._give_up(number)

    def strayed(self, number: int) -> bool:
        """Whether a grant answers a request that was given up; asked once for each."""
        strayed = number in self._strays
        self._strays.pop(number, None)
        return strayed

    def _give_up(self, number: int) -> None:
        if isinstance(self._open.pop(number).message, PieceRequest):
            self._strays[number] = None
            while len(self._strays) > STRAYS_MAX:
                del self._strays[next(iter(self._strays))]
