"""
The timeline: what was done to the cluster, and a lane for each machine with what became of it.

Above LANES_MAX machines a lane stands for several, and shows how many of them run.
Does not know what the marks were for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from simulations.outcome import Chart
from simulations.report.bars import bar_rows, css_class, draw_bars, height_of, is_bar
from simulations.report.markup import NOTHING, Markup, el, many
from simulations.report.palette import Palette
from simulations.report.plot import WIDTH, Area, draw, shape, stairs_between, thinned
from simulations.report.scene import Scene
from simulations.report.signs import draw_signs, sign_key, table
from simulations.report.words import noun

LANES_MAX = 60
GROUPS_MAX = 40
LANES_TALL_MAX = 20
LANE_PX, LOW_LANE_PX = 18.0, 13.0
"""Heights of lanes; the lower if they are many."""
NUMBERS_PLACES = 25
"""Into so many parts of the width the numbers of violations are gathered."""

_ENDS_RUN = ("crash", "stop", "power-cut", "pause")
_BEGINS_RUN = ("start", "join")


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of the timeline: a machine, or neighbours among many."""

    name: str
    members: tuple[int, ...]
    """Places in `Chart.machines`."""
    top: float
    height: float

    @property
    def middle(self) -> float:
        """Pixels from the top."""
        return self.top + self.height / 2

    def box(self, left: int, right: int) -> str:
        """The path of a bar in it."""
        up, down = self.middle - self.height * 0.3, self.middle + self.height * 0.3
        return f"M{left} {up:g}H{right}V{down:g}H{left}z"


def draw_timeline(chart: Chart, scene: Scene, palette: Palette) -> Markup:
    """The key, the chart, and all marks as a table."""
    top = 18 if scene.violations else 4
    rows = bar_rows(scene.marks, scene.axis.end)
    lanes = lanes_of(chart.machines, top + height_of(rows) + 6)
    height = round(lanes[-1].top + lanes[-1].height + 4) if lanes else top + height_of(rows) + 6
    context = scene.context(height)
    bars, bar_names = draw_bars(rows, scene, top)
    heights = {chart.machines[place]: lane.middle for lane in lanes for place in lane.members}
    signs, kinds = draw_signs(scene.marks, heights, scene)
    area = Area(
        ident=f"{scene.ident}-machines",
        title="Timeline of the machines",
        text=_in_words(chart),
        height_px=height,
        ticks=scene.axis.ticks,
        stretched=many([context.stretched, *(_lane(chart, lane, scene, palette) for lane in lanes)]),
        upright=many([bars, context.upright, signs, _numbers(scene)]),
        names=many([bar_names, *(_name(lane) for lane in lanes)]),
        data=(("plot", "machines"), ("end", f"{scene.axis.end:g}")),
        kind="lanes",
    )
    paused = any(mark.kind == "pause" and mark.until is not None for mark in scene.marks)
    key = _key(kinds, grouped=len(chart.machines) > LANES_MAX, paused=paused)
    return many([key, draw(area), table(chart.marks)])


