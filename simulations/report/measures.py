"""
What was counted over time: space, answers, opinions, runs, bytes.

Each chart adds to the readings what can be read off it.  Does not know what would be good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulations.outcome import Chart
from simulations.report.markup import Markup, el, many
from simulations.report.palette import Palette
from simulations.report.plot import (
    WIDTH,
    Area,
    Scale,
    draw,
    scale_for,
    shape,
    stairs,
    stairs_between,
    value_marks,
)
from simulations.report.readings import (
    Line,
    Readings,
    Spread,
    at,
    course,
    of_running,
    peaks,
    picked,
    rates,
    sending,
)
from simulations.report.scene import Scene
from simulations.report.words import count, noun, number, size

POINTS_MAX = 600
SMALL_POINTS_MAX = 120
SMALL_MACHINES_MAX = 60
"""With more machines than these there is one chart of the least, the median and the most."""
HEIGHT_PX = 110
LOW_PX = 64
SMALL_PX = 40
HALF_PX_MIN = 24
"""The lower half of the answers is at least so high if there is anything in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A chart over time before it is framed."""

    plot: str
    """Its name within the run."""
    title: str
    unit: str
    text: str
    lines: Sequence[Line]
    height_px: int
    values: Sequence[tuple[float, str]]
    shapes: Markup
    key: tuple[tuple[str, str], ...] = ()
    """CSS classes of its shapes and what they mean."""


class Measures:
    """The charts over time of one run."""

    def __init__(self, chart: Chart, scene: Scene, palette: Palette) -> None:
        self._chart = chart
        self._scene = scene
        self._palette = palette
        self._samples = picked(chart, POINTS_MAX)
        self.readings = Readings()
        """What can be read off the charts that were drawn."""
        self.readings.clock("full", self._samples)

    def space(self) -> Markup:
        """Addresses in use and free, one on the other, in the whole cluster."""
        used = [sum(sample.used) for sample in self._samples]
        free = [sum(sample.free) for sample in self._samples]
        both = [a + b for a, b in zip(used, free, strict=True)]
        scale = scale_for(both, HEIGHT_PX)
        below, above = self._points(used, scale), self._points(both, scale)
        return self._framed(
            Sketch(
                plot="space",
                title="Space in the cluster",
                unit="addresses",
                text=f"{course('Used', used)} {course('Free', free)}",
                lines=[Line("used", used), Line("free", free)],
                height_px=HEIGHT_PX,
                values=value_marks(scale),
                shapes=many([_between(above, below, "area-free"), _between(below, HEIGHT_PX, "area-used")]),
                key=(("area-used", "used"), ("area-free", "free")),
            )
        )

    def machines(self) -> Markup:
        """Used and free space by machine: a small chart for each, or their spread if they are many."""
        if len(self._chart.machines) > SMALL_MACHINES_MAX:
            return self._spread_of_free()
        samples = picked(self._chart, SMALL_POINTS_MAX)
        self.readings.clock("small", samples)
        top = max(
            (sum(pair) for sample in samples for pair in zip(sample.used, sample.free, strict=False)),
            default=0,
        )
        scale = scale_for([top], SMALL_PX)
        edges = [self._scene.axis.x(sample.at) for sample in samples]
        charts = []
        for place in range(len(self._chart.machines)):
            used = Line("used", [at(sample.used, place) for sample in samples])
            free = Line("free", [at(sample.free, place) for sample in samples])
            charts.append(self._small(place, edges, used, free, scale))
        unit = f"addresses; each is {count(scale.top)} high"
        return el("figure", _caption("Space by machine", unit), el("div", many(charts), class_="smalls"))

    def _small(self, place: int, edges: Sequence[int], used: Line, free: Line, scale: Scale) -> Markup:
        name, plot = self._chart.machines[place], f"m{place}"
        colour = self._palette.of_machine(name)
        self.readings.add(plot, "small", [used, free])
        below = [(x, scale.y(value)) for x, value in zip(edges, used.values, strict=True)]
        both = (a + b for a, b in zip(used.values, free.values, strict=True))
        above = [(x, scale.y(value)) for x, value in zip(edges, both, strict=True)]
        area = Area(
            ident=f"{self._scene.ident}-{plot}",
            title=f"Space of {name} over time",
            text=f"{course('Used', used.values)} {course('Free', free.values)}",
            height_px=SMALL_PX,
            ticks=(),
            stretched=many(
                [
                    _between(above, below, f"small-free {colour}"),
                    _between(below, SMALL_PX, f"small-used {colour}"),
                ]
            ),
            data=(("plot", plot), ("end", f"{self._scene.axis.end:g}"), ("head", name)),
            kind="small",
        )
        last = count(free.values[-1]) + " free" if free.values else ""
        return el("div", el("b", name), " ", el("span", last), draw(area))

    def _spread_of_free(self) -> Markup:
        spread = Spread.of([of_running(sample, sample.free) for sample in self._samples])
        return self._framed(
            self._range(
                spread,
                plot="free",
                title="Free space by machine",
                unit="addresses, of machines that run",
                text=course("Median of free addresses", spread.middle),
            )
        )

    def answers(self) -> Markup:
        """Allocations upwards and refusals downwards, each second."""
        given = rates([sample.given for sample in self._samples], self._samples)
        refused = rates([sample.refused for sample in self._samples], self._samples)
        up, down = scale_for(given, HEIGHT_PX), scale_for(refused, 0)
        if any(refused):
            share = down.top / (up.top + down.top) if any(given) else 0.8
            up, down = Scale(up.top, HEIGHT_PX), Scale(down.top, max(round(HEIGHT_PX * share), HALF_PX_MIN))
        zero, low = up.height_px, down.height_px
        above = self._points(given, up)
        below = [(x, round(zero + low - y, 1)) for x, y in self._points(refused, down)]
        base = [(x, zero) for x, _ in above]
        lower = [(zero + low - y, text) for y, text in value_marks(down, 1)[1:]] if low else []
        shapes = many(
            [
                _between(above, base, "area-given"),
                _between(below, base, "area-refused") if low else None,
                shape(f"M0 {zero:g}H{WIDTH}", "zero"),
            ]
        )
        most, worst = max(given, default=0), max(refused, default=0)
        return self._framed(
            Sketch(
                plot="answers",
                title="Answers",
                unit="each second",
                text=f"At most {number(most)} allocations and {number(worst)} refusals a second, by sample.",
                lines=[Line("allocations", given, "/s"), Line("refusals", refused, "/s")],
                height_px=round(zero + low),
                values=[*value_marks(up), *lower],
                shapes=shapes,
                key=(("area-given", "allocations"), ("area-refused", "refusals, downwards")),
            )
        )

    def opinions(self) -> Markup:
        """How many different rings there were."""
        values = peaks(self._chart, self._samples, "opinions")
        scale = scale_for([*values, 2.0], LOW_PX)
        points = self._points(values, scale)
        agreed = sum(sample.opinions == 1 for sample in self._chart.samples)
        base = [(x, max(scale.y(1), y)) for x, y in points]
        return self._framed(
            Sketch(
                plot="opinions",
                title="Different opinions",
                unit="rings held at once; at 1 all agree",
                text=f"All agreed in {count(agreed)} of {noun(len(self._chart.samples), 'sample')}; "
                f"there were at most {count(max(values, default=0))} different rings.",
                lines=[Line("different rings", values)],
                height_px=LOW_PX,
                values=_whole_marks(scale),
                shapes=many(
                    [_between(points, base, "area-opinions"), shape(stairs(points, WIDTH), "line-opinions")]
                ),
            )
        )

    def runs(self) -> Markup:
        """How many runs the largest ring had."""
        values = peaks(self._chart, self._samples, "runs")
        scale = scale_for(values, LOW_PX)
        return self._framed(
            Sketch(
                plot="runs",
                title="Runs of the largest ring",
                unit="",
                text=course("Runs", values),
                lines=[Line("runs", values)],
                height_px=LOW_PX,
                values=_whole_marks(scale),
                shapes=shape(stairs(self._points(values, scale), WIDTH), "line-plain"),
            )
        )

    def traffic(self) -> Markup:
        """Bytes that a running node sends each second: least, median and most."""
        spread = sending(self._chart, self._samples)
        return self._framed(
            self._range(
                spread,
                plot="traffic",
                title="Bytes sent by a node",
                unit="each second, of nodes that run",
                text=f"Between samples a node sent at most {size(max(spread.most, default=0))} a second.",
                line_unit="bytes/s",
            )
        )

    def _range(self, spread: Spread, *, line_unit: str = "", **words: str) -> Sketch:
        """A median line over the area from the least to the most."""
        scale = scale_for(spread.most, HEIGHT_PX)
        most, least = self._points(spread.most, scale), self._points(spread.least, scale)
        middle = shape(stairs(self._points(spread.middle, scale), WIDTH), "line-plain")
        return Sketch(
            **words,
            lines=spread.lines(line_unit),
            height_px=HEIGHT_PX,
            values=value_marks(scale),
            shapes=many([_between(most, least, "area-range"), middle]),
            key=(("line-plain", "median"), ("area-range", "least to most")),
        )

    def _points(self, values: Sequence[float], scale: Scale) -> list[tuple[int, float]]:
        places = (self._scene.axis.x(sample.at) for sample in self._samples)
        return [(x, scale.y(value)) for x, value in zip(places, values, strict=True)]

    def _framed(self, sketch: Sketch) -> Markup:
        self.readings.add(sketch.plot, "full", sketch.lines)
        context = self._scene.context(sketch.height_px)
        area = Area(
            ident=f"{self._scene.ident}-{sketch.plot}",
            title=f"{sketch.title} over time",
            text=sketch.text,
            height_px=sketch.height_px,
            ticks=self._scene.axis.ticks,
            stretched=many([context.stretched, sketch.shapes]),
            upright=context.upright,
            values=sketch.values,
            data=(("plot", sketch.plot), ("end", f"{self._scene.axis.end:g}")),
        )
        return el("figure", _caption(sketch.title, sketch.unit, sketch.key), draw(area))


def _caption(title: str, unit: str, key: Sequence[tuple[str, str]] = ()) -> Markup:
    entries = many(el("span", el("i", class_=f"swatch {kind}"), text) for kind, text in key)
    return el(
        "figcaption",
        el("b", title),
        " ",
        el("span", unit) if unit else None,
        el("span", entries, class_="key", aria_hidden="true") if key else None,
    )


def _between(
    upper: Sequence[tuple[int, float]], lower: Sequence[tuple[int, float]] | int, kind: str
) -> Markup:
    """The area between two lines, or above the floor at so many pixels."""
    floor = [(x, float(lower)) for x, _ in upper] if isinstance(lower, int) else lower
    path = stairs_between(upper, floor, WIDTH)
    return el("path", d=path, class_=kind) if path else Markup()


def _whole_marks(scale: Scale) -> list[tuple[float, str]]:
    return [(y, text) for y, text in value_marks(scale, 2) if "." not in text]
