"""What is seen of real daemons is stated, sampled and drawn."""

from __future__ import annotations

import pytest

from simulations.hosts.host import Host
from simulations.hosts.journal import Journal
from simulations.hosts.watcher import Watcher
from weaveipam.config.pools import parse_pool

POOL = parse_pool({"name": "default", "ranges": ["10.32.0.0/26"]})
REACH = {"n1": frozenset({"n1"})}


@pytest.mark.slow
def test_a_look_is_a_fact_and_a_sample(host: Host) -> None:
    """What a daemon shows is told to the checkers, and drawn; who is down is drawn as having nothing."""
    journal = Journal()
    watcher = Watcher({"n1": host}, [POOL], journal, lambda: {"n1": 7})
    views = watcher.observe(REACH)
    before = watcher.samples.runs_final
    watcher.observe(REACH, settled=True)
    host.kill()
    nothing = watcher.observe(REACH)
    chart = watcher.chart()

    assert (set(views), nothing, watcher.differ) == ({"n1"}, {}, False)
    assert journal.facts_count == 4  # the first is with what pools the cluster began
    assert (chart.machines, chart.owners) == (("n1",), ("n1",))
    assert chart.rings == {"default/v4": "10.32.0.0 10.32.0.63"}
    assert [one.running for one in chart.samples] == [(True,), (True,), (False,)]
    assert [one.free for one in chart.samples] == [(62,), (62,), (0,)]
    assert [one.sent_bytes for one in chart.samples] == [(7,), (7,), (7,)]
    assert (watcher.samples.runs_max, [one.runs for one in chart.samples]) == (1, [1, 1, 0])
    assert (before, watcher.samples.runs_final) == (0, 1)
