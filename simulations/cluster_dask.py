"""
Many runs on a Dask cluster that is there already.

All of it has to have the same sources as this process, or a seed that fails there might hold here.
Does not know what a run is, nor how clusters are made.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from simulations.many import Runner, attempt, failed
from simulations.outcome import Outcome
from simulations.plan import Plan
from simulations.sources import commit, identity

REQUIREMENT = "distributed>=2024.8"
"""As in pyproject.toml."""

CONNECT_TIMEOUT_S = 5
PATIENCE_S = 60.0
"""How long a cluster may have no worker at all; one that grows with its work has none at first."""

_POLL_S = 1.0

_one_at_a_time = threading.Lock()


class ClusterError(Exception):
    """The cluster cannot be used; the message is a sentence that says why."""


def run_on(
    scheduler: str, plans: Sequence[Plan], run: Runner, *, draw: bool = False, patience_s: float = PATIENCE_S
) -> Generator[Outcome]:
    """
    The outcomes of all plans, each as soon as it is there.

    When the iteration ends early, what has not begun is cancelled.

    Args:
        scheduler: Its address, as in `tcp://10.0.0.1:8786`.
        plans: In the order in which they are handed over.
        run: A function at the top of a module that workers can import.
        draw: As for `attempt`.
        patience_s: As `PATIENCE_S`; what has not been done by then are failed outcomes.

    Raises:
        ClusterError: there is no such scheduler, it never has a worker, or some part has other sources.
    """
    client = _connect(scheduler)
    try:
        _check(client)
        yield from _results(client, plans, partial(attempt, run=run, draw=draw), patience_s)
    finally:
        client.close()


def _connect(scheduler: str) -> Any:
    """A `distributed.Client`."""
    try:
        from distributed import Client  # noqa: PLC0415 - an optional dependency, and slow to import
    except ImportError:
        raise ClusterError(
            f"--dask needs a package that is not installed; this installs it: "
            f"{sys.executable} -m pip install '{REQUIREMENT}'"
        ) from None
    try:
        return Client(scheduler, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(f"no Dask scheduler answers at {scheduler}: {error}") from None


def _check(client: Any) -> None:
    """Refuses a cluster whose runs would not be ours; the scheduler unpickles what it passes on, too."""
    answers: dict[str, object] = client.run(identity, on_error="return")
    try:
        scheduler = client.run_on_scheduler(identity)
    except Exception as error:  # noqa: BLE001 - whatever came of importing our modules there
        scheduler = error
    for place, answer in [("scheduler", scheduler), *sorted(answers.items())]:
        if not isinstance(answer, str):
            raise ClusterError(f"weaveipam cannot be imported at the Dask cluster's {place}: {answer}")
        if answer != identity():
            raise ClusterError(f"the Dask cluster's {place} has {answer}; here are {identity()}")


def _results(client: Any, plans: Sequence[Plan], job: Runner, patience_s: float) -> Generator[Outcome]:
    from distributed import KilledWorker  # noqa: PLC0415 - as above

    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    left = {client.submit(_run_there, plan, job, identity(), pure=False): plan for plan in plans}
    with_killers: list[Plan] = []  # runs whose workers died, perhaps only beside the one that kills them
    try:
        for future in list(left):
            future.add_done_callback(ended.put)
        idle_s = 0.0
        while left and idle_s < patience_s:
            try:
                future = ended.get(timeout=_POLL_S)
            except queue.Empty:
                idle_s = 0.0 if _has_workers(client) else idle_s + _POLL_S
                continue
            plan = left.pop(future)
            if len(plans) > 1 and future.status == "error" and isinstance(future.exception(), KilledWorker):
                with_killers.append(plan)
            else:
                yield _outcome(future, plan)
        if len(left) == len(plans):
            raise ClusterError(f"the Dask cluster has had no worker for {patience_s:g} s")
        for plan in left.values():
            yield failed(plan, f"the Dask cluster had no worker for {patience_s:g} s")
    finally:
        client.cancel(list(left))
    for plan in with_killers:
        yield from _results(client, (plan,), job, patience_s)


def _has_workers(client: Any) -> bool:
    try:
        return bool(client.nthreads())
    except OSError:
        return False


def _outcome(future: Any, plan: Plan) -> Outcome:
    if future.status == "finished":
        outcome = future.result()
        assert isinstance(outcome, Outcome)
        return replace(outcome, commit=commit())  # of the same sources, whatever is known of them there
    reason = (
        future.exception()
        if future.status == "error"
        else f"it was {future.status}, as when the scheduler ends"
    )
    return failed(plan, f"the Dask cluster has no outcome: {reason}")


def _run_there(plan: Plan, job: Runner, sources: str) -> Outcome:
    """What a worker does; it may have joined after the others were looked at."""
    if sources != identity():
        return failed(plan, f"the Dask worker had {identity()}; asked for were {sources}")
    with _one_at_a_time:  # a worker may have several threads; runs share values between nodes
        return job(plan)
