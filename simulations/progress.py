"""
How far it is: a bar on a terminal, a few lines elsewhere.

Does not know what progresses.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress

_STEP = 0.002
"""Of the whole: smaller ones are not drawn."""

QUIET_S = 10.0
"""Without a terminal, what is done sooner has no lines at all; and there is a line for every quarter."""


class Meter:
    """Shows a share of the whole until the `with` block ends; on a terminal nothing of it stays."""

    def __init__(self, text: str, screen: TextIO, quiet_s: float = QUIET_S) -> None:
        self._text = text
        self._screen = screen
        self._quiet_s = quiet_s
        self._drawn = 0.0
        self._quarters = 0
        self._began = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        """Itself, drawn empty."""
        if self._screen.isatty():
            self._bar = _bar(self._screen)
            self._bar.start()
            self._task = self._bar.add_task(self._text, total=1.0, note="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        """Cleans the line."""
        if self._bar is not None:
            self._bar.stop()

    def show(self, share: float, note: str = "") -> None:
        """
        So much of the whole is done.

        Args:
            share: 0 to 1.
            note: A few words; a change of them is drawn with the next step.
        """
        if share - self._drawn < _STEP and share < 1:
            return
        self._drawn = share
        if self._bar is not None:
            self._bar.update(self._task, completed=share, note=note)
            return
        quarters = int(share * 4)
        passed_s = time.monotonic() - self._began
        if quarters > self._quarters and passed_s > self._quiet_s and share < 1:
            self._quarters = quarters
            words = f"{self._text}: {share:.0%} after {passed_s:.0f} s" + (f"; {note}" if note else "")
            print(words, file=self._screen, flush=True)


def _bar(screen: TextIO) -> Progress:
    # Here, because it is slow to import, and is not needed in a pipe.
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.progress import (  # noqa: PLC0415 - see above
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(file=screen),
        transient=True,
    )
