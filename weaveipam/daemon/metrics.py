"""
Prometheus metrics: what the node says of itself, what the daemon has counted, how long allocating took.

Everything is read when it is asked for; only the request times are kept here.  Labels are bounded: pools,
states, reasons and events, never addresses, keys or peers.  Does not know HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from weaveipam.protocol.effects import Durability
from weaveipam.protocol.requests import Allocate, Answer, GetStatus, Reason, Refusal, Request, Status

Ask: TypeAlias = Callable[[Request], Awaitable[Answer]]

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Of what `Metrics.exposition` returns, for HTTP."""

ALLOCATE_BUCKETS_S = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""From below a local allocation to beyond one that waits for a donor."""
RESULTS = ("ok", *sorted(Reason))
"""Values of the label `result`."""
STATES = ("forming", "joining", "syncing", "ready")
"""Values of the label `state` of the daemon."""


class DriverCounts(Protocol):
    """What is read of a driver."""

    commit_seconds: dict[Durability, float]
    timer_lag_s: float

    @property
    def counters(self) -> dict[str, int]:
        """By the names in `driver.COUNTERS`."""
        ...

    @property
    def pending_count(self) -> int:
        """Requests that wait."""
        ...


class TransportCounts(Protocol):
    """What is read of a transport."""

    @property
    def counters(self) -> dict[str, int]:
        """By the names in `transport.COUNTERS`."""
        ...


class ReporterCounts(Protocol):
    """What is read of a reporter."""

    @property
    def counts(self) -> dict[str, int]:
        """By event."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where counts are read from."""

    driver: DriverCounts
    transport: TransportCounts
    reporter: ReporterCounts


class Metrics:
    """The daemon's metrics, in a registry of their own."""

    def __init__(self, ask: Ask, sources: Sources) -> None:
        self._ask = ask
        self._registry = CollectorRegistry()
        self._snapshot = _Snapshot(sources)
        self._registry.register(self._snapshot)
        self._allocate_seconds = Histogram(
            "weaveipam_allocate_duration_seconds",
            "From a request to allocate until its answer.",
            buckets=ALLOCATE_BUCKETS_S,
            registry=self._registry,
        )
        self._allocations = Counter(
            "weaveipam_allocations",
            "Requests to allocate, by result.",
            ["result"],
            registry=self._registry,
        )
        for result in RESULTS:
            self._allocations.labels(result)

    async def ask(self, request: Request) -> Answer:
        """Ask, and note how long allocating took and how it ended; for the doors to use."""
        if not isinstance(request, Allocate):
            return await self._ask(request)
        started = time.perf_counter()
        answer = await self._ask(request)
        self._allocate_seconds.observe(time.perf_counter() - started)
        self._allocations.labels(answer.reason if isinstance(answer, Refusal) else "ok").inc()
        return answer

    async def exposition(self) -> bytes:
        """Everything in Prometheus's text format; without the node's part when it does not answer."""
        answer = await self._ask(GetStatus())
        self._snapshot.status = answer if isinstance(answer, Status) else None
        return generate_latest(self._registry)


class _Snapshot(Collector):
    """Turns the last status and the counts of the moment into metrics."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.status: Status | None = None

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are fixed, and asking at registration would be too early."""
        return ()

    def collect(self) -> Iterable[Metric]:
        if self.status is not None:
            yield from _of_node(self.status)
            yield from _of_pools(self.status)
        yield from _of_driver(self._sources.driver)
        yield from _of_transport(self._sources.transport.counters)
        yield _counter("events", "Reports of the node.", "event", self._sources.reporter.counts)
        reasons = _by_last_name("dropped.", self._sources.transport.counters)
        reasons |= _by_last_name("dropped.", self._sources.driver.counters)
        yield _counter("gossip_dropped", "Packets that were not sent or not read.", "reason", reasons)


