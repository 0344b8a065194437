"""
The words of one run: its verdict, its numbers, what went wrong, what was drawn, and what came about.

Does not know the charts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from simulations.outcome import Outcome, Violation
from simulations.report.markup import Markup, el, many
from simulations.report.words import count, duration, moment, noun, number, size, times


def verdict(violations: int, held: str = "all invariants held") -> Markup:
    """The badge: how many violations, or that all held."""
    text = noun(violations, "violation") if violations else held
    return el("span", text, class_="verdict bad" if violations else "verdict good")


def tiles(outcome: Outcome) -> Markup:
    """The numbers of a run."""
    refusals = sum(outcome.failures_by_reason.values())
    spells = outcome.convergence_seconds
    speed = outcome.virtual_seconds / outcome.wall_seconds if outcome.wall_seconds > 0 else 0.0
    shown: list[tuple[str, str, str]] = [
        ("nodes", count(outcome.nodes), ""),
        ("virtual time", duration(outcome.virtual_seconds), f"{count(outcome.events)} events"),
        ("wall time", duration(outcome.wall_seconds), f"{number(speed)} times as fast" if speed else ""),
        ("allocations", count(outcome.allocations), f"{count(refusals)} refused"),
        (
            "until all agree, p99",
            duration(spells["p99"]) if "p99" in spells else "none",
            f"p50 {duration(spells['p50'])}, max {duration(spells['max'])}"
            if {"p50", "max"} <= spells.keys()
            else "they always agreed",
        ),
        ("ring runs, most", count(outcome.ring_runs_max), f"{count(outcome.ring_runs_final)} at the end"),
        ("gossip", f"{size(outcome.gossip_bytes_per_node_per_second)}/s", "by each node"),
    ]
    return tiled(shown)


def tiled(shown: Iterable[tuple[str, str, str]]) -> Markup:
    """Numbers with their names above and a remark below."""
    return el(
        "dl",
        many(
            el("div", el("dt", name), el("dd", value), el("dd", remark, class_="remark") if remark else None)
            for name, value, remark in shown
        ),
        class_="tiles",
    )


def command(text: str) -> Markup | None:
    """A command with a button that copies it; None if there is none."""
    if not text:
        return None
    return el(
        "div",
        el("code", text),
        el("button", "Copy", type="button", class_="copy", aria_label="Copy the command"),
        class_="command",
    )


def origin(outcome: Outcome) -> Markup:
    """From which sources the run came, and by what it can be recognised."""
    said = [("commit", outcome.commit or "not known")]
    if outcome.trace_hash:
        said.append(("trace", outcome.trace_hash))
    return el("p", many(el("span", f"{name} ", el("code", text)) for name, text in said), class_="origin")


def violated(violations: Sequence[Violation]) -> Markup | None:
    """All violations in the order in which they were found; None if there are none."""
    if not violations:
        return None
    rows = many(
        el(
            "tr",
            el("td", number_, class_="num"),
            el("td", moment(violation.at), class_="num"),
            el("td", el("code", violation.checker)),
            el("td", violation.text),
        )
        for number_, violation in enumerate(violations, 1)
    )
    return el(
        "div",
        el("h3", noun(len(violations), "violation")),
        el("div", _table(("#", "time", "checker", "what"), rows), class_="scroll"),
        class_="violations",
    )


def tail(lines: Sequence[str]) -> Markup | None:
    """The last events before the first violation; None if there are none."""
    if not lines:
        return None
    return el(
        "details",
        el("summary", f"The last {noun(len(lines), 'event')} before the first violation"),
        el("pre", "\n".join(lines), tabindex=0),
        open="",
    )


def lists(outcome: Outcome) -> Markup:
    """The faults that were drawn and why clients got nothing, side by side; below, the rare states."""
    columns = [
        el("div", el("h3", "Faults drawn"), _pairs(sorted(outcome.faults.items()), "None: a calm run.")),
        el("div", el("h3", "Refusals"), failures(outcome.failures_by_reason)),
    ]
    missing = many(el("li", sentence) for sentence in outcome.unavailable)
    if missing:
        columns.append(el("div", el("h3", "Could not be done here"), el("ul", missing)))
    states = el("div", el("h3", "Rare states reached"), reached(outcome.reached), class_="wide")
    return many([el("div", many(columns), class_="columns"), states])


def reached(states: Mapping[str, int], runs: Mapping[str, int] | None = None) -> Markup:
    """
    Rare states and how often each came about, then those that never did.

    Args:
        states: By name.
        runs: In how many runs each came about, if there were several.
    """
    if not states:
        return el("p", "None are counted.", class_="note")
    came = sorted(name for name, often in states.items() if often)
    never = sorted(name for name, often in states.items() if not often)
    rows = [
        (
            name,
            f"{count(states[name])} in {noun(runs[name], 'run')}" if runs else times(states[name]),
            "came",
        )
        for name in came
    ]
    rows += [(name, "never", "never") for name in never]
    note = el("p", f"{count(len(came))} of {count(len(states))} came about.", class_="note")
    items = (el("div", el("dt", name), el("dd", often), class_=kind) for name, often, kind in rows)
    return many([note, el("dl", many(items), class_="pairs states")])


def failures(by_reason: Mapping[str, int]) -> Markup:
    """Reasons, the commonest first, with bars."""
    if not any(by_reason.values()):
        return el("p", "Nobody was refused.", class_="note")
    most = max(by_reason.values())
    ordered = sorted(by_reason.items(), key=lambda pair: (-pair[1], pair[0]))
    return el(
        "dl",
        many(
            el("div", el("dt", reason), el("dd", count(often)), style=f"--part:{100 * often / most:.1f}%")
            for reason, often in ordered
        ),
        class_="pairs bars",
    )


def _pairs(pairs: Sequence[tuple[str, str]], otherwise: str) -> Markup:
    if not pairs:
        return el("p", otherwise, class_="note")
    return el("dl", many(el("div", el("dt", name), el("dd", text)) for name, text in pairs), class_="pairs")


def _table(names: Sequence[str], rows: Markup) -> Markup:
    head = el("tr", many(el("th", name, scope="col") for name in names))
    return el("table", el("thead", head), el("tbody", rows))