def lanes_of(machines: Sequence[str], top: float) -> list[Lane]:
    """Lanes from there downwards, one for each machine, or for several if there are many."""
    each = 1 if len(machines) <= LANES_MAX else -(-len(machines) // GROUPS_MAX)
    height = LANE_PX if len(machines) <= LANES_TALL_MAX or each > 1 else LOW_LANE_PX
    lanes = []
    for row, first in enumerate(range(0, len(machines), each)):
        members = tuple(range(first, min(first + each, len(machines))))
        ends = dict.fromkeys((machines[members[0]], machines[members[-1]]))
        lanes.append(Lane(" to ".join(ends), members, top + row * height, height))
    return lanes


def running_spans(chart: Chart, place: int, end: float) -> list[tuple[float, float]]:
    """When this machine ran; a change is put where a mark explains it, or at the sample that shows it."""
    name = chart.machines[place]
    mine = [mark for mark in chart.marks if name in mark.machines or not mark.machines]
    ends = [mark.at for mark in mine if mark.kind in _ENDS_RUN]
    begins = [mark.at for mark in mine if mark.kind in _BEGINS_RUN]
    # A pause without an end is one of two moments: its beginning, or its end.
    begins += [mark.at if mark.until is None else mark.until for mark in mine if mark.kind == "pause"]
    spans: list[tuple[float, float]] = []
    since: float | None = None
    before = 0.0
    for sample in chart.samples:
        runs = place < len(sample.running) and sample.running[place]
        if runs and since is None:
            since = _explained(begins, before, sample.at)
        elif not runs and since is not None:
            spans.append((since, _explained(ends, before, sample.at)))
            since = None
        before = sample.at
    return spans if since is None else [*spans, (since, end)]


def _explained(moments: Iterable[float], before: float, at: float) -> float:
    return next((moment for moment in sorted(moments) if before <= moment <= at), at)


def _lane(chart: Chart, lane: Lane, scene: Scene, palette: Palette) -> Markup:
    whole = el(
        "rect", width=WIDTH, height=f"{lane.height:g}", y=f"{lane.top:g}", class_="hit", data_t=lane.name
    )
    if len(lane.members) > 1:
        return many([whole, _crowd(chart, lane, scene)])
    place = lane.members[0]
    name = chart.machines[place]
    spans = running_spans(chart, place, scene.axis.end)
    joined = any(mark.kind == "join" and name in mark.machines for mark in chart.marks)
    born = spans[0][0] if joined and spans else 0.0
    alive = "".join(lane.box(scene.axis.x(begin), scene.axis.x(end)) for begin, end in spans)
    return many(
        [
            whole,
            shape(f"M{scene.axis.x(born)} {lane.middle:g}H{WIDTH}", "dead"),
            el("path", d=alive, class_=f"alive {palette.of_machine(name)}") if alive else None,
            *_lasting(name, lane, scene),
        ]
    )


def _lasting(name: str, lane: Lane, scene: Scene) -> list[Markup]:
    """Pauses as hollow bars; what else lasts on this machine as lines below its own."""
    drawn = []
    for mark in scene.marks:
        if mark.until is None or name not in mark.machines or (is_bar(mark) and mark.kind != "slow"):
            continue
        left, right = scene.axis.x(mark.at), scene.axis.x(mark.until)
        if mark.kind == "pause":
            drawn.append(shape(lane.box(left, right), "paused"))
        else:
            y = lane.top + lane.height - 1.5
            drawn.append(shape(f"M{left} {y:g}H{right}", f"lasting {css_class(mark.kind)}"))
    return drawn


def _crowd(chart: Chart, lane: Lane, scene: Scene) -> Markup:
    """How many of these machines run, as an area as high as the lane if all do."""
    points: list[tuple[int, float]] = []
    bottom = lane.top + lane.height - 1
    for index in thinned([sample.at for sample in chart.samples], WIDTH // 4):
        sample = chart.samples[index]
        running = sum(sample.running[place] for place in lane.members if place < len(sample.running))
        tall = (lane.height - 3) * running / len(lane.members)
        points.append((scene.axis.x(sample.at), round(bottom - tall, 1)))
    path = stairs_between(points, [(x, bottom) for x, _ in points], WIDTH)
    return el("path", d=path, class_="crowd") if path else NOTHING


def _name(lane: Lane) -> Markup:
    return el("text", lane.name, x="100%", dx=-6, y=f"{lane.middle + 3.5:g}", class_="end name")


def _numbers(scene: Scene) -> Markup:
    """The numbers of violations above their lines; those that would stand in each other's way as one."""
    drawn = []
    for _, same in groupby(scene.violations, key=lambda one: int(NUMBERS_PLACES * one[0] / scene.axis.end)):
        group = list(same)
        numbers = [number for _, some in group for number in some]
        text = str(numbers[0]) if len(numbers) == 1 else f"{min(numbers)} to {max(numbers)}"
        x = scene.axis.percent(group[0][0])
        drawn.append(el("text", f"▼ {text}", x=x, y=11, dx=-4, class_="violated-number"))
    return many(drawn)


def _key(kinds: Sequence[str], *, grouped: bool, paused: bool) -> Markup:
    states = [("crowd", "share of the group that runs")] if grouped else [("up", "runs"), ("none", "down")]
    if paused and not grouped:
        states.append(("held", "paused"))
    entries = [el("span", el("i", class_=f"state {name}"), text) for name, text in states]
    return el("div", many(entries), sign_key(kinds), class_="key", aria_hidden="true")


def _in_words(chart: Chart) -> str:
    kinds = dict.fromkeys(mark.kind for mark in chart.marks)
    happened = (noun(sum(mark.kind == kind for mark in chart.marks), f"{kind} mark") for kind in kinds)
    return f"{noun(len(chart.machines), 'machine')}; {', '.join(happened) or 'nothing happened to them'}."
