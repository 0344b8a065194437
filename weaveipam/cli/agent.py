"""
The command that runs the daemon: from what was said to a running process and its exit status.

Does not know how a daemon is put together; `compose` does.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from weaveipam.cli.common import EXIT_USAGE, Failure, common, said_socket
from weaveipam.config.config import Config, load
from weaveipam.config.options import OPTIONS, Option
from weaveipam.daemon.keyring import KeyringFile
from weaveipam.errors import ConfigError, WeaveipamError

F = TypeVar("F", bound=Callable[..., Any])


def _flags(function: F) -> F:
    """Adds the flag of every option but `--socket`, which every command has."""
    for option in reversed([one for one in OPTIONS if one.key != "socket"]):
        function = click.option(*_names(option), option.key, **_attributes(option))(function)
    return function


def _names(option: Option) -> list[str]:
    if option.kind == "switch":
        return [f"{option.flag}/--no-{option.flag.removeprefix('--')}"]
    return [option.flag]


def _attributes(option: Option) -> dict[str, Any]:
    if option.kind == "switch":
        return {"default": None, "help": option.help}
    return {"metavar": option.metavar, "multiple": option.kind in {"texts", "pools"}, "help": option.help}


@common(
    "weaveipam agent --pool pods=10.32.0.0/16",
    "weaveipam agent --name a --join b:6783 --join c:6783 --init seeds=a,b,c --pool pods=10.32.0.0/16",
    "weaveipam agent --config /etc/weaveipam/config.toml --check-config",
)
@click.command()
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    envvar="WEAVEIPAM_CONFIG",
    help="TOML; flags and WEAVEIPAM_ variables count more.",
)
@click.option("--check-config", is_flag=True, help="Print OK or everything that is wrong, and exit.")
@_flags
def agent(*, config: Path | None, check_config: bool, **flags: object) -> None:
    """
    Run the daemon in the foreground.

    Logs go to standard error. SIGTERM makes it finish what it has and exit; SIGHUP makes it read its
    configuration again, as weaveipam reload does.
    """
    # A terminal that is gone by the next time is no change of the configuration.
    read = partial(_read, config, {**flags, "socket": said_socket()}, on_terminal=sys.stderr.isatty())
    loaded = _load(read)
    if check_config:
        print("OK")
        return
    from weaveipam.cli.compose import run  # noqa: PLC0415 - not needed to check a configuration

    try:
        run(loaded, read)
    except WeaveipamError as error:
        raise Failure(str(error)) from None


def _read(file: Path | None, flags: dict[str, object], *, on_terminal: bool) -> Config:
    """What is said now; ConfigError with a line for each thing that is wrong."""
    return load(
        flags,
        os.environ,
        file,
        host_name=socket.gethostname(),
        on_terminal=on_terminal,
        check=_problems_of_keys,
    )


def _problems_of_keys(config: Config) -> list[str]:
    try:
        if config.keyring is not None:
            KeyringFile(config.keyring).read()
    except ConfigError as error:
        return str(error).splitlines()
    return []


def _load(read: Callable[[], Config]) -> Config:
    """The configuration; ends the program when it cannot work."""
    try:
        return read()
    except WeaveipamError as error:
        for line in str(error).splitlines():
            print(f"weaveipam: {line}", file=sys.stderr)
        sys.exit(EXIT_USAGE)
