"""
The command that makes a daemon leave its cluster, and shows how far that has come.

Does not know who is given what; the daemon does, and goes on by itself whatever becomes of the command.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import click

from weaveipam.cli.client import Client, RefusedError, UnreachableError
from weaveipam.cli.common import Failure, Unreachable, ask, common, said_socket
from weaveipam.cli.output import Column, Table, emit
from weaveipam.cli.show import allocation_table

PATH = "/v1/leave"
POLL_S = 0.25
"""Seconds between two looks; a daemon that has left stays for some two seconds to be looked at."""
GIFT_COLUMNS = (
    Column("heir"),
    Column("network"),
    Column("range"),
    Column("size"),
    Column("leases"),
)


@common(
    "weaveipam leave --dry-run",
    "weaveipam leave",
    "weaveipam leave --cancel",
)
@click.command()
@click.option("--dry-run", is_flag=True, help="Only show who would be given what, or what is in the way.")
@click.option("--cancel", is_flag=True, help="Let the daemon stay after all; what it gave away stays given.")
def leave(*, dry_run: bool, cancel: bool) -> None:
    """
    Leave the cluster for good, and end the daemon.

    All its addresses are handed over to other members. Durable allocations go along, and are held by the same
    keys at the members that get their addresses. Any other allocation is a pod's, and nobody could release it
    afterwards: as long as there is one the command is refused, and lists them; drain the node first.

    The command waits, and shows what the daemon waits for. It may be interrupted and repeated: the daemon
    goes on by itself, also when it is killed and started again.
    """
    if dry_run and cancel:
        raise click.UsageError("say either --dry-run or --cancel")
    if dry_run:
        document = ask("GET", PATH)
        _show(document)
        if document["state"] == "staying" and document["why"]:
            raise Failure(f"it would be refused: {document['why']}")
    elif cancel:
        _show(ask("DELETE", PATH))
    else:
        _leave(Client.of(said_socket(), os.environ))


def _leave(client: Client) -> None:
    try:
        document = client.ask("POST", PATH)
    except RefusedError as error:
        _show_obstacles(client)
        raise Failure(str(error)) from None
    except UnreachableError as error:
        raise Unreachable(str(error)) from None
    life, said = document["incarnation"], ""
    try:
        while document["state"] == "leaving" and document["incarnation"] == life:
            if (line := _progress(document)) != said:
                print(line, file=sys.stderr, flush=True)
                said = line
            time.sleep(POLL_S)
            document = client.ask("GET", PATH)
    except UnreachableError:
        why = "the daemon ended before it said that it had left: started again it goes on; see its log"
        raise Unreachable(why) from None
    except KeyboardInterrupt:
        why = "interrupted; the daemon goes on leaving: see weaveipam status, or use weaveipam leave --cancel"
        raise Failure(why) from None
    if document["state"] == "staying" and document["incarnation"] == life:
        raise Failure("the daemon was told to stay")
    print(f"{document['name']} has left the cluster", file=sys.stderr)
    _show(document)


def _show_obstacles(client: Client) -> None:
    try:
        obstacles = client.ask("GET", PATH)["obstacles"]
    except (RefusedError, UnreachableError):
        return  # the refusal is told anyway
    if obstacles:
        emit(obstacles, allocation_table(obstacles))


def _show(document: dict[str, Any]) -> None:
    facts = {
        "name": document["name"],
        "state": document["state"],
        "addresses left": document["addresses"],
        "ranges left": document["ranges"],
    }
    if document["why"]:
        facts["why"] = document["why"]
    tables = []
    if document["gifts"]:
        tables.append(Table(GIFT_COLUMNS, document["gifts"]))
    if document["obstacles"]:
        tables.append(allocation_table(document["obstacles"]))
    emit(document, *tables, facts=facts)


def _progress(document: dict[str, Any]) -> str:
    """One line: what is left, and what is waited for."""
    waits = ", ".join(f"{name} ({count})" for name, count in sorted(document["unacknowledged"].items()))
    under_way = f"; grants under way to {waits}" if waits else ""
    return (
        f"{document['addresses']} addresses in {document['ranges']} ranges left{under_way}: {document['why']}"
    )
