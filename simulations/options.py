"""
What can be said to the simulator on its command line, and the sentence for what cannot.

Does not know what is done with it.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from simulations import scenarios
from simulations.plan import SWARM
from simulations.session import EXIT_CANNOT, STDOUT

C = TypeVar("C", bound=click.Command)
F = TypeVar("F", bound=Callable[..., object])

NO_FAULTS = "none"


class Cannot(click.ClickException):
    """Ends the program with one sentence on stderr."""

    exit_code = EXIT_CANNOT


def examples(*lines: str) -> Callable[[C], C]:
    """A decorator that adds examples to a command's help."""

    def complete(command: C) -> C:
        # The backspace keeps click from filling the lines.
        command.epilog = "\b\nExamples:\n" + "\n".join(f"  python -m simulations {one}" for one in lines)
        return command

    return complete


def size_options(function: F) -> F:
    """A decorator that adds --nodes and --minutes."""
    function = click.option(
        "--minutes",
        type=float,
        metavar="M",
        callback=_minutes,
        help="Minutes until everything is healed. Default: as the scenario says, or as drawn.",
    )(function)
    return click.option(
        "--nodes",
        type=click.IntRange(min=1),
        metavar="N",
        help="Daemons. Default: as the scenario says, or as drawn.",
    )(function)


def file_options(function: F) -> F:
    """A decorator that adds --json and --html."""
    function = click.option(
        "--html", "html_file", metavar="FILE", callback=_file, help="Draw what happened, as one page of HTML."
    )(function)
    return click.option(
        "--json",
        "json_file",
        metavar="FILE",
        callback=_file,
        help="Write an array with an object for each run; - is standard output, and nothing else is there.",
    )(function)


def runnable_scenario(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """A scenario that there is, and that can run; `SWARM` is one too."""
    if name is None or name == SWARM:
        return name
    if name not in scenarios.names():
        hint = _alike(name, [SWARM, *scenarios.names()]) or "`python -m simulations list` names them all."
        raise click.BadParameter(f"there is no scenario {name!r}. {hint}")
    missing = scenarios.missing(scenarios.load(name))
    if missing is not None:
        raise Cannot(f"the scenario {name} cannot run yet: it {missing}")
    return name


def seed_range(_context: click.Context, _option: click.Parameter, text: str | None) -> range | None:
    """All seeds from A to B."""
    if text is None:
        return None
    matched = re.fullmatch(r"(\d+)-(\d+)", text)
    if matched is None:
        raise click.BadParameter(f"{text!r} is not of the form A-B, as in 1-5000")
    first, last = map(int, matched.groups())
    if first > last:
        raise click.BadParameter(f"{first} is greater than {last}")
    return range(first, last + 1)


def fault_names(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> tuple[str, ...] | None:
    """Names that there are, sorted; None: all that the seed draws."""
    if text is None:
        return None
    if text == NO_FAULTS:
        return ()
    names = sorted({name.strip() for name in text.split(",")})
    known = known_faults()
    for name in names:
        if name not in known:
            hint = _alike(name, known) or f"There are {', '.join(known)}; or {NO_FAULTS}."
            raise click.BadParameter(f"there is no fault {name!r}. {hint}")
    return tuple(names)


def known_faults() -> Sequence[str]:
    """Everything that a seed may draw and that can be left out."""
    from simulations.faults import FAULTS  # noqa: PLC0415 - imports the whole simulator
    from simulations.run import CORE  # noqa: PLC0415 - as above

    return sorted([*FAULTS, CORE])


def _minutes(_context: click.Context, _option: click.Parameter, minutes: float | None) -> float | None:
    """Six digits, so that the command that replays a run says exactly what was run."""
    if minutes is None:
        return None
    rounded = float(f"{minutes:g}")
    if not 0 < rounded < math.inf:
        raise click.BadParameter(f"{minutes:g} is not a time that passes")
    return rounded


def _file(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """A file that can be written: said before the run, not after it."""
    if name is None or name == STDOUT:
        return name
    path = Path(name)
    if not path.parent.is_dir():
        raise click.BadParameter(f"{name!r} is in no directory that exists")
    if path.is_dir():
        raise click.BadParameter(f"{name!r} is a directory")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise click.BadParameter(f"{name!r} cannot be written")
    return name


def _alike(name: str, known: Iterable[str]) -> str:
    """A question, or nothing if nothing is like it."""
    alike = difflib.get_close_matches(name, list(known), n=3)
    return f"Did you mean {' or '.join(alike)}?" if alike else ""
