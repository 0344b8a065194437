"""
A request fails as exhausted only if nobody in reach has a free address.

Judged with care: somebody counts as having free addresses if two observations in a row, the second after the
refusal, show more of them than requests have been put since.  Does not know how space moves.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulations.checkers.base import Questions
from simulations.facts import Asked, Fact, Observed, Refused

MARGIN = 4
"""Addresses to spare: some may have been set free, and be on their way, just now."""


class Work:
    """Invariant 6."""

    name = "work"

    def __init__(self) -> None:
        self._questions = Questions()
        self._refused: list[tuple[Asked, Refused]] = []
        self._asked_count = 0
        """Since the observation before."""
        self._before: Observed | None = None

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        asked = self._questions.hear(fact)
        match fact:
            case Asked(give=True):
                self._asked_count += 1
            case Refused(reason="exhausted") if asked is not None and asked.size == 1:
                self._refused.append((asked, fact))
            case Observed():
                if self._before is not None:
                    for one, refused in self._refused:
                        if one.when >= self._before.when:
                            yield from self._judge(one, refused, self._before, fact)
                waiting = sum(1 for one in self._questions if one.give)
                self._before, self._refused, self._asked_count = fact, [], waiting
            case _:
                pass

    def _judge(self, asked: Asked, refused: Refused, before: Observed, after: Observed) -> Iterator[str]:
        mine = [one.views.get(asked.machine) for one in (before, after)]
        for name in sorted(after.reach.get(asked.machine, ())):
            theirs = [one.views.get(name) for one in (before, after)]
            pairs = zip(mine, theirs, strict=True)
            if not all(me and they and they.serving and name in me.alive for me, they in pairs):
                continue
            free = min(min(they.free.values(), default=0) for they in theirs if they is not None)
            if free > self._asked_count + MARGIN:
                yield (
                    f"{asked.machine} refused {asked.key} as exhausted at {refused.when:.3f}, "
                    f"while {name} was in reach and had {free} free addresses: {refused.detail}"
                )
