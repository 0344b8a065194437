"""
Looks at the daemons of a run now and then: facts for the checkers, samples and spells for the charts.

Does not know what is done to the daemons, except which of them packets can pass between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ring.address import format_address
from ring.ring import Peer
from simulations.facts import Began, Observed, View
from simulations.hosts.host import Host
from simulations.hosts.journal import Journal
from simulations.hosts.observe import bands, look
from simulations.outcome import Chart, Sample
from simulations.pools import hulls_of, rings_of
from weaveipam.protocol.values import Pool

Reach = Mapping[str, frozenset[str]]
"""By host, those with which it can exchange packets both ways."""


class Watcher:
    """All that is seen of the daemons of one run."""

    def __init__(
        self,
        hosts: Mapping[str, Host],
        pools: Sequence[Pool],
        journal: Journal,
        sent_bytes: Callable[[], Mapping[str, int]],
    ) -> None:
        """
        Sees nothing yet.

        Args:
            hosts: By name; may grow.
            pools: Of the cluster.
            journal: Where facts go.
            sent_bytes: What each host has sent since the beginning.
        """
        self.samples: list[Sample] = []
        self.spells: list[float] = []
        """Seconds of every spell during which daemons that reach each other held different rings."""
        self.runs_max = 0
        self._hosts = hosts
        self._pools = tuple(pools)
        self._journal = journal
        self._sent_bytes = sent_bytes
        self._owners: list[Peer] = []
        self._differ_since: float | None = None
        self._reach: Reach = {}
        journal.state(partial(Began, pools=tuple(pools)))

    @property
    def differ(self) -> bool:
        """Whether daemons that reach each other held different rings when they were last looked at."""
        return self._differ_since is not None

    def passes(self, reach: Reach) -> None:
        """From now on packets pass between these; facts tell who reached whom all the while."""
        self._reach = {name: others & self._reach.get(name, others) for name, others in reach.items()}

    def observe(self, reach: Reach, *, settled: bool = False) -> dict[str, View]:
        """What all daemons show now; `reach`: between whom packets pass now."""
        running = [host for host in self._hosts.values() if host.running]
        views, at_once = look(running, rings_of(self._pools))
        for name, view in views.items():
            self._hosts[name].life = view.life
        if at_once:
            between = {name: others & views.keys() for name, others in self._reach.items()}
            self._journal.state(partial(Observed, views=views, settled=settled, reach=between))
            self._reach = reach
        self._compare(views, reach)
        self._sample(views)
        return views

    def chart(self) -> Chart:
        """What there is to draw."""
        lives: Counter[str] = Counter()
        owners = []
        for peer in self._owners:
            lives[peer.name] += 1
            owners.append(peer.name if lives[peer.name] == 1 else f"{peer.name}'{lives[peer.name]}")
        ends = {
            str(ring): " ".join(format_address(ring.family, one) for one in (hull.start, hull.stop - 1))
            for ring, hull in hulls_of(self._pools).items()
        }
        count = len(self._hosts)
        return Chart(
            machines=tuple(self._hosts),
            owners=tuple(owners),
            rings=ends,
            samples=tuple(_padded(one, count) for one in self.samples),
            marks=tuple(self._journal.marks),
            convergences=tuple(self.spells),
        )

    def _compare(self, views: Mapping[str, View], reach: Reach) -> None:
        now = self._journal.now
        if all(_agree(views[one], views[other]) for one, other in _pairs(views, reach)):
            if self._differ_since is not None:
                self.spells.append(now - self._differ_since)
                self._differ_since = None
        elif self._differ_since is None:
            self._differ_since = now

    def _sample(self, views: Mapping[str, View]) -> None:
        shown = [views.get(name) for name in self._hosts]
        rings = [view.rings for view in views.values() if view.serving]
        runs = max((len(held) for one in rings for held in one.values()), default=0)
        sent_bytes = self._sent_bytes()
        self.runs_max = max(self.runs_max, runs)
        self.samples.append(
            Sample(
                at=self._journal.now,
                running=tuple(view is not None and view.serving for view in shown),
                free=tuple(0 if view is None else sum(view.free.values()) for view in shown),
                used=tuple(0 if view is None else sum(view.used.values()) for view in shown),
                sent_bytes=tuple(sent_bytes.get(name, 0) for name in self._hosts),
                bands=bands(views.values(), self._pools, self._owners),
                opinions=len({tuple(one.items()) for one in rings}),
                runs=runs,
                given=self._journal.given_count,
                refused=self._journal.failures.total(),
            )
        )


def _agree(one: View, other: View) -> bool:
    return one.rings == other.rings or not (one.serving and other.serving)


def _pairs(views: Mapping[str, View], reach: Reach) -> list[tuple[str, str]]:
    return [
        (one, other)
        for one in views
        for other in views
        if one < other and other in reach.get(one, frozenset())
    ]


def _padded(sample: Sample, count: int) -> Sample:
    """With a place for hosts that came later."""
    none = (0,) * (count - len(sample.running))
    return replace(
        sample,
        running=sample.running + (False,) * len(none),
        free=sample.free + none,
        used=sample.used + none,
        sent_bytes=sample.sent_bytes + none,
    )
