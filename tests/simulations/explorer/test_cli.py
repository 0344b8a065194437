"""The command `explore`."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from simulations.cli import program


def explore(*arguments: str) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(program, ["explore", *arguments])


def test_a_counterexample_is_told_step_by_step_and_is_a_failure() -> None:
    """The beginning, the numbered steps, and what is wrong in the end; exit status 1."""
    result = explore("--without", "R4")

    assert 1 == result.exit_code
    assert "0 has two owners: a and c:" in result.stdout
    assert "- c hears from x: 0" in result.stdout
    assert "   1 a calls for the removal of x" in result.stdout


def test_where_nothing_is_found_the_numbers_are_told() -> None:
    """States and depth, walks and steps; exit status 0."""
    result = explore("--world", "four", "--states", "500", "--walks", "3")

    assert 0 == result.exit_code
    assert "four: 501 states, all within 2 steps among them" in result.stdout
    assert "four: 3 walks of " in result.stdout


def test_a_world_that_was_seen_whole_needs_no_walks() -> None:
    """All states are all there is to see."""
    result = explore("--world", "mistaken", "--depth", "2", "--walks", "0")

    assert 0 == result.exit_code
    assert "walks" not in result.stdout


@pytest.mark.parametrize("arguments", [("--without", "R9"), ("--without", "R1", "--world", "four")])
def test_what_cannot_be_is_refused(arguments: tuple[str, ...]) -> None:
    """An unknown rule, or a rule left out somewhere else, is said to be so; exit status 2."""
    assert 2 == explore(*arguments).exit_code


def test_help_has_examples() -> None:
    """Somebody who asks for help can copy what it says."""
    result = explore("--help")

    assert 0 == result.exit_code
    assert "python -m simulations explore --without R3" in result.stdout
