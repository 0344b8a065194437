"""
The command line of the simulator.

Exit status: 0 every invariant held, 1 one did not, 2 it could not be run as asked, 130 interrupted.
Does not know how a run is made, nor what is said about it.
"""

from __future__ import annotations

import secrets
import signal
import sys
from dataclasses import replace

import click

from simulations import scenarios
from simulations.cluster_dask import ClusterError
from simulations.explorer.cli import explore
from simulations.options import (
    NO_FAULTS,
    Cannot,
    examples,
    fault_names,
    file_options,
    known_faults,
    runnable_scenario,
    seed_range,
    size_options,
)
from simulations.plan import SWARM, Plan
from simulations.progress import Meter
from simulations.scale.cli import scale
from simulations.session import EXIT_INTERRUPTED, Wishes, carry_out, conclude
from simulations.stage import CannotError

_DRAWN_SEEDS_COUNT = 10**9
_NAME_COLUMNS = 24


def main() -> None:
    """The program `python -m simulations`; ends with an exit status as above."""
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # as Ctrl-C: end the processes, say what there is
    program.main(prog_name="python -m simulations")


@examples(
    "run                                     a fresh seed",
    "run --scenario split-two --html split.html",
    "run --seeds 1-5000 --stop-at-first",
    "explore --without R3",
    "list",
)
@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def program() -> None:
    """
    Many daemons in virtual time, faults drawn from a seed, and checks of every invariant.

    The daemons are those that run in production, and the same seed gives the same run, event by event. Exit
    status: 0 every invariant held, 1 one did not, 2 it could not be run as asked, 130 interrupted.
    """


@examples(
    "run                                     a fresh seed, which is printed",
    "run --seed 7                            once more, the same in every event",
    "run --seed 7 --shrink                   the smallest run that fails like it",
    "run --seed 7 --faults crash,loss        of the faults that seed 7 draws, these two",
    "run --scenario split-two --nodes 9 --minutes 5 --html split.html",
    "run --seeds 1-5000 --stop-at-first      on all cores",
    "run --seeds 1-5000 --json - | jq '.[] | select(.violations != [])'",
    "run --seeds 1-100000 --dask tcp://10.0.0.1:8786",
)
@program.command()
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="S", help="Default: a fresh one, which is printed."
)
@click.option("--seeds", metavar="A-B", callback=seed_range, help="A run for each of these, on all cores.")
@size_options
@click.option(
    "--scenario",
    metavar="NAME",
    default=SWARM,
    callback=runnable_scenario,
    help=f"One that `list` names. Default: {SWARM}.",
)
@click.option(
    "--faults",
    metavar="A,B,C",
    callback=fault_names,
    help=f"Of the faults that the seed draws only these, or {NO_FAULTS}. Default: all of them.",
)
@file_options
@click.option("--shrink", is_flag=True, help="If a run fails, look for the smallest one that fails like it.")
@click.option("--stop-at-first", is_flag=True, help="Stop when a run has failed.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Runs at a time. Default: one for each core."
)
@click.option("--dask", metavar="SCHEDULER", help="Run on this Dask cluster, as in tcp://10.0.0.1:8786.")
def run(  # noqa: PLR0913 - an argument for each option
    *,
    seed: int | None,
    seeds: range | None,
    nodes: int | None,
    minutes: float | None,
    scenario: str,
    faults: tuple[str, ...] | None,
    json_file: str | None,
    html_file: str | None,
    shrink: bool,
    stop_at_first: bool,
    jobs: int | None,
    dask: str | None,
) -> None:
    """
    Run a scenario, or whatever a seed draws, in virtual time.

    A failing run prints its seed, the command that replays it, and the last events before the violation.
    """
    if seed is not None and seeds is not None:
        raise click.UsageError("say either --seed or --seeds")
    if jobs is not None and dask is not None:
        raise click.UsageError("--jobs is about this machine: say either --jobs or --dask")
    if seeds is None:
        first = secrets.randbelow(_DRAWN_SEEDS_COUNT) if seed is None else seed
        seeds = range(first, first + 1)
    plan = Plan(seed=seeds[0], scenario=scenario, nodes=nodes, minutes=minutes, faults=faults)
    wishes = Wishes(
        json_file=json_file,
        html_file=html_file,
        shrink=shrink,
        stop_at_first=stop_at_first,
        jobs=jobs,
        dask=dask,
        faults=known_faults(),
    )
    from simulations.run import run as run_plan  # noqa: PLC0415 - help must be quick

    try:
        sys.exit(carry_out([replace(plan, seed=one) for one in seeds], run_plan, wishes))
    except ClusterError as error:
        raise Cannot(str(error)) from None


@examples("list")
@program.command("list")
def list_scenarios() -> None:
    """Name the scenarios, one a line with a sentence."""
    for name in scenarios.names():
        scenario = scenarios.load(name)
        missing = scenarios.missing(scenario)
        remark = "" if missing is None else f" (cannot run yet: {missing})"
        print(f"{name:<{_NAME_COLUMNS}}{scenarios.sentence(scenario)}{remark}")
    print(
        f"{SWARM:<{_NAME_COLUMNS}}Faults, clients and sizes drawn from the seed; what `run` runs if not told."
    )


program.add_command(explore)
program.add_command(scale)


@examples(
    "hosts --scenario split-two",
    "hosts --scenario power-cut --nodes 5 --minutes 1 --html hosts.html",
)
@program.command()
@click.option(
    "--scenario", metavar="NAME", required=True, callback=runnable_scenario, help="One that `list` names."
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="S", help="Of what is drawn. Default: a fresh one."
)
@size_options
@file_options
def hosts(
    *,
    scenario: str,
    seed: int | None,
    nodes: int | None,
    minutes: float | None,
    json_file: str | None,
    html_file: str | None,
) -> None:
    """
    Play a scenario with real daemons, in real time.

    Each is a host in a network namespace, so this needs root on Linux. The clients are the real CNI program;
    the checks are those of a simulated run.
    """
    if scenario == SWARM:
        raise click.UsageError(f"{SWARM} is for simulated runs; `list` names the scenarios")
    from simulations.hosts.play import play  # noqa: PLC0415 - help must be quick

    drawn = secrets.randbelow(_DRAWN_SEEDS_COUNT) if seed is None else seed
    try:
        with Meter(scenario, sys.stderr) as meter:
            outcome = play(scenario, nodes=nodes, minutes=minutes, seed=drawn, watch=meter.show)
    except CannotError as error:
        raise Cannot(str(error)) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(conclude(outcome, Wishes(json_file=json_file, html_file=html_file)))
