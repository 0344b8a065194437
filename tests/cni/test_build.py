"""The program as a file: small, static, for both architectures, built again only when its source changed."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from cni.install import program_path

ROOT = Path(__file__).resolve().parents[2]
PT_INTERP, PT_DYNAMIC = 3, 2
MACHINES = {"x86_64": 62, "aarch64": 183}
"""ELF's e_machine."""


@pytest.mark.parametrize("architecture", sorted(MACHINES))
def test_the_program_is_small_and_static(program: Path, architecture: str) -> None:
    """Under 100 KiB; no interpreter and nothing to load at run time, and of the right architecture."""
    assert program.exists()
    elf = program_path(architecture).read_bytes()
    machine, offset, size, count = (
        struct.unpack_from(form, elf, at)[0] for form, at in (("<H", 18), ("<Q", 32), ("<H", 54), ("<H", 56))
    )
    kinds = {struct.unpack_from("<I", elf, offset + number * size)[0] for number in range(count)}

    assert len(elf) < 100 << 10
    assert (elf[:4], machine) == (b"\x7fELF", MACHINES[architecture])
    assert not kinds & {PT_INTERP, PT_DYNAMIC}
    assert b".symtab" not in elf


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "cni" / "shim.c").exists(), reason="the sources are not here")
def test_only_what_is_stale_is_built(tmp_path: Path, program: Path) -> None:
    """A build says what it makes, and makes nothing that is newer than its source."""
    assert program.exists()
    (tmp_path / "cni").mkdir()
    for name in ("cni/shim.c", "hatch_build.py"):
        shutil.copy2(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "cni" / "bin", tmp_path / "cni" / "bin")
    if (ROOT / ".cache" / "zig").exists():
        (tmp_path / ".cache").symlink_to(ROOT / ".cache")
    command = [sys.executable, str(tmp_path / "hatch_build.py")]
    fresh = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    os.utime(tmp_path / "cni" / "bin" / "weaveipam-x86_64", (0, 0))
    stale = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert (fresh, stale) == ("", "building cni/bin/weaveipam-x86_64 from cni/shim.c\n")
    assert len(list((tmp_path / "cni" / "bin").iterdir())) == 2


@pytest.mark.skipif(not (ROOT / "cni" / "shim.c").exists(), reason="the sources are not here")
def test_a_missing_compiler_is_named(tmp_path: Path) -> None:
    """Without ziglang the build says what to install."""
    (tmp_path / "cni").mkdir()
    shutil.copy(ROOT / "cni" / "shim.c", tmp_path / "cni" / "shim.c")
    code = (
        "import sys; sys.modules['ziglang'] = None\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path; import hatch_build\n"
        f"hatch_build.build(Path({str(tmp_path)!r}), print)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert done.returncode == 1
    assert "pip install ziglang" in done.stderr
