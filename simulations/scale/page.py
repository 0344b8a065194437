"""
The page of results, in Markdown, with its plots.

Does not know how anything was measured; it says so from what `simulations.scale.measures` names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from simulations.report.markup import Markup
from simulations.scale.plot import Line, Plot, draw
from simulations.scale.results import Results, Taken
from simulations.scale.spreading import STATEMENTS
from simulations.scale.tables import TABLES, Fold, Row, percentile_95

NEVER = "never"


def value_of(row: Row, runs: Sequence[Taken]) -> float | None:
    """The number of a row for the runs of one size; infinite for what never came; None without runs."""
    values: list[float] = []
    for taken in runs:
        read = taken.readings[row.reading]
        if isinstance(read, list):
            values += [*read, *[inf] * (STATEMENTS - len(read))]
        else:
            values.append(inf if read is None else read)
    return row.fold(values) if values else None


INTRODUCTION = """\
# Scale

What membership, dissemination and repair cost, and how fast they are, as clusters grow.
Measured by `make bench-scale` in the simulator: every node is the real one, in virtual time.

The network is a simulated LAN: 0.3 ms and an exponential 0.2 ms one way; the preset is `lan`.
Bytes are payload of UDP and of streams, without headers.
Clusters are as they are long after they were formed: everybody owns a share and knows everybody.
p95 is over all statements of all runs; *never* is: not within the time that was waited.
A value over its bar is bold.
"""


def page(results: Results) -> str:
    """The whole page."""
    sizes = results.sizes()
    parts = [INTRODUCTION]
    for title, (text, rows) in TABLES.items():
        shown = [*_table(rows, results, sizes)]
        plots = [f"![{title}]({_file(name)})\n" for name, one in PLOTS.items() if one.below == title]
        parts.append("\n".join((f"## {title}\n", f"{text}\n", *plots, *shown)) + "\n")
    commits = sorted({taken.commit for taken in results} - {""})
    if commits:
        parts.append(f"Measured at {', '.join(commits)}.\n")
    return "\n".join(parts)


def _table(rows: Sequence[Row], results: Results, sizes: Sequence[int]) -> Iterator[str]:
    yield "| | " + " | ".join(f"{nodes:,}" for nodes in sizes) + " | bar |"
    yield "| --- |" + " ---: |" * (len(sizes) + 1)
    for row in rows:
        values = (value_of(row, results.of(row.name, nodes)) for nodes in sizes)
        cells = " | ".join(_cell(row, value) for value in values)
        yield f"| {row.text} | {cells} | {shown(row.bar, row.unit)} |"


def _cell(row: Row, value: float | None) -> str:
    text = shown(value, row.unit)
    missed = value is not None and row.bar is not None and value > row.bar
    return f"**{text}**" if missed else text


def shown(value: float | None, unit: str) -> str:
    """A value with three digits and its unit; an empty text for none."""
    if value is None:
        return ""
    if value == inf:
        return NEVER
    if unit == "B" and value >= 1e3:  # noqa: PLR2004 - the least that has another unit
        power, letter = next(one for one in ((1e9, "GB"), (1e6, "MB"), (1e3, "KB")) if value >= one[0])
        return f"{value / power:.3g} {letter}"
    if unit == "s" and 0 < value < 1:
        return f"{1000 * value:.3g} ms"
    if unit == "%":
        return f"{100 * value:.3g} %"
    number = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"  # noqa: PLR2004 - three digits
    return f"{number} {unit}" if unit and not unit.startswith("/") else number + unit


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """A plot of rows."""

    below: str
    """The title of the table that it stands before."""
    title: str
    unit: str
    rows: Sequence[tuple[str, int, bool, Row]]
    """Name of the line, its colour, whether it is dashed, and its values."""
    bars: Sequence[tuple[str, float]] = ()


def _spread_lines() -> list[tuple[str, int, bool, Row]]:
    lines = []
    for colour, loss in enumerate(("0", "5", "25")):
        for name, dashed in (("spread", False), ("memberlist", True)):
            row = Row(text="", name=f"{name}-{loss}", reading="last_s", fold=percentile_95, unit="s")
            lines.append((f"{'ours' if not dashed else name}, {loss} % lost", colour, dashed, row))
    return lines


def _row(name: str, reading: str, fold: Fold = max) -> Row:
    return Row(text="", name=name, reading=reading, fold=fold, unit="")


PLOTS: Mapping[str, _Drawing] = {
    "spread": _Drawing(
        below="A new statement",
        title="A new statement reaches the last node, p95",
        unit="s",
        rows=_spread_lines(),
        bars=(("bar: 0.5 s", 0.5),),
    ),
    "idle": _Drawing(
        below="Idle and in sync",
        title="Sent by each idle node",
        unit="B/s",
        rows=(
            ("ours", 0, False, _row("idle", "sent_bytes_per_s")),
            ("memberlist's parameters", 0, True, _row("memberlist-idle", "sent_bytes_per_s")),
        ),
        bars=(("bar: 256 B/s", 256.0),),
    ),
    "deaths": _Drawing(
        below="Crash and return",
        title="Until all know",
        unit="s",
        rows=(
            ("a crash", 0, False, _row("crash", "dead_to_all_s")),
            ("a restart", 2, False, _row("crash", "alive_to_all_s")),
            ("90 % restart", 1, False, _row("mass-restart", "all_see_all_s")),
        ),
        bars=(("bar: 15 s", 15.0),),
    ),
}
"""By name."""


def _file(name: str) -> str:
    return f"scale-{name}.svg"


def plots(results: Results) -> dict[str, Markup]:
    """The plots, by the names of their files beside the page."""
    return {_file(name): draw(_plot(drawing, results)) for name, drawing in PLOTS.items()}


def _plot(drawing: _Drawing, results: Results) -> Plot:
    lines = []
    for name, colour, dashed, row in drawing.rows:
        values = ((nodes, value_of(row, results.of(row.name, nodes))) for nodes in results.sizes())
        points = [(nodes, value) for nodes, value in values if value is not None and value != inf]
        lines.append(Line(name=name, points=points, dashed=dashed, colour=colour))
    return Plot(title=drawing.title, unit=drawing.unit, lines=lines, bars=drawing.bars)
