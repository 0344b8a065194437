"""
Moments of machines, as signs in their lanes; and all marks as a table.

Does not know where the lanes are, nor what the marks were for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulations.outcome import Mark
from simulations.report.bars import is_bar
from simulations.report.markup import Markup, el, many
from simulations.report.plot import WIDTH
from simulations.report.scene import Scene
from simulations.report.words import count, moment, noun

PLACES = 400
"""Signs of one kind in one lane that stand closer than such a part of the width are one."""
SIGN_PX = 12
"""From sign to sign where several kinds have one place."""
TOLD_MAX = 6
"""Marks that one sign names."""
LISTED_MAX = 600
"""Marks in the table."""
NAMED_MAX = 8
"""Machines that one row of the table names."""

KINDS = {
    "crash": "M-2.8-2.8L2.8 2.8M2.8-2.8L-2.8 2.8",
    "power-cut": "M1-4L-2.2.6H0L-1 4L2.2-.6H0z",
    "stop": "M-2-2h4v4h-4z",
    "start": "M-1.8-2.8L3 0L-1.8 2.8z",
    "join": "M-3.5 0H3.5M0-3.5V3.5",
    "pause": "M-1.6-2.8V2.8M1.6-2.8V2.8",
    "disk": "M0-3.4L3.4 0L0 3.4L-3.4 0z",
    "clock": "M0-3.8V0L2.6 1.5",
    "other": "M-1.5 0A1.5 1.5 0 1 0 1.5 0A1.5 1.5 0 1 0-1.5 0z",
}
"""Kinds of marks that are signs, and their shapes around (0, 0)."""


def sign_shapes() -> Markup:
    """The definitions that signs refer to; once in a page, before them."""
    symbols = many(
        el("g", el("circle", r=7, class_="badge"), el("path", d=path), id=f"sign-{kind}")
        for kind, path in KINDS.items()
    )
    return el("svg", el("defs", symbols), width=0, height=0, class_="defs", aria_hidden="true")


def draw_signs(marks: Sequence[Mark], heights: Mapping[str, float], scene: Scene) -> tuple[Markup, list[str]]:
    """
    The signs in the lanes, and the kinds that there are.

    Args:
        marks: All marks of the run; those that are bars are passed over.
        heights: By machine, the middle of its lane, in pixels from the top.
        scene: The run's.
    """
    together: dict[tuple[float, int], dict[str, list[Mark]]] = {}
    for mark in marks:
        if is_bar(mark):
            continue
        kind = mark.kind if mark.kind in KINDS else "other"
        place = scene.axis.x(mark.at) * PLACES // WIDTH
        for middle in dict.fromkeys(heights[name] for name in mark.machines or heights if name in heights):
            together.setdefault((middle, place), {}).setdefault(kind, []).append(mark)
    drawn = many(
        el(
            "use",
            href=f"#sign-{kind}",
            x=scene.axis.percent(same[0].at),
            y=f"{middle:g}",
            transform=f"translate({SIGN_PX * rank})" if rank else None,
            class_=f"sign {kind}",
            data_t=_told(same),
        )
        for (middle, _), by_kind in together.items()
        for rank, (kind, same) in enumerate(by_kind.items())
    )
    seen = {kind for by_kind in together.values() for kind in by_kind}
    return drawn, [kind for kind in KINDS if kind in seen]


def _told(marks: Sequence[Mark]) -> str:
    lines = [f"{moment(mark.at)} {mark.kind}: {mark.text}" for mark in marks[:TOLD_MAX]]
    if len(marks) > TOLD_MAX:
        lines.append(f"and {count(len(marks) - TOLD_MAX)} more")
    return "\n".join(lines)


def sign_key(kinds: Sequence[str]) -> Markup:
    """Each sign with its name."""
    return many(
        el(
            "span",
            el("svg", el("use", href=f"#sign-{kind}", x=8, y=8, class_=f"sign {kind}"), width=16, height=16),
            kind.replace("-", " "),
        )
        for kind in kinds
    )


def table(marks: Sequence[Mark]) -> Markup | None:
    """Every mark as text, in order; None if there is none."""
    if not marks:
        return None
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
        for mark in ordered[:LISTED_MAX]
    )
    hidden = len(ordered) - LISTED_MAX
    head = many(el("th", name, scope="col") for name in ("from", "until", "kind", "machines", "what"))
    return el(
        "details",
        el("summary", f"What happened, as a table of {noun(len(marks), 'line')}"),
        el("div", el("table", el("thead", el("tr", head)), el("tbody", rows)), class_="scroll", tabindex=0),
        el("p", f"{count(hidden)} later ones are left out.", class_="note") if hidden > 0 else None,
    )


def _names(machines: Sequence[str]) -> str:
    shown = ", ".join(machines[:NAMED_MAX])
    return f"{shown} and {count(len(machines) - NAMED_MAX)} more" if len(machines) > NAMED_MAX else shown
