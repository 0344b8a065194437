"""The command line as a program, with real runs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from simulations import scenarios
from simulations.cli import program
from simulations.sources import HOME

SMALL = ("run", "--scenario", "idle", "--nodes", "3", "--minutes", "0.1")
"""A run that takes a second."""

NAMES = {
    "seed": int,
    "nodes": int,
    "virtual_seconds": float,
    "wall_seconds": float,
    "events": int,
    "violations": list,
    "trace_hash": str,
    "allocations": int,
    "failures_by_reason": dict,
    "gossip_bytes_per_node_per_second": float,
    "convergence_seconds": dict,
    "ring_runs_max": int,
    "ring_runs_final": int,
}
"""What scripts rely on."""


def ran(*command: str, environ: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    """A command, run to its end."""
    return subprocess.run(
        command, cwd=HOME, env=environ, capture_output=True, text=True, check=False, timeout=100
    )


def simulations(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The program."""
    return ran(sys.executable, "-m", "simulations", *arguments)


def documents(text: str) -> list[dict[str, Any]]:
    """The array that `--json` writes."""
    found = json.loads(text)
    assert isinstance(found, list)
    return found


@pytest.mark.slow
def test_a_run_that_holds() -> None:
    """The status is 0, standard output is the summary, and nothing else is said."""
    outcome = simulations(*SMALL, "--seed", "4")

    assert (0, "") == (outcome.returncode, outcome.stderr)
    assert outcome.stdout.startswith("held: idle, seed 4, 3 nodes")


@pytest.mark.slow
def test_json_is_what_scripts_rely_on() -> None:
    """With `--json -` standard output is an array with an object for each run, with the promised fields."""
    outcome = simulations("run", "--seeds", "4-5", "--json", "-", *SMALL[1:])

    found = documents(outcome.stdout)
    assert 0 == outcome.returncode
    assert [4, 5] == [one["seed"] for one in found]
    wrong = [name for one in found for name, kind in NAMES.items() if not isinstance(one[name], kind)]
    assert [] == wrong
    lines = [json.dumps(one, sort_keys=True) for one in found]
    assert ["[", f"{lines[0]},", lines[1], "]"] == outcome.stdout.splitlines()


@pytest.mark.slow
def test_a_failing_run_prints_what_replays_it(tmp_path: Path) -> None:
    """The status is 1, and the printed command makes the same run: same violations, same hash."""
    (tmp_path / "not_so.py").write_text(
        '"""Claims what is not so."""\n\nNODES = 3\nMINUTES = 0.1\n\n\n'
        "def play(stage):\n    stage.run(stage.seconds)\n    stage.claim('pigs fly', False)\n"
    )
    # A directory more in which scenarios are found; all else is the program.
    code = (
        "import sys; from simulations import scenarios; from simulations.cli import main;"
        f"scenarios.__path__.append({str(tmp_path)!r}); main()"
    )
    file = tmp_path / "first.json"
    arguments = ("run", "--scenario", "not-so", "--seed", "12", "--nodes", "4", "--json", str(file))

    first = ran(sys.executable, "-c", code, *arguments)

    assert 1 == first.returncode, first.stderr
    printed = next(line.strip() for line in first.stdout.splitlines() if line.startswith("  python -m"))
    assert "python -m simulations run --seed 12 --scenario not-so --nodes 4" == printed
    assert "claim: pigs fly" in first.stdout
    again = ran(sys.executable, "-c", code, *shlex.split(printed)[3:], "--json", "-")
    assert 1 == again.returncode
    [one], [other] = documents(file.read_text()), documents(again.stdout)
    assert {**one, "wall_seconds": 0} == {**other, "wall_seconds": 0}


@pytest.mark.slow
def test_a_page_is_written(tmp_path: Path) -> None:
    """`--html` leaves one page that fetches nothing."""
    file = tmp_path / "run.html"

    assert 0 == simulations(*SMALL, "--seed", "4", "--html", str(file)).returncode

    assert file.read_text().startswith("<!DOCTYPE html>")
    assert "http://" not in file.read_text().replace("http://www.w3.org/", "")


@pytest.mark.slow
def test_without_a_seed_one_is_drawn() -> None:
    """Two runs without a seed have different ones, and say which."""
    seeds = [documents(simulations(*SMALL, "--json", "-").stdout)[0]["seed"] for _ in range(2)]

    assert seeds[0] != seeds[1]


@pytest.mark.slow
def test_list_names_every_scenario() -> None:
    """A line for each scenario: its name, its sentence, and what it waits for if it cannot run yet."""
    lines = simulations("list").stdout.splitlines()

    assert [*scenarios.names(), "swarm"] == [line.split()[0] for line in lines]
    waiting = [name for name in scenarios.names() if scenarios.missing(scenarios.load(name)) is not None]
    assert waiting == [line.split()[0] for line in lines if "(cannot run yet: " in line]
    assert [] == [line for line in lines if len(line.split()) < 4]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "--seed", "1", "--seeds", "1-2"), "either --seed or --seeds"),
        (("run", "--jobs", "2", "--dask", "tcp://127.0.0.1:1"), "either --jobs or --dask"),
        (("run", "--scenario", "splt-two"), "Did you mean split-two"),
        (("run", "--seed", "x"), "not a valid integer"),
        (("run", "--sed", "1"), "--seed"),
        (("hosts",), "--scenario"),
        (("hosts", "--scenario", "swarm"), "swarm is for simulated runs"),
        (("lits",), "list"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    """The status is 2, the reason is on standard error, and nothing is on standard output."""
    outcome = simulations(*arguments)

    assert (2, "") == (outcome.returncode, outcome.stdout)
    assert sentence in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.slow
def test_a_scenario_that_cannot_run_yet_says_so() -> None:
    """A scenario of what the product lacks ends with status 2 and what it waits for."""
    waiting = [name for name in scenarios.names() if scenarios.missing(scenarios.load(name)) is not None]
    for name in waiting[:1]:
        outcome = simulations("run", "--scenario", name)

        assert 2 == outcome.returncode
        assert f"{name} cannot run yet: it {scenarios.missing(scenarios.load(name))}" in outcome.stderr


def test_every_command_has_examples_that_it_understands() -> None:
    """Each help ends in examples, and each example is made of options that there are."""
    context = click.Context(program)
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        assert command is not None
        lines = (command.epilog or "").splitlines()[2:]
        options = {one for param in command.params for one in param.opts}
        assert lines, name
        for line in lines:
            words = shlex.split(line.partition("|")[0])
            assert ["python", "-m", "simulations", name] == words[:4], line
            assert {word for word in words if word.startswith("--")} <= options, line


@pytest.mark.slow
def test_help_is_quick() -> None:
    """Help needs neither the simulator nor a table nor a cluster."""
    code = (
        "import sys\nfrom simulations.cli import program\n"
        "try:\n    program.main(['run', '--help'])\nexcept SystemExit:\n    pass\n"
        "slow = ('asyncio', 'distributed', 'rich', 'simulations.run', 'weaveipam.node')\n"
        "print([name for name in slow if name in sys.modules], file=sys.stderr)"
    )

    assert "[]\n" == ran(sys.executable, "-c", code).stderr
