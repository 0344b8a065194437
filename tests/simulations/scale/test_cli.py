"""The command."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from simulations.cli import program


@pytest.mark.slow
def test_measures_writes_and_goes_on(tmp_path: Path) -> None:
    """The first call makes the runs, the second finds them; both write page and plots."""
    files = ["--json", str(tmp_path / "s.json"), "--out", str(tmp_path / "s.md")]
    command = ["scale", "--nodes", "4", "--only", "mass-restart", *files]
    first = CliRunner().invoke(program, command)
    assert first.exit_code == 0, first.output
    assert "mass-restart, 4 nodes, 5 of 5" in first.output
    text = (tmp_path / "s.md").read_text()
    (tmp_path / "s.md").unlink()

    second = CliRunner().invoke(program, command)
    assert second.exit_code == 0
    assert "mass-restart" not in second.output
    assert (tmp_path / "s.md").read_text() == text
    assert (tmp_path / "scale-spread.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--nodes", "ten"], "not a list of numbers"),
        (["--nodes", "1"], "not a list of numbers"),
        (["--only", "idel"], "no measurement 'idel'"),
    ],
)
def test_mistakes_are_told(arguments: list[str], why: str) -> None:
    """With a sentence and exit status 2, before anything runs."""
    outcome = CliRunner().invoke(program, ["scale", *arguments])
    assert outcome.exit_code == 2
    assert why in outcome.output


def test_a_wrong_file_is_told(tmp_path: Path) -> None:
    """As a mistake."""
    (tmp_path / "s.json").write_text("nonsense")
    outcome = CliRunner().invoke(program, ["scale", "--nodes", "2", "--json", str(tmp_path / "s.json")])
    assert outcome.exit_code == 2
    assert "is not a file of results" in outcome.output
