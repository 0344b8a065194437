"""
What was measured, kept in a file, so that each run is made once and the page can be made again.

Does not know what the readings mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulations.scale.spreading import Readings


@dataclass(frozen=True, slots=True)
class Taken:
    """One run of one measurement."""

    name: str
    nodes: int
    seed: int
    commit: str
    """Of the sources."""
    wall_s: float
    """How long it took."""
    readings: Readings


class Results:
    """All runs in one file, which is written after each."""

    def __init__(self, path: Path) -> None:
        """
        Of a file that may not be there yet.

        Raises:
            ValueError: it is something else.
        """
        self._path = path
        self._taken: dict[tuple[str, int, int], Taken] = {}
        if path.exists():
            for one in json.loads(path.read_text())["runs"]:
                self._put(Taken(**one))

    def __iter__(self) -> Iterator[Taken]:
        """By name, nodes and seed."""
        return (self._taken[key] for key in sorted(self._taken))

    def has(self, name: str, nodes: int, seed: int) -> bool:
        """Whether that run was made."""
        return (name, nodes, seed) in self._taken

    def of(self, name: str, nodes: int) -> list[Taken]:
        """The runs of one measurement in one size, by seed."""
        return [one for one in self if (one.name, one.nodes) == (name, nodes)]

    def sizes(self) -> list[int]:
        """Numbers of nodes of which there is any run, ascending."""
        return sorted({one.nodes for one in self})

    def add(self, taken: Taken) -> None:
        """Keep one more, on disk too, in place of an earlier one with its name, nodes and seed."""
        self._put(taken)
        rows = [json.dumps(_row(one), sort_keys=True) for one in self]
        written = self._path.with_suffix(".tmp")
        written.write_text('{"runs": [\n' + ",\n".join(rows) + "\n]}\n")
        written.replace(self._path)

    def _put(self, taken: Taken) -> None:
        self._taken[taken.name, taken.nodes, taken.seed] = taken


def _row(taken: Taken) -> dict[str, Any]:
    readings = {
        name: [round(one, 6) for one in value]
        if isinstance(value, list)
        else value
        if value is None
        else round(value, 6)
        for name, value in taken.readings.items()
    }
    return {
        "name": taken.name,
        "nodes": taken.nodes,
        "seed": taken.seed,
        "commit": taken.commit,
        "wall_s": round(taken.wall_s, 1),
        "readings": readings,
    }
