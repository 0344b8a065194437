"""
Looks at the daemons of a run now and then: facts for the checkers, samples and spells for the charts.

Does not know what is done to the daemons, except which of them packets can pass between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from simulations.facts import Began, Observed, View
from simulations.hosts.host import Host
from simulations.hosts.journal import Journal
from simulations.hosts.observe import look
from simulations.outcome import Chart
from simulations.pools import rings_of
from simulations.samples import Samples
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
        self.samples = Samples(pools)
        self.spells: list[float] = []
        """Seconds of every spell during which daemons that reach each other held different rings."""
        self._hosts = hosts
        self._pools = tuple(pools)
        self._journal = journal
        self._sent_bytes = sent_bytes
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
        if settled:
            self.samples.settle(views.values())
        return views

    def chart(self) -> Chart:
        """What there is to draw."""
        return self.samples.chart(self._hosts, self._journal.marks, self.spells)

    def _compare(self, views: Mapping[str, View], reach: Reach) -> None:
        now = self._journal.now
        if all(_agree(views[one], views[other]) for one, other in _pairs(views, reach)):
            if self._differ_since is not None:
                self.spells.append(now - self._differ_since)
                self._differ_since = None
        elif self._differ_since is None:
            self._differ_since = now

    def _sample(self, views: Mapping[str, View]) -> None:
        self.samples.take(
            self._journal.now,
            {name: views.get(name) for name in self._hosts},
            [view.rings for view in views.values()],
            self._sent_bytes(),
            self._journal.given_count,
            self._journal.failures.total(),
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
