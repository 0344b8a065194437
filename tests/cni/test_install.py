"""Putting the program and the example list in place."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

import pytest

from cni.install import conflist, install, program_path
from weaveipam.errors import ConfigError

SOCKET = Path("/run/x/cni.sock")


def test_both_files_are_whole(tmp_path: Path, program: Path) -> None:
    """The program is this machine's and can be run; the list names the bridge, the socket and the pools."""
    paths = install(tmp_path / "bin", tmp_path / "net.d", SOCKET, ["blue"])

    assert [tmp_path / "bin" / "weaveipam", tmp_path / "net.d" / "10-weaveipam.conflist"] == paths
    assert (program.read_bytes(), 0o755) == (paths[0].read_bytes(), paths[0].stat().st_mode & 0o7777)
    assert subprocess.run([paths[0]], env={}, check=True, capture_output=True).stdout == b""
    document = json.loads(paths[1].read_text())
    bridge = document["plugins"][0]
    assert (document["cniVersion"], bridge["type"], bridge["bridge"]) == ("1.0.0", "bridge", "cni0")
    assert (bridge["isGateway"], bridge["ipMasq"]) == (False, False)
    assert bridge["ipam"] == {"type": "weaveipam", "socket": "/run/x/cni.sock", "pools": ["blue"]}


def test_a_repeat_changes_nothing(tmp_path: Path, program: Path) -> None:
    """The same call again leaves the very same files, and no drafts."""
    assert program.exists()
    paths = install(tmp_path, tmp_path, SOCKET)
    before = [path.stat().st_ino for path in paths]

    assert before == [path.stat().st_ino for path in install(tmp_path, tmp_path, SOCKET)]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_a_changed_list_is_kept(tmp_path: Path, program: Path) -> None:
    """A list that somebody changed is left alone, and so is all else, unless it is to be overwritten."""
    assert program.exists()
    config = tmp_path / "net.d" / "10-weaveipam.conflist"
    config.parent.mkdir()
    config.write_text("mine")
    with pytest.raises(ConfigError, match="--force"):
        install(tmp_path / "bin", tmp_path / "net.d", SOCKET)

    assert (config.read_text(), (tmp_path / "bin").exists()) == ("mine", False)
    install(tmp_path / "bin", tmp_path / "net.d", SOCKET, force=True)
    assert json.loads(config.read_text()) == conflist(SOCKET, ())


def test_a_program_that_runs_is_replaced(tmp_path: Path, program: Path) -> None:
    """Replacing takes a new file, so that a call under way keeps its program."""
    target = tmp_path / "weaveipam"
    target.write_bytes(program.read_bytes() + b"old")
    target.chmod(0o755)
    reader, writer = os.pipe()
    with subprocess.Popen(
        [target], env={"CNI_COMMAND": "VERSION"}, stdin=reader, stdout=subprocess.PIPE
    ) as old:
        install(tmp_path, tmp_path, SOCKET)
        os.close(writer)
        os.close(reader)
        output, _ = old.communicate()

    assert target.read_bytes() == program.read_bytes()
    assert b"supportedVersions" in output


@pytest.mark.parametrize(("machine", "architecture"), [("arm64", "aarch64"), ("AMD64", "x86_64")])
def test_machines_by_their_other_names(program: Path, machine: str, architecture: str) -> None:
    """The program is found by either name of the architecture."""
    assert program.with_name(f"weaveipam-{architecture}") == program_path(machine)
    assert program == program_path(platform.machine())


def test_a_machine_without_a_program() -> None:
    """Another architecture is refused by name."""
    with pytest.raises(ConfigError, match="riscv64"):
        program_path("riscv64")
