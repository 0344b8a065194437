"""
Builds the CNI program for both architectures when the package is built; also `python hatch_build.py`.

The C cross-compiler is the one that PyPI's `ziglang` ships, so that none has to be installed.
Does not know what the program does.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ARCHITECTURES = ("x86_64", "aarch64")
"""As `uname -m` says them; one program each, all in every wheel."""


class CniProgramHook(BuildHookInterface[Any]):
    """Makes `cni/bin/` before a wheel, editable or not, is put together."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is missing or stale; a source distribution takes none of it."""
        del version, build_data  # the same for every kind of wheel
        if self.target_name == "wheel":
            build(Path(self.root), self.app.display_info)


def build(root: Path, say: Callable[[str], None]) -> tuple[Path, ...]:
    """
    The programs under `cni/bin/`, those that are missing or older than their source built first.

    Raises:
        SystemExit: the compiler is missing; says how to get it.
        subprocess.CalledProcessError: it refused; its own words are on stderr.
    """
    sources = (root / "cni" / "shim.c", Path(__file__))
    changed_ns = max(source.stat().st_mtime_ns for source in sources)
    programs = tuple(root / "cni" / "bin" / f"weaveipam-{one}" for one in ARCHITECTURES)
    for architecture, program in zip(ARCHITECTURES, programs, strict=True):
        if program.exists() and program.stat().st_mtime_ns >= changed_ns:
            continue
        say(f"building {program.relative_to(root)} from cni/shim.c")
        _compile(root, architecture, program)
    return programs


def _compile(root: Path, architecture: str, program: Path) -> None:
    if importlib.util.find_spec("ziglang") is None:
        raise SystemExit(
            "The CNI program needs the C compiler of PyPI's `ziglang`, which this Python does not have.\n"
            f"  {sys.executable} -m pip install ziglang"
        )
    program.parent.mkdir(exist_ok=True)
    draft = program.with_suffix(f".{os.getpid()}")
    cache = root / ".cache" / "zig"
    # Frames and messages are checked by hand at every step; the stack protector adds a second look.
    flags = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-Os", "-s", "-static", "-fstack-protector-strong")
    command = [sys.executable, "-m", "ziglang", "cc", *flags, "-target", f"{architecture}-linux-musl"]
    try:
        subprocess.run(  # noqa: S603  # our own compiler, by an argument list
            [*command, "-o", str(draft), str(root / "cni" / "shim.c")],
            check=True,
            env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)},
        )
        draft.chmod(0o755)
        draft.replace(program)
    finally:
        draft.unlink(missing_ok=True)


if __name__ == "__main__":
    build(Path(__file__).resolve().parent, print)
