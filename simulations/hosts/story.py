"""
What a demonstration prints: chapters, progress, claims that held or not, the ring as a picture, a summary.

Plain text where the output is no terminal.  Does not know daemons; it is handed what they answered.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ring.address import Range, parse_cidr, parse_range

STRIP_CELLS = 64
"""Width of the picture of a ring: a cell of a /24 stands for four addresses."""

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "red")


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence that the demonstration puts to the test."""

    text: str
    held: bool
    evidence: str
    """What was measured or seen; may be empty."""


class Story:
    """Prints as it goes, and keeps every claim for the summary."""

    def __init__(self, names: Sequence[str], console: Console | None = None) -> None:
        self.claims: list[Claim] = []
        self._console = console or Console(highlight=False, record=True)
        self._colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(names)}
        self._chapters_count = 0
        self._started = time.monotonic()

    @property
    def held(self) -> bool:
        """Whether there was a claim, and every claim held."""
        return bool(self.claims) and all(claim.held for claim in self.claims)

    def title(self, text: str, *lines: str) -> None:
        """The first lines."""
        self._console.print(f"[bold]{escape(text)}[/bold]")
        for line in lines:
            self._console.print(escape(line), style="dim", soft_wrap=True)

    def chapter(self, text: str) -> None:
        """The headline of the next chapter."""
        self._chapters_count += 1
        elapsed_s = time.monotonic() - self._started
        self._console.print()
        self._console.print(
            f"[bold]{self._chapters_count}  {escape(text)}[/bold]  [dim]{elapsed_s:.1f} s[/dim]"
        )

    def say(self, text: str) -> None:
        """One line of what happens."""
        self._console.print(f"   {escape(text)}", soft_wrap=True)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A line that says what is waited for, while it is waited for; kept with the time it took."""
        started = time.monotonic()
        if self._console.is_terminal:
            with self._console.status(f"{escape(text)} ..."):
                yield
        else:
            yield
        self._console.print(
            f"   {escape(text)}  [dim]{time.monotonic() - started:.1f} s[/dim]", soft_wrap=True
        )

    def claim(self, text: str, held: object, evidence: str = "") -> None:
        """Notes whether a claim held, and says so."""
        claim = Claim(text, bool(held), evidence)
        self.claims.append(claim)
        line = Text("   ").append(_mark(claim)).append(f" {text}").append(_aside(claim), "dim")
        self._console.print(line, soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A small table; a daemon's name in the first column has its colour."""
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
        for column in columns:
            table.add_column(column)
        for first, *others in rows:
            table.add_row(Text(first, self._colours.get(first, "")), *map(Text, others))
        self._console.print(_indented(table))

    def ring(self, pool: str, runs: Sequence[Mapping[str, Any]], used: Mapping[str, int]) -> None:
        """
        A pool's addresses by owner, as a strip and as a table.

        Args:
            pool: A CIDR.
            runs: As of `GET /v1/ring`.
            used: Addresses in use by daemon.
        """
        self.strip(pool, runs)
        whole = parse_cidr(pool)[1]
        counts = {name: size_of(runs, name, whole) for name in self._colours}
        rows = [
            (name, str(count), f"{100 * count / whole.size:.0f} %", str(used.get(name, 0)))
            for name, count in counts.items()
        ]
        self.table(("daemon", "owns", "of the pool", "in use"), rows)

    def strip(self, pool: str, runs: Sequence[Mapping[str, Any]]) -> None:
        """A pool's addresses in a row, each cell with the first letter of who owns its first address."""
        whole = parse_cidr(pool)[1]
        spans = [(parse_range(run["range"])[1], str(run["owner"])) for run in runs]
        strip = Text("   ")
        for cell in range(STRIP_CELLS):
            start = whole.start + cell * whole.size // STRIP_CELLS
            owner = next((name for span, name in spans if start in span), "-")
            strip.append(owner[0], f"reverse {self._colours.get(owner, '')}".strip())
        self._console.print(strip)

    def summary(self) -> None:
        """Every claim again, and the verdict."""
        self._console.print()
        table = Table(title="Summary", title_justify="left", title_style="bold", box=None, pad_edge=False)
        table.add_column("")
        table.add_column("claim")
        table.add_column("seen", style="dim")
        for claim in self.claims:
            table.add_row(_mark(claim), Text(claim.text), Text(claim.evidence))
        self._console.print(_indented(table))
        elapsed_s = time.monotonic() - self._started
        failed = sum(not claim.held for claim in self.claims)
        verdict = (
            f"All {len(self.claims)} held" if self.held else f"{failed} of {len(self.claims)} did not hold"
        )
        self._console.print()
        self._console.print(f"   [bold]{verdict}[/bold], in {elapsed_s:.1f} s.")

    def save(self, path: Path) -> None:
        """Writes everything that was printed so far into a file, as plain text."""
        self._console.save_text(str(path))

    def failure(self, text: str) -> None:
        """Why the story ended early."""
        self._console.print()
        self._console.print(Text("   ✗ ", "bold red").append(text, "default"), soft_wrap=True)


def _mark(claim: Claim) -> Text:
    return Text("✓", "bold green") if claim.held else Text("✗", "bold red")


def _aside(claim: Claim) -> str:
    return f"  {claim.evidence}" if claim.evidence else ""


def _indented(table: Table) -> Padding:
    return Padding(table, (0, 0, 0, 3))


def size_of(runs: Sequence[Mapping[str, Any]], owner: str, within: Range) -> int:
    """How many addresses of a range the runs of `GET /v1/ring` give to an owner."""
    pieces = (parse_range(run["range"])[1].meet(within) for run in runs if run["owner"] == owner)
    return sum(piece.size for piece in pieces if piece is not None)
