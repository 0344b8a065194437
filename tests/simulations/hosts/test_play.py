"""Scenarios with real daemons in network namespaces, and that nothing is left of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pyroute2 import netns

from simulations.hosts.impair import Segment
from simulations.hosts.namespaces import processes_in, why_unavailable
from simulations.hosts.play import play
from simulations.hosts.stage import HostStage, Setting
from simulations.scenarios import cloned_image
from simulations.stage import CannotError
from weaveipam.config.pools import parse_pool
from weaveipam.protocol.keyring import PLAIN, Key, KeyRing

root = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(why_unavailable() is not None, reason=f"{why_unavailable()}"),
    pytest.mark.skipif(shutil.which("nft") is None, reason="no nftables"),
]


def namespaces(pid: int) -> list[str]:
    """Those that a process has made and not removed."""
    return [name for name in netns.listnetns() if name.startswith(f"weaveipam-{pid}-")]


def left(pid: int) -> list[str]:
    """What there still is of a process's runs: namespaces, and directories."""
    return namespaces(pid) + [path.name for path in Path(tempfile.gettempdir()).glob(f"weaveipam-*-{pid}-*")]


def wait(holds: Callable[[], object]) -> None:
    """Until it holds; fails after 20 seconds."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def playing() -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """Another process that plays a long scenario, and the daemons that it has started."""
    code = "from simulations.hosts.play import play; play('idle', nodes=2, minutes=1)"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as process:
        try:
            wait(lambda: len(processes_in(namespaces(process.pid))) == 2)
            yield process, processes_in(namespaces(process.pid))
        finally:
            process.kill()


def two_daemons(directory: Path) -> Setting:
    """A small run, to be played by hand."""
    return Setting(
        nodes=2,
        seconds=2.0,
        pool=parse_pool({"name": "default", "ranges": ["10.32.0.0/28"]}),
        pool_text="default=10.32.0.0/28",
        preset="test",
        rest_s=0.0,
        seed=7,
        directory=directory,
    )


def test_what_cannot_be_played_says_why() -> None:
    """A scenario that does not exist is refused with a sentence."""
    with pytest.raises(CannotError, match="there is no scenario"):
        play("no-such")


class TestRoot:
    """Whatever happens, it is judged, and nothing is left."""

    pytestmark = root

    def test_a_split_holds(self) -> None:
        """A split of three real daemons in two, under load, violates nothing, and its page can be drawn."""
        told: list[float] = []
        outcome = play("split-two", nodes=3, minutes=0.08, seed=7, watch=told.append)
        assert outcome.chart is not None
        (cut,) = (mark for mark in outcome.chart.marks if mark.kind == "cut")
        dead = outcome.reached.get("member-dead", 0)

        assert outcome.violations == ()
        assert outcome.allocations > 254  # all of them at the end, and a few before
        assert (cut.text, cut.until is not None, dead > 0) == ("split: n1 | n2 n3", True, True)
        assert outcome.chart.samples[-1].opinions == 1
        assert min(outcome.chart.samples[-1].sent_bytes) > 1000
        assert (told == sorted(told), told[-1]) == (True, 1.0)
        assert left(os.getpid()) == []

    def test_a_copied_disk_gives_no_address_twice(self, tmp_path: Path) -> None:
        """Of two real daemons on copies of one disk the second one finds out, and gives no address."""
        setting = two_daemons(tmp_path)
        with Segment() as segment:
            stage = HostStage(setting, segment, lambda _: None)
            try:
                stage.open()
                before = list(stage.journal.court.violations)
                cloned_image.play(stage)
            finally:
                stage.close()

        assert before == []
        accused = {one.checker for one in stage.journal.court.violations}
        assert accused <= {"claim"}, (
            "the pool of this small cluster is used up by then, and nothing is given twice"
        )
        assert left(os.getpid()) == []

    def test_keys_are_set(self, tmp_path: Path) -> None:
        """Real daemons take the keys that a scenario sets; a packet that one cannot open is counted."""
        old, new = Key(b"an old key......"), Key(b"and a new key...")
        setting = replace(two_daemons(tmp_path), keyring=KeyRing((PLAIN,)))
        with Segment() as segment:
            stage = HostStage(setting, segment, lambda _: None)
            try:
                stage.open()
                for keys in ((PLAIN, old), (old, PLAIN), (old,)):
                    stage.set_keys(stage.names, *keys)
                    stage.run(0.5)
                refused_before = stage.unopened()
                stage.set_keys(stage.names[:1], new, old)
                wait(lambda: stage.unopened() > refused_before)
            finally:
                stage.close()

        assert refused_before == 0
        assert stage.journal.court.violations == []

    def test_nothing_is_left_of_interrupted_runs(self) -> None:
        """A run that is killed is cleaned up by the next one, and one that is interrupted by itself."""
        with playing() as (killed, orphans):
            killed.kill()
            killed.wait()
            before = left(killed.pid)
            with playing() as (interrupted, daemons):
                assert left(killed.pid) == []
                interrupted.send_signal(signal.SIGINT)
                interrupted.wait(10)

        assert len(before) == 4  # a switch, two hosts, a directory
        assert left(interrupted.pid) == []
        wait(lambda: not any(Path("/proc", str(pid)).exists() for pid in [*orphans, *daemons]))
