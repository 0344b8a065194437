"""
From plans to an exit status: runs them, writes what was asked for, and says what a person has to know.

Does not know how a plan is run, nor what was said on the command line.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TextIO

from simulations.cluster_dask import run_on
from simulations.many import attempt, cores, run_all
from simulations.outcome import Outcome
from simulations.plan import Plan
from simulations.progress import Meter
from simulations.report.words import noun
from simulations.shrink import HeldError, shrink
from simulations.summary import of_many, of_one

EXIT_HELD, EXIT_VIOLATED, EXIT_CANNOT, EXIT_INTERRUPTED = 0, 1, 2, 130

STDOUT = "-"
"""In place of a file's name."""

DRAWN_MAX = 20
"""Runs that are drawn, of many: so many that failed, and of the others those among the first so many."""

_FAILED_SHOWN_MAX = 5


class Run(Protocol):
    """Runs a plan; a function at the top of a module, so that other processes find it."""

    def __call__(self, plan: Plan, watch: Callable[[float], None] = ...) -> Outcome:
        """The outcome; `watch` is told now and then which share of it is done."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What to do with the plans, and with what comes of them."""

    json_file: str | None = None
    html_file: str | None = None
    shrink: bool = False
    stop_at_first: bool = False
    jobs: int | None = None
    """Processes; None: as many as cores."""
    dask: str | None = None
    """The scheduler of a Dask cluster; None: this machine."""
    faults: Collection[str] = ()
    """Of what an outcome names as drawn, that which can be left out."""

    @property
    def screen(self) -> TextIO:
        """Where people read; standard output belongs to JSON if that is written there."""
        return sys.stderr if self.json_file == STDOUT else sys.stdout


@dataclass(slots=True)
class _Played:
    outcomes: list[Outcome] = field(default_factory=list)
    interrupted: bool = False
    wall_seconds: float = 0.0


def carry_out(plans: Sequence[Plan], run: Run, wishes: Wishes) -> int:
    """
    Runs all plans, and returns the exit status.

    Args:
        plans: At least one.
        run: Runs one of them.
        wishes: What else to do.

    Raises:
        ClusterError: the Dask cluster cannot be used; nothing was run.
    """
    played = _play(plans, run, wishes)
    outcomes = sorted(played.outcomes, key=lambda outcome: outcome.seed)
    if len(plans) == 1:
        lines = [line for outcome in outcomes for line in of_one(outcome)]
    else:
        lines = of_many(outcomes, played.wall_seconds) if outcomes else []
    _say(lines, wishes.screen)
    if played.interrupted:
        made = f"{len(outcomes)} of {noun(len(plans), 'run')} were made"
        _say([f"interrupted: {made}; the first is `{plans[0].command()}`"], sys.stderr)
    _write(outcomes, wishes)
    failure = next((one for one in outcomes if not one.held), None)
    if failure is None:
        return EXIT_INTERRUPTED if played.interrupted else EXIT_HELD
    if wishes.shrink and not played.interrupted:
        _shrink(next(plan for plan in plans if plan.seed == failure.seed), run, wishes)
    return EXIT_VIOLATED


def conclude(outcome: Outcome, wishes: Wishes) -> int:
    """Writes and says what came of one run that was made elsewhere, and returns the exit status."""
    _say(of_one(outcome), wishes.screen)
    _write([outcome], wishes)
    return EXIT_HELD if outcome.held else EXIT_VIOLATED


def write_json(outcomes: Sequence[Outcome], file: str) -> None:
    """An array with a line for each outcome; to standard output if the file is `STDOUT`."""
    lines = (json.dumps(replace(one, chart=None).document(), sort_keys=True) for one in outcomes)
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    if file == STDOUT:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        Path(file).write_text(text)


def _write(outcomes: Sequence[Outcome], wishes: Wishes) -> None:
    if wishes.json_file is not None:
        write_json(outcomes, wishes.json_file)
    if wishes.html_file is not None and outcomes:
        from simulations.report import render  # noqa: PLC0415 - most runs draw nothing

        Path(wishes.html_file).write_text(render(outcomes), encoding="utf-8")


def _play(plans: Sequence[Plan], run: Run, wishes: Wishes) -> _Played:
    played = _Played()
    began = time.monotonic()
    try:
        if len(plans) == 1 and wishes.dask is None:
            with Meter(f"seed {plans[0].seed}", sys.stderr) as meter:
                played.outcomes.append(attempt(plans[0], partial(run, watch=meter.show)))
        else:
            _play_many(plans, run, wishes, played.outcomes)
    except KeyboardInterrupt:
        played.interrupted = True
    played.wall_seconds = time.monotonic() - began
    return played


def _play_many(plans: Sequence[Plan], run: Run, wishes: Wishes, outcomes: list[Outcome]) -> None:
    draw = wishes.html_file is not None
    if wishes.dask is None:
        results = run_all(plans, run, wishes.jobs or cores(), draw=draw)
    else:
        results = run_on(wishes.dask, plans, run, draw=draw)
    failed: list[str] = []
    with closing(results), Meter(f"{len(plans)} runs", sys.stderr) as meter:
        for outcome in results:
            rank = len(outcomes) if outcome.held else len(failed)
            outcomes.append(outcome if rank < DRAWN_MAX else replace(outcome, chart=None))
            if not outcome.held:
                failed.append(str(outcome.seed))
            shown = ", ".join(failed[:_FAILED_SHOWN_MAX])
            meter.show(len(outcomes) / len(plans), f"failed: {shown}" if failed else "")
            if failed and wishes.stop_at_first:
                return


def _shrink(plan: Plan, run: Run, wishes: Wishes) -> None:
    screen = wishes.screen

    def say(line: str) -> None:
        _say([f"  {line}"], screen)

    _say(["", "looking for the smallest run that fails like it:"], screen)
    try:
        smallest = shrink(plan, partial(attempt, run=run, draw=False), say, faults=wishes.faults)
    except HeldError as error:
        _say([f"{error}: the failure is not one of the run itself, but of where it was made"], screen)
    except KeyboardInterrupt:
        _say(["interrupted: the last one is the smallest so far"], screen)
    else:
        _say(["", "to replay the smallest one:", "", f"  {smallest.command()}"], screen)


def _say(lines: Sequence[str], screen: TextIO) -> None:
    if lines:
        print("\n".join(lines), file=screen, flush=True)