def _of_node(status: Status) -> Iterable[Metric]:
    yield _gauge("ready", "Whether the daemon serves.", status.ready)
    state = GaugeMetricFamily(
        "weaveipam_state", "The state of the daemon: 1 for the one it is in.", labels=["state"]
    )
    for one in STATES:
        state.add_metric([one], one == status.state)
    yield state
    members = GaugeMetricFamily("weaveipam_members", "Members, this daemon among them.", labels=["state"])
    members.add_metric(["alive"], status.members_alive)
    members.add_metric(["other"], status.members_total - status.members_alive)
    yield members
    yield _gauge("conflicts", "Sentences on conflicts in the status, at most 100.", len(status.conflicts))
    yield _gauge("contested_addresses", "Addresses that another daemon owns too.", status.contested)
    yield _gauge("addresses_in_use_twice", "Addresses that two keys hold.", status.twice)
    foreign = GaugeMetricFamily(
        "weaveipam_foreign_addresses",
        "Addresses in use here that other daemons own, by whether those keep them for their users.",
        labels=["adopted"],
    )
    foreign.add_metric(["yes"], status.foreign - status.unadopted)
    foreign.add_metric(["no"], status.unadopted)
    yield foreign
    yield _gauge("lent_addresses", "Addresses kept for users at other daemons.", status.lent)
    yield _gauge("unacknowledged_grants", "Grants that their heirs have not confirmed.", status.outgoing)
    yield _gauge("waiting_for_space_requests", "Requests that wait for space from peers.", status.pending)
    build = GaugeMetricFamily("weaveipam_build_info", "Always 1.", labels=["version"])
    build.add_metric([status.version], 1)
    yield build


def _of_pools(status: Status) -> Iterable[Metric]:
    names = ["pool", "network"]
    capacity = GaugeMetricFamily(
        "weaveipam_pool_capacity_addresses",
        "Addresses in the whole cluster that can be allocated.",
        labels=names,
    )
    unreachable = GaugeMetricFamily(
        "weaveipam_pool_unreachable_addresses", "Addresses whose owner is not alive.", labels=names
    )
    owned = GaugeMetricFamily(
        "weaveipam_pool_owned_addresses", "Addresses that are this daemon's.", labels=names
    )
    by_state = GaugeMetricFamily(
        "weaveipam_pool_addresses", "This daemon's addresses, by use.", labels=[*names, "state"]
    )
    for use in status.pools:
        labels = [use.pool.name, use.pool.network]
        capacity.add_metric(labels, use.size)
        unreachable.add_metric(labels, use.unreachable)
        owned.add_metric(labels, use.owned)
        for state, count in (
            ("allocated", use.used),
            ("free_local", use.free),
            ("cooling", use.cooling),
            ("withheld", use.withheld),
            ("set_apart", use.reserved),
        ):
            by_state.add_metric([*labels, state], count)
    return (capacity, unreachable, owned, by_state)


def _of_driver(driver: DriverCounts) -> Iterable[Metric]:
    counters = driver.counters
    yield _gauge("pending_requests", "Requests that wait for an answer.", driver.pending_count)
    yield _gauge("event_loop_lag_seconds", "By how much the last timer was late.", driver.timer_lag_s)
    inputs = _by_last_name("inputs.", counters)
    yield _counter("inputs", "What the node was given to do.", "type", inputs)
    yield _counter("batches", "Batches of inputs.", None, {"": counters["batches"]})
    commits = _by_last_name("commits.", counters)
    yield _counter("commits", "Commits to the store.", "durability", commits)
    seconds = {one.name.lower(): spent for one, spent in driver.commit_seconds.items()}
    yield _counter("commit_seconds", "Time spent in commits.", "durability", seconds)
    refused = counters["refused.overloaded"]
    yield _counter("overloaded_requests", "Requests refused for want of room.", None, {"": refused})


def _of_transport(counters: Mapping[str, int]) -> Iterable[Metric]:
    for name, what in (("packets", "Packets"), ("bytes", "Bytes of packets")):
        family = CounterMetricFamily(
            f"weaveipam_gossip_{name}", f"{what} to and from peers.", labels=["dir", "channel"]
        )
        for direction in ("in", "out"):
            for channel in ("datagram", "stream"):
                family.add_metric([direction, channel], counters[f"{name}.{direction}.{channel}"])
        yield family
    opened = _by_last_name("connections.", counters)
    yield _counter("stream_connections", "Connections for streams.", "dir", opened)
    closed = _by_last_name("closed.", counters)
    yield _counter("stream_connections_refused", "Peers' connections ended early.", "reason", closed)
    errors = _by_last_name("errors.", counters)
    yield _counter("network_errors", "Troubles of the network.", "errno", errors)


def _by_last_name(prefix: str, counters: Mapping[str, int]) -> dict[str, float]:
    """The counters whose names start so, by the rest of their names."""
    return {name.removeprefix(prefix): count for name, count in counters.items() if name.startswith(prefix)}


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(f"weaveipam_{name}", documentation, value=value)


def _counter(name: str, documentation: str, label: str | None, values: Mapping[str, float]) -> Metric:
    """A counter with one label, or (under the empty value) with none; in order of the label's values."""
    family = CounterMetricFamily(f"weaveipam_{name}", documentation, labels=[label] if label else [])
    for value in sorted(values):
        family.add_metric([value] if label else [], values[value])
    return family
