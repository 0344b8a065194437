"""One daemon for one data directory and one name: real files, real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from weaveipam.daemon.lock import DaemonLock
from weaveipam.errors import ConfigError

HOLD = """
import sys
from pathlib import Path
from weaveipam.daemon.lock import DaemonLock

lock = DaemonLock.acquire(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
print("held", flush=True)
sys.stdin.read()
"""


def _holder(data_dir: Path, run_dir: Path, name: str) -> subprocess.Popen[str]:
    """Another process that holds the lock, until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data_dir), str(run_dir), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_makes_its_directories(tmp_path: Path) -> None:
    """The data directory is made, for this user alone, and the run directory beside it."""
    with DaemonLock.acquire(tmp_path / "a" / "data", tmp_path / "run", "n1"):
        assert (tmp_path / "a" / "data").stat().st_mode & 0o077 == 0
        assert (tmp_path / "run").is_dir()


@pytest.mark.parametrize(
    ("data", "run", "name", "what"),
    [
        ("data", "run", "n2", "on the data directory"),
        ("data", "run2", "n2", "on the data directory"),
        ("link", "run", "n2", "on the data directory"),
        ("data2", "run", "n1", "under the name 'n1'"),
    ],
)
def test_nobody_runs_beside_a_holder(tmp_path: Path, data: str, run: str, name: str, what: str) -> None:
    """The same data directory, by any path and with any run directory, and the same name are refused."""
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with (
        DaemonLock.acquire(tmp_path / "data", tmp_path / "run", "n1"),
        pytest.raises(ConfigError, match=f"another daemon runs {what}.*process {os.getpid()} "),
    ):
        DaemonLock.acquire(tmp_path / data, tmp_path / run, name)
    DaemonLock.acquire(tmp_path / data, tmp_path / run, name).release()


def test_different_daemons_run_beside_each_other(tmp_path: Path) -> None:
    """Another directory and another name do not conflict, with the run directory shared."""
    with (
        DaemonLock.acquire(tmp_path / "data1", tmp_path / "run", "n1"),
        DaemonLock.acquire(tmp_path / "data2", tmp_path / "run", "n2"),
    ):
        pass


def test_a_refused_daemon_holds_nothing(tmp_path: Path) -> None:
    """Who is refused for its name has not locked the data directory for others."""
    with DaemonLock.acquire(tmp_path / "data1", tmp_path / "run", "n1"):
        with pytest.raises(ConfigError):
            DaemonLock.acquire(tmp_path / "data2", tmp_path / "run", "n1")

        DaemonLock.acquire(tmp_path / "data2", tmp_path / "run", "n2").release()


def test_a_deleted_data_directory_stays_locked(tmp_path: Path) -> None:
    """While a daemon runs on a deleted data directory no other starts on a new one in its place."""
    with DaemonLock.acquire(tmp_path / "data", tmp_path / "run", "n1"):
        shutil.rmtree(tmp_path / "data")

        with pytest.raises(ConfigError, match="another daemon runs on the data directory"):
            DaemonLock.acquire(tmp_path / "data", tmp_path / "run", "n2")


def test_releasing_twice_does_no_harm(tmp_path: Path) -> None:
    """A lock released by hand is not released again by its block's end, to the harm of another's file."""
    with DaemonLock.acquire(tmp_path / "data", tmp_path / "run", "n1") as lock:
        lock.release()
        again = DaemonLock.acquire(tmp_path / "data", tmp_path / "run", "n1")

    with pytest.raises(ConfigError):
        DaemonLock.acquire(tmp_path / "data", tmp_path / "run", "n1")
    again.release()


@pytest.mark.slow
def test_a_killed_daemon_leaves_no_lock(tmp_path: Path) -> None:
    """The other process is named while it lives, and after kill -9 the lock is free at once."""
    other = _holder(tmp_path / "data", tmp_path / "run", "n1")
    with other:
        with pytest.raises(ConfigError, match=f"process {other.pid} "):
            DaemonLock.acquire(tmp_path / "data", tmp_path / "run", "n1")

        other.kill()
        other.wait()

        DaemonLock.acquire(tmp_path / "data", tmp_path / "run", "n1").release()


def test_a_directory_that_cannot_be_made_is_the_operators_fault(tmp_path: Path) -> None:
    """Where a file stands in the way the error names it."""
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=f"cannot lock {tmp_path}/file/data: Not a directory"):
        DaemonLock.acquire(tmp_path / "file" / "data", tmp_path / "run", "n1")
