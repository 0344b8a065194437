"""Log lines: their shape, their order, their limits; and counts of all that was reported."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
from pathlib import Path
from typing import Literal

import pytest

from weaveipam.daemon import report as module
from weaveipam.daemon.report import Reporter
from weaveipam.protocol.effects import Level, Report

DEAD = Report(Level.WARNING, "member-dead", (("member", "b#1"), ("seconds", 12)))


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class _Log:
    """A reporter that writes to memory, and what it has written."""

    def __init__(self, level: Level = Level.INFO, style: Literal["json", "console"] = "json") -> None:
        self.clock = _Clock()
        self.stream = io.StringIO()
        self.reporter = Reporter(style, level, self.stream, self.clock)

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def test_a_line_is_an_object_with_fixed_keys_first() -> None:
    """In json each report is one object: time, level and event, then what is bound, then its own fields."""
    log = _Log()
    log.reporter.bind(peer="a#1")

    log.reporter(DEAD)

    (line,) = log.lines
    assert ["ts", "level", "event", "peer", "member", "seconds"] == list(line)
    assert ("warning", "member-dead", "a#1", "b#1", 12) == tuple(list(line.values())[1:])
    moment = dt.datetime.fromisoformat(str(line["ts"]))
    assert moment.utcoffset() == dt.timedelta(0)
    assert str(line["ts"]).endswith("Z")


def test_quieter_reports_are_counted_but_not_written() -> None:
    """Below the level nothing is written; every report counts."""
    log = _Log(Level.WARNING)

    log.reporter(Report(Level.INFO, "quiet"))
    log.reporter(DEAD)
    log.reporter(DEAD)

    assert ["member-dead", "member-dead"] == [line["event"] for line in log.lines]
    assert {"quiet": 1, "member-dead": 2} == log.reporter.counts


def test_the_level_can_be_changed_at_any_time() -> None:
    """What is reported after it is written, or not, by the new one."""
    log = _Log(Level.WARNING)
    for level in (Level.DEBUG, Level.ERROR):
        log.reporter.level = level
        log.reporter(Report(Level.DEBUG, f"at-{level.name.lower()}"))

    assert ["at-debug"] == [line["event"] for line in log.lines]


def test_repeats_are_suppressed_and_said_so() -> None:
    """Beyond its lines for a window an event is only counted, and its next line after it says how many."""
    log = _Log()

    for _ in range(module.LINES_PER_WINDOW_MAX + 412):
        log.reporter(DEAD)
    assert len(log.lines) == module.LINES_PER_WINDOW_MAX
    log.reporter(Report(Level.INFO, "another"))
    log.clock.now += module.WINDOW_S
    log.reporter(DEAD)

    assert "suppressed" not in log.lines[-2]
    assert log.lines[-1]["suppressed"] == 412
    assert log.reporter.counts["member-dead"] == module.LINES_PER_WINDOW_MAX + 413


def test_a_flood_has_one_line_a_minute() -> None:
    """An event that goes on without end is told once a minute, with how many there were, until it ends."""
    log = _Log()
    for _ in range(3600):
        for _ in range(100):
            log.reporter(DEAD)
        log.clock.now += 1.0

    assert len(log.lines) <= module.LINES_PER_WINDOW_MAX + 61
    assert log.lines[-1]["suppressed"] == 100 * module.FLOOD_WINDOW_S - 1

    log.clock.now += module.FLOOD_WINDOW_S
    log.reporter(DEAD)  # of what was suppressed before
    log.clock.now += module.FLOOD_WINDOW_S
    before = len(log.lines)
    for _ in range(module.LINES_PER_WINDOW_MAX):
        log.reporter(DEAD)

    assert len(log.lines) == before + module.LINES_PER_WINDOW_MAX


def test_long_fields_are_cut() -> None:
    """What a peer says fills no disk: of very long text a line has the beginning, and how long it was."""
    log = _Log()

    log.reporter(Report(Level.INFO, "odd", (("why", "x" * 1_000_000),)))

    assert log.lines[0]["why"] == "x" * module.FIELD_CHARACTERS_MAX + "... (1000000 characters)"


def test_what_was_suppressed_last_is_told_by_flush() -> None:
    """At the end of the daemon no suppressed report is left untold, and none is told twice."""
    log = _Log(Level.WARNING)
    for _ in range(module.LINES_PER_WINDOW_MAX + 3):
        log.reporter(DEAD)

    log.reporter.flush()
    log.reporter.flush()

    assert len(log.lines) == module.LINES_PER_WINDOW_MAX + 1
    assert (3, "member-dead") == (log.lines[-1]["suppressed"], log.lines[-1]["event"])


@pytest.mark.parametrize("name", ["ts", "level", "event", "suppressed", "exc_info", "self"])
def test_a_field_cannot_take_the_place_of_a_fixed_key(name: str) -> None:
    """A field with the name of a fixed key is written under another name."""
    log = _Log()

    log.reporter(Report(Level.INFO, "odd", ((name, "theirs"),)))

    assert log.lines[0]["event"] == "odd"
    assert log.lines[0][f"{name}_"] == "theirs"


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_peer_cannot_steer_the_terminal(style: Literal["json", "console"]) -> None:
    """Control characters in a field are written as escapes, and a report is always one line."""
    log = _Log(style=style)

    log.reporter(Report(Level.INFO, "odd", (("name", "x\x1b[2J\nfake line\x9b\u2028"),)))

    written = log.stream.getvalue()
    assert written.count("\n") == 1
    assert "\x1b" not in written
    assert written.endswith("\n")


def test_the_console_shows_the_same_facts() -> None:
    """For people a line has level, event and fields too."""
    log = _Log(style="console")
    log.reporter.bind(peer="a#1")

    log.reporter(DEAD)

    for fact in ("warning", "member-dead", "a#1", "b#1", "12"):
        assert fact in log.stream.getvalue()


def test_a_broken_stream_is_not_the_daemons_trouble() -> None:
    """When nobody can read the log, reports are still counted and nothing is raised."""
    log = _Log()
    log.stream.close()

    log.reporter(DEAD)
    log.reporter.flush()

    assert {"member-dead": 1} == log.reporter.counts


def test_a_full_disk_is_not_the_daemons_trouble() -> None:
    """A stream on which every write fails is ignored."""
    full = Path("/dev/full").open("w", buffering=1)  # noqa: SIM115 - closing fails too, and says so
    reporter = Reporter("json", Level.INFO, full)

    reporter(DEAD)

    assert {"member-dead": 1} == reporter.counts
    with pytest.raises(OSError, match="No space left"):
        full.close()


def test_other_logs_are_left_alone() -> None:
    """A reporter adds no handler to the root logger and changes no level."""
    before = (list(logging.root.handlers), logging.root.level)

    _Log().reporter(DEAD)

    assert before == (list(logging.root.handlers), logging.root.level)
