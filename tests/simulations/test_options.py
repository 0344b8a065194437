"""What can be said on the command line, and the sentence for what cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from simulations.options import (
    fault_names,
    file_options,
    known_faults,
    runnable_scenario,
    seed_range,
    size_options,
)


@click.command()
@click.option("--seeds", callback=seed_range)
@click.option("--faults", callback=fault_names)
@click.option("--scenario", callback=runnable_scenario)
@size_options
@file_options
@click.pass_context
def said(context: click.Context, /, **values: object) -> None:
    """Keeps what was said."""
    context.obj.update(values)


def parsed(*arguments: str) -> dict[str, Any]:
    """The values of all options."""
    values: dict[str, Any] = {}
    ran = CliRunner().invoke(said, arguments, obj=values, catch_exceptions=False)
    assert 0 == ran.exit_code, ran.output
    return values


def refused(*arguments: str) -> str:
    """The sentence; the status is 2."""
    ran = CliRunner().invoke(said, arguments, obj={}, catch_exceptions=False)
    assert 2 == ran.exit_code, ran.output
    return " ".join(ran.output.split())


def test_nothing_said_is_nothing_chosen() -> None:
    """Without options everything is left to the scenario and the seed."""
    assert {None} == set(parsed().values())


def test_seeds_include_both_ends() -> None:
    """A-B are all seeds from A to B."""
    assert [3, 4, 5] == list(parsed("--seeds", "3-5")["seeds"])
    assert [0] == list(parsed("--seeds", "0-0")["seeds"])


@pytest.mark.parametrize("text", ["", "5", "5-", "-5", "a-b", "1-2-3", "9-3", "1,2"])
def test_other_seeds_are_refused(text: str) -> None:
    """What is no range of seeds is refused, and named."""
    assert "--seeds" in refused(f"--seeds={text}")


def test_faults_are_a_set() -> None:
    """Names come sorted and once; `none` is the empty set, which is not the same as saying nothing."""
    assert ("crash", "loss") == parsed("--faults", "loss,crash, loss")["faults"]
    assert () == parsed("--faults", "none")["faults"]
    assert tuple(known_faults()) == parsed("--faults", ",".join(known_faults()))["faults"]


def test_unknown_faults_are_refused() -> None:
    """A mistyped fault is answered with what may have been meant, nonsense with all there are."""
    assert "there is no fault 'crsh'. Did you mean crash?" in refused("--faults", "loss,crsh")
    assert "There are clock-jump, core, corrupt" in refused("--faults", "xyzzy")


def test_unknown_scenarios_are_refused() -> None:
    """A mistyped scenario is answered with what may have been meant, nonsense with where to look."""
    assert "Did you mean split-two" in refused("--scenario", "split-tow")
    assert "`python -m simulations list`" in refused("--scenario", "xyzzy")
    assert "split-two" == parsed("--scenario", "split-two")["scenario"]
    assert "swarm" == parsed("--scenario", "swarm")["scenario"]


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e400", "soon"])
def test_minutes_pass(text: str) -> None:
    """Only a time that passes and ends can be run."""
    assert "--minutes" in refused("--minutes", text)


def test_minutes_have_as_many_digits_as_a_command_shows() -> None:
    """Minutes are rounded to what the command that replays the run can say."""
    assert 0.333333 == parsed("--minutes", "0.33333333333")["minutes"]


def test_files_are_looked_at_before_the_run(tmp_path: Path) -> None:
    """A file that could not be written in the end is refused in the beginning; nothing is written by that."""
    assert "no directory" in refused("--json", str(tmp_path / "missing" / "runs.json"))
    assert "is a directory" in refused("--html", str(tmp_path))
    assert "-" == parsed("--json", "-")["json_file"]
    assert str(tmp_path / "runs.json") == parsed("--json", str(tmp_path / "runs.json"))["json_file"]
    assert [] == list(tmp_path.iterdir())
