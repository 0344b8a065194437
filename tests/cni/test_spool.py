"""Deletions that were recorded while the daemon was away."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni.framing import REQUEST_BYTES_MAX, Call, encode_request
from cni.plugin import Plugin
from cni.spool import Spool
from weaveipam.protocol.effects import Report
from weaveipam.protocol.requests import Reason, Refusal, Release

MakeCall = Callable[..., Call]


@pytest.fixture
def reports() -> list[Report]:
    """Everything that was told."""
    return []


@pytest.fixture
def spool(tmp_path: Path, reports: list[Report]) -> Spool:
    """An empty one."""
    return Spool(tmp_path, reports.append)


def record(spool: Spool, number: int, call: Call) -> Path:
    """A deletion as the shim records it."""
    path = spool.directory / f"{number:020}-7.del"
    path.write_bytes(encode_request(call))
    return path


async def test_the_oldest_goes_first(
    spool: Spool, plugin: Plugin, allocator: Any, make_call: MakeCall
) -> None:
    """Deletions are carried out in the order in which they were recorded, and forgotten."""
    for number in (3, 1, 2):
        record(spool, number, make_call("DEL", container=f"c{number}"))

    assert await spool.drain(plugin) == 3
    assert [Release(key=f"cni/net/c{number}/eth0") for number in (1, 2, 3)] == allocator.asked
    assert (list(spool.directory.iterdir()), await spool.drain(plugin)) == ([], 0)


async def test_nothing_is_forgotten_before_it_is_done(
    spool: Spool, plugin: Plugin, allocator: Any, make_call: MakeCall
) -> None:
    """A deletion that must wait stays and names its container; those after it are carried out."""
    first = record(spool, 1, make_call("DEL", container="c1"))
    record(spool, 2, make_call("DEL", container="c2"))
    allocator.answers = [Refusal(Reason.NOT_READY, "soon")]

    assert await spool.drain(plugin) == 1
    assert ([first], ["c1"]) == (list(spool.waiting()), list(spool.unfinished))
    assert await spool.drain(plugin) == 1
    assert ([], []) == (list(spool.waiting()), list(spool.unfinished))


async def test_a_failure_inside_loses_nothing(
    spool: Spool, plugin: Plugin, allocator: Any, make_call: MakeCall, reports: list[Report]
) -> None:
    """When the daemon itself fails, the deletion stays, the others go on, and it is told."""
    record(spool, 1, make_call("DEL"))
    record(spool, 2, make_call("DEL", container="c2"))
    allocator.answers = [RuntimeError("a bug")]

    assert await spool.drain(plugin) == 1
    assert {"c1"} == spool.unfinished
    assert ["cni-call-failed", "cni-spool-drained"] == [one.event for one in reports]


@pytest.mark.parametrize("kind", ["empty", "noise", "cut", "longer", "huge", "directory", "add", "not json"])
async def test_what_is_no_deletion_is_set_aside(
    spool: Spool, plugin: Plugin, make_call: MakeCall, reports: list[Report], kind: str
) -> None:
    """What can never be carried out is kept under another name, told once, and blocks nothing."""
    path = record(spool, 1, make_call("DEL"))
    whole = path.read_bytes()
    content = {"empty": b"", "noise": b"\xff" * 40, "cut": whole[:-1], "longer": whole + b"x"}
    if kind == "directory":
        path.unlink()
        path.mkdir()
    elif kind == "add":
        path.write_bytes(encode_request(make_call("ADD")))
    elif kind == "not json":
        path.write_bytes(encode_request(make_call("DEL", b"{")))
    elif kind == "huge":
        path.write_bytes(b"\0" * (REQUEST_BYTES_MAX + 1))
    else:
        path.write_bytes(content[kind])
    record(spool, 2, make_call("DEL"))

    assert await spool.drain(plugin) == 1
    assert [path.with_suffix(".bad")] == list(spool.directory.iterdir())
    assert await spool.drain(plugin) == 0
    assert ["cni-spool-bad", "cni-spool-drained"] == [one.event for one in reports]


async def test_only_lost_drafts_are_removed(spool: Spool, plugin: Plugin) -> None:
    """A draft that is being written is left alone; one whose writer must have died goes."""
    fresh, lost = spool.directory / "1-1.tmp", spool.directory / "0-1.tmp"
    for draft in (fresh, lost):
        draft.write_bytes(b"wip1")
    os.utime(lost, (0, 0))
    spool.tidy()

    assert [fresh] == list(spool.directory.iterdir())
    assert await spool.drain(plugin) == 0


async def test_a_missing_directory_is_empty(tmp_path: Path, plugin: Plugin) -> None:
    """Nothing waits where nothing was ever recorded."""
    spool = Spool(tmp_path / "gone")
    spool.tidy()

    assert (spool.waiting(), await spool.drain(plugin)) == ((), 0)
