"""
Log lines and counts of what the node reports.

The only importer of structlog.  Each line has `ts` (RFC 3339, UTC), `level`, `event`, then what was bound
(`peer`) and the report's own fields.  Touches no global logging.
Does not know what events mean.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TextIO

import structlog

from weaveipam.protocol.effects import Level, Report

WINDOW_S = 10.0
"""Seconds over which repeats of one event are counted."""
LINES_PER_WINDOW_MAX = 20
"""
Lines of one event in a window; more are only counted.

The event's first line after the window says how many as `suppressed`.  journald's own limit
(10,000 lines in 30 s for the whole service) is too high to keep a log readable.
"""
FLOOD_WINDOW_S = 60.0
"""Seconds in which an event has one line only, after a window in which it had too many, and until it ends."""
FIELD_CHARACTERS_MAX = 8192
"""Of one field in a line; the longest of our own are stack traces, and peers' can be much longer."""

_RESERVED = frozenset({"ts", "level", "event", "suppressed", "self", "exc_info", "stack_info"})


class _Logger(Protocol):
    """What is used of structlog's bound logger."""

    def log(self, level: int, event: str, /, **fields: str | int) -> object: ...

    def bind(self, **fields: str | int) -> _Logger: ...


@dataclass(slots=True)
class _Window:
    started_at: float
    lines_max: int = LINES_PER_WINDOW_MAX
    length_s: float = WINDOW_S
    lines_count: int = 0
    suppressed_count: int = 0


class _Unbreakable:
    """A stream whose trouble (a full disk, a reader that has gone) is not the daemon's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # ValueError: closed, or characters that its encoding lacks
            return 0

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return


def _in_order(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The keys that every line has come first."""
    first = {key: line[key] for key in ("ts", "level", "event") if key in line}
    return {**first, **line}


def _bound_logger(style: Literal["json", "console"], stream: TextIO) -> _Logger:
    render: structlog.typing.Processor
    if style == "json":
        render = structlog.processors.JSONRenderer()
    else:
        # Strings are shown by repr: what a peer sent must not steer the terminal.
        render = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), timestamp_key="ts", repr_native_str=True, sort_keys=False
        )
    logger: _Logger = structlog.wrap_logger(
        structlog.PrintLogger(_Unbreakable(stream)),  # type: ignore[arg-type] # writes and flushes, no more
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            _in_order,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(int(Level.DEBUG)),  # the reporter has filtered
        cache_logger_on_first_use=True,
    )
    return logger


class Reporter:
    """Tells the operator; called with each Report, from the event loop's thread, and never raises."""

    def __init__(
        self,
        style: Literal["json", "console"],
        level: Level,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        A reporter that writes to a stream.

        Args:
            style: `json`: an object a line, for machines; `console`: for people, coloured on a terminal.
            level: Quieter reports are counted but not written.
            stream: Where to; trouble with it is ignored.
            clock: Seconds, monotonic; for the windows.
        """
        self._logger = _bound_logger(style, stream)
        self.level = level
        """Quieter reports are counted but not written; may be changed at any time."""
        self._clock = clock
        self._windows: dict[str, _Window] = {}
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> dict[str, int]:
        """How often each event was reported, written or not; a copy."""
        return dict(self._counts)

    def bind(self, **fields: str | int) -> None:
        """Add fields to every line from now on, e.g. `peer` once it is known."""
        self._logger = self._logger.bind(**fields)

    def __call__(self, report: Report) -> None:
        """Count a report, and write it unless its event fills the log."""
        self._counts[report.event] += 1
        if report.level < self.level:
            return
        window = self._window(report.event)
        if window.lines_count >= window.lines_max:
            window.suppressed_count += 1
            return
        window.lines_count += 1
        fields = {f"{key}_" if key in _RESERVED else key: _short(value) for key, value in report.fields}
        if window.suppressed_count:
            fields["suppressed"] = window.suppressed_count
            window.suppressed_count = 0
        self._logger.log(int(report.level), report.event, **fields)

    def flush(self) -> None:
        """Write what was suppressed and not told yet: at the end of the daemon, or now and then."""
        for event, window in self._windows.items():
            if window.suppressed_count:
                self._logger.log(int(max(Level.INFO, self.level)), event, suppressed=window.suppressed_count)
                window.suppressed_count = 0

    def _window(self, event: str) -> _Window:
        """The event's current window; a new one keeps what the last has not told, and is stricter then."""
        now = self._clock()
        window = self._windows.setdefault(event, _Window(now))
        if now - window.started_at >= window.length_s:
            window.started_at = now
            window.lines_count = 0
            floods = window.suppressed_count > 0
            window.lines_max = 1 if floods else LINES_PER_WINDOW_MAX
            window.length_s = FLOOD_WINDOW_S if floods else WINDOW_S
        return window


def _short(value: str | int) -> str | int:
    """The value; of very long text the beginning."""
    if isinstance(value, int) or len(value) <= FIELD_CHARACTERS_MAX:
        return value
    return f"{value[:FIELD_CHARACTERS_MAX]}... ({len(value)} characters)"
