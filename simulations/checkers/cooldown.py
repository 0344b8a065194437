"""
A released address rests before somebody else gets it, as long as others are free.

Not so after its machine has lost its power or its disk: what rests is not on stable storage.  Nor where it
has moved to another daemon meanwhile, which asked for it as nobody had anything else; nor once it has
belonged to no pool.
Does not know clocks that run wrong: whoever sets up the run allows for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ring.address import subtract
from simulations.checkers.base import Address, Questions, shown
from simulations.checkers.spans import Spans
from simulations.checkers.told import Holder
from simulations.facts import (
    Asked,
    Began,
    Changed,
    Changing,
    Emptied,
    Fact,
    Forgot,
    Given,
    Refused,
    Taken,
    Vanished,
)
from simulations.pools import domains_of, pools_at
from weaveipam.protocol.values import Pool

FREE_ENOUGH = 8
"""
Free addresses at the daemon itself that leave no excuse for giving away one that rests.

With fewer they may have come back from a daemon that had asked for them as nobody had anything else.
"""


@dataclass(frozen=True, slots=True)
class _Release:
    machine: str
    asked: float
    """The earliest time at which it may have happened."""
    taken: float
    """The latest."""


DRIFT_MARGIN = 0.9
"""Of a cooldown that is demanded: the slowest clock takes five hundredths more, the fastest less."""


class Cooldown:
    """What the operator was promised about `cooldown`; that of its pool counts first."""

    name = "cooldown"

    def __init__(self, cooldown_s: float) -> None:
        self._cooldown_s = cooldown_s
        self._questions = Questions()
        self._resting: Spans[_Release] = Spans()
        self._releases: deque[tuple[Address, _Release]] = deque()
        """All in `_resting`, oldest first."""
        self._first: dict[Holder, int] = {}
        """The first request of each key; a later one may be answered with what was given before."""
        self._changes: dict[int, Changing] = {}
        """Of pools, by request, that are open."""
        self._seen: dict[str, list[Pool]] = {}
        """What each pool may ever have been."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        asked = self._questions.hear(fact)
        match fact:
            case Asked(give=True):
                self._first.setdefault((fact.machine, fact.key), fact.request)
            case Taken() if asked is not None:
                release = _Release(asked.machine, asked.when, fact.when)
                for address in fact.addresses:
                    self._resting.put(address, release)
                    self._releases.append((address, release))
            case Given() if asked is not None:
                self._thaw(fact.when)
                yield from self._judge(asked, fact)
            case Emptied() | Forgot():
                self._forget(lambda _address, release: release.machine == fact.machine)
            case Began():
                self._seen = {pool.name: [pool] for pool in fact.pools}
            case Changing():
                self._changes[fact.request] = fact
            case Changed() | Vanished() if fact.request in self._changes:
                self._change(self._changes.pop(fact.request))
            case Refused():
                self._changes.pop(fact.request, None)
            case _:
                pass

    def _judge(self, asked: Asked, given: Given) -> Iterator[str]:
        again = self._first.get((asked.machine, asked.key)) != asked.request
        if again or (given.free_before or 0) <= FREE_ENOUGH:
            return
        for address in given.addresses:
            for release in self._resting.meeting(address):
                rested_s = given.when - release.asked
                here = release.machine == asked.machine
                if here and release.taken <= asked.when and rested_s < self._rest_s(address):
                    yield (
                        f"{shown(address)} was given to {asked.key} at {asked.machine} "
                        f"{rested_s:.3f} s after its release, with {given.free_before} free"
                    )

    def _rest_s(self, address: Address) -> float:
        """How long an address rests at least, whatever its pool may have been."""
        found = [pool for seen in self._seen.values() for pool in pools_at(seen, address)]
        if not self._cooldown_s or not found:
            return self._cooldown_s
        own = (one.cooldown_s for one in found)
        return min(self._cooldown_s if one is None else DRIFT_MARGIN * one for one in own)

    def _thaw(self, now: float) -> None:
        """Forget what has rested; the order is that of the answers, so some stay a little longer."""
        while self._releases and self._releases[0][1].taken + self._cooldown_s <= now:
            self._resting.remove(*self._releases.popleft())

    def _change(self, change: Changing) -> None:
        """What the pool may have had, and has no more, may be part of another pool at any time."""
        seen = self._seen.setdefault(change.name, [])
        left = domains_of([] if change.wanted is None else [change.wanted])
        gone = [
            (ring, one)
            for pool in seen
            for ring, domain in domains_of([pool]).items()
            for one in subtract(domain, left.get(ring, ()))
        ]
        self._forget(
            lambda address, _release: any(address[0] == ring and address[1].meet(one) for ring, one in gone)
        )
        if change.wanted is not None and change.wanted not in seen:
            seen.append(change.wanted)

    def _forget(self, over: Callable[[Address, _Release], bool]) -> None:
        gone = [one for one in self._releases if over(*one)]
        for address, release in gone:
            self._resting.remove(address, release)
        self._releases = deque(one for one in self._releases if one not in gone)
