"""
The CNI program and an example configuration list, put where the runtime looks for them.

Does not know whether a daemon runs.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weaveipam.daemon import durable
from weaveipam.errors import ConfigError

PROGRAM = "weaveipam"
CONFLIST = "10-weaveipam.conflist"
"""Runtimes take the first file in the order of names."""

_PROGRAMS = Path(__file__).parent / "bin"
_ARCHITECTURES: Mapping[str, str] = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "aarch64": "aarch64",
    "arm64": "aarch64",
}
"""What kernels call them, and what the programs are named by."""


def program_path(machine: str | None = None) -> Path:
    """
    The program for a machine (as `uname -m` says it), None for this one.

    Raises:
        ConfigError: there is none for it, or it has not been built.
    """
    machine = machine or platform.machine()
    architecture = _ARCHITECTURES.get(machine.lower())
    if architecture is None:
        raise ConfigError(f"there is no CNI program for {machine}, only for x86_64 and aarch64")
    path = _PROGRAMS / f"{PROGRAM}-{architecture}"
    if not path.is_file():
        raise ConfigError(
            f"{path} has not been built: run `python hatch_build.py` where weaveipam's source is"
        )
    return path


def conflist(socket: Path, pools: Sequence[str]) -> dict[str, Any]:
    """
    An example list: one bridge, pods reachable on its layer 2 segment, addresses from this daemon.

    Args:
        socket: Where the daemon serves CNI.
        pools: Tried in this order; empty: any.
    """
    ipam: dict[str, Any] = {"type": PROGRAM, "socket": str(socket)}
    if pools:
        ipam["pools"] = list(pools)
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": False, "ipMasq": False, "ipam": ipam}
    return {"cniVersion": "1.0.0", "name": "weaveipam", "plugins": [bridge]}


def install(
    bin_dir: Path, conf_dir: Path, socket: Path, pools: Sequence[str] = (), *, force: bool = False
) -> list[Path]:
    """
    The program and the list in place, each whole or not at all; the list last, as runtimes act on it.

    Args:
        bin_dir: Where the runtime looks for plugins; made if missing.
        conf_dir: Where it looks for lists; made if missing.
        socket: As in `conflist`.
        pools: As above.
        force: Overwrite a list that somebody changed.

    Returns:
        The two paths.  Repeating the call changes nothing.

    Raises:
        ConfigError: a different list is there, or there is no program; nothing was written.
        OSError: the machine refused.
    """
    program, content = program_path().read_bytes(), json.dumps(conflist(socket, pools), indent=2) + "\n"
    target, config = bin_dir / PROGRAM, conf_dir / CONFLIST
    if config.exists() and config.read_text() != content and not force:
        raise ConfigError(
            f"{config} differs from what would be written; keep it, or overwrite it with --force"
        )
    for directory in (bin_dir, conf_dir):
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    _put(target, program, 0o755)
    _put(config, content.encode(), 0o644)
    return [target, config]


def _put(path: Path, content: bytes, mode: int) -> None:
    """A file with this content, as of `durable.replace`, unless it is there already."""
    if path.is_file() and path.read_bytes() == content and path.stat().st_mode & 0o7777 == mode:
        return
    durable.replace(path, content, mode)
