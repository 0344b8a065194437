"""
The commands that only look: status, members, ring, pools, allocations, lookup.

Does not know how the daemon finds its answers, nor how tables are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import click

from weaveipam.cli.client import path_of
from weaveipam.cli.common import ask, common
from weaveipam.cli.output import Column, Table, emit

POOL_COLUMNS = (
    Column("name"),
    Column("network"),
    Column("ranges"),
    Column("size"),
    Column("owned"),
    Column("used"),
    Column("cooling"),
    Column("withheld", wide=True),
    Column("kind", wide=True),
    Column("parent", wide=True),
    Column("free"),
    Column("unreachable"),
    Column("gateways", wide=True),
    Column("excluded", wide=True),
    Column("disabled"),
)
MEMBER_COLUMNS = (
    Column("name"),
    Column("endpoint"),
    Column("state"),
    Column("seconds_in_state"),
    Column("owned"),
    Column("self"),
    Column("incarnation", wide=True),
)
RING_COLUMNS = (
    Column("network"),
    Column("family"),
    Column("range"),
    Column("size"),
    Column("owner"),
    Column("generation"),
    Column("epoch"),
    Column("author", wide=True),
    Column("owner_incarnation", wide=True),
    Column("author_incarnation", wide=True),
)
ALLOCATION_COLUMNS = (
    Column("key"),
    Column("range"),
    Column("pool"),
    Column("network"),
    Column("prefix_length"),
    Column("gateway"),
    Column("durable", wide=True),
    Column("ttl", wide=True),
    Column("expires_at", wide=True),
    Column("labels", wide=True),
)
LOOKUP_COLUMNS = (
    Column("key"),
    Column("range"),
    Column("pool"),
    Column("owner"),
    Column("owner_incarnation", wide=True),
)

network_option = click.option(
    "--network", metavar="NAME", help="The network instance. Default: default, or all of them in lists."
)


@common(
    "weaveipam status",
    "weaveipam status -o json | jq .ready",
)
@click.command()
def status() -> None:
    """
    How this daemon is.

    Who it is, whether it is ready and why not, how many members it sees, how full the pools are, and what
    conflicts there are.
    """
    document = ask("GET", "/v1/status")
    facts = {
        "name": document["name"],
        "incarnation": document["incarnation"],
        "cluster": document["cluster_id"],
        "state": document["state"],
    }
    if not document["ready"]:
        facts["not ready"] = document["why_not_ready"]
    facts |= {
        "members": f"{document['members_alive']} alive of {document['members_total']}",
        "waiting requests": document["pending"],
        "grants under way": document["outgoing"],
        "conflicts": _withheld(document),
        "packets": "sealed" if document["sealed"] else "NOT SEALED: see docs/security.md",
        "version": document["version"],
    }
    tables = [Table(POOL_COLUMNS, document["pools"])]
    if document["conflicts"]:
        tables.append(Table((Column("conflict"),), [{"conflict": one} for one in document["conflicts"]]))
    emit(document, *tables, facts=facts)


@common(
    "weaveipam members",
    "weaveipam members -o json | jq -r '.[] | select(.state != \"alive\") | .name'",
)
@click.command()
def members() -> None:
    """The daemons of the cluster, as this one sees them."""
    document = ask("GET", "/v1/members")
    emit(document, Table(MEMBER_COLUMNS, document))


@common(
    "weaveipam ring",
    "weaveipam ring --network default --family 4 -o wide",
)
@click.command()
@network_option
@click.option("--family", type=click.Choice(["4", "6"]), help="Default: both.")
def ring(network: str | None, family: str | None) -> None:
    """Which daemon owns which addresses."""
    document = ask("GET", "/v1/ring" + _query(network=network, family=family))
    emit(document, Table(RING_COLUMNS, document))


@common(
    "weaveipam pools",
    "weaveipam pools -o yaml",
)
@click.command()
def pools() -> None:
    """
    The pools, and how full they are.

    SIZE counts the whole cluster, UNREACHABLE what daemons own that are not alive; the others count what this
    daemon owns.
    """
    document = ask("GET", "/v1/pools")
    emit(document, Table(POOL_COLUMNS, document))


@common(
    "weaveipam allocations",
    "weaveipam allocations --pool pods -o json",
)
@click.command()
@click.option("--pool", metavar="NAME", help="Only of this pool.")
def allocations(pool: str | None) -> None:
    """What this daemon has allocated."""
    document = ask("GET", "/v1/allocations" + _query(pool=pool))
    emit(document, allocation_table(document))


@common(
    "weaveipam lookup 10.32.0.7",
    "weaveipam lookup cni/pods/4f2a/eth0",
)
@click.command()
@click.argument("subject", metavar="KEY-or-ADDRESS")
@network_option
def lookup(subject: str, network: str | None) -> None:
    """
    Who has a key or an address.

    An address that another daemon owns shows that daemon: ask there who has it. A key is known where it was
    allocated.
    """
    document = ask("GET", path_of("v1", "lookup", subject) + _query(network=network))
    allocation = document["allocation"]
    rows = list(allocation_rows([allocation])) if allocation else [{"pool": document["pool"]}]
    owner = {name: document[name] for name in ("owner", "owner_incarnation")}
    emit(document, Table(LOOKUP_COLUMNS, [{**row, **owner} for row in rows]))


def _withheld(status: Mapping[str, Any]) -> str:
    """Counts of what `weaveipam conflicts` lists."""
    counts = [f"{status[name]} {name}" for name in ("contested", "foreign", "lent") if status[name]]
    counts += [f"{status['unadopted']} of the foreign not adopted yet"] if status["unadopted"] else []
    counts += [f"{status['twice']} IN USE TWICE"] if status["twice"] else []
    return ", ".join(counts) or "none"


def allocation_table(allocations: Iterable[Mapping[str, Any]]) -> Table:
    """One row for each address of the allocations."""
    return Table(ALLOCATION_COLUMNS, list(allocation_rows(allocations)))


def allocation_rows(allocations: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """For each address what is known of it and of its allocation."""
    for one in allocations:
        for address in one["addresses"]:
            yield {**one, **address}


def _query(**parameters: str | None) -> str:
    """The part of a URL behind its path; empty if all are None."""
    said = {name: value for name, value in parameters.items() if value is not None}
    return "?" + urlencode(said) if said else ""
