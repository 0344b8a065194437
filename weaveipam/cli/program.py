"""
The program's commands, each in a module that is imported when it is called.

Asking for help must be quick: neither aiohttp nor rich nor the daemon is imported for it.
Does not know what the commands do.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

from weaveipam.cli.common import common

COMMANDS: Mapping[str, tuple[str, str]] = {
    "agent": ("weaveipam.cli.agent:agent", "Run the daemon in the foreground."),
    "allocate": ("weaveipam.cli.change:allocate", "Allocate addresses, or return what the key already has."),
    "allocations": ("weaveipam.cli.show:allocations", "What this daemon has allocated."),
    "check": ("weaveipam.cli.conflicts:check", "Audit this daemon, and what it can see of the others."),
    "claim": ("weaveipam.cli.change:claim", "Allocate exactly this address."),
    "cni": ("weaveipam.cli.cni:cni", "The CNI program."),
    "completion": ("weaveipam.cli.completion:completion", "A script that makes a shell complete commands."),
    "config": ("weaveipam.cli.config:config", "The configuration that the daemon runs with."),
    "conflicts": (
        "weaveipam.cli.conflicts:conflicts",
        "Addresses that are contested, foreign, lent or in use twice.",
    ),
    "demo": ("weaveipam.cli.demo:demo", "A cluster of three daemons that is cut in two and heals."),
    "import": (
        "weaveipam.cli.imports:imports",
        "Take over the addresses that another address manager has given out.",
    ),
    "keyring": ("weaveipam.cli.keyring:keyring", "The keys that packets between daemons are sealed with."),
    "leave": ("weaveipam.cli.leave:leave", "Leave the cluster for good, and end the daemon."),
    "lookup": ("weaveipam.cli.show:lookup", "Who has a key or an address."),
    "members": ("weaveipam.cli.show:members", "The daemons of the cluster, as this one sees them."),
    "network": ("weaveipam.cli.network:network", "Create, delete and list network instances."),
    "peer": ("weaveipam.cli.peer:peer", "Remove daemons that are gone for good."),
    "pool": ("weaveipam.cli.pool:pool", "Create, change and delete pools."),
    "pools": ("weaveipam.cli.show:pools", "The pools, and how full they are."),
    "release": ("weaveipam.cli.change:release", "Give back what a key or an address holds."),
    "reload": ("weaveipam.cli.config:reload", "Have the daemon read its configuration again."),
    "ring": ("weaveipam.cli.show:ring", "Which daemon owns which addresses."),
    "status": ("weaveipam.cli.show:status", "How this daemon is."),
}
"""Where each command is, and its line in the list; `weaveipam.cli` modules by name."""


class LazyGroup(click.Group):
    """The commands of COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, sorted."""
        return sorted((*COMMANDS, *super().list_commands(ctx)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """The list in the help, without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@common()
@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
def program() -> None:
    """
    IP addresses for a cluster, with no central store.

    Every command but agent and demo asks the daemon on this host, through its socket. Exit status: 0 done, 1
    refused or failed, 2 wrong usage, 3 the daemon cannot be reached, 4 a check found problems.
    """
