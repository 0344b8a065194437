"""What `make` says on a machine that lacks something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

if not (ROOT / "Makefile").exists():  # the tests alone, beside an installed wheel
    pytest.skip("the Makefile is not here", allow_module_level=True)
if shutil.which("make") is None:
    pytest.skip("make is not installed", allow_module_level=True)


def make(
    directory: Path, target: str, path: Path, *variables: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Runs a target in an empty copy of the project, with only the programs of one directory."""
    shutil.copy(ROOT / "Makefile", directory)
    (directory / "requirements").mkdir()
    (directory / "requirements" / "dev.lock").touch()
    program = shutil.which("make")
    assert program is not None
    return subprocess.run(
        [program, target, *variables],
        cwd=directory,
        env={"PATH": str(path), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A directory of programs with nothing but what the recipes need, and no Python."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("sh", "sed", "grep", "touch"):
        found = shutil.which(name)
        assert found is not None
        (directory / name).symlink_to(found)
    return directory


def test_help_lists_every_target(tmp_path: Path, path: Path) -> None:
    """`make` alone names each target that is there, with a sentence, and installs nothing."""
    outcome = make(tmp_path, "help", path)

    listed = [line.split()[0] for line in outcome.stdout.splitlines()[1:]]
    assert listed == [
        "help",
        "demo",
        "test",
        "check",
        "bench",
        "bench-scale",
        "sim",
        "wheel",
        "lock",
        "clean",
    ]
    assert not (tmp_path / ".venv").exists()


def test_old_python_is_one_sentence(tmp_path: Path, path: Path) -> None:
    """Where no Python is new enough, it says which were tried and how to name another."""
    old = path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    outcome = make(tmp_path, "demo", path)

    assert outcome.returncode != 0
    assert "needs Python 3.11 or newer" in outcome.stderr
    assert "make PYTHON=" in outcome.stderr


def test_missing_ensurepip_is_mended_by_one_line(tmp_path: Path, path: Path) -> None:
    """Where Python cannot make environments, as on stock Debian, the command that mends it is printed."""
    stock = tmp_path / "stock"
    stock.mkdir()
    (stock / "ensurepip.py").write_text('raise ImportError("not packaged")\n')
    python = path / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)

    outcome = make(tmp_path, "test", path, PYTHONPATH=os.fspath(stock))

    assert outcome.returncode != 0
    assert "apt-get install python3-venv" in outcome.stderr.splitlines()[1]
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [((), "run"), (("ARGS=list",), "list"), (("ARGS=run --seeds 1-9 --json -",), "run --seeds 1-9 --json -")],
)
def test_sim_hands_on_its_arguments(
    tmp_path: Path, path: Path, variables: tuple[str, ...], arguments: str
) -> None:
    """`make sim` runs a seed, and `make sim ARGS=...` whatever else is asked for; its status is handed on."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    python = programs / "python"
    python.write_text('#!/bin/sh\necho "$@"\nexit 1\n')
    python.chmod(0o755)
    for name in ("locked", "installed"):  # newer than all that they depend on
        (programs.parent / name).touch()
        os.utime(programs.parent / name, (2**32, 2**32))

    outcome = make(tmp_path, "sim", path, *variables)

    assert f"-m simulations {arguments}\n" == outcome.stdout
    assert outcome.returncode != 0
