"""
Plays a scenario with real daemons, and says what came of it as a simulated run does.

Does not know how anything is done to hosts; cares for the run as a whole, and that nothing is left of it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType

from simulations import scenarios
from simulations.hosts.impair import Segment
from simulations.hosts.namespaces import remove_leftovers, why_unavailable
from simulations.hosts.processes import DaemonError
from simulations.hosts.stage import HostStage, Setting
from simulations.outcome import Outcome
from simulations.sources import commit
from simulations.stage import CannotError
from weaveipam.config.pools import parse_pool
from weaveipam.errors import ConfigError

NODES_MAX = 6
"""Daemons that are started unless more are asked for: each is a process of its own."""

MINUTES_MAX = 1.0
"""How long a scenario takes unless longer is asked for."""

POOL = "10.32.0.0/24"
"""Unless the scenario says another."""

_PREFIX = "weaveipam-hosts-"
_DIRECTORY = re.compile(_PREFIX + r"(\d+)-")


def play(
    scenario: str,
    *,
    nodes: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    watch: Callable[[float], None] = lambda _: None,
) -> Outcome:
    """
    What comes of a scenario on real hosts, when all is settled afterwards.

    Nothing of it is left, also when it is interrupted; only if something was violated, the daemons' logs and
    data stay, and the last line of `Outcome.tail` says where.

    Args:
        scenario: Its name.
        nodes: None: as many as the scenario says, but no more than `NODES_MAX`.
        minutes: As above, and `MINUTES_MAX`.
        seed: Of what clients do; real runs do not repeat.
        watch: Is told the share of the time that has passed, 0 to 1.

    Raises:
        CannotError: there is no such scenario, or it cannot be played here; says why.
        KeyboardInterrupt: SIGINT or SIGTERM has come.
    """
    module = _load(scenario)
    reason = why_unavailable()
    if reason is not None:
        raise CannotError(f"real hosts cannot be had: {reason}")
    remove_leftovers()
    _remove_directories()
    directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    kept = False
    with _interruptible(), ExitStack() as stack:
        stack.callback(lambda: kept or shutil.rmtree(directory))
        began = time.monotonic()
        try:
            stage = _build(stack, module, Setting_of(module, nodes, minutes, seed, directory), watch)
            _perform(module, stage)
        finally:
            _ignore_signals()
