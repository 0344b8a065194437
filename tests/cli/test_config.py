"""`weaveipam config` and `reload`, through the real command line, against a real daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
POOL = '[[pool]]\nname = "p"\nranges = ["10.32.0.0/24"]\n'

pytestmark = pytest.mark.slow


class Agent:
    """A daemon with a file and a flag."""

    def __init__(self, home: Path) -> None:
        self.file = home / "config.toml"
        self.file.write_text(self.said())
        self.socket = home / "api.sock"
        environ = {**os.environ, "WEAVEIPAM_PRESET": "test", "WEAVEIPAM_DATA_DIR": str(home / "data")}
        command = [sys.executable, "-m", "weaveipam", "agent", "--config", str(self.file)]
        with (home / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--socket", str(self.socket)], cwd=HOME, stderr=log, env=environ
            )

    def said(self, more: str = "") -> str:
        """Its file."""
        return f'name = "n1"\nbind = "127.0.0.1:0"\n{more}{POOL}'

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command."""
        command = [sys.executable, "-m", "weaveipam", "--socket", str(self.socket), *words]
        return subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    """One that serves."""
    made = Agent(tmp_path)
    try:
        for _ in range(100):
            if made.run("allocate", "--key", "first").returncode == 0:
                break
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def test_what_is_printed_starts_a_daemon(agent: Agent, tmp_path: Path) -> None:
    """It says the pools that are in force and who said what, and is a configuration itself."""
    assert 0 == agent.run("pool", "change", "p", "--label", "zone=a").returncode
    printed = agent.run("config")
    assert (0, "") == (printed.returncode, printed.stderr)
    for line in (
        f'name = "n1"  # {agent.file}: name',
        'preset = "test"  # $WEAVEIPAM_PRESET',
        f'socket = "{agent.socket}"  # --socket',
        'log_level = "info"  # default',
        'zone = "a"',
    ):
        assert line in printed.stdout.splitlines()

    copy = tmp_path / "copy.toml"
    copy.write_text(printed.stdout)
    assert (0, "OK\n") == (
        (ran := agent.run("agent", "--config", str(copy), "--check-config")).returncode,
        ran.stdout,
    )
    assert "agent" not in (table := agent.run("config", "-o", "table").stdout)
    assert ["bind", "127.0.0.1:0", "file"] in [line.split() for line in table.splitlines()]
    assert (
        "environment" == json.loads(agent.run("config", "-o", "json").stdout)["options"]["data_dir"]["source"]
    )


def test_a_reload_is_told(agent: Agent) -> None:
    """What was taken over, what waits for a restart, and each pool; or all that is wrong."""
    agent.file.write_text(agent.said('preset = "wan"\nlog_level = "error"\nuvloop = false\n') + "limit = 9")
    ran = agent.run("reload")
    assert (0, "") == (ran.returncode, ran.stderr)
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert ["taken", "over", "log_level"] == lines[0]
    assert ["after", "a", "restart", "uvloop"] == lines[1]
    assert ["p", "changed", "-"] == lines[-1]
    assert 'log_level = "error"' in agent.run("config").stdout
    assert "another value counts after a restart" in agent.run("config").stdout

    agent.file.write_text(agent.said('log_level = "loud"\nbnd = 1\n'))
    ran = agent.run("reload")
    assert (1, "") == (ran.returncode, ran.stdout)
    assert [f"weaveipam: {agent.file}: there is no 'bnd'; did you mean bind?"] == ran.stderr.splitlines()[:1]
    assert "expected debug, info, warning or error" in ran.stderr.splitlines()[1]
    assert 9 == json.loads(agent.run("pool", "show", "p", "-o", "json").stdout)["definition"]["limit"]


def test_a_pool_that_cannot_be_is_a_failure(agent: Agent) -> None:
    """The others are changed, and the exit status says that not all is as it was said."""
    assert 0 == agent.run("claim", "--key", "k", "10.32.0.200").returncode
    agent.file.write_text(
        agent.said().replace("/24", "/25") + '[[pool]]\nname = "q"\nranges = ["10.40.0.0/24"]'
    )
    ran = agent.run("reload", "--timeout", "5")

    assert 1 == ran.returncode
    assert "weaveipam: pool p: " in ran.stderr
    assert "at n1 by k" in ran.stderr
    assert ["q", "created", "-"] in [line.split() for line in ran.stdout.splitlines()]
