"""`weaveipam peer remove`, against a daemon whose answers are written down."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer
from typing import Any

import pytest
from click.testing import CliRunner, Result

from weaveipam.cli.program import program

C1 = {"name": "c", "incarnation": "0000000000000001"}
C2 = {"name": "c", "incarnation": "0000000000000002"}


def view(**fields: object) -> dict[str, Any]:
    """What a daemon says of a removal that waits for b, but for some fields."""
    waits = {"decisions": 0, "busy": True, "fenced": [C1], "awaited": ["b"], "agreed": False, "detail": ""}
    return {**waits, "electors": [], "removed": [], **fields}


DONE = view(decisions=1, busy=False, fenced=[], awaited=[], removed=[C1])


class Daemon(UnixStreamServer):
    """Answers with one view after the other, and remembers what it was asked; the last view stays."""

    def __init__(self, path: Path, views: list[dict[str, Any]]) -> None:
        super().__init__(str(path), _Answer)
        self.path = path
        self.views = views
        self.members: list[dict[str, Any]] = []
        self.asked: list[tuple[str, object]] = []


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        daemon = self.server
        assert isinstance(daemon, Daemon)
        assert "/v1/members" == self.path
        self._say(daemon.members)

    def do_POST(self) -> None:
        daemon = self.server
        assert isinstance(daemon, Daemon)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        daemon.asked.append((self.path, json.loads(body)))
        said = daemon.views[0]
        daemon.views[:] = daemon.views[1:] or daemon.views
        self._say(said, said.get("status", 200))

    def _say(self, document: object, status: int = 200) -> None:
        answer = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def address_string(self) -> str:
        return "a client"

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Serves views on a socket."""
    daemons: list[tuple[Daemon, threading.Thread]] = []

    def serve(*views: dict[str, Any]) -> Daemon:
        served = Daemon(tmp_path / f"{len(daemons)}.sock", list(views))
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        daemons.append((served, thread))
        return served

    yield serve
    for served, thread in daemons:
        served.shutdown()
        thread.join()
        served.server_close()


def remove(daemon: Daemon, *arguments: str, typed: str = "") -> Result:
    """The command, with what is typed when it asks."""
    command = ["--socket", str(daemon.path), "peer", "remove", *arguments]
    return CliRunner().invoke(program, command, input=typed)


@pytest.mark.slow
def test_it_waits_for_the_end_and_tells_how_far_it_is(daemon: Callable[..., Daemon]) -> None:
    """Whoever has not answered is named, each news once; in the end the lives that were removed are shown."""
    it = daemon(view(), view(), view(agreed=True), DONE)
    ran = remove(it, "c")

    assert 0 == ran.exit_code
    assert ["weaveipam: waiting for b", "weaveipam: all agree; waiting for b"] == ran.stderr.splitlines()
    assert ["NAME  INCARNATION", "c     0000000000000001"] == ran.stdout.splitlines()
    assert [("/v1/peers/c/remove", {"also": [], "force": False})] * 4 == it.asked


def test_at_its_timeout_it_says_what_is_missing(daemon: Callable[..., Daemon]) -> None:
    """The exit status is 1, and the removal is said to go on."""
    it = daemon(view(detail="d has heard from c just now; if it is gone for good use --force"))
    ran = remove(it, "c", "--timeout", "0")

    assert 1 == ran.exit_code
    assert "not removed yet: waiting for b; d has heard from c just now" in ran.stderr
    assert "agreed to goes on; repeat the command" in ran.stderr
    assert "" == ran.stdout


NOT_KNOWN = {"type": "not-found", "status": 404, "detail": "there is no member c"}


@pytest.mark.slow
def test_it_asks_again_while_the_daemon_starts_again(daemon: Callable[..., Daemon]) -> None:
    """A daemon that was asked before, and does not answer now or know the name, is asked once more."""
    it = daemon(view(), NOT_KNOWN, DONE)
    ran = remove(it, "c")

    assert 0 == ran.exit_code
    news = "weaveipam: not-found: there is no member c; asking again"
    assert ["weaveipam: waiting for b", news] == ran.stderr.splitlines()


