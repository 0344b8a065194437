"""
The commands about the CNI program.

Does not know how it is put in place; `cni.install` does.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from weaveipam.cli.common import Failure, common, said_socket
from weaveipam.config.options import CNI_SOCKET_NAME, DEFAULT_SOCKET


@common()
@click.group()
def cni() -> None:
    """The CNI program."""


@common(
    "weaveipam cni install",
    "weaveipam cni install --bin-dir /usr/lib/cni --pool pods",
)
@cni.command("install")
@click.option(
    "--bin-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("/opt/cni/bin"),
    show_default=True,
    help="Where the runtime looks for plugins.",
)
@click.option(
    "--conf-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("/etc/cni/net.d"),
    show_default=True,
    help="Where the runtime looks for networks.",
)
@click.option(
    "--pool", "pools", metavar="NAME", multiple=True, help="Only from these, in this order; repeatable."
)
@click.option("--force", is_flag=True, help="Overwrite a conflist that somebody has changed.")
def install(*, bin_dir: Path, conf_dir: Path, pools: tuple[str, ...], force: bool) -> None:
    """
    Put the CNI program and an example conflist in place.

    Each file is there whole or not at all. The conflist names the CNI socket beside --socket.
    """
    from cni.install import install as put  # noqa: PLC0415 - nobody else needs it
    from weaveipam.errors import WeaveipamError  # noqa: PLC0415 - as above

    api = Path(said_socket() or os.environ.get("WEAVEIPAM_SOCKET") or DEFAULT_SOCKET)
    try:
        placed = put(bin_dir, conf_dir, api.absolute().with_name(CNI_SOCKET_NAME), pools, force=force)
    except (OSError, WeaveipamError) as error:
        raise Failure(str(error)) from None
    for path in placed:
        print(path)
