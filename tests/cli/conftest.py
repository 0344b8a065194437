"""A real daemon for modules of tests that ask one by the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a daemon that runs, with 254 addresses in pool p."""
    home = tmp_path_factory.mktemp("agent")
    socket = home / "api.sock"
    command = [sys.executable, "-m", "weaveipam", "agent", "--name", "n1", "--preset", "test"]
    command += ["--bind", "127.0.0.1:0", "--data-dir", str(home / "data"), "--socket", str(socket)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--pool", "p=10.32.0.0/24"], cwd=HOME, stderr=log)
    try:
        for _ in range(100):
            asked = [sys.executable, "-m", "weaveipam", "--socket", str(socket), "allocate", "--key", "first"]
            if subprocess.run(asked, cwd=HOME, capture_output=True, check=False).returncode == 0:
                break
        yield socket
    finally:
        process.kill()
        process.wait()