@pytest.mark.slow
def test_it_does_not_ask_again_for_ever(daemon: Callable[..., Daemon]) -> None:
    """At its timeout it fails with what the daemon said last, or with that none is there."""
    it = daemon(view(), NOT_KNOWN)
    ran = remove(it, "c", "--timeout", "0.7")

    assert 1 == ran.exit_code
    assert ran.stderr.endswith("weaveipam: not-found: there is no member c\n")


def test_a_refusal_at_once_is_the_end(daemon: Callable[..., Daemon]) -> None:
    """Nothing was wanted of a daemon that says no to the first request, or is not there."""
    it = daemon(NOT_KNOWN)
    assert 1 == remove(it, "c").exit_code
    assert 1 == len(it.asked)
    it.path = it.path.with_name("none.sock")
    assert 3 == remove(it, "c").exit_code


def test_an_earlier_life_that_was_removed_is_not_the_end(daemon: Callable[..., Daemon]) -> None:
    """Of a name that was removed before, the life that is meant now is waited for."""
    it = daemon(view(fenced=[C2], removed=[C1]))

    assert 1 == remove(it, "c", "--timeout", "0").exit_code


def test_who_is_there_in_a_later_life_is_named(daemon: Callable[..., Daemon]) -> None:
    """What is done is done; how to remove the life that is there now is said, unless it is not there."""
    it = daemon(DONE)
    it.members = [{**C2, "state": "dead"}, {**C1, "state": "alive"}, {**C2, "name": "b", "state": "alive"}]
    assert "" == remove(it, "c").stderr

    it.members = [{**C2, "state": "alive"}]
    ran = remove(it, "c")
    assert 0 == ran.exit_code
    assert "weaveipam peer remove c#0000000000000002\n" in ran.stderr


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ({"awaited": ["b#0000000000000001", "d"]}, "name it as well"),
        ({"awaited": [], "agreed": True}, "agreed to goes on"),
        ({"awaited": [], "detail": "a has heard from c just now"}, "just now; repeat the command to go on"),
    ],
)
def test_at_its_timeout_it_says_what_helps(
    daemon: Callable[..., Daemon], fields: dict[str, object], advice: str
) -> None:
    """Who cannot answer is to be named; what has begun goes on; and else nothing does for long."""
    assert advice in remove(daemon(view(**fields)), "c", "--timeout", "0").stderr


def test_an_empty_name_is_wrong_usage(daemon: Callable[..., Daemon]) -> None:
    """A variable of a script that is not set removes nobody, and is said to be the reason."""
    it = daemon(DONE)
    ran = remove(it, "c", "")

    assert (2, "a NAME is empty" in ran.stderr, []) == (ran.exit_code, True, it.asked)


def test_several_are_removed_at_once(daemon: Callable[..., Daemon]) -> None:
    """All names and the survivors go to the daemon in one request; all of them must be removed."""
    it = daemon(DONE)
    ran = remove(it, "c", "d", "--survivors", "a,b", "--timeout", "0")

    assert 1 == ran.exit_code
    assert [("/v1/peers/c/remove", {"also": ["d"], "force": False, "survivors": ["a", "b"]})] == it.asked


def test_force_says_what_is_risked_and_wants_the_names_again(daemon: Callable[..., Daemon]) -> None:
    """Only after the same names were typed once more is anything asked of the daemon."""
    it = daemon(DONE)
    ran = remove(it, "c", "--force", typed="d\n")
    assert 1 == ran.exit_code
    assert "may hand out the same\naddress" in ran.stderr
    assert "nothing was done" in ran.stderr
    assert [] == it.asked

    ran = remove(it, "c", "--force", typed="c\n")
    assert 0 == ran.exit_code
    assert [("/v1/peers/c/remove", {"also": [], "force": True})] == it.asked


def test_force_without_anybody_to_ask_does_nothing(daemon: Callable[..., Daemon]) -> None:
    """In a script, where nobody types, it is refused."""
    it = daemon(DONE)

    assert 1 == remove(it, "c", "--force").exit_code
    assert [] == it.asked


def test_names_of_any_letters_are_quoted(daemon: Callable[..., Daemon]) -> None:
    """A name is one part of the path, whatever is in it."""
    it = daemon(view())
    remove(it, "rack 1/c", "--timeout", "0")

    assert "/v1/peers/rack%201%2Fc/remove" == it.asked[0][0]
