"""
A request fails as exhausted only if nobody in reach has a free address.

Judged with care: somebody could have helped who was in reach and had free addresses at every observation
from the one before the request to the one after its refusal, each time more than were asked for in between
anywhere.  Nobody is known to have any where a pool is of both families, nor while pools are changed, as
addresses are kept back then.  Does not know how space moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simulations.checkers.base import Questions
from simulations.facts import Asked, Began, Changed, Changing, Down, Fact, Observed, Refused, Vanished
from simulations.pools import is_mixed
from weaveipam.protocol.values import Pool

MARGIN = 4
"""Addresses to spare: some may have been set free, and be on their way, just now."""


class Work:
    """Invariant 6."""

    name = "work"

    def __init__(self) -> None:
        self._questions = Questions()
        self._refused: list[tuple[Asked, Refused]] = []
        """Since the observation before, as the next two."""
        self._wanted = 0
        """Addresses, with those for which clients waited already."""
        self._fallen: set[str] = set()
        self._is_known = True
        """Whether what daemons show as free is what clients may ask for."""
        self._limited = False
        """Whether a pool ever limits what a daemon hands out."""
        self._changes: set[int] = set()
        """Requests that change pools, and are open."""
        self._changed = False
        """Whether any was since the observation before."""
        self._before: Observed | None = None
        self._could_help: dict[int, frozenset[str]] = {}
        """By request that waits: machines that could have helped as long as it does."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        asked = self._questions.hear(fact)
        if isinstance(fact, Changing):
            self._changes.add(fact.request)
            self._changed = True
            self._limit([] if fact.wanted is None else [fact.wanted])
        elif isinstance(fact, Changed | Refused | Vanished):
            self._changes.discard(fact.request)
        match fact:
            case Began():
                self._is_known = not any(map(is_mixed, fact.pools))
                self._limit(fact.pools)
            case Asked(give=True):
                self._wanted += fact.size
            case Refused(reason="exhausted") if asked is not None and self._is_judged(asked):
                self._refused.append((asked, fact))
            case Down():
                self._fallen.add(fact.machine)
            case Observed():
                yield from self._look(fact)
            case _:
                if asked is not None:
                    self._could_help.pop(asked.request, None)

    def _limit(self, pools: Iterable[Pool]) -> None:
        self._limited = self._limited or any(pool.node_limit is not None for pool in pools)

    def _is_judged(self, asked: Asked) -> bool:
        """Whether any one address will do, of pools that do not limit what a daemon hands out."""
        if not asked.give or asked.size > 1:
            return False
        wish = asked.wish
        if wish is None:
            return True
        certain = wish.name or any(one.within or one.index is not None for one in wish.wants)
        return not certain and not self._limited

    def _look(self, now: Observed) -> Iterator[str]:
        waiting = [one for one in self._questions if one.give]
        helpers: dict[str, frozenset[str]] = {}
        for one in [*waiting, *(asked for asked, _ in self._refused)]:
            if one.machine not in helpers:
                helpers[one.machine] = frozenset(self._helpers(one.machine, now))
            could = helpers[one.machine]
            self._could_help[one.request] = self._could_help.get(one.request, could) & could
        for asked, refused in self._refused:
            for name in sorted(self._could_help.pop(asked.request)):
                free = _free(now, name)
                yield (
                    f"{asked.machine} refused {asked.key} as exhausted at {refused.when:.3f}, "
                    f"while {name} was in reach and had {free} free addresses: {refused.detail}"
                )
        self._before, self._refused, self._fallen = now, [], set()
        self._changed = bool(self._changes)
        self._wanted = sum(one.size for one in waiting)

    def _helpers(self, machine: str, now: Observed) -> Iterator[str]:
        """Who could have helped a machine ever since the observation before."""
        before = self._before
        if before is None or not self._is_known or self._changed:
            return
        for name in now.reach.get(machine, ()):
            if name not in self._fallen and all(
                name in _seen_alive(one, machine) and _free(one, name) > self._wanted + MARGIN
                for one in (before, now)
            ):
                yield name


def _seen_alive(observed: Observed, machine: str) -> frozenset[str]:
    view = observed.views.get(machine)
    return frozenset() if view is None else view.alive


def _free(observed: Observed, machine: str) -> int:
    """Free addresses that a machine shows, in the pool that has the fewest; 0 if it does not serve."""
    view = observed.views.get(machine)
    return min(view.free.values(), default=0) if view is not None and view.serving else 0
