"""
What the tables of the page show, and what is demanded.

Does not know how a page looks, nor how anything is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import TypeAlias

from simulations.scale.spreading import STATEMENTS

Fold: TypeAlias = Callable[[Sequence[float]], float]
"""One number of many."""


def percentile_95(values: Sequence[float]) -> float:
    """The least value that at most one in twenty exceeds."""
    ordered = sorted(values)
    return ordered[ceil(0.95 * len(ordered)) - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: one reading of one measurement in all sizes."""

    text: str
    name: str
    """Of the measurement."""
    reading: str
    fold: Fold
    unit: str
    bar: str = ""
    """What is demanded, in words."""


def _spread_rows(prefix: str) -> Iterator[Row]:
    bars = {"0": ("0.25 s", "0.5 s"), "5": ("0.25 s", "0.5 s"), "25": ("", "0.8 s")}
    for loss, (most, last) in bars.items():
        name = f"{prefix}-{loss}"
        ours = prefix == "spread"
        yield Row(text=f"half, {loss} % lost", name=name, reading="half_s", fold=median, unit="s")
        yield Row(
            text=f"99 %, {loss} % lost (p95)",
            name=name,
            reading="most_s",
            fold=percentile_95,
            unit="s",
            bar=most if ours else "",
        )
        yield Row(
            text=f"the last, {loss} % lost (p95)",
            name=name,
            reading="last_s",
            fold=percentile_95,
            unit="s",
            bar=last if ours else "",
        )
    for loss in bars:
        name = f"{prefix}-{loss}"
        yield Row(
            text=f"datagrams sent by each node, {loss} % lost",
            name=name,
            reading="copies",
            fold=median,
            unit="",
        )
    yield Row(
        text="bytes in these, 0 % lost", name=f"{prefix}-0", reading="copy_bytes", fold=median, unit="B"
    )
    yield Row(
        text="and on streams, 0 % lost", name=f"{prefix}-0", reading="streamed_bytes", fold=median, unit="B"
    )


def _rows(name: str, *rows: tuple[str, str, Fold, str, str]) -> list[Row]:
    return [
        Row(text=text, name=name, reading=reading, fold=fold, unit=unit, bar=bar)
        for text, reading, fold, unit, bar in rows
    ]


_IDLE: Sequence[tuple[str, str, Fold, str, str]] = (
    ("sent by each node", "sent_bytes_per_s", median, "B/s", "256 B/s"),
    ("sent by the busiest", "sent_bytes_per_s_max", median, "B/s", ""),
    ("received by each", "received_bytes_per_s", median, "B/s", ""),
    ("packets sent by each", "packets_per_s", median, "/s", ""),
)
_DEATHS: Sequence[tuple[str, str, Fold, str, str]] = (
    ("virtual seconds", "seconds", median, "s", ""),
    ("nodes wrongly believed dead by anybody", "false_deaths", max, "", "0"),
    ("believers, summed", "believed", max, "", ""),
    ("suspicions heard of by each node", "suspicions_per_node", median, "", ""),
    ("sent by each node", "sent_bytes_per_s", median, "B/s", ""),
)

TABLES: Mapping[str, tuple[str, Sequence[Row]]] = {
    "A new statement": (
        (
            f"From the moment it is made to when nodes have it on disk; {STATEMENTS} statements a run,"
            " one after the other, by random authors."
        ),
        [*_spread_rows("spread")],
    ),
    "The same with memberlist's parameters": (
        (
            "200 ms tick, fan-out 3, `4 * ceil(log10(n + 1))` transmissions, push/pull every 30 s scaled"
            " with n; no fingerprints. The answer to a push/pull carries the difference only, so its bytes"
            " are a lower bound."
        ),
        [*_spread_rows("memberlist"), *_rows("memberlist-idle", *_IDLE[:1])],
    ),
    "One lost statement": (
        (
            "No push of it reaches one node. Time from its making; bytes from and to that node beyond its"
            " idle traffic, until it has the statement, and with what it then passes on."
        ),
        _rows(
            "missed",
            ("repaired (p95)", "repaired_s", percentile_95, "s", "1.5 s"),
            ("bytes until then", "repaired_bytes", median, "B", "1 KB"),
            ("bytes until two seconds later", "after_bytes", median, "B", ""),
        ),
    ),
    "Idle and in sync": ("Nothing happens.", _rows("idle", *_IDLE)),
    "Crash and return": (
        (
            "One node loses its power; once all have noticed it starts again. And nine tenths that lose it at"
            " once, and start again within a second after five."
        ),
        [
            *_rows(
                "crash",
                ("first to call it dead", "first_s", median, "s", ""),
                ("dead to all (max)", "dead_to_all_s", max, "s", "15 s"),
                ("other deaths, wrongly", "false_deaths", max, "", "0"),
                ("alive to all again (max)", "alive_to_all_s", max, "s", "5 s"),
            ),
            *_rows(
                "mass-restart",
                ("all see all after a mass restart (max)", "all_see_all_s", max, "s", "15 s"),
                ("sent by each for it", "sent_bytes_per_node", median, "B", ""),
            ),
        ],
    ),
    "False deaths at 10 % loss": ("Nobody dies.", _rows("lossy", *_DEATHS)),
    "False deaths with slow nodes": (
        "Nobody dies; 30 % of the nodes take a tenth of their packets 0.5 to 5 s late.",
        _rows("slowed", *_DEATHS),
    ),
    "A split that heals": (
        "The cluster in halves; a tenth of the authors on each side change their statement meanwhile.",
        _rows(
            "split",
            ("virtual seconds in halves", "seconds", median, "s", ""),
            ("equal ownership everywhere", "equal_s", max, "s", "5 s"),
            ("sent by each node until then", "sent_bytes_per_node", median, "B", "200 KB"),
            ("by the busiest", "sent_bytes_max", max, "B", ""),
            ("all see all", "all_see_all_s", max, "s", ""),
            ("sent by each node until then", "sent_bytes_per_node_until_seen", median, "B", ""),
        ),
    ),
    "A newcomer": (
        "It joins by three members, and the ring has 100,000 runs.",
        _rows(
            "newcomer",
            ("knows all that is owned", "equal_s", max, "s", "2 s"),
            ("serves", "ready_s", max, "s", ""),
            ("received until it knows all", "received_bytes", median, "B", "2 MB"),
            ("received in five seconds more", "received_bytes_after_5_s", median, "B", ""),
            ("sent by it", "sent_bytes", median, "B", ""),
        ),
    ),
    "What simulating costs": (
        "One process, all nodes idle.",
        _rows(
            "idle",
            ("CPU for each virtual second", "cpu_s_per_s", median, "s", ""),
            ("resident memory", "rss_bytes", median, "B", ""),
            ("resident memory for each pair of nodes", "rss_bytes_per_pair", median, "B", ""),
        ),
    ),
}
"""By title: a paragraph, and what the table shows."""
