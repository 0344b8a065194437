"""
The import rules of pyproject.toml: they hold, and they find what is planted.

A rule that never fails guards nothing; each of these plants one violation in a copy of the sources.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).with_name("lint-imports")

if not (ROOT / "pyproject.toml").exists():  # the tests alone, beside an installed wheel
    pytest.skip("the sources are not here", allow_module_level=True)
if not LINT.exists():
    pytest.skip("import-linter is not installed in this environment", allow_module_level=True)


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    """What lint-imports says about the sources in a directory."""
    return subprocess.run(
        [LINT, "--no-cache", "--no-logo"], cwd=directory, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources and their rules, to be spoiled."""
    for package in ("ring", "weaveipam", "cni", "simulations"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "bin")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.slow
def test_rules_hold(copy: Path) -> None:
    """The sources as they are keep every contract."""
    outcome = lint(copy)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        pytest.param("weaveipam/utils.py", "", "modules of weaveipam", id="stray-module"),
        pytest.param("ring/helpers.py", "", "modules of ring", id="stray-module-in-ring"),
        pytest.param("ring/address.py", "import time", "never reach the world", id="clock-in-pure"),
        pytest.param(
            "weaveipam/gossip/probe.py", "import socket", "never reach the world", id="socket-in-pure"
        ),
        pytest.param("weaveipam/errors.py", "import os", "never reach the world", id="world-by-a-detour"),
        pytest.param(
            "ring/ring.py", "import weaveipam.errors", "simulations > cni", id="ring-knows-weaveipam"
        ),
        pytest.param(
            "weaveipam/daemon/store.py", "import cni", "simulations > cni", id="daemon-knows-a-door"
        ),
        pytest.param("cni/plugin.py", "import simulations", "simulations > cni", id="door-knows-simulations"),
        pytest.param(
            "weaveipam/node.py", "import weaveipam.daemon", "modules of weaveipam", id="node-knows-daemon"
        ),
        pytest.param(
            "weaveipam/gossip/probe.py", "import weaveipam.allocation", "modules of weaveipam", id="siblings"
        ),
        pytest.param("weaveipam/config/config.py", "import netaddr", "netaddr lives", id="second-netaddr"),
        pytest.param("weaveipam/api/http.py", "import msgpack", "msgpack lives", id="second-msgpack"),
        pytest.param("cni/server.py", "import asyncio_dgram", "asyncio_dgram lives", id="second-dgram"),
        pytest.param(
            "weaveipam/daemon/driver.py", "import structlog", "structlog lives", id="second-structlog"
        ),
        pytest.param("weaveipam/cli/agent.py", "import sqlite3", "sqlite3 lives", id="second-sqlite3"),
        pytest.param("weaveipam/daemon/udp.py", "import pyroute2", "pyroute2 lives", id="second-pyroute2"),
        pytest.param(
            "simulations/many.py", "import distributed", "distributed lives", id="second-distributed"
        ),
    ],
)
def test_planted_violation_is_found(copy: Path, module: str, line: str, contract: str) -> None:
    """One forbidden line, or one module without a place, breaks exactly the contract that forbids it."""
    path = copy / module
    assert path.exists() or not line, "the planted line needs a module that exists"
    with path.open("a") as source:
        source.write(f"\n{line}\n")

    outcome = lint(copy)

    broken = [text for text in outcome.stdout.splitlines() if " BROKEN" in text]
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert [text for text in broken if contract in text] == broken != []
