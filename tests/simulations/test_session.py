"""From plans to an exit status, with runs that a test can predict."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from simulations.outcome import Outcome
from simulations.plan import Plan
from simulations.session import DRAWN_MAX, Wishes, carry_out, conclude, write_json
from simulations.sources import HOME

DOUBLES = Path(__file__).parent


def plans(*seeds: int) -> list[Plan]:
    """A plan for each seed."""
    return [Plan(seed=seed) for seed in seeds]


def objects(file: Path) -> list[dict[str, Any]]:
    """What a JSON file holds."""
    found = json.loads(file.read_text())
    assert isinstance(found, list)
    return found


def processes_of(group: int) -> list[int]:
    """Ids of all that run in a process group."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(directory.name))
    return found


def test_held(doubles: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that holds says so first, and the status is 0."""
    assert 0 == carry_out(plans(1), doubles.hold, Wishes())

    said, progress = capsys.readouterr()
    assert said.startswith("held: swarm, seed 1, 9 nodes")
    assert "" == progress


def test_violated(doubles: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """A failing run says the seed, the command, the violation and the events before it; the status is 1."""
    assert 1 == carry_out(plans(5), doubles.fifth_fails, Wishes())

    said = capsys.readouterr().out
    assert "seed 5 failed, commit " in said
    assert "  python -m simulations run --seed 5\n" in said
    assert "uniqueness: 10.0.0.1 was given twice" in said
    assert "1.0 n1 crash" in said


def test_json_leaves_standard_output_alone(doubles: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """With `-` an array with one object is all that is on standard output; people read the other one."""
    assert 1 == carry_out(plans(5), doubles.fifth_fails, Wishes(json_file="-"))

    said, told = capsys.readouterr()
    [document] = json.loads(said)
    assert (5, "hash-5") == (document["seed"], document["trace_hash"])
    assert "chart" not in document
    assert "FAILED by uniqueness" in told


@pytest.mark.slow
def test_many(doubles: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Many runs are counted, JSON has them in order of their seeds, and the status is 1 if one failed."""
    file = tmp_path / "runs.json"

    assert 1 == carry_out(plans(*range(4, 12)), doubles.fifth_fails, Wishes(json_file=str(file), jobs=2))

    assert list(range(4, 12)) == [one["seed"] for one in objects(file)]
    assert capsys.readouterr().out.startswith("FAILED: 2 of 8 runs")


@pytest.mark.slow
def test_stop_at_first(doubles: ModuleType, tmp_path: Path) -> None:
    """After the first failure no further run is begun."""
    file = tmp_path / "runs.json"
    wishes = Wishes(json_file=str(file), jobs=1, stop_at_first=True)

    assert 1 == carry_out(plans(*range(1, 100)), doubles.fifth_fails, wishes)

    assert [1, 2, 3, 4, 5] == [one["seed"] for one in objects(file)]


@pytest.mark.slow
def test_a_page_draws_many_runs(doubles: ModuleType, tmp_path: Path) -> None:
    """However many runs there are, the page has all seeds, and only so many of them are drawn."""
    file = tmp_path / "runs.html"
    seeds = range(1, DRAWN_MAX + 10)

    assert 1 == carry_out(plans(*seeds), doubles.fifth_fails, Wishes(html_file=str(file), jobs=2))

    page = file.read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert [] == [seed for seed in seeds if f">{seed}<" not in page]


def test_shrink_ends_in_a_command(doubles: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line is the command of the smallest run, and the status is that of the first one."""
    wishes = Wishes(shrink=True, faults=doubles.FAULTS)

    assert 1 == carry_out(plans(1), doubles.needs_much, wishes)

    last = capsys.readouterr().out.splitlines()[-1]
    assert "  python -m simulations run --seed 1 --nodes 3 --minutes 0.2 --faults crash,loss" == last


def test_nothing_to_shrink(doubles: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Shrinking is not begun where every invariant held."""
    assert 0 == carry_out(plans(1), doubles.hold, Wishes(shrink=True, faults=doubles.FAULTS))

    assert "smallest" not in capsys.readouterr().out


def test_one_made_elsewhere(doubles: ModuleType, tmp_path: Path) -> None:
    """The outcome of a run that was made elsewhere is written, said and judged alike."""
    file = tmp_path / "run.json"
    outcome: Outcome = doubles.fifth_fails(Plan(seed=5))

    assert 1 == conclude(outcome, Wishes(json_file=str(file)))
    assert 0 == conclude(doubles.hold(Plan(seed=5)), Wishes())

    assert [5] == [one["seed"] for one in objects(file)]


def test_every_field_is_documented() -> None:
    """The table of the reference names each field of a run's object once, and no other."""
    text = (Path(__file__).parents[2] / "docs" / "reference" / "simulator.md").read_text()
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", text.partition("## JSON")[2], re.MULTILINE)

    assert sorted({one.name for one in fields(Outcome)} - {"chart"}) == sorted(
        name.strip("`") for row in rows for name in row.split(", ")
    )


def test_no_runs_are_an_empty_array(tmp_path: Path) -> None:
    """JSON is valid when there was no time for a single run."""
    file = tmp_path / "none.json"

    write_json([], str(file))

    assert [] == objects(file)


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "begun"), [("2, 3", 2), ("1, 2, 3", 2), ("2", 1)])
def test_interrupted(tmp_path: Path, seeds: str, begun: int) -> None:
    """Ctrl-C in the middle of runs ends all processes at once, and what there is is said and written."""
    code = (
        "import signal\n"
        "import doubles\n"
        "from simulations.plan import Plan\n"
        "from simulations.session import Wishes, carry_out\n"
        "if __name__ == '__main__':\n"
        # A test run in the background of a shell passes on that Ctrl-C is ignored.
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"    plans = [Plan(seed=seed) for seed in ({seeds},)]\n"
        "    raise SystemExit(carry_out(plans, doubles.slowly, Wishes(json_file='runs.json', jobs=2)))\n"
    )
    program, marks = tmp_path / "program.py", tmp_path / "marks"
    program.write_text(code)
    marks.mkdir()
    path = os.pathsep.join((os.fspath(DOUBLES), os.fspath(HOME)))
    with subprocess.Popen(
        [sys.executable, program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "DOUBLES": os.fspath(marks)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        limit = time.monotonic() + 30
        while len(list(marks.iterdir())) < begun:
            assert time.monotonic() < limit, "the runs do not begin"
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        said, told = process.communicate(timeout=20)

    assert 130 == process.returncode, told
    assert "Traceback" not in said + told
    assert f"interrupted: {seeds.count('1')} of " in told
    assert ("held: 1 run" in said) == ("1" in seeds)
    assert [1] * seeds.count("1") == [one["seed"] for one in objects(tmp_path / "runs.json")]
    while left := processes_of(process.pid):  # what forks the workers goes when it sees that we have gone
        assert time.monotonic() < limit, f"{left} are left"
        time.sleep(0.02)
