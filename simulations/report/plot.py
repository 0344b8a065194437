"""
The frame that every chart shares: a gutter with names or values, and an area that stretches with the page.

Times are percentages of the area's width, so that geometry stretches while writing and signs keep their
size; heights are pixels.  Inside `stretched` geometry, x runs from 0 to WIDTH.  Does not know what is drawn.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulations.report.markup import NOTHING, Child, Markup, el, many
from simulations.report.words import number

WIDTH = 2000
"""Units from the left edge of an area to its right edge."""

AXIS_PX = 18
"""Height below an area for what its x means."""

_STEPS_S = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800,
    3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000,
)  # fmt: skip
_TICKS_MAX = 12

LEAST = 1e-9
"""Values up to which a scale takes them for nothing."""

EDGE = 0.96
"""Share of the width behind which the name of a tick would stand over."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis."""

    share: float
    """Of the axis' length."""
    text: str


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Virtual seconds from left to right."""

    end: float
    """At the right edge, over 0; the left edge is 0."""

    def x(self, seconds: float) -> int:
        """Units; what lies outside of the area is at its edge."""
        return round(WIDTH * self._share(seconds))

    def percent(self, seconds: float) -> str:
        """The same as a percentage of the area's width."""
        return percent(self._share(seconds))

    def _share(self, seconds: float) -> float:
        return min(max(seconds / self.end, 0.0), 1.0)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """At most a dozen round times."""
        step = next((step for step in _STEPS_S if 1 <= self.end / step <= _TICKS_MAX), self.end / _TICKS_MAX)
        places = (place * step for place in range(int(self.end / step) + 1))
        return tuple(Tick(seconds / self.end, _clock(seconds, step)) for seconds in places)


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from the bottom of an area to its top."""

    top: float
    """The value at the top, over 0; the bottom is 0."""
    height_px: float

    def y(self, value: float) -> float:
        """Pixels from the top of the area, to a tenth."""
        return round(self.height_px * (1 - min(max(value / self.top, 0.0), 1.0)), 1)


def scale_for(values: Iterable[float], height_px: float) -> Scale:
    """A scale that begins at 0 and has room for all these."""
    top = max(values, default=0.0)
    return Scale(_nice(top * 1.02) if top > LEAST else 1.0, height_px)


def round_values(scale: Scale, ticks: int = 3) -> list[float]:
    """Round values from 0 up to the scale's top, some so many."""
    step = _nice(scale.top / ticks)
    return [place * step for place in range(math.floor(scale.top / step + 1e-9) + 1)]


def percent(share: float) -> str:
    """A share as CSS and SVG write it."""
    shown = f"{100 * share:.2f}".rstrip("0").rstrip(".")
    return f"{shown}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """What a chart is made of."""

    ident: str
    """Unique in the page."""
    title: str
    text: str
    """What it shows, for those who do not see it."""
    height_px: int
    ticks: tuple[Tick, ...]
    """Along x."""
    stretched: Markup
    """Geometry in units by pixels; only shapes."""
    upright: Markup = NOTHING
    """What keeps its size: x in percentages, y in pixels."""
    values: Sequence[tuple[float, str]] = ()
    """Lines along x: pixels from the top, and what the gutter says of them."""
    names: Markup = NOTHING
    """More for the gutter."""
    data: tuple[tuple[str, str], ...] = ()
    """Attributes by which the page's script finds what it tells under the pointer."""
    kind: str = ""
    """Further CSS classes."""


def draw(area: Area) -> Markup:
    """The chart: the gutter, and the area with the names of its x below."""
    height = area.height_px
    whole = height + (AXIS_PX if area.ticks else 0)
    gutter = el(
        "svg",
        many(
            el("text", text, x="100%", dx=-6, y=_px(max(y + 3.5, 9)), class_="end") for y, text in area.values
        ),
        area.names,
        class_="gutter",
        height=whole,
        aria_hidden="true",
    )
    lines = many(el("line", x2="100%", y1=_px(y), y2=_px(y), class_="rule") for y, _ in area.values)
    inner = el(
        "svg",
        area.stretched,
        viewBox=f"0 0 {WIDTH} {height}",
        preserveAspectRatio="none",
        width="100%",
        height=height,
        class_="shapes",
    )
    body = el(
        "svg",
        el("title", area.title, id=f"{area.ident}-t"),
        el("desc", area.text, id=f"{area.ident}-d"),
        _ticks(area.ticks, height),
        lines,
        inner,
        area.upright,
        el("line", y2=height, class_="cross"),
        class_="area",
        height=whole,
        role="img",
        aria_labelledby=f"{area.ident}-t {area.ident}-d",
    )
    attributes = {f"data-{key}": value for key, value in area.data}
    return el("div", gutter, body, class_=f"plot {area.kind}".strip(), **attributes)


