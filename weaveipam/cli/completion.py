"""
The command that prints a completion script.

Does not know the commands that are completed; the shell asks for them by the script.
"""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from weaveipam.cli.common import common

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@common(
    "weaveipam completion bash > /etc/bash_completion.d/weaveipam",
    "source <(weaveipam completion zsh)",
    "weaveipam completion fish > ~/.config/fish/completions/weaveipam.fish",
)
@click.command()
@click.argument("shell", type=click.Choice(sorted(_SHELLS)))
def completion(shell: str) -> None:
    """A script that makes a shell complete commands."""
    script = _SHELLS[shell](click.get_current_context().command, {}, "weaveipam", "_WEAVEIPAM_COMPLETE")
    # Not source(): it would start the shell to see its version.
    print(script.source_template % script.source_vars())
