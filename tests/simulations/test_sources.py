"""Which sources run here."""

from __future__ import annotations

import re
import subprocess
import sys

from simulations.sources import HOME, commit, identity


def test_identity_is_the_same_in_another_process() -> None:
    """Another process of the same sources says the same, whatever its hash seed."""
    code = "from simulations.sources import identity; print(identity())"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=HOME,
        env={"PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert identity() == ran.stdout.strip()


def test_identity_names_python() -> None:
    """Two machines with different releases of Python do not count as equal."""
    expected = rf"sources [0-9a-f]{{12}} on Python {sys.version_info.major}\.{sys.version_info.minor}"
    assert re.fullmatch(expected, identity())


def test_commit_is_of_this_checkout() -> None:
    """The commit is git's, marked if files differ from it; outside of a checkout there is none."""
    if not (HOME / ".git").exists():
        assert "" == commit()
        return
    assert re.fullmatch(r"[0-9a-f]{12}(\+changes)?", commit())
