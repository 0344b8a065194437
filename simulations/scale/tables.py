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
    bar: float | None = None
    """The most that is allowed; in the unit."""


def _rows(name: str, *rows: tuple[str, str, Fold, str, float | None]) -> list[Row]:
    return [
        Row(text=text, name=name, reading=reading, fold=fold, unit=unit, bar=bar)
        for text, reading, fold, unit, bar in rows
    ]


_LOSSES = {"0": (0.25, 0.5), "5": (0.25, 0.5), "25": (None, 0.8)}
"""Percentages that are lost, and the bars for 99 % and for the last node, in seconds."""


def _spread_rows(prefix: str, *, barred: bool) -> Iterator[Row]:
    for loss, (most, last) in _LOSSES.items():
        yield from _rows(
            f"{prefix}-{loss}",
            (f"half, {loss} % lost", "half_s", median, "s", None),
            (f"99 %, {loss} % lost (p95)", "most_s", percentile_95, "s", most if barred else None),
            (f"the last, {loss} % lost (p95)", "last_s", percentile_95, "s", last if barred else None),
        )
    for loss in _LOSSES:
        yield from _rows(
            f"{prefix}-{loss}",
            (f"datagrams sent by each node, {loss} % lost", "copies", median, "", None),
            ("bytes in these", "copy_bytes", median, "B", None),
            ("and on streams", "streamed_bytes", median, "B", None),
        )


def _removal_rows(name: str, usable_bar_s: float | None) -> list[Row]:
    return _rows(
        name,
        ("done at the node that was asked (max)", "removed_s", max, "s", None),
        ("all its space is usable (max)", "usable_s", max, "s", usable_bar_s),
        ("ballots (max)", "ballots", max, "", None),
        ("packets sent by each node", "packets", median, "", None),
        ("by the one that was asked", "packets_max", max, "", None),
        ("sent by each node", "sent_bytes", median, "B", None),
        ("by the one that was asked", "sent_bytes_max", max, "B", None),
        ("received by it", "received_bytes_max", max, "B", None),
    )


_IDLE: Sequence[tuple[str, str, Fold, str, float | None]] = (
    ("sent by each node", "sent_bytes_per_s", median, "B/s", 256.0),
    ("sent by the busiest", "sent_bytes_per_s_max", median, "B/s", None),
    ("received by each", "received_bytes_per_s", median, "B/s", None),
    ("packets sent by each", "packets_per_s", median, "/s", None),
)
_DEATHS: Sequence[tuple[str, str, Fold, str, float | None]] = (
    ("virtual seconds", "seconds", median, "s", None),
    ("nodes wrongly believed dead by anybody", "false_deaths", max, "", 0.0),
    ("believers, summed", "believed", max, "", None),
    ("suspicions heard of by each node", "suspicions_per_node", median, "", None),
    ("sent by each node", "sent_bytes_per_s", median, "B/s", None),
)

