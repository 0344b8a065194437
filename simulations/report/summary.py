"""
Several runs at a glance: what all of them came to, and a table to choose one from.

Does not know how one run is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from simulations.outcome import Outcome, percentiles
from simulations.report.facts import failures, reached, tiled, verdict
from simulations.report.markup import Markup, el, many
from simulations.report.spreads import draw_convergences
from simulations.report.words import count, duration, noun, size

_COLUMNS = (
    "seed", "scenario", "verdict", "nodes", "allocations", "refusals", "agree, p99", "runs, most",
    "gossip by node", "wall time",
)  # fmt: skip


def draw_summary(outcomes: Sequence[Outcome], idents: Sequence[str | None]) -> Markup:
    """
    The sums, and the table of runs.

    Args:
        outcomes: The runs.
        idents: Where in the page each is shown; None if it is not.
    """
    return el(
        "section",
        _sums(outcomes),
        _lists(outcomes),
        _agreement(outcomes),
        el("h3", "Runs"),
        el("p", "Choose one to see it below; a column's head sorts by it.", class_="note scripted"),
        _table(outcomes, idents),
        class_="summary",
        aria_label="All runs",
    )


def _sums(outcomes: Sequence[Outcome]) -> Markup:
    bad = sum(not outcome.held for outcome in outcomes)
    allocations = sum(outcome.allocations for outcome in outcomes)
    refusals = sum(sum(outcome.failures_by_reason.values()) for outcome in outcomes)
    virtual = sum(outcome.virtual_seconds for outcome in outcomes)
    worst = max((outcome.convergence_seconds.get("max", 0.0) for outcome in outcomes), default=0.0)
    return tiled(
        [
            ("runs", count(len(outcomes)), f"{count(bad)} with violations"),
            ("virtual time", duration(virtual), f"{count(sum(o.events for o in outcomes))} events"),
            ("wall time", duration(sum(o.wall_seconds for o in outcomes)), "of all runs"),
            ("allocations", count(allocations), f"{count(refusals)} refused"),
            ("until all agree, most", duration(worst) if worst else "none", ""),
            ("ring runs, most", count(max(o.ring_runs_max for o in outcomes)), ""),
        ]
    )


def _lists(outcomes: Sequence[Outcome]) -> Markup:
    states: Counter[str] = Counter()
    in_runs: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for outcome in outcomes:
        # Counter.update keeps names whose count is 0, and so says what was never reached.
        states.update(outcome.reached)
        in_runs.update(name for name, often in outcome.reached.items() if often)
        reasons.update(outcome.failures_by_reason)
        broken.update(violation.checker for violation in outcome.violations)
        faults.update(outcome.faults.keys())
        missing.update(outcome.unavailable)
    columns = [
        el("div", el("h3", "Violations by checker"), failures(broken)) if broken else None,
        el("div", el("h3", "Faults, by runs that had them"), failures(faults)) if faults else None,
        el("div", el("h3", "Refusals"), failures(reasons)),
        _missing(missing) if missing else None,
    ]
    wide = el("div", el("h3", "Rare states reached"), reached(states, in_runs), class_="wide")
    return many([el("div", many(columns), class_="columns"), wide])


def _missing(sentences: Counter[str]) -> Markup:
    items = many(el("li", f"{text} ({noun(often, 'run')})") for text, often in sorted(sentences.items()))
    return el("div", el("h3", "Could not be done here"), el("ul", items))


def _agreement(outcomes: Sequence[Outcome]) -> Markup | None:
    """The times until agreement of all runs that were recorded."""
    spells = [seconds for outcome in outcomes if outcome.chart for seconds in outcome.chart.convergences]
    return draw_convergences(spells, percentiles(spells), "all-agree") if spells else None


def _table(outcomes: Sequence[Outcome], idents: Sequence[str | None]) -> Markup:
    head = many(
        el("th", el("button", name, type="button"), scope="col", class_="" if name in _TEXTS else "num")
        for name in _COLUMNS
    )
    rows = many(_row(outcome, ident) for outcome, ident in zip(outcomes, idents, strict=True))
    return el(
        "div",
        el("table", el("thead", el("tr", head)), el("tbody", rows), class_="sortable runs"),
        class_="scroll tall",
        tabindex=0,
    )


_TEXTS = ("scenario", "verdict")


def _row(outcome: Outcome, ident: str | None) -> Markup:
    seed = (
        el("a", outcome.seed, href=f"#{ident}") if ident else el("span", outcome.seed, title=outcome.replay)
    )
    p99 = outcome.convergence_seconds.get("p99")
    refusals = sum(outcome.failures_by_reason.values())
    wall, gossip = outcome.wall_seconds, outcome.gossip_bytes_per_node_per_second
    return el(
        "tr",
        _number(seed, outcome.seed),
        el("td", outcome.scenario),
        el("td", verdict(len(outcome.violations), "held"), data_v=len(outcome.violations)),
        _number(count(outcome.nodes), outcome.nodes),
        _number(count(outcome.allocations), outcome.allocations),
        _number(count(refusals), refusals),
        _number("" if p99 is None else duration(p99), -1 if p99 is None else p99),
        _number(count(outcome.ring_runs_max), outcome.ring_runs_max),
        _number(f"{size(gossip)}/s", gossip),
        _number(duration(wall), wall),
        class_=None if outcome.held else "broken",
    )


def _number(shown: Markup | str, value: float) -> Markup:
    return el("td", shown, class_="num", data_v=str(value))


def headline(outcomes: Sequence[Outcome]) -> str:
    """What the page is called."""
    scenarios = sorted({outcome.scenario for outcome in outcomes})
    named = scenarios[0] if len(scenarios) == 1 else noun(len(scenarios), "scenario")
    if len(outcomes) == 1:
        return f"{named}, seed {outcomes[0].seed}"
    seeds = sorted({outcome.seed for outcome in outcomes})
    if len(seeds) == seeds[-1] - seeds[0] + 1 and len(seeds) > 1:
        return f"{named}, seeds {seeds[0]} to {seeds[-1]}"
    return f"{named}, {noun(len(outcomes), 'run')}"
