"""
The commands about single pools.

Does not know how the members of a cluster agree on them; the daemon does.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from weaveipam.cli.client import path_of
from weaveipam.cli.common import Failure, ask, common, until_agreed
from weaveipam.cli.output import Column, Table, emit
from weaveipam.cli.pooltable import CLEARABLE, pool_options, said_table
from weaveipam.cli.show import POOL_COLUMNS

COLUMNS = (
    Column("name"),
    Column("network"),
    Column("ranges"),
    Column("gateways"),
    Column("excluded", wide=True),
    Column("disabled"),
    Column("kind", wide=True),
)

_drain = click.option(
    "--drain", is_flag=True, help="Hand out none of the addresses that go, and wait until none is in use."
)


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
    "weaveipam pool create edge --range 192.0.2.10-192.0.2.90 --prefix-length 24 --gateway 192.0.2.1",
    "weaveipam pool create web --range 10.41.0.0/24 --route 10.0.0.0/8=10.41.0.1 --pod-selector app=web",
    "weaveipam pool create red --file red.toml",
    "weaveipam pool create racks --range 10.50.0.0/16 --kind aggregate",
)
@pool.command()
@click.argument("name", metavar="NAME")
@pool_options
@click.option("--network", metavar="N", help="The network instance. Default: default.")
@click.option("--disabled", is_flag=True, help="Hand out nothing of it yet.")
@until_agreed
def create(*, name: str, network: str | None, disabled: bool, timeout: float, **said: Any) -> None:
    """
    Create a pool; the same one again is no error.

    docs/reference/config.md says what each key of a pool means.
    """
    table = said_table(name, said)
    if "ranges" not in table:
        raise click.UsageError("say at least one --range, or a --file that has some")
    table |= {"network": network} if network else {}
    table |= {"disabled": True} if disabled else {}
    _change("POST", path_of("v1", "pools"), table, timeout)


@common(
    "weaveipam pool change blue --limit 200 --label zone=a",
    "weaveipam pool change blue --clear gateway --label zone-",
    "weaveipam pool change blue --range 10.40.0.0/17 --gateway 10.40.0.1 --drain --timeout 3600",
    "weaveipam pool show blue -o json | jq .definition > blue.json  # to be edited",
    "weaveipam pool change blue --file blue.json",
)
@pool.command()
@click.argument("name", metavar="NAME")
@pool_options
@click.option(
    "--clear",
    metavar="KEY",
    type=click.Choice(CLEARABLE),
    multiple=True,
    help="Say nothing of this key any more, one of " + ", ".join(CLEARABLE) + ".",
)
@_drain
@until_agreed
def change(*, name: str, clear: tuple[str, ...], drain: bool, timeout: float, **said: Any) -> None:
    """
    Change what is said of a pool; what is not said stays.

    An option replaces what the pool had, for all of its ranges; labels and preallocations are added, and go
    with --label K- and --preallocate NAME=. Who names ranges names all of them, and what goes with them.
    With --file the pool becomes just what file and options say. Addresses that go must not be in use.
    """
    whole = said["file"] is not None
    table = said_table(name, said) | dict.fromkeys(clear)
    if len(table) == 1 and not whole:
        raise click.UsageError("say what is to change")
    _change("PUT" if whole else "PATCH", path_of("v1", "pools", name), table, timeout, drain=drain)


@common("weaveipam pool delete blue", "weaveipam pool delete blue --drain --timeout 3600")
@pool.command()
@click.argument("name", metavar="NAME")
@_drain
@until_agreed
def delete(*, name: str, drain: bool, timeout: float) -> None:
    """Delete a pool of which nothing is in use; if there is none that is no error."""
    _change("DELETE", path_of("v1", "pools", name), None, timeout, drain=drain)


@common("weaveipam pool disable blue")
@pool.command()
@click.argument("name", metavar="NAME")
@until_agreed
def disable(*, name: str, timeout: float) -> None:
    """Hand out nothing more of a pool; what is in use stays."""
    _change("POST", path_of("v1", "pools", name, "disable"), None, timeout)


@common("weaveipam pool enable blue")
@pool.command()
@click.argument("name", metavar="NAME")
@until_agreed
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


def _change(
    method: str, path: str, body: dict[str, Any] | None, timeout: float, *, drain: bool = False
) -> None:
    query = {"wait": f"{timeout:g}", **({"drain": "true"} if drain else {})}
    document = ask(method, f"{path}?{urlencode(query)}", body, waits_s=timeout)
    held = document["pool"]
    emit(document, Table(COLUMNS, [] if held is None else [held]))
