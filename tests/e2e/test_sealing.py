"""Real daemons with keys: who has none is not let in, and keys change while all go on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from simulations.hosts.place import Place
from simulations.hosts.processes import Daemon, DaemonPlan
from weaveipam.protocol.keyring import Key

pytestmark = pytest.mark.slow

OLD, NEW = Key(bytes(range(16))), Key(bytes(range(32)))
PORT = 6790
HOSTS = {"a": "127.83.0.1", "b": "127.83.0.2", "c": "127.83.0.3"}
REFUSED = ("unsealed-packet", "unknown-key", "forged-packet", "refused-by-peer", "bad-packet")
"""What a daemon reports of packets that it, or another, does not open."""

Start = Callable[..., Daemon]


@pytest.fixture
def start(start_daemon: Callable[[DaemonPlan], Daemon], tmp_path: Path) -> Start:
    """Starts a daemon whose key ring file holds these lines, if there are any; a and b form a cluster."""

    def begin(name: str, *lines: str) -> Daemon:
        keyring = tmp_path / f"{name}.keys"
        keyring.touch(0o600)
        keyring.write_text("\n".join(lines))
        address = f"{HOSTS[name]}:{PORT}"
        plan = DaemonPlan(
            name=name,
            directory=tmp_path / name,
            place=Place(bind=address, advertise=address, namespace=None),
            join=tuple(f"{HOSTS[other]}:{PORT}" for other in "ab" if other != name),
            seeds=("a", "b") if name in "ab" else (),
            pools=("pods=10.32.0.0/24",) if name in "ab" else (),
            keyring=keyring if lines else None,
        )
        return start_daemon(plan)

    return begin


def cli(daemon: Daemon, *words: str, said: str = "") -> Any:
    """What a `keyring` command prints as JSON, asked of this daemon."""
    command = [sys.executable, "-m", "weaveipam", "keyring", *words, "-o", "json"]
    environ = {**os.environ, "WEAVEIPAM_SOCKET": str(daemon.socket)}
    ran = subprocess.run(command, input=said, capture_output=True, text=True, env=environ, check=False)
    assert 0 == ran.returncode, ran.stderr
    return json.loads(ran.stdout)


def counted(daemon: Daemon, *events: str) -> int:
    """How often a daemon has reported one of these."""
    metrics = daemon.ask("GET", "/metrics")
    pattern = re.compile(r'weaveipam_events_total\{event="([^"]+)"\} (\S+)')
    return sum(int(float(count)) for event, count in pattern.findall(metrics) if event in events)


def no_laggards(daemon: Daemon) -> bool:
    """Whether all members have sent with the key in use since it is in use."""
    return not any(key["members"] for key in cli(daemon, "list"))


def both_see(daemons: list[Daemon]) -> bool:
    """Whether each daemon sees as many alive as there are."""
    return all(len(daemons) == one.ask("GET", "/v1/status")["members_alive"] for one in daemons)


@pytest.mark.parametrize("line", ["", OLD.text], ids=["no-key", "another-key"])
def test_who_lacks_the_key_is_not_let_in(start: Start, line: str) -> None:
    """Two with one key serve; a third without it joins nothing, and the logs of both sides say why."""
    members = [start("a", NEW.text), start("b", NEW.text)]
    for one in members:
        one.wait_ready()
    third = start("c", *([line] if line else []))
    third.wait(lambda: bool(counted(third, "refused-by-peer")), "refused")

    status = third.ask("GET", "/v1/status")
    assert ("joining", False, bool(line)) == (status["state"], status["ready"], status["sealed"])
    mine = f"key {OLD.id}" if line else "no key"
    said = f"it does not open what this daemon sends: it uses key {NEW.id}, this daemon {mine}"
    assert said in status["why_not_ready"]
    assert said in third.log.read_text()
    assert counted(members[0], "unknown-key" if line else "unsealed-packet")
    assert 0 == sum(counted(one, "forged-packet", "bad-packet") for one in members)
    assert [2, 2] == [one.ask("GET", "/v1/status")["members_total"] for one in members]


def test_a_cluster_gets_its_first_key_and_its_second(start: Start) -> None:
    """From no key to one and on to another, in three steps each, all serve and no packet is refused."""
    daemons = [start("a", "plain"), start("b", "plain")]
    for one in daemons:
        one.wait_ready()
    assert "packets are not sealed" in daemons[0].log.read_text()
    for old, new in (("plain", NEW), (NEW.id, OLD)):
        for one in daemons:
            cli(one, "add", said=new.text)
        for one in daemons:
            cli(one, "use", new.id)
        for one in daemons:
            one.wait(partial(no_laggards, one), "sent to with the key")
        for one in daemons:
            assert [{"id": new.id, "used": True, "members": []}] == cli(one, "remove", old)
        assert 1 == len(daemons[0].ask("POST", "/v1/allocations", {"key": new.id})["addresses"])
    daemons[0].wait(lambda: both_see(daemons), "seen alive")

    assert 0 == sum(counted(one, *REFUSED) for one in daemons)
    assert [True, True] == [one.ask("GET", "/v1/status")["sealed"] for one in daemons]
    daemons[0].terminate()
    daemons[0].start()
    daemons[0].wait_ready()
    assert [{"id": OLD.id, "used": True, "members": []}] == cli(daemons[0], "list")
    daemons[0].wait(lambda: both_see(daemons), "seen alive")


def test_a_key_is_generated(start: Start) -> None:
    """What `generate` prints, `add` takes; each time it is another one."""
    one = start("a", OLD.text)
    one.wait(lambda: bool(one.ask("GET", "/healthz")), "up")
    for count in (2, 3):
        command = [sys.executable, "-m", "weaveipam", "keyring", "generate"]
        made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert count == len(cli(one, "add", said=made))


def test_a_key_ring_open_to_all_is_refused(start: Start, tmp_path: Path) -> None:
    """A daemon whose key ring everybody on its host can read does not start, and says how to mend it."""
    one = start("a", OLD.text)
    one.wait(lambda: bool(one.ask("GET", "/healthz")), "up")
    one.terminate()
    (tmp_path / "a.keys").chmod(0o644)
    one.start()

    assert 2 == one.wait_end()
    assert f"chmod 600 {tmp_path}/a.keys" in one.log_tail()
