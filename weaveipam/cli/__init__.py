"""The command line, and the composition root that puts a daemon together."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

MARKS: Mapping[str, bytes] = MappingProxyType(
    {"ring": b"Who owns which address: pure values", "cni": b"The CNI door: the spec's verbs"}
)
"""How the own packages with names that others have on PyPI begin."""


def main() -> None:
    """The program `weaveipam`; ends with an exit status of docs/reference/cli.md."""
    foreign = foreign_package(Path(__file__).parents[2])
    if foreign is not None:
        sys.exit(foreign)
    from weaveipam.cli.program import program  # noqa: PLC0415 - only after the check

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a key may have what the locale lacks
    program.main(prog_name="weaveipam")


def foreign_package(home: Path) -> str | None:
    """
    One sentence if a package that weaveipam would import is not its own; None if all are.

    PyPI has unrelated packages of these names, and pip lets one distribution overwrite the files of another.
    Nothing is imported to find out.

    Args:
        home: The directory that holds the package `weaveipam`.
    """
    for name, mark in MARKS.items():
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin) if spec is not None and spec.origin is not None else None
        if found == home / name / "__init__.py" and mark in found.read_bytes()[:200]:
            continue
        return (
            f"weaveipam: the Python package {name!r} at {found} is not weaveipam's own but another "
            "project's: install weaveipam alone in an environment of its own"
        )
    return None
