"""
No address is lost: when all is settled, every address of the pools has one owner, and it knows.

Nobody who was removed owns any.

Does not know what is allocated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ring.address import Range, format_range, subtract
from ring.invariants import violations
from ring.ring import Peer, Run
from simulations.facts import Began, Departed, Fact, Forgot, Observed, Removed
from simulations.pools import domains_of, shown_pools
from weaveipam.protocol.values import Pool, RingId


class Coverage:
    """Invariant 3."""

    name = "coverage"

    def __init__(self) -> None:
        self._pools: tuple[Pool, ...] = ()
        """Of the beginning."""
        self._removed: set[Peer] = set()
        self._departed: set[Peer] = set()
        self._forgetful = False
        """Whether a daemon has lost its disk, and with it what it was to give away."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        match fact:
            case Began():
                self._pools = fact.pools
            case Removed():
                self._removed.update(fact.lives)
            case Departed():
                self._departed.add(fact.life)
            case Forgot():
                self._forgetful = True
            case Observed(settled=True):
                domains = domains_of(shown_pools(fact.views, self._pools))
                held = {ring for view in fact.views.values() for ring in view.rings}
                for ring in sorted(held.union(domains)):
                    yield from _judge(ring, domains.get(ring, ()), fact, self._removed)
                yield from self._abandoned(fact)
            case _:
                pass

    def _abandoned(self, observed: Observed) -> Iterator[str]:
        """
        What belongs to those who have left.

        Not so where a grant is open: its donor was out of reach when the heir left, and nobody knew of it.
        """
        if any(view.outgoing for view in observed.views.values()) or observed.gone or self._forgetful:
            return
        for machine, view in observed.views.items():
            for ring, runs in view.rings.items():
                for run in runs:
                    if run.owner in self._departed:
                        text = format_range(ring.family, Range(run.start, run.stop))
                        yield f"{machine} holds that {text} is {run.owner}'s, who has left"


def _judge(
    ring: RingId, domain: Sequence[Range], observed: Observed, removed: Collection[Peer]
) -> Iterator[str]:
    serving = {name: view for name, view in observed.views.items() if view.serving}
    own = {
        view.life: _owned(view.rings.get(ring, ())).get(view.life, [])
        for view in serving.values()  # who is down, or over, nobody can ask
    }
    judged: list[tuple[Run, ...]] = []
    for machine, view in serving.items():
        runs = view.rings.get(ring, ())
        if runs in judged:  # as nearly all are
            continue
        judged.append(runs)
        yield from (f"{machine}, ring {ring}: {one}" for one in violations(runs, domain))
        for owner, ranges in _owned(runs).items():
            if owner in removed:
                texts = ", ".join(format_range(ring.family, one) for one in ranges)
                yield f"{machine} believes that {texts} is {owner}'s, who was removed"
            for lost in subtract(ranges, own[owner]) if owner in own else ():
                text = format_range(ring.family, lost)
                yield f"{machine} believes that {text} is {owner.name}'s, who does not know of it"


def _owned(runs: Sequence[Run]) -> dict[Peer, list[Range]]:
    owned: dict[Peer, list[Range]] = {}
    for run in runs:
        owned.setdefault(run.owner, []).append(Range(run.start, run.stop))
    return owned
