"""The command line of a daemon, and the small HTTP client, against a real server on a unix socket."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from simulations.hosts.place import Place
from simulations.hosts.processes import DaemonPlan, HttpError, http_request


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers /problem with a problem, /text with text, and all else with what was asked."""

    def do_GET(self) -> None:
        """Any path without a body."""
        if self.path == "/problem":
            self._answer(404, "application/problem+json", {"type": "not-found"})
        elif self.path == "/text":
            self._answer(200, "text/plain", "words")
        else:
            self._answer(200, "application/json", {"path": self.path})

    def do_POST(self) -> None:
        """Any path with a body of JSON."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(201, "application/json", {"path": self.path, "body": body})

    def address_string(self) -> str:
        """Peers of a unix socket have none."""
        return ""

    def log_message(self, *_: object) -> None:
        """Nothing to tell."""

    def _answer(self, status: int, kind: str, body: object) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    """The path of a unix socket that `Echo` serves."""
    path = tmp_path / "api.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Echo) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield path
        serving.shutdown()
        thread.join()


def test_json_is_sent_and_decoded(server: Path) -> None:
    """A body goes as JSON, and an answer of JSON comes back as values."""
    answer = http_request(server, "POST", "/v1/things", {"key": "k"})

    assert answer == {"path": "/v1/things", "body": {"key": "k"}}


def test_text_comes_back_as_text(server: Path) -> None:
    """An answer that is no JSON is a string."""
    assert http_request(server, "GET", "/text") == "words"


def test_a_refusal_raises_with_its_problem(server: Path) -> None:
    """A status of 400 or more is an error that carries status and document."""
    with pytest.raises(HttpError) as caught:
        http_request(server, "GET", "/problem")

    assert (caught.value.status, caught.value.problem) == (404, {"type": "not-found"})


def test_no_server_is_an_os_error(tmp_path: Path) -> None:
    """Without anybody at the socket the error says so as the system does."""
    with pytest.raises(FileNotFoundError):
        http_request(tmp_path / "none.sock", "GET", "/")


def test_the_command_repeats_what_may_be_repeated(tmp_path: Path) -> None:
    """Every endpoint and pool of a plan gets an option of its own, and seeds share one."""
    place = Place("127.0.0.1:1", "127.0.0.2:2", None)
    plan = DaemonPlan(
        name="a",
        directory=tmp_path,
        place=place,
        join=("x:1", "y:1"),
        seeds=("a", "b"),
        pools=("p=10.0.0.0/24",),
    )
    command = " ".join(plan.command())

    assert "--join x:1 --join y:1" in command
    assert "--init seeds=a,b" in command
    assert command.endswith("--pool p=10.0.0.0/24")
    assert "--init consensus=3" in " ".join(replace(plan, seeds=(), consensus=3).command())
