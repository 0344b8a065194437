"""
What a person reads in the end: the verdict, the numbers that matter, and of a failure all that replays it.

Lines of text.  Does not know where they go, nor how outcomes come about.
"""

from __future__ import annotations

import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from simulations.outcome import Outcome
from simulations.report.words import count, duration, moment, noun, size

TOLD_MAX = 1
"""Failing runs of many that are told in full; the others have a line each."""

VIOLATIONS_MAX = 10
"""Violations of one run that are printed; JSON has all of them."""

_LABEL_COLUMNS = 15
_COLUMNS_MIN, _COLUMNS_MAX = 60, 110


def of_one(outcome: Outcome) -> list[str]:
    """The verdict of a run and its numbers; if it failed, what and how to do it again."""
    head = f"{outcome.scenario}, seed {outcome.seed}, {noun(outcome.nodes, 'node')}"
    took = f"{duration(outcome.virtual_seconds)} in {duration(outcome.wall_seconds)}"
    lines = [f"{_verdict(outcome)}: {head}, {took}, {noun(outcome.events, 'event')}"]
    lines += _row("allocations", _given(outcome.allocations, outcome.failures_by_reason))
    lines += _row("gossip", f"{size(outcome.gossip_bytes_per_node_per_second)}/s by each node")
    spells = [f"{name} {duration(taken_s)}" for name, taken_s in outcome.convergence_seconds.items()]
    lines += _row("convergence", ", ".join(spells))
    lines += _row(
        "ring", f"{_runs(outcome.ring_runs_max)} at most, {count(outcome.ring_runs_final)} at the end"
    )
    drawn = "; ".join(f"{name} {strength}".strip() for name, strength in outcome.faults.items())
    lines += _row("drawn", drawn)
    lines += _reached(outcome.reached)
    for sentence in outcome.unavailable:
        lines += _row("not done", sentence)
    lines += _row("trace", outcome.trace_hash)
    return lines if outcome.held else [*lines, "", *of_failure(outcome)]


def of_many(outcomes: Sequence[Outcome], wall_s: float) -> list[str]:
    """
    The verdict of many runs, sums over all of them, and what failed.

    Args:
        outcomes: At least one.
        wall_s: How long all of them took together.
    """
    failures = [one for one in outcomes if not one.held]
    verdict = (
        f"FAILED: {count(len(failures))} of {noun(len(outcomes), 'run')}"
        if failures
        else (f"held: {noun(len(outcomes), 'run')}")
    )
    virtual = duration(sum(one.virtual_seconds for one in outcomes))
    events = noun(sum(one.events for one in outcomes), "event")
    lines = [f"{verdict}, {virtual} in {duration(wall_s)}, {events}"]
    refused = _sums(one.failures_by_reason for one in outcomes)
    lines += _row("allocations", _given(sum(one.allocations for one in outcomes), refused))
    slowest = [one.convergence_seconds["max"] for one in outcomes if "max" in one.convergence_seconds]
    lines += _row("convergence", f"{duration(max(slowest))} at most" if slowest else "")
    lines += _row("ring", f"{_runs(max(one.ring_runs_max for one in outcomes))} at most")
    drawn = Counter(name for one in outcomes for name in one.faults)
    lines += _row("drawn", ", ".join(f"{name} {count(runs)}" for name, runs in sorted(drawn.items())))
    reached = _sums(one.reached for one in outcomes)
    lines += _reached(reached) + _never_reached(reached)
    lines += _row(
        "failed by", ", ".join(f"{name} {count(runs)}" for name, runs in _checkers(failures).items())
    )
    for failure in failures[:TOLD_MAX]:
        lines += ["", *of_failure(failure)]
    if failures[TOLD_MAX:]:
        lines += ["", "failed too:"]
        lines += [f"  {one.replay}  # {one.violations[0].checker}" for one in failures[TOLD_MAX:]]
    return lines


def of_failure(outcome: Outcome) -> list[str]:
    """Everything that somebody needs who wants to see the failure again, and what went before it."""
    lines = [f"seed {outcome.seed} failed, commit {outcome.commit or 'unknown'}; to replay it:", ""]
    lines += [f"  {outcome.replay}", "", "violations:"]
    for violation in outcome.violations[:VIOLATIONS_MAX]:
        lines.append(f"  {moment(violation.at)}  {violation.checker}: {violation.text}")
    if len(outcome.violations) > VIOLATIONS_MAX:
        lines.append(f"  and {count(len(outcome.violations) - VIOLATIONS_MAX)} more")
    if outcome.tail:
        lines += ["", "the last events before the first of them:", *(f"  {line}" for line in outcome.tail)]
    return lines


def _verdict(outcome: Outcome) -> str:
    return "held" if outcome.held else f"FAILED by {outcome.violations[0].checker}"


def _given(allocations: int, failures: Mapping[str, int]) -> str:
    reasons = ", ".join(f"{reason} {count(times)}" for reason, times in sorted(failures.items()) if times)
    refused = sum(failures.values())
    return f"{count(allocations)}, {count(refused)} refused" + (f" ({reasons})" if reasons else "")


def _runs(number: int) -> str:
    return noun(number, "run")


def _reached(reached: Mapping[str, int]) -> list[str]:
    """The rare situations that came about, and of how many."""
    often = [f"{name} {count(times)}" for name, times in sorted(reached.items()) if times]
    return _row("reached", f"{len(often)} of {len(reached)}: {', '.join(often) or 'none'}" if reached else "")


def _never_reached(reached: Mapping[str, int]) -> list[str]:
    never = [name for name, times in sorted(reached.items()) if not times]
    warning = ", ".join(never) + " - these seeds prove nothing about them"
    return _row("never reached", warning if never else "")


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """By name, zeros too."""
    sums: dict[str, int] = {}
    for each in counts:
        for name, number in each.items():
            sums[name] = sums.get(name, 0) + number
    return sums


def _checkers(failures: Sequence[Outcome]) -> dict[str, int]:
    """How many runs each checker was the first to fail, the most frequent first."""
    return dict(Counter(one.violations[0].checker for one in failures).most_common())


def _row(label: str, text: str) -> list[str]:
    """A label and what belongs to it, as wide as the screen; nothing if there is nothing."""
    if not text:
        return []
    columns = min(max(shutil.get_terminal_size().columns, _COLUMNS_MIN), _COLUMNS_MAX)
    indent = " " * (2 + _LABEL_COLUMNS)
    return textwrap.wrap(
        text,
        columns,
        initial_indent=f"  {label:<{_LABEL_COLUMNS}}",
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
