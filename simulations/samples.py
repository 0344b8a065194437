"""
The samples of a run as they are taken, and the chart that they make in the end.

Does not know when they are taken, of what kind of hosts, nor how the chart is drawn.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ring.address import Range, format_address
from ring.ring import Peer, Run
from simulations.facts import View
from simulations.outcome import BAND_CELLS, Chart, Mark, Sample
from simulations.pools import hulls_of
from weaveipam.protocol.values import Pool, RingId

NOBODY = -1
"""In a band: the cell has no owner."""

Rings = Mapping[RingId, Sequence[Run]]


class Samples:
    """Samples of one run, in order; machines may come while they are taken."""

    def __init__(self, pools: Iterable[Pool]) -> None:
        """None yet; `pools` are those of the cluster."""
        self.runs_max = 0
        """Runs of the largest ring in any sample."""
        self.runs_final = 0
        """Runs of the largest ring when all was settled; 0: it never was."""
        self._hulls = hulls_of(pools)
        self._owners: dict[Peer, int] = {}
        self._taken: list[Sample] = []

    def take(
        self,
        at: float,
        shown: Mapping[str, View | None],
        drawn: Sequence[Rings],
        sent_bytes: Mapping[str, int],
        given: int,
        refused: int,
    ) -> None:
        """
        One more, fields as of `Sample`.

        Args:
            at: When.
            shown: What each machine shows; None: nothing.  New machines come last.
            drawn: Rings that bands are drawn from; where they differ, by the latest statement.
            sent_bytes: By machine.
            given: As of `Sample`.
            refused: As of `Sample`.
        """
        views = shown.values()
        serving = [view for view in views if view is not None and view.serving]
        runs = _largest(serving)
        self.runs_max = max(self.runs_max, runs)
        self._taken.append(
            Sample(
                at=at,
                running=tuple(view is not None and view.serving for view in views),
                free=tuple(0 if view is None else sum(view.free.values()) for view in views),
                used=tuple(0 if view is None else sum(view.used.values()) for view in views),
                sent_bytes=tuple(sent_bytes.get(name, 0) for name in shown),
                bands={
                    str(ring): tuple(self._band(hull, [rings.get(ring, ()) for rings in drawn]))
                    for ring, hull in self._hulls.items()
                },
                opinions=len({tuple(view.rings.items()) for view in serving}),
                runs=runs,
                given=given,
                refused=refused,
            )
        )

    def settle(self, views: Iterable[View]) -> None:
        """Note how large rings are now, as all is settled and daemons show this."""
        self.runs_final = _largest(one for one in views if one.serving)

    def chart(self, machines: Iterable[str], marks: Iterable[Mark], spells: Iterable[float]) -> Chart:
        """
        What there is to draw.

        Args:
            machines: All that there were, in the order of the samples.
            marks: As of `Chart`.
            spells: `Chart.convergences`.
        """
        names = tuple(machines)
        return Chart(
            machines=names,
            owners=tuple(_named(self._owners)),
            rings={str(ring): _ends(ring, hull) for ring, hull in self._hulls.items()},
            samples=tuple(_padded(one, len(names)) for one in self._taken),
            marks=tuple(marks),
            convergences=tuple(spells),
        )

    def _band(self, hull: Range, rings: Sequence[Sequence[Run]]) -> Iterator[int]:
        for cell in range(BAND_CELLS):
            middle = hull.start + (2 * cell + 1) * hull.size // (2 * BAND_CELLS)
            said = [run for runs in rings if (run := _at(runs, middle)) is not None]
            latest = max(said, key=lambda run: run.token, default=None)
            yield NOBODY if latest is None else self._owners.setdefault(latest.owner, len(self._owners))


def _largest(views: Iterable[View]) -> int:
    """How many runs the largest ring has."""
    return max((len(runs) for view in views for runs in view.rings.values()), default=0)


def _at(runs: Sequence[Run], address: int) -> Run | None:
    number = bisect_right(runs, address, key=lambda run: run.start) - 1
    return runs[number] if number >= 0 and address < runs[number].stop else None


def _named(owners: Iterable[Peer]) -> Iterator[str]:
    """As of `Chart.owners`."""
    lives: Counter[str] = Counter()
    for peer in owners:
        lives[peer.name] += 1
        yield peer.name if lives[peer.name] == 1 else f"{peer.name}'{lives[peer.name]}"


def _ends(ring: RingId, hull: Range) -> str:
    return " ".join(format_address(ring.family, one) for one in (hull.start, hull.stop - 1))


def _padded(sample: Sample, machines_count: int) -> Sample:
    """With a place for every machine, also for those that came later."""
    none = (0,) * (machines_count - len(sample.running))
    return replace(
        sample,
        running=sample.running + (False,) * len(none),
        free=sample.free + none,
        used=sample.used + none,
        sent_bytes=sample.sent_bytes + none,
    )
