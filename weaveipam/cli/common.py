"""
What every command shares: the options that go before and after it, and how it fails.

Does not know any command.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import IO, Any, TypeVar

import click

from weaveipam import __version__

C = TypeVar("C", bound=click.Command)

FORMATS = ("table", "wide", "json", "yaml")
EXIT_FAILED = 1
"""The request was refused, or failed."""
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
"""In each unit of time."""
_SOCKET = "weaveipam.socket"
_FORMAT = "weaveipam.output"


class Failure(click.ClickException):
    """Ends the program with one sentence on stderr, or a line for each of several."""

    exit_code = EXIT_FAILED

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(" ".join(one.split()) for one in sentences))

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the sentences."""
        for line in self.message.splitlines():
            print(f"weaveipam: {line}", file=file or sys.stderr)


class Unreachable(Failure):
    """As above, because there is no daemon to ask."""

    exit_code = EXIT_UNREACHABLE


until_agreed = click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=15.0,
    show_default=True,
    metavar="S",
    help="How long to wait until all members agree; then nothing is changed.",
)
"""How long a command waits for a decision of all members."""


def common(*examples: str) -> Callable[[C], C]:
    """
    A decorator that adds `--socket`, `--output` and `--version` to a command, and examples to its help.

    The options may be said before and after the subcommand; what stands furthest right counts.
    """

    def complete(command: C) -> C:
        command.params += _options()
        if examples:
            # The backspace keeps click from filling the lines.
            command.epilog = "\b\nExamples:\n" + "\n".join(f"  {one}" for one in examples)
        return command

    return complete


def duration(said: str) -> int:
    """
    The whole seconds, at least 1, of a time as `90s`, `15m`, `1h` or `2d`, or in seconds.

    Raises:
        click.BadParameter: it is none.
    """
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", said)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if seconds < 1:
        raise click.BadParameter(f"{said!r} is no time; say 90s, 15m, 1h or 2d.")
    return seconds


def _options() -> list[click.Option]:
    return [
        click.Option(
            ["--socket"],
            metavar="PATH",
            expose_value=False,
            callback=_remember(_SOCKET),
            help="The daemon's socket. Default: $WEAVEIPAM_SOCKET, else /run/weaveipam/api.sock.",
        ),
        click.Option(
            ["--output", "-o"],
            type=click.Choice(FORMATS),
            expose_value=False,
            callback=_remember(_FORMAT),
            help="Default: table.",
        ),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version and exit.",
        ),
    ]


def said_socket() -> str | None:
    """The socket that was said on the command line."""
    return _said(_SOCKET)


def output_format() -> str:
    """One of FORMATS."""
    return said_format() or FORMATS[0]


def said_format() -> str | None:
    """The one of FORMATS that was said on the command line."""
    return _said(_FORMAT)


def ask(method: str, target: str, body: object = None, waits_s: float = 0.0) -> Any:
    """
    The daemon's answer, JSON decoded; `waits_s`: how long it was asked to wait before it answers.

    Raises:
        Failure: it refused, or could not be reached.
    """
    # Here, because it is slow to import, and help must be quick.
    from weaveipam.cli.client import Client, RefusedError, UnreachableError  # noqa: PLC0415 - see above

    try:
        return Client.of(said_socket(), os.environ).ask(method, target, body, waits_s)
    except RefusedError as error:
        raise Failure(*(error.errors or [str(error)])) from None
    except UnreachableError as error:
        raise Unreachable(str(error)) from None


def _said(key: str) -> str | None:
    value = click.get_current_context().meta.get(key)
    return value if isinstance(value, str) else None


def _remember(key: str) -> Any:
    def remember(context: click.Context, _option: click.Parameter, value: str | None) -> None:
        if value is not None:
            context.meta[key] = value  # shared with the contexts of subcommands

    return remember


def _print_version(context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        print(f"weaveipam {__version__}")
        context.exit()
