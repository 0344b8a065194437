"""Progress, on a terminal and elsewhere."""

from __future__ import annotations

import io
import os
import pty
from contextlib import suppress

import pytest

from simulations.progress import Meter


def test_quick_work_says_nothing() -> None:
    """What is done in seconds leaves no line where there is no terminal."""
    screen = io.StringIO()

    with Meter("10 runs", screen) as meter:
        for done in range(1, 11):
            meter.show(done / 10)

    assert "" == screen.getvalue()


def test_long_work_says_quarters() -> None:
    """What takes long has a line for each quarter that is passed, with the note, and none at the end."""
    screen = io.StringIO()

    with Meter("100 runs", screen, quiet_s=0.0) as meter:
        for done in range(1, 101):
            meter.show(done / 100, f"failed: {done}")

    assert [
        "100 runs: 25% after 0 s; failed: 25",
        "100 runs: 50% after 0 s; failed: 50",
    ] == screen.getvalue().splitlines()[:2]
    assert 3 == len(screen.getvalue().splitlines())


@pytest.mark.slow
def test_a_terminal_has_a_bar() -> None:
    """On a terminal the text, the share and the note are drawn."""
    controller, terminal = pty.openpty()
    with open(terminal, "w") as screen, Meter("seed 7", screen) as meter:  # noqa: PTH123 - a descriptor
        meter.show(0.5, "failed: 3")
    drawn = ""
    with suppress(OSError):  # which is how the other end's close shows
        while chunk := os.read(controller, 4096):
            drawn += chunk.decode(errors="replace")
    os.close(controller)

    assert "seed 7" in drawn
    assert "50 %" in drawn
    assert "failed: 3" in drawn
