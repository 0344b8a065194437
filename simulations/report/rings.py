"""
Who owned which part of each ring, over time: a band chart for each ring, a colour for each machine.

Equal neighbours, in time and in address space, are drawn as one rectangle.
Does not know how a ring works.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import groupby

from simulations.outcome import BAND_CELLS, Chart
from simulations.report.markup import Markup, el, many
from simulations.report.palette import Palette, machine_of
from simulations.report.plot import WIDTH, Area, TimeAxis, draw, percent, shape, thinned
from simulations.report.scene import Scene
from simulations.report.words import noun

RECTANGLES_MAX = 24_000
"""Of all charts of one run, about 18 bytes each; if there are more, the charts get coarser."""

COLUMNS_MAX = 1000
COLUMNS_MIN = 60
HEIGHT_PX = 256
RINGS_TALL_MAX = 4
"""With more rings than these their charts are half as high."""
NOBODY = -1
IPV4 = 4


@dataclass(frozen=True, slots=True)
class Column:
    """The owners from one moment until another, in units of the area's width."""

    left: int
    right: int
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Cells that one owner had for a while: units of the area's width by cells, the ends excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> int:
        """Units times cells."""
        return (self.right - self.left) * (self.bottom - self.top)

    @property
    def path(self) -> str:
        """As SVG draws it."""
        width = self.right - self.left
        return f"M{self.left} {self.top}h{width}v{self.bottom - self.top}h-{width}z"


def columns_of(chart: Chart, ring: str, axis: TimeAxis, most: int = COLUMNS_MAX) -> list[Column]:
    """What the samples say of one ring, each until the next; at most so many and one."""
    picked = [chart.samples[index] for index in thinned([sample.at for sample in chart.samples], most)]
    edges = [axis.x(sample.at) for sample in picked] + [WIDTH]
    return [
        Column(left, right, sample.bands[ring])
        for sample, left, right in zip(picked, edges[:-1], edges[1:], strict=True)
        if right > left and ring in sample.bands
    ]


def rectangles(columns: Sequence[Column]) -> dict[int, list[Rectangle]]:
    """The fewest that going from left to right finds, by owner; nobody's are left out."""
    found: dict[int, list[Rectangle]] = {}
    growing: dict[tuple[int, int, int], int] = {}
    reached = 0
    for column in columns:
        runs = dict.fromkeys(_runs(column.cells))
        joined = column.left == reached
        for run in [run for run in growing if not joined or run not in runs]:
            _end(found, run, growing.pop(run), reached)
        for run in runs:
            growing.setdefault(run, column.left)
        reached = column.right
    for run, left in growing.items():
        _end(found, run, left, reached)
    return found


def _end(found: dict[int, list[Rectangle]], run: tuple[int, int, int], left: int, right: int) -> None:
    owner, top, bottom = run
    if owner != NOBODY:
        found.setdefault(owner, []).append(Rectangle(left, top, right, bottom))


def _runs(cells: Sequence[int]) -> list[tuple[int, int, int]]:
    """Owner, first cell and the cell behind the last, of every run of equal neighbours."""
    runs, top = [], 0
    for owner, same in groupby(cells):
        bottom = top + len(list(same))
        runs.append((owner, top, bottom))
        top = bottom
    return runs


def draw_rings(chart: Chart, scene: Scene, palette: Palette) -> Markup:
    """A chart for each ring, by name, below one key of all owners; nothing if there is no ring."""
    if not chart.rings or not chart.samples:
        return Markup()
    most = COLUMNS_MAX
    found = {ring: rectangles(columns_of(chart, ring, scene.axis, most)) for ring in sorted(chart.rings)}
    while (
        most > COLUMNS_MIN
        and sum(len(r) for by_owner in found.values() for r in by_owner.values()) > RECTANGLES_MAX
    ):
        most //= 2
        found = {ring: rectangles(columns_of(chart, ring, scene.axis, most)) for ring in found}
    machines = {name: place for place, name in enumerate(chart.machines)}
    seen = sorted(
        {owner for by_owner in found.values() for owner in by_owner},
        key=lambda owner: (machines.get(machine_of(chart.owners[owner]), len(machines)), owner),
    )
    key = el(
        "div", many(_key(chart, owner, palette) for owner in seen), class_="key owners", aria_hidden="true"
    )
    charts = (
        _draw(chart, ring, place, by_owner, scene, palette)
        for place, (ring, by_owner) in enumerate(found.items())
    )
    return many([key, *charts])


def _key(chart: Chart, owner: int, palette: Palette) -> Markup:
    name = chart.owners[owner]
    return el("span", el("i", class_=f"swatch {palette.of_owner(name)}"), name, data_owner=machine_of(name))


