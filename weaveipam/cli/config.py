"""
The commands about the configuration that a daemon runs with.

Does not know where it was said, nor what can be changed without a restart; the daemon does.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from weaveipam.cli.common import Failure, ask, common, said_format
from weaveipam.cli.output import Column, Table, emit
from weaveipam.config.options import OPTIONS

OPTION_COLUMNS = (Column("option"), Column("value"), Column("source"), Column("where", wide=True))
POOL_COLUMNS = (Column("name"), Column("outcome"), Column("detail"))


@common(
    "weaveipam config",
    "weaveipam config > config.toml && weaveipam agent --config config.toml --check-config",
    "weaveipam config -o json | jq .options.join",
    "weaveipam config -o wide",
)
@click.command()
def config() -> None:
    """
    The configuration that the daemon runs with.

    In TOML, as agent --config reads it, with who said each option behind it: a flag, a variable of the
    environment, a key of the file, or nobody. The pools are those in force. Keys for packets are never shown.
    """
    document = ask("GET", "/v1/config")
    if said_format() is None:
        from weaveipam.config.writing import toml_text  # noqa: PLC0415 - slow to import

        print(toml_text(_origins(document), document["pools"], _note(document)), end="")
        return
    rows = [{"option": key, **said} for key, said in document["options"].items() if key != "pool"]
    emit(document, Table(OPTION_COLUMNS, rows))


@common("weaveipam reload", "weaveipam reload --timeout 600", "systemctl reload weaveipam")
@click.command()
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=15.0,
    show_default=True,
    metavar="S",
    help="How long to wait until all members agree on pools; those on which they do not stay as they are.",
)
def reload(*, timeout: float) -> None:
    """
    Have the daemon read its configuration again.

    It takes over what it can while it runs. If anything is wrong all of it is listed, and nothing is changed.
    Pools of the configuration are created and changed for the whole cluster; pools that it does not have
    stay. Options that count after a restart are named.
    """
    document = ask("POST", f"/v1/reload?{urlencode({'wait': f'{timeout:g}'})}", waits_s=timeout)
    facts = {"taken over": document["applied"], "after a restart": document["restart"]}
    emit(document, Table(POOL_COLUMNS, document["pools"]), facts=facts)
    refused = [
        f"pool {one['name']}: {one['detail']}" for one in document["pools"] if one["outcome"] == "refused"
    ]
    if refused:
        raise Failure(*refused)


def _origins(document: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    """Of each option what it is and who said so."""
    origins = {}
    for option in OPTIONS:
        said = document["options"].get(option.key)
        if said is not None and option.kind != "pools":
            later = "; another value counts after a restart" if option.key in document["restart"] else ""
            origins[option.key] = (said["value"], (said["where"] or "default") + later)
    return origins


def _note(document: dict[str, Any]) -> str:
    if document["formed"]:
        return "The pools of the cluster, as its members have agreed."
    return "There is no cluster yet; these are the pools that are configured here."
