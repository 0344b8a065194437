"""What daemons report is documented."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import cni
import weaveipam

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "events.md"
PACKAGES = [Path(package.__file__).parent for package in (weaveipam, cni) if package.__file__]
NAME = re.compile(r"[a-z]+(-[a-z]+)*")


def reported() -> Iterator[str]:
    """Every name that stands as the event in a call of `Report`."""
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Report":
                    for event in node.args[1:2]:
                        if isinstance(event, ast.Constant) and isinstance(event.value, str):
                            yield event.value


def test_every_event_is_documented() -> None:
    """An operator who finds an event in the log finds it in the reference."""
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    found = set(reported())

    assert len(found) > 20
    assert all(NAME.fullmatch(name) for name in found)
    assert found <= documented
