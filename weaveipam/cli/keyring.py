"""
The commands about the keys that packets are sealed with.

Does not know how they are kept, nor what a key is.
"""

from __future__ import annotations

import secrets
from typing import IO

import click

from weaveipam.cli.client import path_of
from weaveipam.cli.common import Failure, ask, common
from weaveipam.cli.output import Column, Table, emit
from weaveipam.protocol.keyring import KEY_BYTES, Key, format_keyring

KEY_COLUMNS = (Column("id"), Column("used"), Column("members"))


@common()
@click.group()
def keyring() -> None:
    """
    The keys that packets between daemons are sealed with.

    Every command is about the daemon on this host alone. To change the key of a cluster, do each step on all
    hosts before the next: add the new key, use it, remove the old one.
    """


@common(
    "weaveipam keyring list",
    "weaveipam keyring list -o json | jq -r '.[] | select(.members != []) | .id'",
)
@keyring.command("list")
def list_() -> None:
    """
    The keys by their ids, and who still sends with which.

    MEMBERS are those that have not been heard with the key in use since it is in use. A key is safe to remove
    when every daemon shows none for it.
    """
    _show(ask("GET", "/v1/keyring"))


@common(
    "weaveipam keyring generate > new.key",
    "weaveipam keyring generate | tee new.key | weaveipam keyring add",
)
@keyring.command("generate")
def generate() -> None:
    """Print a new key; no daemon is asked."""
    print(format_keyring([Key(secrets.token_bytes(KEY_BYTES[0]))]), end="")


@common(
    "weaveipam keyring add < new.key",
    "ssh host-7 weaveipam keyring add < new.key",
    "echo plain | weaveipam keyring add",
)
@keyring.command("add")
@click.argument("file", type=click.File(), default="-")
def add(*, file: IO[str]) -> None:
    """
    Accept one more key: the first line of FILE, by default of standard input.

    Not an argument, as every user of the host sees those.
    """
    try:
        line = file.readline()
    except ValueError:
        raise Failure("the key is no text") from None
    _show(ask("POST", "/v1/keyring/keys", {"key": line.strip()}))


@common("weaveipam keyring use 3fa1c8")
@keyring.command("use")
@click.argument("key_id", metavar="ID")
def use(*, key_id: str) -> None:
    """Seal what is sent with this key, which all others must accept already."""
    _show(ask("PUT", "/v1/keyring/used", {"id": key_id}))


@common("weaveipam keyring remove 3fa1c8")
@keyring.command("remove")
@click.argument("key_id", metavar="ID")
def remove(*, key_id: str) -> None:
    """Accept this key no more; if it is not there, that is no error."""
    _show(ask("DELETE", path_of("v1", "keyring", "keys", key_id)))


@common("weaveipam keyring reload")
@keyring.command("reload")
def reload() -> None:
    """Take the keys that the daemon's file holds now, after something else has changed it."""
    _show(ask("POST", "/v1/keyring/reload"))


def _show(document: list[dict[str, object]]) -> None:
    emit(document, Table(KEY_COLUMNS, document))