TABLES: Mapping[str, tuple[str, Sequence[Row]]] = {
    "A new statement": (
        (
            f"From the moment it is made to when nodes have it on disk; {STATEMENTS} statements a run,"
            " one after the other, by random authors."
        ),
        [*_spread_rows("spread", barred=True)],
    ),
    "The same with memberlist's parameters": (
        (
            "200 ms tick, fan-out 3, `4 * ceil(log10(n + 1))` transmissions, push/pull every 30 s scaled"
            " with n and in full both ways; no fingerprints."
        ),
        [
            *_spread_rows("memberlist", barred=False),
            *_rows("memberlist-idle", ("sent by each idle node", "sent_bytes_per_s", median, "B/s", None)),
        ],
    ),
    "One lost statement": (
        (
            "No push of it reaches one node. Time from its making; bytes from and to that node beyond its"
            " idle traffic, until it has the statement, and with what it then passes on."
        ),
        _rows(
            "missed",
            ("repaired (p95)", "repaired_s", percentile_95, "s", 1.5),
            ("bytes until then", "repaired_bytes", median, "B", 1e3),
            ("bytes until two seconds later", "after_bytes", median, "B", None),
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
                ("first to call it dead", "first_s", median, "s", None),
                ("dead to all (max)", "dead_to_all_s", max, "s", 15.0),
                ("other deaths, wrongly", "false_deaths", max, "", 0.0),
                ("alive to all again (max)", "alive_to_all_s", max, "s", 5.0),
            ),
            *_rows(
                "mass-restart",
                ("all see all after a mass restart (max)", "all_see_all_s", max, "s", 15.0),
                ("sent by each for it", "sent_bytes_per_node", median, "B", None),
            ),
        ],
    ),
    "One dead node is removed": (
        (
            "All know that it is dead; from the command until every other node has made the decision and"
            " holds the same ring, in which the dead one has nothing. Traffic is all there is meanwhile."
        ),
        _removal_rows("reclaim", 10.0),
    ),
    "Nine tenths are removed": (
        (
            "Ten seconds after they died at once, in one command and with the survivors affirmed; the node"
            " that is asked first pings for five seconds those that it takes to be there."
        ),
        _removal_rows("reclaim-900", None),
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
            ("virtual seconds in halves", "seconds", median, "s", None),
            ("equal ownership everywhere", "equal_s", max, "s", 5.0),
            ("sent by each node until then", "sent_bytes_per_node", median, "B", 200e3),
            ("by the busiest", "sent_bytes_max", max, "B", None),
            ("all see all", "all_see_all_s", max, "s", None),
            ("sent by each node until then", "sent_bytes_per_node_until_seen", median, "B", None),
        ),
    ),
    "A newcomer": (
        "It joins by three members, and the ring has 100,000 runs.",
        _rows(
            "newcomer",
            ("knows all that is owned", "equal_s", max, "s", 2.0),
            ("serves", "ready_s", max, "s", None),
            ("received until it knows all", "received_bytes", median, "B", 2e6),
            ("received in five seconds more", "received_bytes_after_5_s", median, "B", None),
            ("sent by it", "sent_bytes", median, "B", None),
        ),
    ),
    "All join at once": (
        (
            "All but three, at one moment, and each is asked for an address at once. A grant is one move of"
            " space from one node to another; what each node sent is over all that time."
        ),
        _rows(
            "mass-join",
            ("newcomers with an address", "served", median, "", None),
            ("requests refused", "refused", max, "", 0.0),
            ("half have it", "half_s", median, "s", None),
            ("all have it", "all_s", max, "s", 8.0),
            ("grants for each newcomer until then", "grants_per_node", median, "", None),
            ("sent by each node until then", "sent_bytes_per_node", median, "B", None),
            ("datagrams", "datagrams_per_node", median, "", None),
            ("runs in the ring then", "runs", median, "", None),
            ("virtual seconds of quiet after that", "seconds", median, "s", None),
            ("runs in the ring at its end", "runs_after_quiet", max, "", None),
            ("grants for each newcomer meanwhile", "grants_per_node_in_quiet", median, "", None),
            ("sent by each node meanwhile", "sent_bytes_per_node_in_quiet", median, "B", None),
        ),
    ),
    "One real daemon": (
        (
            "A daemon on this machine joins the simulated cluster, whose nodes live in real time for it and"
            " have sockets on loopback; then nothing happens, and last it gets a thousand datagrams a second."
        ),
        _rows(
            "daemon",
            ("members that it sees", "members", median, "", None),
            ("CPU while idle", "cpu_share", median, "%", 0.01),
            ("resident memory", "rss_bytes", median, "B", 80 * 2**20),
            ("CPU for a datagram more, with its answer", "datagram_s", median, "s", None),
            ("simulated nodes late by up to", "lag_s", median, "s", None),
        ),
    ),
    "What simulating costs": (
        "One process, all nodes idle.",
        _rows(
            "idle",
            ("CPU for each virtual second", "cpu_s_per_s", median, "s", None),
            ("resident memory", "rss_bytes", median, "B", None),
            ("resident memory for each pair of nodes", "rss_bytes_per_pair", median, "B", None),
        ),
    ),
}
"""By title: a paragraph, and what the table shows."""
