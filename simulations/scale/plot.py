"""
Lines over the number of nodes, as one small SVG file that stands for itself; both axes are logarithmic.

Does not know what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from simulations.report.markup import Markup, el, many
from simulations.report.plot import short

WIDTH_PX, HEIGHT_PX = 640, 300
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 64, 200, 28, 36

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #444 }
.title { font-weight: 600; fill: #222 }
.rule { stroke: #8884; stroke-width: 1 }
.bar { stroke: #888; stroke-dasharray: 2 4 }
path, .mark { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #bbb } .title { fill: #eee } }
"""
_COLOURS = ("#1f6fd0", "#c2410c", "#15803d", "#9333ea", "#a16207", "#0e7490")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line."""

    name: str
    points: Sequence[tuple[int, float]]
    """Nodes, and a value over 0."""
    dashed: bool = False
    colour: int = 0
    """Which one: lines that belong together have the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One plot."""

    title: str
    unit: str
    lines: Sequence[Line]
    bars: Sequence[tuple[str, float]] = ()
    """What is demanded, and the value."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """A logarithmic axis between two powers of ten, or near them."""

    low: float
    high: float
    start_px: float
    stop_px: float

    def px(self, value: float) -> float:
        share = (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return round(self.start_px + share * (self.stop_px - self.start_px), 1)


def draw(plot: Plot) -> Markup:
    """The SVG file's text; of no lines too."""
    sizes = [nodes for line in plot.lines for nodes, _ in line.points] or [10, 100]
    values = [value for line in plot.lines for _, value in line.points if value > 0]
    values += [value for _, value in plot.bars]
    low, high = _powers(values or [1.0])
    x = _Axis(min(sizes) * 0.8, max(sizes) * 1.25, LEFT_PX, WIDTH_PX - RIGHT_PX)
    y = _Axis(low, high, HEIGHT_PX - BOTTOM_PX, TOP_PX)
    return el(
        "svg",
        el("style", Markup(_STYLE)),
        el("title", plot.title),
        el("text", f"{plot.title} ({plot.unit})", x=4, y=16, class_="title"),
        _grid(x, y, sorted(set(sizes))),
        many(_bar(name, value, x, y) for name, value in plot.bars),
        many(_drawn(line, x, y) for line in plot.lines),
        many(_legend(line, number) for number, line in enumerate(plot.lines)),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH_PX} {HEIGHT_PX}",
        width=WIDTH_PX,
        height=HEIGHT_PX,
        role="img",
    )


def _powers(values: Iterable[float]) -> tuple[float, float]:
    """The powers of ten around all values."""
    held = list(values)
    low, high = floor(log10(min(held))), ceil(log10(max(held)))
    return 10.0**low, 10.0 ** max(high, low + 1)


def _grid(x: _Axis, y: _Axis, sizes: Sequence[int]) -> Markup:
    powers = range(round(log10(y.low)), round(log10(y.high)) + 1)
    across = many(
        many(
            (
                el("line", x1=_n(x.start_px), x2=_n(x.stop_px), y1=_n(at), y2=_n(at), class_="rule"),
                el("text", _value(10.0**power), x=LEFT_PX - 6, y=_n(at + 4), text_anchor="end"),
            )
        )
        for power in powers
        for at in (y.px(10.0**power),)
    )
    below = many(
        el("text", f"{nodes:,}", x=_n(x.px(nodes)), y=HEIGHT_PX - BOTTOM_PX + 16, text_anchor="middle")
        for nodes in sizes
    )
    middle = (LEFT_PX + WIDTH_PX - RIGHT_PX) // 2
    return many((across, below, el("text", "nodes", x=middle, y=HEIGHT_PX - 4, text_anchor="middle")))


def _bar(name: str, value: float, x: _Axis, y: _Axis) -> Markup:
    at = y.px(value)
    line = el("line", x1=_n(x.start_px), x2=_n(x.stop_px), y1=_n(at), y2=_n(at), class_="bar")
    return many((line, el("text", name, x=_n(x.stop_px - 2), y=_n(at - 4), text_anchor="end")))


def _drawn(line: Line, x: _Axis, y: _Axis) -> Markup:
    points = [(x.px(nodes), y.px(value)) for nodes, value in sorted(line.points) if value > 0]
    if not points:
        return many(())
    path = "M" + "L".join(f"{_n(across)} {_n(down)}" for across, down in points)
    colour = _COLOURS[line.colour % len(_COLOURS)]
    dashes = "5 4" if line.dashed else None
    marks = many(el("circle", cx=_n(across), cy=_n(down), r=3, fill=colour) for across, down in points)
    return many((el("path", d=path, stroke=colour, stroke_dasharray=dashes), marks))


def _legend(line: Line, number: int) -> Markup:
    left, y = WIDTH_PX - RIGHT_PX + 12, TOP_PX + 10 + 18 * number
    colour = _COLOURS[line.colour % len(_COLOURS)]
    dashes = "5 4" if line.dashed else None
    stroke = el("path", d=f"M{left} {y - 4}h22", stroke=colour, stroke_dasharray=dashes)
    return many((stroke, el("text", line.name, x=left + 28, y=y)))


def _value(value: float) -> str:
    return short(value) if value >= 1 else f"{value:g}"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
