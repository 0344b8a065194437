"""
The commands about network instances.

Does not know how the members of a cluster agree on them; the daemon does.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from weaveipam.cli.client import path_of
from weaveipam.cli.common import ask, common, until_agreed
from weaveipam.cli.output import Column, Table, emit

COLUMNS = (
    Column("name"),
    Column("pools"),
    Column("families"),
    Column("size"),
    Column("owned"),
    Column("used"),
)
CHANGED_COLUMNS = (Column("name"), Column("exists"))


@common()
@click.group()
def network() -> None:
    """
    Create, delete and list network instances.

    Each is an address space of its own: pools of two networks may have the same addresses. The network
    default always exists. A change is made once all members agree.
    """


@common("weaveipam network create red")
@network.command()
@click.argument("name", metavar="NAME")
@until_agreed
def create(*, name: str, timeout: float) -> None:
    """Create a network; one that exists is no error."""
    _change("POST", path_of("v1", "networks"), {"name": name}, timeout)


@common("weaveipam network delete red")
@network.command()
@click.argument("name", metavar="NAME")
@until_agreed
def delete(*, name: str, timeout: float) -> None:
    """Delete a network that no pool is in; if there is none that is no error."""
    _change("DELETE", path_of("v1", "networks", name), None, timeout)


@common("weaveipam network list", "weaveipam network list -o json")
@network.command("list")
def networks() -> None:
    """
    The networks, and what is in them.

    SIZE counts the addresses of the whole cluster, OWNED and USED those of this daemon.
    """
    document = ask("GET", "/v1/networks")
    emit(document, Table(COLUMNS, document))


def _change(method: str, path: str, body: dict[str, Any] | None, timeout: float) -> None:
    document = ask(method, f"{path}?{urlencode({'wait': f'{timeout:g}'})}", body, waits_s=timeout)
    emit(document, Table(CHANGED_COLUMNS, [document]))
