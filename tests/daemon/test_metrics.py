"""Metrics as Prometheus reads them: parsed by the client library's own parser."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.daemon import driver, transport
from weaveipam.daemon.metrics import RESULTS, STATES, Metrics, Sources
from weaveipam.protocol.effects import Durability
from weaveipam.protocol.requests import (
    Allocate,
    Answer,
    GetStatus,
    Pools,
    PoolUse,
    Reason,
    Refusal,
    Request,
    Status,
)
from weaveipam.protocol.values import Pool, PoolRange

POOL = Pool("web", "default", (PoolRange(Family.V4, Range(0, 256), 24),))
STATUS = Status(
    peer=Peer("a", 1),
    ready=True,
    state="ready",
    why_not_ready="",
    cluster_id="00" * 8,
    members_alive=2,
    members_total=3,
    pools=(PoolUse(POOL, size=250, owned=100, used=30, cooling=5, unreachable=50, withheld=10),),
    pending=4,
    outgoing=1,
    conflicts=("one",),
    version="0.1.0",
    contested=8,
    foreign=7,
    unadopted=3,
    lent=2,
    twice=1,
)


class _Daemon:
    """A node that answers with what it was given, and the counts of a daemon's parts."""

    def __init__(self, answer: Answer = STATUS) -> None:
        self.answer = answer
        self.commit_seconds = {Durability.PROCESS: 0.25, Durability.HOST: 1.5}
        self.timer_lag_s = 0.125
        self.pending_count = 7
        self.counters = dict.fromkeys((*driver.COUNTERS, *transport.COUNTERS), 0)
        self.counters |= {"errors.EPERM": 2, "packets.in.stream": 3, "dropped.inbox-full": 9}
        self.counts = {"member-dead": 5}
        self.metrics = Metrics(self.ask, Sources(self, self, self))

    async def ask(self, request: Request) -> Answer:
        return STATUS if isinstance(request, GetStatus) and isinstance(self.answer, Pools) else self.answer

    async def samples(self) -> dict[str, float]:
        """Values by name and labels, as written."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families((await self.metrics.exposition()).decode()):
            for sample in family.samples:
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found


async def test_the_nodes_state_is_exposed() -> None:
    """Readiness, members and pools come from the node's own status."""
    samples = await _Daemon().samples()

    expected = {
        "weaveipam_ready": 1,
        "weaveipam_state{state=ready}": 1,
        "weaveipam_state{state=forming}": 0,
        "weaveipam_members{state=alive}": 2,
        "weaveipam_members{state=other}": 1,
        "weaveipam_conflicts": 1,
        "weaveipam_contested_addresses": 8,
        "weaveipam_foreign_addresses{adopted=yes}": 4,
        "weaveipam_foreign_addresses{adopted=no}": 3,
        "weaveipam_lent_addresses": 2,
        "weaveipam_addresses_in_use_twice": 1,
        "weaveipam_pool_capacity_addresses{network=default,pool=web}": 250,
        "weaveipam_pool_unreachable_addresses{network=default,pool=web}": 50,
        "weaveipam_pool_owned_addresses{network=default,pool=web}": 100,
        "weaveipam_pool_addresses{network=default,pool=web,state=allocated}": 30,
        "weaveipam_pool_addresses{network=default,pool=web,state=free_local}": 55,
        "weaveipam_pool_addresses{network=default,pool=web,state=withheld}": 10,
        "weaveipam_pool_addresses{network=default,pool=web,state=cooling}": 5,
        "weaveipam_build_info{version=0.1.0}": 1,
    }
    assert expected == {name: samples[name] for name in expected}


async def test_the_daemons_counts_are_exposed() -> None:
    """What driver, transport and reporter have counted has the same values in the metrics."""
    samples = await _Daemon().samples()

    expected = {
        "weaveipam_pending_requests": 7,
        "weaveipam_event_loop_lag_seconds": 0.125,
        "weaveipam_commit_seconds_total{durability=host}": 1.5,
        "weaveipam_gossip_packets_total{channel=stream,dir=in}": 3,
        "weaveipam_gossip_dropped_total{reason=inbox-full}": 9,
        "weaveipam_gossip_dropped_total{reason=datagram-queue-full}": 0,
        "weaveipam_network_errors_total{errno=EPERM}": 2,
        "weaveipam_events_total{event=member-dead}": 5,
        "weaveipam_overloaded_requests_total": 0,
    }
    assert expected == {name: samples[name] for name in expected}


async def test_allocating_is_timed_and_counted() -> None:
    """Each request to allocate counts once, by its result; other requests do not."""
    daemon = _Daemon(Refusal(Reason.EXHAUSTED, "no address is free"))
    await daemon.metrics.ask(Allocate("k1"))
    await daemon.metrics.ask(GetStatus())
    daemon.answer = STATUS
    await daemon.metrics.ask(Allocate("k2"))

    samples = await daemon.samples()

    assert samples["weaveipam_allocate_duration_seconds_count"] == 2
    assert samples["weaveipam_allocate_duration_seconds_bucket{le=5.0}"] == 2
    by_result = {one: samples[f"weaveipam_allocations_total{{result={one}}}"] for one in RESULTS}
    assert {one for one, count in by_result.items() if count} == {"ok", "exhausted"}


async def test_asking_through_the_metrics_changes_nothing() -> None:
    """The answer is the node's own."""
    daemon = _Daemon()

    assert await daemon.metrics.ask(GetStatus()) == STATUS


async def test_every_label_value_is_there_from_the_start() -> None:
    """Results and states are exposed as zero before they first happen, so that rates can be taken."""
    samples = await _Daemon().samples()

    assert all(samples[f"weaveipam_allocations_total{{result={one}}}"] == 0 for one in RESULTS)
    assert all(f"weaveipam_state{{state={one}}}" in samples for one in STATES)
    assert all(f"weaveipam_inputs_total{{type={one}}}" in samples for one in ("packet", "request", "wake"))


async def test_a_daemon_that_does_not_answer_is_still_scraped() -> None:
    """While the node refuses its status, the daemon's own counts are exposed alone."""
    samples = await _Daemon(Refusal(Reason.NOT_READY, "stopping")).samples()

    assert "weaveipam_ready" not in samples
    assert samples["weaveipam_pending_requests"] == 7


async def test_names_follow_the_conventions() -> None:
    """Every name has our prefix, a help text, and the suffix of its kind; none appears twice."""
    text = (await _Daemon().metrics.exposition()).decode()

    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    helps = Counter(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE))
    assert set(kinds) == set(helps)
    assert set(helps.values()) == {1}
    for name, kind in kinds.items():
        assert name.startswith("weaveipam_")
        assert name.endswith("_total") == (kind == "counter"), name
        assert not name.endswith("_count"), name


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_has_nothing_to_say() -> None:
    """Prometheus's own linter accepts the metrics."""
    text = await _Daemon().metrics.exposition()

    linted = subprocess.run(  # noqa: ASYNC221 - the loop has nothing else to do
        ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )

    assert (0, b"") == (linted.returncode, linted.stderr)
