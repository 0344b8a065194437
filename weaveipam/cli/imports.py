"""
The commands that take over the addresses of a cluster that was run by another address manager.

Does not know the formats, which `weaveipam.migration` reads, nor which daemon owns an address.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from weaveipam.cli.common import Failure, common

F = TypeVar("F", bound=Callable[..., Any])

FILE_BYTES_MAX = 256 << 20
"""Of a file to be read whole; Weave Net's has some hundred bytes for each address."""
FILES_MAX = 1 << 20
"""In a directory; host-local's has one for each address of a host."""

_cni_network = functools.partial(click.option, "--cni-network", metavar="NAME")
_ifname = click.option(
    "--ifname",
    metavar="NAME",
    default="eth0",
    show_default=True,
    help="The interface of containers of which only the id is known.",
)


def _options(function: F) -> F:
    """Adds what every import takes."""
    for option in (
        click.option("--durable", is_flag=True, help="Survive the loss of power, too."),
        click.option("--dry-run", is_flag=True, help="Only say what would become of each address."),
        click.option(
            "--pool", metavar="NAME", help="Only from this pool. Default: every pool of the network."
        ),
        click.option("--network", metavar="NAME", help="The network instance. Default: default."),
    ):
        function = option(function)
    return function


@common()
@click.group("import")
def imports() -> None:
    """
    Take over the addresses that another address manager has given out.

    Each address is allocated here to the key of who has it, as `weaveipam claim` does, so that nobody is
    renumbered. To be repeated as often as wanted: what is taken over already stays as it is. Every address
    that cannot be had is listed with the reason, and the exit status is 1 then. See docs/migration.md.
    """


@common(
    "weaveipam import host-local /var/lib/cni/networks/pods --dry-run",
    "weaveipam import host-local /var/lib/cni/networks/pods",
)
@imports.command("host-local")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@_cni_network(help="The CNI network's name. Default: the name of the directory.")
@_ifname
@_options
def host_local(*, directory: Path, cni_network: str | None, ifname: str, **options: Any) -> None:
    """
    The directory of a network of the CNI plugin host-local.

    Keys are those by which the CNI program knows the same containers, so that their deletion releases them.
    """
    from weaveipam.migration.hostlocal import FILE_BYTES_MAX as SIZE_MAX  # noqa: PLC0415 - help is quick
    from weaveipam.migration.hostlocal import read_directory  # noqa: PLC0415 - as above

    heads = ((path, _head(path, SIZE_MAX + 1)) for path in _files(directory))
    found = read_directory((path.name, str(path), head) for path, head in heads if head is not None)
    _take(found, cni_network or directory.resolve().name, ifname, **options)


@common(
    "weaveipam import weave /var/lib/weave/weave-netdata.db --dry-run",
    "curl -s http://127.0.0.1:6784/ip | weaveipam import weave -",
)
@imports.command("weave")
@click.argument("file", metavar="FILE", type=click.File("rb"))
@_cni_network(default="weave", show_default=True, help="The CNI network's name.")
@_ifname
@_options
def weave(*, file: Any, cni_network: str, ifname: str, **options: Any) -> None:
    """
    What the daemon of Weave Net on this host has given out.

    FILE, or - for standard input, is its store weave-netdata.db, what its `GET /ip` answers, or what
    `weave ps` prints; the last one cuts the ids of containers, so that their deletion releases nothing. From
    the store, and from the JSON of `weave report`, it also shows the range to configure.
    """
    from weaveipam.migration.entries import FormatError  # noqa: PLC0415 - help is quick
    from weaveipam.migration.weave import read_weave  # noqa: PLC0415 - as above

    try:
        found = read_weave(_whole(file), file.name)
    except FormatError as error:
        raise Failure(str(error)) from None
    _take(found, cni_network, ifname, **options)


@common(
    "weaveipam import addresses in-use.txt --dry-run",
    "ip -o -4 addr | awk '{print $4, $2}' | weaveipam import addresses -",
)
@imports.command("addresses")
@click.argument("file", metavar="FILE", type=click.File("rb"))
@_options
def addresses(*, file: Any, **options: Any) -> None:
    """
    A list of addresses in use.

    One a line, maybe with a key behind it; the key of others is `imported/` and the address. FILE may be -
    for standard input.
    """
    from weaveipam.migration.listing import read_list  # noqa: PLC0415 - help is quick

    _take(read_list(_whole(file), file.name), "", "", **options)


def _take(found: Any, cni_network: str, ifname: str, **options: Any) -> None:
    from weaveipam.cli.taking import Wish, take  # noqa: PLC0415 - help is quick

    take(found, Wish(cni_network=cni_network, ifname=ifname, **options))


def _files(directory: Path) -> list[Path]:
    """The files of a directory, sorted; raises Failure if they cannot be those of a network."""
    try:
        paths = sorted(directory.iterdir())
    except OSError as error:
        raise Failure(f"cannot read {directory}: {error.strerror}") from None
    files = [path for path in paths if path.is_file()]
    if len(files) > FILES_MAX:
        raise Failure(f"{directory} has more than {FILES_MAX} files")
    if paths and not files:
        raise Failure(f"{directory} has no files: name the directory of one network, such as {paths[0]}")
    return files


def _head(path: Path, size_bytes: int) -> bytes | None:
    """The first bytes of a file; None if it has gone meanwhile, as that of a released address."""
    try:
        with path.open("rb") as file:
            return file.read(size_bytes)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}") from None


def _whole(file: Any) -> bytes:
    try:
        content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Failure(f"cannot read {file.name}: {error.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise Failure(f"{file.name} has more than {FILE_BYTES_MAX} bytes")
    return bytes(content)
