"""
One page for one run or for many: everything inside, nothing fetched.

Equal outcomes give equal pages.  Does not know where the page goes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files

from simulations.outcome import Outcome
from simulations.report import facts, palette
from simulations.report.machines import draw_timeline
from simulations.report.markup import Markup, el, many
from simulations.report.measures import Measures
from simulations.report.palette import Palette
from simulations.report.rings import draw_rings
from simulations.report.scene import Scene
from simulations.report.signs import sign_shapes
from simulations.report.spreads import draw_convergences, draw_totals
from simulations.report.summary import draw_summary, headline

RUNS_SHOWN_MAX = 400
"""Of more runs only so many have a section of their own, those with violations first; the table has all."""

CHARTS_BYTES_MAX = 16_000_000
"""Once the charts of a page take so much, further runs are shown in words; those with violations go first."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def render(outcomes: Sequence[Outcome]) -> str:
    """
    The page, from its doctype on.

    Raises:
        ValueError: there is no outcome.
    """
    if not outcomes:
        raise ValueError("a report needs an outcome")
    sections, idents = _sections(outcomes)
    title = headline(outcomes)
    violations = sum(len(outcome.violations) for outcome in outcomes)
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title}: weaveipam simulator"),
        el("style", _asset("page.css"), palette.rules()),
    )
    body = el(
        "body",
        sign_shapes(),
        el(
            "header",
            el("p", "weaveipam simulator", class_="over"),
            el("h1", title, " ", facts.verdict(violations)),
        ),
        el(
            "main",
            draw_summary(outcomes, idents) if len(outcomes) > 1 else None,
            _left_out(outcomes, idents),
            many(sections),
        ),
        el("div", id="tip", role="status", hidden=""),
        el("script", _asset("page.js")),
    )
    return f"<!DOCTYPE html>\n{el('html', head, body, lang='en')}\n"


def _sections(outcomes: Sequence[Outcome]) -> tuple[list[Markup], list[str | None]]:
    """The runs that are shown, in their order, and the id of every run's section, or None."""
    order = sorted(range(len(outcomes)), key=lambda place: (outcomes[place].held, place))[:RUNS_SHOWN_MAX]
    drawn: dict[int, Markup] = {}
    budget = CHARTS_BYTES_MAX
    for place in order:
        charts = _charts(outcomes[place], f"r{place}") if budget > 0 else None
        budget -= len(charts or "")
        drawn[place] = _section(outcomes[place], f"r{place}", charts, alone=len(outcomes) == 1)
    idents = [f"r{place}" if place in drawn else None for place in range(len(outcomes))]
    return [drawn[place] for place in sorted(drawn)], idents


def _left_out(outcomes: Sequence[Outcome], idents: Sequence[str | None]) -> Markup | None:
    hidden = idents.count(None)
    if not hidden:
        return None
    text = f"{hidden:,} of {len(outcomes):,} runs are in the table only; their seeds replay them."
    return el("p", text, class_="note")


def _section(outcome: Outcome, ident: str, charts: Markup | None, *, alone: bool) -> Markup:
    name = f"{outcome.scenario}, seed {outcome.seed}"
    return el(
        "section",
        None if alone else el("h2", name, " ", facts.verdict(len(outcome.violations))),
        facts.command(outcome.replay),
        facts.tiles(outcome),
        facts.origin(outcome),
        facts.violated(outcome.violations),
        facts.tail(outcome.tail),
        facts.lists(outcome),
        charts
        if charts is not None
        else el("p", "The charts of this run were left out, to keep the page small.", class_="note"),
        id=ident,
        class_="run",
        aria_label=name,
    )


def _charts(outcome: Outcome, ident: str) -> Markup:
    """All that is drawn of a run."""
    chart = outcome.chart
    if chart is None:
        return el("p", "Nothing was recorded to draw.", class_="note")
    scene = Scene.of(outcome, ident)
    colours = Palette(chart.machines, chart.owners)
    measures = Measures(chart, scene, colours)
    spreads = many(
        [
            draw_convergences(chart.convergences, outcome.convergence_seconds, f"{ident}-agree"),
            draw_totals(chart, colours, f"{ident}-totals"),
        ]
    )
    parts = [
        el("h3", "Machines"),
        draw_timeline(chart, scene, colours),
        el("h3", "Ownership of the ring"),
        draw_rings(chart, scene, colours),
        el("h3", "Space and answers"),
        measures.space(),
        measures.machines(),
        measures.answers(),
        el("h3", "Agreement and traffic"),
        measures.opinions(),
        measures.runs(),
        measures.traffic(),
        el("div", spreads, class_="pair"),
    ]
    return many([*parts, _readings(measures.readings.document())])


def _readings(document: object) -> Markup:
    """For the script; no text in it can end the element that it stands in."""
    text = json.dumps(document, separators=(",", ":")).replace("<", "\\u003c")
    return el("script", Markup(text), type="application/json", class_="readings")


def _asset(name: str) -> Markup:
    return Markup(files("simulations.report").joinpath(name).read_text(encoding="utf-8"))