def _ticks(ticks: Sequence[Tick], height: int) -> Markup:
    drawn: list[Child] = []
    for place, tick in enumerate(ticks):
        x = percent(tick.share)
        side = "start" if tick.share == 0 else "end" if tick.share > EDGE else "middle"
        odd = " odd" if place % 2 else ""
        drawn += [
            el("line", x1=x, x2=x, y2=height, class_="rule" + odd),
            el("text", tick.text, x=x, y=height + 13, class_=side + odd),
        ]
    return many(drawn)


def value_marks(scale: Scale, ticks: int = 3, *, unit: str = "") -> list[tuple[float, str]]:
    """`Area.values` for a scale."""
    return [(scale.y(value), short(value) + unit) for value in round_values(scale, ticks)]


def short(value: float) -> str:
    """A value in few characters: 12k for 12,000."""
    for factor, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return number(value / factor) + letter
    return number(value)


def stairs(points: Sequence[tuple[int, float]], end: int) -> str:
    """A path along values that hold until the next, the last until `end`: x in units, y in pixels."""
    if not points:
        return ""
    x, y = points[0]
    path = [f"M{x} {_px(y)}"]
    for next_x, next_y in points[1:]:
        if next_y != y and next_x > x:
            path.append(f"H{next_x}V{_px(next_y)}")
            y = next_y
        elif next_y != y:
            path.append(f"V{_px(next_y)}")
            y = next_y
        x = next_x
    return "".join(path) + f"H{end}"


def stairs_between(upper: Sequence[tuple[int, float]], lower: Sequence[tuple[int, float]], end: int) -> str:
    """A closed path between two stairs over the same x."""
    if not upper:
        return ""
    back = [f"V{_px(lower[-1][1])}"]
    for (x, y), (_, before) in zip(reversed(lower), [*reversed(lower[:-1]), lower[0]], strict=True):
        back.append(f"H{x}" + (f"V{_px(before)}" if before != y else ""))
    return stairs(upper, end) + "".join(back) + "Z"


def shape(path: str, classes: str, **attributes: str | int | None) -> Markup:
    """A path whose strokes keep their width."""
    return el("path", d=path, class_=classes, vector_effect="non-scaling-stroke", **attributes)


def thinned(times: Sequence[float], most: int) -> list[int]:
    """Which of these ascending moments stand for all, as indices: at most so many and one, evenly in time."""
    if len(times) <= most:
        return list(range(len(times)))
    first, span = times[0], times[-1] - times[0]
    # Rounding may put the last moment behind the last time.
    last = len(times) - 1
    return sorted({min(bisect_left(times, first + span * place / most), last) for place in range(most + 1)})


def _px(value: float) -> str:
    shown = f"{value:.1f}"
    return shown.removesuffix(".0")


def _nice(value: float) -> float:
    """The next round value that is not less: 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 or 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        (f * power for f in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if f * power >= value * (1 - 1e-9)), value
    )


def _clock(seconds: float, step: float) -> str:
    """A round time in the unit of the steps between such times."""
    if step < 60 and seconds < 180:  # noqa: PLR2004 - short runs count seconds
        return f"{number(seconds)} s" if seconds == 0 or step < 1 else f"{seconds:.0f} s"
    if step < 3600:  # noqa: PLR2004 - below an hour, as a clock
        hours, rest = divmod(round(seconds), 3600)
        clock = f"{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
        return f"{hours}:{clock}" if hours else clock
    if step < 86400:  # noqa: PLR2004 - below a day, hours
        days, hours = divmod(round(seconds) // 3600, 24)
        return f"{days} d {hours} h" if days else f"{hours} h"
    return f"{seconds / 86400:.0f} d"
