"""
The timeline: what was done to the cluster, and a lane for each machine with what became of it.

Above MACHINES_LANES_MAX machines a lane stands for several, and shows how many of them run.
Does not know what the marks were for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulations.outcome import Chart, Mark
from simulations.report.markup import Child, Markup, el, many
from simulations.report.palette import Palette
from simulations.report.plot import WIDTH, Area, draw, percent, shape, stairs_between, thinned
from simulations.report.scene import Scene
from simulations.report.words import count, duration, moment, noun

MACHINES_LANES_MAX = 60
GROUPS_MAX = 40
BAR_PX = 18
BAR_ROWS_MAX = 6
BARS_MAX = 240
"""Of one row group; if there are more, those close together are drawn as one."""
SIGN_PLACES = 400
"""Signs of one kind in one lane that would stand closer than this share of the width are one."""
EVENTS_LISTED_MAX = 600

SIGNS = {
    "crash": "crash",
    "power-cut": "power cut",
    "stop": "stop",
    "start": "start",
    "join": "join",
    "pause": "pause",
    "disk": "disk",
    "clock": "clock",
    "other": "other",
}
"""Kinds of marks that are signs in lanes, and how the key calls them."""

_GROUPS = {"phase": "phase", "load": "load", "cut": "network", "slow": "network"}
"""Kinds that are bars above the lanes, and the name of their rows."""
_LASTING = ("phase", "load")
"""Without an end they last until the next of their kind."""
_ENDS_RUN = ("crash", "stop", "power-cut", "pause")
_BEGINS_RUN = ("start", "join")


@dataclass(frozen=True, slots=True)
class Bar:
    """A mark that lasts, or several, above the lanes."""

    kind: str
    at: float
    until: float
    text: str
    row: int = 0


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


def draw_timeline(chart: Chart, scene: Scene, palette: Palette) -> Markup:
    """The key, the chart, and all marks as a table."""
    top = 18.0 if scene.violations else 4.0
    rows = bar_rows(chart.marks, scene.axis.end)
    bars_px = BAR_PX * sum(1 + max(bar.row for bar in bars) for bars in rows.values())
    lanes = lanes_of(chart.machines, top + bars_px + 6)
    height = round(lanes[-1].top + lanes[-1].height + 4) if lanes else round(top + bars_px + 6)
    context = scene.context(height)
    bars, bar_names = _bars(rows, scene, top)
    lane_shapes = many(_lane(chart, lane, scene, palette) for lane in lanes)
    signs, seen = _signs(chart, lanes, scene)
    numbers = many(
        el("text", "▼ " + text, x=scene.axis.percent(at), y=11, dx=-4, class_="violated-number")
        for at, text in scene.violations
    )
    area = Area(
        ident=f"{scene.ident}-machines",
        title="Timeline of the machines",
        text=_in_words(chart),
        height_px=height,
        ticks=scene.axis.ticks,
        stretched=many([context.stretched, lane_shapes]),
        upright=many([bars, context.upright, signs, numbers]),
        names=many([bar_names, *(_name(lane) for lane in lanes)]),
        data=(("plot", "machines"), ("end", f"{scene.axis.end:g}")),
        kind="lanes",
    )
    return many(
        [_key(seen, grouped=len(chart.machines) > MACHINES_LANES_MAX), draw(area), _table(chart.marks)]
    )


# Bars


def bar_rows(marks: Sequence[Mark], end: float) -> dict[str, list[Bar]]:
    """Marks that are bars, by the name of their rows; those of one row do not overlap while rows are left."""
    by_group: dict[str, list[Bar]] = {}
    for kind in _LASTING:
        until = end
        same = sorted((mark for mark in marks if mark.kind == kind), key=lambda mark: mark.at, reverse=True)
        for mark in same:
            last = until if mark.until is None else mark.until
            by_group.setdefault(_GROUPS[kind], []).append(Bar(kind, mark.at, last, mark.text))
            until = mark.at
    for mark in marks:
        if mark.kind not in _LASTING and is_bar(mark):
            last = end if mark.until is None else mark.until
            group = _GROUPS.get(mark.kind, "hosts")
            by_group.setdefault(group, []).append(Bar(mark.kind, mark.at, last, mark.text))
    ordered = [name for name in ("phase", "load", "network", "hosts") if name in by_group]
    return {name: _packed(_fewer(by_group[name], end)) for name in ordered}


def is_bar(mark: Mark) -> bool:
    """Whether the mark stands above the lanes: it concerns the whole cluster for a while."""
    return mark.kind in _GROUPS or (mark.until is not None and not mark.machines)


def _fewer(bars: Sequence[Bar], end: float) -> list[Bar]:
    """The same in order; if they are too many, those close together as one."""
    ordered = sorted(bars, key=lambda bar: (bar.at, bar.until, bar.kind, bar.text))
    if len(ordered) <= BARS_MAX:
        return ordered
    joined: list[list[Bar]] = []
    for bar in ordered:
        if joined and bar.at - joined[-1][-1].until < end / BARS_MAX:
            joined[-1].append(bar)
        else:
            joined.append([bar])
    return [_one(group) for group in joined]


def _one(group: Sequence[Bar]) -> Bar:
    first, more = group[0], len(group) - 1
    text = f"{first.text}, and {noun(more, 'more')[:-1] if more > 1 else '1 more'}" if more else first.text
    return Bar(first.kind, first.at, max(bar.until for bar in group), text)


def _packed(bars: Sequence[Bar]) -> list[Bar]:
    """Each in the first row that is free, or if none is, in the one that is free first."""
    free: list[float] = []
    placed = []
    for bar in bars:
        row = next((row for row, at in enumerate(free) if at <= bar.at), len(free))
        if row == BAR_ROWS_MAX:
            row = free.index(min(free))
        if row == len(free):
            free.append(0.0)
        free[row] = bar.until
        placed.append(Bar(bar.kind, bar.at, bar.until, bar.text, row))
    return placed


def _bars(rows: dict[str, list[Bar]], scene: Scene, top: float) -> tuple[Markup, Markup]:
    """The bars, and the names of their rows."""
    drawn: list[Child] = []
    names: list[Child] = []
    for name, bars in rows.items():
        names.append(el("text", name, y=f"{top + 12:g}", class_="dim"))
        for bar in bars:
            left, right = scene.axis.x(bar.at), scene.axis.x(bar.until)
            when = f"{moment(bar.at)} to {moment(bar.until)} ({duration(bar.until - bar.at)})"
            drawn.append(
                el(
                    "svg",
                    el("rect", width="100%", height=BAR_PX - 3, rx=2, data_t=f"{bar.text}\n{when}"),
                    el("text", bar.text, x=4, y=11),
                    x=percent(left / WIDTH),
                    y=f"{top + bar.row * BAR_PX:g}",
                    width=percent(max(right - left, 4) / WIDTH),
                    height=BAR_PX - 3,
                    class_=f"bar {_safe(bar.kind)}",
                )
            )
        top += BAR_PX * (1 + max(bar.row for bar in bars))
    return many(drawn), many(names)


# Lanes


def lanes_of(machines: Sequence[str], top: float) -> list[Lane]:
    """Lanes from there downwards, one for each machine, or for several if there are many."""
    each = 1 if len(machines) <= MACHINES_LANES_MAX else -(-len(machines) // GROUPS_MAX)
    height = 18.0 if len(machines) <= MACHINES_LANES_MAX // 3 or each > 1 else 13.0
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
    begins += [mark.until for mark in mine if mark.kind == "pause" and mark.until is not None]
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
    hit = el(
        "rect", width=WIDTH, height=f"{lane.height:g}", y=f"{lane.top:g}", class_="hit", data_t=lane.name
    )
    if len(lane.members) > 1:
        return many([hit, _crowd(chart, lane, scene)])
    place = lane.members[0]
    name = chart.machines[place]
    spans = running_spans(chart, place, scene.axis.end)
    born = min((begin for begin, _ in spans), default=0.0) if _joins(chart, name) else 0.0
    dead = f"M{scene.axis.x(born)} {lane.middle:g}H{WIDTH}"
    up, down = lane.middle - lane.height * 0.3, lane.middle + lane.height * 0.3
    alive = "".join(
        f"M{scene.axis.x(begin)} {up:g}H{scene.axis.x(end)}V{down:g}H{scene.axis.x(begin)}z"
        for begin, end in spans
    )
    return many(
        [
            hit,
            shape(dead, "dead"),
            el("path", d=alive, class_=f"alive {palette.of_machine(name)}") if alive else None,
            *_under(chart, name, lane, scene),
        ]
    )


def _joins(chart: Chart, name: str) -> bool:
    return any(mark.kind == "join" and name in mark.machines for mark in chart.marks)


def _under(chart: Chart, name: str, lane: Lane, scene: Scene) -> list[Markup]:
    """Pauses as hollow bars, and what else lasts on this machine as lines below its own."""
    drawn = []
    for mark in chart.marks:
        if mark.until is None or name not in mark.machines or mark.kind in _LASTING or mark.kind == "cut":
            continue
        left, right = scene.axis.x(mark.at), scene.axis.x(mark.until)
        if mark.kind == "pause":
            up, down = lane.middle - lane.height * 0.3, lane.middle + lane.height * 0.3
            drawn.append(shape(f"M{left} {up:g}H{right}V{down:g}H{left}z", "paused"))
        else:
            y = lane.top + lane.height - 1.5
            drawn.append(shape(f"M{left} {y:g}H{right}", f"lasting {_safe(mark.kind)}"))
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
    return el("path", d=path, class_="crowd") if path else Markup()


def _name(lane: Lane) -> Markup:
    return el("text", lane.name, x="100%", dx=-6, y=f"{lane.middle + 3.5:g}", class_="end name")


# Signs


def _signs(chart: Chart, lanes: Sequence[Lane], scene: Scene) -> tuple[Markup, list[str]]:
    """The signs in the lanes, and the kinds that there are."""
    rows = {chart.machines[place]: lane for lane in lanes for place in lane.members}
    together: dict[tuple[float, str, int], list[Mark]] = {}
    for mark in chart.marks:
        if is_bar(mark):
            continue
        kind = mark.kind if mark.kind in SIGNS else "other"
        where = dict.fromkeys(rows[name].middle for name in mark.machines or chart.machines if name in rows)
        for middle in where:
            place = scene.axis.x(mark.at) * SIGN_PLACES // WIDTH
            together.setdefault((middle, kind, place), []).append(mark)
    drawn = many(
        el(
            "use",
            href=f"#sign-{kind}",
            x=scene.axis.percent(marks[0].at),
            y=f"{middle:g}",
            class_=f"sign {kind}",
            data_t=_told(marks),
        )
        for (middle, kind, _), marks in together.items()
    )
    kinds = {kind for _, kind, _ in together}
    return drawn, [kind for kind in SIGNS if kind in kinds]


def _told(marks: Sequence[Mark]) -> str:
    lines = [f"{moment(mark.at)} {mark.kind}: {mark.text}" for mark in marks[:6]]
    if len(marks) > len(lines):
        lines.append(f"and {count(len(marks) - len(lines))} more")
    return "\n".join(lines)


def sign_shapes() -> Markup:
    """The definitions that the signs refer to; once in a page, before them."""
    shapes = {
        "crash": "M-4-4L4 4M4-4L-4 4",
        "power-cut": "M2-6L-3 1H0L-2 6L4-1H1z",
        "stop": "M-3.5-3.5h7v7h-7z",
        "start": "M-3-4.5L4.5 0L-3 4.5z",
        "join": "M-5 0H5M0-5V5",
        "pause": "M-2-4V4M2-4V4",
        "disk": "M0-5L5 0L0 5L-5 0z",
        "clock": "M0-5A5 5 0 1 0 .01-5zM0-3V0H2.5",
        "other": "M-2.5 0A2.5 2.5 0 1 0 2.5 0A2.5 2.5 0 1 0-2.5 0z",
    }
    symbols = many(
        el("g", el("circle", r=8, class_="hit"), el("path", d=path), id=f"sign-{kind}")
        for kind, path in shapes.items()
    )
    return el("svg", el("defs", symbols), width=0, height=0, class_="defs", aria_hidden="true")


def _key(kinds: Sequence[str], *, grouped: bool) -> Markup:
    states = [("crowd", "share of the group that runs")] if grouped else [("run", "runs"), ("none", "down")]
    if "pause" in kinds and not grouped:
        states.append(("held", "paused"))
    entries = [el("span", el("i", class_=f"state {name}"), text) for name, text in states]
    for kind in kinds:
        sign = el(
            "svg", el("use", href=f"#sign-{kind}", x=8, y=8, class_=f"sign {kind}"), width=16, height=16
        )
        entries.append(el("span", sign, SIGNS[kind]))
    return el("div", many(entries), class_="key", aria_hidden="true")


# Words


def _in_words(chart: Chart) -> str:
    kinds = dict.fromkeys(mark.kind for mark in chart.marks)
    happened = (noun(sum(mark.kind == kind for mark in chart.marks), f"{kind} mark") for kind in kinds)
    return f"{noun(len(chart.machines), 'machine')}; {', '.join(happened) or 'nothing happened to them'}."


def _table(marks: Sequence[Mark]) -> Markup:
    """Every mark as text."""
    if not marks:
        return Markup()
    ordered = sorted(marks, key=lambda mark: (mark.at, mark.kind, mark.machines, mark.text))
    rows = many(
        el(
            "tr",
            el("td", moment(mark.at), class_="num"),
            el("td", "" if mark.until is None else moment(mark.until), class_="num"),
            el("td", mark.kind),
            el("td", _names(mark.machines)),
            el("td", mark.text),
        )
        for mark in ordered[:EVENTS_LISTED_MAX]
    )
    hidden = len(ordered) - EVENTS_LISTED_MAX
    head = many(el("th", name, scope="col") for name in ("from", "until", "kind", "machines", "what"))
    return el(
        "details",
        el("summary", f"All {noun(len(marks), 'mark')} as a table" if len(marks) > 1 else "As a table"),
        el("div", el("table", el("thead", el("tr", head)), el("tbody", rows)), class_="scroll"),
        el("p", f"{count(hidden)} later ones are left out.", class_="note") if hidden > 0 else None,
    )


def _names(machines: Sequence[str]) -> str:
    shown = ", ".join(machines[:8])
    return f"{shown} and {count(len(machines) - 8)} more" if len(machines) > 8 else shown  # noqa: PLR2004


def _safe(kind: str) -> str:
    """A mark's kind as a CSS class."""
    return "".join(letter if letter.isalnum() else "-" for letter in kind)
