"""Files that are replaced as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from weaveipam.daemon import durable


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Content and mode are as told, whoever has the old file open keeps it, and no draft is left."""
    path = tmp_path / "file"
    durable.replace(path, b"old", 0o644)
    with path.open("rb") as before:
        durable.replace(path, b"new", 0o755)

        assert before.read() == b"old"
    assert (path.read_bytes(), path.stat().st_mode & 0o7777) == (b"new", 0o755)
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_replaced_is_as_it_was(tmp_path: Path) -> None:
    """A directory in the way is an error, and nothing is left of the attempt."""
    path = tmp_path / "file"
    (path / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        durable.replace(path, b"new", 0o600)

    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_there_cannot_be_synced(tmp_path: Path) -> None:
    """A path that does not exist is an error, not a success."""
    durable.sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        durable.sync(tmp_path / "missing")
