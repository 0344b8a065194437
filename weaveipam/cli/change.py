"""
The commands that change something: allocate, claim, release.

Does not know which address is given; the daemon does.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from weaveipam.cli.client import path_of
from weaveipam.cli.common import ask, common, duration
from weaveipam.cli.output import emit
from weaveipam.cli.show import allocation_table

_key = click.option(
    "--key", metavar="KEY", required=True, help="Who the address is for: 1 to 512 bytes of UTF-8."
)
_network = click.option("--network", metavar="NAME", help="The network instance. Default: default.")
_kind = click.option(
    "--kind", metavar="KIND", help="What it is for, in nested pools: aggregate, network, pool or loopback."
)
_durable = click.option("--durable", is_flag=True, help="Survive the loss of power, too.")
_ttl = click.option(
    "--ttl",
    type=duration,
    metavar="TIME",
    help="Give it back after this time (90s, 15m, 1h, 2d) unless the key asks again. Default: never.",
)


@common(
    "weaveipam allocate --key web-1",
    "weaveipam allocate --key web-1 --family dual --pool pods -o json",
    "weaveipam allocate --key router --prefix-length 28 --durable",
    "weaveipam allocate --key vm-7 --selector 'zone in (a, b)' --name db-0",
    "weaveipam allocate --key job-3 --ttl 1h",
)
@click.command()
@_key
@_network
@click.option(
    "--pool",
    "pools",
    metavar="NAME",
    multiple=True,
    help="Only from this pool; of several from the first that has some. Default: those that select who asks.",
)
@click.option("--selector", metavar="EXPR", help="Only from pools with such labels, as in 'zone=a,!gpu'.")
@click.option("--fallback", is_flag=True, help="With nothing left in the pools named, from others as well.")
@_kind
@click.option("--index", type=click.IntRange(0), metavar="I", help="The address of this number in its pool.")
@click.option("--name", metavar="NAME", help="Whose address a pool keeps; unlike keys it may be used again.")
@click.option(
    "--family", type=click.Choice(["4", "6", "dual"]), help="Default: 4 if the pools carry it, else 6."
)
@click.option(
    "--prefix-length", type=int, metavar="L", help="An aligned block of this length instead of one address."
)
@_durable
@_ttl
def allocate(*, pools: tuple[str, ...], family: str | None, **said: Any) -> None:
    """Allocate addresses, or return what the key already has."""
    wanted = int(family) if family in {"4", "6"} else family
    body = {**said, "pools": list(pools) or None, "family": wanted}
    _allocate(body)


@common(
    "weaveipam claim --key gateway 10.32.0.1",
    "weaveipam claim --key dns --durable fd00:32::53",
)
@click.command()
@click.argument("address", metavar="ADDRESS")
@_key
@_network
@_kind
@_durable
@_ttl
def claim(**body: Any) -> None:
    """Allocate exactly this address."""
    _allocate(body)


@common(
    "weaveipam release --key web-1",
    "weaveipam release --address 10.32.0.7",
)
@click.command()
@click.option("--key", metavar="KEY", help="Whose addresses.")
@click.option(
    "--address", metavar="A", help="One of the addresses; what was allocated with it goes back too."
)
@_network
def release(*, key: str | None, address: str | None, network: str | None) -> None:
    """
    Give back what a key or an address holds.

    To release what is not allocated is no error.
    """
    if (key is None) == (address is None):
        raise click.UsageError("say either --key or --address")
    path = path_of("v1", "allocations") if key is None else path_of("v1", "allocations", key)
    said = {"address": address, "network": network}
    query = urlencode({name: value for name, value in said.items() if value is not None})
    document = ask("DELETE", path + ("?" + query if query else ""))
    emit(document, allocation_table(document["released"]))


def _allocate(body: dict[str, Any]) -> None:
    document = ask("POST", "/v1/allocations", body)
    emit(document, allocation_table([document]))
