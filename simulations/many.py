"""
Many runs at once: a process for each core, a run at a time in each.

Nothing that a run does ends the others: an exception in the simulator and a process that dies are outcomes
too, failed ones.  Does not know what a run is, nor which runs there should be.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import TypeAlias

from simulations.outcome import Outcome, Violation
from simulations.plan import Plan
from simulations.sources import commit

Runner: TypeAlias = Callable[[Plan], Outcome]
"""Runs a plan; where other processes do it, a function at the top of a module that they can import."""

SIMULATOR = "simulator"
"""In place of a checker's name: the simulator itself failed."""

_STACK_LINES = 30


def failed(plan: Plan, text: str, tail: Sequence[str] = ()) -> Outcome:
    """The outcome of a run that has none: one violation, by `SIMULATOR`, and no measurements."""
    return Outcome(
        seed=plan.seed,
        scenario=plan.scenario,
        nodes=plan.nodes or 0,
        virtual_seconds=0.0,
        wall_seconds=0.0,
        events=0,
        violations=(Violation(SIMULATOR, 0.0, text),),
        trace_hash="",
        allocations=0,
        failures_by_reason={},
        gossip_bytes_per_node_per_second=0.0,
        convergence_seconds={},
        ring_runs_max=0,
        ring_runs_final=0,
        reached={},
        faults={},
        replay=plan.command(),
        commit=commit(),
        tail=tuple(tail),
    )


def attempt(plan: Plan, run: Runner, *, draw: bool = True) -> Outcome:
    """
    The outcome of a run, or a failed one with the stack if the simulator raised.

    Args:
        plan: What to run.
        run: Runs it.
        draw: Whether to keep what is only for drawing, by far the largest part.
    """
    try:
        outcome = run(plan)
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed that causes it must be told
        stack = traceback.format_exc().splitlines()[-_STACK_LINES:]
        return failed(plan, f"the simulator raised {type(error).__name__}: {error}", stack)
    return replace(
        outcome,
        replay=outcome.replay or plan.command(),
        commit=outcome.commit or commit(),
        chart=outcome.chart if draw else None,
    )


def cores() -> int:
    """How many processes this one may keep busy."""
    return len(os.sched_getaffinity(0))


def run_all(plans: Sequence[Plan], run: Runner, jobs: int, *, draw: bool = False) -> Generator[Outcome]:
    """
    The outcomes of all plans, each as soon as it is there.

    Whenever the iteration ends, by an exception too, the processes are killed at once.

    Args:
        plans: In the order in which they are begun.
        run: Runs one of them.
        jobs: Processes, at least 1.
        draw: As for `attempt`.
    """
    waiting = list(reversed(plans))
    job = partial(attempt, run=run, draw=draw)
    workers = [_Worker(job) for _ in range(min(jobs, len(plans)))]
    try:
        for worker in workers:
            worker.begin(waiting.pop())
        while busy := {worker.pipe: worker for worker in workers if worker.plan is not None}:
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                worker = busy[pipe]
                outcome = worker.result()
                if not worker.process.is_alive():
                    workers.remove(worker)
                    worker = _Worker(job)
                    workers.append(worker)
                if waiting:
                    worker.begin(waiting.pop())
                yield outcome
    finally:
        for worker in workers:
            worker.kill()


class _Worker:
    """A process that runs one plan after the other."""

    def __init__(self, job: Runner) -> None:
        context = multiprocessing.get_context("forkserver")
        self.plan: Plan | None = None
        """What it runs now."""
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, job), daemon=True)
        self.process.start()
        theirs.close()  # so that its death shows as the end of the pipe

    def begin(self, plan: Plan) -> None:
        self.plan = plan
        with suppress(OSError):  # it is dead already; result() says so
            self.pipe.send(plan)

    def result(self) -> Outcome:
        """Waits for the outcome; a failed one if the process died, which it then has."""
        assert self.plan is not None
        plan, self.plan = self.plan, None
        try:
            outcome = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return failed(plan, f"the process that ran it {_end(self.process.exitcode)}")
        assert isinstance(outcome, Outcome)
        return outcome

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _end(exit_code: int | None) -> str:
    """How a process died, in words."""
    if exit_code == -signal.SIGKILL:
        return "was killed with signal 9; most often that is the kernel, for want of memory"
    if exit_code is not None and exit_code < 0:
        return f"was killed with signal {-exit_code}"
    return f"ended with status {exit_code} and without an outcome"


def _work(pipe: Connection, job: Runner) -> None:
    """Answers plans with outcomes until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; whoever started us decides
    while True:
        try:
            plan = pipe.recv()
        except EOFError:
            return
        pipe.send(job(plan))
