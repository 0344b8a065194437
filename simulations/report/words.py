"""
Numbers as people read them: counts, times, bytes.

Does not know what they measure.
"""

from __future__ import annotations

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def count(value: float) -> str:
    """A whole number, its thousands apart."""
    return f"{value:,.0f}"


def times(value: int) -> str:
    """How often."""
    return {0: "never", 1: "once"}.get(value, f"{count(value)} times")


def noun(value: int, singular: str, plural: str = "") -> str:
    """So many of them, `singular` with an s unless a plural is named."""
    return f"{count(value)} {singular if value == 1 else plural or singular + 's'}"


def number(value: float) -> str:
    """Three digits that matter, or all of them before the point."""
    if value == 0 or not abs(value) < float("inf"):
        return "0" if value == 0 else str(value)
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2  # noqa: PLR2004 - digits
    shown = f"{value:,.{places}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def duration(seconds: float) -> str:
    """How long, in the unit that suits it."""
    if seconds < 0.0995:  # noqa: PLR2004 - below it, milliseconds say more
        return f"{number(seconds * 1000)} ms"
    if seconds < 2 * _MINUTE_S:
        return f"{number(seconds)} s"
    if seconds < 2 * _HOUR_S:
        return f"{number(seconds / _MINUTE_S)} min"
    if seconds < 2 * _DAY_S:
        return f"{number(seconds / _HOUR_S)} h"
    return f"{number(seconds / _DAY_S)} d"


def moment(seconds: float) -> str:
    """When, since the beginning: as seconds for two minutes, and as a clock from then on."""
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.2f} s"
    days, rest = divmod(round(seconds, 1), _DAY_S)
    hours, rest = divmod(rest, _HOUR_S)
    minutes, rest = divmod(rest, _MINUTE_S)
    clock = (
        f"{int(hours)}:{int(minutes):02}:{rest:04.1f}" if days or hours else f"{int(minutes)}:{rest:04.1f}"
    )
    return f"{int(days)} d {clock}" if days else clock


def size(size_bytes: float) -> str:
    """Bytes, by thousands."""
    for unit in ("B", "kB", "MB", "GB"):
        if round(size_bytes) < 1000:  # noqa: PLR2004 - thousands
            return f"{number(size_bytes)} {unit}"
        size_bytes /= 1000
    return f"{number(size_bytes)} TB"
