"""
The commands about what is wrong: conflicts, and check.

Does not know how conflicts come about or end; docs/conflicts.md tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from weaveipam.cli.common import ask, common
from weaveipam.cli.output import Column, Table, emit

EXIT_PROBLEMS = 4
"""A check found something wrong."""

CONTESTED_COLUMNS = (
    Column("contested"),
    Column("network"),
    Column("stage"),
    Column("mine"),
    Column("allocated_here"),
    Column("theirs"),
    Column("allocated_there"),
    Column("generation", wide=True),
    Column("epoch", wide=True),
    Column("author_of_mine", wide=True),
    Column("author_of_theirs", wide=True),
)
TWICE_COLUMNS = (Column("in_use_twice"), Column("network"), Column("by"), Column("and_by"))
FOREIGN_COLUMNS = (
    Column("foreign"),
    Column("network"),
    Column("key"),
    Column("owner"),
    Column("adopted"),
    Column("owner_incarnation", wide=True),
)
LENT_COLUMNS = (
    Column("lent"),
    Column("network"),
    Column("key"),
    Column("holder"),
    Column("holder_incarnation", wide=True),
)
PROBLEM_COLUMNS = (Column("kind"), Column("detail"))


@common(
    "weaveipam conflicts",
    "weaveipam conflicts -o json | jq -r '.contested[].range'",
    "weaveipam conflicts resolve 10.32.0.8/29 --owner node-2",
)
@click.group(invoke_without_command=True)
@click.pass_context
def conflicts(context: click.Context) -> None:
    """
    Addresses that are contested, foreign, lent or in use twice.

    As far as this daemon is concerned. CONTESTED are those that another daemon owns with equal right; nobody
    hands them out until somebody decides. FOREIGN are those in use here that another daemon owns, LENT those
    that this one owns and that are in use elsewhere. See docs/conflicts.md.
    """
    if context.invoked_subcommand is not None:
        return
    document = ask("GET", "/v1/conflicts")
    tables = [
        Table(CONTESTED_COLUMNS, [_contested(one) for one in document["contested"]]),
        Table(TWICE_COLUMNS, [_twice(one) for one in document["twice"]]),
        Table(FOREIGN_COLUMNS, [{**one, "foreign": one["range"]} for one in document["foreign"]]),
        Table(LENT_COLUMNS, [{**one, "lent": one["range"]} for one in document["lent"]]),
    ]
    filled = [one for one in tables if one.rows]
    emit(document, *filled, facts={} if filled else {"conflicts": "none"})


@common(
    "weaveipam conflicts resolve 10.32.0.8/29 --owner node-2",
    "weaveipam conflicts resolve fd00:32::10 --owner node-3 --network blue",
)
@conflicts.command("resolve")
@click.argument("contested", metavar="RANGE")
@click.option("--owner", metavar="NAME", required=True, help="The daemon that keeps the range.")
@click.option("--network", metavar="NAME", help="The network instance. Default: default.")
def resolve(*, contested: str, owner: str, network: str | None) -> None:
    """
    Decide which of the two daemons that claim a range keeps what is contested of it.

    To be said to one of the two. The other one gives its claim up first; what is in use there stays with its
    users, and the one that keeps the range never hands that out before they have released it.
    """
    body = {"range": contested, "owner": owner, "network": network}
    document = ask("POST", "/v1/conflicts/resolve", body)
    emit(document, facts={"decided": document["detail"]})


@common(
    "weaveipam check",
    "weaveipam check -o json | jq -r '.[].detail'",
)
@click.command()
def check() -> None:
    """
    Audit this daemon, and what it can see of the others.

    Prints what is wrong, and exits with status 4 if anything is: conflicts, addresses in use twice, owners
    that are not there, a ring or accounts that do not add up.
    """
    document = ask("GET", "/v1/check")
    tables = [Table(PROBLEM_COLUMNS, document)] if document else []
    emit(document, *tables, facts={} if document else {"problems": "none"})
    if document:
        raise click.exceptions.Exit(EXIT_PROBLEMS)


def _contested(one: Mapping[str, Any]) -> dict[str, Any]:
    mine, theirs = one["mine"], one["theirs"]
    return {
        **one,
        "contested": one["range"],
        "mine": mine["owner"],
        "theirs": theirs["owner"],
        "allocated_here": _keys(mine["allocations"]),
        "allocated_there": _keys(theirs["allocations"]),
        "generation": mine["generation"],
        "epoch": mine["epoch"],
        "author_of_mine": mine["author"],
        "author_of_theirs": theirs["author"],
    }


def _keys(allocations: Sequence[Mapping[str, Any]] | None) -> object:
    if allocations is None:
        return "not told yet"
    return [f"{one['range']} {one['key']}" for one in allocations]


def _twice(one: Mapping[str, Any]) -> dict[str, Any]:
    by, and_by = (f"{held['key']} at {held['holder']}" for held in one["holders"])
    return {**one, "in_use_twice": one["range"], "by": by, "and_by": and_by}
