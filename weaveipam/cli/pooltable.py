"""
What is said of a pool on the command line, as the table that a configuration file has of it.

Does not know what the keys mean; whoever reads the table does.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, TypeVar

import click

from weaveipam.cli.common import Failure

F = TypeVar("F", bound=Callable[..., Any])

CLEARABLE = (
    *("gateway", "prefix_length", "set_aside", "exclude", "reserve", "dns", "routes", "vlan", "labels"),
    *("order", "node_selector", "namespace_selector", "pod_selector", "cooldown", "limit", "node_limit"),
    *("preallocate", "kind"),
)
"""Keys that a pool can be without."""

_OPTIONS = (
    click.option("--range", "ranges", metavar="R", multiple=True, help="A CIDR, first-last, or one address."),
    click.option("--gateway", metavar="A", multiple=True, help="Handed out with the addresses on its link."),
    click.option("--prefix-length", type=int, metavar="L", help="Of the link that the ranges are on."),
    click.option(
        "--set-aside/--no-set-aside",
        default=None,
        help="Whether network, broadcast and anycast address are never handed out. Default: of CIDRs.",
    ),
    click.option("--exclude", metavar="R", multiple=True, help="Addresses that are never handed out."),
    click.option("--reserve", metavar="R", multiple=True, help="Handed out to who asks for just that one."),
    click.option("--dns", metavar="A", multiple=True, help="A name server, told with each address."),
    click.option("--domain", metavar="D", help="The domain told with it."),
    click.option("--search", metavar="D", multiple=True, help="A search domain told with it."),
    click.option("--route", metavar="DST[=GW]", multiple=True, help="A route, told with each address."),
    click.option("--vlan", type=int, metavar="V", help="Told with each address."),
    click.option(
        "--kind", metavar="K", help="aggregate, network, pool or loopback: it lies in others, or they in it."
    ),
    click.option("--label", metavar="K=V", multiple=True, help="What requests can select the pool by."),
    click.option("--order", metavar="spread|sequential", help="Which free address comes next."),
    click.option("--manual/--no-manual", default=None, help="Use it only where it is named or selected."),
    click.option("--node-selector", metavar="S", help="Whose nodes it serves, as zone in (a,b)."),
    click.option("--namespace-selector", metavar="S", help="The same for namespaces."),
    click.option("--pod-selector", metavar="S", help="The same for pods."),
    click.option("--cooldown", type=int, metavar="S", help="Seconds that a released address rests."),
    click.option("--limit", type=int, metavar="N", help="How many addresses of a family it hands out."),
    click.option("--node-limit", type=int, metavar="N", help="How many of them one daemon hands out."),
    click.option("--preallocate", metavar="NAME=A", multiple=True, help="Only this name gets this address."),
    click.option(
        "--file",
        metavar="FILE",
        type=click.File("rb"),
        help="The pool's table in TOML or JSON, - for standard input; options go over it.",
    ),
)

_AS_SAID = (
    *("ranges", "gateway", "prefix_length", "set_aside", "exclude", "reserve", "vlan", "order", "manual"),
    *("node_selector", "namespace_selector", "pod_selector", "cooldown", "limit", "node_limit", "kind"),
)
"""Keys whose option says just what the table has."""


def pool_options(command: F) -> F:
    """Adds all that can be said of a pool; `said_table` takes their values."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def said_table(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """
    The table of a pool.

    Args:
        name: Of the pool.
        said: Values of the options; None and empty tuples were not said.

    Raises:
        Failure: the file cannot be read, or is that of another pool.
    """
    table = {} if said["file"] is None else _read(said["file"])
    if table.setdefault("name", name) != name:
        raise Failure(f"{said['file'].name} is about pool {table['name']}, not {name}")
    dns = {"nameservers": said["dns"], "domain": said["domain"], "search": said["search"]}
    options = {
        **{key: said[key] for key in _AS_SAID},
        "dns": _spoken(dns),
        "routes": [_route(one) for one in said["route"]],
        "labels": dict(_label(one) for one in said["label"]),
        "preallocate": _preallocated(said["preallocate"]),
    }
    return table | _spoken(options)


def _spoken(said: Mapping[str, Any]) -> dict[str, Any]:
    """What was said at all."""
    return {key: value for key, value in said.items() if value is not None and value not in ((), [], {})}


def _read(file: IO[bytes]) -> dict[str, Any]:
    """The one table in a file: TOML, where it may stand below `[[pool]]`, or JSON."""
    try:
        text = file.read().decode()
        table = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
        json.dumps(table)
    except (OSError, ValueError, TypeError, RecursionError) as error:  # TypeError: TOML has dates
        raise Failure(f"{file.name}: {error}") from None
    pools = table.get("pool")
    if isinstance(pools, list) and len(table) == 1:
        if len(pools) != 1 or not isinstance(pools[0], dict):
            raise Failure(f"{file.name} has {len(pools)} pools; one can be said at a time")
        table = pools[0]
    assert isinstance(table, dict)
    return table


def _route(text: str) -> dict[str, str]:
    destination, _, gateway = text.partition("=")
    return {"dst": destination, "gw": gateway} if gateway else {"dst": destination}


def _label(text: str) -> tuple[str, str | None]:
    """`K=V`; `K-` for none of that name any more."""
    key, equals, value = text.partition("=")
    if not equals and not text.endswith("-"):
        raise click.UsageError(f"--label takes K=V, or K- to remove one, not {text!r}")
    return (key, value) if equals else (text[:-1], None)


def _preallocated(texts: Sequence[str]) -> dict[str, list[str] | None]:
    """`NAME=A` each, maybe one of each family; `NAME=` for none of that name any more."""
    names: dict[str, list[str] | None] = {}
    for text in texts:
        name, equals, address = text.rpartition("=")
        if not equals:
            raise click.UsageError(f"--preallocate takes NAME=ADDRESS, not {text!r}")
        names[name] = [*(names.get(name) or ()), address] if address else None
    return names