def _draw(
    chart: Chart, ring: str, place: int, found: dict[int, list[Rectangle]], scene: Scene, palette: Palette
) -> Markup:
    height = HEIGHT_PX if len(chart.rings) <= RINGS_TALL_MAX else HEIGHT_PX // 2
    paths = many(
        el(
            "path",
            d="".join(rectangle.path for rectangle in found[owner]),
            class_=f"own {palette.of_owner(chart.owners[owner])}",
            data_owner=machine_of(chart.owners[owner]),
            data_t=chart.owners[owner],
        )
        for owner in sorted(found)
    )
    # Runs of equal cells are as tall as can be: upper edges are borders of owners; left ones need not be.
    borders = "".join(
        f"M{rectangle.left} {rectangle.top}H{rectangle.right}"
        for owner in sorted(found)
        for rectangle in found[owner]
        if rectangle.top
    )
    scaled = el("g", paths, shape(borders, "border"), transform=f"scale(1 {height / BAND_CELLS:g})")
    labels = many(_label(chart.owners[owner], found[owner], height, palette) for owner in sorted(found))
    context = scene.context(height, shaded=False)
    span = _Span.of(chart.rings[ring])
    body = draw(
        Area(
            ident=f"{scene.ident}-ring{place}",
            title=f"Owners of the ring {ring} over time",
            text=_in_words(chart, ring),
            height_px=height,
            ticks=scene.axis.ticks,
            stretched=many([_background(chart, ring, scene, height), scaled, context.stretched]),
            upright=many([labels, context.upright]),
            values=span.gutter(height),
            data=(("plot", "ring"), ("end", f"{scene.axis.end:g}"), *span.data, ("cells", str(BAND_CELLS))),
            kind="ring",
        )
    )
    return el(
        "figure", el("figcaption", el("b", ring), " ", el("span", span.shown or chart.rings[ring])), body
    )


def _background(chart: Chart, ring: str, scene: Scene, height: int) -> Markup:
    """Where the ring was seen at all: what shows through there is nobody's."""
    columns = columns_of(chart, ring, scene.axis)
    spans: list[tuple[int, int]] = []
    for column in columns:
        if spans and spans[-1][1] == column.left:
            spans[-1] = (spans[-1][0], column.right)
        else:
            spans.append((column.left, column.right))
    path = "".join(f"M{left} 0H{right}V{height}H{left}z" for left, right in spans)
    return el("path", d=path, class_="nobody", data_t="nobody")


def _label(owner: str, found: Sequence[Rectangle], height: int, palette: Palette) -> Markup | None:
    """The owner's name on its largest rectangle, if it has room for it; what stands over is cut off."""
    largest = max(found, key=lambda rectangle: rectangle.size)
    tall = (largest.bottom - largest.top) * height / BAND_CELLS
    if tall < 11 or largest.right - largest.left < WIDTH / 25:  # noqa: PLR2004 - of letters
        return None
    return el(
        "svg",
        el("text", owner, x=5, y=f"{tall / 2 + 3.5:g}"),
        x=percent(largest.left / WIDTH),
        y=f"{largest.top * height / BAND_CELLS:g}",
        width=percent((largest.right - largest.left) / WIDTH),
        height=f"{tall:g}",
        class_=f"label {palette.ink_on(owner)}",
    )


def _in_words(chart: Chart, ring: str) -> str:
    """Who owns how much of it at the end."""
    last = next((sample.bands[ring] for sample in reversed(chart.samples) if ring in sample.bands), ())
    owners = sorted(set(last), key=lambda owner: (-last.count(owner), owner))
    shares = (
        f"{'nobody' if owner == NOBODY else chart.owners[owner]} {100 * last.count(owner) / len(last):.0f} %"
        for owner in owners
    )
    moves = sum(
        before.bands.get(ring) != after.bands.get(ring)
        for before, after in zip(chart.samples, chart.samples[1:], strict=False)
    )
    return f"{chart.rings[ring]}. {noun(moves, 'change')} between samples. At the end: {', '.join(shares)}."


@dataclass(frozen=True, slots=True)
class _Span:
    """The addresses of a ring, or nothing if the text names none that can be counted."""

    first: int = 0
    size: int = 0
    version: int = IPV4

    @classmethod
    def of(cls, text: str) -> _Span:
        """From its first and last address, whatever stands between them."""
        words = text.replace("-", " ").split()
        try:
            first, last = ip_address(words[0]), ip_address(words[-1])
        except (IndexError, ValueError):
            return cls()
        return cls(int(first), int(last) - int(first) + 1, first.version)

    @property
    def shown(self) -> str:
        """For people."""
        return f"{self._address(0)} to {self._address(self.size - 1)}" if self.size else ""

    def _address(self, offset: int) -> str:
        number = self.first + offset
        return str(IPv4Address(number) if self.version == IPV4 else IPv6Address(number))

    @property
    def data(self) -> tuple[tuple[str, str], ...]:
        """For the page's script."""
        if not self.size:
            return ()
        return (("first", str(self.first)), ("size", str(self.size)), ("version", str(self.version)))

    def gutter(self, height: int) -> list[tuple[float, str]]:
        """Addresses at the top, at each quarter and at the bottom."""
        if not self.size:
            return []
        offsets = [self.size * quarter // 4 for quarter in range(4)] + [self.size - 1]
        return [(height * place / 4, self._address(offset)) for place, offset in enumerate(offsets)]
