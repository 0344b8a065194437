"""
The commands about single pools.

Does not know how the members of a cluster agree on them; the daemon does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

import click

from weaveipam.cli.client import path_of
from weaveipam.cli.common import Failure, ask, common
from weaveipam.cli.output import Column, Table, emit
from weaveipam.cli.show import POOL_COLUMNS

COLUMNS = (
    Column("name"),
    Column("network"),
    Column("ranges"),
    Column("gateways"),
    Column("excluded", wide=True),
    Column("disabled"),
)

F = TypeVar("F", bound=Callable[..., Any])

_wait = click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=15.0,
    show_default=True,
    metavar="S",
    help="How long to wait until all members agree; then nothing is changed.",
)
_drain = click.option(
    "--drain", is_flag=True, help="Hand out none of the addresses that go, and wait until none is in use."
)


def _ranges(command: F) -> F:
    for option in (
        click.option("--exclude", metavar="R", multiple=True, help="Addresses that are never handed out."),
        click.option("--gateway", metavar="A", multiple=True, help="Handed out with each address."),
        click.option(
            "--range",
            "ranges",
            metavar="R",
            multiple=True,
            required=True,
            help="A CIDR, first-last, or one address.",
        ),
    ):
        command = option(command)
    return command


@common()
@click.group()
def pool() -> None:
    """
    Create, change and delete pools.

    A change is made once all members agree; one that cannot be reached is waited for, or removed with
    weaveipam peer remove.
    """


@common(
    "weaveipam pool create blue --range 10.40.0.0/16",
    "weaveipam pool create edge --range 192.0.2.10-192.0.2.90 --range 2001:db8::/64 --gateway 192.0.2.1",
)
@pool.command()
@click.argument("name", metavar="NAME")
@_ranges
@click.option("--network", metavar="N", help="The network instance. Default: default.")
@_wait
def create(
    *,
    name: str,
    ranges: tuple[str, ...],
    gateway: tuple[str, ...],
    exclude: tuple[str, ...],
    network: str | None,
    timeout: float,
) -> None:
    """Create a pool; the same one again is no error."""
    body = {"name": name, "network": network, **_table(ranges, gateway, exclude)}
    _change("POST", path_of("v1", "pools"), body, timeout)


@common(
    "weaveipam pool change blue --range 10.40.0.0/15",
    "weaveipam pool change blue --range 10.40.0.0/17 --drain --timeout 3600",
)
@pool.command()
@click.argument("name", metavar="NAME")
@_ranges
@_drain
@_wait
def change(
    *,
    name: str,
    ranges: tuple[str, ...],
    gateway: tuple[str, ...],
    exclude: tuple[str, ...],
    drain: bool,
    timeout: float,
) -> None:
    """
    Give a pool other ranges, gateways and exclusions.

    Name all of them, not only what is new. Addresses that go must not be in use.
    """
    path = path_of("v1", "pools", name)
    _change("PUT", path, _table(ranges, gateway, exclude), timeout, drain=drain)


@common("weaveipam pool delete blue", "weaveipam pool delete blue --drain --timeout 3600")
@pool.command()
@click.argument("name", metavar="NAME")
@_drain
@_wait
def delete(*, name: str, drain: bool, timeout: float) -> None:
    """Delete a pool of which nothing is in use; if there is none that is no error."""
    _change("DELETE", path_of("v1", "pools", name), None, timeout, drain=drain)


@common("weaveipam pool disable blue")
@pool.command()
@click.argument("name", metavar="NAME")
@_wait
def disable(*, name: str, timeout: float) -> None:
    """Hand out nothing more of a pool; what is in use stays."""
    _change("POST", path_of("v1", "pools", name, "disable"), None, timeout)


@common("weaveipam pool enable blue")
@pool.command()
@click.argument("name", metavar="NAME")
@_wait
def enable(*, name: str, timeout: float) -> None:
    """Hand out addresses of a pool again."""
    _change("POST", path_of("v1", "pools", name, "enable"), None, timeout)


@common("weaveipam pool show blue -o json")
@pool.command()
@click.argument("name", metavar="NAME")
def show(*, name: str) -> None:
    """One pool, and how full it is."""
    found = [one for one in ask("GET", "/v1/pools") if one["name"] == name]
    if not found:
        raise Failure(f"no-such-pool: there is no pool {name}")
    emit(found[0], Table(POOL_COLUMNS, found))


def _table(ranges: tuple[str, ...], gateway: tuple[str, ...], exclude: tuple[str, ...]) -> dict[str, Any]:
    return {"ranges": list(ranges), "gateway": list(gateway), "exclude": list(exclude)}


def _change(
    method: str, path: str, body: dict[str, Any] | None, timeout: float, *, drain: bool = False
) -> None:
    query = {"wait": f"{timeout:g}", **({"drain": "true"} if drain else {})}
    document = ask(method, f"{path}?{urlencode(query)}", body, waits_s=timeout)
    held = document["pool"]
    emit(document, Table(COLUMNS, [] if held is None else [held]))
