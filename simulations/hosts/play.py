"""
Plays a scenario with real daemons, and says what came of it as a simulated run does.

Does not know how anything is done to hosts; cares for the run as a whole, and that nothing is left of it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType

from simulations import landmarks, scenarios
from simulations.checkers.bounded import quiet_s
from simulations.hosts.impair import Segment
from simulations.hosts.namespaces import remove_leftovers, why_unavailable
from simulations.hosts.processes import DaemonError
from simulations.hosts.stage import HostStage, Setting
from simulations.outcome import Outcome, percentiles
from simulations.sources import commit
from simulations.stage import CannotError
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.config.pools import parse_pool
from weaveipam.errors import ConfigError

NODES_MAX = 6
"""Daemons that are started unless more are asked for: each is a process of its own."""

MINUTES_MAX = 1.0
"""How long a scenario takes unless longer is asked for."""

PRESET = "test"
"""Of the daemons, whatever the scenario says: these are minutes, on one machine."""

_RUNNING = re.compile(r"weaveipam-hosts-(\d+)-")
"""How the name of a directory begins while it is in use, with the id of the process."""


def play(
    scenario: str,
    *,
    nodes: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    watch: Callable[[float], None] = lambda _: None,
) -> Outcome:
    """
    What comes of a scenario on real hosts, once all is settled afterwards.

    Nothing of it is left, also when it is interrupted.  Only if something was violated the daemons' logs and
    data stay, and the last line of `Outcome.tail` says where.

    Args:
        scenario: Its name.
        nodes: None: as many as the scenario says, but no more than `NODES_MAX`.
        minutes: As above, but `MINUTES_MAX`; forming and settling take longer.
        seed: Of what clients do; real runs do not repeat.
        watch: Is told the share of the scenario's time that has passed, 0 to 1.

    Raises:
        CannotError: there is no such scenario, or it cannot be played here; says why.
        KeyboardInterrupt: SIGINT or SIGTERM has come.
    """
    module = _load(scenario)
    reason = why_unavailable()
    if reason is not None:
        raise CannotError(f"real hosts cannot be had here: {reason}")
    remove_leftovers()
    _remove_directories()
    began = time.monotonic()
    with _tidy() as stack:
        directory = Path(tempfile.mkdtemp(prefix=f"weaveipam-hosts-{os.getpid()}-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        segment = stack.enter_context(Segment())
        stage = HostStage(_setting(module, nodes, minutes, seed, directory), segment, watch)
        stack.callback(stage.close)
        _shorter(stage, module, nodes, minutes)
        _perform(stage, module)
        stage.close()
        reached, tail = _reached(directory), stage.journal.tail
        if stage.journal.court.violations:
            tail = (*tail, f"the daemons' logs and data are in {_keep(directory)}")
        return _outcome(stage, scenario, seed, reached, tail, time.monotonic() - began)


def _load(scenario: str) -> ModuleType:
    try:
        module = scenarios.load(scenario)
    except LookupError as error:
        raise CannotError(str(error.args[0])) from None
    missing = scenarios.missing(module)
    if missing is not None:
        raise CannotError(f"{scenario} {missing}")
    return module


def _setting(
    module: ModuleType, nodes: int | None, minutes: float | None, seed: int, directory: Path
) -> Setting:
    pool = scenarios.pool(module)
    return Setting(
        nodes=nodes or min(module.NODES, NODES_MAX),
        seconds=60 * (minutes or min(module.MINUTES, MINUTES_MAX)),
        pool=parse_pool({"name": "default", "ranges": [pool]}),
        pool_text=f"default={pool}",
        preset=PRESET,
        rest_s=quiet_s(AllocationSettings.preset(PRESET)),
        seed=seed,
        directory=directory,
        keyring=getattr(module, "KEYRING", None),
        consensus=getattr(module, "CONSENSUS", False),
        formed=getattr(module, "FORMED", True),
    )


def _shorter(stage: HostStage, module: ModuleType, nodes: int | None, minutes: float | None) -> None:
    """Say where the run is smaller than its scenario without anybody having asked for that."""
    if nodes is None and module.NODES > NODES_MAX:
        stage.lack(f"the scenario is written for {module.NODES} daemons, here there were {NODES_MAX}")
    if minutes is None and module.MINUTES > MINUTES_MAX:
        stage.lack(f"the scenario is written for {module.MINUTES:g} minutes, here it had {MINUTES_MAX:g}")


def _perform(stage: HostStage, module: ModuleType) -> None:
    try:
        stage.open()
        module.play(stage)
        stage.judge()
    except DaemonError as error:  # it ended by itself, or never served
        stage.journal.accuse("liveness", str(error).partition(";")[0])
    except ConfigError as error:
        raise CannotError(str(error)) from None


def _outcome(
    stage: HostStage, scenario: str, seed: int, reached: dict[str, int], tail: tuple[str, ...], wall_s: float
) -> Outcome:
    chart, journal = stage.watcher.chart(), stage.journal
    nodes, seconds = len(stage.names), stage.journal.now
    last = chart.samples[-1] if chart.samples else None
    sent = sum(last.sent_bytes) if last is not None else 0
    minutes = f"{stage.seconds / 60:g}"
    words = ["python", "-m", "simulations", "hosts", "--scenario", scenario, "--seed", str(seed)]
    return Outcome(
        seed=seed,
        scenario=scenario,
        nodes=nodes,
        virtual_seconds=round(seconds, 3),
        wall_seconds=round(wall_s, 3),
        events=journal.facts_count,
        violations=tuple(journal.court.violations),
        trace_hash="",
        allocations=journal.given_count,
        failures_by_reason=dict(sorted(journal.failures.items())),
        gossip_bytes_per_node_per_second=round(sent / nodes / seconds, 1),
        convergence_seconds=percentiles(stage.watcher.spells),
        ring_runs_max=stage.watcher.samples.runs_max,
        ring_runs_final=stage.watcher.samples.runs_final,
        reached=reached,
        faults={},
        unavailable=tuple(stage.unavailable),
        replay=shlex.join([*words, "--nodes", str(stage.nodes), "--minutes", minutes]),
        commit=commit(),
        tail=tail,
        chart=chart,
    )


def _reached(directory: Path) -> dict[str, int]:
    """The landmarks that the daemons' logs tell of; what only a simulation can tell is left out."""
    counts: Counter[str] = Counter()
    for log in sorted(directory.glob("*/agent.log")):
        for line in log.read_text(errors="replace").splitlines():
            try:
                counts[json.loads(line)["event"]] += 1
            except (ValueError, KeyError, TypeError):
                continue  # a traceback, or half a line of a daemon that was killed
    return {name: number for name, number in landmarks.reached(counts).items() if number}


@contextmanager
def _tidy() -> Iterator[ExitStack]:
    """A stack that is wound up for certain: SIGINT and SIGTERM raise KeyboardInterrupt, but not meanwhile."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        with ExitStack() as stack:  # signals are others' business
            yield stack
        return
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    stack = ExitStack()
    try:
        yield stack
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        try:
            stack.close()
        finally:
            for number in numbers:
                signal.signal(number, before[number])


def _keep(directory: Path) -> Path:
    """Gives the directory a name that no later run takes for a leftover."""
    return directory.rename(directory.with_name(directory.name.replace("-hosts-", "-kept-")))


def _remove_directories() -> None:
    """Those of runs that were killed."""
    for found in Path(tempfile.gettempdir()).glob("weaveipam-hosts-*"):
        match = _RUNNING.match(found.name)
        if match is not None and not Path("/proc", match[1]).exists():
            shutil.rmtree(found, ignore_errors=True)
