"""The demonstration itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from simulations.demo import why_no_namespaces

pytestmark = pytest.mark.slow


def demonstrate(*options: str) -> subprocess.CompletedProcess[str]:
    """One run of the command; its whole output is shown if the test fails."""
    command = [sys.executable, "-m", "weaveipam", "demo", *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    print(done.stdout, done.stderr)  # noqa: T201  pytest shows it if the test fails
    return done


def test_on_loopback_addresses_every_claim_holds() -> None:
    """Without any privilege the demonstration holds all that it claims."""
    done = demonstrate("--loopback")

    assert (done.returncode, "✗" in done.stdout) == (0, False)
    assert "nothing was given twice" in done.stdout


@pytest.mark.root
@pytest.mark.skipif(why_no_namespaces() is not None, reason=f"{why_no_namespaces()}")
def test_in_namespaces_every_claim_holds() -> None:
    """As root the demonstration's pods ping each other too."""
    done = demonstrate()

    assert (done.returncode, "✗" in done.stdout) == (0, False)
    assert "pods ping each other across hosts" in done.stdout
